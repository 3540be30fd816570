//! Versions of records as entity tags: `ETag` of an answer, and `If-Match` of a request that is to change only what its
//! client has seen.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use dakghar_core::app::ExpectedVersion;
use dakghar_core::domain::{ErrorCode, Problem};

use super::problem::ApiError;
use super::state::HttpState;

/// The entity tag of a version.
pub(super) fn etag(version: u64) -> [(HeaderName, HeaderValue); 1] {
    let tag = HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes");
    [(ETAG, tag)]
}

/// The versions that the request names by `If-Match`; without it any.
pub(super) struct IfMatch(pub(super) ExpectedVersion);

impl FromRequestParts<HttpState> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &HttpState) -> Result<Self, ApiError> {
        Ok(Self(expected(&parts.headers)?))
    }
}

fn expected(headers: &HeaderMap) -> Result<ExpectedVersion, Problem> {
    let mut lines = headers.get_all(IF_MATCH).iter().peekable();
    if lines.peek().is_none() {
        return Ok(ExpectedVersion::ANY);
    }
    let mut versions = Vec::new();
    for line in lines {
        let line = line.to_str().map_err(|_| malformed())?;
        if line.trim() == "*" {
            return Ok(ExpectedVersion::ANY);
        }
        for tag in line.split(',') {
            // A weak tag never matches, and neither does one that is none of ours.
            let strong = tag.trim();
            let opaque = strong.strip_prefix("W/").unwrap_or(strong);
            let quoted = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let text = quoted.filter(|text| !text.contains('"')).ok_or_else(malformed)?;
            let version = text.parse().ok().filter(|version: &u64| version.to_string() == text);
            versions.extend(version.filter(|_| opaque == strong));
        }
    }
    Ok(ExpectedVersion::one_of(versions))
}

fn malformed() -> Problem {
    Problem::new(
        ErrorCode::BadRequest,
        "If-Match must be the ETag of an answer, in its quotes, or *.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<ExpectedVersion, ErrorCode> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_MATCH, HeaderValue::from_str(line).expect("a value"));
        }
        expected(&headers).map_err(|problem| problem.code)
    }

    #[test]
    fn a_tag_is_read_as_it_is_written() {
        let [(_, tag)] = etag(7);
        assert_eq!(
            read(&[tag.to_str().expect("text")]),
            Ok(ExpectedVersion::one_of(vec![7]))
        );
        assert_eq!(read(&[]), Ok(ExpectedVersion::ANY));
        assert_eq!(read(&["*"]), Ok(ExpectedVersion::ANY));
        assert_eq!(
            read(&["\"1\", \"2\"", "\"3\""]),
            Ok(ExpectedVersion::one_of(vec![1, 2, 3]))
        );
    }

    #[test]
    fn weak_and_foreign_tags_match_nothing_and_the_rest_is_refused() {
        for foreign in [
            "W/\"1\"",
            "\"abc\"",
            "\"\"",
            "\"-1\"",
            "\"01\"",
            "\"99999999999999999999\"",
        ] {
            assert_eq!(read(&[foreign]), Ok(ExpectedVersion::one_of(Vec::new())), "{foreign}");
        }
        for wrong in ["1", "", "\"1", "1\"", "\"1\",", "\"1\"2\"", "w/\"1\""] {
            assert_eq!(read(&[wrong]), Err(ErrorCode::BadRequest), "{wrong}");
        }
    }
}
