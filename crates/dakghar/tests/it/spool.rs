//! What Meta answers while MongoDB is away outlives the worker that was told it.

use std::path::PathBuf;
use std::time::Duration;

use dakghar_graph_sim::{Fault, FaultRule, Outcome, StatusPlan};
use dakghar_testkit::servers::skip_without;
use serde_json::{Value, json};

use crate::faulty_disk::SmallDisk;
use crate::metrics::Measured;
use crate::product::{Backend, Product, Setup, Tenant, eventually, text};

const MESSAGES: usize = 40;
const SPOOLED: &str = "dakghar_outcomes_spooled_total";

/// An installation on servers of its own, whose numbers report no statuses.
fn setup() -> Setup {
    Setup::on(Backend::Fragile).statuses(StatusPlan::none())
}

/// Messages whose calls are under way. Meta has all of them, and answers in a while.
async fn under_way(product: &Product) -> (Tenant, Vec<String>) {
    let tenant = product.fast_tenant("111").await;
    product.sim.add_rule(FaultRule::always(Fault::Slow { ms: 4_000 }));
    let mut ids = Vec::new();
    for n in 0..MESSAGES {
        let path = format!("/tenants/{}/send", tenant.id);
        let body = json!({"to": format!("+9191111111{n:02}"), "text": "canary-content", "unknownOutcome": "fail"});
        ids.push(text(&product.post(&path, body).await["messageId"]));
    }
    let all_called = eventually(async || product.sim.journal().len() == MESSAGES).await;
    assert!(all_called, "{} of {MESSAGES}", product.sim.journal().len());
    (tenant, ids)
}

/// The files of answers.
fn files(product: &Product) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(product.data_dir()).expect("DATA_DIR");
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "spool"))
        .collect()
}

/// Everything is sent under the wamid that Meta gave it, and nothing was called twice.
async fn all_are_sent(product: &Product, tenant: &Tenant, ids: &[String]) {
    let journal = product.sim.journal();
    for id in ids {
        let message = product.until_status(tenant, id, "sent").await;
        let call = journal
            .iter()
            .find(|entry| entry.biz_opaque.as_ref().is_some_and(|opaque| opaque.contains(id)));
        let Outcome::Accepted { wamid } = &call.expect("a call").outcome else {
            panic!("{call:?}")
        };
        assert_eq!(message["wamid"], json!(wamid), "{message:#}");
        assert_eq!(message["attempts"].as_u64().unwrap_or(1), 1, "{message:#}");
    }
    assert_eq!(product.sim.journal().len(), MESSAGES, "nothing is called twice");
}

/// MongoDB stands still before the answers come. The worker is told them, keeps them, and is killed.
async fn killed_with_answers(measured: &mut Measured) -> (Tenant, Vec<String>) {
    let (tenant, ids) = under_way(&measured.product).await;
    measured.product.servers().0.stop();
    measured.until(SPOOLED, MESSAGES as u64).await;
    measured.product.kill();
    (tenant, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_came_while_mongodb_stood_still_are_stored_after_a_kill() {
    let mut measured = Measured::start(setup()).await;
    let (tenant, ids) = killed_with_answers(&mut measured).await;
    let product = &mut measured.product;
    let [left] = &files(product)[..] else {
        panic!("{:?}", files(product))
    };
    let bytes = String::from_utf8_lossy(&std::fs::read(left).unwrap()).into_owned();
    for secret in ["EAAG-real", "canary-content", "9191111111"] {
        assert!(!bytes.contains(secret), "{secret} in {bytes}");
    }
    product.servers().0.cont();
    product.servers().0.writable().await;
    product.restart().await;
    all_are_sent(product, &tenant, &ids).await;
    assert!(!left.exists(), "it is forgotten");
    assert_eq!(files(product).len(), 1, "that of the living process");
    let log = product.log();
    assert_eq!(
        log.matches("it is kept in DATA_DIR meanwhile").count(),
        1,
        "logged once"
    );
    assert_eq!(
        log.matches("what Meta answered to an earlier process is stored")
            .count(),
        1
    );
    measured.until("dakghar_outcomes_replayed_total", MESSAGES as u64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_starts_while_mongodb_is_still_away_keeps_what_is_left_behind() {
    let mut measured = Measured::start(setup()).await;
    let (tenant, ids) = killed_with_answers(&mut measured).await;
    let product = &mut measured.product;
    let left = files(product);
    let kept = std::fs::read(&left[0]).unwrap();
    // As after a crash of the machine: the last answer is half there.
    std::fs::write(&left[0], [&kept[..], &kept[8..100]].concat()).unwrap();
    product.servers().0.kill();
    for _ in 0..2 {
        product.spawn("serve");
        tokio::time::sleep(Duration::from_secs(1)).await;
        product.kill();
        assert_eq!(&files(product)[..1], &left[..1]);
    }
    product.spawn("serve");
    product.servers().0.restart().await;
    product.servers().0.writable().await;
    product.ready().await;
    all_are_sent(product, &tenant, &ids).await;
    assert!(!left[0].exists());
    assert_eq!(product.log().matches("is torn").count(), 1, "{}", product.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lives_stores_its_answers_by_itself_when_mongodb_is_back() {
    let mut measured = Measured::start(setup()).await;
    let (tenant, ids) = under_way(&measured.product).await;
    measured.product.servers().0.stop();
    measured.until(SPOOLED, MESSAGES as u64).await;
    let [own] = &files(&measured.product)[..] else {
        panic!("one file")
    };
    assert!(std::fs::metadata(own).unwrap().len() > 1_000);
    measured.product.servers().0.cont();
    all_are_sent(&measured.product, &tenant, &ids).await;
    let is_empty = async || std::fs::metadata(own).unwrap().len() < 100;
    assert!(eventually(is_empty).await, "what the store has taken is forgotten");
    // A sibling that dies leaves nothing, and one that ends well no file.
    assert_eq!(measured.product.terminate().await, Some(0));
    assert_eq!(files(&measured.product), [] as [PathBuf; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_an_answer_lives_as_long_as_its_process_and_that_is_logged_once() {
    let Ok(disk) = SmallDisk::mount(4) else {
        return skip_without("a mount of a file system in memory");
    };
    let setup = setup().env("DATA_DIR", disk.path().join("data").display());
    let mut measured = Measured::start(setup).await;
    let (tenant, ids) = under_way(&measured.product).await;
    disk.fill();
    measured.product.servers().0.stop();
    // The last block that the file has may hold some.
    let is_told = async || {
        let seen = measured.scrape().await;
        let (kept, not_kept) = (seen.value(SPOOLED), seen.value("dakghar_outcomes_not_spooled_total"));
        not_kept > 0 && kept + not_kept == MESSAGES as u64
    };
    assert!(eventually(is_told).await, "{}", measured.product.log());
    measured.product.servers().0.cont();
    all_are_sent(&measured.product, &tenant, &ids).await;
    let log = measured.product.log();
    assert_eq!(log.matches("cannot be kept in DATA_DIR").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_whether_answers_can_be_kept_and_a_worker_without_a_folder_starts() {
    let mut product = setup().start().await;
    let (code, report, _) = product.run(&["doctor"]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("can keep what Meta answers"), "{report}");
    product.set("DATA_DIR", "/proc/nowhere");
    product.restart().await;
    assert!(
        product.log().contains("DATA_DIR cannot be written to"),
        "{}",
        product.log()
    );
    let tenant = product.tenant("111", "EAAG-real").await;
    let id = product.send(&tenant, "+919111111111").await;
    let sent: Value = product.until_status(&tenant, &id, "sent").await;
    assert!(sent["wamid"].is_string());
    product.set("DATA_DIR", "/proc");
    let (code, report, _) = product.run(&["doctor"]);
    assert!(
        code == Some(1) && report.contains("/proc cannot be written to"),
        "{report}"
    );
}
