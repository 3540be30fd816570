//! Paths of Meta's face: `/v25.0/111` and `/v25.0/111/messages`.

use axum::http::Method;
use dakghar_core::domain::PhoneNumberId;

/// The most digits of an id of Meta's.
const ID_DIGITS_MAX: usize = 32;
/// The most characters of the name of an edge.
const EDGE_CHARS_MAX: usize = 64;

/// A path, taken apart but not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GraphPath<'a> {
    /// The version that the client was written for.
    pub(super) version: &'a str,
    /// The id of a number, an account or something else at Meta. Empty if it is none.
    pub(super) id: &'a str,
    /// The edge that is asked; `None` for the thing itself.
    pub(super) edge: Option<&'a str>,
}

/// The endpoint that sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `messages`.
    Messages,
    /// `marketing_messages`, for templates.
    Marketing,
}

impl<'a> GraphPath<'a> {
    /// Reads a path. `None` if it does not begin with a version of Meta's, and so is not of this face.
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let version = segments.next().filter(|text| is_version(text))?;
        let id = segments.next().filter(|text| is_id(text));
        let edge = segments.next();
        let is_edge = edge.is_none_or(is_edge) && segments.next().is_none();
        Some(Self {
            version,
            id: id.filter(|_| is_edge).unwrap_or_default(),
            edge,
        })
    }

    /// Returns the number and the endpoint, if the path is one that sends messages.
    pub(super) fn send_endpoint(&self, method: &Method) -> Option<(PhoneNumberId, Endpoint)> {
        let endpoint = match self.edge? {
            "messages" => Endpoint::Messages,
            "marketing_messages" => Endpoint::Marketing,
            _ => return None,
        };
        let number = PhoneNumberId::parse(self.id).ok()?;
        (method == Method::POST).then_some((number, endpoint))
    }
}

/// True for the paths of this face, also where nothing is at them: whoever asks there is a client of Meta's.
pub(in crate::http) fn is_metas(path: &str) -> bool {
    GraphPath::parse(path).is_some()
}

fn is_version(text: &str) -> bool {
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = text.strip_prefix('v').and_then(|rest| rest.split_once('.'));
    numbers.is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

fn is_id(text: &str) -> bool {
    (1..=ID_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_edge(text: &str) -> bool {
    (1..=EDGE_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_exactly_like_metas_paths_is_one() {
        let path = GraphPath::parse("/v25.0/111/messages").expect("Meta's");
        assert_eq!((path.version, path.id, path.edge), ("v25.0", "111", Some("messages")));
        assert!(path.send_endpoint(&Method::POST).is_some());
        assert!(path.send_endpoint(&Method::GET).is_none());
        assert_eq!(GraphPath::parse("/v25.0/111").expect("Meta's").edge, None);
        for of_nobody in [
            "/v25.0/..",
            "/v25.0/../messages",
            "/v25.0/111%2f222",
            "/v25.0/111%2e/messages",
            "/v25.0/111/messages/",
            "/v25.0/111//messages",
            "/v25.0//111",
            "/v25.0/111/messages/222",
            "/v25.0/111/Messages",
            "/v25.0/111/",
            "/v25.0/me",
            "/v25.0/111;a=b",
            "/v25.0",
        ] {
            let path = GraphPath::parse(of_nobody).expect("it begins like Meta's");
            assert_eq!(path.id, "", "{of_nobody}");
            assert!(path.send_endpoint(&Method::POST).is_none(), "{of_nobody}");
        }
        for other in [
            "/tenants/111",
            "/v25/111",
            "/v.0/111",
            "/v25.x/111",
            "v25.0/111",
            "/V25.0/111",
        ] {
            assert_eq!(GraphPath::parse(other), None, "{other}");
        }
    }
}
