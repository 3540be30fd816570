//! What MongoDB looks at for each operation of a contender, as its own profiler tells: whether every query and update
//! touches only what it returns or changes, however much else is stored.

use std::collections::{BTreeMap, BTreeSet};

use bson::{Bson, Document, doc};
use mongodb::Database;
use serde_json::{Value, json};

use crate::probe::{APP_NAME, mongo_database};

const PROFILE: &str = "system.profile";
/// Enough for a pass of some thousand messages.
const PROFILE_BYTES: i64 = 64 * 1024 * 1024;
/// Those that grow.
const JUDGED: [&str; 3] = ["messages", "conversations", "webhook_events"];
/// An index looks once beyond each id it is asked for.
const KEYS_PER_DOCUMENT_MAX: i64 = 2;
/// Beyond that, whatever is stored: where ranges end, and statuses that nothing has.
const EXTRA_MAX: i64 = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The URI names the database.
    #[arg(long)]
    mongo_uri: String,
}

/// Makes the server remember every operation.
pub(crate) async fn profile(args: &Args) -> anyhow::Result<Value> {
    let database = mongo_database(&args.mongo_uri).await?;
    stop(&database).await?;
    database.collection::<Document>(PROFILE).drop().await?;
    database
        .run_command(doc! { "create": PROFILE, "capped": true, "size": PROFILE_BYTES })
        .await?;
    database.run_command(doc! { "profile": 2 }).await?;
    Ok(json!({ "profiling": database.name() }))
}

async fn stop(database: &Database) -> anyhow::Result<()> {
    database.run_command(doc! { "profile": 0 }).await?;
    Ok(())
}

/// The operations of one kind: same collection, same command, same plan.
#[derive(Default)]
struct Kind {
    operations: u64,
    keys_max: i64,
    documents_max: i64,
    keys_per_document_max: f64,
    documents_per_document_max: f64,
}

/// One operation as the profiler tells it.
struct Operation {
    kind: String,
    is_scan: bool,
    is_sorted_in_memory: bool,
    keys: i64,
    documents: i64,
    /// Returned, matched, inserted or deleted.
    affected: i64,
}

/// Stops remembering, and reports what each kind of operation looked at, and which looked at too much.
pub(crate) async fn judge(args: &Args) -> anyhow::Result<Value> {
    let database = mongo_database(&args.mongo_uri).await?;
    stop(&database).await?;
    let not_ours = doc! { "appName": { "$ne": APP_NAME } };
    let mut profiled = database.collection::<Document>(PROFILE).find(not_ours).await?;
    let (mut kinds, mut problems) = (BTreeMap::<String, Kind>::new(), BTreeSet::new());
    while profiled.advance().await? {
        if let Some(operation) = operation(&profiled.deserialize_current()?) {
            problems.extend(operation.problem());
            kinds.entry(operation.kind.clone()).or_default().add(&operation);
        }
    }
    for command in ["insert", "query", "update"] {
        if !kinds
            .keys()
            .any(|kind| kind.starts_with(&format!("messages {command}")))
        {
            problems.insert(format!("the profiler saw no {command} of messages"));
        }
    }
    let worst = kinds
        .values()
        .map(|kind| kind.keys_per_document_max)
        .fold(0.0, f64::max);
    let kinds: BTreeMap<_, _> = kinds.iter().map(|(name, kind)| (name, kind.to_json())).collect();
    Ok(json!({ "worstKeysPerDocument": worst, "problems": problems, "kinds": kinds }))
}

/// `None` when it is not about one of the collections that grow.
fn operation(entry: &Document) -> Option<Operation> {
    let collection = entry.get_str("ns").ok()?.split_once('.')?.1;
    if !JUDGED.contains(&collection) {
        return None;
    }
    let op = entry.get_str("op").unwrap_or_default();
    let plan = entry.get_str("planSummary").unwrap_or_default();
    let affected = ["nreturned", "nMatched", "ninserted", "ndeleted"].map(|field| number(entry, field));
    Some(Operation {
        kind: format!("{collection} {op} {plan}").trim_end().to_owned(),
        is_scan: plan.contains("COLLSCAN"),
        is_sorted_in_memory: entry.get_bool("hasSortStage").unwrap_or(false),
        keys: number(entry, "keysExamined"),
        documents: number(entry, "docsExamined"),
        affected: affected.into_iter().max().unwrap_or(0),
    })
}

fn number(entry: &Document, field: &str) -> i64 {
    match entry.get(field) {
        Some(Bson::Int32(value)) => i64::from(*value),
        Some(Bson::Int64(value)) => *value,
        _ => 0,
    }
}

impl Operation {
    fn problem(&self) -> Option<String> {
        let Self {
            kind,
            keys,
            documents,
            affected,
            ..
        } = self;
        if self.is_scan {
            return Some(format!("{kind} scans the collection"));
        }
        if self.is_sorted_in_memory {
            return Some(format!("{kind} sorts in memory"));
        }
        let most = KEYS_PER_DOCUMENT_MAX * affected + EXTRA_MAX;
        (*keys > most || *documents > most)
            .then(|| format!("{kind} looks at {keys} keys and {documents} documents for {affected}"))
    }
}

impl Kind {
    fn add(&mut self, operation: &Operation) {
        #[expect(clippy::cast_precision_loss, reason = "counts of one operation are far below 2^52")]
        let per_document = |count: i64| count as f64 / operation.affected.max(1) as f64;
        self.operations += 1;
        self.keys_max = self.keys_max.max(operation.keys);
        self.documents_max = self.documents_max.max(operation.documents);
        self.keys_per_document_max = self.keys_per_document_max.max(per_document(operation.keys));
        self.documents_per_document_max = self.documents_per_document_max.max(per_document(operation.documents));
    }

    fn to_json(&self) -> Value {
        json!({
            "operations": self.operations,
            "keysMax": self.keys_max,
            "documentsMax": self.documents_max,
            "keysPerDocumentMax": self.keys_per_document_max,
            "documentsPerDocumentMax": self.documents_per_document_max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(entry: &Document) -> Option<String> {
        operation(entry).and_then(|operation| operation.problem())
    }

    #[test]
    fn what_touches_only_what_it_returns_is_no_problem() {
        let list = doc! {
            "ns": "bench.messages", "op": "query", "planSummary": "IXSCAN { tenantId: 1, _id: -1 }",
            "keysExamined": 50, "docsExamined": 50, "nreturned": 50,
        };
        assert_eq!(problem(&list), None);
        let saves = doc! {
            "ns": "bench.messages", "op": "update", "planSummary": "IXSCAN { _id: 1 }",
            "keysExamined": 256_i64, "docsExamined": 128, "nMatched": 128_i64,
        };
        assert_eq!(problem(&saves), None);
        let tenants = doc! { "ns": "bench.tenants", "op": "query", "planSummary": "COLLSCAN" };
        assert_eq!(problem(&tenants), None);
    }

    #[test]
    fn scans_sorts_and_long_walks_are() {
        let scan = doc! { "ns": "bench.webhook_events", "op": "query", "planSummary": "COLLSCAN" };
        assert_eq!(
            problem(&scan).as_deref(),
            Some("webhook_events query COLLSCAN scans the collection")
        );
        let sort =
            doc! { "ns": "bench.messages", "op": "query", "planSummary": "IXSCAN { a: 1 }", "hasSortStage": true };
        assert!(problem(&sort).is_some_and(|problem| problem.ends_with("sorts in memory")));
        let walk = doc! {
            "ns": "bench.messages", "op": "getmore", "planSummary": "IXSCAN { a: 1 }",
            "keysExamined": 201, "docsExamined": 0, "nreturned": 50,
        };
        let told = "messages getmore IXSCAN { a: 1 } looks at 201 keys and 0 documents for 50";
        assert_eq!(problem(&walk).as_deref(), Some(told));
    }
}
