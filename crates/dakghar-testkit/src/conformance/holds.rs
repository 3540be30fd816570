//! The suite of [`HoldStore`](dakghar_core::ports::HoldStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::hold::{SendingHold, UnsettledCount};
use dakghar_core::domain::{Message, Present, Status};

use super::stores::{Stores, accept_as, receive_all};
use crate::samples::{With as _, at, inbound, outbound, phone_number_id, tenant_id};

/// Runs the suite of `HoldStore`: `hold_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! hold_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, holds:
            there_is_one_hold_or_none
            what_is_not_settled_is_counted_by_number_and_status
            only_the_largest_counts_are_returned
        }
    };
}

pub async fn there_is_one_hold_or_none(stores: Stores) {
    let holds = &stores.holds;
    assert_eq!(holds.sending_hold().await, Ok(None));
    for since in [5, 9] {
        let hold = SendingHold { since: at(since) };
        assert_eq!(holds.keep_sending_hold(Some(hold)).await, Ok(()));
        assert_eq!(holds.sending_hold().await, Ok(Some(hold)));
    }
    for _ in 0..2 {
        assert_eq!(holds.keep_sending_hold(None).await, Ok(()));
        assert_eq!(holds.sending_hold().await, Ok(None));
    }
}

/// Like every message that is not settled, it has a timer.
fn with_timer(message: Message) -> Message {
    message.with(|message| message.delivery.wake_at = Some(at(50)))
}

async fn counts(stores: &Stores, limit: u32) -> Vec<UnsettledCount> {
    let present = Present {
        now: at(1_000),
        wall: at(2_000),
    };
    let counted = stores.holds.unsettled_by_number(present, limit).await;
    counted.expect("the store answers")
}

pub async fn what_is_not_settled_is_counted_by_number_and_status(stores: Stores) {
    assert_eq!(counts(&stores, 10).await, []);
    let (one, other) = (tenant_id(), tenant_id());
    let mut oldest = None;
    for status in Status::ALL {
        if status == Status::Received {
            continue;
        }
        let message = accept_as(&stores, status, with_timer(outbound(one))).await;
        if status == Status::Queued {
            oldest = Some(message.accepted.created_at);
        }
    }
    receive_all(&stores, &[inbound(one, "wamid.A")]).await;
    let queued = |slot_at: Option<u64>, expires_at: Option<u64>| {
        with_timer(outbound(one)).with(|message| {
            message.delivery.slot_at = slot_at.map(at);
            message.delivery.expires_at = expires_at.map(at);
        })
    };
    for (slot_at, expires_at) in [
        (Some(1_000), Some(2_001)),
        (Some(1_001), Some(2_000)),
        (Some(90_000), None),
    ] {
        accept_as(&stores, Status::Queued, queued(slot_at, expires_at)).await;
    }
    for _ in 0..2 {
        accept_as(&stores, Status::Held, with_timer(outbound(other))).await;
    }
    let found = counts(&stores, 10).await;
    let seen: Vec<_> = found
        .iter()
        .map(|count| {
            (
                count.tenant_id,
                count.status,
                count.messages,
                count.later,
                count.expired,
            )
        })
        .collect();
    assert_eq!(seen[0], (one, Status::Queued, 4, 2, 1));
    assert_eq!(seen[1], (other, Status::Held, 2, 0, 0));
    assert_eq!(seen.len(), 5, "{seen:?}");
    for status in [Status::Held, Status::Sending, Status::InDoubt] {
        assert!(seen.contains(&(one, status, 1, 0, 0)), "{seen:?}");
    }
    assert_eq!(Some(found[0].oldest), oldest);
    assert!(found.iter().all(|count| count.phone_number_id == phone_number_id()));
}

pub async fn only_the_largest_counts_are_returned(stores: Stores) {
    let tenants = [tenant_id(), tenant_id(), tenant_id()];
    for (tenant, messages) in tenants.iter().zip([1, 3, 2]) {
        for _ in 0..messages {
            accept_as(&stores, Status::Queued, with_timer(outbound(*tenant))).await;
        }
    }
    let found = counts(&stores, 2).await;
    let seen: Vec<_> = found.iter().map(|count| (count.tenant_id, count.messages)).collect();
    assert_eq!(seen, [(tenants[1], 3), (tenants[2], 2)]);
}
