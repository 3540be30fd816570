//! Names by which a request to the Graph API says how it is to be carried out, and about what.
//!
//! They mean the same on every path, in the address and in the body, so that a request about one thing may become another
//! one about something else. What a tenant writes must not do that: it goes out with a token that may see more than the
//! tenant does. Meta reads such names in more than one spelling.

/// Names that turn a request into another one.
const STEERING: [&str; 15] = [
    "_method",
    "batch",
    "callback",
    "debug",
    "fields",
    "format",
    "ids",
    "include_headers",
    "input_token",
    "method",
    "relative_url",
    "summary",
    "suppress_http_code",
    "suppress_response_codes",
    "transport",
];

/// The same by any part of a name.
const SECRETS: [&str; 2] = ["access_token", "appsecret"];

/// Names of ids: those of the thing that a request is about.
const SUBJECTS: [&str; 2] = ["id", "phone_number_id"];

/// True if a member or parameter of this name, however it is spelled, may turn a request into another one, or has a secret.
pub fn steers(name: &str) -> bool {
    let name = base(name);
    STEERING.contains(&name.as_str()) || SECRETS.iter().any(|secret| name.contains(secret))
}

/// True if it names the thing that the request is about.
pub fn names_subject(name: &str) -> bool {
    SUBJECTS.contains(&base(name).as_str())
}

/// True for a name as all of Meta's are: small letters, digits and `_`, the first of them a letter.
pub fn is_plain_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The name that a reader of forms makes of it: `Method`, `method[0]` and ` method` are one, and `access.token` is `access_token`.
fn base(name: &str) -> String {
    let name = name.split(['[', '\0']).next().unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    name.replace(['.', ' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_steers_however_it_is_spelled() {
        for name in [
            "access_token",
            "access_token[0]",
            "Access_Token",
            "access.token",
            "access token",
            "appsecret_proof",
            "appsecret_time",
            "method",
            "Method",
            "METHOD[]",
            " method",
            "method\0x",
            "_method",
            "ids",
            "IDs",
            "fields",
            "batch",
            "include_headers",
            "include-headers",
        ] {
            assert!(steers(name), "{name:?}");
        }
        for name in [
            "about",
            "name",
            "components",
            "to",
            "field",
            "identity",
            "methods",
            "",
            "ids_of",
        ] {
            assert!(!steers(name), "{name:?}");
        }
        for name in ["id", "ID", "phone_number_id", "phone_number_id[]", "Phone_Number_Id"] {
            assert!(names_subject(name) && !steers(name), "{name:?}");
        }
        assert!(!names_subject("hsm_id"));
    }

    #[test]
    fn metas_names_are_plain() {
        for name in ["about", "cta_url_link_tracking_opted_out", "a1"] {
            assert!(is_plain_name(name), "{name:?}");
        }
        for name in ["", "_a", "1a", "About", "a[0]", "a ", "a\0", "a-b", "é"] {
            assert!(!is_plain_name(name), "{name:?}");
        }
    }
}
