//! The rests of accounts and apps whose allowance at Meta is used up, or nearly.
//!
//! Each process keeps its own: what one learns from Meta's answers, the others learn from theirs, with one refusal each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::allowance::AllowancesUsed;
use crate::domain::graph_error;
use crate::domain::message::SendOutcome;
use crate::domain::{AppId, PhoneNumber, RefusalClass, WabaId};
use crate::metrics::{AllowanceOf, Metrics};
use crate::ports::Clock;

/// Accounts and apps that rest at a time; those beyond them are only slowed down by their numbers.
const RESTS_MAX: usize = 10_000;
/// The rest after the first refusal, doubled with each further one in a row.
const REST_FIRST: Duration = Duration::from_secs(2);
/// The longest rest that refusals cause by themselves.
const REST_LONGEST: Duration = Duration::from_secs(60);

/// Whoever has an allowance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Spender {
    Account(WabaId),
    App(AppId),
}

#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    /// By the machine's uptime.
    until: Duration,
    /// Refusals in a row.
    refusals: u32,
}

/// Who rests, and for how long.
pub(super) struct Allowances {
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    rests: Mutex<HashMap<Spender, Rest>>,
}

impl Allowances {
    pub(super) fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self {
            clock,
            metrics,
            rests: Mutex::default(),
        }
    }

    /// Returns how long the number must still wait for its account or its app.
    pub(super) fn wait_of(&self, number: &PhoneNumber, app: Option<&AppId>) -> Option<Duration> {
        let rests = self.rests.lock();
        if rests.is_empty() {
            return None;
        }
        let now = self.clock.uptime();
        let spenders = spenders(number, app);
        let until = spenders
            .iter()
            .filter_map(|spender| rests.get(spender))
            .map(|rest| rest.until);
        until
            .max()
            .and_then(|until| until.checked_sub(now))
            .filter(|wait| !wait.is_zero())
    }

    /// Notes the end of a call for this number.
    pub(super) fn note(&self, number: &PhoneNumber, app: Option<&AppId>, outcome: &SendOutcome, used: AllowancesUsed) {
        let now = self.clock.uptime();
        let mut rests = self.rests.lock();
        match outcome {
            SendOutcome::Refused(refusal) => {
                let account = || number.waba_id.clone().map(Spender::Account);
                let spender = match graph_error::classify(refusal).class {
                    RefusalClass::PaceAccount => account(),
                    RefusalClass::PaceApp => app.cloned().map(Spender::App),
                    _ => None,
                };
                if let Some(rest) = spender.and_then(|spender| place(&mut rests, spender, now)) {
                    let longer = REST_FIRST.saturating_mul(1 << rest.refusals.min(10)).min(REST_LONGEST);
                    rest.refusals += 1;
                    rest.until = rest
                        .until
                        .max(now + refusal.retry_after.unwrap_or_default().max(longer));
                }
            }
            SendOutcome::Accepted { .. } if !rests.is_empty() => {
                for spender in spenders(number, app) {
                    if rests.get(&spender).is_some_and(|rest| rest.until <= now) {
                        rests.remove(&spender);
                    }
                }
            }
            _ => {}
        }
        let accounts = used
            .accounts
            .into_iter()
            .map(|(account, usage)| (Spender::Account(account), usage));
        let of_app = used
            .app
            .zip(app.cloned())
            .map(|(usage, app)| (Spender::App(app), usage));
        for (spender, usage) in accounts.chain(of_app) {
            let of = match spender {
                Spender::Account(_) => AllowanceOf::Account,
                Spender::App(_) => AllowanceOf::App,
            };
            self.metrics.allowance_used.of(of).set(i64::from(usage.percent));
            let Some(wait) = usage.rest() else { continue };
            if let Some(rest) = place(&mut rests, spender, now) {
                rest.until = rest.until.max(now + wait);
            }
        }
    }
}

fn spenders(number: &PhoneNumber, app: Option<&AppId>) -> Vec<Spender> {
    let account = number.waba_id.clone().map(Spender::Account);
    account.into_iter().chain(app.cloned().map(Spender::App)).collect()
}

fn place(rests: &mut HashMap<Spender, Rest>, spender: Spender, now: Duration) -> Option<&mut Rest> {
    if rests.len() >= RESTS_MAX && !rests.contains_key(&spender) {
        rests.retain(|_, rest| rest.until > now);
        if rests.len() >= RESTS_MAX {
            return None;
        }
    }
    Some(rests.entry(spender).or_default())
}
