//! A job ends when the outcome of its message is durable, and not before.

use dakghar_core::domain::{MessageKey, Status};
use dakghar_core::ports::Disposition;

use super::{Check, Promises, State, describe, must};
use crate::world::executor::Life;
use crate::world::process::owner;
use crate::world::seen::Seen;

/// A job in somebody's hands.
pub(super) struct Held {
    life: Life,
    key: MessageKey,
    drive: u32,
    /// The epoch of the message when the job was taken.
    epoch: u64,
}

impl Promises {
    /// A process has a job in hand. Returns the number under which its end is told.
    pub fn job_taken(&self, life: Life, key: MessageKey, drive: u32, stored: Option<&Seen>) -> u64 {
        let mut state = self.state.lock();
        state.jobs_taken += 1;
        let number = state.jobs_taken;
        let epoch = stored.map_or(0, Seen::epoch);
        let held = Held {
            life,
            key,
            drive,
            epoch,
        };
        state.jobs.insert(number, held);
        number
    }

    /// A job ended like this, or was dropped; the message is stored like that.
    pub fn job_ended(&self, number: u64, end: Option<&Disposition>, stored: Option<&Seen>) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Some(held) = state.jobs.remove(&number) else { return };
        let Some(stored) = stored else { return };
        if let Some(end) = end {
            let check = check_end(state, &held, end, stored);
            self.note(state, check);
        } else {
            state.jobs_dropped.insert((held.key, stored.epoch()));
        }
    }
}

fn check_end(state: &State, held: &Held, end: &Disposition, stored: &Seen) -> Check {
    let told = || {
        format!(
            "{:?} ended {}.{} as {end:?}\n  stored {}",
            held.life,
            held.key.message_id,
            held.drive,
            describe(stored)
        )
    };
    // Of several jobs of a message, those by which it was not claimed may end while it is called for. So may a job that
    // was taken after the claim, and any after the one of the claim was dropped.
    let is_called_for =
        stored.status() == Status::Sending && stored.lease().is_some_and(|(holder, _)| *holder == owner(held.life));
    let is_other = held.epoch == stored.epoch()
        || state.jobs_dropped.contains(&(held.key, stored.epoch()))
        || state
            .jobs
            .values()
            .any(|other| other.life == held.life && other.key == held.key);
    must(
        !is_called_for || is_other,
        "a job ends when its outcome is durable",
        told,
    )?;
    match end {
        Disposition::Superseded => must(stored.drive() > held.drive, "a superseded job has a successor", told),
        Disposition::Dead(_) => {
            let is_dead = stored.status().is_dead_letter();
            let has_moved_on = stored.drive() > held.drive || stored.status().rank() >= Status::Sent.rank();
            must(
                is_dead || has_moved_on,
                "a job that ends as dead is one of a dead letter",
                told,
            )
        }
        Disposition::Done | Disposition::Unreadable => Ok(()),
    }
}
