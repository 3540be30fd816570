//! Waiting for what becomes of a message, for clients that want Meta's own answer to it.
//!
//! Whoever calls Meta or records an outcome in this process tells it here. Another process tells that Meta has taken a message as
//! soon as it knows; that may be lost, and all else that it records is found in the store, by one look for all who wait, ever
//! more seldom for each message. Who waits has nothing but a place here, and one that leaves takes it
//! along; nothing of the message depends on it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::poll_fn;
use parking_lot::Mutex;

use crate::app::failure::Failure;
use crate::domain::allowance::AllowancesUsed;
use crate::domain::feed::TakenMessage;
use crate::domain::message::{Receipt, SendError};
use crate::domain::{Message, MessageKey, Status, Wamid};
use crate::ports::{Clock, MessageStore, Ports, StoreError};
use crate::signal::Signal;

/// Those who may wait at a time. Each has a few hundred bytes here, and at the end the words of Meta's refusal.
const WAITING_MAX: usize = 10_000;
/// The age of a wait at which the store is looked at first. What is recorded in this process mostly takes less.
const FIRST_LOOK: Duration = Duration::from_millis(25);
/// The same where other processes record: nobody tells this one, so it looks as soon as there may be something.
const FIRST_LOOK_ELSEWHERE: Duration = Duration::from_millis(10);
/// The same where other processes tell this one.
const FIRST_LOOK_TOLD: Duration = Duration::from_millis(100);
/// The shortest time between two looks.
const LOOKS_APART_MIN: Duration = Duration::from_millis(2);
/// The age up to which most waits end, and are looked at closely.
const CLOSE_UP_TO: Duration = Duration::from_millis(100);
/// The longest time between two looks.
const LOOKS_APART_MAX: Duration = Duration::from_secs(1);
/// The least and the longest time that whoever looks sleeps.
const SLEEP: [Duration; 2] = [LOOKS_APART_MIN, FIRST_LOOK_ELSEWHERE];
/// Messages that are looked at in one call.
const LOOK_AT_ONCE: usize = 500;

/// The end of a message, as far as its client can be told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Meta has it.
    Taken {
        /// Meta's id of it.
        wamid: Wamid,
        /// Meta's words beyond that.
        receipt: Option<Receipt>,
    },
    /// Meta refused it for good.
    Refused(SendError),
    /// Nothing more is known soon: it is held, in doubt, or over without a word of Meta's. Or its client knows it by its
    /// gateway id, whatever Meta calls it.
    Open,
}

impl Outcome {
    /// Returns what became of a message. `None` while that may be known any moment.
    fn of(message: &Message) -> Option<Self> {
        let delivery = &message.delivery;
        if delivery.wamid.is_some() {
            return Some(Self::at_once(message));
        }
        match delivery.status {
            Status::Queued | Status::Sending => None,
            Status::Failed => {
                let of_meta = delivery.error.clone().filter(|error| error.code.is_some());
                Some(of_meta.map_or(Self::Open, Self::Refused))
            }
            // A dead letter may be sent again later, so its client must not repeat it.
            _ => Some(Self::Open),
        }
    }

    /// Returns the answer to a client that waits no longer: Meta's id, unless there is none yet, or it was once answered with
    /// the gateway id.
    pub(super) fn at_once(message: &Message) -> Self {
        match &message.delivery.wamid {
            Some(wamid) if !message.accepted.by_gateway_id => Self::Taken {
                wamid: wamid.clone(),
                receipt: message.delivery.receipt.clone(),
            },
            _ => Self::Open,
        }
    }
}

/// Those who wait for what becomes of messages.
pub struct Outcomes {
    store: Arc<dyn MessageStore>,
    clock: Arc<dyn Clock>,
    begun: Signal,
    lines: Mutex<Lines>,
}

struct Lines {
    of_messages: HashMap<MessageKey, Line>,
    waiting: usize,
    /// The age at which the store is looked at first, by how the last outcome came.
    first_look: Duration,
    /// Counts them, to name them.
    waits: u64,
}

/// Those who wait for one message.
struct Line {
    began_at: Duration,
    /// When the store is looked at next, by the machine's uptime.
    look_at: Duration,
    outcome: Option<Outcome>,
    /// What the answer to the last call told of allowances, if this process made it.
    used: Option<AllowancesUsed>,
    /// By their names. `None` for one that was not asked yet.
    waits: BTreeMap<u64, Option<Waker>>,
}

impl Outcomes {
    pub(super) fn new(ports: &Ports) -> Self {
        Self {
            store: ports.messages.clone(),
            clock: ports.clock.clone(),
            begun: Signal::default(),
            lines: Mutex::new(Lines {
                of_messages: HashMap::new(),
                waiting: 0,
                first_look: FIRST_LOOK,
                waits: 0,
            }),
        }
    }

    /// Begins to wait for a message that is about to be stored. `None` if as many wait as may.
    pub(super) fn wait_for(self: &Arc<Self>, key: MessageKey) -> Option<OutcomeWait> {
        let first_look = self.lines.lock().first_look;
        self.enter(key, first_look)
    }

    /// The same for one that was stored before, of which everything may be known.
    pub(super) fn wait_for_stored(self: &Arc<Self>, key: MessageKey) -> Option<OutcomeWait> {
        self.enter(key, Duration::ZERO)
    }

    fn enter(self: &Arc<Self>, key: MessageKey, first_look: Duration) -> Option<OutcomeWait> {
        let now = self.clock.uptime();
        let name = {
            let mut lines = self.lines.lock();
            if lines.waiting >= WAITING_MAX {
                return None;
            }
            lines.waiting += 1;
            lines.waits += 1;
            let name = lines.waits;
            let line = lines.of_messages.entry(key).or_insert_with(|| Line {
                began_at: now,
                look_at: now + first_look,
                outcome: None,
                used: None,
                waits: BTreeMap::new(),
            });
            line.waits.insert(name, None);
            name
        };
        self.begun.raise();
        let outcomes = self.clone();
        Some(OutcomeWait { outcomes, key, name })
    }

    /// Tells those who wait for it how a message stands now that this process has saved it.
    pub(super) fn tell(&self, message: &Message) {
        self.say(&message.key(), FIRST_LOOK, || Outcome::of(message));
    }

    /// Tells them that Meta has taken a message, which is not stored yet. It stays true whatever becomes of this process: a
    /// message of which only that is lost is in doubt, as one whose client was told nothing. Returns whether somebody waits
    /// here.
    pub(super) fn tell_taken(&self, key: &MessageKey, wamid: &Wamid, receipt: Option<&Receipt>) -> bool {
        self.say(key, FIRST_LOOK, || {
            let (wamid, receipt) = (wamid.clone(), receipt.cloned());
            Some(Outcome::Taken { wamid, receipt })
        })
    }

    /// Tells them what other processes say that Meta has taken.
    pub(super) fn hear(&self, taken: Vec<TakenMessage>) {
        for TakenMessage { key, wamid } in taken {
            self.say(&key, FIRST_LOOK_TOLD, || Some(Outcome::Taken { wamid, receipt: None }));
        }
    }

    /// Tells them what the answer to a call of this process told of allowances. To be done before the outcome is recorded.
    pub(super) fn tell_used(&self, key: &MessageKey, used: AllowancesUsed) {
        if used.is_empty() {
            return;
        }
        if let Some(line) = self.lines.lock().of_messages.get_mut(key) {
            line.used = Some(used);
        }
    }

    /// Gives the outcome to those who wait for a message. Returns whether there are any.
    fn say(&self, key: &MessageKey, next_first_look: Duration, outcome: impl FnOnce() -> Option<Outcome>) -> bool {
        let wakers: Vec<Waker> = {
            let mut lines = self.lines.lock();
            let Some(line) = lines.of_messages.get_mut(key) else {
                return false;
            };
            // The first one counts: what is recorded later says no more about it.
            if line.outcome.is_some() {
                return true;
            }
            let Some(outcome) = outcome() else { return true };
            line.outcome = Some(outcome);
            let wakers = line.waits.values_mut().filter_map(Option::take).collect();
            lines.first_look = next_first_look;
            wakers
        };
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// Waits until somebody waits. To be called by one task of a process, which then looks while somebody does.
    pub async fn begun(&self) {
        self.begun.raised().await;
    }

    /// Returns the wait until the next look at the store; `None` if nobody waits.
    pub fn look_wait(&self) -> Option<Duration> {
        let now = self.clock.uptime();
        let lines = self.lines.lock();
        let open = lines.of_messages.values().filter(|line| line.outcome.is_none());
        let next = open.map(|line| line.look_at).min();
        let [least, longest] = SLEEP;
        let wait = next.map_or(longest, |next| next.saturating_sub(now).clamp(least, longest));
        (!lines.of_messages.is_empty()).then_some(wait)
    }

    /// Looks in the store for what other processes have recorded of the messages whose turn it is.
    ///
    /// # Errors
    /// The store did not answer; the next look asks again.
    pub async fn look(&self) -> Result<(), Failure> {
        for keys in self.due().chunks(LOOK_AT_ONCE) {
            for found in self.store.load(keys).await {
                match found {
                    Ok(Some(message)) => {
                        self.say(&message.key(), FIRST_LOOK_ELSEWHERE, || Outcome::of(&message));
                    }
                    // It may not be stored yet, or be read by the next look.
                    Ok(None) | Err(StoreError::NotReadYet | StoreError::Unreadable(_) | StoreError::Corrupt(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Takes the messages to look at now. The next look at each is after an eighth of the time that somebody has waited for it,
    /// later after half of it.
    fn due(&self) -> Vec<MessageKey> {
        let now = self.clock.uptime();
        let mut lines = self.lines.lock();
        let open = lines.of_messages.iter_mut();
        let due = open.filter(|(_, line)| line.outcome.is_none() && line.look_at <= now);
        let due = due.map(|(key, line)| {
            let age = now.saturating_sub(line.began_at);
            let apart = if age < CLOSE_UP_TO { age / 8 } else { age / 2 };
            line.look_at = now + apart.clamp(LOOKS_APART_MIN, LOOKS_APART_MAX);
            *key
        });
        due.collect()
    }
}

/// Somebody who waits for what becomes of a message.
pub struct OutcomeWait {
    outcomes: Arc<Outcomes>,
    key: MessageKey,
    name: u64,
}

impl OutcomeWait {
    /// Waits until it is known. Dropping the future loses nothing.
    pub async fn outcome(&self) -> Outcome {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Returns what the answer to the last call told of allowances; `None` as long as this process knows of none.
    pub fn used(&self) -> Option<AllowancesUsed> {
        let lines = self.outcomes.lines.lock();
        lines.of_messages.get(&self.key)?.used.clone()
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Outcome> {
        let mut lines = self.outcomes.lines.lock();
        let line = lines
            .of_messages
            .get_mut(&self.key)
            .expect("there as long as it is waited for");
        if let Some(outcome) = &line.outcome {
            return Poll::Ready(outcome.clone());
        }
        line.waits.insert(self.name, Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for OutcomeWait {
    fn drop(&mut self) {
        let mut lines = self.outcomes.lines.lock();
        lines.waiting -= 1;
        if let Some(line) = lines.of_messages.get_mut(&self.key) {
            line.waits.remove(&self.name);
            if line.waits.is_empty() {
                lines.of_messages.remove(&self.key);
            }
        }
    }
}
