//! Merges evidence into its messages: loads them, merges, and saves until no other writer saved first.

use std::collections::{BTreeMap, HashMap};

use crate::app::failure::Failure;
use crate::app::messages::{Change, change_each};
use crate::app::stale::Step;
use crate::domain::message::{Evidence, Merged, Message, Status};
use crate::domain::{MessageKey, Timestamp};
use crate::group_commit::GroupCommit;
use crate::metrics::DoubtEnd;
use crate::ports::{Ports, StoreError};

/// Evidence on its way to its messages.
pub(in crate::app) type Merges = GroupCommit<EvidenceBatch, Result<Vec<Merge>, Failure>>;

/// The result of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) enum Merge {
    /// Merged, or known before.
    Merged,
    /// The message does not exist, or cannot be read.
    NoSuchMessage,
}

/// The evidence of one request.
pub(in crate::app) type EvidenceBatch = Vec<(MessageKey, Evidence)>;

/// Commits evidence. Each message is changed once, and each request gets the results of its own evidence.
pub(super) async fn commit(ports: Ports, batch: Vec<EvidenceBatch>) -> Vec<Result<Vec<Merge>, Failure>> {
    merge(&ports, &batch).await
}

/// Does the same as [`commit`], as a part of another commit.
pub(super) async fn merge(ports: &Ports, batch: &[EvidenceBatch]) -> Vec<Result<Vec<Merge>, Failure>> {
    // Every process goes in the order of the message ids, so two commits never wait for each other in a circle.
    let mut by_message: BTreeMap<MessageKey, Vec<&Evidence>> = BTreeMap::new();
    for (key, evidence) in batch.iter().flatten() {
        by_message.entry(*key).or_default().push(evidence);
    }
    let verdicts = merge_each(ports, &by_message).await;
    batch.iter().map(|request| of_request(request, &verdicts)).collect()
}

type Verdicts = HashMap<MessageKey, Result<Merge, Failure>>;

/// Returns the results of one request's evidence. A failure that concerns only other requests' messages is left out.
fn of_request(request: &EvidenceBatch, verdicts: &Verdicts) -> Result<Vec<Merge>, Failure> {
    let verdict = |(key, _): &(MessageKey, Evidence)| verdicts.get(key).cloned().unwrap_or(Ok(Merge::NoSuchMessage));
    request.iter().map(verdict).collect()
}

async fn merge_each(ports: &Ports, by_message: &BTreeMap<MessageKey, Vec<&Evidence>>) -> Verdicts {
    if by_message.is_empty() {
        return HashMap::new();
    }
    let keys = by_message.keys().copied().collect();
    let now = ports.clock.now();
    // The statuses that messages had in the copies that are saved, where a doubt ends or a message fails.
    let mut moved = HashMap::new();
    let step = |message: &mut Message| {
        let before = message.delivery.status;
        let step = apply(message, now, &by_message[&message.key()]);
        let after = message.delivery.status;
        if before != after && (before == Status::InDoubt || after == Status::Failed) {
            moved.insert(message.key(), before);
        } else {
            moved.remove(&message.key());
        }
        step
    };
    let changes = change_each(&*ports.messages, keys, step).await;
    for (key, change) in &changes {
        if let (Ok(Change::Saved(message)), Some(before)) = (change, moved.get(key)) {
            ports.metrics.message_changed(*before, message, DoubtEnd::Evidence);
        }
    }
    changes
        .into_iter()
        .map(|(key, change)| (key, verdict(change)))
        .collect()
}

fn apply(message: &mut Message, now: Timestamp, evidence: &[&Evidence]) -> Step {
    let mut is_changed = false;
    for evidence in evidence {
        is_changed |= message.merge_evidence(now, evidence) != Merged::Unchanged;
    }
    if !is_changed {
        return Step::Leave;
    }
    if message.is_duplicate_confirmed() {
        let accepted = &message.accepted;
        tracing::warn!(message_id = %accepted.id, tenant_id = %accepted.tenant_id, "Meta took this message more than once");
    }
    Step::Save
}

fn verdict(change: Result<Change, Failure>) -> Result<Merge, Failure> {
    match change {
        Ok(Change::Saved(_) | Change::Left(_)) => Ok(Merge::Merged),
        // A status of an unreadable message must not keep Meta's other reports from being stored.
        Ok(Change::Gone) | Err(Failure::Store(StoreError::Corrupt(_) | StoreError::Unreadable(_))) => {
            Ok(Merge::NoSuchMessage)
        }
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::message::EvidenceStatus;
    use crate::domain::{MessageId, TenantId, Wamid};

    #[test]
    fn a_failed_merge_concerns_the_requests_with_that_message_only() {
        let [known, unknown, failed] = [1, 2, 3].map(|id| MessageKey {
            tenant_id: TenantId::from_uuid(Uuid::nil()),
            message_id: MessageId::from_uuid(Uuid::from_u128(id)),
        });
        let delivered = Evidence {
            status: EvidenceStatus::Delivered,
            wamid: Wamid::parse("wamid.1").expect("printable"),
            attempt: None,
            reported_at: None,
            error: None,
            by_webhook: true,
        };
        let about = |keys: &[MessageKey]| {
            keys.iter()
                .map(|key| (*key, delivered.clone()))
                .collect::<EvidenceBatch>()
        };
        let failure = Failure::Store(StoreError::Unavailable("away".into()));
        let verdicts = HashMap::from([
            (known, Ok(Merge::Merged)),
            (unknown, Ok(Merge::NoSuchMessage)),
            (failed, Err(failure.clone())),
        ]);
        assert_eq!(of_request(&about(&[]), &verdicts), Ok(Vec::new()));
        let expected = vec![Merge::Merged, Merge::NoSuchMessage];
        assert_eq!(of_request(&about(&[known, unknown]), &verdicts), Ok(expected));
        assert_eq!(of_request(&about(&[known, failed]), &verdicts), Err(failure));
    }

    #[test]
    fn an_unreadable_message_keeps_no_other_report_from_being_stored() {
        let unreadable = StoreError::Unreadable("broken".into());
        assert_eq!(verdict(Err(unreadable.into())), Ok(Merge::NoSuchMessage));
        assert_eq!(verdict(Ok(Change::Gone)), Ok(Merge::NoSuchMessage));
    }
}
