//! The work on departures.

use std::time::Duration;

use futures_util::future::join_all;

use super::Departing;
use super::taken::{Halt, Taken};
use crate::app::failure::Failure;
use crate::app::sending::Outages;
use crate::domain::Timestamp;
use crate::domain::departure::{Departure, DepartureReason, DepartureState, StepState, StepTrouble};
use crate::metrics::DepartureStepEnd;

/// The wait between two looks when there is nothing to do.
const IDLE_WAIT: Duration = Duration::from_millis(500);
/// Departures that are looked at in one round, those that are due longest.
const DUE_MAX: u32 = 64;
/// Departures that a round carries on at the same time.
const AT_ONCE: usize = 16;

impl Departing {
    /// Takes the steps of every departure that is due. Several rounds may go on at a time. Returns how long to wait until the next round.
    pub async fn work(&self) -> Result<Duration, Failure> {
        let now = self.clock.now();
        let due = self.store.due_departures(now, DUE_MAX).await?;
        let own = due
            .into_iter()
            .filter(|departure| !self.is_elsewhere(departure, now))
            .filter_map(|departure| Some((self.under_way.begin(departure.id)?, departure)));
        let steps = own.take(AT_ONCE).map(|(turn, departure)| async move {
            let _turn = turn;
            self.carry_on(departure).await
        });
        let steps = join_all(steps).await;
        let mut has_moved = false;
        for step in steps {
            has_moved |= step?;
        }
        Ok(if has_moved { Duration::ZERO } else { IDLE_WAIT })
    }

    /// The outages that sending waits for.
    pub const fn outages(&self) -> &Outages {
        &self.outages
    }

    /// True if another process is at work on it. Where only one sends, others have died.
    fn is_elsewhere(&self, departure: &Departure, now: Timestamp) -> bool {
        !self.is_sole_sender && departure.is_held_by_other(&self.process, now)
    }

    /// Takes the steps of a departure, one after the other, as long as nothing is to be waited for. Returns true if one is
    /// saved.
    async fn carry_on(&self, mut departure: Departure) -> Result<bool, Failure> {
        departure.next_at = None;
        departure.keep_for(&self.process, self.clock.now());
        // It may have changed since it was read.
        let mut has_moved = false;
        let mut is_saved = self.save(&mut departure).await?;
        while is_saved && departure.lease.is_some() {
            is_saved = self.step(&mut departure).await?;
            has_moved |= is_saved;
        }
        Ok(has_moved)
    }

    /// Takes the next step of a departure. Returns true if that is saved.
    async fn step(&self, departure: &mut Departure) -> Result<bool, Failure> {
        if departure.state == DepartureState::Cancelling {
            return self.call_off(departure).await;
        }
        let before = departure.clone();
        let taken = self.take(departure).await;
        let now = self.clock.now();
        let end = match taken {
            Ok(Taken::End(state, note)) => {
                departure.pass(state, note, now);
                match state {
                    StepState::Skipped => DepartureStepEnd::Skipped,
                    _ => DepartureStepEnd::Done,
                }
            }
            Ok(Taken::More(reason, wait)) => {
                departure.again(reason, wait, now);
                DepartureStepEnd::Waits
            }
            Err(Halt::Stale) => return Ok(false),
            Err(Halt::Failure(failure)) if failure.is_retryable() => return Err(failure),
            Err(Halt::Failure(failure)) => {
                let trouble = StepTrouble::new(DepartureReason::Internal, Some(&failure.to_string()));
                fail(departure, trouble, None, now)
            }
            Err(Halt::Trouble(trouble, wait)) => fail(departure, *trouble, wait, now),
        };
        departure.keep_for(&self.process, now);
        let is_saved = self.save(departure).await?;
        if is_saved {
            self.metrics.departure_steps.of(end).inc();
            self.tell(&before, departure, end);
        }
        Ok(is_saved)
    }

    /// The tenant stays, and then the departure is over.
    async fn call_off(&self, departure: &mut Departure) -> Result<bool, Failure> {
        self.tenants.stay(&departure.tenant_id, &departure.leaving()).await?;
        departure.end_cancelled(self.clock.now());
        let is_saved = self.save(departure).await?;
        if is_saved {
            let (departure_id, tenant_id) = (departure.id, departure.tenant_id);
            tracing::info!(%departure_id, %tenant_id, "a departure was called off, and the tenant stays");
        }
        Ok(is_saved)
    }

    fn tell(&self, before: &Departure, departure: &Departure, end: DepartureStepEnd) {
        let (departure_id, tenant_id) = (departure.id, departure.tenant_id);
        let step = before.current().map(|record| record.step.as_str());
        let about = before.current().and_then(|record| record.about.clone());
        let place = before
            .steps
            .iter()
            .position(|record| record.state == StepState::Pending);
        let record = place.and_then(|place| departure.steps.get(place));
        let reason = record.and_then(|record| record.reason).map(DepartureReason::as_str);
        let code = record.and_then(|record| record.error.as_ref()?.code);
        let about = about.as_deref();
        match end {
            DepartureStepEnd::Stopped => {
                tracing::warn!(%departure_id, %tenant_id, step, about, reason, code, "a departure has stopped");
            }
            DepartureStepEnd::Failed => {
                tracing::warn!(%departure_id, %tenant_id, step, about, reason, code, "a departure goes on without a step");
            }
            _ => {
                tracing::debug!(%departure_id, %tenant_id, step, about, reason, code, "a step of a departure was taken");
            }
        }
        if departure.state == DepartureState::Done {
            self.metrics.departures_done.inc();
            tracing::info!(%departure_id, %tenant_id, "a departure is done");
        }
    }
}

fn fail(departure: &mut Departure, trouble: StepTrouble, wait: Option<Duration>, now: Timestamp) -> DepartureStepEnd {
    departure.fail(trouble, wait, now);
    match departure.state {
        DepartureState::Stopped => DepartureStepEnd::Stopped,
        _ if departure.next_at.is_some() => DepartureStepEnd::Waits,
        _ => DepartureStepEnd::Failed,
    }
}
