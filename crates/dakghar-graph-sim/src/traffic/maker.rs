//! Writes single updates: whom they are about, their ids and times, and texts of which none is like another.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::part::{Part, metadata_of};
use crate::number::Number;

/// People who write to the numbers; each of them knows several.
const PEOPLE: u32 = 40;
/// How old an update is at most that comes late, in seconds: the days for which Meta repeats.
const LATE_SECONDS_MAX: i64 = 7 * 86_400;
/// Characters of a long text, as many as WhatsApp allows.
const LONG_TEXT: usize = 4_096;

/// A message that a business has sent, to which statuses and replies may refer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentMessage {
    /// The business number.
    pub phone_number_id: String,
    /// Meta's id of it.
    pub wamid: String,
    /// Whom it went to, digits only.
    pub to: String,
    /// The callback data that it carried.
    #[serde(default)]
    pub biz_opaque: Option<String>,
}

/// A person as a webhook shows one: with the number hidden, or without an id, or with both.
pub(super) struct Person {
    pub(super) wa_id: Option<String>,
    pub(super) user_id: Option<String>,
}

/// Draws everything from one seed, for one business number at a time.
pub(super) struct Maker {
    pub(super) rng: StdRng,
    seed: u64,
    made: u64,
    now_seconds: i64,
    sent: Vec<SentMessage>,
    number: Arc<Number>,
    /// Whether texts are as long as they may be.
    is_wordy: bool,
    /// How likely an update has a field that nobody knows.
    unknown: f64,
}

impl Maker {
    pub(super) fn seeded(seed: u64, now_seconds: i64, sent: Vec<SentMessage>) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            seed,
            made: 0,
            now_seconds,
            sent,
            number: Arc::new(Number::derived("0")),
            is_wordy: false,
            unknown: 0.0,
        }
    }

    /// Writes of this number from now on.
    pub(super) fn turn_to(&mut self, number: Arc<Number>) {
        self.number = number;
    }

    pub(super) fn set_wordy(&mut self, is_wordy: bool) {
        self.is_wordy = is_wordy;
    }

    pub(super) fn set_unknown(&mut self, unknown: f64) {
        self.unknown = unknown;
    }

    pub(super) fn number(&self) -> &Number {
        &self.number
    }

    pub(super) fn roll(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.rng.random_range(0..end)
    }

    pub(super) fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words.choose(&mut self.rng).copied().unwrap_or_default()
    }

    /// A mark that no other text of this seed has.
    fn mark(&mut self) -> String {
        self.made += 1;
        format!("{:x}.{}", self.seed, self.made)
    }

    /// A text with what trips up a careless reader: letters of several scripts, a slash, an emoji.
    pub(super) fn words(&mut self, about: &str) -> String {
        let mark = self.mark();
        let tail = self.one_of(&[
            "",
            " caf\u{e9}",
            " \u{9a1}\u{9be}\u{995}/\u{998}\u{9b0}",
            " \u{1f600} \"quoted\"",
        ]);
        let mut text = format!("{about} {mark}{tail}");
        if self.is_wordy {
            while text.len() < LONG_TEXT {
                text.push_str(" lorem ipsum");
            }
        }
        text
    }

    /// A short id that no other update has.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        let mark = self.mark();
        format!("{prefix}{mark}")
    }

    pub(super) fn wamid(&mut self) -> String {
        let mark = self.mark();
        format!("wamid.{}", STANDARD.encode(format!("simulated {mark}")))
    }

    /// Unix seconds of something that Meta tells now: mostly just happened, sometimes days ago.
    pub(super) fn seconds(&mut self) -> i64 {
        let late = if self.roll(0.15) { LATE_SECONDS_MAX } else { 20 };
        self.now_seconds - self.rng.random_range(0..=late)
    }

    pub(super) fn timestamp(&mut self) -> String {
        self.seconds().to_string()
    }

    pub(super) fn person(&mut self) -> Person {
        let index = self.rng.random_range(0..PEOPLE);
        let wa_id = format!("1650555{index:04}");
        // An id of a person is another one in each business's portfolio.
        let user_id = format!("US.{}{index:04}", self.number.waba_id);
        let shown = self.below(8);
        Person {
            wa_id: (shown != 0).then_some(wa_id),
            user_id: (shown != 1).then_some(user_id),
        }
    }

    pub(super) fn contact(&mut self, person: &Person) -> Value {
        let mut contact = json!({"profile": {"name": self.words("Person")}});
        put(&mut contact, "wa_id", person.wa_id.clone());
        put(&mut contact, "user_id", person.user_id.clone());
        if self.roll(0.2) {
            contact["profile"]["username"] = json!(self.id("user."));
        }
        self.sprinkle(&mut contact);
        contact
    }

    /// A message of this number that was sent, if one is known.
    pub(super) fn sent(&mut self) -> Option<SentMessage> {
        let pnid = &self.number.phone_number_id;
        let own: Vec<&SentMessage> = self.sent.iter().filter(|sent| sent.phone_number_id == *pnid).collect();
        own.choose(&mut self.rng).map(|sent| (*sent).clone())
    }

    /// The id of a message that was sent, or one that nobody knows.
    pub(super) fn sent_wamid(&mut self) -> String {
        match self.sent() {
            Some(sent) => sent.wamid,
            None => self.wamid(),
        }
    }

    /// An element of `messages[]`. What it has of its own comes before what is filled in.
    pub(super) fn message(&mut self, own: Value) -> Part {
        let person = self.person();
        let mut element = json!({"id": self.wamid(), "timestamp": self.timestamp()});
        put(&mut element, "from", person.wa_id.clone());
        put(&mut element, "from_user_id", person.user_id.clone());
        let contact = (own["type"] != "system").then(|| self.contact(&person));
        merge(&mut element, own);
        self.sprinkle(&mut element);
        Part::Element {
            list: "messages",
            element,
            contact,
        }
    }

    /// An element of `statuses[]`, of a message that was sent where one is known.
    pub(super) fn status(&mut self, own: Value) -> Part {
        let sent = self.sent();
        self.status_of(sent, own)
    }

    /// An element of `statuses[]`, of this message or of one that nobody knows.
    pub(super) fn status_of(&mut self, sent: Option<SentMessage>, own: Value) -> Part {
        let person = self.person();
        let mut element = json!({"timestamp": self.timestamp()});
        let wa_id = sent
            .as_ref()
            .map(|sent| sent.to.clone())
            .or_else(|| person.wa_id.clone());
        put(&mut element, "recipient_id", wa_id);
        put(
            &mut element,
            "biz_opaque_callback_data",
            sent.as_ref().and_then(|sent| sent.biz_opaque.clone()),
        );
        element["id"] = json!(sent.map_or_else(|| self.wamid(), |sent| sent.wamid));
        let is_failed = own["status"] == "failed";
        let mut contact = None;
        if !is_failed {
            put(&mut element, "recipient_user_id", person.user_id.clone());
            let mut beside = json!({});
            put(&mut beside, "wa_id", person.wa_id);
            put(&mut beside, "user_id", person.user_id);
            contact = Some(beside);
        }
        merge(&mut element, own);
        self.sprinkle(&mut element);
        Part::Element {
            list: "statuses",
            element,
            contact,
        }
    }

    /// A change whose value names the number.
    pub(super) fn of_number(&mut self, field: &'static str, mut value: Value) -> Part {
        value["messaging_product"] = json!("whatsapp");
        value["metadata"] = self.metadata();
        self.sprinkle(&mut value);
        Part::Change {
            field,
            value,
            is_timed: false,
        }
    }

    /// A change that names the account alone.
    pub(super) fn of_account(&mut self, field: &'static str, mut value: Value) -> Part {
        self.sprinkle(&mut value);
        Part::Change {
            field,
            value,
            is_timed: true,
        }
    }

    pub(super) fn metadata(&self) -> Value {
        metadata_of(&self.number)
    }

    /// Adds what nobody knows, now and then.
    fn sprinkle(&mut self, object: &mut Value) {
        if self.unknown > 0.0 && self.roll(self.unknown) {
            object["never_heard_of"] = json!({"deep": [{"er": self.words("unknown")}, null, true, 1.5]});
        }
    }
}

fn put(object: &mut Value, key: &str, value: Option<String>) {
    if let Some(value) = value {
        object[key] = Value::String(value);
    }
}

fn merge(object: &mut Value, own: Value) {
    if let (Value::Object(object), Value::Object(own)) = (object, own) {
        object.extend(own);
    }
}
