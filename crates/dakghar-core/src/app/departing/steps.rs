//! The steps of a departure, but for those of Meta.

use std::time::Duration;

use futures_util::future::join_all;

use super::Departing;
use super::taken::{Halt, Taken};
use crate::app::failure::Failure;
use crate::app::messages::{Change, Start};
use crate::domain::audit::Principal;
use crate::domain::departure::{
    Departure, DepartureReason, DepartureStep, ON_THE_WAY_FOR, QueuedWish, StepRecord, StepState, StepTrouble,
};
use crate::domain::message::Message;
use crate::domain::page::{MessageQuery, PageLimit};
use crate::domain::{ErrorCode, MessageKey, PhoneNumberId, Status, Tenant, Timestamp};

/// The wait between two looks at messages that are not settled.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Messages that are cancelled in one step.
const CANCELLED_AT_ONCE: u32 = 500;
/// Of these, so many at the same time: they share commits.
const CHANGED_AT_ONCE: usize = 64;
/// Statuses of messages that are not settled, those first that can be cancelled.
const UNSETTLED: [Status; 4] = [Status::Queued, Status::Held, Status::Sending, Status::InDoubt];
const CANCELLABLE: usize = 2;

impl Departing {
    /// Takes the step that the departure is at.
    pub(super) async fn take(&self, departure: &mut Departure) -> Result<Taken, Halt> {
        let Some(StepRecord { step, about, .. }) = departure.current().cloned() else {
            return Ok(Taken::End(StepState::Done, None));
        };
        let found = self.tenant_store.find(&departure.tenant_id).await?;
        let tenant = match found {
            Some(tenant) if tenant.removed_at.is_none() => tenant,
            _ if step == DepartureStep::Remove && departure.numbers.is_none() => {
                return self.erase_rest(departure).await;
            }
            _ => return Ok(Taken::skipped("the tenant is removed")),
        };
        let about = about.as_deref().unwrap_or_default();
        match step {
            DepartureStep::Accept => self.stop_accepting(departure).await,
            DepartureStep::Queued => self.settle_queued(departure).await,
            DepartureStep::Override | DepartureStep::Unsubscribe => {
                self.leave_account(departure, step, &tenant, about).await
            }
            DepartureStep::Deregister => self.deregister(departure, &tenant, about).await,
            DepartureStep::Revoke => self.revoke(departure, &tenant, about).await,
            DepartureStep::Export => Self::look_for_export(departure),
            DepartureStep::Remove => self.remove(departure, &tenant).await,
        }
    }

    /// Marks the tenant, and waits until no process remembers it as one that stays.
    async fn stop_accepting(&self, departure: &Departure) -> Result<Taken, Halt> {
        let id = &departure.tenant_id;
        let tenant = self.tenants.begin_leaving(id, &departure.leaving()).await?;
        let passed = self.clock.now().since(tenant.updated_at);
        let left = self.tenants.forgotten_after().saturating_sub(passed);
        if left.is_zero() {
            return Ok(Taken::done(None));
        }
        Ok(Taken::More(DepartureReason::Settling, left))
    }

    /// Waits until what was accepted is sent, or cancels it; and waits for what is on its way.
    async fn settle_queued(&self, departure: &mut Departure) -> Result<Taken, Halt> {
        let now = self.clock.now();
        let sends_until = departure.sends_until();
        let is_over = now >= sends_until;
        if is_over {
            let cancelled = self.cancel_some(departure).await?;
            departure.cancelled += cancelled;
            if cancelled > 0 {
                return Ok(Taken::More(DepartureReason::MessagesWaiting, Duration::ZERO));
            }
        }
        if !self.has_unsettled(departure).await? {
            let note = (departure.cancelled > 0).then(|| format!("{} messages were cancelled", departure.cancelled));
            return Ok(Taken::done(note.as_deref()));
        }
        // Asked for as cancelled, it began when accepting ended.
        let began = match departure.queued {
            QueuedWish::Send { .. } => sends_until,
            QueuedWish::Cancel => accepted_until(departure),
        };
        if is_over && now.since(began) >= ON_THE_WAY_FOR {
            let note =
                "messages are on their way to Meta, or nobody knows whether they arrived; they were not waited for";
            return Ok(Taken::done(Some(note)));
        }
        Ok(Taken::More(DepartureReason::MessagesWaiting, LOOK_EVERY))
    }

    /// Cancels some of the messages that no call can have delivered. Returns how many.
    async fn cancel_some(&self, departure: &Departure) -> Result<u64, Halt> {
        let mut cancelled = 0;
        for query in queries(
            departure,
            &UNSETTLED[..CANCELLABLE],
            PageLimit::items(CANCELLED_AT_ONCE),
        ) {
            let found = self.lists.messages(&departure.tenant_id, &query).await?.items;
            for some in found.chunks(CHANGED_AT_ONCE) {
                for changed in join_all(some.iter().map(|message| self.cancel_one(message))).await {
                    cancelled += u64::from(changed?);
                }
            }
            if cancelled > 0 {
                return Ok(cancelled);
            }
        }
        Ok(cancelled)
    }

    async fn cancel_one(&self, message: &Message) -> Result<bool, Failure> {
        let key: MessageKey = message.key();
        let change = self
            .changing
            .messages
            .cancel(Start::Unread(key), self.clock.now())
            .await?;
        Ok(matches!(change, Change::Saved(_)))
    }

    async fn has_unsettled(&self, departure: &Departure) -> Result<bool, Halt> {
        if departure.numbers.is_none() {
            let counted = self.lists.count_unsettled(&[(departure.tenant_id, 1)]).await?;
            return Ok(counted.first().is_some_and(|count| *count > 0));
        }
        for query in queries(departure, &UNSETTLED, PageLimit::items(1)) {
            let found = self.lists.messages(&departure.tenant_id, &query).await?;
            if !found.items.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// It stops until somebody has fetched the export, which lets it go on.
    fn look_for_export(departure: &Departure) -> Result<Taken, Halt> {
        match departure.exported_at {
            Some(at) => Ok(Taken::done(Some(&format!("it was fetched at {at}")))),
            None => Err(Halt::stop(DepartureReason::ExportNotFetched)),
        }
    }

    async fn remove(&self, departure: &mut Departure, tenant: &Tenant) -> Result<Taken, Halt> {
        self.note_change(departure).await?;
        let by = Principal::only(departure.asked_by);
        let Some(numbers) = departure.numbers.clone() else {
            self.tenants.begin_removal(&tenant.id, &by).await?;
            return Ok(Taken::More(DepartureReason::Erasing, Duration::ZERO));
        };
        for number in &numbers {
            match self.tenants.remove_phone_number(&tenant.id, number.as_str(), &by).await {
                Ok(_) => {}
                Err(Failure::Refused(problem)) if problem.code == ErrorCode::PhoneNumberNotFound => {}
                Err(Failure::Refused(problem)) if problem.code == ErrorCode::LastPhoneNumber => {
                    return Err(Halt::stop(DepartureReason::LastNumber));
                }
                Err(Failure::Refused(problem)) => {
                    let trouble = StepTrouble::new(DepartureReason::Internal, Some(&problem.detail));
                    return Err(Halt::of(trouble, None));
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        self.tenants.stay(&tenant.id, &departure.leaving()).await?;
        Ok(Taken::done(None))
    }

    /// Erases a portion of what a removed tenant has; at last itself, and what was written meanwhile by who remembered it.
    async fn erase_rest(&self, departure: &Departure) -> Result<Taken, Halt> {
        let id = &departure.tenant_id;
        if self.tenants.erase_portion(id).await? > 0 {
            return Ok(Taken::More(DepartureReason::Erasing, Duration::ZERO));
        }
        if self.tenant_store.find(id).await?.is_some() {
            self.tenants.erase_itself(id).await?;
            return Ok(Taken::More(DepartureReason::Settling, self.tenants.forgotten_after()));
        }
        Ok(Taken::done(None))
    }
}

/// When accepting ended.
fn accepted_until(departure: &Departure) -> Timestamp {
    let first = departure
        .steps
        .iter()
        .find(|record| record.step == DepartureStep::Accept);
    first.and_then(|record| record.at).unwrap_or(departure.created_at)
}

/// One query for each status and each number that leaves.
fn queries(departure: &Departure, statuses: &[Status], limit: PageLimit) -> Vec<MessageQuery> {
    let numbers: Vec<Option<PhoneNumberId>> = match &departure.numbers {
        None => vec![None],
        Some(numbers) => numbers.iter().cloned().map(Some).collect(),
    };
    let of = |number: &Option<PhoneNumberId>, status: Status| MessageQuery {
        status: Some(status),
        phone_number_id: number.clone(),
        limit,
        ..MessageQuery::default()
    };
    let each = statuses.iter();
    each.flat_map(|status| numbers.iter().map(move |number| of(number, *status)))
        .collect()
}
