//! Whose an allowance is.

use crate::domain::allowance::{AllowancesUsed, Usage};
use crate::domain::graph_error::{self, GraphRefusal};
use crate::domain::{AppId, PhoneNumber, PhoneNumberId, RefusalClass, TenantId, WabaId};
use crate::metrics::AllowanceOf;

/// Whoever has an allowance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Spender {
    Account(WabaId),
    App(AppId),
    /// The account of a number of which no account is known. Two such numbers may be of two accounts.
    AccountOf(PhoneNumberId),
    /// The app of those tokens of a tenant of which no app is known. They are mostly of one, and nobody else's.
    AppOf(TenantId),
}

impl Spender {
    pub(super) const fn label(&self) -> AllowanceOf {
        match self {
            Self::Account(_) | Self::AccountOf(_) => AllowanceOf::Account,
            Self::App(_) | Self::AppOf(_) => AllowanceOf::App,
        }
    }
}

/// The two that a call for a number spends of.
pub(super) struct Spenders {
    pub(super) account: Spender,
    pub(super) app: Spender,
}

impl Spenders {
    pub(super) fn of(tenant: &TenantId, number: &PhoneNumber) -> Self {
        let account = number.waba_id.clone();
        let app = number.token_app().cloned();
        Self {
            account: account.map_or_else(|| Spender::AccountOf(number.phone_number_id.clone()), Spender::Account),
            app: app.map_or(Spender::AppOf(*tenant), Spender::App),
        }
    }

    /// Those of whose use an answer tells.
    pub(super) fn told(&self, used: &AllowancesUsed) -> Vec<(Spender, Usage)> {
        let accounts = used.accounts.iter();
        let mut told: Vec<_> = accounts
            .map(|(account, usage)| (Spender::Account(account.clone()), *usage))
            .collect();
        // The only account that an answer names is that of its number.
        if let (Spender::AccountOf(_), [(_, usage)]) = (&self.account, used.accounts.as_slice()) {
            told.push((self.account.clone(), *usage));
        }
        told.extend(used.app.map(|usage| (self.app.clone(), usage)));
        told
    }

    /// The one whose allowance Meta says is used up.
    pub(super) fn refused(&self, refusal: &GraphRefusal) -> Option<&Spender> {
        match graph_error::classify(refusal).class {
            RefusalClass::PaceAccount => Some(&self.account),
            RefusalClass::PaceApp => Some(&self.app),
            _ => None,
        }
    }
}
