//! Messages that come again. Meta repeats itself word for word; what comes with another content is kept beside the first.

use serde_json::Value;

use super::events::{Element, Events};
use crate::domain::webhook::WebhookEvent;
use crate::domain::{Message, MessageKey};
use crate::ports::{MessageStore, Received, StoreError};
#[cfg(doc)]
use crate::{domain::EventReason, ports::LOAD_BYTES_MAX};

/// The events ([`EventReason::Corrected`]) of those messages that are known, and came with another content now.
pub(super) async fn corrections(
    store: &dyn MessageStore,
    events: &Events,
    elements: &[Element],
    received: &[Received],
) -> Result<Vec<WebhookEvent>, StoreError> {
    let mut again: Vec<(&Element, Option<MessageKey>)> = Vec::new();
    for (element, received) in elements.iter().zip(received) {
        if let Received::Duplicate(first) = received {
            again.push((element, *first));
        }
    }
    let mut corrected = Vec::new();
    while !again.is_empty() {
        let keys: Vec<MessageKey> = again.iter().filter_map(|(_, first)| *first).collect();
        let mut found = load(store, &keys).await.into_iter();
        let mut later = Vec::new();
        for (element, first) in again {
            let owner = first;
            let first = match first.and_then(|_| found.next()) {
                Some(Err(StoreError::NotReadYet)) => {
                    later.push((element, first));
                    continue;
                }
                Some(Ok(first)) => first,
                // It cannot be compared, so it is kept.
                None | Some(Err(StoreError::Unreadable(_))) => None,
                Some(Err(error)) => return Err(error),
            };
            // Of one whose content was removed nothing is left to compare with.
            if first
                .as_ref()
                .is_some_and(|first| first.accepted.content.removed_at.is_some())
            {
                continue;
            }
            if !first.is_some_and(|first| is_as_known(&first, element)) {
                // Who has the number now need not be who received the message.
                let owner = owner.map(|key| key.tenant_id);
                corrected.extend(events.of_correction(owner, element));
            }
        }
        again = later;
    }
    Ok(corrected)
}

/// Reads within [`LOAD_BYTES_MAX`], and at least one.
async fn load(store: &dyn MessageStore, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
    if keys.is_empty() {
        return Vec::new();
    }
    store.load(keys).await
}

fn is_as_known(first: &Message, element: &Element) -> bool {
    let (first, again) = (first.accepted.content.envelope.as_deref(), element.raw.as_deref());
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    first == again
        || first
            .and_then(parsed)
            .is_some_and(|first| Some(first) == again.and_then(parsed))
}
