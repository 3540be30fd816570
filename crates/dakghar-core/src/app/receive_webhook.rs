//! Receives what Meta posts: every part of it is durable before the answer.
//!
//! Nothing is applied later. If the process dies before the answer, Meta posts the same body again and every write
//! absorbs the repetition; after the answer there is nothing left to do.

use std::collections::HashMap;

use aws_lc_rs::digest;

use super::App;
use super::commits::{EvidenceResult, Inbound, flatten};
use super::directory::Found;
use crate::domain::message::timeline::{TimelineEntry, TimelineEvent};
use crate::domain::message::{
    ATTEMPTS_MAX_DEFAULT, Accepted, Content, Delivery, Direction, Evidence, Message, Priority, UnknownOutcome,
};
use crate::domain::tenant::SharedTenant;
use crate::domain::webhook::{EventReason, InboundMessage, OtherPart, StatusReport, WebhookEvent, WebhookPart};
use crate::domain::{
    ConversationId, ConversationTouch, ErrorCode, MessageKey, PhoneNumberId, Problem, TenantId, Timestamp,
};
use crate::ports::{Received, ReceivedMessage, SignatureCheck, StoreError};

/// What a webhook came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookReceipt {
    /// Messages from people, stored now.
    pub messages: usize,
    /// Statuses merged.
    pub statuses: usize,
    /// Events kept for a tenant.
    pub events: usize,
    /// Parts that nobody could be found for, or that could not be understood; kept and visible.
    pub unrouted: usize,
    /// Messages received before.
    pub duplicates: usize,
}

#[derive(Default)]
struct Sorted {
    messages: Vec<ReceivedMessage>,
    evidence: Vec<(MessageKey, Evidence, StatusReport)>,
    by_wamid: Vec<(TenantId, StatusReport)>,
    events: Vec<WebhookEvent>,
    /// Why some parts are missing here: their tenant could not be read.
    left_out: Option<StoreError>,
}

impl App {
    /// Whether Meta may use this webhook URL; answers what must be sent back.
    pub fn verify_webhook<'a>(&self, mode: &str, token: &str, challenge: &'a str) -> Result<&'a str, Problem> {
        const CHALLENGE_BYTES_MAX: usize = 256;
        let is_ours = self.ports().webhooks.is_verify_token(token);
        if mode == "subscribe" && is_ours && challenge.len() <= CHALLENGE_BYTES_MAX {
            Ok(challenge)
        } else {
            Err(Problem::new(
                ErrorCode::VerificationFailed,
                "The mode or the verify token is wrong.",
            ))
        }
    }

    /// Stores everything in a webhook's body. `signatures` are the values of its `X-Hub-Signature-256` headers.
    pub async fn receive_webhook(&self, body: &[u8], signatures: &[&[u8]]) -> Result<WebhookReceipt, Problem> {
        if self.ports().webhooks.check_signature(body, signatures) == SignatureCheck::Invalid {
            return Err(Problem::new(
                ErrorCode::InvalidSignature,
                "X-Hub-Signature-256 must sign the raw body.",
            ));
        }
        let mut sorted = self.sort(self.ports().webhooks.parse(body)).await?;
        self.place_by_wamid(&mut sorted).await?;
        let left_out = sorted.left_out.take();
        let receipt = self.store(sorted).await?;
        // Meta posts all of it again until that tenant can be read; what was stored of the others absorbs it.
        left_out.map_or(Ok(receipt), |error| Err(error.into()))
    }

    /// Finds out whose each part is.
    async fn sort(&self, parts: Vec<WebhookPart>) -> Result<Sorted, Problem> {
        let now = self.now();
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
                (WebhookPart::Message(inbound), Some(tenant)) => self.sort_message(&mut sorted, &tenant, inbound, now),
                (WebhookPart::Message(inbound), None) => sorted.events.push(self.unrouted_message(&inbound, now)),
                (WebhookPart::Status(report), Some(tenant)) => self.sort_status(&mut sorted, &tenant, report),
                (WebhookPart::Status(report), None) => {
                    let reason = EventReason::UnknownNumber;
                    sorted.events.push(self.unrouted_status(None, reason, &report, now));
                }
                (WebhookPart::Other(other), owner) => self.sort_other(&mut sorted, owner, &other, now).await?,
            }
        }
        Ok(sorted)
    }

    async fn owners_of(&self, parts: &[WebhookPart]) -> Result<HashMap<PhoneNumberId, Found>, Problem> {
        let mut numbers: Vec<PhoneNumberId> = parts.iter().filter_map(WebhookPart::phone_number_id).cloned().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let owners = self.directory().owners(&numbers).await?;
        Ok(numbers.into_iter().zip(owners).collect())
    }

    fn sort_message(&self, sorted: &mut Sorted, tenant: &SharedTenant, inbound: InboundMessage, now: Timestamp) {
        let conversation_id = inbound
            .from_id
            .as_ref()
            .map(|from| ConversationId::of(&tenant.id, &inbound.phone_number_id, from));
        let accepted = Accepted {
            id: self.ports().ids.message_id(),
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
        let thread = conversation_id.zip(message.accepted.peer_id.clone());
        let touch = thread.map(|(id, wa_id)| ConversationTouch {
            id,
            tenant_id: tenant.id,
            phone_number_id: message.accepted.phone_number_id.clone(),
            wa_id,
            message_id: message.accepted.id,
            // A webhook that was late for a day must not open today's window.
            at: inbound.sent_at.unwrap_or(now).min(now),
            direction: Direction::Inbound,
        });
        sorted.messages.push(ReceivedMessage { message, touch });
    }

    fn sort_status(&self, sorted: &mut Sorted, tenant: &SharedTenant, report: StatusReport) {
        let named = report
            .opaque
            .as_deref()
            .and_then(|opaque| self.shared.opaque.verify(opaque, tenant.id, &report.phone_number_id));
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
        now: Timestamp,
    ) -> Result<(), Problem> {
        let found = match (owner, &other.waba_id) {
            (Some(owner), _) => vec![Ok(Some(owner))],
            (None, Some(waba_id)) if other.phone_number_id.is_none() => {
                self.directory().owners_of_waba(waba_id).await?
            }
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
            sorted.events.push(self.event(None, reason, other, now));
        }
        for owner in owners {
            sorted.events.push(self.event(Some(owner.id), reason, other, now));
        }
        sorted.left_out = unread.or(sorted.left_out.take());
        Ok(())
    }

    /// Statuses that do not carry our callback data: found by Meta's id, or kept as events.
    async fn place_by_wamid(&self, sorted: &mut Sorted) -> Result<(), Problem> {
        if sorted.by_wamid.is_empty() {
            return Ok(());
        }
        let refs: Vec<_> = sorted
            .by_wamid
            .iter()
            .map(|(tenant_id, report)| (*tenant_id, report.phone_number_id.clone(), report.wamid.clone()))
            .collect();
        let now = self.now();
        let keys = self.ports().messages.find_by_wamid(&refs).await?;
        for ((tenant_id, report), key) in sorted.by_wamid.drain(..).zip(keys) {
            match key {
                Some(key) => sorted.evidence.push((key, evidence(&report, None), report)),
                None => {
                    let event = self.unrouted_status(Some(tenant_id), EventReason::UnknownMessage, &report, now);
                    sorted.events.push(event);
                }
            }
        }
        Ok(())
    }

    async fn store(&self, sorted: Sorted) -> Result<WebhookReceipt, Problem> {
        let Sorted {
            messages,
            evidence,
            events,
            ..
        } = sorted;
        let mut receipt = WebhookReceipt {
            statuses: evidence.len(),
            ..WebhookReceipt::default()
        };
        for event in &events {
            if event.tenant_id.is_some() && event.reason == EventReason::Routed {
                receipt.events += 1;
            } else {
                receipt.unrouted += 1;
            }
        }
        let inbound = Inbound {
            messages,
            evidence: evidence
                .iter()
                .map(|(key, evidence, _)| (*key, evidence.clone()))
                .collect(),
            events,
        };
        let stored = flatten(self.commits().receive.submit(inbound).await)?;
        receipt.messages = stored
            .messages
            .iter()
            .filter(|received| **received == Received::New)
            .count();
        receipt.duplicates = stored.messages.len() - receipt.messages;

        // A status that names a message we do not have (a restored backup, say) or cannot read must not vanish.
        let now = self.now();
        let orphans: Vec<WebhookEvent> = stored
            .evidence
            .iter()
            .zip(&evidence)
            .filter(|(result, _)| **result == EvidenceResult::NoSuchMessage)
            .map(|(_, (key, _, report))| {
                self.unrouted_status(Some(key.tenant_id), EventReason::UnknownMessage, report, now)
            })
            .collect();
        if !orphans.is_empty() {
            receipt.statuses -= orphans.len();
            receipt.unrouted += orphans.len();
            let orphans = Inbound {
                events: orphans,
                ..Inbound::default()
            };
            flatten(self.commits().receive.submit(orphans).await)?;
        }
        Ok(receipt)
    }

    fn unrouted_message(&self, inbound: &InboundMessage, now: Timestamp) -> WebhookEvent {
        let part = OtherPart {
            phone_number_id: Some(inbound.phone_number_id.clone()),
            waba_id: inbound.waba_id.clone(),
            field: "messages".into(),
            problem: None,
            raw: inbound.raw.clone(),
        };
        self.event(None, EventReason::UnknownNumber, &part, now)
    }

    fn unrouted_status(
        &self,
        tenant_id: Option<TenantId>,
        reason: EventReason,
        report: &StatusReport,
        now: Timestamp,
    ) -> WebhookEvent {
        let part = OtherPart {
            phone_number_id: Some(report.phone_number_id.clone()),
            waba_id: report.waba_id.clone(),
            field: "statuses".into(),
            problem: None,
            raw: report.raw.clone(),
        };
        self.event(tenant_id, reason, &part, now)
    }

    fn event(
        &self,
        tenant_id: Option<TenantId>,
        reason: EventReason,
        part: &OtherPart,
        now: Timestamp,
    ) -> WebhookEvent {
        WebhookEvent {
            id: self.ports().ids.event_id(),
            tenant_id,
            reason,
            field: part.field.clone(),
            phone_number_id: part.phone_number_id.clone(),
            waba_id: part.waba_id.clone(),
            problem: part.problem.clone(),
            raw: part.raw.clone(),
            fingerprint: fingerprint(tenant_id, part),
            received_at: now,
        }
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

fn fingerprint(tenant_id: Option<TenantId>, part: &OtherPart) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    let tenant = tenant_id.map(|id| id.to_string());
    let number = part.phone_number_id.as_ref().map(PhoneNumberId::as_str);
    let fields: [Option<&str>; 5] = [
        tenant.as_deref(),
        number,
        part.waba_id.as_ref().map(super::super::domain::ids::WabaId::as_str),
        Some(&part.field),
        Some(&part.raw),
    ];
    for field in fields {
        let field = field.unwrap_or_default();
        context.update(&(field.len() as u64).to_be_bytes());
        context.update(field.as_bytes());
    }
    context.finish().as_ref().try_into().expect("SHA-256 is 32 bytes")
}
