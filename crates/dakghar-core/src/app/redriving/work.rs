//! The work on redrives: one batch after the other.

use std::time::Duration;

use futures_util::future::join_all;

use super::Redriving;
use crate::app::failure::Failure;
use crate::app::sending::Outages;
use crate::app::stale::ROUNDS_MAX;
use crate::domain::message::DeadLetter;
use crate::domain::redrive::{REDRIVE_KEPT, Redrive, RedriveStatus, Settled};
use crate::domain::{MessageKey, Present};
use crate::metrics::Redriven;
use crate::ports::Saved;

/// The wait between two looks when there is nothing to do.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// The least wait between two rounds.
const BUSY_WAIT: Duration = Duration::from_millis(10);
/// Redrives that are looked at in one round; those that were worked on longest ago.
const DUE_MAX: u32 = 64;
/// Batches that are done at the same time.
const AT_ONCE: usize = 4;
/// Dead letters that are looked at for one batch.
const LOOKED_AT_MAX: usize = 5_000;
/// The least and the most that are read at a time.
const READ_AT_ONCE: (u32, u32) = (32, 1_000);
/// The time between two deletions of what is long over.
const FORGET_EVERY: Duration = Duration::from_hours(1);

impl Redriving {
    /// Does the next batch of every redrive for which it is time. Returns how long to wait until the next round.
    pub async fn work(&self) -> Result<Duration, Failure> {
        self.forget().await?;
        self.follow_ends().await?;
        let due = self.store.due_redrives(DUE_MAX).await?;
        let (now, up) = (self.clock.now(), self.clock.uptime());
        let mut ready = Vec::new();
        {
            let mut state = self.state.lock();
            state
                .next_at
                .retain(|id, _| due.iter().any(|redrive| redrive.id == *id));
            for redrive in due {
                let is_paced = state.next_at.get(&redrive.id).is_some_and(|at| *at > up);
                if !is_paced && (self.is_sole_sender || !redrive.is_held_by_other(&self.process, now)) {
                    ready.push(redrive);
                }
            }
        }
        let mut failed = None;
        while !ready.is_empty() {
            let rest = ready.split_off(ready.len().min(AT_ONCE));
            let steps = std::mem::replace(&mut ready, rest).into_iter();
            let steps = steps.map(async |redrive| (redrive.id, self.step(redrive).await));
            for (id, stepped) in join_all(steps).await {
                if let Err(failure) = stepped {
                    // It costs only itself, and is tried again a little later.
                    self.state.lock().next_at.insert(id, up + IDLE_WAIT);
                    failed.get_or_insert(failure);
                }
            }
        }
        if let Some(failure) = failed {
            return Err(failure);
        }
        let up = self.clock.uptime();
        let next_at = self.state.lock().next_at.values().min().copied();
        let wait = next_at.map_or(IDLE_WAIT, |at| at.saturating_sub(up));
        Ok(wait.clamp(BUSY_WAIT, IDLE_WAIT))
    }

    /// The outages that sending waits for.
    pub const fn outages(&self) -> &Outages {
        &self.outages
    }

    /// Does the pending batch and finds the next one; one save ends the one and begins the other.
    async fn step(&self, mut redrive: Redrive) -> Result<(), Failure> {
        let up = self.clock.uptime();
        let pending = redrive.pending.clone();
        let (settled, left) = self.changing.redrive_batch(&redrive).await?;
        let (now, done) = (self.clock.now(), pending.len() - left.len());
        // What waits for room is saved too: who was worked on goes behind the others.
        let waits = !left.is_empty();
        redrive.settle(settled, left.clone(), now);
        let skipped = redrive.settled.skipped;
        if redrive.status == RedriveStatus::Running && !waits {
            self.find_batch(&mut redrive).await?;
        }
        let left_out = redrive.settled.skipped - skipped;
        redrive.keep_for(&self.process, now);
        match self.store.save_redrive(&redrive).await? {
            Saved::Done => {
                self.count(Settled {
                    skipped: settled.skipped + left_out,
                    ..settled
                });
                let pace = if waits && done == 0 {
                    IDLE_WAIT
                } else {
                    redrive.pace(done)
                };
                self.state.lock().next_at.insert(redrive.id, up + pace);
                tell_end(&redrive);
            }
            Saved::Stale => self.settle_again(&redrive, &pending, (settled, left)).await?,
        }
        Ok(())
    }

    /// Looks for the next batch. A redrive that has seen everything is done.
    async fn find_batch(&self, redrive: &mut Redrive) -> Result<(), Failure> {
        let wanted = redrive.batch();
        let mut asked = READ_AT_ONCE.0;
        let mut looked_at = 0;
        while looked_at < LOOKED_AT_MAX {
            let tenant_id = redrive.tenant_id.as_ref();
            let listed = self.store.look_through(tenant_id, redrive.before, asked).await?;
            looked_at += listed.items.len();
            let present = self.clock.present();
            for letter in listed.items {
                if redrive.pending.len() == wanted {
                    return Ok(());
                }
                redrive.before = Some(letter.key.message_id);
                take_up(redrive, &letter, present);
            }
            let Some(next) = listed.next else {
                redrive.has_seen_all();
                return Ok(());
            };
            redrive.before = Some(next);
            asked = (asked * 2).min(READ_AT_ONCE.1);
        }
        Ok(())
    }

    /// Somebody else saved first. If the batch is still the same, it was a person who turned the redrive, and what was
    /// done is counted all the same; else another process did the batch, too, and has counted it.
    async fn settle_again(
        &self,
        stale: &Redrive,
        pending: &[MessageKey],
        (settled, left): (Settled, Vec<MessageKey>),
    ) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            let found = self.store.find_redrive(&stale.id).await?;
            let Some(mut redrive) = found.filter(|found| found.pending == pending && !pending.is_empty()) else {
                return Ok(());
            };
            redrive.settle(settled, left.clone(), self.clock.now());
            redrive.release();
            if self.store.save_redrive(&redrive).await? == Saved::Done {
                self.count(settled);
                return Ok(());
            }
        }
        Err(Failure::KeptChanging("redrive"))
    }

    fn count(&self, settled: Settled) {
        let each = [
            (Redriven::Redriven, settled.redriven),
            (Redriven::Skipped, settled.skipped),
            (Redriven::Failed, settled.failed),
        ];
        for (outcome, count) in each {
            self.metrics.redrives.of(outcome).inc_by(count);
        }
    }

    async fn forget(&self) -> Result<(), Failure> {
        let up = self.clock.uptime();
        let is_time = |at: Duration| up >= at + FORGET_EVERY;
        if !self.state.lock().forgot_at.is_none_or(is_time) {
            return Ok(());
        }
        let now = self.retention_time.look().await?;
        self.store.forget_redrives(now - REDRIVE_KEPT).await?;
        self.state.lock().forgot_at = Some(up);
        Ok(())
    }
}

/// Takes a dead letter into the batch, if the redrive is about it.
fn take_up(redrive: &mut Redrive, letter: &DeadLetter, present: Present) {
    if !redrive.is_about(letter) {
        return;
    }
    if redrive.leaves_out(letter, present).is_some() {
        redrive.settled.skipped += 1;
    } else {
        redrive.pending.push(letter.key);
    }
}

fn tell_end(redrive: &Redrive) {
    if redrive.status.is_open() {
        return;
    }
    let tenant_id = redrive.tenant_id.map(tracing::field::display);
    let Settled {
        redriven,
        skipped,
        failed,
    } = redrive.settled;
    let status = redrive.status.as_str();
    tracing::info!(redrive_id = %redrive.id, tenant_id, status, redriven, skipped, failed, "a redrive ended");
}
