//! Signs that statuses arrive for a number.

use dakghar_core::domain::listening::{CallSpan, PROMPT};
use dakghar_core::domain::message::EvidenceStatus;
use dakghar_core::domain::{Message, MessageKey, PhoneNumberId, TenantId};

use super::super::stores::{Stores, accept_all, save};
use crate::samples::{With as _, at, outbound, phone, status_record, tenant_id};

/// A message that was called then, and of which a status came ten milliseconds later.
fn reported(tenant: TenantId, called_at: u64) -> Message {
    outbound(tenant).with(|message| {
        message.delivery.called_at = Some(at(called_at));
        message.delivery.status_seen_at = Some(at(called_at + 10));
    })
}

async fn arrived(stores: &Stores, near: &MessageKey, number: &PhoneNumberId, from: u64, until: u64) -> bool {
    let calls = CallSpan {
        from: at(from),
        until: at(until),
    };
    let arrived = stores.messages.statuses_arrived(near, number, calls).await;
    arrived.expect("the store answers")
}

pub async fn statuses_of_calls_in_a_time_have_arrived(stores: Stores) {
    let tenant = tenant_id();
    let first = outbound(tenant);
    let number = first.accepted.phone_number_id.clone();
    let mut message = outbound(tenant).with(|message| message.delivery.called_at = Some(at(50)));
    accept_all(&stores, &[message.clone(), outbound(tenant)]).await;
    let arrived = async |from, until| arrived(&stores, &first.key(), &number, from, until).await;
    assert!(!arrived(10, 90).await, "nothing was reported");
    message.delivery.status_seen_at = Some(at(80));
    save(&stores, &mut message).await;
    assert!(
        arrived(10, 90).await && arrived(50, 50).await,
        "both ends are part of it"
    );
    assert!(!arrived(10, 49).await, "the call was after that");
    assert!(
        !arrived(51, 90).await,
        "the report was in that time, but the call was not"
    );
}

pub async fn a_status_that_came_late_shows_nothing(stores: Stores) {
    let tenant = tenant_id();
    let late = |by: u64| {
        outbound(tenant).with(|message| {
            message.delivery.called_at = Some(at(50));
            message.delivery.status_seen_at = Some(at(50 + by) + PROMPT);
        })
    };
    let (near, too_late) = (outbound(tenant), late(1));
    let number = near.accepted.phone_number_id.clone();
    // Of a call before the present one.
    let before = outbound(tenant).with(|message| {
        message.delivery.called_at = Some(at(50));
        message.delivery.status_seen_at = Some(at(49));
    });
    accept_all(&stores, &[near.clone(), too_late, before]).await;
    assert!(!arrived(&stores, &near.key(), &number, 10, 90).await);
    accept_all(&stores, &[late(0)]).await;
    assert!(arrived(&stores, &near.key(), &number, 10, 90).await);
}

pub async fn statuses_arrive_for_one_number_of_one_tenant(stores: Stores) {
    let tenant = tenant_id();
    let seen = reported(tenant, 50);
    let (number, near) = (seen.accepted.phone_number_id.clone(), outbound(tenant).key());
    let foreign = outbound(tenant_id()).key();
    accept_all(&stores, &[seen]).await;
    assert!(arrived(&stores, &near, &number, 1, 90).await);
    assert!(!arrived(&stores, &near, &phone("999"), 1, 90).await);
    assert!(!arrived(&stores, &foreign, &number, 1, 90).await);
}

pub async fn a_backlog_does_not_hide_statuses_before_and_after(stores: Stores) {
    let tenant = tenant_id();
    let (before, in_doubt, after) = (reported(tenant, 40), outbound(tenant), reported(tenant, 60));
    let (number, near) = (before.accepted.phone_number_id.clone(), in_doubt.key());
    accept_all(&stores, &[before, in_doubt, after]).await;
    let backlog: Vec<Message> = (0..300).map(|_| outbound(tenant)).collect();
    accept_all(&stores, &backlog).await;
    let newest = reported(tenant, 80);
    accept_all(&stores, &[newest]).await;
    for (from, until, expected) in [
        (40, 40, true),
        (60, 60, true),
        (80, 80, true),
        (41, 59, false),
        (61, 79, false),
    ] {
        assert_eq!(
            arrived(&stores, &near, &number, from, until).await,
            expected,
            "{from} to {until}"
        );
    }
}

pub async fn a_report_shows_that_statuses_arrive(stores: Stores) {
    let tenant = tenant_id();
    let near = outbound(tenant);
    let called = outbound(tenant).with(|message| message.delivery.called_at = Some(at(50)));
    let number = called.accepted.phone_number_id.clone();
    accept_all(&stores, &[near.clone(), called.clone()]).await;
    let arrived = async |from, until| arrived(&stores, &near.key(), &number, from, until).await;
    assert!(!arrived(10, 90).await, "nothing was reported");
    let mut report = status_record(called.key(), EvidenceStatus::Delivered);
    report.reported.received_at = at(80);
    let mut later = status_record(called.key(), EvidenceStatus::Read);
    later.reported.received_at = at(81) + PROMPT;
    for recorded in stores.statuses.record_statuses(&[later, report]).await {
        recorded.expect("the store answers");
    }
    assert!(arrived(10, 90).await && arrived(50, 50).await);
    assert!(!arrived(10, 49).await && !arrived(51, 90).await);
}
