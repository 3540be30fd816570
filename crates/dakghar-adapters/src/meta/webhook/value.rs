//! The value of a field that carries messages: those of people, statuses of ours, what the business wrote elsewhere, and
//! what stands beside them.
//!
//! A message and a status take with them what the value says of them: its metadata, and the contacts of their own
//! person. Whatever else is in the value (errors of the number, lists that nobody knows, contacts of nobody) is one part
//! of its own.

use dakghar_core::domain::ids::PhoneNumberId;
use dakghar_core::domain::webhook::{StatusReport, WebhookPart};
use serde_json::value::RawValue;

use super::super::lenient_json::{Fields, elements};
use super::around::{Around, read_message, whole};
use super::frame::Members;
use super::history;
use super::parts::{ECHO_LIST, ECHOES, HISTORY, MESSAGES, PARTS_MAX, Parts, Place};
use super::reader::Facts;

/// Where a status names the person it is about.
const RECIPIENTS: [&str; 4] = [
    "recipient_id",
    "recipient_user_id",
    "recipient_participant_id",
    "recipient_participant_user_id",
];

/// Reads the value of a change. `head` is what its entry says of it.
pub(super) fn read(
    parts: &mut Parts,
    head: &Members<'_>,
    place: &Place<'_>,
    change: &Fields<'_>,
    value: &Fields<'_>,
    number: &PhoneNumberId,
) {
    let place = Place {
        phone_number_id: Some(number),
        ..*place
    };
    let count_before = parts.found.len();
    let mut around = Around::of(head, change, value);
    let facts = Facts {
        phone_number_id: number,
        waba_id: place.waba_id,
        now_seconds: parts.now_seconds,
    };
    let (mut waves, mut told) = (None, Vec::new());
    match place.field {
        ECHOES => read_list(parts, &place, value, ECHO_LIST, |parts, raw| {
            read_message(parts, &mut around, &place, raw, |fields| facts.echo(raw, fields))
        }),
        HISTORY => {
            if let Some(read) = history::read(parts, &mut around, &place, &facts, value) {
                (waves, told) = (Some(read.left), read.told);
            }
        }
        _ => read_list(parts, &place, value, "messages", |parts, raw| {
            read_message(parts, &mut around, &place, raw, |fields| facts.message(raw, fields))
        }),
    }
    if place.field == MESSAGES {
        read_statuses(parts, &mut around, &place, &facts, value);
    }
    let found_none = parts.found.len() == count_before;
    let left = around.left(change, value, place.field, waves);
    if found_none && left.of_value.is_empty() && left.waves.is_none() {
        let problem = Some("the value holds neither messages nor statuses");
        parts.push_other(&place, around.entry(&left), problem);
    } else if !left.is_empty() || around.is_short || !around.is_taken {
        parts.push_other(&place, around.entry(&left), None);
        if !told.is_empty() {
            parts.note_waves(told);
        }
    }
}

fn read_statuses<'a>(
    parts: &mut Parts,
    around: &mut Around<'a>,
    place: &Place<'_>,
    facts: &Facts<'_>,
    value: &Fields<'a>,
) {
    read_list(parts, place, value, "statuses", |parts, raw| {
        let fields = Fields::of(raw).ok_or("the status is not an object")?;
        let status = facts.status(raw, &fields)?;
        let frame = around.frame(parts, &fields, &RECIPIENTS);
        Ok(match status {
            Some(status) => WebhookPart::Status(StatusReport { frame, ..status }),
            None => place.part(whole(frame.as_deref(), "statuses", raw), None),
        })
    });
}

fn read_list<'a>(
    parts: &mut Parts,
    place: &Place<'_>,
    value: &Fields<'a>,
    name: &str,
    mut read: impl FnMut(&mut Parts, &'a RawValue) -> Result<WebhookPart, &'static str>,
) {
    let Some(list) = value.get(name) else { return };
    let Some(found) = elements(list) else {
        let problem = format!("{name} is neither an array nor an object");
        return parts.push_other(place, list.get(), Some(&problem));
    };
    parts.found.reserve(found.len().min(PARTS_MAX));
    for element in found {
        match read(parts, element) {
            Ok(part) => parts.push(part),
            Err(problem) => parts.push_other(place, element.get(), Some(problem)),
        }
    }
}
