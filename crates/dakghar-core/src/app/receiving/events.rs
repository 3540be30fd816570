//! Parts of webhooks that are kept as events.

use std::sync::Arc;

use aws_lc_rs::digest;

use crate::domain::webhook::{EventReason, InboundMessage, OtherPart, StatusReport, WebhookEvent, framed, list_of};
use crate::domain::{PhoneNumberId, TenantId, WabaId};
use crate::ports::{Clock, IdGenerator, ReceivedMessage};

/// A message as it came.
pub(super) struct Element {
    pub(super) phone_number_id: PhoneNumberId,
    /// The list in which Meta's value had it.
    pub(super) list: &'static str,
    pub(super) raw: Option<Arc<str>>,
    pub(super) frame: Option<Arc<str>>,
}

impl From<&ReceivedMessage> for Element {
    fn from(received: &ReceivedMessage) -> Self {
        let accepted = &received.message.accepted;
        Self {
            phone_number_id: accepted.phone_number_id.clone(),
            list: list_of(accepted.origin),
            raw: accepted.content.envelope.clone(),
            frame: accepted.content.frame.clone(),
        }
    }
}

/// Makes events out of parts of webhooks.
pub(super) struct Events {
    pub(super) ids: Arc<dyn IdGenerator>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Events {
    /// Makes the event of a message for a number that no tenant has.
    pub(super) fn of_message(&self, inbound: &InboundMessage) -> WebhookEvent {
        let part = OtherPart {
            phone_number_id: Some(inbound.phone_number_id.clone()),
            display_digits: None,
            waba_id: inbound.waba_id.clone(),
            field: inbound.list().into(),
            problem: None,
            raw: whole(inbound.frame.as_deref(), inbound.list(), &inbound.raw),
            amends: None,
            signals: Vec::new(),
            news: None,
            waves: Vec::new(),
            told_at: None,
        };
        self.of_part(None, EventReason::UnknownNumber, &part)
    }

    /// Makes the event of a message that is known with another content. `None` if nothing was kept of how
    /// it came.
    pub(super) fn of_correction(&self, owner: Option<TenantId>, element: &Element) -> Option<WebhookEvent> {
        let raw = element.raw.as_ref()?;
        let part = OtherPart {
            phone_number_id: Some(element.phone_number_id.clone()),
            display_digits: None,
            waba_id: None,
            field: element.list.into(),
            problem: None,
            raw: whole(element.frame.as_deref(), element.list, raw),
            amends: None,
            signals: Vec::new(),
            news: None,
            waves: Vec::new(),
            told_at: None,
        };
        Some(self.of_part(owner, EventReason::Corrected, &part))
    }

    /// Makes the event of a status that belongs to no message.
    pub(super) fn of_status(
        &self,
        tenant_id: Option<TenantId>,
        reason: EventReason,
        report: &StatusReport,
    ) -> WebhookEvent {
        let part = OtherPart {
            phone_number_id: Some(report.phone_number_id.clone()),
            display_digits: None,
            waba_id: report.waba_id.clone(),
            field: "statuses".into(),
            problem: None,
            raw: whole(report.frame.as_deref(), "statuses", &report.raw),
            amends: None,
            signals: Vec::new(),
            news: None,
            waves: Vec::new(),
            told_at: None,
        };
        self.of_part(tenant_id, reason, &part)
    }

    /// Makes the event of any other part.
    pub(super) fn of_part(&self, tenant_id: Option<TenantId>, reason: EventReason, part: &OtherPart) -> WebhookEvent {
        WebhookEvent {
            id: self.ids.event_id(),
            tenant_id,
            reason,
            field: part.field.clone(),
            phone_number_id: part.phone_number_id.clone(),
            waba_id: part.waba_id.clone(),
            problem: part.problem.clone(),
            raw: part.raw.clone(),
            amends: part.amends.clone(),
            fingerprint: fingerprint(tenant_id, part),
            received_at: self.clock.now(),
        }
    }
}

/// The element with all that stood around it, in Meta's form.
fn whole(frame: Option<&str>, list: &str, raw: &Arc<str>) -> Arc<str> {
    let framed = frame.and_then(|frame| framed(frame, list, raw));
    framed.map_or_else(|| raw.clone(), Arc::from)
}

fn fingerprint(tenant_id: Option<TenantId>, part: &OtherPart) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    let tenant = tenant_id.map(|id| id.to_string());
    let number = part.phone_number_id.as_ref().map(PhoneNumberId::as_str);
    let account = part.waba_id.as_ref().map(WabaId::as_str);
    let fields: [Option<&str>; 5] = match &part.amends {
        // Known by Meta's id, as a message is: what stands around it may differ when it comes again.
        Some(amendment) => [
            tenant.as_deref(),
            number,
            None,
            Some("amends"),
            Some(amendment.by.as_str()),
        ],
        None => [tenant.as_deref(), number, account, Some(&part.field), Some(&part.raw)],
    };
    for field in fields {
        let field = field.unwrap_or_default();
        context.update(&(field.len() as u64).to_be_bytes());
        context.update(field.as_bytes());
    }
    context.finish().as_ref().try_into().expect("SHA-256 is 32 bytes")
}
