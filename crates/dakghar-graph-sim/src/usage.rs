//! Meta's allowances for calls, as they are played here: headers that tell how much is used, and refusals when it is used up.
//!
//! Nothing is counted: whoever plays Meta's part says how much is used.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::graph::error::GraphError;

const OF_ACCOUNTS: HeaderName = HeaderName::from_static("x-business-use-case-usage");
const OF_APP: HeaderName = HeaderName::from_static("x-app-usage");

/// The use of one allowance, in percent of what is allowed. From 100 on calls are refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shares {
    /// Of calls.
    pub call_count: u32,
    /// Of processor time.
    pub total_cputime: u32,
    /// Of time.
    pub total_time: u32,
    /// Minutes until calls are taken again. Told of accounts only.
    pub estimated_time_to_regain_access: u32,
}

impl Shares {
    fn are_used_up(&self) -> bool {
        [self.call_count, self.total_cputime, self.total_time]
            .into_iter()
            .any(|share| share >= 100)
    }

    fn of_account(&self) -> Value {
        json!([{"type": "whatsapp", "call_count": self.call_count, "total_cputime": self.total_cputime,
            "total_time": self.total_time, "estimated_time_to_regain_access": self.estimated_time_to_regain_access}])
    }

    fn of_app(&self) -> Value {
        json!({"call_count": self.call_count, "total_cputime": self.total_cputime, "total_time": self.total_time})
    }
}

/// The allowances that answers tell of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Those of accounts, by their ids.
    pub accounts: BTreeMap<String, Shares>,
    /// That of the app.
    pub app: Option<Shares>,
}

#[derive(Debug, Default)]
pub(crate) struct Allowances(RwLock<Usage>);

impl Allowances {
    pub(crate) fn usage(&self) -> Usage {
        self.0.read().clone()
    }

    /// Plays these from now on.
    pub(crate) fn set(&self, usage: Usage) {
        *self.0.write() = usage;
    }

    /// True if none is played.
    pub(crate) fn is_empty(&self) -> bool {
        let usage = self.0.read();
        usage.accounts.is_empty() && usage.app.is_none()
    }

    /// Meta's refusal if the allowance of the app or of this account is used up.
    pub(crate) fn admit(&self, account: &str) -> Result<(), GraphError> {
        let usage = self.0.read();
        if usage.app.is_some_and(|shares| shares.are_used_up()) {
            return Err(GraphError::of(4));
        }
        match usage.accounts.get(account) {
            Some(shares) if shares.are_used_up() => Err(GraphError::of(80_007)),
            _ => Ok(()),
        }
    }

    /// Adds the headers to an answer about this account.
    pub(crate) fn show(&self, account: &str, headers: &mut HeaderMap) {
        let usage = self.0.read();
        let of_account = usage.accounts.get(account);
        let of_account = of_account.map(|shares| (OF_ACCOUNTS, json!({ account: shares.of_account() })));
        let of_app = usage.app.map(|shares| (OF_APP, shares.of_app()));
        for (name, shares) in of_account.into_iter().chain(of_app) {
            if let Ok(value) = HeaderValue::try_from(shares.to_string()) {
                headers.insert(name, value);
            }
        }
    }
}
