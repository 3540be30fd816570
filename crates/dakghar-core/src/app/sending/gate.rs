//! The gate: every reason to hold a due message back. The pace of its number is checked last.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::call_limits::{Allowed, CallLimits, CallsAllowed};
use super::host::{Host, HostPass};
use super::in_flight::{InFlight, InFlightLimits, InHand};
use super::number_holds::NumberHolds;
use super::pairs;
use super::slots::ask;
use crate::app::allowances::Allowances;
use crate::app::failure::Failure;
use crate::domain::message::{DeadReason, HOST_UNREACHABLE, Message};
use crate::domain::pacing::Admission;
use crate::domain::tenant::SharedTenant;
use crate::domain::{AppId, PhoneNumberId, Present, Tenant, Timestamp};
use crate::metrics::{Limit, Metrics};
use crate::ports::{Job, Pacer, SlotAsk};

/// The time a message may wait in memory for a place while its number or tenant has all its calls under way.
const PLACE_PATIENCE: Duration = Duration::from_millis(200);
/// The delay of a message that goes back into the queue because it found no place in that time.
const PLACE_WAIT: Duration = Duration::from_millis(500);

/// The reason of a wait until Meta's allowance for the account or the app has grown again.
const ALLOWANCE: &str = "meta_allowance";
/// The reason of a wait until people want to be written to again.
const QUIET_HOURS: &str = "quiet_hours";
/// The reason of a wait behind others that go to the same person.
const PAIR_PACE: &str = "pair_pace";

/// A queued message on its way through the gate.
pub(super) struct Candidate {
    pub(super) message: Message,
    pub(super) tenant: SharedTenant,
    pub(super) job: Job,
    /// The time at which it began to wait for a place.
    pub(super) since: Timestamp,
    pub(super) in_hand: InHand,
}

impl Candidate {
    /// The number it goes out from.
    pub(super) const fn number(&self) -> &PhoneNumberId {
        &self.message.accepted.phone_number_id
    }

    /// The app that the token of its number is of, as far as that is known.
    pub(super) fn app(&self) -> Option<&AppId> {
        self.tenant.number(Some(self.number()))?.token_app()
    }
}

/// All that a call needs. Its parts are given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) host: HostPass,
    _in_flight: InFlight,
}

/// The verdict on one candidate.
pub(super) enum Verdict {
    /// It may be sent; its place is held.
    Passed(Candidate, Place),
    /// It stays in memory until a place is free.
    Waits(Candidate),
    /// It may not go out now. The message holds the reason and must be saved.
    HeldBack(Candidate),
}

/// The first thing in the way of a candidate.
enum Obstacle {
    /// Nothing but the pace.
    None(Place, SlotAsk),
    /// No place is free; it may wait for one.
    Place,
    /// It waited too long for a place: it needs a later slot.
    Crowded(SlotAsk),
    /// Meta's host cannot be reached: it needs a slot after the next probe.
    Host(SlotAsk),
    /// Its account or its app has used up what Meta allows: it needs a slot after their rest.
    Allowance(SlotAsk),
    /// It waits for a time of its own, and needs no slot before.
    Until(Timestamp, &'static str),
    /// The message was changed, and must be saved.
    Held,
}

/// Decides which candidates may go out.
pub(super) struct Gate {
    pub(super) in_flight: InFlightLimits,
    pub(super) calls: CallLimits,
    pub(super) metrics: Arc<Metrics>,
    pub(super) holds: NumberHolds,
    pub(super) host: Host,
    pub(super) allowances: Arc<Allowances>,
    pub(super) pacer: Arc<dyn Pacer>,
    pub(super) window: Option<Duration>,
}

impl Gate {
    /// Returns one verdict for each candidate. If the pacer cannot be reached, nothing passes: the gate fails closed,
    /// and the timers bring the messages back.
    pub(super) async fn judge(&self, candidates: Vec<Candidate>, present: Present) -> Result<Vec<Verdict>, Failure> {
        let now = present.now;
        let mut judged = Vec::with_capacity(candidates.len());
        let tenants = candidates.iter().map(|candidate| &candidate.tenant);
        let allowances = self.calls.allow(&self.in_flight, tenants);
        let lined = pairs::numbers_with_lines(&*self.pacer, candidates.iter().map(Candidate::number).collect());
        let (allowances, lined) = futures_util::future::join(allowances, lined).await;
        let (mut allowances, lined) = (allowances?, lined?);
        for mut candidate in candidates {
            let obstacle = self.obstacle(&mut candidate, present, &mut allowances).await;
            judged.push((candidate, obstacle));
        }
        drop(allowances);
        self.let_pairs_wait(&mut judged, &lined, now).await?;
        let asks: Vec<SlotAsk> = judged
            .iter()
            .filter_map(|(_, obstacle)| obstacle.admission_ask())
            .collect();
        let admissions = self.pacer.admit(&asks).await?;
        self.keep_turns(&judged, &admissions, &lined, now).await;
        let mut admissions = admissions.into_iter();
        let asks: Vec<SlotAsk> = judged.iter().filter_map(|(_, obstacle)| obstacle.slot_ask()).collect();
        let mut slots = self.reserve(&asks).await.into_iter();
        let verdict = |(candidate, obstacle)| match obstacle {
            Obstacle::Held => Verdict::HeldBack(candidate),
            Obstacle::Place => Verdict::Waits(candidate),
            Obstacle::Crowded(_) => {
                // Without a slot from the pacer, it comes back after the fixed wait.
                let slot_at = slots.next().unwrap_or(now + PLACE_WAIT);
                self.postponed(candidate, present, slot_at, "calls_under_way")
            }
            Obstacle::Host(ask) => {
                let slot_at = slots.next().unwrap_or(ask.not_before);
                self.postponed(candidate, present, slot_at, HOST_UNREACHABLE)
            }
            Obstacle::Allowance(ask) => {
                let slot_at = slots.next().unwrap_or(ask.not_before);
                self.postponed(candidate, present, slot_at, ALLOWANCE)
            }
            Obstacle::Until(until, why) => self.postponed(candidate, present, until, why),
            Obstacle::None(place, _) => match admissions.next() {
                Some(Admission::Go) => Verdict::Passed(candidate, place),
                Some(Admission::Later(slot_at)) => self.postponed(candidate, present, slot_at, "pace"),
                None => self.postponed(candidate, present, now + PLACE_WAIT, "pace"),
            },
        };
        Ok(judged.into_iter().map(verdict).collect())
    }

    /// Holds those back that are not the next to their person.
    async fn let_pairs_wait(
        &self,
        judged: &mut [(Candidate, Obstacle)],
        lined: &HashSet<PhoneNumberId>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        if lined.is_empty() {
            return Ok(());
        }
        let may_be_in_line = judged
            .iter()
            .filter(|(candidate, obstacle)| {
                matches!(obstacle, Obstacle::None(..)) && lined.contains(candidate.number())
            })
            .map(|(candidate, _)| &candidate.message);
        let waiting = pairs::who_waits(&*self.pacer, may_be_in_line, now).await?;
        for (candidate, obstacle) in judged {
            if matches!(obstacle, Obstacle::None(..))
                && let Some(until) = waiting.get(&candidate.message.accepted.id)
            {
                *obstacle = Obstacle::Until(*until, PAIR_PACE);
            }
        }
        Ok(())
    }

    /// A message whose turn it was, and that the pace of its number turned away, is still the next to its person.
    async fn keep_turns(
        &self,
        judged: &[(Candidate, Obstacle)],
        admissions: &[Admission],
        lined: &HashSet<PhoneNumberId>,
        now: Timestamp,
    ) {
        let asked = judged
            .iter()
            .filter(|(_, obstacle)| matches!(obstacle, Obstacle::None(..)));
        for ((candidate, _), admission) in asked.zip(admissions) {
            if let Admission::Later(until) = *admission
                && lined.contains(candidate.number())
            {
                pairs::put_back(&*self.pacer, &candidate.message, now, until).await;
            }
        }
    }

    async fn obstacle(&self, candidate: &mut Candidate, present: Present, allowances: &mut CallsAllowed) -> Obstacle {
        let now = present.now;
        let Candidate {
            message, tenant, since, ..
        } = candidate;
        let Some(number) = tenant.number(Some(&message.accepted.phone_number_id)) else {
            message.abandon(now, DeadReason::NumberRemoved);
            return Obstacle::Held;
        };
        if let Some(obstacle) = own_obstacle(message, tenant, present) {
            return obstacle;
        }
        let host = if number.simulated {
            Ok(self.host.bypass())
        } else {
            self.host.enter(now)
        };
        let rest = self
            .allowances
            .wait_of(&tenant.id, number)
            .filter(|_| !number.simulated);
        // A hold is not probed while the probe could not get anywhere.
        if let Some(hold) = tenant.hold_of(number)
            && (host.is_err() || rest.is_some() || !self.holds.may_probe(tenant, number, &hold, now).await)
        {
            message.hold(present, hold.reason);
            return Obstacle::Held;
        }
        let ask_at = |not_before| ask(number, message.accepted.priority, not_before);
        let host = match host {
            Ok(host) => host,
            Err(until) => return Obstacle::Host(ask_at(until)),
        };
        if let Some(rest) = rest {
            return Obstacle::Allowance(ask_at(now + rest));
        }
        let allowed = allowances.take(&tenant.id);
        let has_patience = now.since(*since) < PLACE_PATIENCE && allowed != Allowed::Later;
        let in_flight = match allowed {
            Allowed::Yes => self.in_flight.enter(&tenant.id, number),
            Allowed::Soon | Allowed::Later => None,
        };
        match in_flight {
            Some(in_flight) => Obstacle::None(
                Place {
                    host,
                    _in_flight: in_flight,
                },
                ask_at(now),
            ),
            None if has_patience => Obstacle::Place,
            None => {
                if allowed != Allowed::Yes {
                    self.metrics.refused.of(Limit::CallsUnderWay).inc();
                }
                Obstacle::Crowded(ask_at(now + PLACE_WAIT))
            }
        }
    }

    /// Reserves new slots for messages that found no place. While the Graph API is slow, one tenant's messages must not
    /// stand in the way of the others'. After an outage of it, they come at the pace of their number.
    async fn reserve(&self, asks: &[SlotAsk]) -> Vec<Timestamp> {
        if asks.is_empty() {
            return Vec::new();
        }
        self.pacer.reserve(asks).await.unwrap_or_default()
    }

    fn postponed(&self, mut candidate: Candidate, present: Present, slot_at: Timestamp, why: &str) -> Verdict {
        candidate.message.postpone(present, slot_at, why, self.window);
        Verdict::HeldBack(candidate)
    }
}

/// What of its own is in the way of a message: its date is over, or its tenant wants it to rest.
fn own_obstacle(message: &mut Message, tenant: &Tenant, present: Present) -> Option<Obstacle> {
    if message.delivery.has_expired(present) {
        message.expire(present.now);
        return Some(Obstacle::Held);
    }
    let accepted = &message.accepted;
    let hours = tenant.rules.quiet_hours.as_ref()?;
    let until = hours.hold_back(accepted.terms.marketing, accepted.priority, present.wall)?;
    Some(Obstacle::Until(present.when(until), QUIET_HOURS))
}

impl Obstacle {
    /// The request to the pacer to go now.
    fn admission_ask(&self) -> Option<SlotAsk> {
        match self {
            Self::None(_, ask) => Some(ask.clone()),
            Self::Place | Self::Crowded(_) | Self::Host(_) | Self::Allowance(_) | Self::Until(..) | Self::Held => None,
        }
    }

    /// The request to the pacer for a later slot.
    fn slot_ask(&self) -> Option<SlotAsk> {
        match self {
            Self::Crowded(ask) | Self::Host(ask) | Self::Allowance(ask) => Some(ask.clone()),
            Self::None(..) | Self::Place | Self::Until(..) | Self::Held => None,
        }
    }
}
