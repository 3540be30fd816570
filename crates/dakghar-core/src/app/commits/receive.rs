//! Stores the parts of webhooks. Parts of one kind share a write, and all kinds are written at the same time.

use futures_util::future;

use super::merge::{Settled, settle};
use crate::app::failure::Failure;
use crate::domain::WebhookEvent;
use crate::domain::message::StatusRecord;
use crate::group_commit::GroupCommit;
use crate::ports::{Ports, Received, ReceivedMessage};

/// The parts of webhooks on their way into the store.
pub(in crate::app) type Receives = GroupCommit<Inbound, Result<Stored, Failure>>;

/// The content of one POST from Meta, as the store takes it.
#[derive(Default)]
pub(in crate::app) struct Inbound {
    pub(in crate::app) messages: Vec<ReceivedMessage>,
    pub(in crate::app) statuses: Vec<StatusRecord>,
    pub(in crate::app) events: Vec<WebhookEvent>,
}

/// The results of one POST, in the order of its parts.
#[derive(Debug)]
pub(in crate::app) struct Stored {
    pub(in crate::app) messages: Vec<Received>,
    pub(in crate::app) statuses: Vec<Settled>,
}

/// Commits several POSTs at once. No kind waits for another. A POST fails as a whole when any part of it fails, and
/// Meta posts it again.
pub(super) async fn commit(ports: Ports, batch: Vec<Inbound>) -> Vec<Result<Stored, Failure>> {
    let mut messages = Vec::with_capacity(batch.len());
    let mut events = Vec::new();
    let mut statuses = Vec::with_capacity(batch.len());
    let mut parts = Vec::with_capacity(batch.len());
    for inbound in batch {
        parts.push((inbound.messages.len(), !inbound.events.is_empty()));
        messages.extend(inbound.messages);
        events.extend(inbound.events);
        statuses.push(inbound.statuses);
    }
    // Skip empty kinds: they must not cost a round trip.
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
    let (received, merged, recorded) = future::join3(receive, settle(&ports, &statuses), record).await;
    let mut received = received.into_iter();
    parts
        .into_iter()
        .zip(merged)
        .map(|((count, has_events), merged)| {
            // Taken even if the POST has failed: the results that follow belong to the next POST.
            let messages: Vec<_> = received.by_ref().take(count).collect();
            if has_events {
                recorded.clone()?;
            }
            Ok(Stored {
                messages: messages.into_iter().collect::<Result<_, _>>()?,
                statuses: merged?,
            })
        })
        .collect()
}
