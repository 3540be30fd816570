//! All sending is held: of a backup that was restored, and of what runs.

use std::path::Path;
use std::time::Duration;

use dakghar_graph_sim::{Fault, FaultRule, InboundMessage, StatusPlan};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_restored_backup_starts_held_and_says_what_would_be_sent,
    what_runs_can_be_held_and_released,
    a_hold_outlives_every_process_and_doctor_tells_of_it,
);

/// Long enough for a process to send what it may.
const A_WHILE: Duration = Duration::from_secs(3);

/// What a backup has: the files of an embedded installation, or the documents of a distributed one.
enum Backup {
    Files(tempfile::TempDir),
    Documents(Vec<(String, Vec<bson::RawDocumentBuf>)>),
}

fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

impl Backup {
    /// Of an installation of which nothing runs.
    async fn take(product: &Product) -> Self {
        if !product.is_distributed() {
            let folder = tempfile::tempdir().unwrap();
            copy_all(&product.data_dir(), folder.path());
            return Self::Files(folder);
        }
        let database = product.database().await;
        let mut all = Vec::new();
        for name in database.list_collection_names().await.unwrap() {
            let mut documents = Vec::new();
            let found = database.collection::<bson::RawDocumentBuf>(&name);
            let mut cursor = found.find(bson::doc! {}).await.unwrap();
            while cursor.advance().await.unwrap() {
                documents.push(cursor.current().to_owned());
            }
            all.push((name, documents));
        }
        Self::Documents(all)
    }

    /// In place of what is there.
    async fn restore(&self, product: &Product) {
        match self {
            Self::Files(folder) => {
                for entry in std::fs::read_dir(product.data_dir()).unwrap() {
                    std::fs::remove_file(entry.unwrap().path()).unwrap();
                }
                copy_all(folder.path(), &product.data_dir());
            }
            Self::Documents(all) => {
                let database = product.database().await;
                for (name, documents) in all {
                    let collection = database.collection::<bson::RawDocumentBuf>(name);
                    collection.delete_many(bson::doc! {}).await.unwrap();
                    if !documents.is_empty() {
                        collection.insert_many(documents).await.unwrap();
                    }
                }
            }
        }
    }
}

async fn accept(product: &Product, tenant: &Tenant, count: usize, more: Value) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        let mut body = json!({"to": format!("+9191111111{n:02}"), "text": "hello"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ids.push(text(
            &product.post(&format!("/tenants/{}/send", tenant.id), body).await["messageId"],
        ));
    }
    ids
}

async fn begin(product: &Product) -> Value {
    let (status, held) = product.call("PUT", "/hold", None).await;
    assert_eq!((status, &held["held"]), (200, &json!(true)), "{held}");
    held
}

/// The messages of these statuses that the API counts.
fn counted(report: &Value, statuses: &[&str]) -> u64 {
    let waiting = report["waiting"].as_array().unwrap().iter();
    let of = waiting.filter(|count| statuses.contains(&count["status"].as_str().unwrap()));
    of.map(|count| count["messages"].as_u64().unwrap()).sum()
}

async fn a_restored_backup_starts_held_and_says_what_would_be_sent(backend: Backend) {
    let mut product = Setup::on(backend)
        .statuses(StatusPlan::none())
        .env("UNKNOWN_OUTCOME_GRACE_MS", 500)
        .env("SEND_TIMEOUT_MS", 2_000)
        .env("SEND_LEASE_MS", 3_000)
        .start()
        .await;
    let (one, other) = (product.fast_tenant("111").await, product.fast_tenant("222").await);
    // A call is under way when the backup is taken. Meta has the message, and nobody will ever say so.
    product.sim.add_rule(FaultRule::first(1, Fault::Slow { ms: 60_000 }));
    let called = accept(&product, &one, 1, json!({})).await.remove(0);
    assert!(eventually(async || product.sim.journal().len() == 1).await);
    begin(&product).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let mut ids = accept(&product, &one, 14, json!({})).await;
    ids.extend(accept(&product, &other, 6, json!({})).await);
    product.kill();
    assert_eq!(product.run(&["release"]).0, Some(0));
    let backup = Backup::take(&product).await;

    // Life goes on: everything is sent, and then all that is lost.
    product.restart().await;
    let all_sent = eventually(async || product.sim.journal().len() == 21).await;
    assert!(all_sent, "{}", product.sim.journal().len());
    product.kill();
    backup.restore(&product).await;
    product.sim.clear_journal();
    product.sim.set_statuses(StatusPlan::immediate());
    let said_before = product.log().len();
    product.spawn("serve --hold");
    product.ready().await;
    let said = product.log()[said_before..].to_owned();
    for what in [
        "All sending is held since",
        "20 messages would be sent (0 of them later, 0 have expired and will not be); of 1 more a call",
        &one.id,
        &other.id,
    ] {
        assert!(said.contains(what), "{what} in {said}");
    }
    let line = |tenant: &Tenant, count: &str| {
        let mut lines = said.lines().filter(|line| line.starts_with(&tenant.id));
        lines.any(|line| line.contains(" queued ") && line.split_whitespace().nth(3) == Some(count))
    };
    assert!(line(&one, "14") && line(&other, "6"), "{said}");

    // Accepting and receiving go on, and nothing is sent; also not by a start without the option.
    ids.extend(accept(&product, &one, 1, json!({})).await);
    let wamid = product
        .sim
        .send_inbound(InboundMessage::text("111", "16505551234", "hi"))
        .expect("posted");
    let inbound = format!("/tenants/{}/messages?direction=inbound", one.id);
    assert_eq!(product.until_count(&inbound, 1).await[0]["wamid"], json!(wamid));
    tokio::time::sleep(A_WHILE).await;
    product.restart().await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(product.sim.journal().len(), 0, "{:#?}", product.sim.journal());
    let ready = product.get("/readyz").await;
    assert!(
        ready["sendingHeldSince"].is_string() && ready["status"] == "ready",
        "{ready}"
    );
    let report = product.get("/hold").await;
    assert_eq!(
        (&report["held"], counted(&report, &["queued", "held"])),
        (&json!(true), 21),
        "{report:#}"
    );
    assert_eq!(counted(&report, &["sending", "in_doubt"]), 1, "{report:#}");
    let (code, shown, _) = product.run(&["hold", "--show"]);
    assert!(
        code == Some(0) && shown.contains("21 messages would be sent"),
        "{shown}"
    );

    // The operator was told, and releases: that is what a restore means.
    let (code, shown, _) = product.run(&["release"]);
    assert!(code == Some(0) && shown.contains("Sending is released"), "{shown}");
    for id in &ids {
        let tenant = if product
            .call("GET", &format!("/tenants/{}/messages/{id}", one.id), None)
            .await
            .0
            == 200
        {
            &one
        } else {
            &other
        };
        product.until_status(tenant, id, "read").await;
    }
    // What was called before the backup is not called again: nobody listened when its statuses came.
    let waits = async || {
        let message = product.message(&one, &called).await.to_string();
        message.contains("webhooks_were_not_received")
    };
    assert!(eventually(waits).await, "{:#}", product.message(&one, &called).await);
    assert_eq!(product.message(&one, &called).await["status"], "in_doubt");
    assert_eq!(product.sim.journal().len(), 21);
    assert!(product.get("/readyz").await["sendingHeldSince"].is_null());
}

async fn what_runs_can_be_held_and_released(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.fast_tenant("111").await;
    let first = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &first, "delivered").await;
    let held = begin(&product).await;
    assert_eq!(held["waiting"], json!([]));
    let again = begin(&product).await;
    assert_eq!(again["since"], held["since"], "it goes on");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let ids = accept(&product, &tenant, 5, json!({})).await;
    let later = accept(&product, &tenant, 2, json!({"sendAt": in_seconds(86_400)})).await;
    let soon = accept(&product, &tenant, 1, json!({"expiresAt": in_seconds(2)})).await;
    tokio::time::sleep(A_WHILE).await;
    let report = product.get("/hold").await;
    assert_eq!(report["waiting"].as_array().unwrap().len(), 1, "{report:#}");
    let waiting = &report["waiting"][0];
    assert_eq!(
        (
            &waiting["messages"],
            &waiting["later"],
            &waiting["expired"],
            &waiting["status"]
        ),
        (&json!(8), &json!(2), &json!(1), &json!("queued")),
        "{report:#}"
    );
    assert_eq!(product.sim.journal().len(), 1, "that of before");
    let (status, released) = product.call("DELETE", "/hold", None).await;
    assert_eq!((status, &released["held"]), (200, &json!(false)));
    for id in &ids {
        product.until_status(&tenant, id, "delivered").await;
    }
    product.until_status(&tenant, &soon[0], "expired").await;
    assert_eq!(product.message(&tenant, &later[0]).await["status"], "queued");
    assert_eq!(product.sim.journal().len(), 6);
}

fn in_seconds(seconds: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    at.to_string()
}

async fn a_hold_outlives_every_process_and_doctor_tells_of_it(backend: Backend) {
    let mut product = Product::start(backend).await;
    let tenant = product.fast_tenant("111").await;
    product.kill();
    // Also without a server.
    let (code, shown, said) = product.run(&["hold"]);
    assert!(
        code == Some(0) && shown.contains("0 messages would be sent"),
        "{shown}{said}"
    );
    if backend == Backend::Embedded {
        let data = product.data_dir().display().to_string();
        let mut command = product.command();
        command.env("MONGO_URI", "mongodb://127.0.0.1:1/nowhere");
        let moved = command.args(["migrate", "--from-embedded", &data]).output().unwrap();
        let said = String::from_utf8_lossy(&moved.stderr).into_owned();
        assert!(
            !moved.status.success() && said.contains("a hold does not move"),
            "{said}"
        );
    }
    let (_, report, _) = product.run(&["doctor"]);
    assert!(report.contains("all sending is held since"), "{report}");
    for role in ["serve", "serve --hold", "serve"] {
        product.spawn(role);
        product.ready().await;
        product.send(&tenant, "+919111111111").await;
        tokio::time::sleep(A_WHILE).await;
        product.kill();
    }
    assert_eq!(product.sim.journal().len(), 0);
    assert_eq!(product.run(&["release"]).0, Some(0));
    let (code, shown, _) = product.run(&["release"]);
    assert!(code == Some(0) && shown.contains("Sending was not held"), "{shown}");
    product.restart().await;
    assert!(eventually(async || product.sim.journal().len() == 3).await);
}
