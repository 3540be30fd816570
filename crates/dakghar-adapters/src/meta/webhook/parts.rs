//! The parts of a body, and where in it each was found.

use std::sync::Arc;

use dakghar_core::domain::amendment::Amendment;
use dakghar_core::domain::ids::{PhoneNumberId, WabaId};
use dakghar_core::domain::standing::Wave;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::domain::webhook::{OtherPart, WebhookPart};

use super::frame::Repeats;

/// The only field whose lists are messages to us and statuses of our messages. Other fields carry lists of the same
/// names that are calls.
pub(super) const MESSAGES: &str = "messages";
/// The field of what the business typed in its app.
pub(super) const ECHOES: &str = "smb_message_echoes";
/// The list in it.
pub(super) const ECHO_LIST: &str = "message_echoes";
/// The field of what was written before the number came to us.
pub(super) const HISTORY: &str = "history";
/// Parts taken from one body. Meta puts at most 1,000 updates into one; a body of three million bytes could hold a
/// million fragments, each of which would cost more memory than it has bytes.
pub(super) const PARTS_MAX: usize = 20_000;

/// The parts of a body found so far.
pub(super) struct Parts {
    pub(super) found: Vec<WebhookPart>,
    pub(super) repeats: Repeats,
    pub(super) now_seconds: i64,
    pub(super) overflowed: bool,
}

/// The place in the body where a part was found.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) waba_id: Option<&'p WabaId>,
    pub(super) phone_number_id: Option<&'p PhoneNumberId>,
    pub(super) display_digits: Option<&'p str>,
    pub(super) field: &'p str,
    /// The time of the entry, if it is believable.
    pub(super) told_at: Option<Timestamp>,
}

impl Place<'_> {
    pub(super) const NOWHERE: Self = Place {
        waba_id: None,
        phone_number_id: None,
        display_digits: None,
        field: "",
        told_at: None,
    };

    /// Makes a part of this place that is neither a message nor a status of ours.
    pub(super) fn part(&self, raw: impl Into<Arc<str>>, problem: Option<&str>) -> WebhookPart {
        WebhookPart::Other(OtherPart {
            phone_number_id: self.phone_number_id.cloned(),
            display_digits: self.display_digits.map(Arc::from),
            waba_id: self.waba_id.cloned(),
            field: self.field.into(),
            problem: problem.map(Arc::from),
            raw: raw.into(),
            amends: None,
            signals: Vec::new(),
            news: None,
            waves: Vec::new(),
            told_at: self.told_at,
        })
    }

    /// Makes a part of this place that changes a message.
    pub(super) fn amending(&self, raw: impl Into<Arc<str>>, amends: Amendment) -> WebhookPart {
        let mut part = self.part(raw, None);
        if let WebhookPart::Other(other) = &mut part {
            other.amends = Some(amends);
        }
        part
    }
}

impl Parts {
    pub(super) fn new(now_seconds: i64, body_bytes: usize) -> Self {
        Self {
            found: Vec::with_capacity(1),
            repeats: Repeats::of_body(body_bytes),
            now_seconds,
            overflowed: false,
        }
    }

    pub(super) fn push(&mut self, part: WebhookPart) {
        if self.found.len() < PARTS_MAX {
            self.found.push(part);
        } else {
            self.overflowed = true;
        }
    }

    /// Notes how far a history is with the part that was found last, which tells of it.
    pub(super) fn note_waves(&mut self, waves: Vec<Wave>) {
        if let Some(WebhookPart::Other(other)) = self.found.last_mut() {
            other.waves = waves;
        }
    }

    pub(super) fn push_other(&mut self, place: &Place<'_>, raw: impl Into<Arc<str>>, problem: Option<&str>) {
        if self.found.len() >= PARTS_MAX {
            self.overflowed = true;
            return;
        }
        self.push(place.part(raw, problem));
    }
}
