//! JSON of Meta's in which a few members are others, wherever they stand. Everything else stays as it was written.

use serde_json::value::RawValue;

use crate::domain::raw_members::RawMembers;

/// Objects and lists within each other that are looked into. In Meta's form nothing that is changed lies deeper than at ten.
const DEPTH_MAX: usize = 16;

/// What becomes of a member.
pub(super) enum Member {
    /// It stays, and what is in it is looked at.
    LookedInto,
    /// It is this JSON text.
    As(String),
    /// It is left out.
    LeftOut,
}

/// What becomes of each member: of these members the one with this name and this value.
pub(super) type Change<'c> = dyn FnMut(&RawMembers<'_>, &str, &RawValue) -> Member + 'c;

/// Returns the JSON with what `change` makes of its members. `None` if `may_hold` says that there is nothing to change in the
/// text, or it is no JSON; a part of which `may_hold` says so is not looked into either.
pub(super) fn rewritten(json: &str, may_hold: fn(&str) -> bool, change: &mut Change<'_>) -> Option<String> {
    let raw: &RawValue = may_hold(json).then(|| serde_json::from_str(json).ok())??;
    Some(walked(raw, DEPTH_MAX, may_hold, change))
}

fn walked(value: &RawValue, depth: usize, may_hold: fn(&str) -> bool, change: &mut Change<'_>) -> String {
    let text = value.get();
    let Some(deeper) = depth.checked_sub(1).filter(|_| may_hold(text)) else {
        return text.to_owned();
    };
    if let Some(members) = RawMembers::of(value) {
        return members.object_of(|name, value| match change(&members, name, value) {
            Member::LookedInto => Some(walked(value, deeper, may_hold, change)),
            Member::As(text) => Some(text),
            Member::LeftOut => None,
        });
    }
    let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(text) else {
        return text.to_owned();
    };
    let elements: Vec<_> = elements
        .into_iter()
        .map(|element| walked(element, deeper, may_hold, change))
        .collect();
    format!("[{}]", elements.join(","))
}

/// Returns a text as JSON.
pub(super) fn json_text(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}
