//! The surroundings of the messages and statuses of one value: each takes with it what the value says of its own person.

use std::collections::HashMap;
use std::sync::Arc;

use dakghar_core::domain::conversation::ALSO_MAX;
use dakghar_core::domain::conversation::ConversationKind;
use dakghar_core::domain::ids::WaId;
use dakghar_core::domain::message::Direction;
use dakghar_core::domain::person_name::{NAME_BYTES_MAX, PersonName};
use dakghar_core::domain::webhook::{FRAME_END, InboundMessage, WebhookPart, framed};
use serde_json::value::RawValue;

use super::super::lenient_json::{Fields, elements};
use super::frame::Members;
use super::parts::{ECHO_LIST, ECHOES, HISTORY, Parts, Place};
use super::reader::{READERS, WRITERS, amendment, ids_under};

/// The bytes of the name of the contacts, and of the end of a frame.
const CONTACTS_AND_END: usize = 20;
/// Where a contact names its person.
const CONTACTS: [&str; 2] = ["wa_id", "user_id"];
/// Where a contact has ids of its person.
const CONTACT_IDS: [&str; 3] = ["wa_id", "user_id", "parent_user_id"];

/// Reads a message, or what one changes of an earlier one.
pub(super) fn read_message<'a>(
    parts: &mut Parts,
    around: &mut Around<'a>,
    place: &Place<'_>,
    raw: &'a RawValue,
    read: impl FnOnce(&Fields<'_>) -> Result<InboundMessage, &'static str>,
) -> Result<WebhookPart, &'static str> {
    let fields = Fields::of(raw).ok_or("the message is not an object")?;
    let mut message = read(&fields)?;
    let names = match message.direction() {
        Direction::Inbound => &WRITERS,
        Direction::Outbound => &READERS,
    };
    if let Some(amends) = amendment(&message, &fields, parts.now_seconds)? {
        let content = amends.content.as_ref();
        let _ = parts.repeats.take(content.map_or(0, |content| content.body.len()));
        let frame = around.frame(parts, &fields, names);
        return Ok(place.amending(whole(frame.as_deref(), message.list(), raw), amends));
    }
    around.introduce(&mut message, &fields, names);
    // The object of its type is kept beside the whole.
    let _ = parts.repeats.take(message.body.len());
    message.frame = around.frame(parts, &fields, names);
    Ok(WebhookPart::Message(message))
}

/// An element in its frame, if it has one.
pub(super) fn whole(frame: Option<&str>, list: &str, raw: &RawValue) -> String {
    let framed = frame.and_then(|frame| framed(frame, list, raw.get()));
    framed.unwrap_or_else(|| raw.get().to_owned())
}

/// The surroundings that the messages and statuses of one value share.
pub(super) struct Around<'a> {
    /// Meta's entry down to the value's metadata, still open.
    opening: String,
    contacts: Contacts<'a>,
    /// True if an element could not take its frame with it.
    pub(super) is_short: bool,
    /// True if an element took its frame with it, so that what is shared is kept.
    pub(super) is_taken: bool,
}

/// The members and contacts that no element took with it.
pub(super) struct Left<'a> {
    of_change: Members<'a>,
    pub(super) of_value: Members<'a>,
    /// The waves of a history without their messages, as a list.
    pub(super) waves: Option<String>,
    contacts: Vec<&'a RawValue>,
}

impl Left<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.of_change.is_empty() && self.of_value.is_empty() && self.waves.is_none() && self.contacts.is_empty()
    }
}

impl<'a> Around<'a> {
    pub(super) fn of(head: &Members<'_>, change: &'a Fields<'_>, value: &'a Fields<'_>) -> Self {
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
    pub(super) fn frame(&mut self, parts: &mut Parts, element: &Fields<'_>, names: &[&str]) -> Option<Arc<str>> {
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

    /// Adds what the contacts say of the person at the other end. In a group they are about who wrote.
    fn introduce(&self, message: &mut InboundMessage, element: &Fields<'_>, names: &[&str]) {
        if message.conversation_kind == ConversationKind::Group {
            message.also.clear();
            return;
        }
        for contact in self.contacts.of_person(element, names) {
            let contact = &self.contacts.found[contact];
            message.also.extend(contact.ids.iter().cloned());
            let is_named = contact.name.is_some() || contact.username.is_some();
            let told = message.sent_at.filter(|_| is_named).map(|at| PersonName {
                at,
                name: contact.name.clone(),
                username: contact.username.clone(),
            });
            message.name = message.name.take().max(told);
        }
        message.also.retain(|id| Some(id) != message.peer_id.as_ref());
        message.also.sort_unstable();
        message.also.dedup();
        message.also.truncate(ALSO_MAX);
    }

    pub(super) fn left(
        &self,
        change: &'a Fields<'_>,
        value: &'a Fields<'_>,
        field: &str,
        waves: Option<String>,
    ) -> Left<'a> {
        let mut read = vec!["messaging_product", "metadata"];
        match field {
            ECHOES => read.push(ECHO_LIST),
            HISTORY => read.extend(waves.as_ref().map(|_| HISTORY)),
            _ => read.extend(["messages", "statuses"]),
        }
        read.extend(self.contacts.is_list.then_some("contacts"));
        Left {
            of_change: Members::without(change, &["field", "value"]),
            of_value: Members::without(value, &read),
            waves,
            contacts: self.contacts.not_taken(),
        }
    }

    /// Meta's entry with what is left.
    pub(super) fn entry(&self, left: &Left<'_>) -> String {
        let mut json = self.opening.clone();
        if !left.of_value.is_empty() {
            begin_member(&mut json);
            left.of_value.write(&mut json);
        }
        if let Some(waves) = &left.waves {
            begin_member(&mut json);
            json.push_str(r#""history":"#);
            json.push_str(waves);
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
    /// The ids of its person.
    ids: Vec<WaId>,
    /// The name in the person's profile.
    name: Option<Arc<str>>,
    username: Option<Arc<str>>,
}

impl<'a> Contact<'a> {
    fn of(raw: &'a RawValue, fields: Option<&Fields<'_>>) -> Self {
        let ids = fields.map(|fields| ids_under(fields, &CONTACT_IDS)).unwrap_or_default();
        let profile = fields.and_then(|fields| fields.object("profile"));
        let text = |name| {
            let text = profile.as_ref()?.text(name)?;
            (!text.is_empty() && text.len() <= NAME_BYTES_MAX).then(|| Arc::from(&*text))
        };
        let (name, username): (Option<Arc<str>>, Option<Arc<str>>) = (text("name"), text("username"));
        Self {
            raw,
            is_taken: false,
            ids,
            name,
            username,
        }
    }
}

impl<'a> Contacts<'a> {
    fn of(value: &'a Fields<'_>) -> Self {
        let list = value.get("contacts").map_or(Some(Vec::new()), elements);
        let is_list = list.is_some();
        let list = list.unwrap_or_default();
        let mut by_person: HashMap<String, Vec<usize>> = HashMap::new();
        let mut found = Vec::with_capacity(list.len());
        for (at, raw) in list.into_iter().enumerate() {
            let contact = Fields::of(raw);
            for person in contact.iter().flat_map(|contact| people(contact, &CONTACTS)) {
                by_person.entry(person).or_default().push(at);
            }
            found.push(Contact::of(raw, contact.as_ref()));
        }
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
