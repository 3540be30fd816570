//! The suite of [`OutcomeSpool`]: what a process was told outlives it.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::GraphRefusal;
use dakghar_core::domain::message::{NotSentCause, Receipt, SendOutcome};
use dakghar_core::ports::{OutcomeSpool, SpooledOutcome};

use crate::samples;

/// A machine on which processes start. Each ends when its spool is dropped.
pub struct SpoolUnderTest {
    /// Starts a process.
    pub start: Box<dyn Fn() -> Arc<dyn OutcomeSpool> + Send + Sync>,
}

/// Runs the suite of `OutcomeSpool`: `outcome_spool_suite!(factory)`, where the factory gives [`SpoolUnderTest`]. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! outcome_spool_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, spool:
            what_a_process_kept_is_left_behind_as_it_was
            what_a_living_process_keeps_is_its_own
            what_the_store_has_taken_is_forgotten_once_that_is_all
            what_was_left_behind_is_there_until_it_is_forgotten
            each_process_leaves_its_own_behind
        }
    };
}

/// Outcomes of every kind.
fn outcomes() -> Vec<SpooledOutcome> {
    let refusal = GraphRefusal {
        http_status: 400,
        code: 131_026,
        subcode: Some(-7),
        message: "Message \"undeliverable\"\n".into(),
        details: Some("ключ".into()),
        is_transient: Some(false),
        retry_after: Some(Duration::from_millis(1_500)),
        fbtrace_id: Some("AbC".into()),
    };
    let plain = GraphRefusal {
        subcode: None,
        details: None,
        is_transient: None,
        retry_after: None,
        fbtrace_id: None,
        ..refusal.clone()
    };
    let not_sent = |cause| SendOutcome::NotSent {
        cause,
        why: "no route".into(),
    };
    let kinds = [
        SendOutcome::Accepted {
            wamid: samples::wamid("spooled"),
            known_as: Vec::new(),
            receipt: Receipt::default(),
        },
        SendOutcome::Refused(refusal),
        SendOutcome::Refused(plain),
        SendOutcome::TurnedAway {
            http_status: 413,
            why: "too large".into(),
        },
        not_sent(NotSentCause::Host),
        not_sent(NotSentCause::Worker),
        not_sent(NotSentCause::Request),
        SendOutcome::Unknown { why: "".into() },
    ];
    let tenant = samples::tenant();
    (1..)
        .zip(kinds)
        .map(|(n, outcome)| SpooledOutcome {
            key: samples::outbound(tenant.id).key(),
            epoch: u64::MAX - u64::from(n),
            attempt: n,
            answered_at: samples::at(u64::from(n)),
            outcome,
        })
        .collect()
}

async fn keep(spool: &Arc<dyn OutcomeSpool>, outcomes: &[SpooledOutcome]) {
    spool.keep(outcomes).await.expect("kept");
}

/// Everything that was left behind, part by part; empty parts do not count.
async fn left_behind(spool: &Arc<dyn OutcomeSpool>) -> Vec<Vec<SpooledOutcome>> {
    let mut found = Vec::new();
    for part in spool.left_behind().await.expect("listed") {
        found.push(spool.read(&part).await.expect("read"));
    }
    found.retain(|outcomes| !outcomes.is_empty());
    found
}

pub async fn what_a_process_kept_is_left_behind_as_it_was(machine: SpoolUnderTest) {
    let first = (machine.start)();
    let outcomes = outcomes();
    keep(&first, &outcomes[..3]).await;
    keep(&first, &[]).await;
    keep(&first, &outcomes[3..]).await;
    drop(first);
    let next = (machine.start)();
    assert_eq!(left_behind(&next).await, [outcomes]);
}

pub async fn what_a_living_process_keeps_is_its_own(machine: SpoolUnderTest) {
    let (first, next) = ((machine.start)(), (machine.start)());
    keep(&first, &outcomes()).await;
    assert_eq!(first.left_behind().await, Ok(Vec::new()));
    assert_eq!(next.left_behind().await, Ok(Vec::new()));
    drop(first);
    assert_eq!(left_behind(&next).await.len(), 1);
}

pub async fn what_the_store_has_taken_is_forgotten_once_that_is_all(machine: SpoolUnderTest) {
    let outcomes = outcomes();
    let first = (machine.start)();
    keep(&first, &outcomes[..3]).await;
    first.settle(2).await;
    first.settle(1).await;
    keep(&first, &outcomes[3..5]).await;
    first.settle(1).await;
    drop(first);
    let next = (machine.start)();
    assert_eq!(
        left_behind(&next).await,
        [&outcomes[3..5]],
        "the last ones, whichever was taken"
    );
    keep(&next, &outcomes[..2]).await;
    next.settle(2).await;
    drop(next);
    let last = (machine.start)();
    assert_eq!(left_behind(&last).await.len(), 1, "nothing of the second");
}

pub async fn what_was_left_behind_is_there_until_it_is_forgotten(machine: SpoolUnderTest) {
    let first = (machine.start)();
    keep(&first, &outcomes()).await;
    drop(first);
    for _ in 0..2 {
        let next = (machine.start)();
        assert_eq!(left_behind(&next).await.len(), 1);
    }
    let next = (machine.start)();
    for part in next.left_behind().await.expect("listed") {
        next.forget(&part).await.expect("forgotten");
        next.forget(&part).await.expect("again");
        assert_eq!(next.read(&part).await, Ok(Vec::new()));
    }
    assert_eq!(next.left_behind().await, Ok(Vec::new()));
}

pub async fn each_process_leaves_its_own_behind(machine: SpoolUnderTest) {
    let outcomes = outcomes();
    let (first, second) = ((machine.start)(), (machine.start)());
    keep(&first, &outcomes[..2]).await;
    keep(&second, &outcomes[2..]).await;
    drop((first, second));
    let next = (machine.start)();
    let mut left = left_behind(&next).await;
    left.sort_by_key(Vec::len);
    assert_eq!(left, [&outcomes[..2], &outcomes[2..]]);
}
