//! When a migration does not begin, and what the operator is told to do.

use dakghar_core::ports::MigrationTarget as _;
use dakghar_testkit::servers::Mongo;

use super::{migrate, point_at_mongo};
use crate::product::{Backend, Product, Setup};

/// A stopped embedded installation of one tenant, told to use MongoDB from now on.
async fn stopped(setup: Setup) -> Product {
    let mut product = setup.start().await;
    let tenant = product.tenant("111", "mock_a").await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;
    assert_eq!(product.terminate().await, Some(0));
    point_at_mongo(&mut product).await;
    product
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_server_runs() {
    let mut product = Product::start(Backend::Embedded).await;
    point_at_mongo(&mut product).await;
    let (code, out, err) = migrate(&product, &product.data_dir(), &[]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(
        err.contains("another process is using") && err.contains("Stop it first"),
        "{err}"
    );
    product.tenant("111", "mock_a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_target_or_a_source() {
    let mut product = Product::start(Backend::Embedded).await;
    product.terminate().await;
    let (code, _, err) = migrate(&product, &product.data_dir(), &[]);
    assert!(code == Some(64) && err.contains("MONGO_URI is not set"), "{err}");
    let (code, _, err) = product.run(&["migrate"]);
    assert!(code == Some(64) && err.contains("--from-embedded"), "{err}");

    point_at_mongo(&mut product).await;
    let nowhere = product.dir.path().join("nowhere");
    for folder in [product.dir.path(), &nowhere] {
        let (code, _, err) = migrate(&product, folder, &[]);
        assert!(
            code == Some(1) && err.contains("not the folder of an embedded"),
            "{err}"
        );
    }
    assert!(!nowhere.exists() && !product.dir.path().join("dakghar.sqlite3").exists());
    product.set("MONGO_URI", "mongodb://127.0.0.1:1/dakghar?serverSelectionTimeoutMS=50");
    let (code, _, err) = migrate(&product, &product.data_dir(), &[]);
    assert!(code == Some(1) && err.contains("could not be reached"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_another_master_key() {
    const WRONG: &str = "another-master-key-0123456789-0123456789";
    let mut product = stopped(Setup::on(Backend::Embedded)).await;
    let folder = product.data_dir();
    product.set("MASTER_KEY", WRONG);
    for more in [&[] as &[&str], &["--dry-run"]] {
        let (code, out, err) = migrate(&product, &folder, more);
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(
            err.contains("master key does not open")
                && err.contains("Set MASTER_KEY")
                && err.contains("dakghar doctor"),
            "{err}"
        );
        assert!(!format!("{out}{err}").contains(WRONG));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_master_key_is_named_by_its_file_and_never_shown() {
    let mut product = stopped(Setup::on(Backend::Embedded).env("MASTER_KEY", "")).await;
    let folder = product.data_dir();
    let file = folder.join("master_key");
    let key = std::fs::read_to_string(&file).expect("it was generated");
    let hint = format!("MASTER_KEY_FILE={}", file.display());
    let mut told = String::new();

    let (code, out, err) = migrate(&product, &folder, &[]);
    assert!(code == Some(64) && err.contains(&hint), "{err}");
    told += &(out + &err);
    product.set("MASTER_KEY", "another-master-key-0123456789-0123456789");
    let (code, out, err) = migrate(&product, &folder, &[]);
    assert!(code == Some(1) && err.contains(&hint), "{err}");
    told += &(out + &err);
    product.set("MASTER_KEY", "");
    product.set("MASTER_KEY_FILE", file.display());
    let (code, out, err) = migrate(&product, &folder, &[]);
    assert!(code == Some(0) && out.contains(&hint), "{out}{err}");
    told += &(out + &err);
    assert!(!told.contains(&key), "the key is shown");
    product.spawn("serve");
    product.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_master_key_that_does_not_open_is_not_named_as_the_one() {
    let mut product = stopped(Setup::on(Backend::Embedded)).await;
    let folder = product.data_dir();
    let file = folder.join("master_key");
    product.set("MASTER_KEY", "another-master-key-0123456789-0123456789");
    for stale in ["a-stale-master-key-0123456789-0123456789", "short"] {
        std::fs::write(&file, stale).expect("written");
        let (code, _, err) = migrate(&product, &folder, &[]);
        assert_eq!(code, Some(1), "{err}");
        assert!(!err.contains("MASTER_KEY_FILE"), "{err}");
        let refused = format!("{} does not open them", file.display());
        assert!(err.contains("Set MASTER_KEY") && err.contains(&refused), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_database_with_other_data() {
    let product = stopped(Setup::on(Backend::Embedded)).await;
    let target = Product::start(Backend::Distributed).await;
    target.tenant("999", "mock_x").await;
    for more in [&[] as &[&str], &["--dry-run"], &["--start-over"]] {
        let (code, out, err) = migrate(&target, &product.data_dir(), more);
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(err.contains("tenants (1)") && err.contains("empty database"), "{err}");
    }
    target
        .send(&target.tenant("998", "mock_y").await, "+919111111111")
        .await;
    assert!(!product.data_dir().join("MIGRATED").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_time_to_another_place() {
    let mut product = stopped(Setup::on(Backend::Embedded)).await;
    let folder = product.data_dir();
    let (code, out, err) = migrate(&product, &folder, &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    product.set("MONGO_URI", Mongo::shared().await.database_uri());
    for more in [&[] as &[&str], &["--start-over"]] {
        let (code, out, err) = migrate(&product, &folder, more);
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(
            err.contains("was moved to MongoDB at") && err.contains("twice"),
            "{err}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let product = stopped(Setup::on(Backend::Embedded)).await;
    let folder = product.data_dir();
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .expect("a folder")
            .map(|file| file.expect("a file").file_name())
            .collect();
        names.sort();
        names
    };
    // Opening finishes what the server's end left in the log.
    assert_eq!(migrate(&product, &folder, &["--dry-run"]).0, Some(0));
    let before = (names(), std::fs::read(folder.join("dakghar.sqlite3")).expect("a file"));
    let (code, out, err) = migrate(&product, &folder, &["--dry-run"]);
    assert_eq!(code, Some(0), "{out}{err}");
    for part in [
        "tenants               1",
        "messages              1",
        "nothing was changed",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let after = (names(), std::fs::read(folder.join("dakghar.sqlite3")).expect("a file"));
    assert!(before == after, "the folder was changed: {:?} {:?}", before.0, after.0);
    let target = super::killed::target_of(&product).await;
    assert_eq!(target.migration().await, Ok(None));
}
