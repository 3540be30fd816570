//! One call of an endpoint.

use std::sync::Arc;
use std::time::Duration;

use super::deps::Deps;
use super::item::Item;
use super::opened::Opened;
use crate::domain::callback::CallEnd;
use crate::domain::{EntryId, Timestamp};
use crate::ports::receivers::{CallbackAnswer, CallbackCall, CallbackFailure, CallbackOutcome};

/// A call that may begin.
pub struct OutgoingCall {
    pub(super) items: Vec<Item>,
    opened: Arc<Opened>,
    body: Vec<u8>,
    timeout: Duration,
}

/// A call that ended.
pub struct EndedCallback {
    pub(super) call: OutgoingCall,
    pub(super) answer: Answer,
    pub(super) began_at: Timestamp,
}

/// What became of it.
pub(super) struct Answer {
    pub(super) end: CallEnd,
    pub(super) took: Duration,
    pub(super) retry_after: Option<Duration>,
    pub(super) failure_body: Option<String>,
}

impl From<CallbackAnswer> for Answer {
    fn from(answer: CallbackAnswer) -> Self {
        let took = answer.took;
        match answer.outcome {
            CallbackOutcome::Answered {
                status,
                retry_after,
                failure_body,
            } => Self {
                end: CallEnd::Answered(status),
                took,
                retry_after,
                failure_body,
            },
            CallbackOutcome::Failed(failure) => Self {
                end: match failure {
                    CallbackFailure::Dns => CallEnd::Dns,
                    CallbackFailure::Blocked => CallEnd::Blocked,
                    CallbackFailure::Connect => CallEnd::Connect,
                    CallbackFailure::Tls => CallEnd::Tls,
                    CallbackFailure::Timeout => CallEnd::Timeout,
                    CallbackFailure::Protocol => CallEnd::Protocol,
                },
                took,
                retry_after: None,
                failure_body: None,
            },
        }
    }
}

impl OutgoingCall {
    pub(super) fn new(opened: Arc<Opened>, items: Vec<Item>, body: Vec<u8>, timeout: Duration) -> Self {
        Self {
            items,
            opened,
            body,
            timeout,
        }
    }

    /// Signs it, makes it, and waits for the answer.
    pub(super) async fn make(mut self, deps: &Deps) -> EndedCallback {
        let began_at = deps.clock.now();
        let body = std::mem::take(&mut self.body);
        let answer = match &self.opened.url {
            None => Answer {
                end: CallEnd::Blocked,
                took: Duration::ZERO,
                retry_after: None,
                failure_body: None,
            },
            Some(url) => {
                let headers = self.opened.headers(&self.id(), deps.clock.wall(), &body);
                let call = CallbackCall {
                    url: url.clone(),
                    headers,
                    body,
                    timeout: self.timeout,
                };
                deps.receivers.post(call).await.into()
            }
        };
        EndedCallback {
            call: self,
            answer,
            began_at,
        }
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
