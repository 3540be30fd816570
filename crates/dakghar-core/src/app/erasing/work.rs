//! The work on erasures: one portion after the other.

use std::time::Duration;

use super::{Erasing, purpose};
use crate::app::callbacks::FRESH_FOR;
use crate::app::failure::Failure;
use crate::app::messages::{Change, Start};
use crate::app::sending::Outages;
use crate::domain::erasure::{ErasurePlace, PersonErasure, PersonIds, PortionDone};
use crate::domain::{MessageId, MessageKey, TenantId};
use crate::ports::{PersonPortion, Remains, Saved};
use crate::vault::VaultError;

/// The wait between two looks when there is nothing to do.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// The least wait between two portions.
const PORTION_WAIT: Duration = Duration::from_millis(20);
/// A wait is so many times as long as the portion took, so that others have the store, too.
const WAIT_FACTOR: u32 = 3;
/// The wait for messages on their way, and for those who read the file.
const OPEN_WAIT: Duration = Duration::from_secs(2);
/// Erasures that are looked at in one round; those that were worked on longest ago. Those that wait for answers are among them.
const DUE_MAX: u32 = 64;
/// The time within which an answer of a receiver is written down.
const ANSWER_KEPT_WITHIN: Duration = Duration::from_secs(2);
/// Records that are looked at in one portion.
const PORTION: u32 = 200;

impl Erasing {
    /// Does the next portion of every erasure for which it is time. Returns how long to wait until the next round.
    pub async fn work(&self) -> Result<Duration, Failure> {
        let due = self.store.due_erasures(DUE_MAX).await?;
        let (now, up) = (self.clock.now(), self.clock.uptime());
        self.next_at
            .lock()
            .retain(|id, _| due.iter().any(|erasure| erasure.id == *id));
        let mut failed = None;
        for erasure in due {
            let is_paced = self.next_at.lock().get(&erasure.id).is_some_and(|at| *at > up);
            if is_paced || erasure.is_held_by_other(&self.process, now) {
                continue;
            }
            let id = erasure.id;
            let wait = match self.step(erasure).await {
                Ok(wait) => wait,
                // It costs only itself, and is tried again a little later.
                Err(failure) => {
                    failed.get_or_insert(failure);
                    OPEN_WAIT
                }
            };
            self.next_at.lock().insert(id, self.clock.uptime() + wait);
        }
        if let Some(failure) = failed {
            return Err(failure);
        }
        let up = self.clock.uptime();
        let next_at = self.next_at.lock().values().min().copied();
        let wait = next_at.map_or(IDLE_WAIT, |at| at.saturating_sub(up));
        Ok(wait.clamp(PORTION_WAIT, IDLE_WAIT))
    }

    /// The outages that sending waits for.
    pub const fn outages(&self) -> &Outages {
        &self.outages
    }

    /// Does one portion and writes down what it did. Returns how long to wait before the next one.
    async fn step(&self, mut erasure: PersonErasure) -> Result<Duration, Failure> {
        let began_at = self.clock.uptime();
        let place = erasure.place;
        if let Some(wait) = self.wait_for_answers(&erasure).await? {
            return Ok(wait);
        }
        let done = match place {
            ErasurePlace::File => self.clear_file(&mut erasure).await?,
            _ => Some(self.look_through(&erasure).await?),
        };
        let now = self.clock.now();
        // `None` is a file that is read at present: nothing has moved.
        let erased = done.as_ref().map_or(0, |done| done.erased);
        let must_wait = match done {
            Some(done) => erasure.take(done, now),
            None => true,
        };
        erasure.keep_for(&self.process, now);
        if self.store.save_erasure(&erasure).await? == Saved::Done {
            self.metrics.people_erased.of(place.into()).inc_by(erased);
            if !erasure.is_open() {
                self.metrics.person_erasures_ended.inc();
                tell_end(&erasure);
            }
        }
        let took = self.clock.uptime().saturating_sub(began_at);
        Ok(if must_wait {
            OPEN_WAIT
        } else {
            (took * WAIT_FACTOR).max(PORTION_WAIT)
        })
    }

    /// Returns how long to wait until no receiver can answer any more to what was read before it was erased. What it
    /// answers may repeat what it was given.
    async fn wait_for_answers(&self, erasure: &PersonErasure) -> Result<Option<Duration>, Failure> {
        if erasure.place != ErasurePlace::Answers || erasure.from.is_some() {
            return Ok(None);
        }
        let longest = FRESH_FOR + self.callback_timeout + ANSWER_KEPT_WITHIN;
        // Everything before was through at that time.
        let passed = self.clock.now().since(erasure.updated_at);
        let Some(left) = longest.checked_sub(passed).filter(|left| !left.is_zero()) else {
            return Ok(None);
        };
        let has_endpoints = !self.endpoints.endpoints_of(&[erasure.tenant_id]).await?.is_empty();
        Ok(has_endpoints.then_some(left))
    }

    async fn clear_file(&self, erasure: &mut PersonErasure) -> Result<Option<PortionDone>, Failure> {
        let remains = self.store.clear_remains().await?;
        erasure.needs_vacuum = remains == Remains::InLargeFile;
        Ok((remains != Remains::InUse).then(PortionDone::default))
    }

    async fn look_through(&self, erasure: &PersonErasure) -> Result<PortionDone, Failure> {
        let portion = PersonPortion {
            tenant_id: erasure.tenant_id,
            person: self.person_of(erasure).await?,
            before: erasure.created_at,
            place: erasure.place,
            from: erasure.from.clone(),
            limit: PORTION,
        };
        let found = self.store.erase_person(&portion).await?;
        let mut done = PortionDone {
            erased: found.erased,
            next: found.next,
            ..PortionDone::default()
        };
        for id in found.open {
            if self.cancel(&erasure.tenant_id, id).await? {
                done.cancelled += 1;
            } else {
                done.waiting += 1;
            }
        }
        Ok(done)
    }

    async fn person_of(&self, erasure: &PersonErasure) -> Result<PersonIds, Failure> {
        let tenant = self.tenant(&erasure.tenant_id).await?;
        let sealed = erasure.sealed_person.as_deref().unwrap_or_default();
        let opened = self
            .vault
            .open(&tenant.id, &tenant.wrapped_data_key, &purpose(&erasure.id), sealed)
            .await?;
        let person = PersonIds::parse(opened.reveal());
        Ok(person.ok_or(VaultError::Unreadable("it is no list of ids"))?)
    }

    /// Cancels a message if no call can have delivered it. Returns false if it is on its way.
    async fn cancel(&self, tenant_id: &TenantId, message_id: MessageId) -> Result<bool, Failure> {
        let key = MessageKey {
            tenant_id: *tenant_id,
            message_id,
        };
        Ok(
            match self
                .changing
                .messages
                .cancel(Start::Unread(key), self.clock.now())
                .await?
            {
                Change::Saved(_) | Change::Gone => true,
                // It may have been settled meanwhile: then the next walk deletes it.
                Change::Left(message) => !message.delivery.status.is_unsettled(),
            },
        )
    }
}

fn tell_end(erasure: &PersonErasure) {
    let erased: u64 = ErasurePlace::ALL.iter().map(|place| erasure.counts.of(*place)).sum();
    let (tenant_id, needs_vacuum) = (erasure.tenant_id, erasure.needs_vacuum);
    tracing::info!(erasure_id = %erasure.id, %tenant_id, erased, needs_vacuum, "the erasure of a person is done");
}
