//! One call of an endpoint.

use std::sync::Arc;

use super::answer::Answer;
use super::bodies::Handed;
use super::deps::Deps;
use super::item::{FRESH_FOR, Item};
use super::opened::Opened;
use crate::app::failure::Failure;
use crate::app::feed::{FeedItem, posted_body};
use crate::domain::callback::CallbackFailure;
use crate::domain::endpoint::{Endpoint, EndpointFormat};
use crate::domain::feed::PlacedEntry;
use crate::domain::trace::{Attribute, SpanName};
use crate::domain::{EntryId, Secret, TenantId, Timestamp};
use crate::traces::Span;

/// Tells a receiver that it is handed something once more, on request.
const REPLAY_HEADER: &str = "x-dakghar-replay";

/// Names the span of the call to its receiver.
const TRACEPARENT: &str = "traceparent";

/// A call that may begin.
pub struct OutgoingCall {
    pub(super) items: Vec<Item>,
    endpoint: Arc<Endpoint>,
    opened: Arc<Opened>,
}

/// A call that ended.
pub struct EndedCallback {
    pub(super) call: OutgoingCall,
    pub(super) outcome: Outcome,
    pub(super) began_at: Timestamp,
}

/// What became of it.
pub(super) enum Outcome {
    /// The receiver was called.
    Answered(Answer),
    /// The endpoint's format has nothing for these entries.
    NothingToSend,
    /// What it was to send could not be read.
    NotMade,
}

impl OutgoingCall {
    pub(super) const fn new(endpoint: Arc<Endpoint>, opened: Arc<Opened>, items: Vec<Item>) -> Self {
        Self {
            items,
            endpoint,
            opened,
        }
    }

    /// The tenant of its endpoint.
    pub fn tenant_id(&self) -> TenantId {
        self.endpoint.tenant_id
    }

    /// Writes what is sent, signs it, makes the call, and waits for the answer.
    pub(super) async fn make(mut self, deps: &Deps) -> EndedCallback {
        let began_at = deps.clock.now();
        let written = match self.refresh(deps).await {
            Ok(()) => self.body(deps).await,
            Err(failure) => Err(failure),
        };
        let outcome = match written {
            Ok(Some(body)) => {
                let mut span = self.begin_span(deps);
                let headers = self.headers(deps, &body, &span);
                let answer = deps.post(&self.opened, headers, body).await;
                say_answer(&mut span, &answer);
                Outcome::Answered(answer)
            }
            Ok(None) => Outcome::NothingToSend,
            Err(failure) => {
                tracing::debug!(%failure, endpoint_id = %self.endpoint.id, "a callback could not be written yet");
                Outcome::NotMade
            }
        };
        EndedCallback {
            call: self,
            outcome,
            began_at,
        }
    }

    /// Reads records again that have waited. What was erased meanwhile is not handed over.
    async fn refresh(&mut self, deps: &Deps) -> Result<(), Failure> {
        let fresh_from = deps.clock.uptime().saturating_sub(FRESH_FOR);
        loop {
            let old = self.items.iter().filter(|item| item.read_at < fresh_from);
            let old: Vec<PlacedEntry> = old.map(Item::placed).collect();
            if old.is_empty() {
                return Ok(());
            }
            let read_at = deps.clock.uptime();
            // As many as one reading has room for, at least one.
            for feed in deps.feed.with_records(&self.endpoint.tenant_id, old).await? {
                if let Some(item) = self.items.iter_mut().find(|item| item.place() == feed.place) {
                    (item.feed, item.read_at) = (feed, read_at);
                }
            }
        }
    }

    async fn body(&self, deps: &Deps) -> Result<Option<Vec<u8>>, Failure> {
        let tenant_id = self.endpoint.tenant_id;
        let items: Vec<FeedItem> = self.items.iter().map(|item| item.feed.clone()).collect();
        match self.endpoint.format {
            EndpointFormat::Standard => Ok(Some(deps.bodies.standard(Handed {
                tenant_id,
                items: &items,
                attempt: self.items.first().map_or(0, |first| first.attempts) + 1,
                is_batch: self.endpoint.batch_max > 1,
            }))),
            EndpointFormat::Meta => {
                let body = posted_body(&deps.messages, &tenant_id, &items).await?;
                Ok(body.map(String::into_bytes))
            }
        }
    }

    /// Goes on from where its messages were accepted or received.
    fn begin_span(&self, deps: &Deps) -> Span {
        let contexts = self.items.iter().filter_map(|item| item.feed.message()?.accepted.trace);
        let mut span = deps.traces.after(SpanName::Callback, contexts);
        span.say(Attribute::Tenant(self.endpoint.tenant_id));
        span.say(Attribute::Endpoint(self.endpoint.id));
        span.say(Attribute::Parts(self.items.len()));
        span
    }

    fn headers(&self, deps: &Deps, body: &[u8], span: &Span) -> Vec<(String, Secret)> {
        let mut headers = self.opened.headers(&self.id(), deps.clock.wall(), body);
        if self.items.first().is_some_and(|first| first.is_replay) {
            headers.push((REPLAY_HEADER.to_owned(), Secret::new("true")));
        }
        // One that the tenant has set itself stays.
        let is_given = |headers: &[(String, Secret)]| headers.iter().any(|(name, _)| name == TRACEPARENT);
        if let Some(context) = span.context().filter(|_| !is_given(&headers)) {
            headers.push((TRACEPARENT.to_owned(), Secret::new(context.to_string())));
        }
        headers
    }

    /// The id of what it hands over: that of its entry; of several, one that follows from all of theirs.
    fn id(&self) -> String {
        let mut ids = self.items.iter().map(|item| item.feed.entry.id());
        match (ids.next(), ids.next()) {
            (Some(only), None) => only.to_string(),
            _ => EntryId::of_all(self.items.iter().map(|item| item.feed.entry.id())).to_string(),
        }
    }
}

/// Says how the receiver answered.
fn say_answer(span: &mut Span, answer: &Answer) {
    if let Some(status) = answer.end.status() {
        span.say(Attribute::HttpStatus(status));
    }
    if !answer.end.is_success() {
        span.fail(answer.end.failure().map_or("refused", CallbackFailure::as_str));
    }
}
