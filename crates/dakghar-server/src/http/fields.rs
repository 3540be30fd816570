//! Reads small JSON objects strictly: no unknown field, no field twice, no wrong type. All findings are reported
//! together, each with a pointer.
//!
//! Messages to send are not read here; the core has its own reader for them.

use std::fmt;

use dakghar_core::domain::{ErrorCode, FieldError, Problem, Secret, Timestamp};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The most characters of a field's name that are repeated in a problem.
const NAME_CHARS_SHOWN_MAX: usize = 64;
/// The most fields that are read. No object here has as many, and the search for repetitions takes time.
const FIELDS_MAX: usize = 64;

/// The fields of one object, taken one by one.
pub(super) struct Fields {
    /// Where the object is: empty for the whole body.
    at: String,
    members: Vec<Member>,
    code: Option<ErrorCode>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads the object.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        Self::parse_at(String::new(), body)
    }

    fn parse_at(at: String, body: &[u8]) -> Result<Self, Problem> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let members = Members::deserialize(&mut deserializer).and_then(|members| deserializer.end().map(|()| members));
        let members = members.map_err(|error| unreadable(&error))?;
        if let Some(name) = members.repeated {
            let message = "is given twice";
            return Err(Problem::field(ErrorCode::DuplicateField, pointer(&at, &name), message));
        }
        if members.is_cut {
            let detail = format!("The object has more than {FIELDS_MAX} fields.");
            return Err(Problem::new(ErrorCode::UnknownField, detail));
        }
        Ok(Self {
            at,
            members: members.all,
            code: None,
            errors: Vec::new(),
        })
    }

    /// Returns a required text. `code` is the problem if it is missing or not a text.
    pub(super) fn required_text(&mut self, name: &str, code: ErrorCode) -> String {
        if let Some(text) = self.text(name, code) {
            return text;
        }
        if !self.errors.iter().any(|error| error.pointer == pointer(&self.at, name)) {
            self.refuse(code, name, "is required");
        }
        String::new()
    }

    /// Returns a text that may be left out or `null`.
    pub(super) fn text(&mut self, name: &str, code: ErrorCode) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => {
                self.refuse(code, name, "must be a string");
                None
            }
        }
    }

    /// Returns a secret text that may be left out or `null`.
    pub(super) fn secret(&mut self, name: &str, code: ErrorCode) -> Option<Secret> {
        self.text(name, code).map(Secret::new)
    }

    /// Returns a whole number that may be left out or `null`.
    pub(super) fn whole_number(&mut self, name: &str) -> Option<u32> {
        let number = self.take(name)?.as_u64().and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            self.refuse(ErrorCode::InvalidField, name, "must be a whole number");
        }
        number
    }

    /// Returns the fields of an object that may be left out or `null`.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Problem> {
        match self.take_member(name) {
            Some(Member {
                value: Value::Object(_),
                raw,
                ..
            }) => Self::parse_at(pointer(&self.at, name), raw.get().as_bytes()).map(Some),
            Some(Member { value, .. }) if !value.is_null() => {
                self.refuse(ErrorCode::InvalidField, name, "must be an object");
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Returns a list of texts that may be left out or `null`. `code` is the problem if it is no such list.
    pub(super) fn texts(&mut self, name: &str, code: ErrorCode) -> Option<Vec<String>> {
        let Value::Array(items) = self.take(name)? else {
            self.refuse(code, name, "must be a list of strings");
            return None;
        };
        let texts = items.into_iter().map(|item| match item {
            Value::String(text) => Some(text),
            _ => None,
        });
        let texts = texts.collect::<Option<Vec<String>>>();
        if texts.is_none() {
            self.refuse(code, name, "must be a list of strings");
        }
        texts
    }

    /// Returns the names of the fields that nobody took yet.
    pub(super) fn names(&self) -> Vec<String> {
        self.members.iter().map(|member| member.name.clone()).collect()
    }

    /// True if a field is there, also if it is `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// Returns a whole number of either sign that may be left out or `null`.
    pub(super) fn integer(&mut self, name: &str) -> Option<i64> {
        let number = self.take(name)?.as_i64();
        if number.is_none() {
            self.refuse(ErrorCode::InvalidField, name, "must be a whole number");
        }
        number
    }

    /// Returns a time that may be left out or `null`.
    pub(super) fn time(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.text(name, ErrorCode::InvalidField)?;
        let time = Timestamp::parse_rfc3339(&text);
        if time.is_none() {
            self.refuse(
                ErrorCode::InvalidField,
                name,
                "must be a time such as 2026-11-22T10:00:00Z",
            );
        }
        time
    }

    /// Returns a name that may be left out or `null`, as the value that has it.
    pub(super) fn one_of<T: Copy>(&mut self, name: &str, values: &[T], as_str: fn(T) -> &'static str) -> Option<T> {
        let text = self.text(name, ErrorCode::InvalidField)?;
        let found = values.iter().copied().find(|value| as_str(*value) == text);
        if found.is_none() {
            let names: Vec<&str> = values.iter().copied().map(as_str).collect();
            let message = format!("must be one of {}", names.join(", "));
            self.refuse(ErrorCode::InvalidField, name, &message);
        }
        found
    }

    /// Returns `true` or `false`; `false` if left out or `null`.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.take(name) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(_) => {
                self.refuse(ErrorCode::InvalidField, name, "must be true or false");
                false
            }
        }
    }

    /// Notes that a field is wrong.
    pub(super) fn refuse(&mut self, code: ErrorCode, name: &str, message: &str) {
        self.code.get_or_insert(code);
        self.errors.push(FieldError {
            pointer: pointer(&self.at, name),
            message: message.to_owned(),
        });
    }

    /// Notes that an item of a list is wrong.
    pub(super) fn refuse_item(&mut self, code: ErrorCode, name: &str, place: usize, message: &str) {
        self.code.get_or_insert(code);
        self.errors.push(FieldError {
            pointer: format!("{}/{place}", pointer(&self.at, name)),
            message: message.to_owned(),
        });
    }

    /// Leaves a field to somebody else, so that it is not unknown.
    pub(super) fn pass(&mut self, name: &str) {
        self.take_member(name);
    }

    /// Ends the reading. Fields that nobody took are unknown.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        for member in std::mem::take(&mut self.members) {
            self.refuse(ErrorCode::UnknownField, &member.name, "is not known");
        }
        match self.code {
            Some(code) => Err(Problem::fields(code, self.errors)),
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.take_member(name)
            .map(|member| member.value)
            .filter(|value| !value.is_null())
    }

    fn take_member(&mut self, name: &str) -> Option<Member> {
        let index = self.members.iter().position(|member| member.name == name)?;
        Some(self.members.remove(index))
    }
}

fn pointer(at: &str, name: &str) -> String {
    let shown: String = name.chars().take(NAME_CHARS_SHOWN_MAX).collect();
    format!("{at}/{}", shown.replace('~', "~0").replace('/', "~1"))
}

fn unreadable(error: &serde_json::Error) -> Problem {
    // Only the library's text tells this error from the others.
    if error.to_string().starts_with("recursion limit exceeded") {
        return Problem::new(ErrorCode::TooDeep, "Objects and arrays are nested too deep.");
    }
    let detail = format!(
        "The body must be one JSON object in UTF-8 (line {}, column {}).",
        error.line(),
        error.column()
    );
    Problem::new(ErrorCode::MalformedJson, detail)
}

/// A field. The fields of an object are read from its text, because its value does not show repetitions.
struct Member {
    name: String,
    value: Value,
    raw: Box<RawValue>,
}

struct Members {
    all: Vec<Member>,
    repeated: Option<String>,
    is_cut: bool,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members {
                    all: Vec::new(),
                    repeated: None,
                    is_cut: false,
                };
                while let Some((name, raw)) = map.next_entry::<String, Box<RawValue>>()? {
                    let value = serde_json::from_str(raw.get()).map_err(A::Error::custom)?;
                    if members.all.len() == FIELDS_MAX {
                        members.is_cut = true;
                    } else if members.repeated.is_none() && members.all.iter().any(|known| known.name == name) {
                        members.repeated = Some(name);
                    } else {
                        members.all.push(Member { name, value, raw });
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}
