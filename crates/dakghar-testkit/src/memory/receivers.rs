//! Receivers that are told what to answer, and remember what they got.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::callback::CallbackFailure;
use dakghar_core::ports::{CallbackAnswer, CallbackCall, CallbackOutcome, ReceiverQuery, ReceiverText, Receivers};
use parking_lot::Mutex;
use tokio::sync::watch;

const REFUSAL: CallbackOutcome = CallbackOutcome::Answered {
    status: 422,
    retry_after: None,
    failure_body: None,
};

/// Tells bodies apart.
pub type OfBody = fn(&[u8]) -> bool;

/// What was posted to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The URL.
    pub url: String,
    /// The headers, their values in the clear.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// True if it was answered with 2xx.
    pub is_taken: bool,
}

/// A question to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The URL.
    pub url: String,
    /// What was asked, by its names.
    pub pairs: BTreeMap<&'static str, String>,
}

/// Receivers that are told what to answer. One that was told nothing takes everything.
#[derive(Default)]
pub struct MemoryReceivers {
    posted: Mutex<Vec<Posted>>,
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<BTreeMap<String, VecDeque<CallbackOutcome>>>,
    hanging: Mutex<BTreeMap<String, watch::Sender<()>>>,
    refused: Mutex<Option<OfBody>>,
}

impl MemoryReceivers {
    /// The next call of this URL, in the form it is kept in, ends so.
    pub fn answer(&self, url: &str, outcome: CallbackOutcome) {
        self.answers
            .lock()
            .entry(url.to_owned())
            .or_default()
            .push_back(outcome);
    }

    /// The next call of this URL is answered with this status.
    pub fn answer_status(&self, url: &str, status: u16) {
        let outcome = CallbackOutcome::Answered {
            status,
            retry_after: None,
            failure_body: (!(200..300).contains(&status)).then(String::new),
        };
        self.answer(url, outcome);
    }

    /// From now on every such body is answered with 422, if nothing else was told.
    pub fn refuse_bodies(&self, is_refused: OfBody) {
        *self.refused.lock() = Some(is_refused);
    }

    /// Calls of this URL get no answer from now on.
    pub fn hang(&self, url: &str) {
        self.hanging.lock().insert(url.to_owned(), watch::Sender::default());
    }

    /// Calls of this URL get their answers again, and those that hang too.
    pub fn release(&self, url: &str) {
        self.hanging.lock().remove(url);
    }

    fn is_refused(&self, body: &[u8]) -> bool {
        self.refused.lock().is_some_and(|is_refused| is_refused(body))
    }

    /// Everything that was posted, in order.
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().clone()
    }

    /// Everything that was asked with GET, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }
}

#[async_trait]
impl Receivers for MemoryReceivers {
    async fn post(&self, call: CallbackCall) -> CallbackAnswer {
        let url = call.url.as_str().to_owned();
        let told = self.answers.lock().get_mut(&url).and_then(VecDeque::pop_front);
        let told = told.or_else(|| self.is_refused(&call.body).then(|| REFUSAL.clone()));
        let hanging = self.hanging.lock().get(&url).map(watch::Sender::subscribe);
        let headers = call
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.reveal().to_owned()));
        self.posted.lock().push(Posted {
            url,
            headers: headers.collect(),
            body: call.body,
            is_taken: hanging.is_none() && told.as_ref().is_none_or(is_taken),
        });
        if let Some(mut hanging) = hanging {
            // Until the sender is dropped.
            while hanging.changed().await.is_ok() {}
        }
        CallbackAnswer {
            outcome: told.unwrap_or(CallbackOutcome::Answered {
                status: 200,
                retry_after: None,
                failure_body: None,
            }),
            took: Duration::ZERO,
        }
    }

    /// Answers as it was told for the URL, else as Meta wants its challenge answered.
    async fn get(&self, query: ReceiverQuery) -> Result<ReceiverText, CallbackFailure> {
        let url = query.url.as_str().to_owned();
        let told = self.answers.lock().get_mut(&url).and_then(VecDeque::pop_front);
        let pairs = query.pairs.iter();
        let pairs: BTreeMap<_, _> = pairs.map(|(name, value)| (*name, value.reveal().to_owned())).collect();
        let challenge = pairs.get("hub.challenge").cloned().unwrap_or_default();
        self.asked.lock().push(Asked { url, pairs });
        match told {
            Some(CallbackOutcome::Failed(failure)) => Err(failure),
            Some(CallbackOutcome::Answered {
                status, failure_body, ..
            }) => Ok(ReceiverText {
                status,
                text: failure_body.unwrap_or_default(),
            }),
            None => Ok(ReceiverText {
                status: 200,
                text: challenge,
            }),
        }
    }
}

const fn is_taken(outcome: &CallbackOutcome) -> bool {
    matches!(outcome, CallbackOutcome::Answered { status: 200..=299, .. })
}
