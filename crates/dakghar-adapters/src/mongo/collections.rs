//! The collections and what their documents must look like, so that nothing else that can reach the database leaves a
//! document behind that this store cannot read.
//!
//! The validators check the fields that promises and queries rest on, not everything: whatever else is in a document
//! is judged when it is read.

use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::error::ErrorKind;

/// Messages, both directions.
pub(super) const MESSAGES: &str = "messages";
/// Conversations.
pub(super) const CONVERSATIONS: &str = "conversations";
/// Meta's reports on messages.
pub(super) const STATUSES: &str = "statuses";
/// Webhook events.
pub(super) const EVENTS: &str = "webhook_events";
/// Chunks of feeds.
pub(super) const FEED: &str = "feed";
/// Entries of feeds that have no place yet.
pub(super) const FEED_ARRIVALS: &str = "feed_arrivals";
/// Entries of feeds that could not be placed.
pub(super) const FEED_ASIDE: &str = "feed_aside";
/// The processes that give places.
pub(super) const FEED_ATTENDANTS: &str = "feed_attendants";
/// The mark up to which an installation from before there were feeds has its entries: one document.
pub(super) const FEED_CARRIED: &str = "feed_carried";
/// Tenants with their numbers.
pub(super) const TENANTS: &str = "tenants";
/// The record of the migration into this database, if there was one.
pub(super) const MIGRATIONS: &str = "migrations";
/// The processes that take webhooks, and when they did not.
pub(super) const LISTENERS: &str = "listeners";
/// Apps at Meta.
pub(super) const APPS: &str = "apps";
/// Records of the audit log.
pub(super) const AUDIT: &str = "audit";
/// Where the chain of them begins and ends: one document.
pub(super) const AUDIT_CHAIN: &str = "audit_chain";
/// Keys of operators.
pub(super) const OPERATOR_KEYS: &str = "operator_keys";
/// The secrets of the installation.
pub(super) const INSTALLATION_SECRETS: &str = "installation_secrets";
/// Endpoints of tenants.
pub(super) const ENDPOINTS: &str = "endpoints";
/// How far endpoints are.
pub(super) const CALLBACK_PROGRESS: &str = "callback_progress";
/// Entries that endpoints have not taken.
pub(super) const CALLBACK_EXCEPTIONS: &str = "callback_exceptions";
/// Attempts to hand entries to endpoints.
pub(super) const CALLBACK_ATTEMPTS: &str = "callback_attempts";
/// Redrives of dead letters by filter.
pub(super) const REDRIVES: &str = "redrives";
/// Erasures of people.
pub(super) const ERASURES: &str = "erasures";
/// The wishes of people about being written to.
pub(super) const OPT_OUTS: &str = "opt_outs";
/// Signups of tenants.
pub(super) const SIGNUPS: &str = "signups";
/// Departures of tenants.
pub(super) const DEPARTURES: &str = "departures";
/// The hold of all sending: one document at most.
pub(super) const HOLDS: &str = "holds";
/// The time by which the age of records is judged: one document at most.
pub(super) const RETENTION: &str = "retention";
/// One document that is written to see whether writing works.
pub(super) const HEALTH: &str = "health";

/// The server's code when a collection exists already.
const NAMESPACE_EXISTS: i32 = 48;

/// Creates what is missing and brings the validators up to date. A validator that cannot be set is logged: it guards
/// against others, this store's own documents pass it anyway.
pub(super) async fn prepare(database: &Database) -> mongodb::error::Result<()> {
    let existing: Vec<_> = database.list_collections().await?.try_collect().await?;
    for (name, validator) in [
        (TENANTS, tenant()),
        (MESSAGES, message()),
        (CONVERSATIONS, conversation()),
        (STATUSES, status()),
        (EVENTS, event()),
        (FEED, feed_chunk()),
        (FEED_ARRIVALS, feed_arrival()),
        (AUDIT, audit()),
    ] {
        let found = existing.iter().find(|collection| collection.name == name);
        match found {
            Some(found) if found.options.validator.as_ref() == Some(&validator) => {}
            Some(_) => modify(database, name, validator).await?,
            None => create(database, name, validator).await?,
        }
    }
    for name in PLAIN {
        if !existing.iter().any(|collection| collection.name == name) {
            create_plain(database, name).await?;
        }
    }
    Ok(())
}

/// Collections without a validator, which transactions write and must not create.
/// Records that could not be placed in feeds are kept as they are, past every validator.
const PLAIN: [&str; 10] = [
    FEED_ASIDE,
    AUDIT_CHAIN,
    OPERATOR_KEYS,
    APPS,
    HOLDS,
    REDRIVES,
    ERASURES,
    OPT_OUTS,
    SIGNUPS,
    DEPARTURES,
];

async fn create_plain(database: &Database, name: &str) -> mongodb::error::Result<()> {
    match database.create_collection(name).await.map_err(|error| *error.kind) {
        Ok(()) => Ok(()),
        Err(ErrorKind::Command(refusal)) if refusal.code == NAMESPACE_EXISTS => Ok(()),
        Err(kind) => Err(kind.into()),
    }
}

async fn create(database: &Database, name: &str, validator: Document) -> mongodb::error::Result<()> {
    match database.create_collection(name).validator(validator.clone()).await {
        Ok(()) => Ok(()),
        // Another process of the installation starts at the same time.
        Err(error) if matches!(*error.kind, ErrorKind::Command(ref refusal) if refusal.code == NAMESPACE_EXISTS) => {
            modify(database, name, validator).await
        }
        Err(error) => Err(error),
    }
}

async fn modify(database: &Database, name: &str, validator: Document) -> mongodb::error::Result<()> {
    match database
        .run_command(doc! { "collMod": name, "validator": validator })
        .await
        .map_err(|error| *error.kind)
    {
        Ok(_) => Ok(()),
        Err(ErrorKind::Command(refusal)) => {
            tracing::warn!(
                collection = name,
                code = refusal.code,
                code_name = refusal.code_name,
                "the validator cannot be set"
            );
            Ok(())
        }
        Err(kind) => Err(kind.into()),
    }
}

/// A schema that requires these fields in these types.
fn requiring<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>, optional: Document) -> Document {
    let mut required = Vec::new();
    let mut properties = optional;
    for (field, bson_type) in fields {
        required.push(field);
        properties.insert(field, doc! { "bsonType": bson_type });
    }
    doc! { "$jsonSchema": { "bsonType": "object", "required": required, "properties": properties } }
}

fn message() -> Document {
    requiring(
        [
            ("_id", "string"),
            ("schemaVersion", "int"),
            ("tenantId", "string"),
            ("phoneNumberId", "string"),
            ("direction", "string"),
            ("type", "string"),
            ("content", "string"),
            ("createdAt", "date"),
            ("updatedAt", "date"),
            ("status", "string"),
            ("epoch", "long"),
            ("attempt", "long"),
            ("version", "long"),
        ],
        doc! {
            "idempotencyKey": { "bsonType": "string" },
            "inboundKey": { "bsonType": "string" },
            "wakeAt": { "bsonType": "date" },
            "wamids": { "bsonType": "array" },
            "timeline": { "bsonType": "array" },
            "toldSaves": { "bsonType": "array" },
        },
    )
}

fn conversation() -> Document {
    requiring(
        [
            ("_id", "string"),
            ("schemaVersion", "int"),
            ("tenantId", "string"),
            ("phoneNumberId", "string"),
            ("waId", "string"),
            ("lastMessage", "object"),
        ],
        doc! { "lastInboundAt": { "bsonType": "date" } },
    )
}

fn status() -> Document {
    requiring(
        [
            ("_id", "string"),
            ("schemaVersion", "int"),
            ("status", "string"),
            ("wamid", "string"),
            ("receivedAt", "date"),
            ("raw", "string"),
        ],
        Document::new(),
    )
}

fn event() -> Document {
    requiring(
        [
            ("_id", "string"),
            ("schemaVersion", "int"),
            ("reason", "string"),
            ("raw", "string"),
            ("fingerprint", "binData"),
            ("receivedAt", "date"),
        ],
        doc! { "tenantId": { "bsonType": "string" } },
    )
}

fn feed_chunk() -> Document {
    requiring(
        [
            ("_id", "string"),
            ("schemaVersion", "int"),
            ("last", "long"),
            ("at", "date"),
            ("entries", "array"),
        ],
        Document::new(),
    )
}

fn feed_arrival() -> Document {
    requiring(
        [
            ("_id", "string"),
            ("schemaVersion", "int"),
            ("tenantId", "string"),
            ("partition", "int"),
            ("entries", "array"),
        ],
        doc! { "saveId": { "bsonType": "objectId" } },
    )
}

fn audit() -> Document {
    requiring(
        [
            ("_id", "string"),
            ("schemaVersion", "int"),
            ("entryId", "string"),
            ("at", "date"),
            ("actor", "string"),
            ("action", "string"),
            ("text", "string"),
            ("previous", "binData"),
            ("hash", "binData"),
        ],
        doc! { "tenantId": { "bsonType": "string" } },
    )
}

fn tenant() -> Document {
    requiring(
        [
            ("_id", "string"),
            ("schemaVersion", "int"),
            ("name", "string"),
            ("apiKeyHash", "binData"),
            ("wrappedDataKey", "binData"),
            ("phoneNumbers", "array"),
            ("createdAt", "date"),
            ("updatedAt", "date"),
            ("version", "long"),
        ],
        Document::new(),
    )
}
