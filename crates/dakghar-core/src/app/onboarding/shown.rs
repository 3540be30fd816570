//! Signups with what is kept elsewhere of them: how far the history of their number is.

use super::Onboarding;
use crate::app::failure::Failure;
use crate::domain::signup::{Signup, SignupStep, StepEnd};
use crate::domain::standing::HistoryImport;
use crate::domain::{Tenant, TenantId};

/// A signup as somebody sees it.
#[derive(Clone, Debug)]
pub struct ShownSignup {
    /// The signup.
    pub signup: Signup,
    /// The history of its number, if Meta was asked for that and some of it came.
    pub history: Option<HistoryImport>,
}

impl Onboarding {
    /// Adds what is kept with the tenant to its signups. The tenant is read only for numbers of the WhatsApp Business app.
    pub async fn shown(&self, tenant_id: &TenantId, signups: Vec<Signup>) -> Result<Vec<ShownSignup>, Failure> {
        let tenant = if signups.iter().any(has_asked) {
            match self.tenants.stored(tenant_id).await {
                Ok(tenant) => Some(tenant),
                // It is being removed, and its numbers with it.
                Err(Failure::Refused(_)) => None,
                Err(failure) => return Err(failure),
            }
        } else {
            None
        };
        let shown = signups.into_iter().map(|signup| ShownSignup {
            history: tenant.as_ref().and_then(|tenant| history_of(&signup, tenant)),
            signup,
        });
        Ok(shown.collect())
    }

    /// The same for one signup.
    pub async fn shown_one(&self, signup: Signup) -> Result<ShownSignup, Failure> {
        let id = signup.tenant_id;
        let shown = self.shown(&id, vec![signup.clone()]).await?.pop();
        Ok(shown.unwrap_or(ShownSignup { signup, history: None }))
    }
}

fn has_asked(signup: &Signup) -> bool {
    let mut records = signup.records.iter();
    records.any(|record| record.step == SignupStep::History && record.end == StepEnd::Done)
}

fn history_of(signup: &Signup, tenant: &Tenant) -> Option<HistoryImport> {
    if !has_asked(signup) {
        return None;
    }
    tenant.number(Some(signup.number_id()?))?.standing.history.clone()
}
