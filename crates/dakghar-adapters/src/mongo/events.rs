//! Webhook events.

use async_trait::async_trait;
use bson::{Bson, doc};
use dakghar_core::domain::ids::{EventId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::webhook::WebhookEvent;
use dakghar_core::ports::{EventStore, StoreError};

use super::MongoStore;
use super::documents::{binary, event};
use super::indexes::{EVENT_FINGERPRINT, EVENT_TENANT};
use super::inserts::Inserted;
use super::pages::List;
use super::reads::Query;

#[async_trait]
impl EventStore for MongoStore {
    async fn record(&self, batch: &[WebhookEvent]) -> Result<(), StoreError> {
        let documents = batch.iter().map(event::encode).collect::<Result<Vec<_>, _>>()?;
        let mut unknown = None;
        for inserted in self.insert_all(&self.events, &documents).await {
            match inserted {
                // The same part was received before.
                Inserted::Stored | Inserted::Duplicate => {}
                Inserted::Unknown(error) => unknown = Some(error),
                Inserted::Refused(error) => return Err(error),
            }
        }
        match unknown {
            Some(error) if !self.are_recorded(batch).await => Err(error),
            _ => Ok(()),
        }
    }

    async fn list(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<EventId>,
        limit: PageLimit,
    ) -> Result<Listed<WebhookEvent>, StoreError> {
        if limit.items == 0 {
            return Ok(Listed::empty());
        }
        let list = List {
            collection: &self.events,
            index: EVENT_TENANT,
            // An absent field is indexed as null.
            along: doc! { "tenantId": tenant_id.map_or(Bson::Null, |id| id.to_string().into()) },
            filters: doc! {},
            is_sparse: false,
            from: None,
        };
        let (before, parse) = (before.map(|before| before.to_string()), |id: &str| {
            EventId::parse(id).ok()
        });
        self.page(&list, before, limit, parse, event::decode).await
    }
}

impl MongoStore {
    /// Returns true when all of these events are there for good.
    async fn are_recorded(&self, batch: &[WebhookEvent]) -> bool {
        let mut fingerprints: Vec<_> = batch.iter().map(|event| event.fingerprint).collect();
        fingerprints.sort_unstable();
        fingerprints.dedup();
        let wanted: Vec<_> = fingerprints
            .iter()
            .map(|fingerprint| Bson::from(binary(fingerprint)))
            .collect();
        let query = Query::new(doc! { "fingerprint": { "$in": wanted } }, EVENT_FINGERPRINT)
            .fields(doc! { "_id": 1 })
            .majority();
        let reading = self.fetch(&self.events, query, |_| ());
        let found = tokio::time::timeout(self.options.reread_timeout, reading).await;
        matches!(found, Ok(Ok(found)) if found.len() == fingerprints.len())
    }
}
