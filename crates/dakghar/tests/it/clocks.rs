//! The machine's clock is set forward and back under the real program, with Debian's `faketime`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dakghar_graph_sim::{Fault, FaultRule};
use dakghar_testkit::servers::skip_without;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_clock_that_is_set_back_stops_nothing,
    a_clock_that_is_ahead_for_a_moment_moves_nothing,
    what_was_accepted_while_the_clock_was_ahead_goes_out_after_a_kill,
);

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 60 * MINUTE_S;
const DAY_S: i64 = 24 * HOUR_S;
const STEPS_S: [i64; 3] = [MINUTE_S, HOUR_S, DAY_S];
/// The time that anything of a test may take; far less than the shortest step.
const SOON_MS: i64 = 40_000;

/// Where Debian puts the library.
fn library() -> Option<PathBuf> {
    let folders = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let paths = folders.map(|folder| format!("/usr/lib/{folder}/faketime/libfaketimeMT.so.1"));
    let found = paths.iter().map(PathBuf::from).find(|path| path.is_file());
    if found.is_none() {
        skip_without("faketime");
    }
    found
}

/// The clock of the program.
struct Clock(PathBuf);

impl Clock {
    /// Shows a time that is wrong by so much, from now on. Renamed into place, so that half a file is never read.
    fn set(&self, wrong_by_s: i64) {
        let next = self.0.with_extension("next");
        std::fs::write(&next, format!("{wrong_by_s:+}\n")).expect("a file");
        std::fs::rename(next, &self.0).expect("a file");
    }
}

/// An installation whose program has a clock that can be set.
async fn start(backend: Backend, folder: &Path, wrong_by_s: i64) -> Option<(Product, Clock)> {
    let library = library()?;
    let clock = Clock(folder.join("clock"));
    clock.set(wrong_by_s);
    let product = Setup::on(backend)
        .env("LD_PRELOAD", library.display())
        .env("FAKETIME_TIMESTAMP_FILE", clock.0.display())
        .env("FAKETIME_NO_CACHE", 1)
        // Only the wall clock can be set.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", 1)
        .env("DONT_FAKE_MONOTONIC", 1)
        .env("NO_FAKE_STAT", 1)
        .env("UNKNOWN_OUTCOME_GRACE_MS", 500)
        .env("SEND_TIMEOUT_MS", 2_000)
        .env("SEND_LEASE_MS", 4_500)
        .start()
        .await;
    Some((product, clock))
}

fn true_now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// When the message was accepted, as the program thinks, in milliseconds.
fn accepted_ms(message: &Value) -> i64 {
    let at: jiff::Timestamp = text(&message["createdAt"]).parse().expect("a time");
    at.as_millisecond()
}

/// A message that goes out now. Answers when it was accepted, as the program thinks.
async fn goes_out(product: &Product, tenant: &Tenant) -> i64 {
    let begun = true_now_ms();
    let id = product.send(tenant, "+919111111111").await;
    let message = product.until_status(tenant, &id, "delivered").await;
    let took = true_now_ms() - begun;
    assert!(took < SOON_MS, "it took {took} ms: {message:#}");
    accepted_ms(&message)
}

async fn a_clock_that_is_set_back_stops_nothing(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let Some((product, clock)) = start(backend, folder.path(), 0).await else {
        return;
    };
    let tenant = product.tenant("111", "EAAG-real").await;
    let mut last = goes_out(&product, &tenant).await;
    for step in STEPS_S {
        clock.set(-step);
        let accepted = goes_out(&product, &tenant).await;
        assert!(accepted >= last, "time ran back by {} ms", last - accepted);
        last = accepted;
    }
}

async fn a_clock_that_is_ahead_for_a_moment_moves_nothing(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let Some((mut product, clock)) = start(backend, folder.path(), 0).await else {
        return;
    };
    let tenant = product.tenant("111", "EAAG-real").await;
    for step in STEPS_S {
        clock.set(step);
        let during = goes_out(&product, &tenant).await - true_now_ms();
        clock.set(0);
        let after = goes_out(&product, &tenant).await - true_now_ms();
        for off in [during, after] {
            assert!(off.abs() < SOON_MS, "{step}: accepted {off} ms off");
        }
    }
    product.restart().await;
    let off = goes_out(&product, &tenant).await - true_now_ms();
    assert!(off.abs() < SOON_MS, "accepted {off} ms off after a restart");
}

async fn what_was_accepted_while_the_clock_was_ahead_goes_out_after_a_kill(backend: Backend) {
    for step in STEPS_S {
        let folder = tempfile::tempdir().unwrap();
        let Some((mut product, clock)) = start(backend, folder.path(), step).await else {
            return;
        };
        let tenant = product.tenant("111", "EAAG-real").await;
        let path = format!("/tenants/{}/send", tenant.id);
        product.sim.add_rule(FaultRule::always(Fault::Slow { ms: 60_000 }));
        let sending = json!({"to": "+919111111111", "text": "hello", "unknownOutcome": "fail"});
        let sending = text(&product.post(&path, sending).await["messageId"]);
        product.until_status(&tenant, &sending, "sending").await;
        // It waits for its second attempt, or for its slot, when the program dies.
        let waiting = product.send(&tenant, "+919111111112").await;
        product.kill();
        product.sim.clear_rules();
        clock.set(0);
        product.spawn("serve");
        product.ready().await;

        product.until_status(&tenant, &sending, "dead").await;
        let settled = async || product.message(&tenant, &waiting).await["status"] != "queued";
        assert!(eventually(settled).await, "{step}: what waited still waits");
        let off = goes_out(&product, &tenant).await - true_now_ms();
        assert!(off.abs() < SOON_MS, "{step}: accepted {off} ms off");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_later_follows_the_wall() {
    let folder = tempfile::tempdir().unwrap();
    let Some((product, clock)) = start(Backend::Embedded, folder.path(), 0).await else {
        return;
    };
    let tenant = product.tenant("111", "EAAG-real").await;
    let path = format!("/tenants/{}/send", tenant.id);
    let send_at = jiff::Timestamp::now() + Duration::from_secs(2);
    let later = json!({"to": "+919111111111", "text": "later", "sendAt": send_at.to_string()});
    let later = text(&product.post(&path, later).await["messageId"]);
    clock.set(-HOUR_S);
    // The time that never runs back is past it after twice as long, and others go out; the wall is not.
    let past = send_at.as_millisecond() + 5_000;
    let mut others = 0;
    while true_now_ms() < past {
        goes_out(&product, &tenant).await;
        others += 1;
    }
    assert!(others > 0);
    assert_eq!(product.message(&tenant, &later).await["status"], "queued");
    clock.set(0);
    product.until_status(&tenant, &later, "delivered").await;
}
