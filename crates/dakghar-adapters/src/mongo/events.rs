//! Webhook events.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use dakghar_core::domain::amendment::Amendment;
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::ids::{EventId, PhoneNumberId, TenantId, Wamid};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::webhook::WebhookEvent;
use dakghar_core::ports::{EventStore, StoreError};

use super::MongoStore;
use super::documents::{binary, event};
use super::feed::{Keyed, Told};
use super::indexes::{EVENT_AMENDS, EVENT_FINGERPRINT, EVENT_TENANT};
use super::inserts::{Inserted, do_repeat};
use super::pages::List;
use super::reads::Query;

/// Amendments that are read for many messages at once. Nearly no message has one.
const AMENDMENTS_AT_ONCE_MAX: u32 = 256;

#[async_trait]
impl EventStore for MongoStore {
    async fn record(&self, batch: &[WebhookEvent]) -> Result<(), StoreError> {
        let record = |event: &WebhookEvent| {
            Ok::<_, StoreError>(Told {
                document: event::encode(event)?,
                entry: FeedEntry::of_event(event),
            })
        };
        let records = batch.iter().map(record).collect::<Result<Vec<_>, _>>()?;
        let keyed = Keyed {
            collection: &self.events,
            field: "fingerprint",
            index: EVENT_FINGERPRINT,
        };
        let look_first = self.events_repeat.load(Ordering::Relaxed);
        let inserted = self.insert_told(keyed, &records, look_first).await;
        self.events_repeat.store(do_repeat(&inserted), Ordering::Relaxed);
        let mut unknown = None;
        for inserted in inserted {
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
        // An absent field is indexed as null.
        let list = List::of(
            &self.events,
            EVENT_TENANT,
            doc! { "tenantId": tenant_id.map_or(Bson::Null, |id| id.to_string().into()) },
        );
        let before = before.map(|before| before.to_string());
        let parse = |id: &str| EventId::parse(id).ok();
        self.page(&list, before, limit, parse, event::decode).await
    }

    async fn find_events(
        &self,
        tenant_id: &TenantId,
        ids: &[EventId],
    ) -> Vec<Result<Option<WebhookEvent>, StoreError>> {
        let owned = doc! { "tenantId": tenant_id.to_string() };
        let ids = ids.iter().map(ToString::to_string).collect();
        self.load_by_ids(&self.events, ids, owned, event::decode).await
    }

    async fn amendments(
        &self,
        tenant_id: &TenantId,
        messages: &[(PhoneNumberId, Wamid)],
        each: u32,
    ) -> Result<Vec<Vec<Amendment>>, StoreError> {
        if messages.is_empty() || each == 0 {
            return Ok(vec![Vec::new(); messages.len()]);
        }
        let wamids: Vec<&str> = messages.iter().map(|(_, wamid)| wamid.as_str()).collect();
        let query = amending(tenant_id, doc! { "$in": wamids }).limit(AMENDMENTS_AT_ONCE_MAX);
        let found = self
            .fetch_readable(&self.events, query, event::decode_amendment)
            .await?;
        let is_all = found.len() < AMENDMENTS_AT_ONCE_MAX as usize;
        let mut of_each = Vec::with_capacity(messages.len());
        for (number, wamid) in messages {
            let one = if is_all {
                let own = found.iter().filter(|(of, _)| of == number.as_str());
                let own = own.map(|(_, amends)| amends).filter(|amends| amends.of == *wamid);
                own.cloned().collect()
            } else {
                self.amendments_of(tenant_id, number, wamid, each).await?
            };
            of_each.push(Amendment::strongest(one, each));
        }
        Ok(of_each)
    }
}

/// Events of a tenant that amend messages with such a wamid.
fn amending(tenant_id: &TenantId, wamid: impl Into<Bson>) -> Query {
    let filter = doc! { "tenantId": tenant_id.to_string(), "amends.wamid": wamid.into() };
    let fields: Document = event::AMENDMENT_FIELDS
        .iter()
        .map(|field| ((*field).to_owned(), Bson::Int32(1)))
        .collect();
    Query::new(filter, EVENT_AMENDS).fields(fields)
}

impl MongoStore {
    /// The strongest amendments of one message of which there are very many.
    async fn amendments_of(
        &self,
        tenant_id: &TenantId,
        number: &PhoneNumberId,
        wamid: &Wamid,
        each: u32,
    ) -> Result<Vec<Amendment>, StoreError> {
        let strongest_first = doc! { "amends.revokes": -1, "amends.at": -1, "amends.by": -1 };
        let query = amending(tenant_id, wamid.as_str()).sort(strongest_first).limit(each);
        let found = self
            .fetch_readable(&self.events, query, event::decode_amendment)
            .await?;
        let own = found.into_iter().filter(|(of, _)| of == number.as_str());
        Ok(own.map(|(_, amends)| amends).collect())
    }

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
