//! What Meta answered while the store is away is kept on this machine, so that it outlives this process.
//!
//! The process that was told an answer goes on trying to store it. Only what it left behind when it died is replayed, by
//! whoever starts next on this machine or runs beside it. A replay takes the way of a live outcome: under the epoch of
//! its claim the message is moved, and under any other one only what proves that Meta has it counts.
//!
//! A crash can come at four points:
//!
//! - before the answer is kept: the message is `sending`, and its lease decides;
//! - while it is kept: it is there or torn off, and a torn one counts as not kept;
//! - after it is kept: it is replayed;
//! - after it was stored, live or by a replay, and before it is forgotten: it is replayed again, and changes nothing.
//!
//! When another process has taken the message over meanwhile, the doubt has begun and its usual rules hold. A wamid that
//! is replayed settles it like a status would. A refusal does not: the message may have been sent again since.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Sending;
use super::deliver::{EndedCall, log_outcome};
use super::pairs;
use super::spooling::Spooling;
use crate::app::failure::{Failure, Fault};
use crate::app::messages::{Change, change_each};
use crate::app::stale::Step;
use crate::domain::message::{DeadReason, Evidence, EvidenceStatus, Message, Recorded, SendOutcome, Status};
use crate::domain::{HoldReason, MessageKey};
use crate::metrics::DoubtEnd;
use crate::ports::{SpoolError, SpooledOutcome};

/// Outcomes that are replayed together.
const REPLAY_BATCH: usize = 256;

/// What is replayed, by the claim it belongs to.
type Outcomes = HashMap<(MessageKey, u64), SpooledOutcome>;

impl Sending {
    /// Returns what is to be kept of a call's end while the store does not take it. `None` where nothing is kept, and for
    /// an end that says nothing.
    pub fn to_spool(&self, ended: &EndedCall) -> Option<SpooledOutcome> {
        self.spooling.as_ref()?;
        let (claimed, outcome) = ended.parts();
        if matches!(outcome, SendOutcome::Unknown { .. }) {
            return None;
        }
        Some(SpooledOutcome {
            key: claimed.key(),
            epoch: claimed.delivery.epoch,
            attempt: claimed.delivery.attempt,
            answered_at: self.ports.clock.now(),
            outcome: outcome.clone(),
        })
    }

    /// Keeps an outcome on this machine. Returns whether it is kept: then [`Sending::settle`] must be called once the
    /// store has taken it. If it is not, it lives as long as this process.
    pub async fn spool(&self, outcome: SpooledOutcome) -> bool {
        let Some(spooling) = &self.spooling else { return false };
        let (metrics, now) = (&self.ports.metrics, self.ports.clock.uptime());
        let kept = match spooling.commits.submit(outcome).await {
            Ok(kept) => kept,
            Err(rejected) => Err(SpoolError::Full(rejected.to_string().into())),
        };
        match kept {
            Ok(()) => {
                metrics.outcomes_spooled.inc();
                if spooling.told.is_due(now) {
                    tracing::warn!("the store does not take what Meta answers; it is kept in DATA_DIR meanwhile");
                }
                true
            }
            Err(error) => {
                metrics.outcomes_not_spooled.inc();
                if spooling.told_failure.is_due(now) {
                    tracing::warn!(%error, "what Meta answers cannot be kept in DATA_DIR; until the store takes it, it lives as long as this process");
                }
                false
            }
        }
    }

    /// Says that the store has taken an outcome that was kept.
    pub async fn settle(&self) {
        if let Some(spooling) = &self.spooling {
            spooling.spool.settle(1).await;
        }
    }

    /// Stores what processes of this machine have left behind. Returns the number of outcomes that were replayed. After
    /// an error the rest is replayed the next time.
    pub async fn replay_spooled(&self) -> Result<usize, Failure> {
        let Some(spooling) = &self.spooling else { return Ok(0) };
        let parts = match spooling.spool.left_behind().await {
            Ok(parts) => parts,
            Err(error) => {
                spooling.tell_part(&"*".into(), &error);
                return Ok(0);
            }
        };
        let mut replayed = 0;
        for part in parts {
            let outcomes = match spooling.spool.read(&part).await {
                Ok(outcomes) => outcomes,
                Err(error) => {
                    spooling.tell_part(&part, &error);
                    continue;
                }
            };
            let mut is_done = true;
            for batch in outcomes.chunks(REPLAY_BATCH) {
                is_done &= self.replay(spooling, &part, batch).await?;
            }
            replayed += outcomes.len();
            if is_done && let Err(error) = spooling.spool.forget(&part).await {
                spooling.tell_part(&part, &error);
            }
        }
        if replayed > 0 {
            tracing::info!(
                outcomes = replayed,
                "what Meta answered to an earlier process is stored"
            );
        }
        Ok(replayed)
    }

    /// Stores a batch. Returns false if a message of it cannot be read, which trying again does not mend.
    async fn replay(&self, spooling: &Spooling, part: &Arc<str>, batch: &[SpooledOutcome]) -> Result<bool, Failure> {
        let outcomes: Outcomes = batch
            .iter()
            .map(|spooled| ((spooled.key, spooled.epoch), spooled.clone()))
            .collect();
        let keys: HashSet<MessageKey> = batch.iter().map(|spooled| spooled.key).collect();
        let mut recorded: HashMap<MessageKey, (u64, Recorded)> = HashMap::new();
        let step = |message: &mut Message| {
            let epoch = message.delivery.epoch;
            let spooled = outcomes.get(&(message.key(), epoch));
            match spooled.map(|spooled| self.record_in(message, epoch, &spooled.outcome)) {
                Some(Ok(done)) => {
                    recorded.insert(message.key(), (epoch, done));
                    Step::Save
                }
                Some(Err(_)) | None => Step::Leave,
            }
        };
        let changes = change_each(&*self.ports.messages, keys.into_iter().collect(), step).await;
        let mut is_done = true;
        for (key, change) in changes {
            let of_message = batch.iter().filter(|spooled| spooled.key == key);
            match change {
                Ok(Change::Saved(message)) => {
                    let (epoch, done) = recorded[&key];
                    if let Some(spooled) = outcomes.get(&(key, epoch)) {
                        self.join_people(&message, &spooled.outcome).await;
                    }
                    self.ports
                        .metrics
                        .message_changed(Status::Sending, &message, DoubtEnd::Policy);
                    self.follow_up_replayed(&message, done).await;
                    self.add_replayed(&message, of_message.filter(|spooled| spooled.epoch != epoch))
                        .await?;
                }
                Ok(Change::Left(message)) => self.add_replayed(&message, of_message).await?,
                // It was erased with its tenant.
                Ok(Change::Gone) => {}
                Err(failure) if failure.fault() == Fault::Ours => {
                    spooling.tell_part(part, &failure);
                    is_done = false;
                }
                Err(failure) => return Err(failure),
            }
        }
        self.ports.metrics.outcomes_replayed.inc_by(batch.len() as u64);
        Ok(is_done)
    }

    /// Adds what proves that Meta has a message that somebody else has moved on.
    async fn add_replayed<'s>(
        &self,
        message: &Message,
        spooled: impl Iterator<Item = &'s SpooledOutcome> + Send,
    ) -> Result<(), Failure> {
        let news = spooled.filter_map(|spooled| match &spooled.outcome {
            // A repetition has nothing to add.
            SendOutcome::Accepted { wamid, .. } if !message.delivery.wamids.contains(wamid) => Some(Evidence {
                status: EvidenceStatus::Sent,
                wamid: wamid.clone(),
                attempt: Some(spooled.attempt),
                reported_at: Some(spooled.answered_at),
                error: None,
                by_webhook: false,
                participant: None,
            }),
            _ => None,
        });
        let news: Vec<_> = news.map(|evidence| (message.key(), evidence)).collect();
        if !news.is_empty() {
            self.remember_call(message);
            self.merges.submit(news).await??;
        }
        Ok(())
    }

    /// Tells the queue and the number about an outcome that was replayed. Whether its token was replaced since is not
    /// known, so a refused token is not counted: the message's own timer tries again.
    async fn follow_up_replayed(&self, message: &Message, recorded: Recorded) {
        log_outcome(message, recorded);
        self.leases.forget(&message.key());
        self.jobs.release(message);
        self.jobs.show_dead(message);
        let number = &message.accepted.phone_number_id;
        match recorded {
            Recorded::Sent => {
                let tenants = &self.ports.metrics.tenants;
                tenants.count(&message.accepted.tenant_id, 1, |of| _ = of.sent.inc());
                self.remember_call(message);
            }
            Recorded::SlowDown(until) => {
                let now = self.ports.clock.now();
                self.ports.pacer.pause_until(number, now, until).await;
            }
            Recorded::PairSlowDown(until) => {
                pairs::put_first(&*self.ports.pacer, message, self.ports.clock.now(), until).await;
            }
            Recorded::Held(HoldReason::AccountRestricted) => {
                let tenant_id = &message.accepted.tenant_id;
                if let Err(failure) = self.holds.number_restricted(tenant_id, number).await {
                    tracing::warn!(%tenant_id, %failure, "the number is not on hold yet");
                }
            }
            Recorded::GaveUp if message.delivery.dead_reason == Some(DeadReason::AttemptsExhausted) => {
                if let Err(failure) = self.holds.number_fails(message).await {
                    let tenant_id = &message.accepted.tenant_id;
                    tracing::warn!(%tenant_id, %failure, "a dead letter is not sent again by itself");
                }
            }
            _ => {}
        }
    }
}
