//! The value of the field `messages`: messages from people, statuses of ours, and what stands beside them.
//!
//! A message and a status take with them what the value says of them: its metadata, and the contacts of their own
//! person. Whatever else is in the value (errors of the number, lists that nobody knows, contacts of nobody) is one part
//! of its own.

use std::collections::HashMap;
use std::sync::Arc;

use dakghar_core::domain::ids::PhoneNumberId;
use dakghar_core::domain::webhook::{FRAME_END, StatusReport, WebhookPart, framed};
use serde_json::value::RawValue;

use super::super::lenient_json::{Fields, elements};
use super::frame::Members;
use super::parts::{PARTS_MAX, Parts, Place};
use super::reader::Origin;

/// Where a message names the person who wrote it.
const WRITERS: [&str; 2] = ["from", "from_user_id"];
/// Where a status names the person it is about.
const RECIPIENTS: [&str; 4] = [
    "recipient_id",
    "recipient_user_id",
    "recipient_participant_id",
    "recipient_participant_user_id",
];
/// The bytes of the name of the contacts, and of the end of a frame.
const CONTACTS_AND_END: usize = 20;
/// Where a contact names its person.
const CONTACTS: [&str; 2] = ["wa_id", "user_id"];

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
    let origin = Origin {
        phone_number_id: number,
        waba_id: place.waba_id,
        now_seconds: parts.now_seconds,
    };
    read_list(parts, &place, value, "messages", |parts, raw| {
        let fields = Fields::of(raw).ok_or("the message is not an object")?;
        let mut message = origin.message(raw, &fields)?;
        if let Some(amends) = origin.amendment(&message, &fields)? {
            let _ = parts
                .repeats
                .take(amends.content.as_ref().map_or(0, |content| content.body.len()));
            let frame = around.frame(parts, &fields, &WRITERS);
            return Ok(place.amending(whole(frame.as_deref(), "messages", raw), amends));
        }
        // The object of its type is kept beside the whole.
        let _ = parts.repeats.take(message.body.len());
        message.frame = around.frame(parts, &fields, &WRITERS);
        Ok(WebhookPart::Message(message))
    });
    read_list(parts, &place, value, "statuses", |parts, raw| {
        let fields = Fields::of(raw).ok_or("the status is not an object")?;
        let status = origin.status(raw, &fields)?;
        let frame = around.frame(parts, &fields, &RECIPIENTS);
        Ok(match status {
            Some(status) => WebhookPart::Status(StatusReport { frame, ..status }),
            None => place.part(whole(frame.as_deref(), "statuses", raw), None),
        })
    });
    let found_none = parts.found.len() == count_before;
    let left = around.left(change, value);
    if found_none && left.of_value.is_empty() {
        let problem = Some("the value holds neither messages nor statuses");
        parts.push_other(&place, around.entry(&left), problem);
    } else if !left.is_empty() || around.is_short || !around.is_taken {
        parts.push_other(&place, around.entry(&left), None);
    }
}

/// An element in its frame, if it has one.
fn whole(frame: Option<&str>, list: &str, raw: &RawValue) -> String {
    let framed = frame.and_then(|frame| framed(frame, list, raw.get()));
    framed.unwrap_or_else(|| raw.get().to_owned())
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

/// The surroundings that the messages and statuses of one value share.
struct Around<'a> {
    /// Meta's entry down to the value's metadata, still open.
    opening: String,
    contacts: Contacts<'a>,
    /// True if an element could not take its frame with it.
    is_short: bool,
    /// True if an element took its frame with it, so that what is shared is kept.
    is_taken: bool,
}

/// The members and contacts that no element took with it.
struct Left<'a> {
    of_change: Members<'a>,
    of_value: Members<'a>,
    contacts: Vec<&'a RawValue>,
}

impl Left<'_> {
    fn is_empty(&self) -> bool {
        self.of_change.is_empty() && self.of_value.is_empty() && self.contacts.is_empty()
    }
}

impl<'a> Around<'a> {
    fn of(head: &Members<'_>, change: &'a Fields<'_>, value: &'a Fields<'_>) -> Self {
        let mut opening = String::with_capacity(256);
        head.begin_entry(&mut opening);
        opening.push('{');
        let named = [("field", change.get("field"))];
        Members::of(&named).write(&mut opening);
        if named[0].1.is_some() {
            opening.push(',');
        }
        opening.push_str(r#""value":{"#);
        let shared = ["messaging_product", "metadata"].map(|name| (name, value.get(name)));
        Members::of(&shared).write(&mut opening);
        Self {
            opening,
            contacts: Contacts::of(value),
            is_short: false,
            is_taken: false,
        }
    }

    /// The frame of an element that names its person under these names. `None` if the body has been repeated too often.
    fn frame(&mut self, parts: &mut Parts, element: &Fields<'_>, names: &[&str]) -> Option<Arc<str>> {
        let own = self.contacts.of_person(element, names);
        // The first time a contact is kept is no repetition.
        let again: usize = own
            .iter()
            .map(|&at| &self.contacts.found[at])
            .filter(|contact| contact.is_taken)
            .map(|contact| contact.raw.get().len())
            .sum();
        if !parts.repeats.take(self.opening.len() + CONTACTS_AND_END + again) {
            self.is_short = true;
            return None;
        }
        self.is_taken = true;
        let mut json = self.opening.clone();
        let contacts: Vec<_> = own.iter().map(|&at| self.contacts.found[at].raw).collect();
        write_contacts(&mut json, &contacts);
        json.push_str(FRAME_END);
        for at in own {
            self.contacts.found[at].is_taken = true;
        }
        Some(json.into())
    }

    fn left(&self, change: &'a Fields<'_>, value: &'a Fields<'_>) -> Left<'a> {
        let read = ["messaging_product", "metadata", "messages", "statuses", "contacts"];
        let read = if self.contacts.is_list { &read } else { &read[..4] };
        Left {
            of_change: Members::without(change, &["field", "value"]),
            of_value: Members::without(value, read),
            contacts: self.contacts.not_taken(),
        }
    }

    /// Meta's entry with what is left.
    fn entry(&self, left: &Left<'_>) -> String {
        let mut json = self.opening.clone();
        if !left.of_value.is_empty() {
            begin_member(&mut json);
            left.of_value.write(&mut json);
        }
        write_contacts(&mut json, &left.contacts);
        json.push('}');
        if !left.of_change.is_empty() {
            json.push(',');
            left.of_change.write(&mut json);
        }
        json.push_str("}]}");
        json
    }
}

fn begin_member(json: &mut String) {
    if !json.ends_with('{') {
        json.push(',');
    }
}

fn write_contacts(json: &mut String, contacts: &[&RawValue]) {
    for (at, contact) in contacts.iter().enumerate() {
        if at == 0 {
            begin_member(json);
            json.push_str(r#""contacts":["#);
        } else {
            json.push(',');
        }
        json.push_str(contact.get());
    }
    if !contacts.is_empty() {
        json.push(']');
    }
}

/// The contacts of a value, and by which ids their people are named.
struct Contacts<'a> {
    /// False if there is something else under their name.
    is_list: bool,
    found: Vec<Contact<'a>>,
    by_person: HashMap<String, Vec<usize>>,
}

struct Contact<'a> {
    raw: &'a RawValue,
    is_taken: bool,
}

impl<'a> Contacts<'a> {
    fn of(value: &'a Fields<'_>) -> Self {
        let list = value.get("contacts").map_or(Some(Vec::new()), elements);
        let is_list = list.is_some();
        let list = list.unwrap_or_default();
        let mut by_person: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, raw) in list.iter().enumerate() {
            let Some(contact) = Fields::of(raw) else { continue };
            for person in people(&contact, &CONTACTS) {
                by_person.entry(person).or_default().push(at);
            }
        }
        let found = list.into_iter().map(|raw| Contact { raw, is_taken: false }).collect();
        Self {
            is_list,
            found,
            by_person,
        }
    }

    /// The places of the contacts of the person whom an element names under these names.
    fn of_person(&self, element: &Fields<'_>, names: &[&str]) -> Vec<usize> {
        if self.found.is_empty() {
            return Vec::new();
        }
        let people = people(element, names);
        let mut own: Vec<usize> = people
            .filter_map(|person| self.by_person.get(&person))
            .flatten()
            .copied()
            .collect();
        own.sort_unstable();
        own.dedup();
        own
    }

    fn not_taken(&self) -> Vec<&'a RawValue> {
        let not_taken = self.found.iter().filter(|contact| !contact.is_taken);
        not_taken.map(|contact| contact.raw).collect()
    }
}

/// The ids of people under these names.
fn people(fields: &Fields<'_>, names: &[&str]) -> impl Iterator<Item = String> {
    let ids = names.iter().filter_map(|name| fields.text(name));
    ids.map(|id| id.trim_start_matches('+').to_owned())
}
