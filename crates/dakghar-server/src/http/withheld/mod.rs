//! What support does not see: in the answers to an operator whose role reads without bodies, everything is `null` whose name
//! is not known to be harmless. So a field that nobody has thought of is withheld, and none is shown by forgetting it here.
//!
//! This is the one place that decides about it, whichever route answers. Bodies of messages are withheld, payloads of
//! events, what webhooks were as Meta posted them, what tenants gave along with a message, and what receivers answered.

mod members;

use std::io;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use dakghar_core::domain::raw_members::RawMembers;
use dakghar_core::domain::{ErrorCode, Problem};
use futures_util::{StreamExt as _, stream};
use serde_json::value::RawValue;

use super::caller::{Caller, CallerSlot};
use super::export::NDJSON;
use super::problem::ApiError;
use super::readings::Reading;
use super::shown::Shown;
use members::SHOWN;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
/// The most bytes of one line of an answer, or of an answer that is one line. More are not looked through, and not shown.
const LINE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What begins the lines of events in which JSON stands.
const EVENT_DATA: &[u8] = b"data: ";
/// What begins the others, which hold places and kinds.
const EVENT_OTHERS: [&[u8]; 4] = [b"id: ", b"event: ", b"retry: ", b":"];

/// Notes who calls, records what operators read, and withholds bodies from whom they are not for.
pub(super) async fn withhold(mut request: Request, next: Next) -> Response {
    let slot = CallerSlot::default();
    request.extensions_mut().insert(slot.clone());
    let reading = Reading::of(&request);
    let response = next.run(request).await;
    let shown = response.extensions().get::<Shown>().copied();
    if let (Some(reading), Some((caller, app))) = (reading, slot.reader())
        && response.status().is_success()
        && let Err(failure) = reading.record(app, caller, shown).await
    {
        return ApiError::from(failure).into_response();
    }
    if slot.get().is_none_or(Caller::sees_bodies) {
        return response;
    }
    without_bodies(response)
}

fn without_bodies(response: Response) -> Response {
    // A problem is made of our own words, and is written later.
    if !response.status().is_success() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let form = media_type.map(|text| text.split(';').next().unwrap_or_default().trim());
    match form {
        None => Response::from_parts(head, Body::empty()),
        Some(JSON | NDJSON | EVENTS) => {
            head.headers.remove(CONTENT_LENGTH);
            let lines = Lines {
                body: body.into_data_stream(),
                rest: Vec::new(),
                is_over: false,
            };
            Response::from_parts(head, Body::from_stream(lines.shown()))
        }
        Some(_) => {
            let detail = "The role of the key reads without bodies, and this answer cannot be shown without them.";
            ApiError::from(Problem::new(ErrorCode::Forbidden, detail)).into_response()
        }
    }
}

/// An answer that is being looked through, line by line. JSON alone is one line.
struct Lines {
    body: BodyDataStream,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    is_over: bool,
}

impl Lines {
    fn shown(self) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
        stream::unfold(self, |mut lines| async move {
            let next = lines.next().await?;
            lines.is_over |= next.is_err();
            Some((next, lines))
        })
    }

    /// Returns the lines of the next piece that ends one. `None` is the end.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        while !self.is_over {
            let Some(piece) = self.body.next().await else {
                self.is_over = true;
                let rest = std::mem::take(&mut self.rest);
                return (!rest.is_empty()).then(|| lines_shown(&rest));
            };
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Some(Err(io::Error::other(error))),
            };
            self.rest.extend_from_slice(&piece);
            let end = self
                .rest
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |last| last + 1);
            if self.rest.len() - end > LINE_BYTES_MAX {
                return Some(Err(io::Error::other("a line is too long to be looked through")));
            }
            if end > 0 {
                let behind = self.rest.split_off(end);
                let whole = std::mem::replace(&mut self.rest, behind);
                return Some(lines_shown(&whole));
            }
        }
        None
    }
}

fn lines_shown(lines: &[u8]) -> io::Result<Bytes> {
    let mut shown = Vec::with_capacity(lines.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let (start, json) = match text.strip_prefix(EVENT_DATA) {
            Some(json) => (EVENT_DATA, json),
            None => (&b""[..], text),
        };
        if text.is_empty() || EVENT_OTHERS.iter().any(|start| text.starts_with(start)) {
            shown.extend_from_slice(line);
            continue;
        }
        // What is no JSON cannot be looked through.
        let value: &RawValue = serde_json::from_slice(json).map_err(io::Error::other)?;
        shown.extend_from_slice(start);
        shown.extend_from_slice(value_shown(value).as_bytes());
        shown.extend_from_slice(&line[text.len()..]);
    }
    Ok(shown.into())
}

/// Writes a value without the members that are not shown.
fn value_shown(value: &RawValue) -> String {
    let text = value.get();
    if text.starts_with('{')
        && let Some(members) = RawMembers::of(value)
    {
        return members.object_of(|name, value| {
            let is_shown = SHOWN.binary_search(&name).is_ok();
            Some(if is_shown {
                value_shown(value)
            } else {
                "null".to_owned()
            })
        });
    }
    if text.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text)
    {
        let items: Vec<String> = items.into_iter().map(value_shown).collect();
        return format!("[{}]", items.join(","));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shown(media_type: &str, pieces: &[&'static str]) -> Result<String, axum::Error> {
        let pieces: Vec<io::Result<Bytes>> = pieces.iter().map(|piece| Ok((*piece).into())).collect();
        let body = Body::from_stream(stream::iter(pieces));
        let response = Response::builder()
            .header(CONTENT_TYPE, media_type)
            .body(body)
            .expect("a response");
        let bytes = axum::body::to_bytes(without_bodies(response).into_body(), usize::MAX).await?;
        Ok(String::from_utf8(bytes.to_vec()).expect("UTF-8"))
    }

    #[tokio::test]
    async fn only_known_members_are_shown_however_deep_and_however_the_answer_is_cut() {
        let pieces = [
            r#"{"data":[{"id":"m","content":{"id":"#,
            r#""x"},"new":1,"error":{"code":7,"more":"y"}}],"nextCursor":null}"#,
        ];
        assert_eq!(
            shown("application/json", &pieces).await.expect("an answer"),
            r#"{"data":[{"id":"m","content":null,"new":null,"error":{"code":7,"more":null}}],"nextCursor":null}"#
        );
        let events = [
            ": \nid: 4\nevent: message.received\nda",
            "ta: {\"id\":\"e\",\"raw\":{}}\n\n",
            ": \n",
        ];
        assert_eq!(
            shown("text/event-stream", &events).await.expect("an answer"),
            ": \nid: 4\nevent: message.received\ndata: {\"id\":\"e\",\"raw\":null}\n\n: \n"
        );
        let lines = ["{\"id\":1,\"content\":2}\n{\"content\"", ":2,\"id\":3}\n"];
        assert_eq!(
            shown("application/x-ndjson", &lines).await.expect("an answer"),
            "{\"id\":1,\"content\":null}\n{\"content\":null,\"id\":3}\n"
        );
    }

    #[tokio::test]
    async fn what_cannot_be_looked_through_is_not_shown() {
        assert!(shown("application/json", &["canary"]).await.is_err());
        assert!(shown("text/event-stream", &["canary: 1\n"]).await.is_err());
        for (media_type, piece) in [
            ("text/csv", "canary"),
            ("application/json; charset=utf-8", "{\"canary\":1}"),
        ] {
            let text = shown(media_type, &[piece]).await.expect("an answer");
            assert!(!text.contains("canary\":1") && text != "canary", "{text}");
        }
    }
}
