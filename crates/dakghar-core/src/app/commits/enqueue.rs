//! Stored messages on their way into the queue. Nobody waits for this step: a message that does not get there comes
//! back by its timer in the store.

use std::sync::Arc;

use super::backlogs::Backlogs;
use crate::domain::Message;
use crate::group_commit::GroupCommit;
use crate::ports::{Ports, QueueEntry, SlotAsk};

/// Stored messages on their way into the queue.
pub(in crate::app) type Enqueues = GroupCommit<Enqueue, ()>;

/// A stored message on its way into the queue.
pub(in crate::app) struct Enqueue {
    entry: QueueEntry,
    /// The reservation of its slot, if it has no slot yet.
    slot: Option<SlotAsk>,
}

impl Enqueue {
    /// A message that has its slot.
    pub(in crate::app) fn of(message: &Message) -> Self {
        Self::reserving(message, None, false)
    }

    /// A message whose slot is reserved on the way, and that a client may wait for.
    pub(super) fn reserving(message: &Message, slot: Option<SlotAsk>, is_awaited: bool) -> Self {
        let entry = QueueEntry {
            is_awaited,
            ..QueueEntry::of(message)
        };
        Self { entry, slot }
    }
}

/// Puts messages into the queue, each at its slot.
pub(super) async fn commit(ports: Ports, backlogs: Arc<Backlogs>, batch: Vec<Enqueue>) -> Vec<()> {
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
    match ports.queue.enqueue(&entries).await {
        Ok(()) => {
            if let Some(failures) = backlogs.queue_down.end() {
                tracing::info!(failures, "messages are put into the queue again");
            }
        }
        Err(error) => {
            if backlogs.queue_down.note() {
                tracing::warn!(%error, "messages cannot be put into the queue; their timers bring them back until it can");
            }
        }
    }
    requests
}
