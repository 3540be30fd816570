//! `raw`: Meta's body of a message as a whole. Only whom it goes to and the name of its type are looked at; everything else
//! is Meta's to judge.

use super::super::problem::{ErrorCode, Problem};
use super::fields::{Field, Fields};
use super::findings::Findings;
use super::json::{self, Member};

/// The place of such a body.
pub(super) const POINTER: &str = "/raw";

/// Returns the members of the body, if there is one.
pub(super) fn members<'b>(fields: &Fields<'b>, findings: &mut Findings) -> Result<Option<Vec<Member<'b>>>, Problem> {
    let Some(raw) = fields.get(Field::Raw) else {
        return Ok(None);
    };
    if raw.node.as_object().is_none() {
        let message = "must be Meta's body of a message, an object";
        return Err(Problem::field(ErrorCode::InvalidField, POINTER, message));
    }
    fields.refuse_message(findings);
    json::read(raw.raw.as_bytes()).map(Some)
}
