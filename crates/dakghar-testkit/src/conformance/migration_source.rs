//! The suite of [`MigrationSource`].
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod callbacks;
mod installation;
mod operators;

pub use callbacks::*;

use std::sync::Arc;

use dakghar_core::domain::ConversationKind;
use dakghar_core::domain::erasure::PersonErasure;
use dakghar_core::domain::feed::{self, PlacedEntry};
use dakghar_core::domain::message::{EvidenceStatus, StatusRecord};
use dakghar_core::domain::migration::{Kind, Place, Record, Retirement};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::redrive::{Redrive, RedriveStatus};
use dakghar_core::domain::{ConversationId, ConversationTouch, Message, Status, TenantId};
use dakghar_core::ports::{EndpointInserted, MigrationSource, Save, Saved};

use installation::fill_installation;
use operators::{fill_apps, fill_operators, fill_opt_outs};

use super::stores::{Stores, accept_all, receive_all};
use crate::samples::{
    With as _, at, departure, departure_over, endpoint, endpoint_full, erasure, event, event_bare, inbound,
    inbound_bare, outbound, outbound_full, person, phone_number_id, redrive, signup, signup_full, status_record,
    status_record_full, tenant, tenant_full, tenant_id, with_key,
};

/// The port of the cases: the stores of one installation, and a way to open it in order to leave it. It is
/// opened only while nothing is written, and closed before anything is written again.
pub struct SourceUnderTest {
    /// Its stores.
    pub stores: Stores,
    /// Opens it.
    pub open: Box<dyn Fn() -> Arc<dyn MigrationSource> + Send + Sync>,
}

/// Runs the suite of `MigrationSource`: `migration_source_suite!(factory)`, where the factory gives `SourceUnderTest`.
/// See [`conformance`](crate::conformance).
#[macro_export]
macro_rules! migration_source_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, migration_source:
            an_empty_source_has_nothing
            every_record_is_read_as_it_is
            pages_of_any_size_have_no_gaps_and_no_repeats
            a_place_is_good_after_reopening
            records_are_counted
            redrives_that_are_not_over_are_counted
            erasures_that_are_not_done_are_counted
            signups_that_are_under_way_are_counted
            departures_that_are_not_over_are_counted
            the_state_stays_while_nothing_changes
            the_state_changes_with_every_change
            the_state_changes_with_every_change_of_an_endpoint
            the_state_changes_with_every_delivery
            a_source_is_not_retired_until_it_is
            a_retirement_is_remembered
        }
    };
}

/// Tenants, conversations, messages and events of every sort; returns them by kind.
async fn fill(under_test: &SourceUnderTest) -> Vec<(Kind, Vec<Record>)> {
    let tenants = [tenant(), tenant_full(), tenant()];
    for tenant in &tenants {
        let inserted = under_test.stores.tenants.insert(tenant).await;
        inserted.expect("the store answers");
    }
    let owners: Vec<TenantId> = tenants.iter().map(|tenant| tenant.id).collect();
    let mut messages = vec![
        outbound(owners[0]),
        with_key(owners[0], "a"),
        with_key(owners[2], "a"),
        outbound_full(owners[1]),
        // Of a tenant that was removed while this was being accepted.
        outbound(tenant_id()),
    ];
    accept_all(&under_test.stores, &messages).await;
    let received = [inbound(owners[0], "wamid.A"), inbound_bare(owners[1], "wamid.B")];
    receive_all(&under_test.stores, &received).await;
    messages.extend(received);
    let touches: Vec<ConversationTouch> = owners.iter().map(|owner| touch(*owner, "919111111111", 3)).collect();
    let touched = under_test.stores.conversations.touch(&touches).await;
    touched.expect("the store answers");
    let mut conversations = Vec::new();
    for owner in &owners {
        let port = &under_test.stores.conversations;
        let found = port.list(owner, None, PageLimit::items(10)).await;
        conversations.extend(found.expect("the store answers").items);
    }
    let statuses = report(under_test, &messages).await;
    let events = vec![event(owners[0]), event_bare(), event(owners[1]), event_bare()];
    let recorded = under_test.stores.events.record(&events).await;
    recorded.expect("the store answers");
    let apps = fill_apps(under_test).await;
    let endpoints = fill_endpoints(under_test, &owners).await;
    let callbacks = fill_callbacks(under_test, &owners).await;
    let entries = entries(under_test, &owners).await;
    let mut filled = vec![
        (
            Kind::Tenants,
            tenants.into_iter().map(Box::new).map(Record::Tenant).collect(),
        ),
        (
            Kind::Conversations,
            conversations.into_iter().map(Record::Conversation).collect(),
        ),
        (Kind::Messages, messages.into_iter().map(of_message).collect()),
        (Kind::Statuses, statuses.into_iter().map(Record::Status).collect()),
        (Kind::Events, events.into_iter().map(Record::Event).collect()),
        (Kind::Apps, apps),
        (Kind::OperatorKeys, fill_operators(under_test).await),
        (Kind::InstallationSecrets, fill_installation(under_test).await),
        (Kind::OptOuts, fill_opt_outs(under_test, owners[0]).await),
        (Kind::Audit, super::audit::fill(&under_test.stores).await),
        (Kind::Endpoints, endpoints),
        (Kind::Feed, entries.into_iter().map(Record::Entry).collect()),
    ];
    filled.extend(callbacks);
    filled
}

fn of_message(message: Message) -> Record {
    Record::Message(Box::new(message))
}

/// Endpoints of every sort.
async fn fill_endpoints(under_test: &SourceUnderTest, owners: &[TenantId]) -> Vec<Record> {
    let endpoints = [endpoint(owners[0]), endpoint_full(owners[0], 1), endpoint(owners[2])];
    for endpoint in &endpoints {
        let inserted = under_test.stores.endpoints.insert_endpoint(endpoint).await;
        assert_eq!(inserted, Ok(EndpointInserted::Done));
    }
    endpoints.map(|endpoint| Record::Endpoint(Box::new(endpoint))).to_vec()
}

/// The feeds of these tenants.
async fn entries(under_test: &SourceUnderTest, owners: &[TenantId]) -> Vec<PlacedEntry> {
    let mut entries = Vec::new();
    for owner in owners {
        let port = &under_test.stores.feed;
        let found = port.entries(owner, feed::Place::START, PageLimit::items(100)).await;
        entries.extend(found.expect("the store answers").items);
    }
    entries
}

/// Reports on some of the messages.
async fn report(under_test: &SourceUnderTest, messages: &[Message]) -> Vec<StatusRecord> {
    let statuses = vec![
        status_record(messages[0].key(), EvidenceStatus::Sent),
        status_record_full(messages[0].key()),
        status_record(messages[2].key(), EvidenceStatus::Read),
    ];
    for recorded in under_test.stores.statuses.record_statuses(&statuses).await {
        recorded.expect("the store answers");
    }
    statuses
}

fn touch(owner: TenantId, digits: &str, ms: u64) -> ConversationTouch {
    ConversationTouch {
        also: Vec::new(),
        name: None,
        kind: ConversationKind::Person,
        id: ConversationId::of(&owner, &phone_number_id(), &person(digits)),
        tenant_id: owner,
        phone_number_id: phone_number_id(),
        wa_id: person(digits),
        message_id: outbound(owner).accepted.id,
        at: at(ms),
        opens_window: true,
    }
}

/// Everything of one kind after a place, in its order.
async fn read(source: &Arc<dyn MigrationSource>, kind: Kind, mut after: Option<Place>, limit: u32) -> Vec<Record> {
    let mut read = Vec::new();
    loop {
        let page = source
            .page(kind, after.as_ref(), limit)
            .await
            .expect("the source answers");
        assert!(page.records.len() <= limit as usize, "{} at once", page.records.len());
        assert!(page.records.iter().all(|record| record.kind() == kind));
        assert_eq!(page.end.is_none(), page.records.is_empty(), "only behind the last one");
        if page.records.is_empty() {
            return read;
        }
        read.extend(page.records);
        after = page.end;
    }
}

fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(Record::id);
    records
}

pub async fn an_empty_source_has_nothing(under_test: SourceUnderTest) {
    let source = (under_test.open)();
    for kind in Kind::ALL {
        assert_eq!(source.count(kind).await, Ok(0));
        assert_eq!(read(&source, kind, None, 10).await, []);
    }
}

pub async fn every_record_is_read_as_it_is(under_test: SourceUnderTest) {
    let filled = fill(&under_test).await;
    let source = (under_test.open)();
    for (kind, records) in filled {
        assert_eq!(
            sorted(read(&source, kind, None, 100).await),
            sorted(records),
            "{kind:?}"
        );
    }
}

pub async fn pages_of_any_size_have_no_gaps_and_no_repeats(under_test: SourceUnderTest) {
    fill(&under_test).await;
    let source = (under_test.open)();
    for kind in Kind::ALL {
        let whole = read(&source, kind, None, 100).await;
        assert!(whole.len() > 2, "{kind:?}");
        for limit in 1..=8 {
            assert_eq!(read(&source, kind, None, limit).await, whole, "{kind:?} by {limit}");
        }
    }
}

pub async fn a_place_is_good_after_reopening(under_test: SourceUnderTest) {
    fill(&under_test).await;
    let source = (under_test.open)();
    let mut places = Vec::new();
    for kind in Kind::ALL {
        let whole = read(&source, kind, None, 100).await;
        let page = source.page(kind, None, 2).await.expect("the source answers");
        assert_eq!(page.records, whole[..2]);
        places.push((kind, page.end, whole[2..].to_vec()));
    }
    drop(source);
    let source = (under_test.open)();
    for (kind, place, rest) in places {
        assert_eq!(read(&source, kind, place, 3).await, rest, "{kind:?}");
    }
}

pub async fn records_are_counted(under_test: SourceUnderTest) {
    let filled = fill(&under_test).await;
    let source = (under_test.open)();
    for (kind, records) in filled {
        assert_eq!(source.count(kind).await, Ok(records.len() as u64), "{kind:?}");
    }
}

async fn state(under_test: &SourceUnderTest) -> [u8; 32] {
    (under_test.open)().state().await.expect("the source answers")
}

pub async fn erasures_that_are_not_done_are_counted(under_test: SourceUnderTest) {
    let tenant = tenant_id();
    let done = PersonErasure {
        ended_at: Some(at(1)),
        ..erasure(tenant)
    };
    for erasure in [done, erasure(tenant), erasure(tenant)] {
        let inserted = under_test.stores.person_erasures.insert_erasure(&erasure).await;
        inserted.expect("the store answers");
    }
    assert_eq!((under_test.open)().open_erasures().await, Ok(2));
}

pub async fn signups_that_are_under_way_are_counted(under_test: SourceUnderTest) {
    let tenant = tenant_id();
    for signup in [signup_full(tenant), signup(tenant), signup(tenant)] {
        let inserted = under_test.stores.signups.insert_signup(&signup).await;
        inserted.expect("the store answers");
    }
    assert_eq!((under_test.open)().open_signups().await, Ok(2));
}

pub async fn departures_that_are_not_over_are_counted(under_test: SourceUnderTest) {
    let [first, second] = [departure(tenant_id()), departure(tenant_id())];
    for departure in [departure_over(tenant_id()), first, second] {
        let inserted = under_test.stores.departures.insert_departure(&departure);
        inserted.await.expect("the store answers");
    }
    assert_eq!((under_test.open)().open_departures().await, Ok(2));
}

pub async fn redrives_that_are_not_over_are_counted(under_test: SourceUnderTest) {
    for status in RedriveStatus::ALL {
        for owner in [Some(tenant_id()), None] {
            let redrive = Redrive {
                status,
                ..redrive(owner)
            };
            let inserted = under_test.stores.redrives.insert_redrive(&redrive).await;
            inserted.expect("the store answers");
        }
    }
    assert_eq!((under_test.open)().open_redrives().await, Ok(4));
}

pub async fn the_state_stays_while_nothing_changes(under_test: SourceUnderTest) {
    let empty = state(&under_test).await;
    assert_eq!(state(&under_test).await, empty);
    fill(&under_test).await;
    let filled = state(&under_test).await;
    assert_ne!(filled, empty);
    assert_eq!(state(&under_test).await, filled);
}

pub async fn the_state_changes_with_every_change(under_test: SourceUnderTest) {
    let owner = tenant();
    let stores = &under_test.stores;
    stores.tenants.insert(&owner).await.expect("the store answers");
    let message = outbound(owner.id);
    let mut seen = vec![state(&under_test).await];
    let mut is_new = async |what: &str| {
        let state = state(&under_test).await;
        assert!(!seen.contains(&state), "{what}");
        seen.push(state);
    };
    accept_all(stores, std::slice::from_ref(&message)).await;
    is_new("a message was accepted").await;
    let saved = message.with(|message| message.delivery.status = Status::Held);
    assert_eq!(stores.messages.save(&[Save::quiet(&saved)]).await, [Ok(Saved::Done)]);
    is_new("a message was saved").await;
    let woken = stores.timers.wake_held(&owner.id, None, at(9)).await;
    assert_eq!(woken, Ok(1));
    is_new("a message was woken").await;
    receive_all(stores, &[inbound(owner.id, "wamid.A")]).await;
    is_new("a message was received").await;
    for ms in [1, 2] {
        let touched = stores.conversations.touch(&[touch(owner.id, "1", ms)]).await;
        touched.expect("the store answers");
        is_new("a conversation was touched").await;
    }
    for event in [event(owner.id), event_bare()] {
        stores.events.record(&[event]).await.expect("the store answers");
        is_new("an event was recorded").await;
    }
    stores.tenants.save(&owner, &[]).await.expect("the store answers");
    is_new("a tenant was saved").await;
    stores.tenants.insert(&tenant()).await.expect("the store answers");
    is_new("a tenant was registered").await;
    stores.erasure.erase(&owner.id, 1).await.expect("the store answers");
    is_new("something was erased").await;
}

pub async fn the_state_changes_with_every_change_of_an_endpoint(under_test: SourceUnderTest) {
    let (owner, endpoints) = (tenant_id(), under_test.stores.endpoints.clone());
    let [first, second] = [endpoint(owner), endpoint_full(owner, 1)];
    let mut seen = vec![state(&under_test).await];
    for endpoint in [&first, &second] {
        assert_eq!(endpoints.insert_endpoint(endpoint).await, Ok(EndpointInserted::Done));
        seen.push(state(&under_test).await);
    }
    assert_eq!(endpoints.save_endpoint(&first).await, Ok(Saved::Done));
    seen.push(state(&under_test).await);
    assert_eq!(endpoints.remove_endpoint(&owner, &second.id, None).await, Ok(true));
    seen.push(state(&under_test).await);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5, "each change makes another state");
}

pub async fn a_source_is_not_retired_until_it_is(under_test: SourceUnderTest) {
    fill(&under_test).await;
    assert_eq!((under_test.open)().retirement().await, Ok(None));
}

pub async fn a_retirement_is_remembered(under_test: SourceUnderTest) {
    let filled = fill(&under_test).await;
    let before = state(&under_test).await;
    for id in ["0123456789abcdef", "fedcba9876543210"] {
        let retirement = Retirement {
            migration_id: id.into(),
            successor: "MongoDB at mongo-1:27017, database \"ডাকঘর\"".into(),
            at: at(17),
        };
        let source = (under_test.open)();
        assert_eq!(source.retire(&retirement).await, Ok(()));
        assert_eq!(source.retirement().await, Ok(Some(retirement.clone())));
        drop(source);
        assert_eq!((under_test.open)().retirement().await, Ok(Some(retirement)));
    }
    let source = (under_test.open)();
    assert_eq!(source.state().await, Ok(before), "what it holds is not changed");
    for (kind, records) in filled {
        assert_eq!(source.count(kind).await, Ok(records.len() as u64));
    }
}
