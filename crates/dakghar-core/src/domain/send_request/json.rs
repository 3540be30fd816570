//! Reads a request body as one strict JSON object: UTF-8, nothing before or after it, no field twice, not nested too
//! deep, no half of a surrogate pair. serde_json alone accepts some of these.
//!
//! Every member of the object keeps its source text beside its meaning, so that Meta gets a copy of the client's own
//! text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::problem::{ErrorCode, Problem};
use super::pointer::escape_segment;

/// The most objects and arrays inside each other, the body itself included.
pub(super) const DEPTH_MAX: usize = 32;
/// Up to this many names, comparing all pairs is cheaper than hashing.
const PAIRWISE_NAMES_MAX: usize = 12;

/// A member of an object.
pub(super) type Entry<'a> = (Cow<'a, str>, Node<'a>);

/// The meaning of a piece of JSON. Text without escapes is borrowed from the body.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<Entry<'a>>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Natural(u64),
    Negative(i64),
    Real(f64),
}

impl<'a> Node<'a> {
    /// Returns the member of that name, if this is an object that has one and it is not null.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        let (_, node) = entries.iter().find(|(key, _)| key == name)?;
        (*node != Self::Null).then_some(node)
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn as_object(&self) -> Option<&[Entry<'a>]> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    pub(super) const fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Object(_))
    }
}

/// A field of the body.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    /// The value as written.
    pub(super) raw: &'a str,
    pub(super) node: Node<'a>,
}

/// Reads the body.
pub(super) fn read(body: &[u8]) -> Result<Vec<Member<'_>>, Problem> {
    let malformed = |detail: String| Problem::new(ErrorCode::MalformedJson, detail);
    if body.trim_ascii().is_empty() {
        return Err(Problem::new(
            ErrorCode::BodyRequired,
            "send the message as a JSON object",
        ));
    }
    if body.starts_with(b"\xef\xbb\xbf") {
        return Err(malformed("the body starts with a byte order mark".to_owned()));
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| malformed(format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(malformed("the body is not an object".to_owned()));
    }

    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = deserializer
        .deserialize_map(RawFields)
        .and_then(|fields| deserializer.end().map(|()| fields))
        .map_err(|error| malformed(format!("not JSON at line {}, column {}", error.line(), error.column())))?;
    if let Some(name) = repeated(&fields) {
        return Err(Fault::new(FaultKind::Repeated, name).into_problem());
    }
    fields.into_iter().map(read_member).collect()
}

fn read_member<'a>((name, raw): (Cow<'a, str>, &'a RawValue)) -> Result<Member<'a>, Problem> {
    let mut fault = Fault::default();
    let seed = NodeSeed {
        depth: 2,
        fault: &mut fault,
    };
    match seed.deserialize(&mut serde_json::Deserializer::from_str(raw.get())) {
        Ok(node) => Ok(Member {
            name,
            raw: raw.get(),
            node,
        }),
        Err(error) => {
            fault.leave(&name, &error);
            Err(fault.into_problem())
        }
    }
}

/// Returns the first name that occurs twice.
fn repeated<'n, T>(entries: &'n [(Cow<'_, str>, T)]) -> Option<&'n str> {
    if entries.len() <= PAIRWISE_NAMES_MAX {
        return entries
            .iter()
            .enumerate()
            .find(|(i, (name, _))| entries[..*i].iter().any(|(earlier, _)| earlier == name))
            .map(|(_, (name, _))| name.as_ref());
    }
    let mut seen = HashSet::with_capacity(entries.len());
    entries
        .iter()
        .find(|(name, _)| !seen.insert(name.as_ref()))
        .map(|(name, _)| name.as_ref())
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum FaultKind {
    TooDeep,
    Repeated,
    NumberTooLarge,
    Syntax,
}

/// The reason a value was refused, and its place: the names on the way to it, the innermost first.
#[derive(Debug, Default)]
struct Fault {
    kind: Option<FaultKind>,
    way: Vec<String>,
}

impl Fault {
    fn new(kind: FaultKind, name: &str) -> Self {
        Self {
            kind: Some(kind),
            way: vec![escape_segment(name)],
        }
    }

    /// Adds the value called `name` to the place, on the way out of it.
    fn leave(&mut self, name: &str, error: &impl fmt::Display) {
        self.kind.get_or_insert_with(|| {
            // The grammar was checked when the body was split into its fields. Only numbers that do not fit and broken
            // surrogate pairs are left, and serde_json tells them apart only by its words.
            if error.to_string().starts_with("number out of range") {
                FaultKind::NumberTooLarge
            } else {
                FaultKind::Syntax
            }
        });
        self.way.push(escape_segment(name));
    }

    fn into_problem(self) -> Problem {
        let pointer: String = self.way.iter().rev().flat_map(|name| ["/", name]).collect();
        let (code, message) = match self.kind {
            Some(FaultKind::TooDeep) => (ErrorCode::TooDeep, "more than 32 objects and arrays inside each other"),
            Some(FaultKind::Repeated) => (ErrorCode::DuplicateField, "is given twice"),
            Some(FaultKind::NumberTooLarge) => (ErrorCode::InvalidField, "the number is too large"),
            Some(FaultKind::Syntax) | None => (ErrorCode::MalformedJson, "contains half of a surrogate pair"),
        };
        Problem::field(code, pointer, message)
    }
}

/// A name, borrowed if it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(NameVisitor).map(Name)
    }
}

/// Splits the body into its fields.
struct RawFields;

impl<'de> Visitor<'de> for RawFields {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(8);
        while let Some((Name(name), raw)) = map.next_entry()? {
            fields.push((name, raw));
        }
        Ok(fields)
    }
}

/// Reads one value. A container in it would be the `depth`-th.
struct NodeSeed<'f> {
    depth: usize,
    fault: &'f mut Fault,
}

impl NodeSeed<'_> {
    fn child(&mut self) -> NodeSeed<'_> {
        NodeSeed {
            depth: self.depth + 1,
            fault: self.fault,
        }
    }

    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.depth > DEPTH_MAX {
            self.fault.kind = Some(FaultKind::TooDeep);
            return Err(E::custom("too deep"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Node::Number(Number::Natural(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Node::Number(Number::Negative(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Node::Number(Number::Real(value)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self::Value, A::Error> {
        self.enter()?;
        let mut items = Vec::new();
        loop {
            match seq.next_element_seed(self.child()) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Node::List(items)),
                Err(error) => {
                    self.fault.leave(&items.len().to_string(), &error);
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        self.enter()?;
        let mut entries: Vec<Entry<'de>> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            match map.next_value_seed(self.child()) {
                Ok(node) => entries.push((name, node)),
                Err(error) => {
                    self.fault.leave(&name, &error);
                    return Err(error);
                }
            }
        }
        if let Some(name) = repeated(&entries) {
            *self.fault = Fault::new(FaultKind::Repeated, name);
            return Err(A::Error::custom("repeated"));
        }
        Ok(Node::Object(entries))
    }
}
