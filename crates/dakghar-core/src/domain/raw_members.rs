//! The members of a JSON object as they were written: in their order, each value byte by byte, a name given twice twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object.
#[derive(Debug)]
pub struct RawMembers<'a>(Vec<(String, &'a RawValue)>);

impl<'a> RawMembers<'a> {
    /// Reads an object. `None` if it is something else.
    pub fn of(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    /// Every member in its place.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Returns the value of a member, the last one where its name is given twice.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        let mut members = self.0.iter().rev();
        members.find_map(|(found, value)| (found == name).then_some(*value))
    }

    /// Writes an object of what `change` makes of each value, without those of which it makes nothing.
    pub fn object_of(&self, mut change: impl FnMut(&str, &'a RawValue) -> Option<String>) -> String {
        let members = self.0.iter().filter_map(|(name, value)| {
            let name_text = serde_json::to_string(name).expect("a string is JSON");
            change(name, value).map(|value| format!("{name_text}:{value}"))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Members).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_written_as_it_was_read() {
        let text = r#"{"b":1.0e2,"a":"caf\u00e9","b":[ 1, {"x":null} ],"":{}}"#;
        let members: RawMembers<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(members.object_of(|_, value| Some(value.get().to_owned())), text);
        let names: Vec<&str> = members.members().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "a", "b", ""]);
        assert_eq!(members.get("b").map(RawValue::get), Some(r#"[ 1, {"x":null} ]"#));
        let without = members.object_of(|name, value| (name != "b").then(|| value.get().to_owned()));
        assert_eq!(without, r#"{"a":"caf\u00e9","":{}}"#);
        for other in ["[]", "1", r#""{}""#, "null"] {
            assert!(serde_json::from_str::<RawMembers<'_>>(other).is_err(), "{other}");
        }
    }
}
