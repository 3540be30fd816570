//! The disk of an embedded installation fails, or is full.

use std::time::{Duration, Instant};

use dakghar_testkit::servers::skip_without;
use serde_json::json;

use crate::faulty_disk::{SmallDisk, spoil_fsync};
use crate::product::{Backend, Product, Setup, eventually, text};

/// The way of a request to send, and its body.
fn request(tenant: &str) -> (String, serde_json::Value) {
    let body = json!({"to": "+919111111111", "text": "hello"});
    (format!("/tenants/{tenant}/send"), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_has_stopped_for_good_ends_the_process_which_says_why() {
    let mut product = Product::start(Backend::Embedded).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let Ok(strace) = spoil_fsync(product.pid()) else {
        return skip_without("a strace that may trace");
    };
    let (path, body) = request(&tenant.id);
    let (status, problem) = product.call("POST", &path, Some(body)).await;
    assert_eq!(status, 503, "{problem}");
    assert_eq!(product.ended().await, Some(1));
    drop(strace);
    let log = product.log();
    assert!(
        log.contains("this process cannot go on") && log.contains("the disk did not keep"),
        "{log}"
    );
    product.restart().await;
    product.send(&tenant, "+919111111111").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_reads_up_also_after_a_start() {
    let Ok(disk) = SmallDisk::mount(64) else {
        return skip_without("a mount of a file system in memory");
    };
    let data = disk.path().join("data");
    let mut product = Setup::on(Backend::Embedded)
        .env("DATA_DIR", data.display())
        .start()
        .await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let sent = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &sent, "delivered").await;
    disk.fill();
    product.kill();
    product.spawn("serve");
    let message = format!("/tenants/{}/messages/{sent}", tenant.id);
    let is_read = async || {
        let asked = product.http.get(product.url(&message)).bearer_auth(&tenant.api_key);
        asked.send().await.is_ok_and(|answer| answer.status() == 200)
    };
    assert!(eventually(is_read).await, "{}", product.log());
    // An operator's reading of what people wrote cannot be recorded.
    let (status, problem) = product.call("GET", &message, None).await;
    assert_eq!((status, &problem["code"]), (507, &json!("store_full")), "{problem}");
    assert_eq!(product.call("GET", "/tenants", None).await.0, 200);
    let (path, body) = request(&tenant.id);
    let (status, problem) = product.call("POST", &path, Some(body)).await;
    assert_eq!((status, &problem["code"]), (507, &json!("store_full")), "{problem}");
    let (status, ready) = product.call("GET", "/readyz", None).await;
    assert!(status == 503 && ready["storeFullSince"].is_string(), "{ready}");
    for _ in 0..200 {
        let (path, body) = request(&tenant.id);
        assert_eq!(product.call("POST", &path, Some(body)).await.0, 507);
    }
    disk.free();
    product.ready().await;
    let log = async || {
        let log = product.log();
        let lines = |what: &str| {
            log.lines()
                .filter(|line| line.contains(what))
                .map(str::to_owned)
                .collect()
        };
        let (began, ended): (Vec<String>, Vec<String>) =
            (lines("it refuses writes"), lines("requests are carried out again"));
        (began, ended)
    };
    assert!(
        eventually(async || !log().await.1.is_empty()).await,
        "{}",
        product.log()
    );
    let (began, ended) = log().await;
    assert!(began.len() == 1 && ended.len() == 1, "{began:?} {ended:?}");
    assert!(
        ended[0].contains("requests=202") || ended[0].contains("\"requests\":202"),
        "{ended:?}"
    );
    let id = product.send(&tenant, "+919111111112").await;
    product.until_status(&tenant, &id, "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_store_costs_no_slots_and_is_logged_once() {
    const MESSAGES: usize = 60;
    let Ok(disk) = SmallDisk::mount(64) else {
        return skip_without("a mount of a file system in memory");
    };
    let data = disk.path().join("data");
    let product = Setup::on(Backend::Embedded)
        .env("DATA_DIR", data.display())
        .start()
        .await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let due = jiff::Timestamp::now() + Duration::from_secs(6);
    let mut ids = Vec::new();
    for n in 0..MESSAGES {
        let body = json!({"to": format!("+9191111111{n:02}"), "text": "hello", "sendAt": due.to_string()});
        let answer = product.post(&format!("/tenants/{}/send", tenant.id), body).await;
        ids.push(text(&answer["messageId"]));
    }
    disk.fill();
    tokio::time::sleep(Duration::from_secs(26)).await;
    assert_eq!(product.sim.journal().len(), 0, "nothing can be claimed");
    let log = product.log();
    let freed = Instant::now();
    disk.free();
    for id in &ids {
        product.until_status(&tenant, id, "delivered").await;
    }
    // The longest wait between two tries, and the time that so many take at the number's pace, with room to spare.
    assert!(freed.elapsed() < Duration::from_secs(15), "{:?}", freed.elapsed());
    assert_eq!(product.sim.journal().len(), MESSAGES);
    let told = |log: &str, what: &str| log.matches(what).count();
    assert_eq!(told(&log, "sending waits for the store"), 1, "{log}");
    assert!(log.lines().count() < 40, "{log}");
    let log = product.log();
    assert_eq!(told(&log, "sending waits for the store"), 1, "{log}");
    assert_eq!(told(&log, "the store can be used again"), 1, "{log}");
}
