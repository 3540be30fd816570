//! The suite of [`StatusStore`](dakghar_core::ports::StatusStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::message::{EvidenceStatus, Reported, Standing, StatusRecord};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{Message, MessageKey, Status, TraceContext};
use dakghar_core::ports::{Aged, AgedPortion, Save, Saved, StoreError};

use super::stores::{Stores, accept_all, accept_as, save};
use crate::samples::{With as _, at, outbound, status_record, status_record_full, tenant_id, wamid};

/// Runs the suite of `StatusStore`: `status_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! status_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, statuses:
            every_field_of_a_report_survives
            a_report_word_for_word_the_same_is_absorbed
            what_differs_in_a_word_is_kept_beside_it
            a_report_tells_how_its_message_stands
            a_report_tells_in_which_trace_its_message_was_accepted
            a_report_on_no_message_is_not_kept
            reports_are_their_tenants_only
            reports_come_in_the_order_of_their_keys
            reports_are_listed_newest_first
            a_page_of_reports_ends_at_its_bytes
            reports_are_erased_with_their_message
            a_report_and_a_save_at_once_see_each_other
        }
    };
}

async fn record(stores: &Stores, statuses: &[StatusRecord]) -> Vec<Option<Standing>> {
    let recorded = stores.statuses.record_statuses(statuses).await;
    let recorded: Result<Vec<_>, StoreError> = recorded.into_iter().collect();
    recorded.expect("the store answers")
}

async fn reports(stores: &Stores, keys: &[MessageKey]) -> Vec<Vec<Reported>> {
    let mut found = stores.statuses.reports_of(keys).await.expect("the store answers");
    for reports in &mut found {
        reports.sort_by_key(|reported| reported.received_at);
    }
    found
}

async fn list(stores: &Stores, key: &MessageKey, limit: PageLimit) -> Listed<StatusRecord> {
    stores
        .statuses
        .statuses_of(key, limit)
        .await
        .expect("the store answers")
}

async fn accepted(stores: &Stores) -> Message {
    let message = outbound(tenant_id());
    accept_all(stores, std::slice::from_ref(&message)).await;
    message
}

pub async fn every_field_of_a_report_survives(stores: Stores) {
    let key = accepted(&stores).await.key();
    let bare = status_record(key, EvidenceStatus::Sent);
    let full = status_record_full(key);
    record(&stores, &[bare.clone(), full.clone()]).await;
    let kept = list(&stores, &key, PageLimit::default()).await.items;
    assert_eq!(kept, [full.clone(), bare.clone()]);
    assert_eq!(reports(&stores, &[key]).await, [[bare.reported, full.reported]]);
    assert_eq!(record(&stores, &[]).await, []);
    assert_eq!(reports(&stores, &[]).await, Vec::<Vec<_>>::new());
    for status in EvidenceStatus::ALL {
        let status = status_record(key, status);
        record(&stores, std::slice::from_ref(&status)).await;
        let kept = list(&stores, &key, PageLimit::items(1)).await.items;
        assert_eq!(kept, [status]);
    }
}

pub async fn a_report_word_for_word_the_same_is_absorbed(stores: Stores) {
    let key = accepted(&stores).await.key();
    let first = status_record(key, EvidenceStatus::Sent);
    let again = StatusRecord {
        reported: Reported {
            received_at: at(900_000),
            ..first.reported.clone()
        },
        ..first.clone()
    };
    let are_new = async |reports: &[StatusRecord]| {
        let stood = record(&stores, reports).await.into_iter();
        stood
            .map(|stood| stood.expect("it is there").report_is_new)
            .collect::<Vec<_>>()
    };
    assert_eq!(are_new(&[first.clone(), again.clone()]).await, [true, false]);
    assert_eq!(are_new(&[again]).await, [false]);
    assert_eq!(list(&stores, &key, PageLimit::default()).await.items, [first]);
}

pub async fn what_differs_in_a_word_is_kept_beside_it(stores: Stores) {
    let key = accepted(&stores).await.key();
    let other = accepted(&stores).await.key();
    let first = status_record(key, EvidenceStatus::Sent);
    let corrected = StatusRecord {
        raw: first.raw.replace("wamid.S", "wamid.T").into(),
        ..first.clone()
    };
    let of_other = StatusRecord {
        key: other,
        ..first.clone()
    };
    record(&stores, &[first, corrected, of_other]).await;
    assert_eq!(list(&stores, &key, PageLimit::default()).await.items.len(), 2);
    assert_eq!(list(&stores, &other, PageLimit::default()).await.items.len(), 1);
}

pub async fn a_report_tells_how_its_message_stands(stores: Stores) {
    let mut message = accepted(&stores).await;
    let report = || status_record(message.key(), EvidenceStatus::Delivered);
    let trace = None;
    let standing = |status, wamids, last_call| {
        Some(Standing {
            status,
            wamids,
            trace,
            last_call,
            report_is_new: true,
        })
    };
    assert_eq!(
        record(&stores, &[report()]).await,
        [standing(Status::Queued, Vec::new(), None)]
    );
    let (first, second) = (report(), report());
    message.delivery.status = Status::Sent;
    message.delivery.attempt = 3;
    message.delivery.called_at = Some(at(7_000));
    message.delivery.wamid = Some(wamid("wamid.A"));
    message.delivery.wamids = vec![wamid("wamid.A"), wamid("wamid.B")];
    save(&stores, &mut message).await;
    for stood in record(&stores, &[first, second]).await {
        let mut stood = stood.expect("it is there");
        stood.wamids.sort();
        stood.wamids.dedup();
        let expected = standing(Status::Sent, message.delivery.wamids.clone(), Some((3, at(7_000))));
        assert_eq!(Some(stood), expected);
    }
}

pub async fn a_report_tells_in_which_trace_its_message_was_accepted(stores: Stores) {
    let traced = outbound(tenant_id()).with(|message| {
        message.accepted.trace = TraceContext::new([3; 16], [4; 8], true);
    });
    accept_all(&stores, std::slice::from_ref(&traced)).await;
    let mut plain = accepted(&stores).await;
    plain.delivery.status = Status::Sent;
    save(&stores, &mut plain).await;
    let on = |message: &Message| status_record(message.key(), EvidenceStatus::Sent);
    let stood = record(&stores, &[on(&traced), on(&plain)]).await;
    let traces: Vec<_> = stood
        .into_iter()
        .map(|stood| stood.expect("it is there").trace)
        .collect();
    assert_eq!(traces, [traced.accepted.trace, None]);
}

pub async fn a_report_on_no_message_is_not_kept(stores: Stores) {
    let there = accepted(&stores).await.key();
    let foreign = MessageKey {
        tenant_id: tenant_id(),
        ..there
    };
    let gone = outbound(there.tenant_id).key();
    let on = |key| status_record(key, EvidenceStatus::Sent);
    let stood = record(&stores, &[on(gone), on(there), on(foreign)]).await;
    assert_eq!(
        stood.iter().map(Option::is_some).collect::<Vec<_>>(),
        [false, true, false]
    );
    let kept = reports(&stores, &[gone, there, foreign]).await;
    assert_eq!(kept.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 0]);
}

pub async fn reports_are_their_tenants_only(stores: Stores) {
    let key = accepted(&stores).await.key();
    record(&stores, &[status_record_full(key)]).await;
    let foreign = MessageKey {
        tenant_id: tenant_id(),
        ..key
    };
    assert_eq!(reports(&stores, &[foreign]).await, [[]]);
    assert_eq!(list(&stores, &foreign, PageLimit::default()).await, Listed::empty());
}

pub async fn reports_come_in_the_order_of_their_keys(stores: Stores) {
    let tenants = [tenant_id(), tenant_id()];
    let messages: Vec<Message> = (0..260).map(|n| outbound(tenants[n % 2])).collect();
    accept_all(&stores, &messages).await;
    let mut keys: Vec<MessageKey> = messages.iter().map(Message::key).collect();
    let statuses: Vec<StatusRecord> = (keys.iter().enumerate())
        .flat_map(|(n, key)| (0..n % 4).map(|_| status_record(*key, EvidenceStatus::Delivered)))
        .collect();
    record(&stores, &statuses).await;
    keys.push(keys[3]);
    let counts: Vec<usize> = reports(&stores, &keys).await.iter().map(Vec::len).collect();
    let expected: Vec<usize> = (0..260).map(|n| n % 4).chain([3]).collect();
    assert_eq!(counts, expected);
}

pub async fn reports_are_listed_newest_first(stores: Stores) {
    let key = accepted(&stores).await.key();
    let mut statuses: Vec<_> = (0..7).map(|_| status_record(key, EvidenceStatus::Read)).collect();
    record(&stores, &statuses).await;
    statuses.reverse();
    let all = list(&stores, &key, PageLimit::items(7)).await;
    assert_eq!((all.items, all.next), (statuses.clone(), None));
    let some = list(&stores, &key, PageLimit::items(3)).await;
    assert_eq!(some.items, statuses[..3]);
    assert!(some.next.is_some(), "there are more");
}

pub async fn a_page_of_reports_ends_at_its_bytes(stores: Stores) {
    let key = accepted(&stores).await.key();
    let large = |_| StatusRecord {
        frame: Some("x".repeat(10_000).into()),
        ..status_record(key, EvidenceStatus::Read)
    };
    let statuses: Vec<_> = (0..6).map(large).collect();
    record(&stores, &statuses).await;
    let limit = PageLimit {
        bytes: 25_000,
        ..PageLimit::items(100)
    };
    assert_eq!(list(&stores, &key, limit).await.items.len(), 3);
}

pub async fn reports_are_erased_with_their_message(stores: Stores) {
    let tenant = tenant_id();
    let mut keys = Vec::new();
    for changed_at in [99, 100] {
        let message = outbound(tenant).with(|message| message.delivery.updated_at = at(changed_at));
        let key = accept_as(&stores, Status::Sent, message).await.key();
        record(&stores, &[1, 2].map(|_| status_record(key, EvidenceStatus::Delivered))).await;
        keys.push(key);
    }
    let portion = AgedPortion {
        tenant_id: Some(tenant),
        kind: Aged::Messages,
        before: at(100),
        from: None,
        limit: 10,
    };
    let erased = stores.erasure.erase_aged(&portion).await.expect("the store answers");
    assert_eq!(erased.erased, 1);
    let left: Vec<usize> = reports(&stores, &keys).await.iter().map(Vec::len).collect();
    assert_eq!(left, [0, 2]);
}

/// Whoever comes second sees what the other one wrote, so that a delivery and a failure never miss each other.
pub async fn a_report_and_a_save_at_once_see_each_other(stores: Stores) {
    const ROUNDS: u64 = 40;
    for _ in 0..ROUNDS {
        let mut message = outbound(tenant_id()).with(|message| message.delivery.wamids = vec![wamid("wamid.S")]);
        message = accept_as(&stores, Status::Sent, message).await;
        let key = message.key();
        message.delivery.status = Status::Failed;
        let (recording, saving) = (stores.clone(), stores.clone());
        let recording = tokio::spawn(async move {
            let stood = record(&recording, &[status_record(key, EvidenceStatus::Delivered)]).await;
            stood[0].as_ref().map(|standing| standing.status)
        });
        let saving = tokio::spawn(async move {
            let saved = saving.messages.save(&[Save::quiet(&message)]).await;
            assert_eq!(saved, [Ok(Saved::Done)]);
            reports(&saving, &[key]).await[0].len()
        });
        let stood = recording.await.expect("no panic");
        let seen = saving.await.expect("no panic");
        assert!(stood == Some(Status::Failed) || seen == 1, "{stood:?}, {seen} reports");
    }
}
