//! The timer wheel: takes every message whose timer has expired, and does what the timer was set for.
//!
//! Any number of processes may run it. Every step is a save under the version that was read, so the second process
//! changes nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::jobs::Jobs;
use super::slots::Slots;
use super::{LeaseWatch, Outages, RecentCalls, Shared};
use crate::app::commits::touch::Touches;
use crate::app::failure::Failure;
use crate::app::listening::Listening;
use crate::app::messages::{Messages, merge_reports};
use crate::app::settings::Settings;
use crate::app::tenants::directory::{Directory, Found};
use crate::domain::listening::{CallSpan, Heard, Hearing};
use crate::domain::message::{Message, Silence, Status, Surroundings, UnknownOutcome, Woken};
use crate::domain::pacing::RELEASE_CHECK;
use crate::domain::page::Paged;
use crate::domain::time::CLOCKS_APART_MAX;
use crate::domain::{TenantId, Timestamp};
use crate::metrics::DoubtEnd;
use crate::ports::{DUE_BYTES_MAX, Ports, Saved, StoreError};

/// Messages looked at in one round.
const ROUND: u32 = 500;
/// Messages put back after the queue lost its content. The rest come back by their own timers within a minute.
const REFILL_MAX: u32 = 50_000;
/// Messages put back in one call of the queue.
const REFILL_CHUNK: usize = 500;

/// Moves messages on when their timers expire, and fills the queue again.
pub struct Reconciling {
    ports: Ports,
    settings: Settings,
    messages: Messages,
    directory: Arc<Directory>,
    jobs: Jobs,
    slots: Slots,
    recent_calls: Arc<RecentCalls>,
    leases: Arc<LeaseWatch>,
    listening: Arc<Listening>,
    outages: Outages,
    touches: Touches,
}

/// The tenants of the held messages of a round.
type HeldTenants = HashMap<TenantId, Found>;

/// What the messages of a round have around them.
struct Around {
    tenants: HeldTenants,
    /// `None` if no message of the round needs it.
    hearing: Option<Hearing>,
}

/// True if what Meta does not say about it may end its doubt.
fn waits_for_evidence(message: &Message) -> bool {
    message.delivery.status == Status::InDoubt && message.accepted.unknown_outcome == UnknownOutcome::Auto
}

impl Reconciling {
    pub(in crate::app) fn new(ports: Ports, settings: Settings, shared: Shared) -> Self {
        Self {
            messages: shared.messages,
            directory: shared.directory,
            jobs: shared.jobs,
            slots: shared.slots,
            recent_calls: shared.recent_calls,
            leases: shared.leases,
            listening: shared.listening,
            outages: shared.outages,
            touches: shared.touches,
            ports,
            settings,
        }
    }

    /// Takes over the messages that a dead process was sending. Called at start, when no other process can be sending.
    /// So all of them are its: also those whose timers are hours away, because its clock was ahead.
    pub async fn take_over_orphans(&self) -> Result<(), Failure> {
        loop {
            let all = self.ports.timers.due(Timestamp::MAX, Some(Status::Sending), ROUND);
            let sending = all.await?;
            if sending.is_empty() {
                return Ok(());
            }
            self.look_at_all(sending).await?;
        }
    }

    /// Runs one round. Returns the number of messages looked at; when that is many, another round is due at once.
    pub async fn reconcile(&self) -> Result<usize, Failure> {
        let mut looked_at = 0;
        loop {
            let due = self.ports.timers.due(self.now(), None, ROUND).await?;
            looked_at += due.len();
            let is_cut = due.iter().map(Paged::bytes).sum::<usize>() >= DUE_BYTES_MAX;
            self.look_at_all(due).await?;
            if !is_cut || looked_at >= ROUND as usize {
                return Ok(looked_at);
            }
        }
    }

    /// Brings back messages that were changed by a process whose clock was ahead; see [`Message::bring_back`]. Returns
    /// the number of messages looked at; when there are some, another round is due at once.
    ///
    /// A crash between two saves leaves the rest for the next round.
    pub async fn bring_back(&self) -> Result<usize, Failure> {
        let present = self.ports.clock.present();
        let ahead = self.ports.timers.ahead(present.now + CLOCKS_APART_MAX, ROUND).await?;
        let looked_at = ahead.len();
        let saves = ahead.into_iter().map(|mut message| async move {
            let before = message.delivery.status;
            message.bring_back(present, self.jobs.window());
            if self.messages.save(&mut message, before).await? == Saved::Done {
                self.jobs.release(&message);
            }
            Ok::<_, Failure>(())
        });
        join_all(saves).await.into_iter().collect::<Result<(), _>>()?;
        if looked_at > 0 {
            tracing::warn!(
                messages = looked_at,
                "a process whose clock was ahead changed these messages; they were brought back"
            );
        }
        Ok(looked_at)
    }

    /// False if nobody but this process changes messages: its clock never runs back, so nothing can be ahead of it that
    /// was not so at the start.
    pub const fn has_others(&self) -> bool {
        !self.settings.is_sole_sender
    }

    /// Whether the store and the queue can be used.
    pub const fn outages(&self) -> &Outages {
        &self.outages
    }

    /// Waits until the queue may have lost its content.
    pub async fn queue_lost(&self) {
        self.ports.queue.lost().await;
    }

    /// Fills the queue again from the store. Returns the number of messages put back. After an error some may be
    /// missing, and it must be done again. Repeating it is harmless: a job that is there keeps its name.
    pub async fn refill_queue(&self) -> Result<usize, Failure> {
        let Some(window) = self.jobs.window() else {
            return Ok(0);
        };
        let until = self.now() + window + RELEASE_CHECK;
        let entries = self.ports.timers.released(until, REFILL_MAX).await?;
        for chunk in entries.chunks(REFILL_CHUNK) {
            self.ports.queue.enqueue(chunk).await?;
        }
        tracing::info!(refilled = entries.len(), "the queue was filled again from the store");
        Ok(entries.len())
    }

    async fn look_at_all(&self, due: Vec<Message>) -> Result<(), Failure> {
        let around = Around {
            tenants: self.tenants_of_held(&due).await,
            hearing: self.hearing(&due).await?,
        };
        self.touch(&due).await?;
        let mut changed = Vec::with_capacity(due.len());
        for message in due {
            let before = message.delivery.status;
            changed.push((before, self.look_at(message, &around).await?));
        }
        let saves = changed.into_iter().map(|(before, mut message)| async move {
            let saved = self.messages.save(&mut message, before).await;
            if saved.is_err() && before != Status::Queued && message.delivery.status == Status::Queued {
                self.slots.give_back(&message).await;
            }
            if saved? == Saved::Done {
                let metrics = &self.ports.metrics;
                metrics.message_changed(before, &message, DoubtEnd::Policy);
                self.jobs.release(&message);
                self.jobs.show_dead(&message);
            }
            Ok(())
        });
        join_all(saves).await.into_iter().collect()
    }

    /// Moves the conversations of messages that somebody was sending: whoever claimed them may have died before.
    async fn touch(&self, due: &[Message]) -> Result<(), Failure> {
        let sending = due.iter().filter(|message| message.delivery.status == Status::Sending);
        let touches: Vec<_> = sending
            .filter_map(|message| message.touch(message.delivery.updated_at, false))
            .collect();
        if touches.is_empty() {
            return Ok(());
        }
        Ok(self.touches.submit(touches).await??)
    }

    /// Reads the tenants afresh: a remembered tenant must not decide that a hold is over.
    async fn tenants_of_held(&self, due: &[Message]) -> HeldTenants {
        let held = due.iter().filter(|message| message.delivery.status == Status::Held);
        let held: HashSet<TenantId> = held.map(|message| message.accepted.tenant_id).collect();
        for tenant_id in &held {
            self.directory.refresh(tenant_id);
        }
        self.directory.find_all(held).await
    }

    /// Does what the message's timer was set for. Returns the message to be saved.
    async fn look_at(&self, mut message: Message, around: &Around) -> Result<Message, Failure> {
        let present = self.ports.clock.present();
        if message.is_ahead(present.now) {
            // Its timer is wrong too. What is saved from here on would hide that.
            message.bring_back(present, self.jobs.window());
            return Ok(message);
        }
        let around = self.surroundings(&message, around).await?;
        let before = message.delivery.status;
        match message.wake(present, around, self.jobs.window(), &self.settings.send.timings) {
            Woken::Rescheduled | Woken::Release => {}
            Woken::NeedsSlot => {
                let slot_at = self.slots.reserve(&message, present.now).await;
                message.schedule(present, slot_at, self.jobs.window());
            }
            Woken::Changed => {
                if before == Status::Sending {
                    self.leases.forget(&message.key());
                }
                tracing::info!(
                    message_id = %message.accepted.id,
                    tenant_id = %message.accepted.tenant_id,
                    attempt = message.delivery.attempt,
                    from = before.as_str(),
                    to = message.delivery.status.as_str(),
                    "a message moved on by its timer"
                );
            }
        }
        Ok(message)
    }

    async fn surroundings(&self, message: &Message, round: &Around) -> Result<Surroundings, StoreError> {
        let mut around = Surroundings {
            hold: None,
            may_probe: false,
            silence: Silence::Unproven,
            is_orphaned: false,
            watched: Duration::ZERO,
        };
        let delivery = &message.delivery;
        match delivery.status {
            Status::Held => match round.tenants.get(&message.accepted.tenant_id) {
                None | Some(Ok(None)) => {}
                Some(Ok(Some(tenant))) => {
                    let number = tenant.number(Some(&message.accepted.phone_number_id));
                    let hold = number.map_or(tenant.hold, |number| tenant.hold_of(number));
                    around.hold = hold.map(|hold| hold.reason);
                    around.may_probe = hold.is_some_and(|hold| hold.may_be_probed(self.now()));
                }
                // The hold cannot be read. Assume that it goes on: the other messages' timers must not wait for this
                // tenant.
                Some(Err(StoreError::Corrupt(_) | StoreError::Unreadable(_))) => around.hold = delivery.hold_reason,
                Some(Err(error)) => return Err(error.clone()),
            },
            Status::Sending => {
                let lease = delivery.lease.as_ref();
                let is_foreign = lease.is_some_and(|lease| lease.owner != self.settings.worker_id);
                around.is_orphaned = is_foreign && self.settings.is_sole_sender;
                around.watched = self.leases.see(message, self.ports.clock.uptime());
            }
            Status::InDoubt if waits_for_evidence(message) => {
                if let (Some(called_at), Some(hearing)) = (delivery.called_at, round.hearing) {
                    around.silence = self.silence(message, called_at, hearing).await?;
                }
            }
            _ => {}
        }
        Ok(around)
    }

    /// What was heard of Meta, if a message of the round needs it.
    async fn hearing(&self, due: &[Message]) -> Result<Option<Hearing>, StoreError> {
        if !due.iter().any(waits_for_evidence) {
            return Ok(None);
        }
        match self.listening.hearing().await {
            // Nobody knows what was heard, so silence proves nothing. The other messages' timers must not wait for it.
            Err(StoreError::Corrupt(_) | StoreError::Unreadable(_)) => Ok(None),
            hearing => hearing.map(Some),
        }
    }

    /// What it means that no status of this call has come.
    async fn silence(&self, message: &Message, called_at: Timestamp, heard: Hearing) -> Result<Silence, StoreError> {
        let until = message.delivery.grace_until.unwrap_or(called_at);
        match heard.since(called_at, until) {
            Heard::WithGaps => return Ok(Silence::Deaf),
            Heard::NotKnownYet => return Ok(Silence::NotKnownYet),
            Heard::Throughout => {}
        }
        for span in CallSpan::around(called_at) {
            if !self.statuses_arrived(message, span).await? {
                return Ok(Silence::Unproven);
            }
        }
        Ok(Silence::Telling)
    }

    /// True if statuses of the number's calls in this time have arrived.
    async fn statuses_arrived(&self, message: &Message, span: CallSpan) -> Result<bool, StoreError> {
        let number = &message.accepted.phone_number_id;
        let found = self.messages.load_all(&self.recent_calls.within(number, span)).await;
        let shows = |Message { delivery, .. }: &Message| span.is_shown_by(delivery.called_at, delivery.status_seen_at);
        let mut found: Vec<Message> = found.into_iter().flatten().flatten().collect();
        merge_reports(&*self.ports.statuses, &mut found).await?;
        if found.iter().any(shows) {
            return Ok(true);
        }
        self.ports.messages.statuses_arrived(&message.key(), number, span).await
    }

    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }
}
