//! The suite of [`MigrationTarget`].
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod audit;
mod exceptions;
mod installation;
mod operators;
mod opt_outs;
mod record;

pub use audit::moved_records_of_the_audit_log_make_a_chain_that_goes_on;
pub use record::*;

use std::sync::Arc;

use dakghar_core::domain::callback::{CallbackException, CallbackProgress};
use dakghar_core::domain::migration::{Kind, Record};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{
    Conversation, ConversationId, ConversationKind, Direction, Endpoint, FeedEntry, Message, Place, PlacedEntry,
    Tenant, TenantId, WebhookEvent,
};
use dakghar_core::ports::{Acceptance, CallbackStore, FeedStore, MessageStore, MigrationTarget, StoreError};

use exceptions::exceptions;

use super::stores::{Stores, accept_all};
use crate::samples::{
    With as _, at, callback_progress, callback_progress_full, endpoint, endpoint_full, event, event_bare, inbound,
    inbound_bare, meta_app, meta_app_full, outbound, outbound_full, person, phone_number_id, status_record,
    status_record_full, tenant, tenant_full, with_key,
};
use dakghar_core::domain::message::EvidenceStatus;
use dakghar_core::domain::meta_app::MetaApp;
use installation::{assert_app, assert_secrets, secrets};
use operators::{assert_operator, operators};

/// The port of the cases: a store as a target, and as what it is otherwise.
pub struct TargetUnderTest {
    /// The target.
    pub target: Arc<dyn MigrationTarget>,
    /// Its stores.
    pub stores: Stores,
}

/// Runs the suite of `MigrationTarget`: `migration_target_suite!(factory)`, where the factory gives `TargetUnderTest`.
/// See [`conformance`](crate::conformance).
#[macro_export]
macro_rules! migration_target_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, migration_target:
            what_was_put_is_there_as_it_was
            what_was_put_is_what_the_stores_see
            putting_again_changes_nothing
            what_has_no_room_is_an_error
            stored_records_come_in_the_order_asked
            put_records_are_counted
            moved_records_of_the_audit_log_make_a_chain_that_goes_on
            cleared_records_are_gone_and_can_come_again
            there_is_no_migration_at_first
            the_record_of_a_migration_survives
            only_the_present_version_of_a_migration_is_saved_over
        }
    };
}

const VERSION: u64 = 7;

fn conversation(owner: TenantId, digits: &str, last_inbound_at: Option<u64>) -> Conversation {
    let message = outbound(owner);
    Conversation {
        first_message_at: Some(at(3)),
        also: vec![person("US.1"), person("US.2")],
        name: Some(dakghar_core::domain::PersonName {
            at: at(4),
            name: Some("Asha".into()),
            username: None,
        }),
        kind: ConversationKind::Group,
        id: ConversationId::of(&owner, &phone_number_id(), &person(digits)),
        tenant_id: owner,
        phone_number_id: phone_number_id(),
        wa_id: person(digits),
        last_message_id: message.accepted.id,
        last_message_at: at(9),
        last_inbound_at: last_inbound_at.map(at),
    }
}

fn of_message(message: Message) -> Record {
    Record::Message(Box::new(message.with(|message| message.delivery.version = VERSION)))
}

/// Endpoints of every sort.
fn endpoints(owner: TenantId) -> Vec<Record> {
    [endpoint(owner), endpoint_full(owner, 1), endpoint(tenant().id)]
        .map(|endpoint| {
            Record::Endpoint(Box::new(Endpoint {
                version: VERSION,
                ..endpoint
            }))
        })
        .to_vec()
}

/// The progress of endpoints, of every sort.
fn progress(owner: TenantId) -> Vec<Record> {
    [
        callback_progress(endpoint(owner).id, owner),
        callback_progress_full(endpoint(owner).id, owner),
        callback_progress(endpoint(owner).id, tenant().id),
    ]
    .map(|progress| {
        Record::Progress(Box::new(CallbackProgress {
            version: VERSION,
            ..progress
        }))
    })
    .to_vec()
}

fn events(owner: TenantId) -> Vec<Record> {
    [event(owner), event_bare(), event(tenant().id), event_bare()]
        .map(Record::Event)
        .to_vec()
}

/// Records of one kind, of every sort, as an installation leaves them.
fn records(kind: Kind) -> Vec<Record> {
    let owner = tenant().id;
    match kind {
        Kind::Tenants => [tenant(), tenant_full(), tenant()]
            .map(|tenant| {
                Record::Tenant(Box::new(Tenant {
                    version: VERSION,
                    ..tenant
                }))
            })
            .to_vec(),
        Kind::Conversations => [
            conversation(owner, "1", None),
            conversation(owner, "2", Some(8)),
            conversation(tenant().id, "1", Some(9)),
        ]
        .map(Record::Conversation)
        .to_vec(),
        Kind::Messages => [
            outbound(owner),
            with_key(owner, "a"),
            with_key(tenant().id, "a"),
            outbound_full(owner),
            inbound(owner, "wamid.A"),
            inbound_bare(owner, "wamid.B"),
        ]
        .map(of_message)
        .to_vec(),
        Kind::Statuses => [
            status_record(outbound(owner).key(), EvidenceStatus::Sent),
            status_record_full(outbound(owner).key()),
            status_record(outbound(tenant().id).key(), EvidenceStatus::Read),
        ]
        .map(Record::Status)
        .to_vec(),
        Kind::Events => events(owner),
        Kind::Apps => [meta_app(), meta_app_full()]
            .map(|app| {
                Record::App(MetaApp {
                    version: VERSION,
                    ..app
                })
            })
            .to_vec(),
        Kind::OperatorKeys => operators(),
        Kind::InstallationSecrets => secrets(),
        Kind::OptOuts => opt_outs::moved(owner),
        Kind::Audit => audit::moved(owner),
        Kind::Endpoints => endpoints(owner),
        Kind::Progress => progress(owner),
        Kind::Exceptions => exceptions(owner),
        Kind::Feed => [(owner, 7), (owner, 8), (tenant().id, 1)]
            .map(|(tenant_id, place)| {
                let entry = FeedEntry::of_event(&event(tenant_id)).expect("it has a tenant");
                Record::Entry(PlacedEntry {
                    place: Place::new(place),
                    entry,
                })
            })
            .to_vec(),
    }
}

async fn put(under_test: &TargetUnderTest, records: &[Record]) {
    let put = under_test.target.put(records).await;
    assert_eq!(put, Ok(()));
}

async fn stored(under_test: &TargetUnderTest, like: &[Record]) -> Vec<Option<Record>> {
    under_test.target.stored(like).await.expect("the target answers")
}

fn all(records: &[Record]) -> Vec<Option<Record>> {
    records.iter().cloned().map(Some).collect()
}

pub async fn what_was_put_is_there_as_it_was(under_test: TargetUnderTest) {
    for kind in Kind::ALL {
        let records = records(kind);
        put(&under_test, &records).await;
        assert_eq!(stored(&under_test, &records).await, all(&records));
        put(&under_test, &[]).await;
        assert_eq!(stored(&under_test, &[]).await, []);
    }
}

async fn assert_endpoint(under_test: &TargetUnderTest, endpoint: &Endpoint) {
    let found = under_test.stores.endpoints.endpoints_of(&[endpoint.tenant_id]).await;
    assert!(found.expect("the store answers").contains(endpoint));
}

async fn assert_message(messages: &dyn MessageStore, message: &Message) {
    assert_eq!(messages.load(&[message.key()]).await, [Ok(Some(message.clone()))]);
    if let Some(idempotency) = &message.accepted.idempotency {
        let again = outbound(message.accepted.tenant_id)
            .with(|message| message.accepted.idempotency = Some(idempotency.clone()));
        let replay = Acceptance::Replay {
            message_id: message.accepted.id,
            status: message.delivery.status,
            fingerprint: idempotency.fingerprint,
        };
        assert_eq!(messages.accept(vec![again]).await, [Ok(replay)]);
    }
    if message.accepted.direction == Direction::Outbound {
        for wamid in &message.delivery.wamids {
            let reference = (message.accepted.phone_number_id.clone(), wamid.clone());
            let found = messages.find_by_wamid(&[reference]).await;
            assert_eq!(found, Ok(vec![Some(message.key())]));
        }
    }
}

async fn assert_exception(callbacks: &dyn CallbackStore, exception: CallbackException) {
    let places = [exception.placed.place];
    let found = callbacks.find_exceptions(&exception.endpoint_id, &places).await;
    assert_eq!(found, Ok(vec![exception]));
}

async fn assert_placed(feed: &dyn FeedStore, placed: PlacedEntry) {
    let from = placed.place.before();
    let found = feed.entries(&placed.entry.tenant_id, from, PageLimit::items(1)).await;
    assert_eq!(found.map(|found| found.items), Ok(vec![placed]));
}

pub async fn what_was_put_is_what_the_stores_see(under_test: TargetUnderTest) {
    let Stores {
        messages,
        conversations,
        tenants,
        statuses,
        events,
        feed,
        callbacks,
        ..
    } = &under_test.stores;
    for kind in Kind::ALL {
        let records = records(kind);
        put(&under_test, &records).await;
        for record in records {
            match record {
                Record::Tenant(tenant) => {
                    assert_eq!(tenants.find(&tenant.id).await, Ok(Some(Tenant::clone(&tenant))));
                    let number = tenant.phone_numbers[0].phone_number_id.clone();
                    assert_eq!(tenants.owners_of_numbers(&[number]).await, [Ok(Some(tenant.id))]);
                }
                Record::Conversation(conversation) => {
                    let found = conversations.find(&conversation.tenant_id, &conversation.id).await;
                    assert_eq!(found, Ok(Some(conversation)));
                }
                Record::Message(message) => assert_message(&**messages, &message).await,
                Record::Status(status) => {
                    let listed = statuses.statuses_of(&status.key, PageLimit::items(100)).await;
                    assert_eq!(listed.expect("the store answers").items, [status]);
                }
                Record::Progress(progress) => {
                    let found = callbacks.progress(&[progress.endpoint_id]).await;
                    assert_eq!(found, [Ok(Some(*progress))]);
                }
                Record::Exception(exception) => assert_exception(&**callbacks, *exception).await,
                Record::Entry(placed) => assert_placed(&**feed, placed).await,
                Record::Event(event) => {
                    let listed = events.list(event.tenant_id.as_ref(), None, PageLimit::items(100)).await;
                    assert!(listed.expect("the store answers").items.contains(&event));
                }
                Record::Endpoint(endpoint) => assert_endpoint(&under_test, &endpoint).await,
                Record::OperatorKey(key) => assert_operator(&under_test, &key).await,
                Record::InstallationSecrets(secrets) => assert_secrets(&under_test, secrets).await,
                Record::App(app) => assert_app(&under_test, app).await,
                Record::OptOut(said) => opt_outs::assert_moved(&under_test, said).await,
                Record::Audit(record) => audit::assert_moved(&under_test, &record).await,
            }
        }
    }
}

pub async fn putting_again_changes_nothing(under_test: TargetUnderTest) {
    for kind in Kind::ALL {
        let records = records(kind);
        put(&under_test, &records[..2]).await;
        for _ in 0..2 {
            put(&under_test, &records).await;
        }
        assert_eq!(stored(&under_test, &records).await, all(&records));
        assert_eq!(under_test.target.count(kind).await, Ok(records.len() as u64));
    }
    let message = outbound(tenant().id);
    put(&under_test, &[of_message(message.clone())]).await;
    let other = message.clone().with(|message| message.accepted.attempts_max = 1);
    put(&under_test, &[of_message(other)]).await;
    let first = of_message(message);
    assert_eq!(stored(&under_test, std::slice::from_ref(&first)).await, [Some(first)]);
}

pub async fn what_has_no_room_is_an_error(under_test: TargetUnderTest) {
    let owner = tenant();
    let taken = with_key(owner.id, "taken");
    accept_all(&under_test.stores, std::slice::from_ref(&taken)).await;
    let room = of_message(outbound(owner.id));
    let second = of_message(with_key(owner.id, "taken"));
    let refused = under_test.target.put(&[room.clone(), second.clone()]).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert_eq!(stored(&under_test, &[second]).await, [None]);

    under_test
        .stores
        .tenants
        .insert(&owner)
        .await
        .expect("the store answers");
    let mut thief = tenant();
    thief.phone_numbers = owner.phone_numbers;
    let refused = under_test.target.put(&[Record::Tenant(Box::new(thief))]).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");

    let first = event(owner.id);
    under_test
        .stores
        .events
        .record(std::slice::from_ref(&first))
        .await
        .expect("the store answers");
    let again = WebhookEvent {
        fingerprint: first.fingerprint,
        ..event(owner.id)
    };
    let refused = under_test.target.put(&[Record::Event(again)]).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
}

pub async fn stored_records_come_in_the_order_asked(under_test: TargetUnderTest) {
    for kind in Kind::ALL {
        let records = records(kind);
        put(&under_test, &records[1..]).await;
        let like: Vec<Record> = records.iter().rev().cloned().collect();
        let mut expected = all(&like);
        *expected.last_mut().expect("there are some") = None;
        assert_eq!(stored(&under_test, &like).await, expected, "{kind:?}");
    }
}

pub async fn put_records_are_counted(under_test: TargetUnderTest) {
    for kind in Kind::ALL {
        assert_eq!(under_test.target.count(kind).await, Ok(0));
        let records = records(kind);
        put(&under_test, &records).await;
        assert_eq!(under_test.target.count(kind).await, Ok(records.len() as u64));
    }
}

pub async fn cleared_records_are_gone_and_can_come_again(under_test: TargetUnderTest) {
    record::save(&under_test, &record::migration(0)).await;
    for kind in Kind::ALL {
        let records = records(kind);
        put(&under_test, &records).await;
        let mut cleared = 0;
        loop {
            let count = under_test.target.clear(kind, 2).await.expect("the target answers");
            assert!(count <= 2, "{count} at once");
            if count == 0 {
                break;
            }
            cleared += count;
        }
        assert_eq!(cleared, records.len() as u64);
        assert_eq!(under_test.target.count(kind).await, Ok(0));
        assert!(stored(&under_test, &records).await.iter().all(Option::is_none));
        put(&under_test, &records).await;
        assert_eq!(stored(&under_test, &records).await, all(&records));
    }
    assert_eq!(under_test.target.migration().await, Ok(Some(record::migration(1))));
}
