//! Signals of people, in the fields that carry no messages.

use dakghar_core::domain::ids::WaId;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::domain::webhook::{PersonSignal, SignalKind};

use super::super::lenient_json::{Fields, elements};
use super::reader::believable;

/// The field, and the list in it, of what people want of the business.
const PREFERENCES: &str = "user_preferences";
/// The only preference that Meta has so far.
const MARKETING: &str = "marketing_messages";
/// Where it names the person.
const PEOPLE: [&str; 3] = ["wa_id", "user_id", "parent_user_id"];

/// The field, and the list in it, of calls.
const CALLS: &str = "calls";
/// The direction of a call that a person made.
const BY_PERSON: &str = "USER_INITIATED";
/// Where a call names the person who made it.
const CALLERS: [&str; 2] = ["from", "from_user_id"];

/// Reads what one person did, and all the ids of theirs that are named.
type Read = fn(&Fields<'_>) -> Option<(SignalKind, Vec<WaId>)>;

/// Reads what people did in a change of this field. What is not understood is kept with the event and does nothing.
pub(super) fn of(field: &str, value: &Fields<'_>, now_seconds: i64) -> Vec<PersonSignal> {
    let (list, read): (_, Read) = match field {
        PREFERENCES => (PREFERENCES, preference),
        CALLS => (CALLS, call),
        _ => return Vec::new(),
    };
    let listed = value.get(list).and_then(elements).unwrap_or_default();
    let signal = |fields: Fields<'_>| {
        let (kind, ids) = read(&fields).filter(|(_, ids)| !ids.is_empty())?;
        let at = at(&fields, now_seconds);
        Some(PersonSignal { ids, kind, at })
    };
    listed.into_iter().filter_map(Fields::of).filter_map(signal).collect()
}

fn preference(fields: &Fields<'_>) -> Option<(SignalKind, Vec<WaId>)> {
    if fields.text("category").as_deref() != Some(MARKETING) {
        return None;
    }
    let kind = match fields.text("value").as_deref()? {
        "stop" => SignalKind::StopsMarketing,
        "resume" => SignalKind::ResumesMarketing,
        _ => return None,
    };
    Some((kind, ids(fields, &PEOPLE)))
}

fn call(fields: &Fields<'_>) -> Option<(SignalKind, Vec<WaId>)> {
    let is_theirs = fields.text("direction").as_deref() == Some(BY_PERSON);
    is_theirs.then(|| (SignalKind::Calls, ids(fields, &CALLERS)))
}

fn ids(fields: &Fields<'_>, names: &[&str]) -> Vec<WaId> {
    let texts = names.iter().filter_map(|name| fields.text(name));
    let ids = texts.filter_map(|text| WaId::parse(text.strip_prefix('+').unwrap_or(&text)).ok());
    ids.collect()
}

fn at(fields: &Fields<'_>, now_seconds: i64) -> Option<Timestamp> {
    believable(fields.integer("timestamp")?, now_seconds)
}
