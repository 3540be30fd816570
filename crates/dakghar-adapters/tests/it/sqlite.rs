//! The embedded backend: the suites that every backend passes, and what only a file can suffer.

mod faults;
mod leaving;
mod many;
mod opening;
mod queue;
mod remains;
mod tampering;

use std::sync::Arc;

use dakghar_adapters::sqlite::{SqliteOptions, SqliteQueue, SqliteSource, SqliteStore};
use dakghar_testkit::WallClock;
use dakghar_testkit::conformance::{Breakable, NewsUnderTest, QueueUnderTest, Record, SourceUnderTest, Stores};
use futures_util::future::BoxFuture;
use tempfile::TempDir;

/// A store in a new folder.
fn open() -> (Arc<SqliteStore>, TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(dir.path(), &SqliteOptions::default()).expect("opens");
    (store, dir)
}

async fn stores() -> (Stores, TempDir) {
    let (store, dir) = open();
    (Stores::of(store), dir)
}

async fn news() -> (NewsUnderTest, TempDir) {
    let (store, dir) = open();
    let under_test = NewsUnderTest {
        stores: Stores::of(store.clone()),
        news: store,
    };
    (under_test, dir)
}

async fn source() -> (SourceUnderTest, TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    // As a command opens it, so that it can be opened to leave it without being closed.
    let options = SqliteOptions {
        lock_exclusive: false,
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(dir.path(), &options).expect("opens");
    let path = dir.path().to_owned();
    let under_test = SourceUnderTest {
        stores: Stores::of(store),
        open: Box::new(move || SqliteSource::open(&path).expect("opens")),
    };
    (under_test, dir)
}

/// The ways in which another program breaks a row. The tables are strict: what has another type is text that is no text.
fn ways(record: &Record) -> (&'static str, String, &'static [&'static str]) {
    match record {
        Record::Message(key) => (
            "messages",
            key.message_id.to_string(),
            &[
                "status = 'lost'",
                "fingerprint = x'0102'",
                "unknown_outcome = CAST(x'ff' AS TEXT)",
                "timeline = '[{\"at\"'",
                "strikes = -7",
                "phone_number_id = CAST(x'ff' AS TEXT)",
                "attempts_max = 99999999999",
                "idempotency_key = coalesce(idempotency_key, 'k' || seq), fingerprint = NULL",
                "wamids = '[\"wamid'",
                "priority = 'soon'",
            ],
        ),
        Record::Sender(key) => (
            "messages",
            key.message_id.to_string(),
            &["tenant_id = 'nobody'", "tenant_id = CAST(x'ff' AS TEXT)"],
        ),
        Record::Tenant(id) => (
            "tenants",
            id.to_string(),
            &[
                "unknown_outcome = 'sometimes'",
                "hold_reason = 'paused', hold_since = NULL",
                "name = CAST(x'ff' AS TEXT)",
                "hold_reason = 'whim', hold_since = 1",
            ],
        ),
        Record::Owner(number) => (
            "phone_numbers",
            number.to_string(),
            &["tenant_id = 'nobody'", "tenant_id = CAST(x'ff' AS TEXT)"],
        ),
        Record::PastOwner(number) => (
            "past_numbers",
            number.to_string(),
            &["tenant_id = 'nobody'", "tenant_id = CAST(x'ff' AS TEXT)"],
        ),
        Record::Conversation(id) => (
            "conversations",
            id.to_string(),
            &[
                "wa_id = ' '",
                "last_message_id = 'msg_1'",
                "phone_number_id = CAST(x'ff' AS TEXT)",
            ],
        ),
        Record::Event(id) => (
            "events",
            id.to_string(),
            &[
                "reason = 'whim'",
                "fingerprint = randomblob(7)",
                "waba_id = ' '",
                "field = CAST(x'ff' AS TEXT)",
            ],
        ),
        Record::Status(id) => (
            "statuses",
            id.rsplit_once('/').expect("a digest").1.to_owned(),
            &[
                "status = 'whim'",
                "wamid = ' '",
                "error = '{\"code\"'",
                "participant = CAST(x'ff' AS TEXT)",
                "attempt = -7",
            ],
        ),
        Record::App(id) => (
            "apps",
            id.to_string(),
            &[
                "secrets = '[{\"sealed\"'",
                "name = CAST(x'ff' AS TEXT)",
                "secrets = '{}'",
            ],
        ),
        Record::OperatorKey(id) => (
            "operator_keys",
            id.to_string(),
            &["role = 'root'", "key = '[]'", "key = CAST(x'ff' AS TEXT)"],
        ),
        Record::OptOut(_, key) => (
            "opt_outs",
            key.mark.to_string(),
            &["source = 'whim'", "person = CAST(x'ff' AS TEXT)", "person = ' '"],
        ),
        Record::InstallationSecrets(name) => (
            "installation_secrets",
            name.clone(),
            &["sealed = x''", "wrapped_data_key = x''"],
        ),
        Record::Endpoint(id) => (
            "endpoints",
            id.to_string(),
            &[
                "secrets = '[{\"sealed\"'",
                "kinds = '[\"a b\"]'",
                "state = 'active'",
                "disabled_reason = 'whim'",
                "delivery_order = 'whim'",
                "per_second = -7",
                "phone_number_ids = '[\"x\"]'",
                "url = CAST(x'ff' AS TEXT)",
            ],
        ),
        Record::Progress(id) => (
            "callback_progress",
            id.to_string(),
            &[
                "after_place = -7",
                "replay_at = NULL",
                "probe_at = NULL",
                "replay_id = CAST(x'ff' AS TEXT)",
                "failures = -7",
            ],
        ),
        Record::Exception(_, place) => (
            "callback_exceptions",
            place.to_string(),
            &[
                "state = 'whim'",
                "next_at = 7, state = 'dead'",
                "subject = 'whim'",
                "last_end = CAST(x'ff' AS TEXT)",
                "last_took_ms = NULL",
                "conversation_id = 'x'",
                "attempts = -7",
            ],
        ),
        Record::AttemptLog(_, id) => (
            "callback_attempts",
            id.to_string(),
            &[
                "attempts = '[{\"place\"'",
                "attempts = CAST(x'ff' AS TEXT)",
                "attempts = replace(attempts, '\"end\":\"', '\"end\":\"whim')",
                "attempts = replace(attempts, '\"took_ms\":', '\"took_ms\":-')",
            ],
        ),
        Record::Entry(_, place) => (
            "feed",
            place.to_string(),
            &[
                "kind = ' '",
                "subject = 'whim'",
                "phone_number_id = CAST(x'ff' AS TEXT)",
                "phone_number_id = 'x'",
            ],
        ),
        Record::Erasure(id) => (
            "erasures",
            id.to_string(),
            &[
                "record = '{\"id\"'",
                "record = CAST(x'ff' AS TEXT)",
                "record = replace(record, '\"place\":\"', '\"place\":\"whim')",
            ],
        ),
        Record::Departure(id) => (
            "departures",
            id.to_string(),
            &[
                "record = '{\"id\"'",
                "record = CAST(x'ff' AS TEXT)",
                "record = replace(record, '\"state\":\"', '\"state\":\"whim')",
                "record = replace(record, '\"by\":\"', '\"by\":\"whim')",
            ],
        ),
        Record::Signup(id) => (
            "signups",
            id.to_string(),
            &[
                "record = '{\"id\"'",
                "record = CAST(x'ff' AS TEXT)",
                "record = replace(record, '\"step\":\"', '\"step\":\"whim')",
                "record = replace(record, '\"by\":\"', '\"by\":\"whim')",
            ],
        ),
        Record::Redrive(id) => (
            "redrives",
            id.to_string(),
            &[
                "pending = '[\"msg'",
                "lease_owner = 'w', lease_until = NULL",
                "reason = 'whim'",
                "phone_number_id = CAST(x'ff' AS TEXT)",
                "per_second = -7",
            ],
        ),
    }
}

/// Breaks rows as another program would.
async fn breakable() -> (Breakable, TempDir) {
    let (store, dir) = open();
    let file = store.file().to_owned();
    let break_it = move |record: Record, way: usize| {
        let (table, id, ways) = ways(&record);
        let column = match table {
            "phone_numbers" | "past_numbers" => "phone_number_id",
            "statuses" => "digest",
            "feed" | "callback_exceptions" => "place",
            "callback_progress" => "endpoint_id",
            "installation_secrets" => "name",
            "opt_outs" => "mark",
            _ => "id",
        };
        let conn = rusqlite::Connection::open(&file).expect("opens");
        let broken = ways[way % ways.len()];
        let sql = format!("UPDATE {table} SET {broken} WHERE {column} = ?");
        assert_eq!(conn.execute(&sql, [id]).expect("runs"), 1, "{sql}");
        Box::pin(async {}) as BoxFuture<'static, ()>
    };
    let under_test = Breakable {
        queue: Some(Arc::new(SqliteQueue::new(store.clone(), Arc::new(WallClock)))),
        stores: Stores::of(store),
        break_it: Box::new(break_it),
    };
    (under_test, dir)
}

async fn queue_over_messages() -> (QueueUnderTest, TempDir) {
    let (store, dir) = open();
    let queue = Arc::new(SqliteQueue::new(store.clone(), Arc::new(WallClock)));
    (
        QueueUnderTest {
            queue,
            messages: Some(store),
        },
        dir,
    )
}

dakghar_testkit::message_store_suite!(stores);
dakghar_testkit::timer_store_suite!(stores);
dakghar_testkit::conversation_store_suite!(stores);
dakghar_testkit::list_store_suite!(stores);
dakghar_testkit::tenant_store_suite!(stores);
dakghar_testkit::status_store_suite!(stores);
dakghar_testkit::event_store_suite!(stores);
dakghar_testkit::feed_store_suite!(stores);
dakghar_testkit::listener_store_suite!(stores);
dakghar_testkit::redrive_store_suite!(stores);
dakghar_testkit::app_store_suite!(stores);
dakghar_testkit::operator_store_suite!(stores);
dakghar_testkit::installation_store_suite!(stores);
dakghar_testkit::audit_store_suite!(stores);
dakghar_testkit::endpoint_store_suite!(stores);
dakghar_testkit::callback_store_suite!(stores);
dakghar_testkit::hold_store_suite!(stores);
dakghar_testkit::store_health_suite!(stores);
dakghar_testkit::feed_news_suite!(news);
dakghar_testkit::erasure_suite!(stores);
dakghar_testkit::person_erasure_suite!(stores);
dakghar_testkit::opt_out_suite!(stores);
dakghar_testkit::signup_suite!(stores);
dakghar_testkit::departure_suite!(stores);
dakghar_testkit::unreadable_suite!(breakable);
dakghar_testkit::migration_source_suite!(source);

mod suite_of_the_queue {
    use super::queue_over_messages;

    dakghar_testkit::queue_suite!(queue_over_messages);
}
