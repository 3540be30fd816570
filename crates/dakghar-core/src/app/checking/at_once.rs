//! Checks that somebody asks for and waits for.

use std::sync::Arc;

use super::NumberChecks;
use super::asking::{Accounts, Looked};
use crate::app::failure::Failure;
use crate::domain::standing::{Change, Concern, NumberTold};
use crate::domain::tenant::SharedTenant;
use crate::domain::{ErrorCode, PhoneNumberId, Problem, TenantId};

/// A number as Meta shows it now, and as it would be kept.
#[derive(Clone, Debug)]
pub struct LiveNumber {
    /// The number.
    pub id: PhoneNumberId,
    /// The differences from the last check.
    pub changes: Vec<Change>,
    /// The things that a person should see to.
    pub concerns: Vec<Concern>,
    /// Why nothing can be said, if Meta did not say anything.
    pub no_answer: Option<Arc<str>>,
}

impl NumberChecks {
    /// Checks a number of the tenant now, and returns the tenant as it is then.
    ///
    /// # Errors
    /// The tenant has no such number, or Meta gives no answer (`meta_unavailable`).
    pub async fn check_now(&self, id: &TenantId, number: &str) -> Result<SharedTenant, Failure> {
        let tenant: SharedTenant = Arc::new(self.tenants.stored(id).await?);
        let number = PhoneNumberId::parse(number).map_err(|_| no_such_number())?;
        let known = tenant.number(Some(&number)).ok_or_else(no_such_number)?;
        if known.simulated {
            return Ok(tenant);
        }
        let looked = self.look(&tenant, known, &mut Accounts::default(), true).await;
        if let Looked::NoAnswer(why) | Looked::Throttled(why) = &looked {
            let detail = format!("Meta did not say how the number is: {why}");
            self.count(&looked, false);
            return Err(Problem::new(ErrorCode::MetaUnavailable, detail).into());
        }
        self.keep(&tenant, &[(number, looked)]).await?;
        Ok(Arc::new(self.tenants.stored(id).await?))
    }

    /// Asks Meta about all numbers of a tenant, and keeps nothing of it.
    pub async fn look_live(&self, id: &TenantId) -> Result<Vec<LiveNumber>, Failure> {
        let before = self.tenants.stored(id).await?;
        let mut after = before.clone();
        let mut accounts = Accounts::default();
        let (at, mut silent) = (self.clock.present(), Vec::new());
        for number in before.phone_numbers.iter().filter(|number| !number.simulated) {
            let looked = self.look(&before, number, &mut accounts, false).await;
            if let Looked::NoAnswer(why) | Looked::Throttled(why) = &looked {
                silent.push((number.phone_number_id.clone(), why.clone()));
            }
            if let Some(number) = after.number_mut(&number.phone_number_id) {
                looked.apply(number, at);
            }
        }
        let told = NumberTold::of_change(&before, &after);
        let live = after.phone_numbers.iter().filter(|number| !number.simulated);
        let live = live.map(|number| {
            let id = &number.phone_number_id;
            let changes = told.iter().find(|told| told.number() == id);
            LiveNumber {
                id: id.clone(),
                changes: changes.map_or_else(Vec::new, |told| told.changes().to_vec()),
                concerns: number.concerns(),
                no_answer: silent.iter().find(|(of, _)| of == id).map(|(_, why)| why.clone()),
            }
        });
        Ok(live.collect())
    }
}

fn no_such_number() -> Problem {
    Problem::new(
        ErrorCode::PhoneNumberNotFound,
        "The tenant has no number with this phone number id.",
    )
}
