//! Due messages that name others by the ids that we gave those: Meta's ids take their place before the call.
//!
//! A message waits while the one that it names may still get an id, so the order of the two is kept. Nothing of that is
//! stored but the wait: whoever prepares the message next finds the ids again.

use std::collections::HashMap;
use std::time::Duration;

use super::Sending;
use super::gate::Candidate;
use crate::domain::graph_error::GraphRefusal;
use crate::domain::message::{Message, Named, SendOutcome};
use crate::domain::{MessageId, MessageKey};
use crate::ports::{SendCall, StoreError};

/// The shortest and the longest wait until the next look at the message that is named.
const WAITS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(30)];
/// The detail of such a wait.
const WHY: &str = "message_named_is_not_sent_yet";
/// Meta's code for a parameter whose value is not valid.
const INVALID_VALUE: i64 = 131_009;

/// Due messages, by whether they may go on.
pub(super) struct Referred {
    pub(super) ready: Vec<Candidate>,
    /// Put off until the message is sent that they name, and to be saved.
    pub(super) waiting: Vec<Candidate>,
}

impl Sending {
    /// Puts Meta's ids in the place of ours. The messages that are named are read in one call.
    pub(super) async fn refer(&self, candidates: Vec<Candidate>) -> Result<Referred, StoreError> {
        let named = |Candidate { message, .. }: &Candidate| -> Vec<MessageKey> {
            let tenant_id = message.accepted.tenant_id;
            let named = message.named_by_us().into_iter();
            named.map(|message_id| MessageKey { tenant_id, message_id }).collect()
        };
        let mut keys: Vec<MessageKey> = candidates.iter().flat_map(named).collect();
        if keys.is_empty() {
            let waiting = Vec::new();
            return Ok(Referred {
                ready: candidates,
                waiting,
            });
        }
        keys.sort_unstable();
        keys.dedup();
        let known = self.known(keys).await?;
        let (mut ready, mut waiting) = (Vec::with_capacity(candidates.len()), Vec::new());
        for mut candidate in candidates {
            if self.name(&mut candidate, &known) {
                ready.push(candidate);
            } else {
                waiting.push(candidate);
            }
        }
        Ok(Referred { ready, waiting })
    }

    /// Returns what is known of Meta's ids of these messages. One that was not read yet, or cannot be, may still get one.
    async fn known(&self, keys: Vec<MessageKey>) -> Result<HashMap<MessageKey, Named>, StoreError> {
        let found = self.messages.load_all(&keys).await;
        let mut known = HashMap::with_capacity(keys.len());
        for (key, found) in keys.into_iter().zip(found) {
            let named = match found {
                Ok(message) => Named::of(message.as_ref()),
                Err(StoreError::NotReadYet) => Named::NotYet,
                Err(StoreError::Unreadable(_) | StoreError::Corrupt(_)) => Named::Never,
                Err(error) => return Err(error),
            };
            known.insert(key, named);
        }
        Ok(known)
    }

    /// Names by Meta's ids what one message names. Returns false if it was put off.
    fn name(&self, Candidate { message, .. }: &mut Candidate, known: &HashMap<MessageKey, Named>) -> bool {
        let tenant_id = message.accepted.tenant_id;
        let of = |message_id: MessageId| {
            let named = known.get(&MessageKey { tenant_id, message_id });
            named.cloned().unwrap_or(Named::Never)
        };
        if message.name_by_wamids(of) {
            return true;
        }
        let present = self.ports.clock.present();
        let age = present.now.since(message.accepted.created_at);
        let [shortest, longest] = WAITS;
        let at = present.now + (age / 4).clamp(shortest, longest);
        message.postpone(present, at, WHY, self.jobs.window());
        false
    }

    /// Calls Meta, unless the message is about another one that was never sent: Meta has no id for it, so there is nothing to
    /// ask, and the message is refused as Meta refuses an id that is none.
    pub(super) async fn call_meta(&self, call: SendCall<'_>) -> SendOutcome {
        if call.message.is_about_no_message() {
            return SendOutcome::Refused(about_nothing(call.message));
        }
        self.ports.messages_api.send(call).await
    }
}

fn about_nothing(message: &Message) -> GraphRefusal {
    let kind = &message.accepted.content.kind;
    GraphRefusal {
        http_status: 400,
        code: INVALID_VALUE,
        subcode: None,
        message: "(#131009) Parameter value is not valid".into(),
        details: Some(format!("/{kind}/message_id names a message of Dakghar's that was never sent").into()),
        is_transient: None,
        retry_after: None,
        fbtrace_id: None,
    }
}
