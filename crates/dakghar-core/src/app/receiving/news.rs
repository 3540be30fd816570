//! Events of accounts that say something of the standing of their numbers: a number that cannot send is held at once, and one
//! of which something has changed is checked soon.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::failure::{Failure, Fault};
use crate::app::stale::Step;
use crate::app::tenants::Tenants;
use crate::app::tokens::AppSecrets;
use crate::domain::standing::AccountNews;
use crate::domain::webhook::OtherPart;
use crate::domain::{AppId, PhoneNumber, PhoneNumberId, TenantId, Timestamp, WabaId};
use crate::ports::Clock;

/// Events of one webhook that count for one tenant. The others are kept as events like these, and ask for nothing.
const OF_TENANT_MAX: usize = 100;

/// An event's news, and the numbers that it is about.
pub(super) struct Told {
    number: Option<PhoneNumberId>,
    digits: Option<Arc<str>>,
    account: Option<WabaId>,
    news: AccountNews,
    at: Option<Timestamp>,
}

impl Told {
    /// Reads the news of this part; `None` if it says nothing of the standing of numbers.
    pub(super) fn of(other: &OtherPart) -> Option<Self> {
        Some(Self {
            number: other.phone_number_id.clone(),
            digits: other.display_digits.clone(),
            account: other.waba_id.clone(),
            news: other.news.clone()?,
            at: other.told_at,
        })
    }

    /// True if it is about this number, where these apps are ours.
    fn is_about(&self, number: &PhoneNumber, ours: &[AppId]) -> bool {
        self.is_of_app_of(number, ours) && self.names(number)
    }

    /// True unless it is about an app that the number is not connected with. Of a number whose app is not known, each of ours may
    /// be it; and where none of ours is known, any may.
    fn is_of_app_of(&self, number: &PhoneNumber, ours: &[AppId]) -> bool {
        match (&self.news.app, number.token_app()) {
            (None, _) => true,
            (Some(app), Some(of_token)) => app == of_token,
            (Some(app), None) => ours.is_empty() || ours.contains(app),
        }
    }

    fn names(&self, number: &PhoneNumber) -> bool {
        match (&self.number, &self.digits) {
            (Some(id), _) => number.phone_number_id == *id,
            (None, Some(digits)) => number.display_digits().as_deref() == Some(&**digits),
            (None, None) => self.account.is_some() && number.waba_id == self.account,
        }
    }
}

/// Takes such events.
pub(super) struct News {
    tenants: Arc<Tenants>,
    apps: AppSecrets,
    clock: Arc<dyn Clock>,
}

impl News {
    pub(super) const fn new(tenants: Arc<Tenants>, apps: AppSecrets, clock: Arc<dyn Clock>) -> Self {
        Self { tenants, apps, clock }
    }

    /// Changes the numbers that they are about, with one save for each tenant. It is done before the answer to Meta, and doing
    /// it again changes nothing.
    pub(super) async fn keep(&self, all: Vec<(TenantId, Told)>) -> Result<(), Failure> {
        let mut by_tenant: BTreeMap<TenantId, Vec<Told>> = BTreeMap::new();
        for (tenant_id, told) in all {
            let of_tenant = by_tenant.entry(tenant_id).or_default();
            if of_tenant.len() < OF_TENANT_MAX {
                of_tenant.push(told);
            }
        }
        let names_app = by_tenant.values().flatten().any(|told| told.news.app.is_some());
        let ours = if names_app { self.apps.ids().await } else { Vec::new() };
        for (tenant_id, told) in by_tenant {
            match self.keep_for(&tenant_id, &told, &ours).await {
                Err(failure) if failure.fault() == Fault::Surroundings => return Err(failure),
                Err(failure) => tracing::warn!(%tenant_id, %failure, "an event of an account changed nothing"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn keep_for(&self, tenant_id: &TenantId, all: &[Told], ours: &[AppId]) -> Result<(), Failure> {
        let at = self.clock.present();
        let changed = self.tenants.change_if_there(tenant_id, |tenant| {
            let mut step = Step::Leave;
            for told in all {
                let numbers = tenant.phone_numbers.iter_mut();
                for number in numbers.filter(|number| !number.simulated && told.is_about(number, ours)) {
                    if number.take_news(&told.news, told.at, at) {
                        step = Step::Save;
                    }
                }
            }
            Ok(step)
        });
        changed.await?;
        Ok(())
    }
}
