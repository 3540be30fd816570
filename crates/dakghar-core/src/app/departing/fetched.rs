//! Exports of tenants for which departures wait.

use super::Departing;
use crate::app::failure::Failure;
use crate::app::stale::ROUNDS_MAX;
use crate::domain::TenantId;
use crate::domain::departure::Departure;
use crate::domain::ids::DepartureId;
use crate::domain::page::PageLimit;
use crate::ports::Saved;

/// Departures that are looked at: one that waits is the newest, but for one that was asked for at the same moment.
const LOOKED_AT_MAX: u32 = 2;

impl Departing {
    /// Returns the departure of the tenant that waits for its export. An export that began before that may lack the end.
    pub async fn awaiting_export(&self, tenant_id: &TenantId) -> Result<Option<DepartureId>, Failure> {
        let newest = self
            .store
            .list_departures(tenant_id, None, PageLimit::items(LOOKED_AT_MAX));
        let waits = newest.await?.items.into_iter().find(Departure::awaits_export);
        Ok(waits.map(|departure| departure.id))
    }

    /// Notes that an export that began while a departure waited for it was fetched to its end.
    pub async fn note_exported(&self, tenant_id: &TenantId, id: &DepartureId) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            let Some(mut departure) = self.store.find_departure(tenant_id, id).await? else {
                return Ok(());
            };
            if !departure.exported(self.clock.now()) {
                return Ok(());
            }
            if self.store.save_departure(&departure).await? == Saved::Done {
                tracing::info!(departure_id = %id, %tenant_id, "the export that a departure waited for was fetched");
                return Ok(());
            }
        }
        Err(Failure::KeptChanging("departure"))
    }
}
