//! Headers that a tenant wants with its callbacks.

use crate::domain::endpoint::{HEADERS_BYTES_MAX, HEADERS_MAX};
use crate::domain::{ErrorCode, Problem, Secret};

/// What only the sender of a request may say, or what belongs to one connection.
const FORBIDDEN: [&str; 19] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];
/// What we ourselves say about a callback begins with one of these.
const FORBIDDEN_BEGINNINGS: [&str; 4] = ["webhook-", "x-hub-", "x-dakghar-", ":"];

/// Returns what is wrong with the headers. Says nothing of their values.
pub(super) fn check_headers(headers: &[(String, Secret)]) -> Vec<Option<Problem>> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.reveal().len())
        .sum();
    if headers.len() > HEADERS_MAX || bytes > HEADERS_BYTES_MAX {
        let message = format!("must be {HEADERS_MAX} headers at most, of {HEADERS_BYTES_MAX} bytes together");
        return vec![Some(Problem::field(ErrorCode::InvalidField, "/headers", message))];
    }
    let mut found = Vec::new();
    for (index, (name, value)) in headers.iter().enumerate() {
        let before = &headers[..index];
        let message = if !is_name(name) {
            "must have a name of letters, digits and !#$%&'*+-.^_`|~"
        } else if is_forbidden(name) {
            "must not be given"
        } else if before.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            "is given twice"
        } else if !is_value(value.reveal()) {
            "must be printable ASCII characters, without a blank at its ends"
        } else {
            continue;
        };
        found.push(Some(Problem::field(ErrorCode::InvalidField, pointer(name), message)));
    }
    found
}

fn is_forbidden(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    FORBIDDEN.contains(&&*name) || FORBIDDEN_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// A token, as HTTP has it.
fn is_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

fn is_value(value: &str) -> bool {
    !value.is_empty()
        && value.trim() == value
        && value
            .bytes()
            .all(|byte| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic())
}

/// At most 64 characters of a name are shown.
fn pointer(name: &str) -> String {
    let shown: String = name.chars().take(64).filter(|c| !c.is_control()).collect();
    format!("/headers/{}", shown.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(headers: &[(&str, &str)]) -> Vec<(String, Secret)> {
        let header = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new(*value));
        headers.iter().map(header).collect()
    }

    fn pointers(found: &[Option<Problem>]) -> Vec<&str> {
        let errors = found.iter().flatten().flat_map(|problem| &problem.errors);
        errors.map(|error| &*error.pointer).collect()
    }

    #[test]
    fn headers_that_tenants_need_are_taken() {
        let usual = [
            ("Authorization", "Bearer a.b=c"),
            ("X-Shop", "a b\tc"),
            ("User-Agent", "x"),
            ("Accept", "*/*"),
        ];
        assert_eq!(check_headers(&headers(&usual)), []);
    }

    #[test]
    fn headers_that_are_not_a_tenants_to_give_are_refused_in_every_spelling() {
        let names = FORBIDDEN.into_iter().chain([
            "Webhook-Id",
            "webhook-x",
            "X-Hub-Signature-256",
            "x-hub-",
            "X-Dakghar-A",
        ]);
        for name in names {
            for spelled in [name.to_owned(), name.to_uppercase(), name.to_lowercase()] {
                let found = check_headers(&headers(&[(&spelled, "value")]));
                assert_eq!(pointers(&found), [format!("/headers/{spelled}")]);
            }
        }
    }

    #[test]
    fn nothing_that_ends_a_line_gets_in() {
        for name in ["", " ", "a b", "a:", ":path", "a\r\nb", "ü", "a\0", "Host ", "Host\t"] {
            assert_eq!(check_headers(&headers(&[(name, "value")])).len(), 1, "{name:?}");
        }
        for value in [
            "",
            " ",
            " a",
            "a ",
            "a\r\nHost: b",
            "a\nb",
            "a\rb",
            "a\0",
            "ü",
            "a\u{7f}",
        ] {
            let found = check_headers(&headers(&[("X-A", value)]));
            assert_eq!(pointers(&found), ["/headers/X-A"], "{value:?}");
        }
        assert_eq!(
            pointers(&check_headers(&headers(&[("a/~\r\nb", "v")]))),
            ["/headers/a~1~0b"]
        );
    }

    #[test]
    fn headers_are_few_small_and_each_given_once() {
        let found = check_headers(&headers(&[("X-A", "1"), ("x-a", "2")]));
        assert_eq!(pointers(&found), ["/headers/x-a"]);
        let many = |count: usize, bytes: usize| -> Vec<(String, Secret)> {
            (0..count)
                .map(|n| (format!("X-{n:02}"), Secret::new("v".repeat(bytes))))
                .collect()
        };
        assert_eq!(check_headers(&many(HEADERS_MAX, 1)), []);
        assert_eq!(pointers(&check_headers(&many(HEADERS_MAX + 1, 1))), ["/headers"]);
        assert_eq!(check_headers(&many(1, HEADERS_BYTES_MAX - 4)), []);
        assert_eq!(pointers(&check_headers(&many(1, HEADERS_BYTES_MAX - 3))), ["/headers"]);
    }
}
