//! Tenants and their numbers.

use std::collections::HashMap;

use async_trait::async_trait;
use bson::oid::ObjectId;
use bson::{Document, RawDocument, RawDocumentBuf, doc};
use dakghar_core::domain::api_key::KeyUse;
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::ids::{PhoneNumberId, TenantId, WabaId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::tenant::Tenant;
use dakghar_core::domain::webhook::WebhookEvent;
use dakghar_core::ports::{StoreError, TenantSaved, TenantStore};
use mongodb::ClientSession;

use super::MongoStore;
use super::collections::TENANTS;
use super::documents::{Unreadable, counter, date, event, tenant, to_raw};
use super::indexes::{BY_ID, TENANT_PAST_NUMBER, TENANT_PHONE_NUMBER, TENANT_WABA};
use super::pages::List;
use super::reads::{Query, told};
use super::transactions::{Aborted, TRIES_MAX, wait_for_others};

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
            Err(failure) if failure.is_refusal() => Err(failure.to_store_error()),
            Err(failure) => self.look_up_save(&tenant.id, save_id, failure.to_store_error()).await,
        }
    }

    async fn save(&self, tenant: &Tenant, told: &[WebhookEvent]) -> Result<TenantSaved, StoreError> {
        if !told.is_empty() {
            return self.save_and_tell(tenant, told).await;
        }
        let save_id = ObjectId::new();
        let document = tenant::encode(tenant, tenant.version + 1, save_id)?;
        let replace = self.tenants.replace_one(of_version(tenant), document);
        match self.bounded(self.options.write_timeout, async { replace.await }).await {
            Ok(replaced) if replaced.matched_count == 1 => Ok(TenantSaved::Done),
            Ok(_) => Ok(TenantSaved::Stale),
            Err(failure) if failure.is_duplicate_key() => self.taken_number(tenant).await,
            Err(failure) if failure.is_refusal() => Err(failure.to_store_error()),
            Err(failure) => self.look_up_save(&tenant.id, save_id, failure.to_store_error()).await,
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

    async fn list(&self, before: Option<TenantId>, limit: PageLimit) -> Result<Listed<Tenant>, StoreError> {
        let list = List::of(&self.tenants, BY_ID, doc! {});
        let before = before.map(|before| before.to_string());
        let parse = |id: &str| TenantId::parse(id).ok();
        self.page(&list, before, limit, parse, tenant::decode).await
    }

    async fn owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Vec<Result<Option<TenantId>, StoreError>> {
        if numbers.is_empty() {
            return Vec::new();
        }
        let wanted: Vec<_> = numbers.iter().map(PhoneNumberId::as_str).collect();
        let query = Query::new(
            doc! { "phoneNumbers.phoneNumberId": { "$in": wanted } },
            TENANT_PHONE_NUMBER,
        )
        .fields(doc! { "_id": 1, "phoneNumbers.phoneNumberId": 1 });
        let found = match self.fetch(&self.tenants, query, owner).await {
            Ok(found) => found,
            Err(error) => return vec![Err(error); numbers.len()],
        };
        let mut owners: HashMap<String, Result<TenantId, StoreError>> = HashMap::new();
        for (id, numbers) in found {
            let id = told(id).map_err(Unreadable::into_store_error);
            owners.extend(numbers.into_iter().map(|number| (number, id.clone())));
        }
        numbers
            .iter()
            .map(|number| owners.get(number.as_str()).cloned().transpose())
            .collect()
    }

    async fn past_owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Vec<TenantId>>, StoreError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<_> = numbers.iter().map(PhoneNumberId::as_str).collect();
        let query = Query::new(doc! { "pastPhoneNumbers": { "$in": wanted } }, TENANT_PAST_NUMBER)
            .fields(doc! { "_id": 1, "pastPhoneNumbers": 1 });
        let found = self.fetch_readable(&self.tenants, query, past_owner).await?;
        let past_owners = |number: &PhoneNumberId| {
            let gave_up = found
                .iter()
                .filter(|(_, past)| past.iter().any(|past| past == number.as_str()));
            gave_up.map(|(id, _)| *id).collect()
        };
        Ok(numbers.iter().map(past_owners).collect())
    }

    async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<TenantId>, StoreError> {
        let query = Query::new(doc! { "phoneNumbers.wabaId": waba_id.as_str() }, TENANT_WABA).fields(doc! { "_id": 1 });
        self.fetch_readable(&self.tenants, query, tenant_id).await
    }

    async fn note_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let statement = |key_use: &KeyUse| {
            let mut later = Document::new();
            later.insert(format!("keyUses.{}", key_use.key_id), date(key_use.at));
            to_raw(&doc! { "q": { "_id": key_use.tenant_id.to_string() }, "u": { "$max": later } })
        };
        let statements = uses.iter().map(statement).collect::<Result<Vec<_>, _>>()?;
        // A statement that is refused is about a tenant that cannot be read, and tells nothing of the others.
        let noted = self.update_all(TENANTS, &statements).await;
        noted.map(drop).map_err(|failure| failure.to_store_error())
    }

    async fn remove(&self, id: &TenantId) -> Result<(), StoreError> {
        let delete = self.tenants.delete_one(doc! { "_id": id.to_string() });
        let deleted = self.bounded(self.options.write_timeout, async { delete.await }).await;
        deleted.map(drop).map_err(|failure| failure.to_store_error())
    }
}

impl MongoStore {
    /// Saves a tenant and inserts what is told of it, in one transaction.
    async fn save_and_tell(&self, tenant: &Tenant, told: &[WebhookEvent]) -> Result<TenantSaved, StoreError> {
        let save_id = ObjectId::new();
        let document = tenant::encode(tenant, tenant.version + 1, save_id)?;
        let events = told.iter().map(event::encode).collect::<Result<Vec<_>, _>>()?;
        let entries: Vec<FeedEntry> = told.iter().filter_map(FeedEntry::of_event).collect();
        let mut tries = 0;
        loop {
            let steps = async {
                let mut session = self.begin().await?;
                if !self.replace_within(&mut session, tenant, &document).await? {
                    self.undo(&mut session).await;
                    return Ok(TenantSaved::Stale);
                }
                self.insert_within(&mut session, &self.events, &events).await?;
                let arrivals = self.next_arrivals_within(&mut session, &tenant.id, &entries).await?;
                self.insert_within(&mut session, &self.feed_arrivals, &arrivals).await?;
                self.commit(&mut session).await?;
                Ok(TenantSaved::Done)
            };
            match self.within_write_timeout(steps).await {
                Ok(TenantSaved::Done) => {
                    self.arrived.notify_one();
                    return Ok(TenantSaved::Done);
                }
                Ok(saved) => return Ok(saved),
                Err(Aborted::Duplicate) => return self.taken_number(tenant).await,
                Err(Aborted::Conflict) if tries < TRIES_MAX => tries += 1,
                Err(Aborted::Unknown(error)) => return self.look_up_save(&tenant.id, save_id, error).await,
                Err(aborted) => return Err(aborted.into_store_error()),
            }
            wait_for_others(tries).await;
        }
    }

    /// Replaces a tenant inside of a transaction, if it still has the version that was read. Returns false otherwise.
    async fn replace_within(
        &self,
        session: &mut ClientSession,
        tenant: &Tenant,
        document: &RawDocumentBuf,
    ) -> Result<bool, Aborted> {
        let replace = self.tenants.replace_one(of_version(tenant), document);
        match replace.session(&mut *session).await {
            Ok(replaced) => Ok(replaced.matched_count == 1),
            Err(error) => Err(self.undone(session, error).await),
        }
    }

    /// Which of the tenant's numbers belongs to another one.
    pub(super) async fn taken_number(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError> {
        let numbers: Vec<_> = tenant
            .phone_numbers
            .iter()
            .map(|number| number.phone_number_id.clone())
            .collect();
        let owners = self.owners_of_numbers(&numbers).await;
        for (number, owner) in numbers.into_iter().zip(owners) {
            match owner {
                // A number whose owner cannot be read belongs to somebody.
                Err(StoreError::Unreadable(_)) => return Ok(TenantSaved::PhoneNumberTaken(number)),
                Ok(Some(owner)) if owner != tenant.id => return Ok(TenantSaved::PhoneNumberTaken(number)),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        let why = "a phone number was taken a moment ago and is free again";
        Err(StoreError::Unavailable(why.to_owned()))
    }

    /// After a write without a clear answer: whether it is the one that the document carries.
    async fn look_up_save(
        &self,
        id: &TenantId,
        save_id: ObjectId,
        error: StoreError,
    ) -> Result<TenantSaved, StoreError> {
        let query = Query::new(doc! { "_id": id.to_string(), "saveId": save_id }, BY_ID)
            .fields(doc! { "_id": 1 })
            .limit(1)
            .majority();
        let reading = self.fetch_readable(&self.tenants, query, tenant_id);
        match tokio::time::timeout(self.options.reread_timeout, reading).await {
            Ok(Ok(found)) if !found.is_empty() => Ok(TenantSaved::Done),
            _ => Err(error),
        }
    }
}

/// The tenant, while it has the version that was read.
fn of_version(tenant: &Tenant) -> Document {
    doc! { "_id": tenant.id.to_string(), "version": counter(tenant.version) }
}

fn tenant_id(raw: &RawDocument) -> Result<TenantId, Unreadable> {
    let wrong = || Unreadable::field("tenant", "(unknown)", "_id");
    let id = raw.get_str("_id").map_err(|_| wrong())?;
    TenantId::parse(id).map_err(|_| wrong())
}

/// A tenant and those of the numbers it gave up that can be read.
fn past_owner(raw: &RawDocument) -> Result<(TenantId, Vec<String>), Unreadable> {
    let past = raw.get_array("pastPhoneNumbers").into_iter().flatten();
    let numbers = past.filter_map(|number| Some(number.ok()?.as_str()?.to_owned()));
    Ok((tenant_id(raw)?, numbers.collect()))
}

/// The id of a tenant, and those of its numbers that can be read.
fn owner(raw: &RawDocument) -> (Result<TenantId, Unreadable>, Vec<String>) {
    let numbers = raw.get_array("phoneNumbers").into_iter().flatten();
    let ids = numbers.filter_map(|number| {
        let number = number.ok()?;
        Some(number.as_document()?.get_str("phoneNumberId").ok()?.to_owned())
    });
    (tenant_id(raw), ids.collect())
}
