//! Meta's JSON around a part: what is repeated with it, so that the part by itself says all that Meta said of it.

use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::super::lenient_json::Fields;

/// Some members of an object, as text.
#[derive(Clone, Default)]
pub(super) struct Members<'a>(Vec<(&'a str, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Every member but the ones of these names that were read. Of a name given twice the last is read, so the others
    /// are among them.
    pub(super) fn without(fields: &'a Fields<'_>, read: &[&str]) -> Self {
        let mut seen = Vec::with_capacity(read.len());
        let mut members: Vec<_> = fields.iter().collect();
        members.reverse();
        members.retain(|(name, _)| {
            let is_read = read.contains(name) && !seen.contains(name);
            if is_read {
                seen.push(*name);
            }
            !is_read
        });
        members.reverse();
        Self(members)
    }

    /// Those with a name and a value of so many bytes at most.
    pub(super) fn up_to(&self, bytes: usize) -> Self {
        let is_short = |(name, value): &&(&str, &RawValue)| name.len() <= bytes && value.get().len() <= bytes;
        Self(self.0.iter().filter(is_short).copied().collect())
    }

    /// Those that are there.
    pub(super) fn of(named: &[(&'a str, Option<&'a RawValue>)]) -> Self {
        Self(
            named
                .iter()
                .filter_map(|(name, value)| Some((*name, (*value)?)))
                .collect(),
        )
    }

    /// With one more at the end, if there is one.
    pub(super) fn and(mut self, name: &'a str, value: Option<&'a RawValue>) -> Self {
        self.0.extend(value.map(|value| (name, value)));
        self
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes that they have as text, or a few more.
    pub(super) fn bytes(&self) -> usize {
        const QUOTES_COLON_COMMA: usize = 4;
        self.0
            .iter()
            .map(|(name, value)| name.len() + value.get().len() + QUOTES_COLON_COMMA)
            .sum()
    }

    /// An object of them.
    pub(super) fn object(&self) -> String {
        let mut json = String::with_capacity(self.bytes() + 2);
        json.push('{');
        self.write(&mut json);
        json.push('}');
        json
    }

    /// Meta's entry with this change only, of whose entry these are the other members.
    pub(super) fn entry_of(&self, change: &str) -> String {
        let mut json = String::with_capacity(self.bytes() + change.len() + 16);
        self.begin_entry(&mut json);
        json.push_str(change);
        json.push_str("]}");
        json
    }

    /// Begins Meta's entry with one change, up to that change.
    pub(super) fn begin_entry(&self, json: &mut String) {
        json.push('{');
        self.write(json);
        if !self.is_empty() {
            json.push(',');
        }
        json.push_str(r#""changes":["#);
    }

    /// Writes them with commas between them.
    pub(super) fn write(&self, json: &mut String) {
        for (at, (name, value)) in self.0.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            // A name may hold what JSON escapes.
            let name = serde_json::to_string(name).expect("a string is JSON");
            write!(json, "{name}:{}", value.get()).expect("writing to a string cannot fail");
        }
    }
}

/// The bytes by which the parts of a body may be more than the body. All of them stay within three times its size.
pub(super) struct Repeats {
    left: usize,
}

impl Repeats {
    pub(super) const fn of_body(bytes: usize) -> Self {
        Self { left: 2 * bytes }
    }

    /// Takes so many bytes, or none if there are fewer.
    pub(super) const fn take(&mut self, bytes: usize) -> bool {
        let is_there = bytes <= self.left;
        if is_there {
            self.left -= bytes;
        }
        is_there
    }
}
