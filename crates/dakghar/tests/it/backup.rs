//! A backup is taken while everything runs, put back after everything was lost, looked at while nothing is sent, and
//! released: the drill of the operator's guide, on both backends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually};

const WAITING: usize = 12;

/// Messages that wait, because all sending is held.
async fn accept(product: &Product, tenant: &Tenant, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(product.send(tenant, &format!("+9191111111{n:02}")).await);
    }
    ids
}

async fn hold(product: &Product) {
    let (status, held) = product.call("PUT", "/hold", None).await;
    assert_eq!((status, &held["held"]), (200, &json!(true)), "{held}");
    // A running worker notices within a second.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
}

fn waiting(report: &Value) -> u64 {
    let counts = report["waiting"].as_array().expect("counts").iter();
    counts.map(|count| count["messages"].as_u64().expect("a count")).sum()
}

async fn until_sent(product: &Product, tenant: &Tenant, ids: &[String]) {
    for id in ids {
        product.until_status(tenant, id, "delivered").await;
    }
}

/// The restored installation: everything is there and waits, and goes out when it is released.
async fn look_and_release(product: &Product, tenant: &Tenant, before: &str, ids: &[String]) {
    product.sim.clear_journal();
    assert_eq!(product.message(tenant, before).await["status"], "delivered");
    let report = product.get("/hold").await;
    assert_eq!(
        (&report["held"], waiting(&report)),
        (&json!(true), WAITING as u64),
        "{report:#}"
    );
    let (code, shown, _) = product.run(&["hold", "--show"]);
    assert!(
        code == Some(0) && shown.contains("12 messages would be sent"),
        "{shown}"
    );
    assert_eq!(product.sim.journal().len(), 0, "nothing is sent");
    assert_eq!(product.run(&["release"]).0, Some(0));
    until_sent(product, tenant, ids).await;
    assert_eq!(product.sim.journal().len(), WAITING);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_store_is_backed_up_while_it_runs_and_restored_held() {
    let mut product = Product::start(Backend::Embedded).await;
    let tenant = product.fast_tenant("111").await;
    let before = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &before, "delivered").await;
    hold(&product).await;
    let ids = accept(&product, &tenant, WAITING).await;

    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("backup");
    let path = folder.display().to_string();
    let (code, told, noted) = product.run(&["backup", &path]);
    assert_eq!(code, Some(0), "{told}{noted}");
    assert!(
        told.contains("every page checked") && noted.contains("MASTER_KEY"),
        "{told}{noted}"
    );
    assert!(
        told.lines().any(|line| line.split_whitespace().eq(["messages", "13"])),
        "{told}"
    );
    assert_eq!((mode(&folder), mode(&folder.join("dakghar.sqlite3"))), (0o700, 0o600));
    assert_eq!(
        fs::read_dir(parent.path()).expect("read").count(),
        1,
        "nothing is left beside it"
    );
    let (code, _, refused) = product.run(&["backup", &path]);
    assert!(code == Some(1) && refused.contains("is there already"), "{refused}");

    // Life goes on, and then everything is lost.
    assert_eq!(product.run(&["release"]).0, Some(0));
    until_sent(&product, &tenant, &ids).await;
    let (code, _, refused) = product.run(&["restore", &path, "--replace"]);
    assert!(
        code == Some(1) && refused.contains("another process is using"),
        "{refused}"
    );
    product.kill();
    let (code, _, refused) = product.run(&["restore", &path]);
    assert!(code == Some(1) && refused.contains("--replace"), "{refused}");
    fs::remove_dir_all(product.data_dir()).expect("lost");
    let (code, told, noted) = product.run(&["restore", &path]);
    assert!(code == Some(0) && told.contains("all sending is held"), "{told}{noted}");
    product.spawn("serve");
    product.ready().await;
    look_and_release(&product, &tenant, &before, &ids).await;

    // A second restore keeps what was there.
    product.kill();
    let (code, told, _) = product.run(&["restore", &path, "--replace"]);
    assert!(code == Some(0) && told.contains(".replaced-1"), "{told}");
}

#[tokio::test]
async fn a_backup_begins_anew_where_a_killed_one_ended_and_two_at_once_do_not_mix() {
    let product = Product::start(Backend::Embedded).await;
    let parent = tempfile::tempdir().expect("a folder");
    let (folder, left) = (parent.path().join("backup"), parent.path().join(".backup.unfinished"));
    let path = folder.display().to_string();
    fs::create_dir(&left).expect("made");
    fs::write(left.join("dakghar.sqlite3"), "half of it").expect("written");
    let lock = fs::File::open(&left).expect("it is there");
    lock.try_lock().expect("nobody else");
    let (code, _, refused) = product.run(&["backup", &path]);
    assert!(
        code == Some(1) && refused.contains("another backup is making"),
        "{refused}"
    );
    assert!(
        left.join("dakghar.sqlite3").exists(),
        "nothing of the other one is touched"
    );
    drop(lock);
    let (code, told, noted) = product.run(&["backup", &path]);
    assert_eq!(code, Some(0), "{told}{noted}");
    assert!(!left.exists());
    assert_eq!(product.run(&["restore", &path, "--check"]).0, Some(0));

    let inside = product.data_dir().join("backup").display().to_string();
    let (code, _, refused) = product.run(&["backup", &inside]);
    assert!(code == Some(1) && refused.contains("is in DATA_DIR"), "{refused}");
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_changes_nothing() {
    let mut product = Product::start(Backend::Embedded).await;
    product.fast_tenant("111").await;
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("backup");
    let path = folder.display().to_string();
    assert_eq!(product.run(&["backup", &path]).0, Some(0));
    product.kill();
    let (code, told, _) = product.run(&["restore", &path, "--check"]);
    assert!(code == Some(0) && told.contains("is as it was then"), "{told}");
    let store = folder.join("dakghar.sqlite3");
    let mut bytes = fs::read(&store).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&store, bytes).expect("written");
    for more in ["--check", "--replace"] {
        let (code, _, refused) = product.run(&["restore", &path, more]);
        assert!(code == Some(1) && refused.contains("is damaged"), "{refused}");
    }
    let elsewhere = parent.path().display().to_string();
    let (code, _, refused) = product.run(&["restore", &elsewhere]);
    assert!(
        code == Some(1) && refused.contains("not a folder that `dakghar backup` has made"),
        "{refused}"
    );
    product.spawn("serve");
    product.ready().await;
    assert!(product.get("/hold").await["held"] == json!(false));
}

#[tokio::test]
async fn generated_secrets_are_in_a_backup_only_when_asked_for() {
    let mut product = Setup::on(Backend::Embedded).env("MASTER_KEY", "").start().await;
    let tenant = product.fast_tenant("111").await;
    let parent = tempfile::tempdir().expect("a folder");
    let (without, with) = (parent.path().join("without"), parent.path().join("with"));
    let (code, _, noted) = product.run(&["backup", &without.display().to_string()]);
    assert!(
        code == Some(0) && noted.contains("master_key in another place"),
        "{noted}"
    );
    assert!(!without.join("master_key").exists());
    let (code, _, noted) = product.run(&["backup", "--with-secrets", &with.display().to_string()]);
    assert!(code == Some(0) && noted.contains("guard this folder"), "{noted}");
    assert_eq!(mode(&with.join("master_key")), 0o600);
    product.kill();
    fs::remove_dir_all(product.data_dir()).expect("lost");
    assert_eq!(product.run(&["restore", &with.display().to_string()]).0, Some(0));
    assert_eq!(product.run(&["release"]).0, Some(0));
    product.spawn("serve");
    product.ready().await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;
    product.kill();
    // Another key stays where it is, and is told of.
    fs::write(
        product.data_dir().join("master_key"),
        "another one, long enough to be one",
    )
    .expect("written");
    let (code, _, noted) = product.run(&["restore", "--replace", &with.display().to_string()]);
    assert!(
        code == Some(0) && noted.contains("is another one than in the backup"),
        "{noted}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mongodb_restored_from_a_copy_of_its_disk_is_started_held_and_released() {
    let mut product = Product::start(Backend::Fragile).await;
    let tenant = product.fast_tenant("111").await;
    let before = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &before, "delivered").await;
    let (code, _, refused) = product.run(&["backup", "/nowhere/at/all"]);
    assert!(code == Some(1) && refused.contains("mongodump"), "{refused}");
    hold(&product).await;
    let ids = accept(&product, &tenant, WAITING).await;

    // The files are of one moment while the server is kept from writing.
    let copy = tempfile::tempdir().expect("a folder");
    let admin = product.database().await.client().database("admin");
    admin
        .run_command(bson::doc! { "fsync": 1, "lock": true })
        .await
        .expect("locked");
    copy_folder(product.servers().0.folder(), copy.path());
    admin
        .run_command(bson::doc! { "fsyncUnlock": 1 })
        .await
        .expect("unlocked");

    // Life goes on, and then both servers lose everything. What Redis had is built again.
    assert_eq!(product.run(&["release"]).0, Some(0));
    until_sent(&product, &tenant, &ids).await;
    product.kill();
    let (mongo, redis) = product.servers();
    mongo.kill();
    let folder = mongo.folder().to_owned();
    empty(&folder);
    copy_folder(copy.path(), &folder);
    mongo.restart().await;
    mongo.writable().await;
    redis.kill();
    let queue = redis.folder().to_owned();
    empty(&queue);
    redis.restart().await;
    product.spawn("serve --hold");
    product.ready().await;
    look_and_release(&product, &tenant, &before, &ids).await;
    let nothing_waits = eventually(async || waiting(&product.get("/hold").await) == 0).await;
    assert!(nothing_waits);
}

fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).expect("read") {
        let path = entry.expect("an entry").path();
        let removed = if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
        removed.expect("removed");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("read") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            fs::create_dir(&to).expect("made");
            copy_folder(&from, &to);
        } else {
            fs::copy(&from, &to).expect("copied");
        }
    }
}
