//! Departures.

use dakghar_core::app::NewTenantDeparture;
use dakghar_core::domain::departure::Departure;
use dakghar_core::domain::{Actor, Problem, TenantId};

use super::by::principal;
use super::{FAILURE_WAIT, Process};

impl Process {
    pub async fn begin_departure(
        &self,
        tenant: &TenantId,
        new: &NewTenantDeparture,
    ) -> Result<(Departure, bool), Problem> {
        let begun = self.app.departing.begin(tenant, new, principal(Actor::Operator));
        Ok(begun.await?)
    }

    pub async fn retry_departure(&self, departure: &Departure, skip: bool) -> Result<Departure, Problem> {
        let (by, id) = (principal(Actor::Operator), departure.id.to_string());
        let retried = self.app.departing.retry(&departure.tenant_id, &id, skip, by);
        Ok(retried.await?)
    }

    pub async fn cancel_departure(&self, departure: &Departure) -> Result<Departure, Problem> {
        let (by, id) = (principal(Actor::Operator), departure.id.to_string());
        let cancelled = self.app.departing.cancel(&departure.tenant_id, &id, by);
        Ok(cancelled.await?)
    }

    /// Fetches an export to its end, if a departure waits for one. Returns whether one did.
    pub async fn fetch_export(&self, tenant: &TenantId) -> Result<bool, Problem> {
        let Some(id) = self.app.departing.awaiting_export(tenant).await? else {
            return Ok(false);
        };
        self.app.departing.note_exported(tenant, &id).await?;
        Ok(true)
    }

    /// Works on departures by itself from now on.
    pub fn works_on_departures(&self) {
        let process = self.clone();
        let work = async move {
            loop {
                let wait = process.app.departing.work().await.unwrap_or(FAILURE_WAIT);
                if !wait.is_zero() {
                    process.sleep(wait).await;
                }
            }
        };
        self.shared.wire.executor.spawn(self.life, work);
    }
}
