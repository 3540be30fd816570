//! Keeps when Meta's webhooks were received, so that silence counts only for time in which somebody listened.
//!
//! A gap is durable without a write of its own where the process dies: the age of its last sign of life is the gap. A
//! refused webhook is remembered in memory and written with the next sign, at most a second later; while the store is
//! away no sign is written either, so a crash before the write loses nothing. An outage of an hour is one gap in one
//! record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::settings::Settings;
use crate::domain::Timestamp;
use crate::domain::listening::{
    ANSWERED_WITHIN, Gap, Hearing, Listener, REMEMBERED_BEYOND_DOUBT, ROUTED_AROUND_AFTER, SIGN_EVERY,
};
use crate::ports::{Clock, ListenerStore, Ports, StoreError};

/// A process that was not looked at for this long did not listen either: it, or its machine, stood still.
const STOOD_STILL_AFTER: Duration = Duration::from_secs(8);
/// Signs between two times of forgetting old listeners: about an hour.
const SIGNS_BETWEEN_FORGETTING: u32 = 720;

#[derive(Default)]
struct State {
    /// The last look at this process, if it listens.
    looked_at: Option<Timestamp>,
    /// The same by the time since the machine was started, which also counts a suspend.
    looked_up: Duration,
    /// The last sign that is durable.
    signed_at: Option<Timestamp>,
    gap: Option<Gap>,
    /// True if the gap has grown since the last durable sign.
    has_news: bool,
    signs: u32,
    /// When the webhooks that are being answered came.
    under_way: BTreeMap<u64, Timestamp>,
    next: u64,
}

impl State {
    fn missed(&mut self, gap: Gap) {
        self.gap = Some(Gap::join(self.gap, gap));
        self.has_news = true;
    }

    /// Finds gaps that nobody reported: a process that stood still, and webhooks that wait too long for an answer.
    fn look(&mut self, now: Timestamp, uptime: Duration) {
        let Some(looked_at) = self.looked_at else { return };
        let passed = uptime.saturating_sub(self.looked_up).max(now.since(looked_at));
        if passed > STOOD_STILL_AFTER {
            self.missed(Gap {
                from: looked_at.min(now),
                until: now,
            });
        }
        let oldest = self.under_way.values().min().copied();
        if let Some(from) = oldest.filter(|from| now.since(*from) > ANSWERED_WITHIN) {
            self.missed(Gap { from, until: now });
        }
        self.looked_at = Some(now);
        self.looked_up = uptime;
    }
}

/// When this process received Meta's webhooks, and what all processes know of that.
pub struct Listening {
    store: Arc<dyn ListenerStore>,
    clock: Arc<dyn Clock>,
    process: Arc<str>,
    remembered: Duration,
    state: Arc<Mutex<State>>,
}

/// A webhook that is being answered. Dropped without [`Attending::answered`], it counts as refused: its status may come
/// again only hours later.
pub struct Attending {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
    number: u64,
    from: Timestamp,
    is_answered: bool,
}

impl Attending {
    /// Notes that it got an answer after which it is not posted again.
    pub fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        let until = self.clock.now();
        let mut state = self.state.lock();
        state.under_way.remove(&self.number);
        if !self.is_answered {
            let from = self.from.min(until);
            state.missed(Gap { from, until });
        }
    }
}

impl Listening {
    pub(super) fn new(ports: &Ports, settings: &Settings) -> Self {
        Self {
            store: ports.listeners.clone(),
            clock: ports.clock.clone(),
            process: settings.worker_id.clone(),
            remembered: settings.send.timings.doubt_max + REMEMBERED_BEYOND_DOUBT,
            state: Arc::default(),
        }
    }

    /// Notes that a webhook has come.
    pub fn attend(&self) -> Attending {
        let from = self.clock.now();
        let mut state = self.state.lock();
        let number = state.next;
        state.next += 1;
        state.under_way.insert(number, from);
        Attending {
            clock: self.clock.clone(),
            state: self.state.clone(),
            number,
            from,
            is_answered: false,
        }
    }

    /// Begins to listen, once webhooks are taken. A start ends a gap that began with the last sign of any listener,
    /// because nobody can tell whether it replaces one that died. After an error it must be called again.
    pub async fn open(&self) -> Result<(), StoreError> {
        let before = match self.store.listeners().await {
            // The time before the start counts as a gap, whoever listened.
            Err(StoreError::Corrupt(_) | StoreError::Unreadable(_)) => Vec::new(),
            listeners => listeners?,
        };
        let now = self.clock.now();
        let heard_until = before.iter().map(|listener| listener.heard_until).max();
        {
            let mut state = self.state.lock();
            let from = heard_until.unwrap_or(now).min(now);
            state.missed(Gap { from, until: now });
            state.looked_at = Some(now);
            state.looked_up = self.clock.uptime();
        }
        // By the clock, also one that is ahead: the gap that has just been noted is later than all that is forgotten.
        self.store.forget_listeners(now - self.remembered).await?;
        self.sign(now).await
    }

    /// Looks at this process, and gives a sign of life when it is time or there is something to tell. Must be called
    /// every second.
    pub async fn tick(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (is_due, forgets) = {
            let mut state = self.state.lock();
            state.look(now, self.clock.uptime());
            let is_due = state.signed_at.is_none_or(|at| now.since(at) >= SIGN_EVERY || at > now);
            (
                is_due || state.has_news,
                is_due && state.signs.is_multiple_of(SIGNS_BETWEEN_FORGETTING),
            )
        };
        if forgets {
            self.store.forget_listeners(now - self.remembered).await?;
        }
        if is_due { self.sign(now).await } else { Ok(()) }
    }

    /// Ends listening: from now on webhooks may be refused.
    pub async fn close(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let listener = {
            let mut state = self.state.lock();
            state.look(now, self.clock.uptime());
            state.missed(Gap {
                from: now,
                until: now + ROUTED_AROUND_AFTER,
            });
            state.looked_at = None;
            Listener {
                has_ended: true,
                ..self.listener(&state, now)
            }
        };
        self.store.keep_listener(&listener).await
    }

    /// What all listeners together have heard until now.
    pub async fn hearing(&self) -> Result<Hearing, StoreError> {
        let mut listeners = self.store.listeners().await?;
        let now = self.clock.now();
        let own = {
            let mut state = self.state.lock();
            state.look(now, self.clock.uptime());
            state.looked_at.map(|_| self.listener(&state, now))
        };
        if let Some(own) = own {
            // What this process knows of itself is newer than what it wrote.
            listeners.retain(|listener| listener.process != own.process);
            listeners.push(own);
        }
        Ok(Hearing::of(&listeners, now, self.remembered))
    }

    async fn sign(&self, now: Timestamp) -> Result<(), StoreError> {
        let listener = {
            let mut state = self.state.lock();
            state.has_news = false;
            self.listener(&state, now)
        };
        let kept = self.store.keep_listener(&listener).await;
        let mut state = self.state.lock();
        match &kept {
            Ok(()) => {
                state.signed_at = Some(now);
                state.signs += 1;
            }
            Err(_) => state.has_news = true,
        }
        kept
    }

    fn listener(&self, state: &State, now: Timestamp) -> Listener {
        Listener {
            process: self.process.clone(),
            heard_until: now,
            gap: state.gap,
            has_ended: false,
        }
    }
}
