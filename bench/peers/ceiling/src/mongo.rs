//! One `insert_many` (majority, journal) a commit. The answer needs only the store; the jobs of the commit follow with
//! one pipelined `add_bulk`, and commits wait when that falls behind.
//!
//! Beside the commit under way another one starts only when it is no smaller, because a commit costs MongoDB half a
//! millisecond by itself.

use std::collections::VecDeque;

use bson::{DateTime, Document, doc};
use bullmq::options::RedisConnectionOptions;
use bullmq::{BulkJob, JobOptions, Queue, QueueOptions};
use mongodb::options::{Acknowledgment, ClientOptions, IndexOptions, WriteConcern};
use mongodb::{Client, Collection, IndexModel};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{BATCH_MAX, Waiting};

/// Commits under way at the same time.
const COMMITS_MAX: usize = 2;
/// Commits whose jobs are not in the queue yet, at most.
const HANDOVERS_MAX: usize = 4;

/// Starts the group commits.
pub(crate) async fn start(mongo_uri: &str, redis_url: &str, waiting: mpsc::Receiver<Waiting>) -> anyhow::Result<()> {
    let mut options = ClientOptions::parse(mongo_uri).await?;
    options.write_concern = Some(
        WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .build(),
    );
    let database = options.default_database.clone().unwrap_or_else(|| "ceiling".to_owned());
    let messages = Client::with_options(options)?
        .database(&database)
        .collection::<Document>("messages");
    let unique = IndexOptions::builder()
        .unique(true)
        .partial_filter_expression(doc! { "idempotencyKey": { "$exists": true } })
        .build();
    let keys = doc! { "tenantId": 1, "idempotencyKey": 1 };
    messages
        .create_index(IndexModel::builder().keys(keys).options(unique).build())
        .await?;

    let connection = RedisConnectionOptions::new().url(redis_url);
    let queue = Queue::with_options("whatsapp-send-queue", QueueOptions::new().connection(connection)).await?;
    let (hand_over, handovers) = mpsc::channel(HANDOVERS_MAX);
    tokio::spawn(hand_over_all(queue, handovers));
    tokio::spawn(commit_all(messages, waiting, hand_over));
    Ok(())
}

async fn commit_all(
    messages: Collection<Document>,
    mut waiting: mpsc::Receiver<Waiting>,
    hand_over: mpsc::Sender<Vec<String>>,
) {
    let mut next = VecDeque::new();
    let mut arrived = Vec::new();
    let mut under_way = JoinSet::new();
    let mut messages_under_way = 0;
    loop {
        let is_worth_it = next.len() >= BATCH_MAX.min(messages_under_way);
        if !next.is_empty() && is_worth_it && under_way.len() < COMMITS_MAX {
            let batch: Vec<Waiting> = next.drain(..BATCH_MAX.min(next.len())).collect();
            messages_under_way += batch.len();
            under_way.spawn(commit(messages.clone(), batch, hand_over.clone()));
            continue;
        }
        tokio::select! {
            Some(done) = under_way.join_next() => messages_under_way -= done.expect("a commit does not panic"),
            count = waiting.recv_many(&mut arrived, BATCH_MAX) => {
                if count == 0 {
                    return;
                }
                next.extend(arrived.drain(..));
            }
        }
    }
}

/// How many messages it was about.
async fn commit(messages: Collection<Document>, batch: Vec<Waiting>, hand_over: mpsc::Sender<Vec<String>>) -> usize {
    let documents: Vec<Document> = batch.iter().map(document).collect();
    let is_committed = messages.insert_many(documents).ordered(false).await.is_ok();
    let count = batch.len();
    let mut ids = Vec::with_capacity(count);
    for Waiting { message, committed } in batch {
        // A client that hung up does not need the answer.
        let _ = committed.send(is_committed);
        ids.push(message.id);
    }
    if is_committed {
        // Fails only when the whole process ends.
        let _ = hand_over.send(ids).await;
    }
    count
}

fn document(waiting: &Waiting) -> Document {
    let message = &waiting.message;
    let mut document = doc! {
        "_id": &message.id,
        "tenantId": &message.tenant_id,
        "direction": "outbound",
        "status": "queued",
        "to": &message.to,
        "text": &message.text,
        "createdAt": DateTime::now(),
    };
    if let Some(key) = &message.idempotency_key {
        document.insert("idempotencyKey", key);
    }
    document
}

async fn hand_over_all(queue: Queue, mut handovers: mpsc::Receiver<Vec<String>>) {
    while let Some(ids) = handovers.recv().await {
        let job = |id: String| BulkJob::with_options("send", json!({ "messageId": id }), JobOptions::new().job_id(id));
        if queue.add_bulk(ids.into_iter().map(job).collect()).await.is_err() {
            return;
        }
    }
}
