//! Clones in MongoDB. Only preparation: a batch is answered as soon as the server has it in memory, and the indexes are
//! built anew when all are stored, which takes a fraction of the time. At the end everything is brought to the disk, so
//! that this work is not left to what is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use bson::{Bson, DateTime, Document, doc};
use mongodb::options::{Acknowledgment, CollectionOptions, WriteConcern};
use mongodb::{Collection, Database, IndexModel};

use super::entries;
use super::progress::Progress;
use super::{Clone, Clones, TEMPLATES_MAX};

const BATCH: u64 = 1_000;
const WRITERS: u64 = 4;

pub(super) async fn grow(database: &Database, total: u64) -> anyhow::Result<Clones> {
    let (messages, conversations) = (collection(database, "messages"), collection(database, "conversations"));
    let stored = messages.estimated_document_count().await?;
    let templates = Arc::new(templates(&messages).await?);
    let clones = Clones::new(stored, total, templates.len());
    let indexes = indexes(&messages).await?;
    messages.drop_indexes().await?;
    insert_messages(&messages, &templates, clones).await?;
    messages.create_indexes(indexes).await?;
    insert_conversations(&conversations, &templates, clones).await?;
    entries::insert(&collection(database, "feed"), &templates, clones).await?;
    database
        .client()
        .database("admin")
        .run_command(doc! { "fsync": 1 })
        .await?;
    Ok(clones)
}

fn collection(database: &Database, name: &str) -> Collection<Document> {
    let quick = WriteConcern::builder()
        .w(Acknowledgment::Nodes(1))
        .journal(false)
        .build();
    database.collection_with_options(name, CollectionOptions::builder().write_concern(quick).build())
}

/// All but that of the ids, which cannot be dropped.
async fn indexes(messages: &Collection<Document>) -> anyhow::Result<Vec<IndexModel>> {
    let mut indexes = Vec::new();
    let mut found = messages.list_indexes().await?;
    while found.advance().await? {
        let index = found.deserialize_current()?;
        if !index.keys.contains_key("_id") || index.keys.len() > 1 {
            indexes.push(index);
        }
    }
    Ok(indexes)
}

async fn templates(messages: &Collection<Document>) -> anyhow::Result<Vec<Document>> {
    let settled = doc! { "direction": "outbound", "status": { "$in": ["sent", "delivered", "read"] } };
    let mut found = messages.find(settled).limit(TEMPLATES_MAX.into()).await?;
    let mut templates = Vec::new();
    while found.advance().await? {
        templates.push(found.deserialize_current()?);
    }
    ensure!(!templates.is_empty(), "there is no settled message to clone");
    Ok(templates)
}

async fn insert_messages(
    messages: &Collection<Document>,
    templates: &Arc<Vec<Document>>,
    clones: Clones,
) -> anyhow::Result<()> {
    let (next, progress) = (Arc::new(AtomicU64::new(0)), Arc::new(Progress::towards(clones.count)));
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let (messages, templates) = (messages.clone(), templates.clone());
        let (next, progress) = (next.clone(), progress.clone());
        writers.push(tokio::spawn(async move {
            loop {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                let batch = (first..clones.count.min(first + BATCH)).map(|index| clones.at(index));
                let batch: Vec<Document> = batch.map(|clone| message(&templates[clone.template], clone)).collect();
                if batch.is_empty() {
                    return anyhow::Ok(());
                }
                let count = batch.len() as u64;
                messages.insert_many(batch).ordered(false).await?;
                progress.add(count);
            }
        }));
    }
    for writer in writers {
        writer.await??;
    }
    Ok(())
}

fn message(template: &Document, clone: Clone) -> Document {
    let mut message = template.clone();
    move_times(&mut message, clone.created_ms);
    message.insert("_id", clone.id);
    message.insert("idempotencyKey", clone.idempotency_key);
    message.insert("wamid", &clone.wamid);
    message.insert("wamids", [clone.wamid]);
    message.insert("peer", format!("+{}", clone.person));
    message.insert("peerId", clone.person);
    message.insert("conversationId", clone.conversation_id);
    message
}

/// Moves all times of a message so that it was created then. Those in its timeline stay: nothing searches there.
fn move_times(message: &mut Document, created_ms: i64) {
    let Ok(created_at) = message.get_datetime("createdAt") else {
        return;
    };
    let shift_ms = created_ms - created_at.timestamp_millis();
    for (_, value) in message.iter_mut() {
        if let Bson::DateTime(at) = value {
            *at = DateTime::from_millis(at.timestamp_millis() + shift_ms);
        }
    }
}

async fn insert_conversations(
    conversations: &Collection<Document>,
    templates: &[Document],
    clones: Clones,
) -> anyhow::Result<()> {
    let id = templates[0]
        .get("conversationId")
        .context("a settled message has no thread")?;
    let template = conversations
        .find_one(doc! { "_id": id })
        .await?
        .context("the thread of a message is missing")?;
    let mut batch = Vec::new();
    for clone in clones.newest_of_threads() {
        let message = &templates[clone.template];
        let mut conversation = template.clone();
        conversation.insert("_id", clone.conversation_id);
        conversation.insert("tenantId", message.get_str("tenantId")?);
        conversation.insert("phoneNumberId", message.get_str("phoneNumberId")?);
        conversation.insert("waId", clone.person);
        conversation.insert(
            "lastMessage",
            doc! { "at": DateTime::from_millis(clone.created_ms), "id": clone.id },
        );
        batch.push(conversation);
        if batch.len() as u64 == BATCH {
            conversations
                .insert_many(std::mem::take(&mut batch))
                .ordered(false)
                .await?;
        }
    }
    if !batch.is_empty() {
        conversations.insert_many(batch).ordered(false).await?;
    }
    Ok(())
}
