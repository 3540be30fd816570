//! What is stored is not what it should be: F17 and F18.

use std::path::Path;
use std::process::Command;

use bson::{Document, doc};
use dakghar_graph_sim::StatusPlan;

use super::{begin, start};
use crate::chaos::audit::{Allowance, audit, now_ms};
use crate::chaos::installation::Setup;
use crate::chaos::load::Load;
use crate::chaos::report::Row;
use crate::chaos::{AFTERWARDS, rate, sleep_s};
use crate::product::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_unique_index_is_missing() {
    let (mut installation, load) = start().await;
    let loaded = load.stop().await;
    let healed = now_ms();
    let database = installation.database().await.expect("a database");
    let messages = database.collection::<Document>("messages");
    // Somebody dropped the index, and two messages have one key.
    messages
        .drop_index("tenant_idempotency_key")
        .await
        .expect("it was there");
    let mut copy = messages.find_one(doc! {}).await.expect("an answer").expect("a message");
    let wrong = "msg_00000000000000000000000000";
    copy.insert("_id", wrong);
    messages.insert_one(copy).await.expect("inserted");
    installation.node("api").kill();
    installation.node("api").start();
    let url = installation.node("api").url("/readyz");
    let asked = async || {
        installation
            .http
            .get(&url)
            .send()
            .await
            .map(|answer| answer.status().as_u16())
    };
    assert!(
        eventually(async || asked().await.is_ok()).await,
        "the API does not answer"
    );
    sleep_s(3).await;
    assert_eq!(asked().await.expect("an answer"), 503);
    let problem = installation.get("/readyz").await.to_string();
    assert!(problem.contains("tenant_idempotency_key"), "{problem}");
    messages.delete_one(doc! { "_id": wrong }).await.expect("deleted");
    installation.node("api").kill();
    installation.node("api").start();
    installation.ready().await;
    let verdict = audit(&installation, &loaded, healed, Allowance::default()).await;
    Row::new("F17", "unique index missing at the start").finish(&verdict, "not ready, names it; ready when mended");
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_an_old_backup_is_restored() {
    // The last status comes when the message it is about is gone.
    let statuses = StatusPlan {
        sent_ms: Some(50),
        delivered_ms: Some(100),
        read_ms: Some(12_000),
        ..StatusPlan::default()
    };
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).statuses(statuses)).await;
    let before = load.stop().await;
    let none = Allowance::default();
    let first = audit(&installation, &before, now_ms(), none).await;
    first.demand();
    let folder = installation.mongo().folder().to_owned();
    let backup = tempfile::tempdir().expect("a temporary folder");
    installation.mongo().kill();
    copy(&folder, backup.path());
    installation.mongo().restart().await;
    installation.mongo().writable().await;
    installation.ready().await;

    let load = Load::start(&installation, rate());
    load.until_promised(500).await;
    let forgotten = load.stop().await;
    sleep_s(3).await;
    installation.mongo().kill();
    for entry in std::fs::read_dir(&folder).expect("the data folder").flatten() {
        let is_ours = ["log", "pid"].iter().any(|name| entry.file_name() == *name);
        if !is_ours {
            let removed = if entry.path().is_dir() {
                std::fs::remove_dir_all(entry.path())
            } else {
                std::fs::remove_file(entry.path())
            };
            removed.expect("removed");
        }
    }
    copy(backup.path(), &folder);
    installation.mongo().restart().await;
    installation.mongo().writable().await;
    installation.ready().await;
    let healed = now_ms();
    let load = Load::start(&installation, rate());
    tokio::time::sleep(AFTERWARDS).await;
    let after = load.stop().await;
    let messages = forgotten.promises.len();
    let loaded = before.and(forgotten).and(after);
    let allowed = Allowance {
        forgotten: true,
        ..Allowance::default()
    };
    let verdict = audit(&installation, &loaded, healed, allowed).await;
    let database = installation.database().await.expect("a database");
    let events = database.collection::<Document>("webhook_events");
    let orphans = events.count_documents(doc! { "reason": "unknown_message" }).await;
    let orphans = orphans.expect("an answer");
    assert!(orphans > 0, "statuses of forgotten messages were dropped");
    let figure = format!("{messages} messages forgotten, {orphans} statuses of them kept as events");
    Row::new("F18", "old backup of MongoDB restored").finish(&verdict, &figure);
}

/// Copies what is in one folder into the other.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "cannot copy {}",
        from.display()
    );
}
