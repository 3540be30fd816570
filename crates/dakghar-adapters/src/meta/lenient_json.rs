//! Meta's JSON, read without believing in its types: objects as names with raw values, borrowed from the text.
//!
//! Numbers come as strings and strings as numbers, arrays as single objects, documented fields not at all. Typed
//! structs would refuse the whole for one odd field; a tree of values would copy everything. This does neither, and
//! the exact text of every part stays at hand. Raw values are passed over without recursion, so that nesting costs no
//! stack, however deep. It does not decode bodies and does not write JSON.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of one object, in its order.
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Reads an object; `None` when the text is anything else.
    pub(super) fn parse(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Reads a value as an object; `None` when it is anything else.
    pub(super) fn of(raw: &'a RawValue) -> Option<Self> {
        if !raw.get().starts_with('{') {
            return None;
        }
        Self::parse(raw.get())
    }

    /// The value of a field. `null` counts as absent; of a name given twice the last counts.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
            .filter(|value| value.get() != "null")
    }

    /// The field as text, whether it is a string or a number.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(text)
    }

    /// The field as a whole number, whether it is a number or a string of digits.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    /// The field as an object.
    pub(super) fn object(&self, name: &str) -> Option<Fields<'a>> {
        self.get(name).and_then(Fields::of)
    }

    /// Every field, in the object's order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), *value))
    }
}

/// A string's content or a number's digits; `None` for anything else, and for a string that is not valid Unicode.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let json = raw.get();
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str::<Name<'_>>(json).ok().map(|name| name.0),
        b'0'..=b'9' | b'-' => Some(Cow::Borrowed(json)),
        _ => None,
    }
}

/// The elements of an array; a single object stands for an array of one. `None` when the value is neither.
pub(super) fn elements(raw: &RawValue) -> Option<Vec<&RawValue>> {
    match raw.get().as_bytes().first()? {
        b'[' => serde_json::from_str(raw.get()).ok(),
        b'{' => Some(vec![raw]),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some((key, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    fields.push((key.0, value));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_strings_and_numbers_alike_and_nothing_else() {
        let fields = Fields::parse(
            r#"{"s":"a\u00e9\/","n":12,"neg":-3,"digits":" 7 ","b":true,"o":{"x":1},"a":[],"z":null,"bad":"\ud800"}"#,
        )
        .unwrap();
        assert_eq!(fields.text("s").as_deref(), Some("aé/"));
        assert_eq!(fields.text("n").as_deref(), Some("12"));
        assert_eq!(fields.integer("neg"), Some(-3));
        assert_eq!(fields.integer("digits"), Some(7));
        assert_eq!(fields.object("o").unwrap().integer("x"), Some(1));
        for name in ["b", "o", "a", "z", "bad", "missing"] {
            assert_eq!(fields.text(name), None, "{name}");
        }
        assert!(fields.get("z").is_none());
        assert!(fields.get("bad").is_some());
    }

    #[test]
    fn a_lone_object_is_an_array_of_one() {
        let fields = Fields::parse(r#"{"many":[1, {"a":2}],"one":{"a":1},"none":[],"wrong":"x"}"#).unwrap();
        let count = |name| elements(fields.get(name).unwrap()).map(|found| found.len());
        assert_eq!(count("many"), Some(2));
        assert_eq!(count("one"), Some(1));
        assert_eq!(count("none"), Some(0));
        assert_eq!(count("wrong"), None);
    }

    #[test]
    fn the_last_of_two_equal_names_counts() {
        let fields = Fields::parse(r#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(fields.integer("a"), Some(2));
    }
}
