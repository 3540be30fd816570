//! A message that was changed by a process whose clock was ahead.
//!
//! Its times are all lengths of time after that change, but for the dates that the client named. So they move back
//! together with it.

use std::time::Duration;

use super::super::time::{CLOCKS_APART_MAX, Present, Timestamp};
use super::Message;
use super::status::Status;

impl Message {
    /// True if its last change is later than any clock that agrees with this one could have said.
    pub fn is_ahead(&self, now: Timestamp) -> bool {
        self.delivery.updated_at > now + CLOCKS_APART_MAX
    }

    /// Moves its times back by as much as the clock of its last change was ahead. Returns true if it must be put into
    /// the queue. Without effect if that clock was right.
    pub fn bring_back(&mut self, present: Present, window: Option<Duration>) -> bool {
        let now = present.now;
        if !self.is_ahead(now) {
            return false;
        }
        let by = self.delivery.updated_at.since(now);
        let delivery = &mut self.delivery;
        for at in [
            &mut delivery.called_at,
            &mut delivery.grace_until,
            &mut delivery.slot_at,
            &mut delivery.wake_at,
            &mut delivery.enqueued_at,
        ] {
            *at = at.map(|at| at - by);
        }
        if let Some(lease) = &mut delivery.lease {
            lease.until = lease.until - by;
        }
        delivery.updated_at = now;
        let send_at = self.send_at().filter(|at| !present.has_reached(*at));
        match self.delivery.status {
            Status::Queued => {
                let slot_at = self.delivery.slot_at.unwrap_or(now);
                // The queue would take a job of the same name for the one whose time is wrong.
                self.delivery.drive += 1;
                self.schedule(present, send_at.map_or(slot_at, |at| present.when(at)), window)
            }
            Status::Held => {
                self.delivery.wake_at = self.delivery.earlier_of_expiry(present, self.delivery.wake_at);
                false
            }
            _ => false,
        }
    }
}
