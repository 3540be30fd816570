//! From a body down to its parts: entries, changes, and what each change says.
//!
//! Each level is read leniently and on its own, so that one odd part never costs the others. A change that carries
//! messages and statuses is handed to [`super::value`]; everything else becomes an [`OtherPart`] that says where it
//! belongs. Whatever no level knows is kept as a part as well.

use std::borrow::Cow;

use dakghar_core::domain::ids::{PhoneNumberId, WabaId};
use dakghar_core::domain::webhook::{OtherPart, WebhookPart};
use serde_json::value::RawValue;

use super::super::lenient_json::{Fields, elements, text};
use super::frame::Members;
use super::news;
use super::parts::{ECHO_LIST, ECHOES, HISTORY, MESSAGES, Parts, Place};
use super::reader::believable;
use super::signals;
use super::value;

/// The name that the envelope of every WhatsApp webhook gives itself.
const OBJECT: &str = "whatsapp_business_account";
/// The most digits of a number that are looked at; the longest number has 15.
const DIGITS_MAX: usize = 32;
/// The longest field name that is kept.
const FIELD_BYTES_MAX: usize = 128;
/// The longest name and value of an entry that its changes repeat; the longest of Meta's, the id, has some twenty bytes.
const HEAD_BYTES_MAX: usize = 64;

/// Takes a body apart. `now_seconds` (Unix time) is what timestamps are judged by.
pub(super) fn parse(body: &[u8], now_seconds: i64) -> Vec<WebhookPart> {
    let Ok(json) = std::str::from_utf8(body) else {
        return vec![whole(&String::from_utf8_lossy(body), "the body is not UTF-8")];
    };
    let Some(envelope) = Fields::parse(json) else {
        return vec![whole(json, "the body is not a JSON object")];
    };
    if let Some(object) = envelope.get("object")
        && text(object).as_deref() != Some(OBJECT)
    {
        return vec![whole(json, "the object is not whatsapp_business_account")];
    }
    let entries = match envelope.get("entry").map(elements) {
        Some(Some(entries)) if !entries.is_empty() => entries,
        Some(None) => return vec![whole(json, "the entry is neither an array nor an object")],
        Some(Some(_)) | None => return vec![whole(json, "the body has no entry")],
    };
    let mut parts = Parts::new(now_seconds, body.len());
    let beside = Members::without(&envelope, &["object", "entry"]);
    if !beside.is_empty() {
        parts.push_other(
            &Place::NOWHERE,
            beside.object(),
            Some("the body says more than its entries"),
        );
    }
    for entry in entries {
        parts.read_entry(entry);
    }
    if parts.overflowed {
        return vec![whole(json, "the body has more than 20000 parts")];
    }
    parts.found
}

fn whole(raw: &str, problem: &str) -> WebhookPart {
    WebhookPart::Other(OtherPart {
        phone_number_id: None,
        display_digits: None,
        waba_id: None,
        field: "".into(),
        problem: Some(problem.into()),
        raw: raw.into(),
        amends: None,
        signals: Vec::new(),
        news: None,
        waves: Vec::new(),
        told_at: None,
    })
}

impl Parts {
    fn read_entry(&mut self, raw: &RawValue) {
        let Some(entry) = Fields::of(raw) else {
            return self.push_other(&Place::NOWHERE, raw.get(), Some("the entry is not an object"));
        };
        let waba_id = entry.text("id").and_then(|id| WabaId::parse(&id).ok());
        let place = Place {
            waba_id: waba_id.as_ref(),
            told_at: entry
                .integer("time")
                .and_then(|seconds| believable(seconds, self.now_seconds)),
            ..Place::NOWHERE
        };
        match entry.get("changes").map(elements) {
            Some(Some(changes)) if !changes.is_empty() => {
                let head = self.head_of(&entry, &place, changes.len());
                for change in changes {
                    self.read_change(&head, &place, change);
                }
            }
            Some(None) => self.push_other(
                &place,
                raw.get(),
                Some("the changes are neither an array nor an object"),
            ),
            Some(Some(_)) | None => self.push_other(&place, raw.get(), Some("the entry has no changes")),
        }
    }

    /// The members of an entry that are about each of its changes: the account and the time, by which two equal events are
    /// two. Those that are too long to be repeated with each of them are kept once.
    fn head_of<'a>(&mut self, entry: &'a Fields<'_>, place: &Place<'_>, changes: usize) -> Members<'a> {
        let all = Members::without(entry, &["changes"]);
        let mut repeated = all.up_to(HEAD_BYTES_MAX);
        if !self.repeats.take(repeated.bytes().saturating_mul(changes)) {
            repeated = Members::default();
        }
        if repeated.len() < all.len() {
            let problem = "the entry says more than its changes can repeat";
            self.push_other(place, all.object(), Some(problem));
        }
        repeated
    }

    fn read_change(&mut self, head: &Members<'_>, entry_place: &Place<'_>, raw: &RawValue) {
        let Some(change) = Fields::of(raw) else {
            return self.push_other(entry_place, raw.get(), Some("the change is not an object"));
        };
        let field = change
            .text("field")
            .filter(|field| field.len() <= FIELD_BYTES_MAX)
            .unwrap_or(Cow::Borrowed(""));
        let place = Place {
            field: &field,
            ..*entry_place
        };
        let Some(value) = change.object("value") else {
            return self.push_other(&place, head.entry_of(raw.get()), Some("the value is not an object"));
        };
        let carries_lists = value.get("messages").is_some() || value.get("statuses").is_some();
        if field == MESSAGES || (field.is_empty() && carries_lists) {
            let place = Place {
                field: MESSAGES,
                ..place
            };
            match phone_number_of(&value) {
                Some(number) => value::read(self, head, &place, &change, &value, &number),
                None => {
                    let problem = Some("the value names no phone_number_id");
                    self.push_other(&place, head.entry_of(raw.get()), problem);
                }
            }
            return;
        }
        let is_told = match &*field {
            ECHOES => value.get(ECHO_LIST).is_some(),
            HISTORY => value.get(HISTORY).is_some(),
            _ => false,
        };
        if let Some(number) = phone_number_of(&value).filter(|_| is_told) {
            return value::read(self, head, &place, &change, &value, &number);
        }
        let waba_id = named_waba(&value);
        let phone_number_id = phone_number_of(&value)
            .or_else(|| phone_number_in_settings(&value))
            .or_else(|| phone_number_alerted(&value));
        let display_digits = display_digits(&value);
        let place = Place {
            waba_id: waba_id.as_ref().or(place.waba_id),
            phone_number_id: phone_number_id.as_ref(),
            display_digits: display_digits.as_deref(),
            ..place
        };
        let mut part = place.part(head.entry_of(raw.get()), None);
        if let WebhookPart::Other(other) = &mut part {
            other.signals = signals::of(&field, &value, self.now_seconds);
            other.news = news::of(&field, &value);
        }
        self.push(part);
    }
}

fn phone_number_of(value: &Fields<'_>) -> Option<PhoneNumberId> {
    let id = value.object("metadata")?.text("phone_number_id")?;
    PhoneNumberId::parse(&id).ok()
}

/// The digits of the number that an event names as people write it, beside its facts or among them.
fn display_digits(value: &Fields<'_>) -> Option<String> {
    let metadata = value.object("metadata");
    let in_metadata = metadata
        .as_ref()
        .and_then(|metadata| metadata.text("display_phone_number"));
    let text = value.text("display_phone_number").or(in_metadata)?;
    let digits: String = text.chars().filter(char::is_ascii_digit).take(DIGITS_MAX).collect();
    (!digits.is_empty()).then_some(digits)
}

/// `account_settings_update` names its number inside the settings.
fn phone_number_in_settings(value: &Fields<'_>) -> Option<PhoneNumberId> {
    let id = value.object("phone_number_settings")?.text("phone_number_id")?;
    PhoneNumberId::parse(&id).ok()
}

/// `account_alerts` names what it is about, which may be a number.
fn phone_number_alerted(value: &Fields<'_>) -> Option<PhoneNumberId> {
    let is_number = value.text("entity_type")?.to_ascii_uppercase().contains("PHONE");
    let id = value.text("entity_id").filter(|_| is_number)?;
    PhoneNumberId::parse(&id).ok()
}

/// Partner events are about the customer's account, not about the one that the entry names.
fn named_waba(value: &Fields<'_>) -> Option<WabaId> {
    let id = value.object("waba_info")?.text("waba_id")?;
    WabaId::parse(&id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_id_of_an_entry_is_kept_once_and_not_with_each_change() {
        let id = "x".repeat(200_000);
        let changes: Vec<String> = (0..2000)
            .map(|n| format!(r#"{{"field":"account_update","value":{{"n":{n}}}}}"#))
            .collect();
        let body = format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"{id}","time":7,"changes":[{}]}}]}}"#,
            changes.join(",")
        );
        let parts = parse(body.as_bytes(), 0);
        let kept: Vec<&OtherPart> = parts
            .iter()
            .map(|part| match part {
                WebhookPart::Other(other) => other,
                part => panic!("{part:?}"),
            })
            .collect();
        assert_eq!(kept.len(), 2001);
        assert_eq!(
            kept.iter().filter(|part| part.raw.contains(&id)).count(),
            1,
            "Meta's id is kept whole"
        );
        for (change, part) in changes.iter().zip(&kept[1..]) {
            assert!(
                part.raw.contains(change.as_str()) && part.raw.contains(r#""time":7"#),
                "{}",
                part.raw
            );
        }
        let bytes: usize = kept.iter().map(|part| part.raw.len()).sum();
        assert!(bytes <= 2 * body.len(), "{bytes} bytes of {}", body.len());
    }
}
