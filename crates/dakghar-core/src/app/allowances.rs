//! What is known of Meta's allowances of accounts and apps, and who rests because one is used up, or nearly.
//!
//! Each process keeps its own: what one learns from Meta's answers, the others learn from theirs, with one refusal each.
//! It is apart from the pace of numbers: a number whose account rests goes on afterwards with the share of its level that
//! it had.

mod spender;
mod table;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::allowance::{AllowancesUsed, Usage};
use crate::domain::graph_error::GraphRefusal;
use crate::domain::message::SendOutcome;
use crate::domain::{PhoneNumber, TenantId, Timestamp};
use crate::metrics::{AllowanceOf, Metrics};
use crate::ports::Clock;
use spender::{Spender, Spenders};
use table::Table;

/// The end of a call to Meta, as far as it says something of allowances.
#[derive(Clone, Copy, Debug)]
pub(in crate::app) enum CallResult<'a> {
    /// Meta took a message.
    Taken,
    /// Meta refused a message.
    Refused(&'a GraphRefusal),
    /// Meta refused something else, which may have an allowance of its own.
    OtherRefused(&'a GraphRefusal),
    /// Nothing of that.
    Other,
}

impl<'a> From<&'a SendOutcome> for CallResult<'a> {
    fn from(outcome: &'a SendOutcome) -> Self {
        match outcome {
            SendOutcome::Accepted { .. } => Self::Taken,
            SendOutcome::Refused(refusal) => Self::Refused(refusal),
            SendOutcome::TurnedAway { .. } | SendOutcome::Unknown { .. } | SendOutcome::NotSent { .. } => Self::Other,
        }
    }
}

impl<'a> CallResult<'a> {
    /// The end of a call that sends no message.
    pub(in crate::app) fn of_other(refusal: Option<&'a GraphRefusal>) -> Self {
        refusal.map_or(Self::Other, Self::OtherRefused)
    }
}

/// What this process knows of one allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAllowance {
    /// Meta's last word on its use within the hour, and when it came.
    pub usage: Option<(Usage, Timestamp)>,
    /// The date until which no message spends it.
    pub held_until: Option<Timestamp>,
}

/// The same of the allowances of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownAllowances {
    /// That of its account.
    pub account: Option<KnownAllowance>,
    /// That of the app that its token is of.
    pub app: Option<KnownAllowance>,
}

/// How much is used, and who rests for how long.
pub struct Allowances {
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    table: Mutex<Table>,
}

impl Allowances {
    pub(in crate::app) fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self {
            clock,
            metrics,
            table: Mutex::default(),
        }
    }

    /// Returns how long the number must still wait for its account or its app.
    pub(in crate::app) fn wait_of(&self, tenant: &TenantId, number: &PhoneNumber) -> Option<Duration> {
        let table = self.table.lock();
        if table.is_empty() {
            return None;
        }
        let Spenders { account, app } = Spenders::of(tenant, number);
        let now = self.clock.uptime();
        table.rest_of(&account, now).max(table.rest_of(&app, now))
    }

    /// Notes the end of a call for this number, and what its answer tells.
    pub(in crate::app) fn note(
        &self,
        tenant: &TenantId,
        number: &PhoneNumber,
        result: CallResult<'_>,
        used: &AllowancesUsed,
    ) {
        let spenders = Spenders::of(tenant, number);
        let told = spenders.told(used);
        let now = self.clock.uptime();
        let mut table = self.table.lock();
        match result {
            CallResult::Taken => {
                table.took(&spenders.account, now);
                table.took(&spenders.app, now);
            }
            CallResult::Refused(refusal) | CallResult::OtherRefused(refusal) => {
                let is_message = matches!(result, CallResult::Refused(_));
                if let Some(spender) = spenders.refused(refusal)
                    && (is_message || !table.takes_messages(spender, now))
                {
                    let begun = table.refuse(spender.clone(), refusal.retry_after.unwrap_or_default(), now);
                    self.count(spender.label(), begun);
                }
            }
            CallResult::Other => {}
        }
        // Behind the refusal: the time that Meta names stands in place of what the refusal made us guess.
        for (spender, usage) in told {
            let of = spender.label();
            self.metrics.allowance_used.of(of).set(i64::from(usage.percent()));
            self.count(of, table.tell(spender, usage, now));
        }
    }

    /// Counts a rest that began.
    fn count(&self, of: AllowanceOf, begun: bool) {
        if begun {
            self.metrics.allowance_rests.of(of).inc();
        }
    }

    /// Returns what is known of the allowances of a number.
    pub fn of(&self, tenant: &TenantId, number: &PhoneNumber) -> KnownAllowances {
        let Spenders { account, app } = Spenders::of(tenant, number);
        let (now, wall) = (self.clock.uptime(), self.clock.wall());
        let table = self.table.lock();
        let known = |spender: &Spender| {
            let usage = table.usage_of(spender, now);
            let held_until = table.rest_of(spender, now).map(|rest| wall + rest);
            let usage = usage.map(|(usage, age)| (usage, wall - age));
            (usage.is_some() || held_until.is_some()).then_some(KnownAllowance { usage, held_until })
        };
        KnownAllowances {
            account: known(&account),
            app: known(&app),
        }
    }

    /// Returns Meta's last words on the allowances of a number, as an answer of this moment would have them.
    pub fn last_told(&self, tenant: &TenantId, number: &PhoneNumber) -> AllowancesUsed {
        let KnownAllowances { account, app } = self.of(tenant, number);
        let usage = |known: Option<KnownAllowance>| Some(known?.usage?.0);
        AllowancesUsed {
            accounts: number.waba_id.clone().zip(usage(account)).into_iter().collect(),
            app: usage(app),
        }
    }
}

#[cfg(test)]
mod tests;
