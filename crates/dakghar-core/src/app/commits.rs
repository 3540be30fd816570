//! The group commits: every durable step of the hot paths goes through one of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Ports;
use super::accept_message::{self, AcceptCommit};
use crate::domain::message::{Evidence, Message};
use crate::domain::{ConversationTouch, MessageKey, Problem, WebhookEvent};
use crate::group_commit::{BoxFuture, GroupCommit, Limits};
use crate::ports::{Accepted, MessageStore, QueueEntry, Received, Saved, StoreError};

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

pub(super) struct Commits {
    pub(super) accept: GroupCommit<AcceptCommit, Result<(Accepted, Option<QueueEntry>), StoreError>>,
    pub(super) save: GroupCommit<Message, Result<Saved, StoreError>>,
    pub(super) receive: GroupCommit<Vec<Message>, Result<Vec<Received>, StoreError>>,
    pub(super) merge: GroupCommit<EvidenceBatch, Result<Vec<EvidenceResult>, StoreError>>,
    pub(super) touch: GroupCommit<Vec<ConversationTouch>, Result<(), StoreError>>,
    pub(super) record: GroupCommit<Vec<WebhookEvent>, Result<(), StoreError>>,
    pub(super) enqueue: GroupCommit<QueueEntry, ()>,
}

impl Commits {
    pub(super) fn new(ports: &Ports, limits: Limits) -> (Self, Vec<BoxFuture<()>>) {
        let (accept, accepting) = {
            let ports = ports.clone();
            GroupCommit::new(limits, move |batch| accept_message::commit(ports.clone(), batch))
        };
        let (save, saving) = {
            let messages = ports.messages.clone();
            GroupCommit::new(limits, move |batch| save(messages.clone(), batch))
        };
        let (receive, receiving) = {
            let messages = ports.messages.clone();
            GroupCommit::new(limits, move |batch| receive(messages.clone(), batch))
        };
        let (merge, merging) = {
            let ports = ports.clone();
            GroupCommit::new(limits, move |batch| merge(ports.clone(), batch))
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
        let (record, recording) = {
            let events = ports.events.clone();
            GroupCommit::new(limits, move |batch: Vec<Vec<WebhookEvent>>| {
                let events = events.clone();
                async move {
                    let requests = batch.len();
                    let result = events.record(&batch.concat()).await;
                    vec![result; requests]
                }
            })
        };
        let (enqueue, enqueuing) = {
            let queue = ports.queue.clone();
            GroupCommit::new(limits, move |batch: Vec<QueueEntry>| {
                let queue = queue.clone();
                async move {
                    if let Err(error) = queue.enqueue(&batch).await {
                        // Every one of them has a timer in the store that brings it back.
                        tracing::warn!(%error, messages = batch.len(), "messages could not be put into the queue yet");
                    }
                    vec![(); batch.len()]
                }
            })
        };
        let running = vec![accepting, saving, receiving, merging, touching, recording, enqueuing];
        (
            Self {
                accept,
                save,
                receive,
                merge,
                touch,
                record,
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

async fn receive(messages: Arc<dyn MessageStore>, batch: Vec<Vec<Message>>) -> Vec<Result<Vec<Received>, StoreError>> {
    let sizes: Vec<usize> = batch.iter().map(Vec::len).collect();
    let mut answers = messages
        .receive(batch.into_iter().flatten().collect())
        .await
        .into_iter();
    sizes
        .into_iter()
        .map(|size| answers.by_ref().take(size).collect())
        .collect()
}

/// Loads, merges and saves until nobody else saved in between.
async fn merge(ports: Ports, batch: Vec<EvidenceBatch>) -> Vec<Result<Vec<EvidenceResult>, StoreError>> {
    let mut by_message: HashMap<MessageKey, Vec<&Evidence>> = HashMap::new();
    for (key, evidence) in batch.iter().flatten() {
        by_message.entry(*key).or_default().push(evidence);
    }
    let outcome = merge_all(&ports, by_message).await;
    batch
        .iter()
        .map(|request| match &outcome {
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
        })
        .collect()
}

/// Answers the messages that do not exist or cannot be read.
async fn merge_all(
    ports: &Ports,
    mut open: HashMap<MessageKey, Vec<&Evidence>>,
) -> Result<HashSet<MessageKey>, StoreError> {
    let mut missing = HashSet::new();
    for _ in 0..STALE_ROUNDS_MAX {
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
        let mut stale = HashMap::new();
        for (message, saved) in changed.iter().zip(saved) {
            if saved? == Saved::Stale {
                let key = message.key();
                stale.insert(key, open.remove(&key).unwrap_or_default());
            }
        }
        if stale.is_empty() {
            return Ok(missing);
        }
        open = stale;
    }
    Err(StoreError::Unavailable("a message kept changing".into()))
}

/// Turns both ways a group commit can fail into the problem of the caller.
pub(super) fn flatten<T>(result: Result<Result<T, StoreError>, crate::group_commit::Rejected>) -> Result<T, Problem> {
    Ok(result??)
}
