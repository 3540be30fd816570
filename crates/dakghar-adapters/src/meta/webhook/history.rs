//! The history of a number: what was written before it came to us, in waves of threads.
//!
//! Each message is one by itself. What else the waves say (phase, progress, the ids of the threads) is left for the event of
//! the value.

use dakghar_core::domain::ids::WaId;
use dakghar_core::domain::standing::Wave;
use serde_json::value::RawValue;

use super::super::lenient_json::{Fields, elements};
use super::around::{Around, read_message};
use super::frame::Members;
use super::parts::{HISTORY, Parts, Place};
use super::reader::Facts;

/// Pieces of a history in one value of which it is told how far they are. Meta sends one.
const WAVES_MAX: usize = 100;
/// Meta's code for a history that the owner of the number does not share.
const DECLINED: i64 = 2_593_109;

/// A list of waves, after their messages were read.
pub(super) struct Read {
    /// The waves without their messages, as a list.
    pub(super) left: String,
    /// Their words on the progress.
    pub(super) told: Vec<Wave>,
}

/// Reads the messages of the waves. Returns the rest; `None` if there is no list of waves.
pub(super) fn read<'a>(
    parts: &mut Parts,
    around: &mut Around<'a>,
    place: &Place<'_>,
    facts: &Facts<'_>,
    value: &Fields<'a>,
) -> Option<Read> {
    let waves = elements(value.get(HISTORY)?)?;
    let own = value
        .object("metadata")
        .and_then(|metadata| metadata.text("display_phone_number").map(|text| digits(&text)));
    let mut past = Past {
        parts,
        around,
        place,
        facts,
        own: own.filter(|own| !own.is_empty()),
        messages: 0,
    };
    let (mut left, mut told) = (Vec::with_capacity(waves.len()), Vec::new());
    for wave in waves {
        past.messages = 0;
        left.push(past.wave(wave));
        if told.len() < WAVES_MAX {
            told.extend(told_of(wave, past.messages));
        }
    }
    let left = format!("[{}]", left.join(","));
    Some(Read { left, told })
}

/// Reads the words of a wave on the progress, if it has any.
fn told_of(raw: &RawValue, messages: u32) -> Option<Wave> {
    let fields = Fields::of(raw)?;
    let errors = fields.get("errors").and_then(elements).unwrap_or_default();
    let mut errors = errors.into_iter().filter_map(Fields::of);
    let is_declined = errors.any(|error| error.integer("code") == Some(DECLINED));
    let metadata = fields.object("metadata");
    let number = |name| u32::try_from(metadata.as_ref()?.integer(name)?).ok();
    let wave = Wave {
        phase: number("phase"),
        chunk: number("chunk_order"),
        progress: number("progress"),
        messages,
        is_declined,
    };
    (wave != Wave::default()).then_some(wave)
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

struct Past<'p, 'a, 'o> {
    parts: &'p mut Parts,
    around: &'p mut Around<'a>,
    place: &'p Place<'o>,
    facts: &'p Facts<'o>,
    /// The digits of the business's number.
    own: Option<String>,
    /// Messages of the present wave.
    messages: u32,
}

impl<'a> Past<'_, 'a, '_> {
    fn wave(&mut self, raw: &'a RawValue) -> String {
        self.without(raw, "threads", |past, _, thread| Some(past.thread(thread)))
    }

    fn thread(&mut self, raw: &'a RawValue) -> String {
        self.without(raw, "messages", |past, thread, message| {
            past.message(thread, message);
            None
        })
    }

    /// The object with what `read` leaves of the elements of this list of it; as it is if it has no such list.
    fn without(
        &mut self,
        raw: &'a RawValue,
        list: &str,
        mut read: impl FnMut(&mut Self, &Fields<'a>, &'a RawValue) -> Option<String>,
    ) -> String {
        let fields = Fields::of(raw);
        let found = fields
            .as_ref()
            .and_then(|fields| Some((fields, elements(fields.get(list)?)?)));
        let Some((fields, found)) = found else {
            return raw.get().to_owned();
        };
        let left: Vec<String> = found
            .into_iter()
            .filter_map(|element| read(self, fields, element))
            .collect();
        let list_left = format!("[{}]", left.join(","));
        let list_left: Option<&RawValue> = serde_json::from_str(&list_left).ok().filter(|_| !left.is_empty());
        Members::without(fields, &[list]).and(list, list_left).object()
    }

    fn message(&mut self, thread: &Fields<'a>, raw: &'a RawValue) {
        let person = thread.text("id").filter(|id| WaId::parse(id).is_ok());
        let (facts, own) = (self.facts, self.own.as_deref());
        let read = read_message(self.parts, self.around, self.place, raw, |fields| {
            facts.past(raw, fields, own, person.as_deref())
        });
        match read {
            Ok(part) => {
                self.messages = self.messages.saturating_add(1);
                self.parts.push(part);
            }
            Err(problem) => self.parts.push_other(self.place, raw.get(), Some(problem)),
        }
    }
}
