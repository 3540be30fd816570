//! Numbers of a tenant in their list, with what is known of Meta's allowances.

use dakghar_core::app::{Allowances, KnownAllowance};
use dakghar_core::domain::allowance::Usage;
use dakghar_core::domain::{Tenant, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::tenant::PhoneNumberView;

/// A number of a tenant, with the use of Meta's allowances for calls, as far as the process that answers has heard of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListedPhoneNumber)]
pub(in crate::http) struct ListedNumberView {
    #[serde(flatten)]
    number: PhoneNumberView,
    /// The use of its account's allowance, for all numbers of the account together; `null` while nothing is known.
    account_usage: Option<AllowanceUsageView>,
    /// The same of the app that its token is of, for all its accounts.
    app_usage: Option<AllowanceUsageView>,
}

impl ListedNumberView {
    /// The numbers of a tenant, the default one first.
    pub(in crate::http) fn all_of(tenant: &Tenant, allowances: &Allowances) -> Vec<Self> {
        let listed = |(number, view)| {
            let known = allowances.of(&tenant.id, number);
            Self {
                number: view,
                account_usage: known.account.as_ref().map(AllowanceUsageView::from),
                app_usage: known.app.as_ref().map(AllowanceUsageView::from),
            }
        };
        let views = PhoneNumberView::all_of(tenant);
        tenant.phone_numbers.iter().zip(views).map(listed).collect()
    }
}

/// The use of one of Meta's allowances. Shares are in percent of what is allowed, and above 100 when too much was used; they are
/// `null` when Meta named none within the last hour.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AllowanceUsage)]
pub(in crate::http) struct AllowanceUsageView {
    /// The share of calls.
    #[schema(minimum = 0, maximum = 1_000, example = 28)]
    calls_percent: Option<u32>,
    /// The share of processor time.
    #[schema(minimum = 0, maximum = 1_000, example = 3)]
    cpu_time_percent: Option<u32>,
    /// The share of time.
    #[schema(minimum = 0, maximum = 1_000, example = 5)]
    time_percent: Option<u32>,
    /// When Meta named them.
    #[schema(format = DateTime)]
    told_at: Option<String>,
    /// Until when no message is sent for it, because it is used up, or nearly; `null` while messages are sent.
    #[schema(format = DateTime)]
    held_until: Option<String>,
}

impl From<&KnownAllowance> for AllowanceUsageView {
    fn from(known: &KnownAllowance) -> Self {
        let share = |of: fn(&Usage) -> u32| known.usage.as_ref().map(|(usage, _)| of(usage));
        Self {
            calls_percent: share(|usage| usage.calls),
            cpu_time_percent: share(|usage| usage.cpu_time),
            time_percent: share(|usage| usage.time),
            told_at: known.usage.as_ref().map(|(_, told_at)| told_at.to_string()),
            held_until: known.held_until.as_ref().map(Timestamp::to_string),
        }
    }
}
