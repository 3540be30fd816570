//! The reply to a write is lost, so that the process does not know whether it happened: F10 to F12.

use std::time::{Duration, Instant};

use dakghar_testkit::fault_proxy::Hold;

use super::{begin, count, refusals};
use crate::chaos::installation::Setup;
use crate::chaos::report::Row;
use crate::chaos::{CLAIM, INSERT, OUTCOME, seconds, sleep_s, until_caught_since};

/// Loses the reply to a write, again and again: at times the connection breaks and the answer can be asked for, at
/// times it stays silent for longer than anybody waits.
async fn lose_replies(role: &'static str, bytes: &[u8], row: Row) {
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).proxied()).await;
    let end = Instant::now() + seconds(30);
    let mut losses = 0;
    while Instant::now() < end {
        let silence = if losses % 2 == 0 {
            Duration::from_millis(50)
        } else {
            Duration::from_secs(6)
        };
        let proxy = installation.node(role).mongo();
        let before = proxy.caught();
        proxy.trap(bytes, Hold::Reply);
        until_caught_since(proxy, before).await;
        tokio::time::sleep(silence).await;
        proxy.disarm();
        proxy.cut();
        losses += 1;
        sleep_s(1).await;
    }
    let (verdict, loaded) = count(&installation, load).await;
    let figure = format!(
        "{losses} times; {}, {} replays",
        refusals(&loaded),
        loaded.counts.replays
    );
    row.finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_replies_to_inserts_are_lost() {
    lose_replies("api", INSERT, Row::new("F10", "replies to inserts lost")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_replies_to_claims_are_lost() {
    lose_replies("worker", CLAIM, Row::new("F11", "replies to claims lost")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_replies_to_outcomes_are_lost() {
    lose_replies("worker", OUTCOME, Row::new("F12", "replies to outcomes lost")).await;
}
