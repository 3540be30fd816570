//! The indexes: what makes promises (the unique ones) and what makes every query touch only what it returns.
//!
//! Queries name their index with a hint, so that a plan never depends on what the planner saw last. Partial indexes
//! are filtered by `$exists` and nothing else: the planner does not use one that is filtered by `$type` for an
//! equality on the same field.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use futures_util::future::try_join_all;
use mongodb::options::IndexOptions;
use mongodb::{Database, IndexModel};

use super::collections::{
    AUDIT, CALLBACK_ATTEMPTS, CALLBACK_EXCEPTIONS, CALLBACK_PROGRESS, CONVERSATIONS, DEPARTURES, ENDPOINTS, ERASURES,
    EVENTS, FEED_ARRIVALS, MESSAGES, OPT_OUTS, REDRIVES, SIGNUPS, TENANTS,
};

/// The unique index that every collection has.
pub(super) const BY_ID: &str = "_id_";
/// One message per tenant and idempotency key.
pub(super) const MESSAGE_IDEMPOTENCY_KEY: &str = "tenant_idempotency_key";
/// One inbound message per number and wamid.
pub(super) const MESSAGE_INBOUND_KEY: &str = "inbound_key";
/// Messages by any wamid Meta gave them.
pub(super) const MESSAGE_WAMIDS: &str = "wamids";
/// Messages that have a timer.
pub(super) const MESSAGE_TIMER: &str = "timer";
/// Messages that have a timer, by their last change.
pub(super) const MESSAGE_CHANGED: &str = "changed";
/// A tenant's messages, newest first.
pub(super) const MESSAGE_TENANT: &str = "tenant";
/// A tenant's messages of one status, newest first.
pub(super) const MESSAGE_STATUS: &str = "tenant_status";
/// A tenant's messages of one type, newest first.
pub(super) const MESSAGE_TYPE: &str = "tenant_type";
/// A tenant's messages of one number, newest first.
pub(super) const MESSAGE_PHONE_NUMBER: &str = "tenant_phone_number";
/// A tenant's messages from and to one person, newest first.
pub(super) const MESSAGE_PEER: &str = "tenant_peer";
/// A tenant's messages whose id does not tell when they were created.
pub(super) const MESSAGE_ID_TIME_OFF: &str = "tenant_id_time_off";
/// All dead letters, newest first.
pub(super) const MESSAGE_DEAD_LETTERS: &str = "dead_letters";
/// A tenant's dead letters, newest first.
pub(super) const MESSAGE_TENANT_DEAD_LETTERS: &str = "tenant_dead_letters";
/// A tenant's conversations, the one with the newest message first.
pub(super) const CONVERSATION_LAST_MESSAGE: &str = "tenant_last_message";
/// A tenant's conversations by their key.
pub(super) const CONVERSATION_PERSON: &str = "tenant_person";
/// A tenant's conversations by further ids of their person.
pub(super) const CONVERSATION_ALSO: &str = "tenant_also";
/// One event per fingerprint.
pub(super) const EVENT_FINGERPRINT: &str = "fingerprint";
/// A tenant's events, or the unrouted ones, newest first.
pub(super) const EVENT_TENANT: &str = "tenant";
/// Arrivals that are only announced, by the save that they are announced for.
pub(super) const ARRIVAL_ANNOUNCED: &str = "announced";
/// Amendments of a tenant's messages, the strongest of each last.
pub(super) const EVENT_AMENDS: &str = "amends";
/// One owner per business number.
pub(super) const TENANT_PHONE_NUMBER: &str = "phone_number";
/// Tenants by the numbers they gave up.
pub(super) const TENANT_PAST_NUMBER: &str = "past_phone_number";
/// Tenants by the accounts their numbers belong to.
pub(super) const TENANT_WABA: &str = "waba";

/// One endpoint of a tenant in each of its seats.
pub(super) const ENDPOINT_SEAT: &str = "tenant_seat";
/// How far the endpoints of a tenant are.
pub(super) const PROGRESS_TENANT: &str = "tenant";
/// Entries that were not taken: those that are open, by their ids, and behind them those that are dead, the oldest first.
pub(super) const EXCEPTION_DEAD: &str = "dead";
/// Entries of a tenant that were not taken.
pub(super) const EXCEPTION_TENANT: &str = "tenant";
/// Attempts, the oldest first.
pub(super) const ATTEMPT_AT: &str = "at";
/// The attempts of a tenant.
pub(super) const ATTEMPT_TENANT: &str = "tenant";
/// A tenant's redrives, newest first.
pub(super) const REDRIVE_TENANT: &str = "tenant";
/// Redrives that need work, by their last change; and those that need none.
pub(super) const REDRIVE_DUE: &str = "due";

/// A tenant's records of the audit log, newest first.
pub(super) const AUDIT_TENANT: &str = "tenant";
/// Records of the audit log by their entries.
pub(super) const AUDIT_ENTRY: &str = "entry";

/// A tenant's erasures of people, newest first.
pub(super) const ERASURE_TENANT: &str = "tenant";
/// Erasures that need work, by their last change.
pub(super) const ERASURE_DUE: &str = "due";
/// A tenant's opt-outs by the id of their person.
pub(super) const OPT_OUT_PERSON: &str = "tenant_person";

/// A tenant's signups, newest first.
pub(super) const SIGNUP_TENANT: &str = "tenant";
/// Signups by their keys.
pub(super) const SIGNUP_KEY: &str = "key";
/// Signups that must be worked on, by when.
pub(super) const SIGNUP_DUE: &str = "due";

/// A tenant's departures, newest first.
pub(super) const DEPARTURE_TENANT: &str = "tenant";
/// The departure of a tenant that is not over.
pub(super) const DEPARTURE_OPEN: &str = "open";
/// Departures that must be worked on, by when.
pub(super) const DEPARTURE_DUE: &str = "due";
/// Departures that are over, by when that was.
pub(super) const DEPARTURE_ENDED: &str = "ended";

/// Indexes of earlier versions that no query uses any more, but that every write pays for.
const RETIRED: [(&str, &str); 1] = [(MESSAGES, "tenant_conversation")];

/// The time that building the indexes of a large collection may take at the first start of a new version.
const BUILD_TIMEOUT: Duration = Duration::from_mins(30);

struct Index {
    collection: &'static str,
    name: &'static str,
    keys: Document,
    unique: bool,
    /// Only documents that have this field are in it.
    only_with: Option<&'static str>,
}

impl Index {
    fn new(collection: &'static str, name: &'static str, keys: Document) -> Self {
        Self {
            collection,
            name,
            keys,
            unique: false,
            only_with: None,
        }
    }

    fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    fn only_with(mut self, field: &'static str) -> Self {
        self.only_with = Some(field);
        self
    }

    fn partial_filter(&self) -> Option<Document> {
        self.only_with.map(|field| doc! { field: { "$exists": true } })
    }

    fn model(&self) -> IndexModel {
        let options = IndexOptions::builder()
            .name(self.name.to_owned())
            .unique(self.unique.then_some(true))
            .partial_filter_expression(self.partial_filter())
            .build();
        IndexModel::builder().keys(self.keys.clone()).options(options).build()
    }

    /// True when `found` does what this index promises.
    fn is(&self, found: &IndexModel) -> bool {
        let options = found.options.clone().unwrap_or_default();
        same_keys(&self.keys, &found.keys)
            && options.unique.unwrap_or(false) == self.unique
            && options.partial_filter_expression == self.partial_filter()
    }
}

/// Compares key patterns; a direction may have come back as another type of number.
fn same_keys(wanted: &Document, found: &Document) -> bool {
    let directions = |keys: &Document| -> Vec<(String, bool)> {
        keys.iter()
            .map(|(field, direction)| {
                let descending = match direction {
                    Bson::Int32(value) => *value < 0,
                    Bson::Int64(value) => *value < 0,
                    Bson::Double(value) => *value < 0.0,
                    _ => false,
                };
                (field.clone(), descending)
            })
            .collect()
    };
    directions(wanted) == directions(found)
}

fn all() -> Vec<Index> {
    of_messages().into_iter().chain(of_others()).collect()
}

fn of_messages() -> Vec<Index> {
    vec![
        Index::new(
            MESSAGES,
            MESSAGE_IDEMPOTENCY_KEY,
            doc! { "tenantId": 1, "idempotencyKey": 1 },
        )
        .unique()
        .only_with("idempotencyKey"),
        Index::new(MESSAGES, MESSAGE_INBOUND_KEY, doc! { "inboundKey": 1 })
            .unique()
            .only_with("inboundKey"),
        Index::new(MESSAGES, MESSAGE_WAMIDS, doc! { "wamids": 1 }).only_with("wamids"),
        Index::new(MESSAGES, MESSAGE_TIMER, doc! { "wakeAt": 1, "status": 1 }).only_with("wakeAt"),
        Index::new(MESSAGES, MESSAGE_CHANGED, doc! { "updatedAt": 1 }).only_with("wakeAt"),
        Index::new(MESSAGES, MESSAGE_TENANT, doc! { "tenantId": 1, "_id": -1 }),
        Index::new(MESSAGES, MESSAGE_STATUS, doc! { "tenantId": 1, "status": 1, "_id": -1 }),
        Index::new(MESSAGES, MESSAGE_TYPE, doc! { "tenantId": 1, "type": 1, "_id": -1 }),
        Index::new(
            MESSAGES,
            MESSAGE_PHONE_NUMBER,
            doc! { "tenantId": 1, "phoneNumberId": 1, "_id": -1 },
        ),
        Index::new(MESSAGES, MESSAGE_PEER, doc! { "tenantId": 1, "peerId": 1, "_id": -1 }).only_with("peerId"),
        Index::new(
            MESSAGES,
            MESSAGE_ID_TIME_OFF,
            doc! { "tenantId": 1, "idTimeOff": 1, "_id": -1 },
        )
        .only_with("idTimeOff"),
        Index::new(MESSAGES, MESSAGE_DEAD_LETTERS, doc! { "deadLetter": 1, "_id": -1 }).only_with("deadLetter"),
        Index::new(
            MESSAGES,
            MESSAGE_TENANT_DEAD_LETTERS,
            doc! { "tenantId": 1, "deadLetter": 1, "_id": -1 },
        )
        .only_with("deadLetter"),
    ]
}

fn of_others() -> Vec<Index> {
    vec![
        Index::new(
            CONVERSATIONS,
            CONVERSATION_LAST_MESSAGE,
            doc! { "tenantId": 1, "lastMessage.at": -1, "_id": -1 },
        ),
        Index::new(CONVERSATIONS, CONVERSATION_PERSON, doc! { "tenantId": 1, "waId": 1 }),
        Index::new(CONVERSATIONS, CONVERSATION_ALSO, doc! { "tenantId": 1, "also": 1 }).only_with("also"),
        Index::new(EVENTS, EVENT_FINGERPRINT, doc! { "fingerprint": 1 }).unique(),
        Index::new(EVENTS, EVENT_TENANT, doc! { "tenantId": 1, "_id": -1 }),
        Index::new(
            EVENTS,
            EVENT_AMENDS,
            doc! { "tenantId": 1, "amends.wamid": 1, "amends.revokes": 1, "amends.at": 1, "amends.by": 1 },
        )
        .only_with("amends.wamid"),
        Index::new(FEED_ARRIVALS, ARRIVAL_ANNOUNCED, doc! { "saveId": 1 }).only_with("saveId"),
        Index::new(TENANTS, TENANT_PHONE_NUMBER, doc! { "phoneNumbers.phoneNumberId": 1 })
            .unique()
            .only_with("phoneNumbers.phoneNumberId"),
        Index::new(TENANTS, TENANT_PAST_NUMBER, doc! { "pastPhoneNumbers": 1 }).only_with("pastPhoneNumbers"),
        Index::new(TENANTS, TENANT_WABA, doc! { "phoneNumbers.wabaId": 1 }).only_with("phoneNumbers.wabaId"),
        Index::new(ENDPOINTS, ENDPOINT_SEAT, doc! { "tenantId": 1, "seat": 1 }).unique(),
        Index::new(CALLBACK_PROGRESS, PROGRESS_TENANT, doc! { "tenantId": 1 }),
        Index::new(CALLBACK_EXCEPTIONS, EXCEPTION_DEAD, doc! { "deadAt": 1, "_id": 1 }),
        Index::new(CALLBACK_EXCEPTIONS, EXCEPTION_TENANT, doc! { "tenantId": 1 }),
        Index::new(CALLBACK_ATTEMPTS, ATTEMPT_AT, doc! { "at": 1 }),
        Index::new(CALLBACK_ATTEMPTS, ATTEMPT_TENANT, doc! { "tenantId": 1 }),
        Index::new(AUDIT, AUDIT_TENANT, doc! { "tenantId": 1, "_id": -1 }).only_with("tenantId"),
        Index::new(AUDIT, AUDIT_ENTRY, doc! { "entryId": 1 }),
        Index::new(ERASURES, ERASURE_TENANT, doc! { "tenantId": 1, "_id": -1 }),
        Index::new(ERASURES, ERASURE_DUE, doc! { "needsWork": 1, "updatedAt": 1 }).only_with("needsWork"),
        Index::new(OPT_OUTS, OPT_OUT_PERSON, doc! { "tenantId": 1, "person": 1 }).only_with("person"),
        Index::new(SIGNUPS, SIGNUP_TENANT, doc! { "tenantId": 1, "_id": -1 }),
        Index::new(SIGNUPS, SIGNUP_KEY, doc! { "keyHash": 1 }).unique(),
        Index::new(SIGNUPS, SIGNUP_DUE, doc! { "dueAt": 1 }).only_with("dueAt"),
        Index::new(DEPARTURES, DEPARTURE_TENANT, doc! { "tenantId": 1, "_id": -1 }),
        Index::new(DEPARTURES, DEPARTURE_OPEN, doc! { "openOf": 1 })
            .unique()
            .only_with("openOf"),
        Index::new(DEPARTURES, DEPARTURE_DUE, doc! { "dueAt": 1 }).only_with("dueAt"),
        Index::new(DEPARTURES, DEPARTURE_ENDED, doc! { "endedAt": 1 }).only_with("endedAt"),
        Index::new(REDRIVES, REDRIVE_TENANT, doc! { "tenantId": 1, "_id": -1 }),
        Index::new(REDRIVES, REDRIVE_DUE, doc! { "needsWork": 1, "updatedAt": 1 }),
    ]
}

/// Builds what is missing. An index that cannot be built (a unique one over duplicates, one whose name is taken by
/// something else) is left to [`check`], which keeps the process from becoming ready.
pub(super) async fn create_missing(database: &Database) -> mongodb::error::Result<()> {
    for index in all() {
        let created = database
            .collection::<Document>(index.collection)
            .create_index(index.model())
            .max_time(BUILD_TIMEOUT)
            .await;
        match created.map_err(|error| *error.kind) {
            Ok(_) => {}
            Err(mongodb::error::ErrorKind::Command(refusal)) => tracing::error!(
                collection = index.collection,
                index = index.name,
                code = refusal.code,
                code_name = refusal.code_name,
                "the index cannot be built"
            ),
            Err(kind) => return Err(kind.into()),
        }
    }
    Ok(())
}

/// Drops what is retired, as far as the account may: keeping it costs speed and nothing else.
pub(super) async fn drop_retired(database: &Database) -> mongodb::error::Result<()> {
    for (collection, name) in RETIRED {
        let dropped = database.collection::<Document>(collection).drop_index(name).await;
        match dropped.map_err(|error| *error.kind) {
            Ok(()) => tracing::info!(
                collection,
                index = name,
                "an index that nothing uses any more was dropped"
            ),
            // Mostly that there is none.
            Err(mongodb::error::ErrorKind::Command(refusal)) => {
                tracing::debug!(
                    collection,
                    index = name,
                    code_name = refusal.code_name,
                    "no retired index was dropped"
                );
            }
            Err(kind) => return Err(kind.into()),
        }
    }
    Ok(())
}

/// Checks that every index exists as it should; names the first that does not, a unique one if there is one.
pub(super) async fn check(database: &Database) -> Result<(), CheckError> {
    let mut wanted = all();
    wanted.sort_by_key(|index| !index.unique);
    let collections: BTreeSet<&str> = wanted.iter().map(|index| index.collection).collect();
    let listing = collections
        .into_iter()
        .map(|name| async move { Ok::<_, mongodb::error::Error>((name, list(database, name).await?)) });
    let listed: HashMap<&str, Vec<IndexModel>> = try_join_all(listing).await?.into_iter().collect();
    for index in &wanted {
        let found = &listed[index.collection];
        let same_name = found
            .iter()
            .find(|model| model.options.as_ref().and_then(|options| options.name.as_deref()) == Some(index.name));
        let what = if index.unique { "unique index" } else { "index" };
        let problem = match same_name {
            None => "is missing",
            Some(found) if !index.is(found) => "is not as it should be",
            Some(_) => continue,
        };
        return Err(CheckError::Index {
            why: format!(
                "the {what} {} of the collection {} {problem}",
                index.name, index.collection
            ),
            is_unique: index.unique,
        });
    }
    Ok(())
}

/// Why the indexes are not known to be as they should.
pub(super) enum CheckError {
    /// One is missing or different.
    Index {
        /// Which, and how.
        why: String,
        /// True when a promise rests on it, and not only speed.
        is_unique: bool,
    },
    /// They could not be listed.
    Driver(mongodb::error::Error),
}

impl From<mongodb::error::Error> for CheckError {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Driver(error)
    }
}

async fn list(database: &Database, collection: &str) -> mongodb::error::Result<Vec<IndexModel>> {
    let listed = database.collection::<Document>(collection).list_indexes().await;
    match listed {
        Ok(indexes) => indexes.try_collect().await,
        // The collection itself is missing.
        Err(error) if matches!(*error.kind, mongodb::error::ErrorKind::Command(ref refusal) if refusal.code == 26) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}
