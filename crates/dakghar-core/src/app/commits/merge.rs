//! Merges evidence into its messages: loads them, merges, and saves until no other writer saved first. Reports are
//! recorded before, and most of them change no message.

use std::collections::{BTreeMap, HashMap};

use crate::app::failure::Failure;
use crate::app::messages::{Change, change_each};
use crate::app::stale::Step;
use crate::domain::message::{Evidence, EvidenceStatus, Merged, Message, Reported, Standing, Status, StatusRecord};
use crate::domain::{MessageKey, Timestamp, TraceContext};
use crate::group_commit::GroupCommit;
use crate::metrics::{DoubtEnd, Stage, Traced};
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

/// The result of a report, and the span in which its message was accepted.
#[derive(Clone, Copy, Debug)]
pub(in crate::app) struct Settled {
    pub(in crate::app) merge: Merge,
    pub(in crate::app) trace: Option<TraceContext>,
}

/// The evidence of one request.
pub(in crate::app) type EvidenceBatch = Vec<(MessageKey, Evidence)>;

/// Commits evidence. Each message is changed once, and each request gets the results of its own evidence.
pub(super) async fn commit(ports: Ports, batch: Vec<EvidenceBatch>) -> Vec<Result<Vec<Merge>, Failure>> {
    // Every process goes in the order of the message ids, so two commits never wait for each other in a circle.
    let mut by_message: ByMessage = BTreeMap::new();
    for (key, evidence) in batch.iter().flatten() {
        by_message.entry(*key).or_default().push(evidence.clone());
    }
    let verdicts = merge_each(&ports, &by_message).await;
    batch.iter().map(|request| of_request(request, &verdicts)).collect()
}

/// Returns the results of one request's evidence. A failure that concerns only other requests' messages is left out.
fn of_request(request: &EvidenceBatch, verdicts: &Verdicts) -> Result<Vec<Merge>, Failure> {
    request.iter().map(|(key, _)| of_message(verdicts, key)).collect()
}

fn of_message(verdicts: &Verdicts, key: &MessageKey) -> Result<Merge, Failure> {
    match verdicts.get(key) {
        Some(verdict) => verdict.clone().map(|(merge, _)| merge),
        None => Ok(Merge::NoSuchMessage),
    }
}

/// Records reports, and changes the messages that must change by them. Each request gets the results of its own reports.
///
/// Reports of one message may be recorded by two processes at once, of which each sees the message as it was before the
/// other one changed it. Whoever saves a message as failed therefore looks at its reports once more afterwards: another one
/// that saw the message before that save was recorded before it, too.
pub(super) async fn settle(ports: &Ports, batch: &[Vec<StatusRecord>]) -> Vec<Result<Vec<Settled>, Failure>> {
    let records: Vec<StatusRecord> = batch.concat();
    if records.is_empty() {
        return batch.iter().map(|_| Ok(Vec::new())).collect();
    }
    let stood = ports.statuses.record_statuses(&records).await;
    let mut changing: ByMessage = BTreeMap::new();
    // The result that a report has by itself; the others have their message's.
    let mut results = Vec::with_capacity(records.len());
    for (record, stood) in records.into_iter().zip(stood) {
        let key = record.key;
        if let Ok(Some(standing)) = &stood {
            measure(ports, standing, &record.reported);
        }
        let trace = stood.as_ref().ok().and_then(|standing| standing.as_ref()?.trace);
        let own = match stood {
            Ok(Some(standing)) if !standing.is_changed_by(&record.reported.evidence) => Some(Ok(Merge::Merged)),
            Ok(Some(_)) => {
                changing.entry(key).or_default().push(record.reported.evidence);
                None
            }
            Ok(None) => Some(Ok(Merge::NoSuchMessage)),
            Err(error) => Some(verdict(Err(error.into()))),
        };
        results.push((key, own, trace));
    }
    let mut verdicts = merge_recorded(ports, &changing).await;
    changing.retain(|key, _| matches!(verdicts.get(key), Some(Ok((_, Status::Failed)))));
    verdicts.extend(merge_recorded(ports, &changing).await);
    let mut results = results.into_iter().map(|(key, own, trace)| {
        let merge = own.unwrap_or_else(|| of_message(&verdicts, &key));
        merge.map(|merge| Settled { merge, trace })
    });
    batch
        .iter()
        .map(|request| results.by_ref().take(request.len()).collect())
        .collect()
}

/// Counts how long after the call that it is about a report came, if it is one of the first that each message has.
fn measure(ports: &Ports, standing: &Standing, Reported { evidence, received_at }: &Reported) {
    let stage = match evidence.status {
        EvidenceStatus::Sent => Stage::Sent,
        EvidenceStatus::Delivered => Stage::Delivered,
        EvidenceStatus::Read | EvidenceStatus::Played | EvidenceStatus::Failed => return,
    };
    let Some((attempt, called_at)) = standing.last_call else {
        return;
    };
    // A message to a group has a report for each participant.
    let is_of_call = evidence.attempt.is_none_or(|of| of == attempt) && evidence.participant.is_none();
    if is_of_call && standing.report_is_new {
        let traced = Traced {
            span: standing.trace,
            at: *received_at,
        };
        let took = received_at.since(called_at);
        ports.metrics.stages.of(stage).observe_in(traced, took);
    }
}

type ByMessage = BTreeMap<MessageKey, Vec<Evidence>>;
/// The results for each message, and the status that it has then.
type Verdicts = HashMap<MessageKey, Result<(Merge, Status), Failure>>;

/// Merges evidence, together with all that was reported on the same messages before.
async fn merge_recorded(ports: &Ports, by_message: &ByMessage) -> Verdicts {
    if by_message.is_empty() {
        return HashMap::new();
    }
    let keys: Vec<MessageKey> = by_message.keys().copied().collect();
    let recorded = match ports.statuses.reports_of(&keys).await {
        Ok(recorded) => recorded,
        Err(error) => return keys.into_iter().map(|key| (key, Err(error.clone().into()))).collect(),
    };
    let mut all = by_message.clone();
    for (key, recorded) in keys.into_iter().zip(recorded) {
        let evidence = recorded.into_iter().map(|reported| reported.evidence);
        all.entry(key).or_default().extend(evidence);
    }
    merge_each(ports, &all).await
}

async fn merge_each(ports: &Ports, by_message: &ByMessage) -> Verdicts {
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
    let verdict = |change: Result<Change, Failure>| {
        let status = match &change {
            Ok(Change::Saved(message)) => message.delivery.status,
            // What was not saved needs no second look.
            _ => Status::Queued,
        };
        verdict(change.map(|change| !matches!(change, Change::Gone))).map(|merge| (merge, status))
    };
    changes
        .into_iter()
        .map(|(key, change)| (key, verdict(change)))
        .collect()
}

fn apply(message: &mut Message, now: Timestamp, evidence: &[Evidence]) -> Step {
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

/// `Ok(false)` if there is no such message.
fn verdict(found: Result<bool, Failure>) -> Result<Merge, Failure> {
    match found {
        Ok(true) => Ok(Merge::Merged),
        // A status of an unreadable message must not keep Meta's other reports from being stored.
        Ok(false) | Err(Failure::Store(StoreError::Corrupt(_) | StoreError::Unreadable(_))) => Ok(Merge::NoSuchMessage),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
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
            participant: None,
        };
        let about = |keys: &[MessageKey]| {
            keys.iter()
                .map(|key| (*key, delivered.clone()))
                .collect::<EvidenceBatch>()
        };
        let failure = Failure::Store(StoreError::Unavailable("away".into()));
        let verdicts = HashMap::from([
            (known, Ok((Merge::Merged, Status::Delivered))),
            (unknown, Ok((Merge::NoSuchMessage, Status::Queued))),
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
        assert_eq!(verdict(Ok(false)), Ok(Merge::NoSuchMessage));
    }
}
