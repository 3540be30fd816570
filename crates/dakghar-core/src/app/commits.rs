//! The group commits: every durable step of the hot paths goes through one of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::future;

use super::Ports;
use super::accept_message::{self, AcceptCommit};
use super::backlogs::Backlogs;
use crate::domain::message::{Evidence, Message};
use crate::domain::{ConversationTouch, MessageKey, Problem, WebhookEvent};
use crate::group_commit::{BoxFuture, GroupCommit, Limits};
use crate::ports::{Accepted, MessageStore, QueueEntry, Received, ReceivedMessage, Saved, SlotAsk, StoreError};

/// How often a merge is tried again when somebody else saved the same message in between.
const STALE_ROUNDS_MAX: usize = 16;

/// What became of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EvidenceResult {
    /// Merged, or known before.
    Merged,
    /// The message does not exist, or cannot be read.
    NoSuchMessage,
}

type EvidenceBatch = Vec<(MessageKey, Evidence)>;

/// What Meta reported in one POST, as the store takes it.
#[derive(Default)]
pub(super) struct Inbound {
    pub(super) messages: Vec<ReceivedMessage>,
    pub(super) evidence: EvidenceBatch,
    pub(super) events: Vec<WebhookEvent>,
}

/// What became of it, in its order.
pub(super) struct Stored {
    pub(super) messages: Vec<Received>,
    pub(super) evidence: Vec<EvidenceResult>,
}

/// A stored message on its way into the queue.
pub(super) struct Enqueue {
    pub(super) entry: QueueEntry,
    /// What to reserve its slot with, if it has none of its own yet.
    pub(super) slot: Option<SlotAsk>,
}

impl From<QueueEntry> for Enqueue {
    fn from(entry: QueueEntry) -> Self {
        Self { entry, slot: None }
    }
}

pub(super) struct Commits {
    pub(super) accept: GroupCommit<AcceptCommit, Result<Accepted, StoreError>>,
    pub(super) save: GroupCommit<Message, Result<Saved, StoreError>>,
    pub(super) receive: GroupCommit<Inbound, Result<Stored, StoreError>>,
    pub(super) merge: GroupCommit<EvidenceBatch, Result<Vec<EvidenceResult>, StoreError>>,
    pub(super) touch: GroupCommit<Vec<ConversationTouch>, Result<(), StoreError>>,
    pub(super) enqueue: GroupCommit<Enqueue, ()>,
}

impl Commits {
    pub(super) fn new(ports: &Ports, limits: Limits) -> (Self, Vec<BoxFuture<()>>) {
        let backlogs = Arc::new(Backlogs::default());
        let (enqueue, enqueuing) = {
            let (ports, backlogs) = (ports.clone(), backlogs.clone());
            GroupCommit::new(limits, move |batch| enqueue(ports.clone(), backlogs.clone(), batch))
        };
        let (accept, accepting) = {
            let (ports, enqueue) = (ports.clone(), enqueue.clone());
            GroupCommit::new(limits, move |batch| {
                accept_message::commit(ports.clone(), backlogs.clone(), enqueue.clone(), batch)
            })
        };
        let (save, saving) = {
            let messages = ports.messages.clone();
            GroupCommit::new(limits, move |batch| save(messages.clone(), batch))
        };
        let (receive, receiving) = {
            let ports = ports.clone();
            GroupCommit::new(limits, move |batch| receive(ports.clone(), batch))
        };
        let (merge, merging) = {
            let ports = ports.clone();
            GroupCommit::new(limits, move |batch| {
                let ports = ports.clone();
                async move { merge(&ports, &batch).await }
            })
        };
        let (touch, touching) = {
            let messages = ports.messages.clone();
            GroupCommit::new(limits, move |batch: Vec<Vec<ConversationTouch>>| {
                let messages = messages.clone();
                async move {
                    let requests = batch.len();
                    let result = messages.touch_conversations(&batch.concat()).await;
                    vec![result; requests]
                }
            })
        };
        let running = vec![accepting, saving, receiving, merging, touching, enqueuing];
        (
            Self {
                accept,
                save,
                receive,
                merge,
                touch,
                enqueue,
            },
            running,
        )
    }
}

/// Saves each message once: a second one of the same version can only be stale.
async fn save(messages: Arc<dyn MessageStore>, batch: Vec<Message>) -> Vec<Result<Saved, StoreError>> {
    let mut seen = HashSet::with_capacity(batch.len());
    let first: Vec<bool> = batch.iter().map(|message| seen.insert(message.key())).collect();
    let unique: Vec<Message> = batch
        .into_iter()
        .zip(&first)
        .filter_map(|(message, first)| first.then_some(message))
        .collect();
    let mut saved = messages.save(&unique).await.into_iter();
    first
        .into_iter()
        .map(|first| {
            if first {
                saved.next().unwrap_or_else(missing_answer)
            } else {
                Ok(Saved::Stale)
            }
        })
        .collect()
}

fn missing_answer<T>() -> Result<T, StoreError> {
    Err(StoreError::Corrupt("an answer is missing".into()))
}

/// Stores all parts of what several POSTs reported, each kind together and all kinds at the same time: none waits for
/// another, and whatever fails is posted again as a whole.
async fn receive(ports: Ports, batch: Vec<Inbound>) -> Vec<Result<Stored, StoreError>> {
    let mut messages = Vec::with_capacity(batch.len());
    let mut events = Vec::new();
    let mut evidence = Vec::with_capacity(batch.len());
    let mut parts = Vec::with_capacity(batch.len());
    for inbound in batch {
        parts.push((inbound.messages.len(), !inbound.events.is_empty()));
        messages.extend(inbound.messages);
        events.extend(inbound.events);
        evidence.push(inbound.evidence);
    }
    // What there is none of must not cost a round trip.
    let receive = async {
        if messages.is_empty() {
            Vec::new()
        } else {
            ports.messages.receive(messages).await
        }
    };
    let record = async {
        if events.is_empty() {
            Ok(())
        } else {
            ports.events.record(&events).await
        }
    };
    let (received, merged, recorded) = future::join3(receive, merge(&ports, &evidence), record).await;
    let mut received = received.into_iter();
    parts
        .into_iter()
        .zip(merged)
        .map(|((count, has_events), merged)| {
            // Taken in any case: the answers that follow are those of the next POST.
            let messages: Vec<_> = received.by_ref().take(count).collect();
            if has_events {
                recorded.clone()?;
            }
            Ok(Stored {
                messages: messages.into_iter().collect::<Result<_, _>>()?,
                evidence: merged?,
            })
        })
        .collect()
}

/// Loads, merges and saves until nobody else saved in between.
async fn merge(ports: &Ports, batch: &[EvidenceBatch]) -> Vec<Result<Vec<EvidenceResult>, StoreError>> {
    let mut by_message: BTreeMap<MessageKey, Vec<&Evidence>> = BTreeMap::new();
    for (key, evidence) in batch.iter().flatten() {
        by_message.entry(*key).or_default().push(evidence);
    }
    let outcome = merge_all(ports, by_message).await;
    batch.iter().map(|request| part_of(&outcome, request)).collect()
}

/// What one POST gets of an outcome that several share.
fn part_of(
    outcome: &Result<HashSet<MessageKey>, StoreError>,
    request: &EvidenceBatch,
) -> Result<Vec<EvidenceResult>, StoreError> {
    match outcome {
        // A POST without statuses has nothing to do with what became of the others'.
        Err(_) if request.is_empty() => Ok(Vec::new()),
        Err(error) => Err(error.clone()),
        Ok(missing) => Ok(request
            .iter()
            .map(|(key, _)| {
                if missing.contains(key) {
                    EvidenceResult::NoSuchMessage
                } else {
                    EvidenceResult::Merged
                }
            })
            .collect()),
    }
}

/// Answers the messages that do not exist or cannot be read. Goes through them in the order of their keys, so that the
/// same evidence leads to the same calls of the store.
async fn merge_all(
    ports: &Ports,
    mut open: BTreeMap<MessageKey, Vec<&Evidence>>,
) -> Result<HashSet<MessageKey>, StoreError> {
    let mut missing = HashSet::new();
    for _ in 0..STALE_ROUNDS_MAX {
        if open.is_empty() {
            return Ok(missing);
        }
        let keys: Vec<MessageKey> = open.keys().copied().collect();
        let now = ports.clock.now();
        let mut changed = Vec::new();
        for (key, message) in keys.iter().zip(ports.messages.load(&keys).await) {
            let mut message = match message {
                Ok(Some(message)) => message,
                // A status of a message that cannot be read must not keep Meta's other reports from being stored.
                Ok(None) | Err(StoreError::Corrupt(_)) => {
                    missing.insert(*key);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut is_changed = false;
            for evidence in &open[key] {
                is_changed |= message.merge_evidence(now, evidence) != crate::domain::message::Merged::Unchanged;
            }
            if is_changed {
                if message.is_duplicate_confirmed() {
                    tracing::warn!(message_id = %message.id, tenant_id = %message.tenant_id, "Meta took this message more than once");
                }
                changed.push(message);
            }
        }
        let saved = if changed.is_empty() {
            Vec::new()
        } else {
            ports.messages.save(&changed).await
        };
        let mut stale = BTreeMap::new();
        for (message, saved) in changed.iter().zip(saved) {
            if saved? == Saved::Stale {
                let key = message.key();
                stale.insert(key, open.remove(&key).unwrap_or_default());
            }
        }
        open = stale;
    }
    Err(StoreError::Unavailable("a message kept changing".into()))
}

/// Puts stored messages into the queue, each at its slot. Whatever does not get there has a timer in the store that
/// brings it back.
async fn enqueue(ports: Ports, backlogs: Arc<Backlogs>, batch: Vec<Enqueue>) -> Vec<()> {
    let requests = vec![(); batch.len()];
    let now = ports.clock.now();
    let asks: Vec<SlotAsk> = batch.iter().filter_map(|enqueue| enqueue.slot.clone()).collect();
    let mut slots = backlogs.reserve(&*ports.pacer, &asks, now).await.into_iter();
    let released_until = ports.queue.window().map(|window| now + window);
    let mut unused = Vec::new();
    let mut entries = Vec::with_capacity(batch.len());
    for Enqueue { mut entry, slot: ask } in batch {
        if let Some(ask) = ask
            && let Some(slot_at) = slots.next()
        {
            if released_until.is_some_and(|until| until < slot_at) {
                unused.push(ask);
                continue;
            }
            entry.slot_at = slot_at;
        }
        entries.push(entry);
    }
    if !unused.is_empty() {
        ports.pacer.refund(&unused).await;
    }
    if let Err(error) = ports.queue.enqueue(&entries).await {
        tracing::warn!(%error, messages = entries.len(), "messages could not be put into the queue yet");
    }
    requests
}

/// Turns both ways a group commit can fail into the problem of the caller.
pub(super) fn flatten<T>(result: Result<Result<T, StoreError>, crate::group_commit::Rejected>) -> Result<T, Problem> {
    Ok(result??)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::message::EvidenceStatus;
    use crate::domain::{MessageId, TenantId, Wamid};

    #[test]
    fn a_failed_merge_concerns_the_posts_with_statuses_only() {
        let [known, unknown] = [1, 2].map(|id| MessageKey {
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
        let none = EvidenceBatch::new();
        let both = vec![(known, delivered.clone()), (unknown, delivered)];

        let merged = Ok(HashSet::from([unknown]));
        assert_eq!(part_of(&merged, &none), Ok(Vec::new()));
        let expected = vec![EvidenceResult::Merged, EvidenceResult::NoSuchMessage];
        assert_eq!(part_of(&merged, &both), Ok(expected));

        let error = StoreError::Unavailable("away".into());
        assert_eq!(part_of(&Err(error.clone()), &none), Ok(Vec::new()));
        assert_eq!(part_of(&Err(error.clone()), &both), Err(error));
    }
}
