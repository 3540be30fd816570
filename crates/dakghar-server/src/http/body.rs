//! Reads request bodies, within a size, a time and a media type.

use std::hash::Hash;
use std::ops::Deref;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use dakghar_core::domain::{ErrorCode, Problem};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::budget::{BytesOwner, Lease};
use super::export::NDJSON;
use super::state::HttpState;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A body that was read. Its bytes count for as long as this is there, which is until the request was carried out: what
/// waits for its commit is bounded by that too.
pub(super) struct ReadBody<K: Clone + Eq + Hash> {
    bytes: Vec<u8>,
    /// The bytes at its beginning that are no part of it.
    skipped: usize,
    _lease: Lease<K>,
}

impl<K: Clone + Eq + Hash> ReadBody<K> {
    /// Leaves out a byte order mark. Some editors and spreadsheets put one in front of what they save as UTF-8.
    fn without_mark(mut self) -> Self {
        if self.bytes.starts_with(BYTE_ORDER_MARK) {
            self.skipped = BYTE_ORDER_MARK.len();
        }
        self
    }
}

impl<K: Clone + Eq + Hash> Deref for ReadBody<K> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.skipped..]
    }
}

/// Reads the JSON body of a request to the API. Its caller checks that it is JSON.
pub(super) async fn read_json(
    headers: &HeaderMap,
    body: Body,
    state: &HttpState,
    owner: BytesOwner,
) -> Result<ReadBody<BytesOwner>, Problem> {
    check_media_type(headers)?;
    let read = read_within(body, state, owner).await?;
    if read.is_empty() {
        return Err(Problem::new(ErrorCode::BodyRequired, "The request has no body."));
    }
    Ok(read)
}

/// Does the same as [`read_json`] for a body that may be left out. It is then empty, and may have no type.
pub(super) async fn read_optional_json(
    headers: &HeaderMap,
    body: Body,
    state: &HttpState,
    owner: BytesOwner,
) -> Result<ReadBody<BytesOwner>, Problem> {
    let read = read_within(body, state, owner).await?;
    if !read.is_empty() {
        check_media_type(headers)?;
    }
    Ok(read)
}

/// Does the same as [`read_json`] within a limit of its own.
pub(super) async fn read_small_json(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    (state, owner): (&HttpState, BytesOwner),
) -> Result<ReadBody<BytesOwner>, Problem> {
    check_media_type(headers)?;
    let lease = state.budgets().bodies.lease(owner);
    let read = read(body, bytes_max, state.config().body_read_timeout, lease).await?;
    let read = read.without_mark();
    if read.is_empty() {
        return Err(Problem::new(ErrorCode::BodyRequired, "The request has no body."));
    }
    Ok(read)
}

/// The most bytes of an upload: half of what all bodies may have, so that one tenant can have one under way.
const UPLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads a body of any type that goes on to Meta.
pub(super) async fn read_upload(
    body: Body,
    state: &HttpState,
    owner: BytesOwner,
) -> Result<ReadBody<BytesOwner>, Problem> {
    let lease = state.budgets().bodies.lease(owner);
    read(body, UPLOAD_BYTES_MAX, state.config().body_read_timeout, lease).await
}

/// Reads a body of many messages. Returns with it whether each stands in a line of its own. Its caller checks what they are.
pub(super) async fn read_many(
    headers: &HeaderMap,
    body: Body,
    state: &HttpState,
    owner: BytesOwner,
) -> Result<(ReadBody<BytesOwner>, bool), Problem> {
    let is_lines = has_only_type(headers, NDJSON);
    if !is_lines || headers.contains_key(CONTENT_ENCODING) {
        check_media_type(headers)?;
    }
    let config = state.config();
    let lease = state.budgets().bodies.lease(owner);
    let read = read(body, config.bulk_body_bytes_max, config.body_read_timeout, lease).await?;
    let read = read.without_mark();
    if read.is_empty() {
        return Err(Problem::new(ErrorCode::BodyRequired, "The request has no body."));
    }
    Ok((read, is_lines))
}

/// True if the only `Content-Type` is this one, whatever its parameters.
fn has_only_type(headers: &HeaderMap, media_type: &str) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = only.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(media_type)
}

async fn read_within(body: Body, state: &HttpState, owner: BytesOwner) -> Result<ReadBody<BytesOwner>, Problem> {
    let config = state.config();
    let lease = state.budgets().bodies.lease(owner);
    let read = read(body, config.body_bytes_max, config.body_read_timeout, lease).await?;
    Ok(read.without_mark())
}

/// Reads the body as it came. Each piece of it counts from when it is here.
pub(super) async fn read<K: Clone + Eq + Hash>(
    body: Body,
    bytes_max: usize,
    timeout: Duration,
    lease: Lease<K>,
) -> Result<ReadBody<K>, Problem> {
    let announced = body.size_hint().lower();
    // Refuse before the body is read: a client that waits for "100 Continue" then never sends it.
    if announced > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    // A body that announces its size gets no more room than that.
    let room = body.size_hint().exact().and_then(|exact| usize::try_from(exact).ok());
    let room = room.unwrap_or(bytes_max);
    match tokio::time::timeout(
        timeout,
        collect(Limited::new(body, bytes_max), [bytes_max, room], lease),
    )
    .await
    {
        Ok(read) => read,
        Err(_elapsed) => Err(Problem::new(ErrorCode::BadRequest, "The body did not arrive in time.")),
    }
}

async fn collect<K: Clone + Eq + Hash>(
    mut body: Limited<Body>,
    [bytes_max, room]: [usize; 2],
    mut lease: Lease<K>,
) -> Result<ReadBody<K>, Problem> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) if error.is::<LengthLimitError>() => return Err(too_large(bytes_max)),
            Err(_) => {
                let detail = "The body did not arrive completely.";
                return Err(Problem::new(ErrorCode::BadRequest, detail));
            }
        };
        let Ok(data) = frame.into_data() else { continue };
        // A buffer grows ahead of what it holds, so that counts and not the bytes alone.
        let needed = bytes.len() + data.len();
        if needed > bytes.capacity() {
            let wanted = needed.max(2 * bytes.capacity()).min(room.max(needed));
            lease.grow(wanted - bytes.capacity())?;
            bytes.reserve_exact(wanted - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(ReadBody {
        bytes,
        skipped: 0,
        _lease: lease,
    })
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        ErrorCode::BodyTooLarge,
        format!("A body of at most {bytes_max} bytes is allowed."),
    )
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail: &str| Err(Problem::new(ErrorCode::UnsupportedMediaType, detail));
    if headers.contains_key(CONTENT_ENCODING) {
        return refuse("Encoded bodies are not accepted; leave Content-Encoding out.");
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (Some(value), None) if value == "application/json" => Ok(()),
        (Some(value), None) if value.to_str().is_ok_and(is_json_in_utf8) => Ok(()),
        (None, _) => refuse("Content-Type is missing; it must be application/json."),
        _ => refuse("Content-Type must be application/json, in UTF-8."),
    }
}

fn is_json_in_utf8(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                let charset = value.trim().trim_matches('"');
                charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
            }
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf8_is_accepted() {
        for accepted in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; profile=x",
            "application/json;",
        ] {
            assert!(is_json_in_utf8(accepted), "{accepted}");
        }
        for refused in [
            "",
            "text/plain",
            "application/jsonp",
            "application/problem+json",
            "application/json; charset=utf-16",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!is_json_in_utf8(refused), "{refused}");
        }
    }
}
