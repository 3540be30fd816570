//! Which partitions this process owns.
//!
//! Each process that gives places says each second that it is there. The partitions are divided among those whose signs were
//! seen to change, so no two clocks are compared. Whoever is wrong about it loses a try, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use parking_lot::Mutex;

use crate::domain::feed::Partitions;
use crate::ports::{ArrivalStore, Attendant, Clock, StoreError};

/// The wait between two signs that a process is there.
const ATTEND_EVERY: Duration = Duration::from_secs(1);
/// A process that was not seen to say that it is there for so long owns nothing.
const GONE_AFTER: Duration = Duration::from_secs(5);
/// A process that begins beside others hands out nothing until they know it. That takes three of their signs, each up to a look
/// late, and what delivers there follows within a second.
const NEWCOMER_WAIT: Duration = Duration::from_secs(4);
/// After so long it is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);

/// What this process owns, and whom it has seen.
pub(super) struct Owning {
    name: Arc<str>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// All times are those since this machine was started.
#[derive(Default)]
struct State {
    owned: Partitions,
    /// When it first said that it is there.
    attends_since: Option<Duration>,
    /// When it is to say again that it is there.
    attends_at: Duration,
    seen: HashMap<Arc<str>, Seen>,
}

/// How a process was seen.
#[derive(Clone, Copy)]
struct Seen {
    beats: u64,
    /// Since when it has this many beats.
    since: Duration,
    /// True once its beats were seen to change: before, it may be long gone.
    is_known: bool,
}

impl Owning {
    pub(super) fn new(clock: Arc<dyn Clock>, name: &str) -> Self {
        Self {
            name: name.into(),
            clock,
            state: Mutex::default(),
        }
    }

    /// The partitions to which this process gives places.
    pub(super) fn owned(&self) -> Partitions {
        self.state.lock().owned
    }

    /// Those whose entries it also hands out: none yet for one that begins beside others.
    pub(super) fn handed_out(&self) -> Partitions {
        let now = self.clock.uptime();
        let state = self.state.lock();
        let is_new = |since| now.saturating_sub(since) < NEWCOMER_WAIT;
        if !state.seen.is_empty() && state.attends_since.is_none_or(is_new) {
            return Partitions::default();
        }
        state.owned
    }

    /// Says that this process is there, once a second, and finds out which partitions it owns.
    pub(super) async fn attend(&self, arrivals: &dyn ArrivalStore) -> Result<Partitions, StoreError> {
        let now = self.clock.uptime();
        {
            let mut state = self.state.lock();
            if now < state.attends_at {
                return Ok(state.owned);
            }
            state.attends_since.get_or_insert(now);
            state.attends_at = now + ATTEND_EVERY;
        }
        let attendants = arrivals.attend(&self.name).await?;
        let (owned, gone) = self.look_around(&attendants);
        if !gone.is_empty() {
            arrivals.leave(&gone).await?;
        }
        Ok(owned)
    }

    /// Tells the others that this process owns nothing any more.
    pub(super) async fn leave(&self, arrivals: &dyn ArrivalStore) -> Result<(), StoreError> {
        self.state.lock().owned = Partitions::default();
        arrivals.leave(std::slice::from_ref(&self.name)).await
    }

    fn look_around(&self, attendants: &[Attendant]) -> (Partitions, Vec<Arc<str>>) {
        let now = self.clock.uptime();
        let mut state = self.state.lock();
        state
            .seen
            .retain(|name, _| attendants.iter().any(|attendant| attendant.name == *name));
        let mut present = vec![self.name.clone()];
        let mut gone = Vec::new();
        for Attendant { name, beats } in attendants.iter().filter(|attendant| attendant.name != self.name) {
            let seen = state.seen.entry(name.clone()).or_insert(Seen {
                beats: *beats,
                since: now,
                is_known: false,
            });
            if seen.beats != *beats {
                *seen = Seen {
                    beats: *beats,
                    since: now,
                    is_known: true,
                };
            }
            let silent = now.saturating_sub(seen.since);
            if seen.is_known && silent < GONE_AFTER {
                present.push(name.clone());
            } else if silent >= FORGOTTEN_AFTER {
                gone.push(name.clone());
            }
        }
        state.owned = Partitions::of(|partition| owner_of(partition, &present) == Some(&self.name));
        (state.owned, gone)
    }
}

/// The owner of a partition among those present: the one whose digest of both is the greatest. Whoever comes or goes moves
/// only the partitions that become theirs, or were.
fn owner_of(partition: u32, present: &[Arc<str>]) -> Option<&Arc<str>> {
    let weight = |name: &&Arc<str>| {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&partition.to_be_bytes());
        context.update(name.as_bytes());
        context.finish().as_ref().to_vec()
    };
    present.iter().max_by_key(weight)
}
