//! Messages whose acceptance the store did not confirm, also when it was repeated. It may hold them all the same, and nobody was
//! told so: their clients were answered with an error, and send them again. So they are taken back before anybody sends them.
//!
//! One with an idempotency key stays: its repetition finds it.
//!
//! A message that is stored without an answer is in no queue. Its timer comes [`RELEASE_CHECK`] after its slot, and this
//! looks much sooner. Should this process die first, the message is sent, as any that is stored.
//!
//! [`RELEASE_CHECK`]: crate::domain::pacing::RELEASE_CHECK

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::app::failure::{Failure, Fault};
use crate::app::messages::{Change, Messages, Start};
use crate::domain::{Message, MessageKey, Status};
use crate::ports::{Clock, Ports, StoreError};
use crate::signal::Signal;

/// Messages that are remembered. Each takes some 50 bytes.
const REMEMBERED_MAX: usize = 100_000;
/// Messages that are looked at in one call.
const LOOK_AT_ONCE: usize = 500;
/// A write that was under way may still take effect for so long after the store answers again.
const SETTLED_AFTER: Duration = Duration::from_secs(15);

/// Takes back what was not confirmed.
pub struct Withdrawing {
    messages: Messages,
    clock: Arc<dyn Clock>,
    begun: Signal,
    unconfirmed: Mutex<VecDeque<Unconfirmed>>,
}

#[derive(Clone, Copy)]
struct Unconfirmed {
    key: MessageKey,
    /// When the store first said that there is no such message, by the machine's uptime.
    missing_since: Option<Duration>,
}

impl Withdrawing {
    pub(in crate::app) fn new(ports: &Ports, messages: Messages) -> Self {
        Self {
            messages,
            clock: ports.clock.clone(),
            begun: Signal::default(),
            unconfirmed: Mutex::default(),
        }
    }

    /// Remembers a message that may be stored although its client is told that it is not.
    pub(in crate::app) fn note(&self, key: MessageKey, why: &StoreError) {
        if !matches!(why, StoreError::Unavailable(_)) {
            return;
        }
        let mut unconfirmed = self.unconfirmed.lock();
        if unconfirmed.len() >= REMEMBERED_MAX {
            tracing::warn!(message_id = %key.message_id, tenant_id = %key.tenant_id, "a message is not taken back: too many are waiting for the store");
            return;
        }
        unconfirmed.push_back(Unconfirmed {
            key,
            missing_since: None,
        });
        drop(unconfirmed);
        self.begun.raise();
    }

    /// Waits until there is something to take back. To be called by one task of a process, which then looks while
    /// [`Self::is_waiting`].
    pub async fn begun(&self) {
        self.begun.raised().await;
    }

    /// True if something is to be taken back.
    pub fn is_waiting(&self) -> bool {
        !self.unconfirmed.lock().is_empty()
    }

    /// Looks once at everything that is remembered, and takes back what is stored.
    ///
    /// # Errors
    /// The store did not answer; the next look goes on.
    pub async fn look(&self) -> Result<(), Failure> {
        let count = self.unconfirmed.lock().len();
        let mut left = count;
        while left > 0 {
            let some: Vec<Unconfirmed> = {
                let unconfirmed = self.unconfirmed.lock();
                unconfirmed.iter().take(left.min(LOOK_AT_ONCE)).copied().collect()
            };
            let keys: Vec<MessageKey> = some.iter().map(|unconfirmed| unconfirmed.key).collect();
            let mut kept = Vec::new();
            for (unconfirmed, found) in some.iter().zip(self.messages.load_all(&keys).await) {
                kept.extend(self.settle(*unconfirmed, found).await?);
            }
            // Only now: what was not looked at because of an error stays where it is.
            let mut unconfirmed = self.unconfirmed.lock();
            unconfirmed.drain(..some.len());
            unconfirmed.extend(kept);
            left -= some.len();
        }
        Ok(())
    }

    /// Takes one back if it is stored. Returns what is to be looked at again.
    async fn settle(
        &self,
        unconfirmed: Unconfirmed,
        found: Result<Option<Message>, StoreError>,
    ) -> Result<Option<Unconfirmed>, Failure> {
        let now = self.clock.uptime();
        match found {
            Ok(Some(message)) => self.take_back(message).await.map(|()| None),
            Ok(None) => {
                let since = unconfirmed.missing_since.unwrap_or(now);
                let is_settled = now.saturating_sub(since) >= SETTLED_AFTER;
                Ok((!is_settled).then_some(Unconfirmed {
                    missing_since: Some(since),
                    ..unconfirmed
                }))
            }
            Err(StoreError::NotReadYet) => Ok(Some(unconfirmed)),
            Err(error) => {
                let failure = Failure::from(error);
                if failure.fault() == Fault::Surroundings {
                    return Err(failure);
                }
                Ok(None)
            }
        }
    }

    async fn take_back(&self, message: Message) -> Result<(), Failure> {
        let key = message.key();
        let (message_id, tenant_id) = (key.message_id, key.tenant_id);
        match self
            .messages
            .cancel(Start::Read(Box::new(message)), self.clock.now())
            .await?
        {
            Change::Saved(_) => {
                tracing::info!(%message_id, %tenant_id, "a message was taken back: its client was told that it was not accepted");
            }
            Change::Left(message) if message.delivery.status != Status::Cancelled => {
                tracing::warn!(%message_id, %tenant_id, "a message was sent although its client was told that it was not accepted");
            }
            Change::Left(_) | Change::Gone => {}
        }
        Ok(())
    }
}
