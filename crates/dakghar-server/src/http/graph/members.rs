//! JSON bodies that are passed on to Meta: which members they may have.

use dakghar_core::domain::raw_members::RawMembers;
use dakghar_core::domain::steering::{is_plain_name, names_subject, steers};
use dakghar_core::domain::{ErrorCode, Problem};
use serde_json::value::RawValue;

/// The most characters of a name that are repeated in a problem.
const NAME_CHARS_SHOWN_MAX: usize = 64;

/// Checks the members of a body. `is_own` tells of an id that it is that of a thing of the tenant. What is inside of the
/// members is Meta's to judge: names mean something to every path only at the top.
pub(super) fn check(body: &[u8], is_own: impl Fn(&str) -> bool) -> Result<(), Problem> {
    let malformed = || Problem::new(ErrorCode::MalformedJson, "The body must be one JSON object.");
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let members: RawMembers<'_> = serde_json::from_str(text).map_err(|_| malformed())?;
    let mut names: Vec<&str> = members.members().map(|(name, _)| name).collect();
    for (name, value) in members.members() {
        if !is_plain_name(name) || steers(name) || names_subject(name) && !is_own(&id_of(value)) {
            return Err(refused(ErrorCode::BadRequest, name, "must not be in the body"));
        }
    }
    // Whoever reads it may take the first one or the last one.
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(refused(ErrorCode::DuplicateField, pair[0], "is given twice")),
        None => Ok(()),
    }
}

/// The id in a text or a number; empty in anything else, which nothing has as its id.
fn id_of(value: &RawValue) -> String {
    let text = serde_json::from_str::<String>(value.get());
    text.or_else(|_| serde_json::from_str::<u64>(value.get()).map(|number| number.to_string()))
        .unwrap_or_default()
}

fn refused(code: ErrorCode, name: &str, why: &str) -> Problem {
    let name: String = name.chars().take(NAME_CHARS_SHOWN_MAX).collect();
    Problem::new(code, format!("'{name}' {why}, or has a value that does not pass."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(body: &str) -> Result<(), ErrorCode> {
        check(body.as_bytes(), |id| id == "111").map_err(|problem| problem.code)
    }

    #[test]
    fn what_describes_the_thing_passes_and_nothing_that_steers_the_request() {
        for body in [
            "{}",
            r#"{"messaging_product":"whatsapp","about":"Books","websites":["https://a.example"]}"#,
            r#"{"name":"sale","components":[{"type":"BODY","text":"{{1}}","method":"x"}],"a1":null}"#,
            r#"{"id":"111"}"#,
            r#"{"phone_number_id":111}"#,
        ] {
            assert_eq!(checked(body), Ok(()), "{body}");
        }
        for body in [
            r#"{"access_token":"t"}"#,
            r#"{"access\u005ftoken":"t"}"#,
            r#"{"access_token[0]":"t"}"#,
            r#"{"access_token ":"t"}"#,
            r#"{"Method":"delete"}"#,
            r#"{"method":"delete"}"#,
            r#"{"_method":"delete"}"#,
            r#"{"method\u0000":"delete"}"#,
            r#"{"ids":"222"}"#,
            r#"{"fields":"id,owner_business_info{id}"}"#,
            r#"{"include_headers":false}"#,
            r#"{"suppress_http_code":1}"#,
            r#"{"batch":[]}"#,
            r#"{"appsecret_proof":"1"}"#,
            r#"{"id":"222"}"#,
            r#"{"id":["111"]}"#,
            r#"{"phone_number_id":"222"}"#,
            r#"{"phone_number_id":222}"#,
            r#"{"phone_number_id":null}"#,
            r#"{"About":"Books"}"#,
        ] {
            assert_eq!(checked(body), Err(ErrorCode::BadRequest), "{body}");
        }
        for body in [r#"{"a":1,"b":2,"a":3}"#, r#"{"id":"111","id":"111"}"#] {
            assert_eq!(checked(body), Err(ErrorCode::DuplicateField), "{body}");
        }
        for body in ["", "[]", "null", "{", r#"[{"method":"delete"}]"#, "{} {}"] {
            assert_eq!(checked(body), Err(ErrorCode::MalformedJson), "{body}");
        }
    }
}
