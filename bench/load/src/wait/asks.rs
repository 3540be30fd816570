//! Sends in Meta's form, and the ids that they are answered with. Every message has a recipient of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Answer, Connection, Proof};
use crate::histogram::Histogram;
use crate::sends::{Failure, Failures, RECIPIENT_BASE};
use crate::tenants::{self, TargetArgs};

/// An id by which Dakghar stands in for Meta's starts so.
const GATEWAY_PREFIX: &str = "wamid.dakghar";
/// Every id of Meta's starts so.
const WAMID_PREFIX: &str = "wamid.";

/// The messages, and whom they are posted to: a contender, or Graph itself, which takes any key for a token.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct AskArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// The number of the first message, where several runs follow each other.
    #[arg(long, default_value_t = 0)]
    first: u64,
}

/// Makes the requests and counts them.
pub(super) struct Asks {
    senders: Vec<(String, HeaderValue)>,
    next: AtomicU64,
    first: u64,
}

impl Asks {
    pub(super) fn of(args: &AskArgs) -> anyhow::Result<Arc<Self>> {
        let tenants = tenants::load(&args.target.tenants)?;
        let senders = tenants
            .iter()
            .map(|tenant| Ok((tenant.graph_path(), tenant.authorization()?)));
        Ok(Arc::new(Self {
            senders: senders.collect::<anyhow::Result<_>>()?,
            next: AtomicU64::new(0),
            first: args.first,
        }))
    }

    /// The index of the next message; every caller gets another.
    pub(super) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn body(&self, index: u64) -> Bytes {
        let recipient = RECIPIENT_BASE + self.first + index;
        let body = format!(
            r#"{{"messaging_product":"whatsapp","recipient_type":"individual","to":"+{recipient}","type":"text","text":{{"body":"Your parcel {index} is on its way and arrives today."}}}}"#
        );
        body.into()
    }

    /// Posts the message with this index, and waits for its id.
    pub(super) async fn post(&self, connection: &mut Connection, index: u64) -> Outcome {
        let sender = usize::try_from(index).unwrap_or(0) % self.senders.len();
        let (path, authorization) = &self.senders[sender];
        match connection
            .post(path, Proof::Bearer(authorization), self.body(index))
            .await
        {
            Ok(answer) => Outcome::of(&answer),
            Err(_) => Outcome::Failed(Failure::Connection),
        }
    }
}

/// The end of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Meta has taken the message: the answer has the id that Meta gave it.
    Taken,
    /// The message is stored and the answer did not wait for Meta's: it has an id of the gateway.
    Stored,
    /// No message was named.
    Failed(Failure),
}

/// Meta's answer, as far as anybody here reads it.
#[derive(Deserialize)]
struct Envelope {
    messages: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

impl Outcome {
    fn of(answer: &Answer) -> Self {
        let failed = Self::Failed(Failure::Status(answer.status));
        if answer.status != 200 {
            return failed;
        }
        let envelope = serde_json::from_slice::<Envelope>(&answer.body).ok();
        match envelope.as_ref().and_then(|envelope| envelope.messages.first()) {
            Some(message) if message.id.starts_with(GATEWAY_PREFIX) => Self::Stored,
            Some(message) if message.id.starts_with(WAMID_PREFIX) => Self::Taken,
            _ => failed,
        }
    }
}

/// Outcomes, counted.
#[derive(Default)]
pub(super) struct Tally {
    /// Of measured requests that Meta's id came for.
    latency: Histogram,
    /// Requests in all, measured or not.
    asked: u64,
    taken: u64,
    stored: u64,
    failures: Failures,
}

impl Tally {
    /// Counts one; `measured` is how long it took, if that counts.
    pub(super) fn add(&mut self, outcome: Outcome, measured: Option<Duration>) {
        self.asked += 1;
        match outcome {
            Outcome::Taken => {
                self.taken += 1;
                if let Some(took) = measured {
                    self.latency.record(took);
                }
            }
            Outcome::Stored => self.stored += 1,
            Outcome::Failed(failure) => self.failures.add(failure),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.asked += other.asked;
        self.taken += other.taken;
        self.stored += other.stored;
        self.failures.merge(&other.failures);
    }

    /// The summary of a run, without what only one kind of run knows.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "asked": self.asked,
            "takenInAll": self.taken,
            "gatewayIds": self.stored,
            "answerMs": self.latency.to_json(),
            "failures": self.failures.to_json(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, body: &'static str) -> Outcome {
        let body = Bytes::from_static(body.as_bytes());
        Outcome::of(&Answer { status, body })
    }

    #[test]
    fn only_an_id_of_metas_is_a_message_that_meta_has_taken() {
        let failed = |status| Outcome::Failed(Failure::Status(status));
        for (status, body, expected) in [
            (200, r#"{"messages":[{"id":"wamid.HBgM"}]}"#, Outcome::Taken),
            (200, r#"{"messages":[{"id":"wamid.dakghar.msg_1"}]}"#, Outcome::Stored),
            (200, r#"{"messages":[{"id":"msg_1"}]}"#, failed(200)),
            (200, r#"{"messages":[]}"#, failed(200)),
            (200, r#"{"success":true}"#, failed(200)),
            (400, r#"{"error":{"code":100}}"#, failed(400)),
            (202, r#"{"messages":[{"id":"wamid.HBgM"}]}"#, failed(202)),
        ] {
            assert_eq!(outcome(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn the_body_is_metas() {
        let asks = Asks {
            senders: Vec::new(),
            next: AtomicU64::new(0),
            first: 5,
        };
        let body: Value = serde_json::from_slice(&asks.body(2)).expect("JSON");
        assert_eq!(body["to"], "+919000000007");
        let text = "Your parcel 2 is on its way and arrives today.";
        assert_eq!(body["text"], json!({ "body": text }));
    }

    #[test]
    fn a_tally_measures_only_what_was_taken() {
        let (mut all, mut tally) = (Tally::default(), Tally::default());
        let took = Some(Duration::from_millis(1));
        tally.add(Outcome::Taken, None);
        tally.add(Outcome::Taken, took);
        tally.add(Outcome::Stored, took);
        tally.add(Outcome::Failed(Failure::Connection), took);
        all.merge(&tally);
        let told = all.to_json();
        let counts = ["asked", "takenInAll", "gatewayIds"].map(|name| told[name].as_u64());
        assert_eq!(counts, [Some(4), Some(2), Some(1)]);
        assert_eq!(told["answerMs"]["count"], 1);
        assert_eq!(told["failures"]["connection"], 1);
    }
}
