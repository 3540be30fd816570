//! Calls of people, which open the customer service window as a message does.

use std::sync::Arc;

use crate::domain::WindowOpening;
use crate::domain::{ConversationId, ConversationKind, ConversationTouch, PhoneNumberId, TenantId, Timestamp, WaId};
use crate::ports::{Clock, ConversationStore, IdGenerator, Ports, StoreError};

/// A call of a person to a number.
pub(super) struct Call {
    pub(super) tenant_id: TenantId,
    pub(super) number: PhoneNumberId,
    /// The ids of the person; never empty.
    pub(super) ids: Vec<WaId>,
    pub(super) at: Option<Timestamp>,
}

/// Opens windows for calls. It is done before the answer to Meta, and doing it again changes nothing.
pub(super) struct Calls {
    conversations: Arc<dyn ConversationStore>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
}

impl Calls {
    pub(super) fn new(ports: &Ports) -> Self {
        Self {
            conversations: ports.conversations.clone(),
            clock: ports.clock.clone(),
            ids: ports.ids.clone(),
        }
    }

    /// Opens the windows. Who never wrote gets a conversation without a message.
    pub(super) async fn note(&self, calls: Vec<Call>) -> Result<(), StoreError> {
        if calls.is_empty() {
            return Ok(());
        }
        let now = self.clock.wall();
        let touches: Vec<ConversationTouch> = calls.into_iter().filter_map(|call| self.touch(call, now)).collect();
        let openings: Vec<WindowOpening> = touches
            .iter()
            .map(|touch| WindowOpening {
                tenant_id: touch.tenant_id,
                id: touch.id,
                at: touch.at,
            })
            .collect();
        let known = self.conversations.open_windows(&openings).await?;
        let new: Vec<ConversationTouch> = touches
            .into_iter()
            .zip(known)
            .filter(|(_, is_known)| !is_known)
            .map(|(touch, _)| touch)
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        self.conversations.touch(&new).await
    }

    fn touch(&self, call: Call, now: Timestamp) -> Option<ConversationTouch> {
        let mut ids = call.ids.into_iter();
        let wa_id = ids.next()?;
        Some(ConversationTouch {
            id: ConversationId::of(&call.tenant_id, &call.number, &wa_id),
            tenant_id: call.tenant_id,
            phone_number_id: call.number,
            kind: ConversationKind::Person,
            wa_id,
            message_id: self.ids.message_id(),
            at: call.at.unwrap_or(now).min(now),
            opens_window: true,
            also: ids.collect(),
            name: None,
        })
    }
}
