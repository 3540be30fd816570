//! The queue is BullMQ's own: what Node's BullMQ and Bull Board see of it, and what becomes of the jobs they add. And
//! software that was written for Meta's webhook takes our callbacks (`meta`).

mod meta;
mod node;

use std::time::Duration;

use dakghar_graph_sim::{Fault, FaultRule, Match, Rate};
use dakghar_testkit::Port;
use jiff::Timestamp;
use mongodb::bson::{DateTime, Document, doc};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, text, unavailable};
use node::{BullBoard, NodeQueue, node_is_installed};

/// How far two clocks may be apart that look at the same machine, and a busy machine between two looks at one.
const CLOCK_MS: i64 = 20_000;

/// A job as Node adds it, in our scheme.
fn job(tenant: &Tenant, message_id: &str, id: &str) -> Value {
    json!({"name": "send", "data": {"tenantId": tenant.id, "messageId": message_id}, "opts": {"jobId": id}})
}

fn calls_for(product: &Product, message_id: &str) -> usize {
    let is_of_it = |opaque: &str| opaque.split('.').nth(1) == Some(message_id);
    let journal = product.sim.journal();
    journal
        .iter()
        .filter(|call| call.biz_opaque.as_deref().is_some_and(is_of_it))
        .count()
}

/// Moves the timer of a message out of the way, past the product.
async fn postpone_timer(product: &Product, message_id: &str) {
    let client = mongodb::Client::with_uri_str(product.setting("MONGO_URI"))
        .await
        .expect("the server answers");
    let messages = client
        .default_database()
        .expect("the URI names one")
        .collection::<Document>("messages");
    let tomorrow = DateTime::from_millis(DateTime::now().timestamp_millis() + 86_400_000);
    let update = doc! { "$set": { "wakeAt": tomorrow } };
    let updated = messages.update_one(doc! { "_id": message_id }, update).await;
    assert_eq!(updated.expect("the server answers").modified_count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_node_added_is_sent_once() {
    if !node_is_installed() {
        return;
    }
    let mut product = Setup::on(Backend::Distributed).role("api").start().await;
    let node = NodeQueue::of(&product);
    let tenant = product.tenant("111", "EAAG-real").await;
    let id = product.send(&tenant, "+919111111111").await;
    // Without its own job and with its timer far ahead, nobody but Node can have it sent.
    assert!(eventually(async || node.state(&id).await == "prioritized").await);
    node.remove(&id).await;
    postpone_timer(&product, &id).await;

    let port = Port::claim();
    product.spawn_on("worker", port.number());
    product.ready_on(port.number()).await;
    let other = product.send(&tenant, "+919111111112").await;
    product.until_status(&tenant, &other, "delivered").await;
    assert_eq!(product.message(&tenant, &id).await["status"], "queued");
    assert_eq!(calls_for(&product, &id), 0);

    let by_node = format!("{id}.7");
    node.add(&[job(&tenant, &id, &by_node)]).await;
    let message = product.until_status(&tenant, &id, "delivered").await;
    assert_eq!(message["attempts"], 1);
    node.until_state(&by_node, "completed").await;

    // The store knows that it was sent, whatever else comes through the queue.
    let again = format!("{id}.8");
    node.add(&[job(&tenant, &id, &again)]).await;
    node.until_state(&again, "completed").await;
    assert_eq!(calls_for(&product, &id), 1);
}

/// One message in every state that BullMQ has, by its name.
struct OneOfEach {
    delayed: String,
    delayed_to: Timestamp,
    later: String,
    dead: String,
    in_doubt_and_dead: String,
    completed: String,
}

async fn fill(product: &mut Product, node: &NodeQueue, tenant: &Tenant) -> OneOfEach {
    let path = format!("/tenants/{}/send", tenant.id);
    let send = async |product: &Product, text_of_it: &str, more: Value| {
        let mut body = json!({"to": "+919111111111", "text": text_of_it});
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        text(&product.post(&path, body).await["messageId"])
    };
    let on = |part: &str, fault| {
        FaultRule::always(fault).when(Match {
            text_contains: Some(part.to_owned()),
            ..Match::default()
        })
    };
    product.sim.add_rule(on("refused", unavailable()));
    product.sim.add_rule(on("unanswered", Fault::HtmlBadGateway));
    product.sim.add_rule(FaultRule {
        rate: Rate::First(1),
        ..on("slow", Fault::Slow { ms: 100_000 })
    });
    let delayed_to = Timestamp::now() + Duration::from_secs(55);

    // No worker runs yet. Another tenant's, because each message of a number pushes the next into the future.
    let other = product.tenant("222", "EAAG-real").await;
    let slow = json!({"to": "+919111111111", "text": "slow", "priority": "high"});
    product.post(&format!("/tenants/{}/send", other.id), slow).await;
    let later = send(
        product,
        "later",
        json!({"sendAt": (Timestamp::now() + Duration::from_secs(7_200)).to_string()}),
    )
    .await;
    let delayed = send(product, "delayed", json!({"sendAt": delayed_to.to_string()})).await;
    let dead = send(product, "refused", json!({})).await;
    let waits = json!({"waiting": 1, "prioritized": 1, "active": 0, "delayed": 1, "completed": 0, "failed": 0});
    node.until_counts(&waits).await;

    let port = Port::claim();
    product.spawn_on("worker", port.number());
    product.until_status(tenant, &dead, "dead").await;
    let in_doubt_and_dead = send(product, "unanswered", json!({"unknownOutcome": "fail"})).await;
    product.until_status(tenant, &in_doubt_and_dead, "dead").await;
    let completed = send(product, "hello", json!({})).await;
    product.until_status(tenant, &completed, "delivered").await;
    OneOfEach {
        delayed,
        delayed_to,
        later,
        dead,
        in_doubt_and_dead,
        completed,
    }
}

fn for_message<'a>(jobs: &'a [Value], message_id: &str) -> Vec<&'a Value> {
    jobs.iter()
        .filter(|job| job["data"]["messageId"] == json!(message_id))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn node_and_bull_board_see_what_waits_what_failed_and_why() {
    if !node_is_installed() {
        return;
    }
    let mut product = Setup::on(Backend::Distributed)
        .role("api")
        .env("UNKNOWN_OUTCOME_GRACE_MS", 300)
        // The slow call must not end before everything has been looked at.
        .env("SEND_TIMEOUT_MS", 120_000)
        .env("SEND_LEASE_MS", 180_000)
        .start()
        .await;
    let node = NodeQueue::of(&product);
    let tenant = product.tenant("111", "EAAG-real").await;
    let messages = fill(&mut product, &node, &tenant).await;

    // Each of the five refused attempts had a job of its own, and so had the unanswered one before it was given up.
    let counts = json!({"waiting": 0, "prioritized": 0, "active": 1, "delayed": 1, "completed": 6, "failed": 2});
    node.until_counts(&counts).await;

    let delayed = node.list("delayed").await;
    assert_eq!(delayed.len(), 1, "{delayed:#?}");
    assert_eq!(delayed[0]["id"], json!(messages.delayed));
    let due_at = delayed[0]["dueAt"].as_i64().expect("a time");
    let off_ms = due_at - messages.delayed_to.as_millisecond();
    assert!(off_ms.abs() < CLOCK_MS, "due {off_ms} ms after its time");
    assert_eq!(node.state(&messages.later).await, "unknown", "it is not its time yet");

    let failed = node.list("failed").await;
    for (message_id, reason) in [
        (&messages.dead, "attempts_exhausted"),
        (&messages.in_doubt_and_dead, "outcome_unknown"),
    ] {
        let jobs = for_message(&failed, message_id);
        assert_eq!(jobs.len(), 1, "{failed:#?}");
        assert_eq!(jobs[0]["name"], "send");
        assert_eq!(jobs[0]["failedReason"], json!(reason));
        assert_eq!(jobs[0]["data"], json!({"tenantId": tenant.id, "messageId": message_id}));
    }
    let completed = node.list("completed").await;
    assert_eq!(for_message(&completed, &messages.dead).len(), 4);
    assert_eq!(
        for_message(&completed, &messages.completed)[0]["returnValue"],
        json!(null)
    );

    let board = BullBoard::start(&product).await;
    let shown = board.queue("failed").await;
    assert_eq!(shown["name"], "whatsapp-send-queue");
    for (state, count) in counts.as_object().expect("an object") {
        assert_eq!(&shown["counts"][state], count, "{state}: {:#}", shown["counts"]);
    }
    let jobs = shown["jobs"].as_array().expect("a list");
    let dead = for_message(jobs, &messages.dead);
    assert_eq!(dead.len(), 1, "{jobs:#?}");
    assert_eq!(dead[0]["failedReason"], "attempts_exhausted");
    let shown = board.queue("delayed").await;
    assert_eq!(shown["jobs"][0]["id"], json!(messages.delayed));
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_from_node_ends_as_completed_and_blocks_nobody() {
    if !node_is_installed() {
        return;
    }
    // As few workers as can be: one job that never ended would block all.
    let product = Setup::on(Backend::Distributed)
        .env("WORKER_CONCURRENCY", 1)
        .start()
        .await;
    let node = NodeQueue::of(&product);
    let (tenant, other) = (
        product.tenant("111", "EAAG-real").await,
        product.tenant("222", "EAAG-real").await,
    );
    let sent = product.send(&other, "+919111111111").await;
    product.until_status(&other, &sent, "delivered").await;
    let of_nobody = "msg_00000000000000000000000001";
    let nonsense = [
        json!(null),
        json!("text"),
        json!(7),
        json!([1, 2]),
        json!({}),
        json!({"tenantId": 7, "messageId": null}),
        json!({"tenantId": "ten_x", "messageId": "msg_x"}),
        json!({"tenantId": tenant.id}),
        json!({"tenantId": tenant.id, "messageId": of_nobody}),
        // A message of another tenant, which must not be found.
        json!({"tenantId": tenant.id, "messageId": sent}),
        json!({"tenantId": tenant.id, "messageId": sent, "padding": "x".repeat(200_000)}),
    ];
    let jobs: Vec<Value> = nonsense
        .iter()
        .enumerate()
        .map(|(index, data)| {
            let opts = json!({"jobId": format!("nonsense.{index}"), "attempts": 5, "priority": index});
            json!({"name": if index % 2 == 0 { "send" } else { "something else" }, "data": data, "opts": opts})
        })
        .collect();
    node.add(&jobs).await;
    for index in 0..jobs.len() {
        node.until_state(&format!("nonsense.{index}"), "completed").await;
    }
    let completed = node.list("completed").await;
    assert_eq!(completed.len(), jobs.len() + 1, "{completed:#?}");
    for job in completed {
        assert_eq!((&job["attemptsMade"], &job["returnValue"]), (&json!(1), &json!(null)));
    }
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;
    assert_eq!(product.sim.journal().len(), 2);
    assert!(product.log().contains("a job without a message"), "{}", product.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn node_sees_the_last_thousand_finished_jobs() {
    if !node_is_installed() {
        return;
    }
    let product = Product::start(Backend::Distributed).await;
    let node = NodeQueue::of(&product);
    let tenant = product.tenant("111", "mock_a").await;
    let first = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &first, "delivered").await;
    // Others may add what they like: these say nothing about how long they are to be kept.
    let jobs: Vec<Value> = (0..1_000)
        .map(|_| json!({"name": "other", "data": {}, "opts": {}}))
        .collect();
    node.add(&jobs).await;
    let last = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &last, "delivered").await;
    let counts = json!({"waiting": 0, "prioritized": 0, "active": 0, "delayed": 0, "completed": 1_000, "failed": 0});
    node.until_counts(&counts).await;
    assert_eq!(node.state(&last).await, "completed");
    assert_eq!(node.state(&first).await, "unknown");
}
