//! The steps of a departure, laid out when it is asked for.

use std::collections::BTreeSet;

use super::step::{DepartureStep, StepRecord};
use super::{Departure, DepartureState, QueuedWish};
use crate::domain::audit::Who;
use crate::domain::ids::{DepartureId, PhoneNumberId, TenantId, WabaId};
use crate::domain::time::Timestamp;

/// A number that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepartingNumber {
    /// Meta's id of it.
    pub id: PhoneNumberId,
    /// Its account, if that is known.
    pub waba_id: Option<WabaId>,
    /// True if nothing of it is at Meta.
    pub simulated: bool,
}

/// The wishes of whoever asks for a departure.
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepartureWishes<'a> {
    /// The end of messages that were accepted before.
    pub queued: QueuedWish,
    /// True if numbers are deregistered.
    pub deregister: bool,
    /// True if access tokens are revoked.
    pub revoke: bool,
    /// True if nobody needs the export.
    pub skip_export: bool,
    /// True if the tenant stays with its data, and only does not send or receive any more.
    pub keep_data: bool,
    /// The steps of Meta's without which it does not go on.
    pub required: &'a [DepartureStep],
}

/// A new departure.
#[derive(Clone, Debug)]
pub struct NewDeparture<'a> {
    /// Its id.
    pub id: DepartureId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// As whom somebody asked for it.
    pub asked_by: Who,
    /// The numbers that leave.
    pub numbers: &'a [DepartingNumber],
    /// True if the tenant leaves as a whole.
    pub is_whole: bool,
    /// The wishes.
    pub wishes: DepartureWishes<'a>,
}

impl Departure {
    /// Makes a departure that has done nothing.
    pub fn new(new: &NewDeparture<'_>, now: Timestamp) -> Self {
        Self {
            id: new.id,
            tenant_id: new.tenant_id,
            asked_by: new.asked_by,
            numbers: (!new.is_whole).then(|| new.numbers.iter().map(|number| number.id.clone()).collect()),
            queued: new.wishes.queued,
            state: DepartureState::Running,
            steps: plan(new, now),
            changed_at: None,
            cancelled: 0,
            exported_at: None,
            next_at: None,
            lease: None,
            created_at: now,
            updated_at: now,
            ended_at: None,
            version: 0,
        }
    }
}

fn plan(new: &NewDeparture<'_>, now: Timestamp) -> Vec<StepRecord> {
    let mut steps = vec![
        StepRecord::pending(DepartureStep::Accept, None, true),
        StepRecord::pending(DepartureStep::Queued, None, true),
    ];
    steps.extend(of_accounts(new, now));
    steps.extend(of_numbers(new, now));
    steps.push(export(new, now));
    steps.push(removal(new, now));
    steps
}

/// The override is released before the app is unsubscribed: releasing it is a subscription without one.
fn of_accounts(new: &NewDeparture<'_>, now: Timestamp) -> Vec<StepRecord> {
    let real = new.numbers.iter().filter(|number| !number.simulated);
    // In the order of their ids, each once.
    let accounts: BTreeSet<&str> = real
        .clone()
        .filter_map(|number| number.waba_id.as_ref())
        .map(WabaId::as_str)
        .collect();
    let has_unknown = real.clone().any(|number| number.waba_id.is_none());
    let mut steps = Vec::new();
    for step in [DepartureStep::Override, DepartureStep::Unsubscribe] {
        let is_required = new.wishes.required.contains(&step);
        let each = accounts.iter();
        steps.extend(each.map(|account| StepRecord::pending(step, Some(*account), is_required)));
        if has_unknown {
            steps.push(StepRecord::left_out(step, "the account of a number is not known", now));
        } else if accounts.is_empty() {
            steps.push(StepRecord::left_out(step, "no number is at Meta", now));
        }
    }
    steps
}

fn of_numbers(new: &NewDeparture<'_>, now: Timestamp) -> Vec<StepRecord> {
    let mut steps = Vec::new();
    for (step, is_wished) in [
        (DepartureStep::Deregister, new.wishes.deregister),
        (DepartureStep::Revoke, new.wishes.revoke),
    ] {
        let is_required = new.wishes.required.contains(&step);
        let real: Vec<_> = new.numbers.iter().filter(|number| !number.simulated).collect();
        if !is_wished {
            steps.push(StepRecord::left_out(step, "not wished for", now));
        } else if real.is_empty() {
            steps.push(StepRecord::left_out(step, "no number is at Meta", now));
        } else {
            let each = real.iter();
            steps.extend(each.map(|number| StepRecord::pending(step, Some(number.id.as_str()), is_required)));
        }
    }
    steps
}

fn export(new: &NewDeparture<'_>, now: Timestamp) -> StepRecord {
    let why = if !new.is_whole || new.wishes.keep_data {
        "the tenant stays with its data"
    } else if new.wishes.skip_export {
        "not wished for"
    } else {
        return StepRecord::pending(DepartureStep::Export, None, true);
    };
    StepRecord::left_out(DepartureStep::Export, why, now)
}

fn removal(new: &NewDeparture<'_>, now: Timestamp) -> StepRecord {
    if new.wishes.keep_data {
        return StepRecord::left_out(DepartureStep::Remove, "its data is kept by request", now);
    }
    StepRecord::pending(DepartureStep::Remove, None, true)
}
