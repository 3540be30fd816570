//! Fills a store with settled messages so that growth can be measured in minutes instead of hours: clones of one that
//! the contender itself stored and settled, with new ids, keys and people. The contender must not be running.

use std::path::Path;

use anyhow::Context as _;
use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use mongodb::Collection;
use rusqlite::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::probe::{StoreArgs, mongo_messages};

const BATCH: u64 = 2_000;
const WRITERS: u64 = 2;
/// People the clones are spread over.
const PEOPLE: u64 = 100_000;
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Messages the store shall hold.
    #[arg(long)]
    total: u64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Value> {
    let added = match (args.store.mongo_uri, args.store.sqlite) {
        (Some(uri), _) => grow_mongo(&mongo_messages(&uri).await?, args.total).await?,
        (None, Some(file)) => grow_sqlite(&file, args.total)?,
        (None, None) => anyhow::bail!("name the store"),
    };
    Ok(json!({ "total": args.total, "added": added }))
}

async fn grow_mongo(messages: &Collection<Document>, total: u64) -> anyhow::Result<u64> {
    let stored = messages.estimated_document_count().await?;
    let template = messages
        .find_one(doc! { "direction": "outbound", "status": { "$in": ["sent", "delivered", "read"] } })
        .await?
        .context("there is no settled message to clone")?;
    let missing = total.saturating_sub(stored);
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (messages, template) = (messages.clone(), template.clone());
        writers.push(tokio::spawn(async move {
            let mut next = writer * BATCH;
            while next < missing {
                let end = (next + BATCH).min(missing);
                let batch: Vec<Document> = (next..end).map(|index| clone_of(&template, stored + index)).collect();
                messages.insert_many(batch).ordered(false).await?;
                next += WRITERS * BATCH;
            }
            anyhow::Ok(())
        }));
    }
    for writer in writers {
        writer.await??;
    }
    Ok(missing)
}

/// The template with everything new that must be unique, and with one of many people.
fn clone_of(template: &Document, index: u64) -> Document {
    let mut clone = template.clone();
    let id = match template.get("_id") {
        Some(Bson::ObjectId(_)) => Bson::ObjectId(ObjectId::new()),
        _ => Bson::String(format!("msg_{}", base32(Uuid::now_v7().as_u128()))),
    };
    clone.insert("_id", id);
    clone.insert("idempotencyKey", format!("clone-{index}"));
    let (wamid, person) = (format!("wamid.clone{index}"), format!("88{:010}", index % PEOPLE));
    if clone.contains_key("wamid") {
        clone.insert("wamid", wamid.clone());
    }
    if clone.contains_key("wamids") {
        clone.insert("wamids", vec![wamid]);
    }
    for field in ["to", "peer"] {
        if clone.contains_key(field) {
            clone.insert(field, format!("+{person}"));
        }
    }
    if clone.contains_key("peerId") {
        clone.insert("peerId", person);
    }
    if clone.contains_key("conversationId") {
        clone.insert("conversationId", format!("cnv_{}", base32(u128::from(index % PEOPLE))));
    }
    clone
}

/// 26 characters that hold 128 bits, in order.
fn base32(value: u128) -> String {
    (0..26)
        .rev()
        .map(|digit| char::from(BASE32[usize::try_from((value >> (5 * digit)) & 31).unwrap_or(0)]))
        .collect()
}

fn grow_sqlite(file: &Path, total: u64) -> anyhow::Result<u64> {
    let connection = Connection::open(file)?;
    // A crash here costs a run of the benchmark and nothing else.
    connection.pragma_update(None, "synchronous", "off")?;
    let stored: i64 = connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?;
    let missing = (total.cast_signed() - stored).max(0);
    let names: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_info('messages') WHERE name <> 'seq'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let values: Vec<String> = names.iter().map(|name| value_of(name)).collect();
    let insert = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?2),
              template AS (SELECT * FROM messages WHERE direction = 'outbound' AND status IN ('sent', 'delivered', 'read') LIMIT 1)
         INSERT INTO messages ({}) SELECT {} FROM numbers, template",
        names.join(", "),
        values.join(", ")
    );
    let mut next = stored;
    while next < stored + missing {
        let end = (next + 100_000).min(stored + missing);
        connection.execute(&insert, [next, end])?;
        next = end;
    }
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(missing.unsigned_abs())
}

fn value_of(column: &str) -> String {
    match column {
        "id" => "printf('msg_%026d', n)".to_owned(),
        "idempotency_key" => "'clone-' || n".to_owned(),
        "wamid" => "'wamid.clone' || n".to_owned(),
        "wamids" => "NULL".to_owned(),
        "peer" => format!("printf('+88%010d', n % {PEOPLE})"),
        "peer_id" => format!("printf('88%010d', n % {PEOPLE})"),
        "conversation_id" => format!("printf('cnv_%026d', n % {PEOPLE})"),
        other => other.to_owned(),
    }
}
