//! One inbound message, one status: from Meta's object to the domain's.

use std::sync::Arc;

use dakghar_core::domain::amendment::{AmendedContent, Amendment, EDIT_BYTES_MAX};
use dakghar_core::domain::ids::{PhoneNumberId, WaId, WabaId, Wamid};
use dakghar_core::domain::message::{EvidenceStatus, SendError};
use dakghar_core::domain::send_error::clip;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::domain::webhook::{InboundMessage, StatusReport};
use serde_json::value::RawValue;

use super::super::lenient_json::{Fields, elements};
use super::super::refusal::details;

/// The kind of a message that names none, or an impossible one.
const KIND_UNKNOWN: &str = "unknown";
/// The longest name of a type that is believed.
const KIND_BYTES_MAX: usize = 64;
/// The time by which Meta's clock may be ahead of ours.
const CLOCK_LEAD_SECONDS_MAX: i64 = 24 * 60 * 60;

/// The types of messages that change another one.
const EDIT: &str = "edit";
const REVOKE: &str = "revoke";

/// The `type` of a status that is about a message, where it has one. Others are about payments.
const MESSAGE: &str = "message";

/// The facts that hold for every message and status of one value.
pub(super) struct Origin<'o> {
    pub(super) phone_number_id: &'o PhoneNumberId,
    pub(super) waba_id: Option<&'o WabaId>,
    pub(super) now_seconds: i64,
}

impl Origin<'_> {
    /// Reads an inbound message, or says why it is none.
    pub(super) fn message(&self, raw: &RawValue, fields: &Fields<'_>) -> Result<InboundMessage, &'static str> {
        let wamid = wamid(fields).ok_or("the message has no usable id")?;
        let from = fields.text("from").filter(|from| !from.is_empty());
        let from_id = from
            .as_deref()
            .and_then(|from| WaId::parse(from.strip_prefix('+').unwrap_or(from)).ok())
            .or_else(|| fields.text("from_user_id").and_then(|id| WaId::parse(&id).ok()));
        let kind = fields
            .text("type")
            .filter(|kind| !kind.is_empty() && kind.len() <= KIND_BYTES_MAX);
        let body = kind.as_deref().and_then(|kind| fields.get(kind));
        Ok(InboundMessage {
            phone_number_id: self.phone_number_id.clone(),
            waba_id: self.waba_id.cloned(),
            wamid,
            from: from.as_deref().map(Arc::from),
            from_id,
            kind: kind.as_deref().unwrap_or(KIND_UNKNOWN).into(),
            body: body.map_or("null", RawValue::get).into(),
            raw: raw.get().into(),
            sent_at: self.timestamp(fields),
            frame: None,
        })
    }

    /// Reads what a message changes of an earlier one, or says why that cannot be told; `None` if it is a message of its
    /// own. An edit that is longer than any of WhatsApp's is not shown in the place of its original.
    pub(super) fn amendment(
        &self,
        message: &InboundMessage,
        fields: &Fields<'_>,
    ) -> Result<Option<Amendment>, &'static str> {
        let content = match &*message.kind {
            EDIT => Some(edited(fields)?),
            REVOKE => None,
            _ => return Ok(None),
        };
        let original = fields
            .object(&message.kind)
            .and_then(|change| change.text("original_message_id").map(std::borrow::Cow::into_owned));
        let of = original.and_then(|id| Wamid::parse(&id).ok());
        Ok(Some(Amendment {
            of: of.ok_or("the change does not say of which message")?,
            by: message.wamid.clone(),
            at: message
                .sent_at
                .unwrap_or_else(|| Timestamp::from_millis(self.now_seconds * 1000)),
            content,
        }))
    }

    /// Reads a status, or says why it is none. `Ok(None)` is one that says nothing about the delivery of a message: about a
    /// payment, or one of the historic `deleted` and `warning`.
    pub(super) fn status(&self, raw: &RawValue, fields: &Fields<'_>) -> Result<Option<StatusReport>, &'static str> {
        let wamid = wamid(fields).ok_or("the status has no usable id")?;
        let status = fields.text("status").filter(|status| !status.is_empty());
        let status = status.ok_or("the status does not say which")?;
        let kind = fields.text("type");
        if kind.is_some_and(|kind| kind != MESSAGE) {
            return Ok(None);
        }
        let Some(status) = EvidenceStatus::parse(&status) else {
            return Ok(None);
        };
        Ok(Some(StatusReport {
            phone_number_id: self.phone_number_id.clone(),
            waba_id: self.waba_id.cloned(),
            wamid,
            status,
            reported_at: self.timestamp(fields),
            opaque: fields.text("biz_opaque_callback_data").map(|data| Arc::from(&*data)),
            error: first_error(fields),
            raw: raw.get().into(),
            frame: None,
        }))
    }

    /// Meta's Unix seconds, a string here and a number there; `None` unless after 1970 and not ahead by a day.
    fn timestamp(&self, fields: &Fields<'_>) -> Option<Timestamp> {
        let seconds = fields.integer("timestamp")?;
        let is_believable = seconds > 0 && seconds <= self.now_seconds + CLOCK_LEAD_SECONDS_MAX;
        is_believable.then(|| Timestamp::from_millis(seconds * 1000))
    }
}

/// What an edit says instead.
fn edited(fields: &Fields<'_>) -> Result<AmendedContent, &'static str> {
    let message = fields
        .object(EDIT)
        .and_then(|edit| edit.object("message"))
        .ok_or("the edit does not say to what")?;
    let kind = message
        .text("type")
        .filter(|kind| !kind.is_empty() && kind.len() <= KIND_BYTES_MAX)
        .ok_or("the edit does not say to which type")?;
    let body = message.get(&kind).map_or("null", RawValue::get);
    if body.len() > EDIT_BYTES_MAX {
        return Err("the edit is too long to be shown");
    }
    Ok(AmendedContent {
        kind: kind.as_ref().into(),
        body: body.into(),
    })
}

fn wamid(fields: &Fields<'_>) -> Option<Wamid> {
    Wamid::parse(&fields.text("id")?).ok()
}

/// The first of a status's errors; Meta has not been seen to send more than one.
fn first_error(status: &Fields<'_>) -> Option<SendError> {
    let errors = elements(status.get("errors")?)?;
    let error = Fields::of(errors.first()?)?;
    let message = error
        .text("message")
        .or_else(|| error.text("title"))
        .unwrap_or_default();
    Some(SendError {
        code: error.integer("code"),
        subcode: error.integer("error_subcode"),
        http_status: None,
        message: clip(&message),
        details: details(&error).as_deref().map(clip),
        fbtrace_id: error.text("fbtrace_id").as_deref().map(clip),
    })
}
