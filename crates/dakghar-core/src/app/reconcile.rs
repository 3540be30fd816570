//! The timer wheel: looks at every message whose timer has run out and does what the timer was set for.
//!
//! Any number of processes may run it. Every step is a save under the version that was read, so the one that comes
//! second changes nothing.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;

use super::App;
use super::accept_message::queue_entry;
use super::commits::flatten;
use super::directory::Found;
use crate::domain::message::lifecycle::{RELEASE_CHECK, Surroundings, Woken};
use crate::domain::message::{Message, UnknownOutcome};
use crate::domain::{ErrorCode, Problem, Status, TenantId, Timestamp};
use crate::ports::{Saved, StoreError};

/// Messages looked at in one round.
const ROUND: u32 = 500;
/// Messages put back after the queue lost its content; the rest come back by their own timers within a minute.
const REFILL_MAX: u32 = 50_000;

/// The tenants of the held messages of a round.
type Tenants = HashMap<TenantId, Found>;

impl App {
    /// Takes over what a process that is gone was sending. Called at start, where no other process can be sending.
    pub async fn take_over_orphans(&self) -> Result<(), Problem> {
        let timings = &self.settings().send.timings;
        let until = self.now() + timings.lease + timings.lease_margin;
        loop {
            let sending = self.ports().messages.due(until, Some(Status::Sending), ROUND).await?;
            if sending.is_empty() {
                return Ok(());
            }
            self.look_at_all(sending).await?;
        }
    }

    /// One round. Answers how many messages were looked at; when that is many, another round is due at once.
    pub async fn reconcile(&self) -> Result<usize, Problem> {
        let now = self.now();
        let due = self.ports().messages.due(now, None, ROUND).await?;
        let looked_at = due.len();
        self.look_at_all(due).await?;
        Ok(looked_at)
    }

    async fn look_at_all(&self, due: Vec<Message>) -> Result<(), Problem> {
        // Whether a hold is over must not be judged by what this process remembers.
        let held: HashSet<TenantId> = due
            .iter()
            .filter(|message| message.status == Status::Held)
            .map(|message| message.tenant_id)
            .collect();
        for tenant_id in &held {
            self.directory().refresh(tenant_id);
        }
        let tenants = self.directory().find_all(held).await;
        let mut changed = Vec::with_capacity(due.len());
        for message in due {
            changed.push(self.look_at(message, &tenants).await?);
        }
        let saves = changed.into_iter().map(|message| async move {
            let saved = flatten(self.commits().save.submit(message.clone()).await)?;
            if saved == Saved::Done {
                if message.status == Status::Queued && message.enqueued_at.is_some() {
                    self.commits().enqueue.post(queue_entry(&message).into());
                }
                self.show_dead(&message);
            }
            Ok::<(), Problem>(())
        });
        for result in join_all(saves).await {
            result?;
        }
        Ok(())
    }

    /// What its timer was set for; answers the message to be saved.
    async fn look_at(&self, mut message: Message, tenants: &Tenants) -> Result<Message, Problem> {
        let now = self.now();
        let around = self.surroundings(&message, tenants).await?;
        let before = message.status;
        match message.wake(now, around, self.queue_window(), &self.settings().send.timings) {
            Woken::Rescheduled | Woken::Release => {}
            Woken::NeedsSlot => {
                self.give_slot(&mut message).await;
            }
            Woken::Changed => {
                tracing::info!(
                    message_id = %message.id,
                    tenant_id = %message.tenant_id,
                    attempt = message.attempt,
                    from = before.as_str(),
                    to = message.status.as_str(),
                    "a message moved on by its timer"
                );
            }
        }
        Ok(message)
    }

    async fn surroundings(&self, message: &Message, tenants: &Tenants) -> Result<Surroundings, Problem> {
        let mut around = Surroundings {
            hold: None,
            may_probe: false,
            statuses_flow: false,
            is_orphaned: false,
        };
        let now = self.now();
        match message.status {
            Status::Held => {
                match tenants.get(&message.tenant_id) {
                    None | Some(Ok(None)) => {}
                    Some(Ok(Some(tenant))) => {
                        let number = tenant.number(Some(&message.phone_number_id));
                        let hold = number.map_or(tenant.hold, |number| tenant.hold_of(number));
                        around.hold = hold.map(|hold| hold.reason);
                        around.may_probe = hold.is_some_and(|hold| hold.probe_at.is_some_and(|at| at <= now));
                    }
                    // Nobody knows whether the hold is over, and the others' timers must not wait until somebody does.
                    Some(Err(StoreError::Corrupt(_))) => around.hold = message.hold_reason,
                    Some(Err(error)) => return Err(error.clone().into()),
                }
            }
            Status::Sending => {
                let worker_id = &self.settings().worker_id;
                let is_foreign = message.lease.as_ref().is_some_and(|lease| lease.owner != *worker_id);
                around.is_orphaned = is_foreign && self.settings().is_sole_sender;
            }
            Status::InDoubt if message.unknown_outcome == UnknownOutcome::Auto => {
                if let Some(called_at) = message.called_at {
                    around.statuses_flow = self.statuses_flow(message, called_at).await?;
                }
            }
            _ => {}
        }
        Ok(around)
    }

    /// Whether statuses arrive for messages of the same number that were called later.
    async fn statuses_flow(&self, message: &Message, called_at: Timestamp) -> Result<bool, Problem> {
        let number = &message.phone_number_id;
        let later = self.shared.recent_calls.later_than(number, called_at);
        if !later.is_empty() {
            let found = self.ports().messages.load(&later).await;
            let seen = |message: &Message| message.status_seen_at.is_some();
            if found.iter().flatten().flatten().any(seen) {
                return Ok(true);
            }
        }
        let messages = &self.ports().messages;
        Ok(messages.statuses_flow(&message.key(), number, called_at).await?)
    }

    /// Waits until the queue may have lost what it held.
    pub async fn queue_lost(&self) {
        self.ports().queue.lost().await;
    }

    /// Fills the queue again from the store. After an error not everything is in it, and it must be done again, which
    /// is harmless: a job that is there keeps its name.
    pub async fn refill_queue(&self) -> Result<usize, Problem> {
        let Some(window) = self.queue_window() else {
            return Ok(0);
        };
        let until = self.now() + window + RELEASE_CHECK;
        let queued = self
            .ports()
            .messages
            .due(until, Some(Status::Queued), REFILL_MAX)
            .await?;
        let entries: Vec<_> = queued
            .iter()
            .filter(|message| message.enqueued_at.is_some())
            .map(queue_entry)
            .collect();
        let mut refilled = 0;
        for chunk in entries.chunks(500) {
            let enqueued = self.ports().queue.enqueue(chunk).await;
            enqueued.map_err(|error| Problem::new(ErrorCode::StoreUnavailable, error.to_string()))?;
            refilled += chunk.len();
        }
        tracing::info!(refilled, "the queue was filled again from the store");
        Ok(refilled)
    }

    /// Ends the queue's side of this process: no new jobs.
    pub async fn close_queue(&self) {
        self.ports().queue.close().await;
    }
}
