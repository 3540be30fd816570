//! The batch of a redrive: dead letters that go into the queue again, each once, however often the batch is tried.
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | the batch in the record and its first message | nothing is sent again yet | whoever goes on does the batch |
//! | two messages | some are sent again, and name the redrive | whoever goes on counts these and does the others |
//! | the last message and the record | the record does not count them | the same |
//! | the part for which there was room and the record | the same | the same; it needs room once more to be counted |
//! | a message and the queue | queued, no job | its timer, as after acceptance |

use futures_util::future::join_all;

use super::change::Changing;
use super::slots::Reserved;
use crate::app::failure::{Failure, Fault};
use crate::app::messages::{Change, Start};
use crate::app::stale::Step;
use crate::app::waiting::WaitingPlace;
use crate::domain::message::{DeadLetter, Message};
use crate::domain::redrive::{Redrive, RedriveStatus, Settled};
use crate::domain::{Actor, MessageKey, Present};
use crate::ports::StoreError;

/// Messages that are read at a time, with their contents.
const LOADED_AT_ONCE: usize = 16;

const REDRIVEN: Settled = settled(1, 0, 0);
const SKIPPED: Settled = settled(0, 1, 0);
const FAILED: Settled = settled(0, 0, 1);
const UNTOUCHED: Settled = settled(0, 0, 0);

const fn settled(redriven: u64, skipped: u64, failed: u64) -> Settled {
    Settled {
        redriven,
        skipped,
        failed,
    }
}

/// What is to be done with a message of the batch.
enum Judged {
    /// It is to be sent again.
    Chosen(Box<Message>),
    /// There is nothing to do, and this to count.
    Counted(Settled),
}

impl Changing {
    /// Sends the pending batch of a redrive again. Returns what became of it, also of what an earlier try did, and what
    /// is left, for which the tenant has no room. Of a redrive that does not run, only the first is counted.
    pub(in crate::app) async fn redrive_batch(&self, redrive: &Redrive) -> Result<(Settled, Vec<MessageKey>), Failure> {
        let places = self.places(redrive).await?;
        let (now, left) = match &places {
            Some(places) => redrive.pending.split_at(places.len()),
            None => (&redrive.pending[..], &[][..]),
        };
        let settled = self.redrive_keys(redrive, now, places).await?;
        Ok((settled, left.to_vec()))
    }

    /// Takes places for the batch among the messages that wait, if the redrive is one of a tenant that has a limit.
    async fn places(&self, redrive: &Redrive) -> Result<Option<Vec<WaitingPlace>>, Failure> {
        let is_limited = redrive.asked.by == Actor::Tenant && redrive.status == RedriveStatus::Running;
        let Some(tenant_id) = redrive.tenant_id.filter(|_| is_limited && !redrive.pending.is_empty()) else {
            return Ok(None);
        };
        match self.directory.find(&tenant_id).await? {
            Some(tenant) => self.waiting.enter_many(&tenant, redrive.pending.len()).await,
            None => Ok(None),
        }
    }

    async fn redrive_keys(
        &self,
        redrive: &Redrive,
        keys_of_batch: &[MessageKey],
        places: Option<Vec<WaitingPlace>>,
    ) -> Result<Settled, Failure> {
        let mut settled = Settled::default();
        let mut places = places.into_iter().flatten();
        let mut pending = keys_of_batch.iter().copied();
        let mut keys = Vec::with_capacity(LOADED_AT_ONCE);
        loop {
            // What the load before had no bytes for comes first.
            keys.extend(pending.by_ref().take(LOADED_AT_ONCE - keys.len()));
            if keys.is_empty() {
                return Ok(settled);
            }
            let present = self.clock.present();
            let mut chosen = Vec::new();
            for (_, found) in self.messages.load_reported(&mut keys).await? {
                match judge(redrive, found, present)? {
                    Judged::Chosen(message) => chosen.push(*message),
                    Judged::Counted(count) => settled.add(count),
                }
            }
            let reserved = self.slots.reserve_now(&chosen, present.now).await;
            let changes = chosen.into_iter().zip(reserved);
            let changes = changes.map(|(message, slot)| {
                let place = places.next();
                async move {
                    let count = self.redrive_one(redrive, message, slot, present).await;
                    if let (Ok(REDRIVEN) | Err(_), Some(mut place)) = (&count, place) {
                        place.is_taken();
                    }
                    count
                }
            });
            for count in join_all(changes).await {
                settled.add(count?);
            }
        }
    }

    async fn redrive_one(
        &self,
        redrive: &Redrive,
        message: Message,
        reserved: Reserved,
        present: Present,
    ) -> Result<Settled, Failure> {
        let mut count = REDRIVEN;
        let (version, mut is_another) = (message.delivery.version, false);
        let step = |message: &mut Message| {
            // Without its reports, another copy does not tell what became of it.
            is_another = message.delivery.version != version;
            if is_another {
                return Step::Leave;
            }
            count = judge_stored(redrive, message, present);
            if count != UNTOUCHED {
                return Step::Leave;
            }
            if message
                .redrive_by(&redrive.id, present, redrive.asked.options())
                .is_err()
            {
                count = SKIPPED;
                return Step::Leave;
            }
            count = REDRIVEN;
            message.schedule(present, reserved.slot_at, self.jobs.window());
            Step::Save
        };
        match self.messages.change(Start::Read(Box::new(message)), step).await {
            Ok(Change::Saved(message)) => {
                self.jobs.release(&message);
                Ok(count)
            }
            Ok(Change::Left(_)) => {
                self.slots.refund(reserved).await;
                if is_another {
                    return Err(Failure::KeptChanging("message"));
                }
                Ok(count)
            }
            Ok(Change::Gone) => {
                self.slots.refund(reserved).await;
                Ok(SKIPPED)
            }
            Err(failure) => {
                self.slots.refund(reserved).await;
                or_failed(failure)
            }
        }
    }
}

fn judge(redrive: &Redrive, found: Result<Option<Message>, StoreError>, present: Present) -> Result<Judged, Failure> {
    let message = match found {
        Ok(Some(message)) => message,
        Ok(None) => return Ok(Judged::Counted(SKIPPED)),
        Err(error) => return or_failed(error.into()).map(Judged::Counted),
    };
    let count = judge_stored(redrive, &message, present);
    if count != UNTOUCHED || redrive.status != RedriveStatus::Running {
        return Ok(Judged::Counted(count));
    }
    Ok(Judged::Chosen(Box::new(message)))
}

/// What is to be counted of a message; nothing if it is still to be sent again.
fn judge_stored(redrive: &Redrive, message: &Message, present: Present) -> Settled {
    if message.was_redriven_by(&redrive.id) {
        return REDRIVEN;
    }
    match DeadLetter::of(message) {
        Some(letter)
            if redrive.is_about(&letter)
                && redrive.leaves_out(&letter, present).is_none()
                && redrive.allows(message.times_redriven()) =>
        {
            UNTOUCHED
        }
        _ => SKIPPED,
    }
}

/// A message that is at fault itself costs only itself; everything else is tried again.
fn or_failed(failure: Failure) -> Result<Settled, Failure> {
    match failure.fault() {
        Fault::Surroundings => Err(failure),
        Fault::Ours | Fault::Caller => Ok(FAILED),
    }
}
