//! One call of an endpoint.

use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;
use super::bodies::Handed;
use super::deps::Deps;
use super::item::Item;
use super::opened::Opened;
use crate::app::failure::Failure;
use crate::app::feed::{FeedItem, posted_body};
use crate::domain::callback::CallbackFailure;
use crate::domain::endpoint::{Endpoint, EndpointFormat};
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
    pub(super) endpoint: Arc<Endpoint>,
    opened: Arc<Opened>,
    /// What was erased before this time since the boot is not in its records.
    fresh_at: Duration,
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

/// What is sent.
enum Written {
    Body(Vec<u8>),
    /// The endpoint's format has nothing for these entries.
    Nothing,
    /// Somebody was erased since its records were read.
    MayBeErased,
}

impl OutgoingCall {
    pub(super) const fn new(
        endpoint: Arc<Endpoint>,
        opened: Arc<Opened>,
        items: Vec<Item>,
        fresh_at: Duration,
    ) -> Self {
        Self {
            items,
            endpoint,
            opened,
            fresh_at,
        }
    }

    /// The tenant of its endpoint.
    pub fn tenant_id(&self) -> TenantId {
        self.endpoint.tenant_id
    }

    /// Writes what is sent, signs it, makes the call, and waits for the answer.
    pub(super) async fn make(self, deps: &Deps) -> EndedCallback {
        let began_at = deps.clock.now();
        let outcome = match self.written(deps).await {
            Ok(Written::Body(body)) => {
                let mut span = self.begin_span(deps);
                let headers = self.headers(deps, &body, &span);
                let answer = deps.post(&self.opened, headers, body).await;
                say_answer(&mut span, &answer);
                Outcome::Answered(answer)
            }
            Ok(Written::Nothing) => Outcome::NothingToSend,
            Ok(Written::MayBeErased) => Outcome::NotMade,
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

    async fn written(&self, deps: &Deps) -> Result<Written, Failure> {
        // It may have waited long until it could begin.
        if deps.may_be_erased(&self.endpoint.tenant_id, self.fresh_at).await? {
            return Ok(Written::MayBeErased);
        }
        Ok(self.body(deps).await?.map_or(Written::Nothing, Written::Body))
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
