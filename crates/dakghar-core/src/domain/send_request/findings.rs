//! Collects everything that is wrong with a request, and its place, so that a client can correct it in one go.
//!
//! Values are never repeated to the client. Names are, cut to a length that is safe to log.

use std::fmt;
use std::ops::RangeInclusive;

use super::super::problem::{ErrorCode, FieldError, Problem};
use super::json::Node;
use super::pointer::escape_segment;

/// Findings reported at once. Later ones are left for the next try.
pub(super) const FINDINGS_MAX: usize = 32;
#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

/// A place in the body. Costs nothing until it is printed, as a JSON pointer.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

impl<'a> At<'a> {
    /// A field of the body.
    pub(super) const fn field(name: &'a str) -> Self {
        Self {
            parent: None,
            step: Step::Name(name),
        }
    }

    pub(super) const fn name(&'a self, name: &'a str) -> Self {
        Self {
            parent: Some(self),
            step: Step::Name(name),
        }
    }

    pub(super) const fn index(&'a self, index: usize) -> Self {
        Self {
            parent: Some(self),
            step: Step::Index(index),
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Name(name) => write!(f, "/{}", escape_segment(name)),
            Step::Index(index) => write!(f, "/{index}"),
        }
    }
}

/// The findings so far. The first gives the problem its code.
#[derive(Default)]
pub(super) struct Findings {
    code: Option<ErrorCode>,
    errors: Vec<FieldError>,
    /// True if one of them was wrong from the start.
    has_lasting: bool,
    /// The object of the body that is being checked; empty for the body itself.
    within: &'static str,
}

impl Findings {
    pub(super) fn add(&mut self, code: ErrorCode, at: &At<'_>, message: impl Into<String>) {
        self.has_lasting = true;
        self.note(code, at, message);
    }

    /// Adds a time that is in the past: the same request may have been valid when it was made first.
    pub(super) fn add_overdue(&mut self, code: ErrorCode, at: &At<'_>) {
        self.note(code, at, "is in the past");
    }

    fn note(&mut self, code: ErrorCode, at: &At<'_>, message: impl Into<String>) {
        self.code.get_or_insert(code);
        if self.errors.len() < FINDINGS_MAX {
            self.errors.push(FieldError {
                pointer: format!("{}{at}", self.within),
                message: message.into(),
            });
        }
    }

    /// Everything added from now on is about this object of the body, by its pointer.
    pub(super) const fn within(&mut self, pointer: &'static str) {
        self.within = pointer;
    }

    /// True if anything is wrong that was wrong from the start.
    pub(super) const fn has_lasting(&self) -> bool {
        self.has_lasting
    }

    pub(super) fn into_problem(self) -> Option<Problem> {
        self.code.map(|code| Problem::fields(code, self.errors))
    }

    /// Makes a check whose findings have this code.
    pub(super) const fn check(&mut self, code: ErrorCode) -> Check<'_> {
        Check { findings: self, code }
    }
}

/// True if the text has control characters other than line breaks and tabs. Those cannot be shown.
pub(super) fn has_forbidden_control(text: &str) -> bool {
    // The bytes alone clear nearly every text. 0xC2 starts the control characters beyond ASCII, among others.
    let may_have_one = text
        .bytes()
        .any(|byte| matches!(byte, 0..=8 | 11 | 12 | 14..=31 | 0x7f | 0xc2));
    may_have_one && text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// Checks the members of one of Meta's objects. Each method notes what is wrong and returns what is right.
pub(super) struct Check<'f> {
    pub(super) findings: &'f mut Findings,
    code: ErrorCode,
}

impl Check<'_> {
    pub(super) fn refuse(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.findings.add(self.code, at, message);
    }

    /// Notes a value that is not an object. Returns true if it is one.
    pub(super) fn is_object(&mut self, node: &Node<'_>, at: &At<'_>) -> bool {
        let is_object = node.as_object().is_some();
        if !is_object {
            self.refuse(at, "must be an object");
        }
        is_object
    }

    /// Returns a required member.
    pub(super) fn member<'n, 'b>(&mut self, node: &'n Node<'b>, name: &str, at: &At<'_>) -> Option<&'n Node<'b>> {
        let member = node.get(name);
        if member.is_none() {
            self.refuse(&at.name(name), "is required");
        }
        member
    }

    /// Returns a required object.
    pub(super) fn object<'n, 'b>(&mut self, node: &'n Node<'b>, name: &str, at: &At<'_>) -> Option<&'n Node<'b>> {
        let member = self.member(node, name, at)?;
        self.is_object(member, &at.name(name)).then_some(member)
    }

    /// Returns a required list with this many items.
    pub(super) fn list<'n, 'b>(
        &mut self,
        node: &'n Node<'b>,
        name: &str,
        at: &At<'_>,
        len: RangeInclusive<usize>,
    ) -> Option<&'n [Node<'b>]> {
        let member = self.member(node, name, at)?;
        self.as_list(member, &at.name(name), len)
    }

    /// Returns the items of a list with this many items.
    pub(super) fn as_list<'n, 'b>(
        &mut self,
        node: &'n Node<'b>,
        at: &At<'_>,
        len: RangeInclusive<usize>,
    ) -> Option<&'n [Node<'b>]> {
        let Some(items) = node.as_list() else {
            self.refuse(at, "must be a list");
            return None;
        };
        if len.contains(&items.len()) {
            return Some(items);
        }
        self.refuse(
            at,
            format!("must have {} to {} items, not {}", len.start(), len.end(), items.len()),
        );
        None
    }

    /// Returns a required text of 1 to `chars_max` characters.
    pub(super) fn text<'n>(
        &mut self,
        node: &'n Node<'_>,
        name: &str,
        at: &At<'_>,
        chars_max: usize,
    ) -> Option<&'n str> {
        let member = self.member(node, name, at)?;
        self.as_text(member, &at.name(name), chars_max)
    }

    /// Returns an optional text.
    pub(super) fn text_if_given<'n>(
        &mut self,
        node: &'n Node<'_>,
        name: &str,
        at: &At<'_>,
        chars_max: usize,
    ) -> Option<&'n str> {
        self.as_text(node.get(name)?, &at.name(name), chars_max)
    }

    /// Returns the text, if it has 1 to `chars_max` characters that can be shown.
    pub(super) fn as_text<'n>(&mut self, node: &'n Node<'_>, at: &At<'_>, chars_max: usize) -> Option<&'n str> {
        let message = match node.as_text() {
            None => "must be a text".to_owned(),
            Some(text) if text.trim().is_empty() => "must not be empty".to_owned(),
            Some(text) if text.len() > chars_max && text.chars().count() > chars_max => {
                format!("must have {chars_max} characters at most")
            }
            Some(text) if has_forbidden_control(text) => "contains characters that cannot be shown".to_owned(),
            Some(text) => return Some(text),
        };
        self.refuse(at, message);
        None
    }

    /// Notes a member that is there and is not a boolean.
    pub(super) fn bool_if_given(&mut self, node: &Node<'_>, name: &str, at: &At<'_>) {
        if !matches!(node.get(name), None | Some(Node::Bool(_))) {
            self.refuse(&at.name(name), "must be true or false");
        }
    }
}
