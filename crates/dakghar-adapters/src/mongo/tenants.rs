//! Tenants and their numbers.

use std::collections::HashMap;

use async_trait::async_trait;
use bson::oid::ObjectId;
use bson::{RawDocument, doc};
use dakghar_core::domain::ids::{PhoneNumberId, TenantId, WabaId};
use dakghar_core::domain::tenant::Tenant;
use dakghar_core::ports::{StoreError, TenantSaved, TenantStore};

use super::MongoStore;
use super::documents::{Unreadable, counter, tenant};
use super::failure::Failure;
use super::indexes::{BY_ID, TENANT_PHONE_NUMBER, TENANT_WABA};
use super::reads::Query;

#[async_trait]
impl TenantStore for MongoStore {
    async fn insert(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError> {
        let save_id = ObjectId::new();
        let document = tenant::encode(tenant, tenant.version, save_id)?;
        let insert = self.tenants.insert_one(document);
        match self.bounded(self.options.write_timeout, async { insert.await }).await {
            Ok(_) => Ok(TenantSaved::Done),
            Err(failure) if failure.is_duplicate_key() => {
                if self.find(&tenant.id).await?.is_some() {
                    return Ok(TenantSaved::Stale);
                }
                self.taken_number(tenant).await
            }
            Err(failure) => self.look_up_save(&tenant.id, save_id, &failure).await,
        }
    }

    async fn save(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError> {
        let save_id = ObjectId::new();
        let document = tenant::encode(tenant, tenant.version + 1, save_id)?;
        let filter = doc! { "_id": tenant.id.to_string(), "version": counter(tenant.version) };
        let replace = self.tenants.replace_one(filter, document);
        match self.bounded(self.options.write_timeout, async { replace.await }).await {
            Ok(replaced) if replaced.matched_count == 1 => Ok(TenantSaved::Done),
            Ok(_) => Ok(TenantSaved::Stale),
            Err(failure) if failure.is_duplicate_key() => self.taken_number(tenant).await,
            Err(failure) => self.look_up_save(&tenant.id, save_id, &failure).await,
        }
    }

    async fn find_all(&self, ids: &[TenantId]) -> Vec<Result<Option<Tenant>, StoreError>> {
        if ids.is_empty() {
            return Vec::new();
        }
        let wanted: Vec<String> = ids.iter().map(TenantId::to_string).collect();
        let query = Query::new(doc! { "_id": { "$in": wanted } }, BY_ID);
        let key = |raw: &RawDocument| tenant_id(raw).ok();
        let found = match self.fetch_each(&self.tenants, query, key, tenant::decode).await {
            Ok(found) => found,
            Err(error) => return vec![Err(error); ids.len()],
        };
        ids.iter().map(|id| found.get(id).cloned().transpose()).collect()
    }

    async fn list(&self, before: Option<TenantId>, limit: u32) -> Result<Vec<Tenant>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let filter = before.map_or_else(
            bson::Document::new,
            |before| doc! { "_id": { "$lt": before.to_string() } },
        );
        let query = Query::new(filter, BY_ID).newest_first().limit(limit);
        self.fetch_readable(&self.tenants, query, tenant::decode).await
    }

    async fn owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Option<TenantId>>, StoreError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<_> = numbers.iter().map(PhoneNumberId::as_str).collect();
        let query = Query::new(
            doc! { "phoneNumbers.phoneNumberId": { "$in": wanted } },
            TENANT_PHONE_NUMBER,
        )
        .fields(doc! { "_id": 1, "phoneNumbers.phoneNumberId": 1 });
        let found = self.fetch_readable(&self.tenants, query, owner).await?;
        let owners: HashMap<&str, TenantId> = found
            .iter()
            .flat_map(|(id, numbers)| numbers.iter().map(move |number| (number.as_str(), *id)))
            .collect();
        Ok(numbers
            .iter()
            .map(|number| owners.get(number.as_str()).copied())
            .collect())
    }

    async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<TenantId>, StoreError> {
        let query = Query::new(doc! { "phoneNumbers.wabaId": waba_id.as_str() }, TENANT_WABA).fields(doc! { "_id": 1 });
        self.fetch(&self.tenants, query, tenant_id).await
    }

    async fn remove(&self, id: &TenantId) -> Result<(), StoreError> {
        let delete = self.tenants.delete_one(doc! { "_id": id.to_string() });
        let deleted = self.bounded(self.options.write_timeout, async { delete.await }).await;
        deleted.map(drop).map_err(|failure| failure.to_store_error())
    }
}

impl MongoStore {
    /// Which of the tenant's numbers belongs to another one.
    async fn taken_number(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError> {
        let numbers: Vec<_> = tenant
            .phone_numbers
            .iter()
            .map(|number| number.phone_number_id.clone())
            .collect();
        let owners = self.owners_of_numbers(&numbers).await?;
        let taken = numbers
            .into_iter()
            .zip(owners)
            .find(|(_, owner)| owner.is_some_and(|owner| owner != tenant.id));
        taken
            .map(|(number, _)| TenantSaved::PhoneNumberTaken(number))
            .ok_or_else(|| {
                StoreError::Unavailable("a phone number was taken a moment ago and is free again".to_owned())
            })
    }

    /// After a write without a clear answer: whether it is the one that the document carries.
    async fn look_up_save(
        &self,
        id: &TenantId,
        save_id: ObjectId,
        failure: &Failure,
    ) -> Result<TenantSaved, StoreError> {
        if failure.is_refusal() {
            return Err(failure.to_store_error());
        }
        let query = Query::new(doc! { "_id": id.to_string(), "saveId": save_id }, BY_ID)
            .fields(doc! { "_id": 1 })
            .limit(1)
            .majority();
        let reading = self.fetch(&self.tenants, query, tenant_id);
        match tokio::time::timeout(self.options.reread_timeout, reading).await {
            Ok(Ok(found)) if !found.is_empty() => Ok(TenantSaved::Done),
            _ => Err(failure.to_store_error()),
        }
    }
}

fn tenant_id(raw: &RawDocument) -> Result<TenantId, Unreadable> {
    let wrong = || Unreadable::field("tenant", "(unknown)", "_id");
    let id = raw.get_str("_id").map_err(|_| wrong())?;
    TenantId::parse(id).map_err(|_| wrong())
}

fn owner(raw: &RawDocument) -> Result<(TenantId, Vec<String>), Unreadable> {
    let id = tenant_id(raw)?;
    let wrong = || Unreadable::field("tenant", &id.to_string(), "phoneNumbers");
    let mut numbers = Vec::new();
    for number in raw.get_array("phoneNumbers").map_err(|_| wrong())? {
        let number = number.map_err(|_| wrong())?;
        let fields = number.as_document().ok_or_else(wrong)?;
        numbers.push(fields.get_str("phoneNumberId").map_err(|_| wrong())?.to_owned());
    }
    Ok((id, numbers))
}
