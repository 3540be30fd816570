//! Departures.

use async_trait::async_trait;
use bson::{Document, doc};
use dakghar_core::domain::departure::Departure;
use dakghar_core::domain::ids::{DepartureId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{DepartureStore, Saved, StoreError};

use super::MongoStore;
use super::documents::{date, departure};
use super::indexes::{BY_ID, DEPARTURE_DUE, DEPARTURE_ENDED, DEPARTURE_TENANT};
use super::pages::List;
use super::reads::Query;

#[async_trait]
impl DepartureStore for MongoStore {
    async fn insert_departure(&self, departure: &Departure) -> Result<Saved, StoreError> {
        let document = departure::encode(departure, departure.version)?;
        let find = self.find_departure(&departure.tenant_id, &departure.id);
        self.insert_one(&self.departures, document, find, |_| true).await
    }

    async fn save_departure(&self, departure: &Departure) -> Result<Saved, StoreError> {
        let document = departure::encode(departure, departure.version + 1)?;
        // A save whose answer is lost is not looked up: its step is taken again, and finds what it did.
        let id = departure.id.to_string();
        self.replace_version(&self.departures, &id, departure.version, document)
            .await
    }

    async fn find_departure(&self, tenant_id: &TenantId, id: &DepartureId) -> Result<Option<Departure>, StoreError> {
        let filter = doc! { "_id": id.to_string(), "tenantId": tenant_id.to_string() };
        let query = Query::new(filter, BY_ID).majority();
        self.fetch_one(&self.departures, query, departure::decode).await
    }

    async fn list_departures(
        &self,
        tenant_id: &TenantId,
        before: Option<DepartureId>,
        limit: PageLimit,
    ) -> Result<Listed<Departure>, StoreError> {
        let list = List::of(
            &self.departures,
            DEPARTURE_TENANT,
            doc! { "tenantId": tenant_id.to_string() },
        );
        let before = before.map(|before| before.to_string());
        let parse = |id: &str| DepartureId::parse(id).ok();
        self.page(&list, before, limit, parse, departure::decode).await
    }

    async fn due_departures(&self, now: Timestamp, limit: u32) -> Result<Vec<Departure>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let query = Query::new(doc! { "dueAt": { "$lte": date(now) } }, DEPARTURE_DUE)
            .sort(doc! { "dueAt": 1 })
            .limit(limit);
        self.fetch_readable(&self.departures, query, departure::decode).await
    }

    async fn forget_departures(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        if limit == 0 {
            return Ok(0);
        }
        let over: Document = doc! { "endedAt": { "$lt": date(before) } };
        self.erase_from(&self.departures, DEPARTURE_ENDED, over, limit).await
    }
}
