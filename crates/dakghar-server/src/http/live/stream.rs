//! Server-sent events: the entries of a feed as they come, for as long as the client takes them.
//!
//! The stream is pulled: a page is read when the connection has room for it, and only then. While the client has taken all
//! of it the connection counts as busy; while it has not, the watch over connections cuts one of which nothing is read.
//! Whatever ends a stream, the client connects again and names the id that it had last: nothing is left out, and nothing
//! comes twice.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use dakghar_core::app::{FeedPage, FeedSubscription};
use dakghar_core::domain::{Place, TenantId};
use dakghar_core::metrics::LiveWay;
use futures_util::stream;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::request::LiveRequest;
use crate::http::accepting::accepts;
use crate::http::connected::UnderWay;
use crate::http::pages::Turn;
use crate::http::problem::ApiError;
use crate::http::readers::ReaderPlace;
use crate::http::views::FeedView;

/// The media type of a stream.
const EVENT_STREAM: &str = "text/event-stream";
/// The wait of a client before it connects again, in milliseconds.
const RETRY_MS: u32 = 2_000;
/// The wait after a page that could not be read.
const FAILURE_WAIT: Duration = Duration::from_secs(1);
/// Tells proxies to pass on each event at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// True if a request asks for a stream: one of the types that it accepts is that of a stream.
pub(in crate::http) fn wants_stream(headers: &HeaderMap) -> bool {
    accepts(headers, EVENT_STREAM)
}

/// Answers with a stream. The first page is read before the answer begins, so that a place that is gone is a problem like
/// any other.
pub(in crate::http) async fn stream(request: LiveRequest) -> Result<Response, ApiError> {
    let place_of_reader = request.state.readers().enter(request.tenant_id, LiveWay::Stream)?;
    let subscription = request.state.app().watching.subscribe(&request.tenant_id);
    let (turn, page) = request.read(request.start().await?).await?;
    let mut heartbeats = interval(request.state.config().live_heartbeat);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one is due at once.
    heartbeats.reset();
    let ends = Box::pin(sleep(request.state.config().live_stream_max));
    let live = Live {
        after: page.next,
        told: page.items.first().map_or(page.next, |first| first.place.before()),
        is_at_end: page.is_at_end,
        is_caught_up: false,
        first: Some((turn, page)),
        subscription,
        heartbeats,
        request,
        _place: place_of_reader,
    };
    let events = stream::unfold((live, ends), |(mut live, mut ends)| async move {
        // As long as it waits for entries, the client has nothing to take.
        let connected = live.request.connected.clone();
        let under_way = connected.begin();
        let next = tokio::select! {
            biased;
            () = connected.shut_down() => None,
            () = &mut ends => None,
            event = live.next() => event,
        };
        drop::<UnderWay>(under_way);
        next.map(|bytes| (Ok::<_, Infallible>(bytes), (live, ends)))
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// A stream under way.
struct Live {
    /// The page that was read first, until it was sent.
    first: Option<(Turn<Option<TenantId>>, FeedPage)>,
    /// Everything up to here was looked at.
    after: Place,
    /// The place that the client knows.
    told: Place,
    is_at_end: bool,
    /// True once everything was sent that was there before.
    is_caught_up: bool,
    subscription: FeedSubscription,
    heartbeats: Interval,
    request: LiveRequest,
    _place: ReaderPlace,
}

impl Live {
    /// Returns what is to be sent next; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some((turn, page)) = self.first.take() {
            let mut head = format!("retry: {RETRY_MS}\nid: {}\n\n", self.told).into_bytes();
            return self.send(turn, &page, &mut head);
        }
        loop {
            if self.is_at_end {
                tokio::select! {
                    biased;
                    () = self.subscription.behind(self.after) => {}
                    _ = self.heartbeats.tick() => return Some(self.heartbeat()),
                }
            }
            match self.request.read(Some(self.after)).await {
                Ok((turn, page)) => {
                    let has_items = !page.items.is_empty();
                    (self.after, self.is_at_end) = (page.next, page.is_at_end);
                    if has_items {
                        if self.is_caught_up {
                            self.request.note_lag(&page.items);
                        }
                        return self.send(turn, &page, &mut Vec::new());
                    }
                    self.is_caught_up = page.is_at_end;
                }
                // What is gone, or forbidden by now, the next request is told.
                Err(error) if error.problem.code.http_status() < 500 => return None,
                Err(_) => {
                    self.is_at_end = false;
                    tokio::select! {
                        () = sleep(FAILURE_WAIT) => {}
                        _ = self.heartbeats.tick() => return Some(self.heartbeat()),
                    }
                }
            }
        }
    }

    /// Writes a page as events, behind `head`. `None` if there is no room for its bytes: the client comes again.
    fn send(&mut self, turn: Turn<Option<TenantId>>, page: &FeedPage, head: &mut Vec<u8>) -> Option<Bytes> {
        let mut events = std::mem::take(head);
        FeedView::new(page, self.request.query.wants_raw).write_events(&mut events);
        if let Some(last) = page.items.last() {
            self.told = last.place;
        }
        self.heartbeats.reset();
        turn.lease(events).ok()
    }

    /// A comment, which shows that the connection works. A place that has moved on without an event is told with it.
    fn heartbeat(&mut self) -> Bytes {
        let mut text = String::from(": \n");
        if self.told < self.after {
            self.told = self.after;
            let _ = writeln!(text, "id: {}", self.told);
        }
        text.push('\n');
        text.into()
    }
}
