//! The MongoDB stores against a real server: the conformance suites, and what only MongoDB has.

mod announcing;
mod audit;
mod broken_feed;
mod callbacks;
mod carrying;
mod commands;
mod faults;
mod migration;
mod plans;
mod profiler;
mod shifted_time;
mod startup;
mod transactions;

use std::sync::Arc;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc};
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_core::domain::feed::place_id;
use dakghar_core::domain::{Message, MessageKey};
use dakghar_core::ports::MessageStore;
use dakghar_testkit::conformance::{Breakable, Record, Stores, TargetUnderTest};
use dakghar_testkit::servers::{Mongo, Server, SharedMongo, are_installed};
use futures_util::future::BoxFuture;
use mongodb::{Collection, Database};

/// A store in a database of its own on the shared server; `None` where MongoDB is not installed.
async fn store() -> Option<(Arc<MongoStore>, SharedMongo)> {
    if !are_installed(&[Server::Mongo]) {
        return None;
    }
    let server = Mongo::shared().await;
    let store = MongoStore::connect(&server.uri(), options(&server))
        .await
        .expect("the server answers");
    Some((store, server))
}

fn options(server: &SharedMongo) -> MongoOptions {
    MongoOptions {
        database: server.database().to_owned(),
        // What a busy machine needs now and then is not what is tested here.
        read_timeout: Duration::from_mins(1),
        write_timeout: Duration::from_mins(1),
        reread_timeout: Duration::from_mins(1),
        ..MongoOptions::default()
    }
}

/// The database behind a store, past the store.
async fn database(server: &SharedMongo) -> Database {
    let client = mongodb::Client::with_uri_str(server.uri())
        .await
        .expect("the server answers");
    client.database(server.database())
}

/// Asserts that these messages are stored as they are.
async fn assert_stored(store: &MongoStore, messages: &[Message]) {
    for chunk in messages.chunks(500) {
        let keys: Vec<MessageKey> = chunk.iter().map(Message::key).collect();
        let loaded = store.load(&keys).await;
        for (message, loaded) in chunk.iter().zip(loaded) {
            assert_eq!(loaded.as_ref(), Ok(&Some(message.clone())));
        }
    }
}

/// The ways in which another program breaks a document: a value that means nothing, one of another type, one that was
/// cut off, a field that is missing, a later version.
fn ways(record: &Record) -> (&'static str, String, Vec<Document>) {
    let set = |field: &str, value: Bson| doc! { "$set": { field: value } };
    let unset = |field: &str| doc! { "$unset": { field: 1 } };
    let later = set("schemaVersion", Bson::Int32(99));
    let cut_off = || {
        let bytes = ObjectId::new().bytes().to_vec();
        let subtype = BinarySubtype::Generic;
        set("fingerprint", Bson::Binary(Binary { subtype, bytes }))
    };
    match record {
        Record::Message(key) => {
            let ways = vec![
                set("status", "lost".into()),
                cut_off(),
                later,
                set("strikes", "+919111111111".into()),
                unset("priority"),
                set("timeline", "[".into()),
                set("phoneNumberId", 5.into()),
                set("version", "1".into()),
                set("wamids", vec![5].into()),
                set("unknownOutcome", "sometimes".into()),
            ];
            ("messages", key.message_id.to_string(), ways)
        }
        Record::Sender(key) => {
            let ways = vec![set("tenantId", "nobody".into()), set("tenantId", 5.into())];
            ("messages", key.message_id.to_string(), ways)
        }
        Record::Tenant(id) => {
            let ways = vec![
                set("unknownOutcome", "sometimes".into()),
                later,
                unset("name"),
                set("phoneNumbers.0.messagesPerSecond", "fast".into()),
                set("wrappedDataKey", "text".into()),
            ];
            ("tenants", id.to_string(), ways)
        }
        Record::Conversation(id) => {
            let ways = vec![
                unset("waId"),
                later,
                set("lastInboundAt", "1".into()),
                set("tenantId", 5.into()),
            ];
            ("conversations", id.to_string(), ways)
        }
        Record::Event(id) => {
            let ways = vec![
                set("reason", "whim".into()),
                cut_off(),
                unset("receivedAt"),
                set("wabaId", 7.into()),
            ];
            ("webhook_events", id.to_string(), ways)
        }
        Record::Status(id) => {
            let ways = vec![
                set("status", "whim".into()),
                later,
                unset("wamid"),
                set("receivedAt", "1".into()),
                set("attempt", (-7_i64).into()),
            ];
            ("statuses", id.clone(), ways)
        }
        Record::App(id) => {
            let ways = vec![
                set("secrets", "[".into()),
                later,
                unset("name"),
                set("wrappedDataKey", "text".into()),
            ];
            ("apps", id.to_string(), ways)
        }
        Record::OperatorKey(id) => {
            let ways = vec![set("role", "root".into()), later, unset("key"), set("key", "[]".into())];
            ("operator_keys", id.to_string(), ways)
        }
        Record::OptOut(tenant_id, key) => {
            let ways = vec![
                set("source", "whim".into()),
                later,
                unset("source"),
                set("person", " ".into()),
            ];
            ("opt_outs", format!("{tenant_id}/{key}"), ways)
        }
        Record::InstallationSecrets(name) => {
            let ways = vec![unset("sealed"), later, set("wrappedDataKey", "text".into())];
            ("installation_secrets", name.clone(), ways)
        }
        Record::Endpoint(id) => {
            let ways = vec![
                set("secrets", "[".into()),
                later,
                unset("url"),
                set("kinds", vec![" "].into()),
                set("state", "active".into()),
                set("disabled.reason", "whim".into()),
                set("order", "whim".into()),
                set("perSecond", (-7_i64).into()),
                set("phoneNumberIds", vec!["x"].into()),
            ];
            ("endpoints", id.to_string(), ways)
        }
        Record::Progress(id) => {
            let ways = vec![
                set("delivered", (-7_i64).into()),
                later,
                unset("updatedAt"),
                set("replay", doc! { "id": "whim" }.into()),
                set(
                    "waiting",
                    vec![doc! { "conversationId": "whim", "after": 1_i64, "to": 2_i64 }].into(),
                ),
                set("open", "[".into()),
                set("tenantId", 5.into()),
            ];
            ("callback_progress", id.to_string(), ways)
        }
        Record::Exception(id, place) => {
            let ways = vec![
                set("state", "whim".into()),
                later,
                unset("entry"),
                set("entry.subject", "whim".into()),
                set("last", doc! { "end": "whim" }.into()),
                set("attempts", (-7_i64).into()),
                set("conversationId", "x".into()),
            ];
            let id = format!("{id}/{:016x}", place.number());
            ("callback_exceptions", id, ways)
        }
        Record::AttemptLog(endpoint_id, id) => {
            let ways = vec![
                set("attempts", "[".into()),
                later,
                unset("at"),
                set("attempts.0.end", "whim".into()),
                set("attempts.0.tookMs", (-7_i64).into()),
                set("attempts.0.entryId", "x".into()),
            ];
            ("callback_attempts", format!("{endpoint_id}/{id}"), ways)
        }
        Record::Entry(tenant_id, place) => {
            let ways = vec![
                set("entries.0.kind", " ".into()),
                later,
                unset("entries"),
                set("entries.0.subject", "whim".into()),
                set("last", 9_000_i64.into()),
                set("entries.0.phoneNumberId", "x".into()),
            ];
            ("feed", place_id(tenant_id, *place), ways)
        }
        Record::Erasure(id) => {
            let ways = vec![
                set("record", "[".into()),
                later,
                unset("record"),
                set("version", (-7_i64).into()),
            ];
            ("erasures", id.to_string(), ways)
        }
        Record::Departure(id) => {
            let ways = vec![
                set("record", "[".into()),
                later,
                unset("record"),
                set("version", (-7_i64).into()),
            ];
            ("departures", id.to_string(), ways)
        }
        Record::Signup(id) => {
            let ways = vec![
                set("record", "[".into()),
                later,
                unset("record"),
                set("version", (-7_i64).into()),
            ];
            ("signups", id.to_string(), ways)
        }
        Record::Redrive(id) => {
            let ways = vec![
                set("pending", "msg".into()),
                later,
                unset("perSecond"),
                set("filter.reason", "whim".into()),
                set("redriven", "7".into()),
            ];
            ("redrives", id.to_string(), ways)
        }
        Record::Owner(number) | Record::PastOwner(number) => ("tenants", number.to_string(), Vec::new()),
    }
}

/// Gives the tenant that has or had this number an id that is none.
async fn break_owner(tenants: &Collection<Document>, number: &str) {
    let of_number = doc! { "$or": [{ "phoneNumbers.phoneNumberId": number }, { "pastPhoneNumbers": number }] };
    let tenant = tenants
        .find_one_and_delete(of_number)
        .await
        .expect("the server answers");
    let mut tenant = tenant.expect("it is there");
    tenant.insert("_id", ObjectId::new());
    let insert = tenants.insert_one(tenant).bypass_document_validation(true);
    insert.await.expect("the server answers");
}

/// Breaks documents as another program would.
async fn breakable() -> Option<(Breakable, SharedMongo)> {
    let (store, server) = store().await?;
    let database = database(&server).await;
    let break_it = move |record: Record, way: usize| {
        let database = database.clone();
        Box::pin(async move {
            let (collection, id, ways) = ways(&record);
            let documents = database.collection::<Document>(collection);
            if ways.is_empty() {
                return break_owner(&documents, &id).await;
            }
            let broken = ways[way % ways.len()].clone();
            // Past the schema of the collection, as a restore or a repair by hand may be.
            let update = documents.update_one(doc! { "_id": id }, broken);
            let update = update.bypass_document_validation(true).await;
            assert_eq!(update.expect("the server answers").modified_count, 1);
        }) as BoxFuture<'static, ()>
    };
    let under_test = Breakable {
        stores: Stores::of(store.clone()).with_arrivals(store),
        queue: None,
        break_it: Box::new(break_it),
    };
    Some((under_test, server))
}

async fn stores() -> Option<(Stores, SharedMongo)> {
    let stores = |store: Arc<MongoStore>| Stores::of(store.clone()).with_arrivals(store);
    store().await.map(|(store, server)| (stores(store), server))
}

async fn target() -> Option<(TargetUnderTest, SharedMongo)> {
    store().await.map(|(store, server)| {
        let under_test = TargetUnderTest {
            target: store.clone(),
            stores: Stores::of(store),
        };
        (under_test, server)
    })
}

mod conformance {
    dakghar_testkit::message_store_suite!(super::super::stores);
    dakghar_testkit::timer_store_suite!(super::super::stores);
    dakghar_testkit::conversation_store_suite!(super::super::stores);
    dakghar_testkit::list_store_suite!(super::super::stores);
    dakghar_testkit::tenant_store_suite!(super::super::stores);
    dakghar_testkit::status_store_suite!(super::super::stores);
    dakghar_testkit::event_store_suite!(super::super::stores);
    dakghar_testkit::feed_store_suite!(super::super::stores);
    dakghar_testkit::arrival_store_suite!(super::super::stores);
    dakghar_testkit::listener_store_suite!(super::super::stores);
    dakghar_testkit::redrive_store_suite!(super::super::stores);
    dakghar_testkit::app_store_suite!(super::super::stores);
    dakghar_testkit::operator_store_suite!(super::super::stores);
    dakghar_testkit::installation_store_suite!(super::super::stores);
    dakghar_testkit::audit_store_suite!(super::super::stores);
    dakghar_testkit::endpoint_store_suite!(super::super::stores);
    dakghar_testkit::callback_store_suite!(super::super::stores);
    dakghar_testkit::hold_store_suite!(super::super::stores);
    dakghar_testkit::store_health_suite!(super::super::stores);
    dakghar_testkit::erasure_suite!(super::super::stores);
    dakghar_testkit::person_erasure_suite!(super::super::stores);
    dakghar_testkit::opt_out_suite!(super::super::stores);
    dakghar_testkit::signup_suite!(super::super::stores);
    dakghar_testkit::departure_suite!(super::super::stores);
    dakghar_testkit::unreadable_suite!(super::super::breakable);
    dakghar_testkit::migration_target_suite!(super::super::target);
}
