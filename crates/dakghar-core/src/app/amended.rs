//! Messages as they were edited and revoked.

use crate::domain::message::Message;
use crate::domain::{AmendedMessage, TenantId};
use crate::ports::{EventStore, StoreError};

/// Puts messages together with the strongest of their amendments.
pub(super) async fn amended(
    events: &dyn EventStore,
    tenant_id: &TenantId,
    messages: Vec<Message>,
    each: u32,
) -> Result<Vec<AmendedMessage>, StoreError> {
    let may_be = |message: &Message| message.is_reported();
    let refs: Vec<_> = (messages.iter().filter(|message| may_be(message)))
        .filter_map(|message| {
            Some((
                message.accepted.phone_number_id.clone(),
                message.delivery.wamid.clone()?,
            ))
        })
        .collect();
    let mut found = Vec::new();
    if !refs.is_empty() {
        found = events.amendments(tenant_id, &refs, each).await?;
    }
    let mut found = found.into_iter();
    let amended = messages.into_iter().map(|message| AmendedMessage {
        amendments: if may_be(&message) && message.delivery.wamid.is_some() {
            found.next().unwrap_or_default()
        } else {
            Vec::new()
        },
        message,
    });
    Ok(amended.collect())
}
