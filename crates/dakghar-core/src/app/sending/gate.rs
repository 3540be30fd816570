//! The gate: everything that can hold a due message back, the pace of its number last.

use std::sync::Arc;
use std::time::Duration;

use super::in_flight::{InFlight, InFlightLimits};
use super::number_holds::NumberHolds;
use super::slots::ask;
use crate::app::failure::Failure;
use crate::domain::Timestamp;
use crate::domain::message::{DeadReason, Message};
use crate::domain::pacing::Admission;
use crate::domain::tenant::SharedTenant;
use crate::ports::{Job, Pacer, SlotAsk};

/// How long a message whose number or tenant has all its calls under way stays at hand for the next place.
const PLACE_PATIENCE: Duration = Duration::from_millis(200);
/// How long it goes back into the queue for when no place was found in that time.
const PLACE_WAIT: Duration = Duration::from_millis(500);

/// A queued message on its way through the gate.
pub(super) struct Candidate {
    pub(super) message: Message,
    pub(super) tenant: SharedTenant,
    pub(super) job: Job,
    /// Since when it waits for a place.
    pub(super) since: Timestamp,
}

/// The verdict on one candidate.
pub(super) enum Verdict {
    /// It may be called for; its place is held.
    Passed(Candidate, InFlight),
    /// It stays at hand until a place is free.
    Waits(Candidate),
    /// It may not go out now. The message says why, and must be saved.
    HeldBack(Candidate),
}

/// The step that comes first in the way of a candidate.
enum Obstacle {
    /// None but the pace.
    None(InFlight, SlotAsk),
    /// No place is free; it may wait for one.
    Place,
    /// No place was free for long: it needs a later slot.
    Crowded(SlotAsk),
    /// The message was changed, and must be saved.
    Held,
}

/// Judges candidates.
pub(super) struct Gate {
    pub(super) in_flight: InFlightLimits,
    pub(super) holds: NumberHolds,
    pub(super) pacer: Arc<dyn Pacer>,
    pub(super) window: Option<Duration>,
}

impl Gate {
    /// One verdict for each candidate. Without the pacer nothing passes: the gate fails closed, and the timers bring the
    /// messages back.
    pub(super) async fn judge(&self, candidates: Vec<Candidate>, now: Timestamp) -> Result<Vec<Verdict>, Failure> {
        let mut judged = Vec::with_capacity(candidates.len());
        for mut candidate in candidates {
            let obstacle = self.obstacle(&mut candidate, now).await;
            judged.push((candidate, obstacle));
        }
        let asks: Vec<SlotAsk> = judged
            .iter()
            .filter_map(|(_, obstacle)| obstacle.admission_ask())
            .collect();
        let mut admissions = self.pacer.admit(&asks).await?.into_iter();
        let asks: Vec<SlotAsk> = judged
            .iter()
            .filter_map(|(_, obstacle)| obstacle.slot_ask(now))
            .collect();
        let mut slots = self.reserve(&asks).await.into_iter();
        let verdict = |(candidate, obstacle)| match obstacle {
            Obstacle::Held => Verdict::HeldBack(candidate),
            Obstacle::Place => Verdict::Waits(candidate),
            Obstacle::Crowded(_) => {
                // Without the pacer it comes back after the wait all the same.
                let slot_at = slots.next().unwrap_or(now + PLACE_WAIT);
                self.postponed(candidate, now, slot_at, "calls_under_way")
            }
            Obstacle::None(in_flight, _) => match admissions.next() {
                Some(Admission::Go) => Verdict::Passed(candidate, in_flight),
                Some(Admission::Later(slot_at)) => self.postponed(candidate, now, slot_at, "pace"),
                None => self.postponed(candidate, now, now + PLACE_WAIT, "pace"),
            },
        };
        Ok(judged.into_iter().map(verdict).collect())
    }

    async fn obstacle(&self, candidate: &mut Candidate, now: Timestamp) -> Obstacle {
        let Candidate {
            message, tenant, since, ..
        } = candidate;
        let Some(number) = tenant.number(Some(&message.accepted.phone_number_id)) else {
            message.abandon(now, DeadReason::NumberRemoved);
            return Obstacle::Held;
        };
        if message.delivery.expires_at.is_some_and(|at| at <= now) {
            message.expire(now);
            return Obstacle::Held;
        }
        if let Some(hold) = tenant.hold_of(number)
            && !self.holds.may_probe(tenant, number, &hold, now).await
        {
            message.hold(now, hold.reason);
            return Obstacle::Held;
        }
        let ask = ask(number, message.accepted.priority, now);
        match self.in_flight.enter(&message.accepted.tenant_id, number) {
            Some(in_flight) => Obstacle::None(in_flight, ask),
            None if now.since(*since) < PLACE_PATIENCE => Obstacle::Place,
            None => Obstacle::Crowded(ask),
        }
    }

    /// New slots for messages that found no place: a slow Graph API must not let one tenant's messages stand in the way
    /// of the others'.
    async fn reserve(&self, asks: &[SlotAsk]) -> Vec<Timestamp> {
        if asks.is_empty() {
            return Vec::new();
        }
        self.pacer.reserve(asks).await.unwrap_or_default()
    }

    fn postponed(&self, mut candidate: Candidate, now: Timestamp, slot_at: Timestamp, why: &str) -> Verdict {
        candidate.message.postpone(now, slot_at, why, self.window);
        Verdict::HeldBack(candidate)
    }
}

impl Obstacle {
    /// The question to the pacer whether it may go now.
    fn admission_ask(&self) -> Option<SlotAsk> {
        match self {
            Self::None(_, ask) => Some(ask.clone()),
            Self::Place | Self::Crowded(_) | Self::Held => None,
        }
    }

    /// The question to the pacer for a later slot.
    fn slot_ask(&self, now: Timestamp) -> Option<SlotAsk> {
        match self {
            Self::Crowded(ask) => Some(SlotAsk {
                not_before: now + PLACE_WAIT,
                ..ask.clone()
            }),
            Self::None(..) | Self::Place | Self::Held => None,
        }
    }
}
