//! One inbound message, one status: from Meta's object to the domain's.

use std::sync::Arc;

use dakghar_core::domain::amendment::{AmendedContent, Amendment, EDIT_BYTES_MAX};
use dakghar_core::domain::conversation::ConversationKind;
use dakghar_core::domain::ids::{PhoneNumberId, WaId, WabaId, Wamid};
use dakghar_core::domain::message::{EvidenceStatus, Origin, ReportedStatus, SendError, SentStatus};
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

/// Where a message names the person who wrote it: by the number, and by Meta's id.
pub(super) const WRITERS: [&str; 2] = ["from", "from_user_id"];
/// Where a message of the business names the person who gets it.
pub(super) const READERS: [&str; 2] = ["to", "to_user_id"];

const WRITER_PARENTS: [&str; 1] = ["from_parent_user_id"];
const READER_PARENTS: [&str; 1] = ["to_parent_user_id"];
/// The object of a notice about a person, and where it names the numbers and ids that they have and had.
const SYSTEM: &str = "system";
const NOTICED: [&str; 5] = [
    "wa_id",
    "user_id",
    "parent_user_id",
    "previous_user_id",
    "previous_parent_user_id",
];

/// The types of messages that change another one.
const EDIT: &str = "edit";
const REVOKE: &str = "revoke";

/// The `type` of a status that is about a message, where it has one. Others are about payments.
const MESSAGE: &str = "message";

/// The facts that hold for every message and status of one value.
pub(super) struct Facts<'o> {
    pub(super) phone_number_id: &'o PhoneNumberId,
    pub(super) waba_id: Option<&'o WabaId>,
    pub(super) now_seconds: i64,
}

impl Facts<'_> {
    /// Reads a message of a person, or says why it is none.
    pub(super) fn message(&self, raw: &RawValue, fields: &Fields<'_>) -> Result<InboundMessage, &'static str> {
        self.reported(raw, fields, Origin::Person, ReportedStatus::Received, &WRITERS)
    }

    /// Reads a message that was typed in the business's app, or says why it is none.
    pub(super) fn echo(&self, raw: &RawValue, fields: &Fields<'_>) -> Result<InboundMessage, &'static str> {
        let status = ReportedStatus::Sent(SentStatus::Sent);
        self.reported(raw, fields, Origin::BusinessApp, status, &READERS)
    }

    /// Reads a message of the history, or says why it is none. `own_digits` are those of the business's number, and
    /// `person` names the thread.
    pub(super) fn past(
        &self,
        raw: &RawValue,
        fields: &Fields<'_>,
        own_digits: Option<&str>,
        person: Option<&str>,
    ) -> Result<InboundMessage, &'static str> {
        let from = fields.text("from");
        let digits = from.as_deref().map(|from| from.trim_start_matches('+'));
        let is_own = match (digits, own_digits, person) {
            (Some(from), Some(own), _) => from == own,
            (Some(from), None, Some(person)) => from != person.trim_start_matches('+'),
            (None, ..) | (_, None, None) => false,
        };
        if !is_own {
            return self.reported(raw, fields, Origin::History, ReportedStatus::Received, &WRITERS);
        }
        let told = fields.object("history_context").and_then(|context| {
            let status = context.text("status")?.to_ascii_lowercase();
            Some(match EvidenceStatus::parse(&status)? {
                EvidenceStatus::Delivered => SentStatus::Delivered,
                EvidenceStatus::Read | EvidenceStatus::Played => SentStatus::Read,
                EvidenceStatus::Sent | EvidenceStatus::Failed => SentStatus::Sent,
            })
        });
        let status = ReportedStatus::Sent(told.unwrap_or(SentStatus::Sent));
        let mut message = self.reported(raw, fields, Origin::History, status, &READERS)?;
        if message.peer_id.is_none() {
            message.peer = person.map(Arc::from);
            message.peer_id = person.and_then(key_of);
        }
        Ok(message)
    }

    /// `names` are those of the other end: its number, and Meta's id of it.
    fn reported(
        &self,
        raw: &RawValue,
        fields: &Fields<'_>,
        origin: Origin,
        status: ReportedStatus,
        names: &[&str; 2],
    ) -> Result<InboundMessage, &'static str> {
        let wamid = wamid(fields).ok_or("the message has no usable id")?;
        let [number, user_id] = names.map(|name| fields.text(name).filter(|id| !id.is_empty()));
        let group = fields.text("group_id").filter(|id| !id.is_empty());
        let (conversation_kind, peer, peer_id, sender) = match group {
            // Who wrote in a group wrote to nobody in private, even if its id cannot be a key.
            Some(group) => {
                let sender = number.or(user_id).filter(|_| status == ReportedStatus::Received);
                (
                    ConversationKind::Group,
                    Some(group.clone()),
                    WaId::parse(&group).ok(),
                    sender,
                )
            }
            None => {
                let id = number.as_deref().and_then(key_of);
                let id = id.or_else(|| user_id.as_deref().and_then(|id| WaId::parse(id).ok()));
                (ConversationKind::Person, number, id, None)
            }
        };
        let mut also = ids_under(fields, names);
        also.extend(ids_under(
            fields,
            if origin == Origin::BusinessApp {
                &READER_PARENTS
            } else {
                &WRITER_PARENTS
            },
        ));
        // A notice that somebody has another number or id names both.
        let notice = fields.object(SYSTEM).filter(|_| status == ReportedStatus::Received);
        let noticed = notice.map(|notice| ids_under(&notice, &NOTICED)).unwrap_or_default();
        let peer_id = peer_id.or_else(|| {
            noticed
                .first()
                .filter(|_| conversation_kind == ConversationKind::Person)
                .cloned()
        });
        also.extend(noticed);
        let kind = fields
            .text("type")
            .filter(|kind| !kind.is_empty() && kind.len() <= KIND_BYTES_MAX);
        let body = kind.as_deref().and_then(|kind| fields.get(kind));
        Ok(InboundMessage {
            phone_number_id: self.phone_number_id.clone(),
            waba_id: self.waba_id.cloned(),
            wamid,
            origin,
            status,
            conversation_kind,
            peer: peer.as_deref().map(Arc::from),
            peer_id,
            sender: sender.as_deref().map(Arc::from),
            also,
            name: None,
            kind: kind.as_deref().unwrap_or(KIND_UNKNOWN).into(),
            body: body.map_or("null", RawValue::get).into(),
            raw: raw.get().into(),
            sent_at: self.timestamp(fields),
            frame: None,
        })
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
            participant: participant(fields),
            raw: raw.get().into(),
            frame: None,
        }))
    }

    /// Meta's Unix seconds, a string here and a number there.
    fn timestamp(&self, fields: &Fields<'_>) -> Option<Timestamp> {
        believable(fields.integer("timestamp")?, self.now_seconds)
    }
}

/// Meta's Unix seconds as a time; `None` unless after 1970 and not ahead by a day.
pub(super) fn believable(seconds: i64, now_seconds: i64) -> Option<Timestamp> {
    let is_believable = seconds > 0 && seconds <= now_seconds + CLOCK_LEAD_SECONDS_MAX;
    is_believable.then(|| Timestamp::from_millis(seconds * 1000))
}

/// Reads what a message changes of an earlier one, or says why that cannot be told; `None` if it is a message of its
/// own. An edit that is longer than any of WhatsApp's is not shown in the place of its original.
pub(super) fn amendment(
    message: &InboundMessage,
    fields: &Fields<'_>,
    now_seconds: i64,
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
            .unwrap_or_else(|| Timestamp::from_millis(now_seconds * 1000)),
        content,
    }))
}

/// The new content in an edit.
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

/// The ids of a person under these names.
pub(super) fn ids_under(fields: &Fields<'_>, names: &[&str]) -> Vec<WaId> {
    let ids = names.iter().filter_map(|name| fields.text(name));
    ids.filter_map(|id| key_of(&id)).collect()
}

/// A number as a key.
fn key_of(number: &str) -> Option<WaId> {
    WaId::parse(number.strip_prefix('+').unwrap_or(number)).ok()
}

fn wamid(fields: &Fields<'_>) -> Option<Wamid> {
    Wamid::parse(&fields.text("id")?).ok()
}

/// The participant of a group whom a status is about, by number or id.
fn participant(status: &Fields<'_>) -> Option<Arc<str>> {
    let named = ["recipient_participant_id", "recipient_participant_user_id"];
    let mut names = named.iter().filter_map(|name| status.text(name));
    names.find(|name| !name.is_empty()).map(|name| Arc::from(&*name))
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
