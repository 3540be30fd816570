//! The way in which an installation connects numbers.

use std::sync::Arc;

use crate::domain::Secret;
use crate::domain::signup::SignupStep;
use crate::ports::WebhookOverride;

/// A credit line of the operator's at Meta.
#[derive(Clone, Debug)]
pub struct CreditLine {
    /// Meta's id of it.
    pub id: Arc<str>,
    /// The token of the operator's own system user.
    pub token: Secret,
}

/// The way in which numbers are connected.
#[derive(Clone, Debug)]
pub struct SignupSettings {
    /// The URL that gets the webhooks of accounts in place of the app's own.
    pub webhook: Option<WebhookOverride>,
    /// The credit line that is shared with accounts which nobody pays for.
    pub credit: Option<CreditLine>,
    /// The steps that a signup may go on without, if they fail.
    pub optional: Vec<SignupStep>,
}

impl Default for SignupSettings {
    fn default() -> Self {
        Self {
            webhook: None,
            credit: None,
            optional: vec![SignupStep::Facts, SignupStep::Credit],
        }
    }
}
