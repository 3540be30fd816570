//! Much of everything: lists over more messages than one look covers, and more writing than the log holds.

use dakghar_adapters::sqlite::SqliteStore;
use dakghar_core::domain::message::Content;
use dakghar_core::domain::page::{MessageQuery, PageLimit};
use dakghar_core::domain::{MessageId, TenantId, Timestamp};
use dakghar_core::ports::{ListStore, MessageStore};
use dakghar_testkit::samples::With as _;
use dakghar_testkit::samples::{outbound, person, tenant_id};
use std::time::Duration;
use uuid::Uuid;

use super::open;

const MESSAGES: u64 = 12_000;
const START_MS: i64 = 1_790_000_000_000;
/// Two hours between two messages: the whole is almost three years.
const STEP: Duration = Duration::from_secs(7200);

fn accepted_at(index: u64) -> Timestamp {
    Timestamp::from_millis(START_MS) + STEP * u32::try_from(index).expect("small")
}

/// An id that carries the time, as real ones do.
fn id_at(index: u64) -> MessageId {
    let ms = u128::try_from(accepted_at(index).as_millis()).expect("after the epoch");
    MessageId::from_uuid(Uuid::from_u128((ms << 80) | (0x7 << 76) | u128::from(index)))
}

async fn filled(store: &SqliteStore, tenant: TenantId) {
    let messages: Vec<_> = (0..MESSAGES)
        .map(|index| {
            outbound(tenant).with(|message| {
                message.accepted.id = id_at(index);
                message.accepted.created_at = accepted_at(index);
                message.accepted.peer_id = Some(person(if index == 3 { "42" } else { "43" }));
            })
        })
        .collect();
    for batch in messages.chunks(1000) {
        for answer in store.accept(batch.to_vec()).await {
            answer.expect("accepted");
        }
    }
}

async fn ids(store: &SqliteStore, tenant: TenantId, query: MessageQuery) -> Vec<MessageId> {
    let found = store.messages(&tenant, &query).await.expect("lists");
    found.items.into_iter().map(|message| message.accepted.id).collect()
}

#[tokio::test]
async fn a_filter_finds_what_is_far_away() {
    let (store, _dir) = open();
    let tenant = tenant_id();
    filled(&store, tenant).await;
    filled(&store, tenant_id()).await;
    let query = MessageQuery {
        limit: PageLimit::items(3),
        ..MessageQuery::default()
    };

    let of_person = MessageQuery {
        peer_id: Some(person("42")),
        ..query.clone()
    };
    assert_eq!(ids(&store, tenant, of_person).await, [id_at(3)]);

    let before = MessageQuery {
        until: Some(accepted_at(1000)),
        ..query.clone()
    };
    assert_eq!(ids(&store, tenant, before).await, [id_at(999), id_at(998), id_at(997)]);

    let between = MessageQuery {
        since: Some(accepted_at(500)),
        until: Some(accepted_at(502)),
        ..query.clone()
    };
    assert_eq!(ids(&store, tenant, between).await, [id_at(501), id_at(500)]);

    let before_all = MessageQuery {
        until: Some(accepted_at(0)),
        ..query.clone()
    };
    assert_eq!(ids(&store, tenant, before_all).await, []);

    let page = MessageQuery {
        before: Some(id_at(9000)),
        peer_id: Some(person("43")),
        ..query
    };
    assert_eq!(ids(&store, tenant, page).await, [id_at(8999), id_at(8998), id_at(8997)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_starts_again_while_messages_keep_coming() {
    let (store, _dir) = open();
    let tenant = tenant_id();
    let large = outbound(tenant).with(|message| {
        message.accepted.content = Content {
            kind: "text".into(),
            body: format!("{{\"body\":\"{}\"}}", "x".repeat(60_000)).into(),
            envelope: None,
            frame: None,
            removed_at: None,
        }
    });
    let other = rusqlite::Connection::open(store.file()).expect("opens");
    let pages_in_log = || -> i64 {
        other
            .query_row("PRAGMA wal_checkpoint(noop)", [], |row| row.get(1))
            .expect("answers")
    };
    // The log only ever gets shorter by starting again.
    let mut longest = 0;
    let restarted = async {
        loop {
            let batch: Vec<_> = (0..10)
                .map(|_| {
                    large
                        .clone()
                        .with(|message| message.accepted.id = outbound(tenant).accepted.id)
                })
                .collect();
            for answer in store.accept(batch).await {
                answer.expect("accepted");
            }
            let pages = pages_in_log();
            if pages < longest {
                return;
            }
            longest = pages;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), restarted)
        .await
        .expect("the log starts again");
    assert!(
        longest > 8 * 1024,
        "it was moved long before it was full: {longest} pages"
    );
    assert_eq!(store.integrity_check().await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_long_run_of_rows_that_cannot_be_read_ends_no_list() {
    let (store, _dir) = open();
    let tenant = tenant_id();
    filled(&store, tenant).await;
    let conn = rusqlite::Connection::open(store.file()).expect("opens");
    let broken = conn.execute(
        "UPDATE messages SET id = id || '!' WHERE id >= ?",
        [id_at(3_000).to_string()],
    );
    assert_eq!(broken.expect("runs"), 9_000);
    let query = MessageQuery {
        limit: PageLimit::items(3),
        ..MessageQuery::default()
    };
    assert_eq!(ids(&store, tenant, query).await, [2_999, 2_998, 2_997].map(id_at));
}
