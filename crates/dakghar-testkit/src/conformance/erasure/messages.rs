//! The cases of old messages, and of dead letters, which are erased by their class.

use dakghar_core::domain::Message;
use dakghar_core::domain::message::{DeadReason, EvidenceStatus, LetterClass, Status};
use dakghar_core::ports::{Acceptance, Aged};

use super::{changed_at, erase_aged, ids};
use crate::conformance::stores::{Stores, accept_as, receive_all, save};
use crate::samples::{With as _, at, inbound, outbound, status_record, tenant_id, with_key};

pub async fn old_messages_that_are_settled_are_erased_and_no_others(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let (mut kept, mut old) = (Vec::new(), Vec::new());
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Received) {
        for time in [99, 100] {
            let message = accept_as(
                &stores,
                status,
                changed_at(with_key(tenant, &format!("{status:?}{time}")), time),
            )
            .await;
            let is_old = time < 100 && !status.is_unsettled() && !status.is_dead_letter();
            if is_old { &mut old } else { &mut kept }.push(message);
        }
    }
    receive_all(
        &stores,
        &[
            changed_at(inbound(tenant, "wamid.A"), 99),
            changed_at(inbound(tenant, "wamid.B"), 100),
        ],
    )
    .await;
    accept_as(&stores, Status::Sent, changed_at(outbound(other), 1)).await;

    let (erased, _) = erase_aged(&stores, Some(tenant), Aged::Messages, 100, 4).await;
    assert_eq!(erased, old.len() as u64 + 1, "with one that was received");
    let mut left: Vec<String> = kept.iter().map(|message| message.accepted.id.to_string()).collect();
    let listed = ids(&stores, &tenant).await;
    assert_eq!(listed.len(), left.len() + 1);
    left.retain(|id| !listed.contains(id));
    assert_eq!(left, Vec::<String>::new(), "erased too early");
    assert_eq!(ids(&stores, &other).await.len(), 1);

    // The key of a message that is left guards; that of an erased one is free.
    let again = |message: &Message| {
        let key = message.accepted.idempotency.as_ref().expect("a key").key.clone();
        with_key(tenant, key.as_str())
    };
    let repeated = stores.messages.accept(vec![again(&kept[0]), again(&old[0])]).await;
    assert!(matches!(repeated[0], Ok(Acceptance::Replay { .. })), "{repeated:?}");
    assert_eq!(repeated[1], Ok(Acceptance::Stored));
    assert_eq!(erase_aged(&stores, Some(tenant), Aged::Messages, 100, 4).await.0, 0);
    assert_eq!(erase_aged(&stores, None, Aged::Messages, 1_000, 4).await, (0, 1));
}

/// Each way in which a message ends as a dead letter.
const ENDS: [(Status, Option<DeadReason>); 6] = [
    (Status::Failed, None),
    (Status::Expired, None),
    (Status::Dead, Some(DeadReason::AttemptsExhausted)),
    (Status::Dead, Some(DeadReason::OutcomeUnknown)),
    (Status::Dead, Some(DeadReason::Poison)),
    (Status::Dead, Some(DeadReason::NumberRemoved)),
];

pub async fn old_dead_letters_are_erased_by_their_class(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let mut letters = Vec::new();
    for (status, reason) in ENDS {
        for time in [99, 99, 100] {
            let letter = changed_at(outbound(tenant), time).with(|message| message.delivery.dead_reason = reason);
            let letter = accept_as(&stores, status, letter).await;
            letters.push((LetterClass::of(status, reason), time, letter.key()));
            let report = status_record(letter.key(), EvidenceStatus::Failed);
            let recorded = stores.statuses.record_statuses(&[report]).await;
            assert!(matches!(recorded[..], [Ok(_)]), "{recorded:?}");
        }
        let others = changed_at(outbound(other), 1).with(|message| message.delivery.dead_reason = reason);
        accept_as(&stores, status, others).await;
    }
    accept_as(&stores, Status::Sent, changed_at(outbound(tenant), 1)).await;
    accept_as(&stores, Status::Queued, changed_at(outbound(tenant), 1)).await;
    for class in LetterClass::ALL {
        let old = letters.iter().filter(|(of, time, _)| *of == Some(class) && *time < 100);
        let old = old.count() as u64;
        assert_ne!(old, 0);
        let (erased, portions) = erase_aged(&stores, Some(tenant), Aged::DeadLetters(class), 100, 2).await;
        assert_eq!(erased, old, "{class:?}");
        assert!(portions > 1, "what stays does not end a walk");
        letters.retain(|(of, time, _)| *of != Some(class) || *time >= 100);
        let keys: Vec<_> = letters.iter().map(|(_, _, key)| *key).collect();
        let loaded = stores.messages.load(&keys).await;
        assert!(loaded.iter().all(|found| matches!(found, Ok(Some(_)))), "{class:?}");
        assert_eq!(ids(&stores, &tenant).await.len(), letters.len() + 2, "{class:?}");
        assert_eq!(
            erase_aged(&stores, None, Aged::DeadLetters(class), 1_000, 2).await,
            (0, 1)
        );
    }
    assert_eq!(ids(&stores, &other).await.len(), ENDS.len());
}

pub async fn a_dead_letter_that_was_sent_again_is_not_old(stores: Stores) {
    let tenant = tenant_id();
    let letter = changed_at(outbound(tenant), 50);
    let letter = letter.with(|message| message.delivery.dead_reason = Some(DeadReason::AttemptsExhausted));
    let mut letter = accept_as(&stores, Status::Dead, letter).await;
    letter.delivery.status = Status::Queued;
    letter.delivery.dead_reason = None;
    letter.delivery.updated_at = at(60);
    save(&stores, &mut letter).await;
    for class in LetterClass::ALL {
        assert_eq!(
            erase_aged(&stores, Some(tenant), Aged::DeadLetters(class), 100, 4)
                .await
                .0,
            0
        );
    }
    assert!(matches!(stores.messages.load(&[letter.key()]).await[..], [Ok(Some(_))]));
}
