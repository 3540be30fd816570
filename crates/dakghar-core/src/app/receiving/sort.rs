//! Finds the tenant of each part of a webhook.

use std::collections::HashMap;
use std::sync::Arc;

use super::events::Events;
use crate::app::failure::Failure;
use crate::app::tenants::directory::{Directory, Found};
use crate::domain::message::{
    ATTEMPTS_MAX_DEFAULT, Accepted, Content, Delivery, Direction, Evidence, Message, Priority, TimelineEntry,
    TimelineEvent, UnknownOutcome,
};
use crate::domain::opaque::OpaqueSigner;
use crate::domain::tenant::SharedTenant;
use crate::domain::webhook::{EventReason, InboundMessage, OtherPart, StatusReport, WebhookEvent, WebhookPart};
use crate::domain::{ConversationId, ConversationTouch, MessageKey, PhoneNumberId, TenantId};
use crate::ports::{MessageStore, ReceivedMessage, StoreError};

/// The parts of a webhook, by kind.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) messages: Vec<ReceivedMessage>,
    pub(super) evidence: Vec<(MessageKey, Evidence, StatusReport)>,
    by_wamid: Vec<(TenantId, StatusReport)>,
    pub(super) events: Vec<WebhookEvent>,
    /// Set if some parts are missing here because their tenant could not be read.
    pub(super) left_out: Option<StoreError>,
}

/// Sorts the parts of webhooks by tenant and kind.
pub(super) struct Sorter {
    pub(super) events: Events,
    pub(super) messages: Arc<dyn MessageStore>,
    pub(super) directory: Arc<Directory>,
    pub(super) opaque: Arc<OpaqueSigner>,
}

impl Sorter {
    /// Finds the tenant of each part.
    pub(super) async fn sort(&self, parts: Vec<WebhookPart>) -> Result<Sorted, Failure> {
        let owners = self.owners_of(&parts).await?;
        let mut sorted = Sorted::default();
        for part in parts {
            let owner = part.phone_number_id().and_then(|number| owners.get(number)).cloned();
            let owner = match owner.unwrap_or(Ok(None)) {
                Ok(owner) => owner,
                Err(error) => {
                    sorted.left_out = Some(error);
                    continue;
                }
            };
            match (part, owner) {
                (WebhookPart::Message(inbound), Some(tenant)) => self.sort_message(&mut sorted, &tenant, inbound),
                (WebhookPart::Message(inbound), None) => sorted.events.push(self.events.of_message(&inbound)),
                (WebhookPart::Status(report), Some(tenant)) => self.sort_status(&mut sorted, &tenant, report),
                (WebhookPart::Status(report), None) => {
                    let reason = EventReason::UnknownNumber;
                    sorted.events.push(self.events.of_status(None, reason, &report));
                }
                (WebhookPart::Other(other), owner) => self.sort_other(&mut sorted, owner, &other).await?,
            }
        }
        self.place_by_wamid(&mut sorted).await?;
        Ok(sorted)
    }

    async fn owners_of(&self, parts: &[WebhookPart]) -> Result<HashMap<PhoneNumberId, Found>, Failure> {
        let mut numbers: Vec<PhoneNumberId> = parts.iter().filter_map(WebhookPart::phone_number_id).cloned().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let owners = self.directory.owners(&numbers).await?;
        Ok(numbers.into_iter().zip(owners).collect())
    }

    fn sort_message(&self, sorted: &mut Sorted, tenant: &SharedTenant, inbound: InboundMessage) {
        let now = self.events.clock.now();
        let conversation_id = inbound
            .from_id
            .as_ref()
            .map(|from| ConversationId::of(&tenant.id, &inbound.phone_number_id, from));
        let accepted = Accepted {
            id: self.events.ids.message_id(),
            tenant_id: tenant.id,
            phone_number_id: inbound.phone_number_id,
            direction: Direction::Inbound,
            peer: inbound.from,
            peer_id: inbound.from_id,
            content: Content {
                kind: inbound.kind,
                body: inbound.body,
                envelope: Some(inbound.raw),
            },
            idempotency: None,
            metadata: None,
            client_opaque: None,
            priority: Priority::Normal,
            unknown_outcome: UnknownOutcome::Auto,
            attempts_max: ATTEMPTS_MAX_DEFAULT,
            created_at: now,
        };
        let mut delivery = Delivery::received(now);
        delivery.wamid = Some(inbound.wamid);
        delivery.conversation_id = conversation_id;
        let mut message = Message { accepted, delivery };
        let mut entry = TimelineEntry::new(now, TimelineEvent::Received);
        entry.until = inbound.sent_at;
        message.delivery.timeline.push(entry);
        let conversation = conversation_id.zip(message.accepted.peer_id.clone());
        let touch = conversation.map(|(id, wa_id)| ConversationTouch {
            id,
            tenant_id: tenant.id,
            phone_number_id: message.accepted.phone_number_id.clone(),
            wa_id,
            message_id: message.accepted.id,
            // A webhook that is a day late must not open today's window.
            at: inbound.sent_at.unwrap_or(now).min(now),
            direction: Direction::Inbound,
        });
        sorted.messages.push(ReceivedMessage { message, touch });
    }

    fn sort_status(&self, sorted: &mut Sorted, tenant: &SharedTenant, report: StatusReport) {
        let named = report
            .opaque
            .as_deref()
            .and_then(|opaque| self.opaque.verify(opaque, tenant.id, &report.phone_number_id));
        match named {
            Some((key, attempt)) => sorted.evidence.push((key, evidence(&report, Some(attempt)), report)),
            None => sorted.by_wamid.push((tenant.id, report)),
        }
    }

    async fn sort_other(
        &self,
        sorted: &mut Sorted,
        owner: Option<SharedTenant>,
        other: &OtherPart,
    ) -> Result<(), Failure> {
        let found = match (owner, &other.waba_id) {
            (Some(owner), _) => vec![Ok(Some(owner))],
            (None, Some(waba_id)) if other.phone_number_id.is_none() => self.directory.owners_of_waba(waba_id).await?,
            _ => Vec::new(),
        };
        let mut owners = Vec::with_capacity(found.len());
        let mut unread = None;
        for owner in found {
            match owner {
                Ok(owner) => owners.extend(owner),
                Err(error) => unread = Some(error),
            }
        }
        let reason = if other.problem.is_some() {
            EventReason::Malformed
        } else if !owners.is_empty() {
            EventReason::Routed
        } else if other.phone_number_id.is_some() {
            EventReason::UnknownNumber
        } else {
            EventReason::UnknownWaba
        };
        if owners.is_empty() && unread.is_none() {
            sorted.events.push(self.events.of_part(None, reason, other));
        }
        for owner in owners {
            sorted.events.push(self.events.of_part(Some(owner.id), reason, other));
        }
        sorted.left_out = unread.or(sorted.left_out.take());
        Ok(())
    }

    /// Finds the messages of statuses without our callback data by Meta's id. Those not found are kept as events.
    async fn place_by_wamid(&self, sorted: &mut Sorted) -> Result<(), Failure> {
        if sorted.by_wamid.is_empty() {
            return Ok(());
        }
        let refs: Vec<_> = sorted
            .by_wamid
            .iter()
            .map(|(_, report)| (report.phone_number_id.clone(), report.wamid.clone()))
            .collect();
        let keys = self.messages.find_by_wamid(&refs).await?;
        for ((tenant_id, report), key) in sorted.by_wamid.drain(..).zip(keys) {
            match key {
                Some(key) => sorted.evidence.push((key, evidence(&report, None), report)),
                None => {
                    let event = self
                        .events
                        .of_status(Some(tenant_id), EventReason::UnknownMessage, &report);
                    sorted.events.push(event);
                }
            }
        }
        Ok(())
    }
}

fn evidence(report: &StatusReport, attempt: Option<u32>) -> Evidence {
    Evidence {
        status: report.status,
        wamid: report.wamid.clone(),
        attempt,
        reported_at: report.reported_at,
        error: report.error.clone(),
        by_webhook: true,
    }
}
