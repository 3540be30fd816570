//! Redrives, and the dead letters that they look through.

use async_trait::async_trait;
use bson::{Bson, RawDocument, doc};
use dakghar_core::domain::ids::{MessageId, MessageKey, PhoneNumberId, RedriveId, TenantId};
use dakghar_core::domain::message::{DeadLetter, DeadReason, Status};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::redrive::{Redrive, RedriveStatus};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{RedriveStore, Saved, StoreError};
use mongodb::options::Hint;
use serde::Deserialize;

use super::MongoStore;
use super::documents::{SCHEMA_VERSION, Unreadable, date, from_raw, redrive, timestamp};
use super::indexes::{BY_ID, MESSAGE_DEAD_LETTERS, MESSAGE_TENANT_DEAD_LETTERS, REDRIVE_DUE, REDRIVE_TENANT};
use super::pages::List;
use super::reads::{Query, told};

/// Greater than every id, and a text.
const BEHIND_ALL: &str = "\u{10FFFF}";

#[async_trait]
impl RedriveStore for MongoStore {
    async fn insert_redrive(&self, redrive: &Redrive) -> Result<(), StoreError> {
        let document = redrive::encode(redrive, redrive.version)?;
        let find = self.find_redrive(&redrive.id);
        self.insert_one(&self.redrives, document, find, |_| true).await?;
        Ok(())
    }

    async fn save_redrive(&self, redrive: &Redrive) -> Result<Saved, StoreError> {
        let document = redrive::encode(redrive, redrive.version + 1)?;
        // A save whose answer is lost is not looked up: whoever made it starts again from what is stored, and whatever
        // that is, each message of the batch tells whether it was sent again.
        let id = redrive.id.to_string();
        self.replace_version(&self.redrives, &id, redrive.version, document)
            .await
    }

    async fn find_redrive(&self, id: &RedriveId) -> Result<Option<Redrive>, StoreError> {
        let query = Query::new(doc! { "_id": id.to_string() }, BY_ID).majority();
        self.fetch_one(&self.redrives, query, redrive::decode).await
    }

    async fn list_redrives(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<RedriveId>,
        limit: PageLimit,
    ) -> Result<Listed<Redrive>, StoreError> {
        let (index, along) = match tenant_id {
            Some(tenant_id) => (REDRIVE_TENANT, doc! { "tenantId": tenant_id.to_string() }),
            None => (BY_ID, doc! {}),
        };
        let list = List::of(&self.redrives, index, along);
        let before = before.map(|before| before.to_string());
        let parse = |id: &str| RedriveId::parse(id).ok();
        self.page(&list, before, limit, parse, redrive::decode).await
    }

    async fn count_open_redrives(&self, tenant_id: Option<&TenantId>) -> Result<u32, StoreError> {
        let open: Vec<&str> = RedriveStatus::ALL
            .iter()
            .filter(|status| status.is_open())
            .map(|status| status.as_str())
            .collect();
        // An absent field is indexed as null.
        let owner: Bson = tenant_id.map_or(Bson::Null, |id| id.to_string().into());
        let filter = doc! { "tenantId": owner, "status": { "$in": open } };
        let timeout = self.options.read_timeout;
        let count = self.redrives.count_documents(filter).max_time(timeout);
        let count = count.hint(Hint::Name(REDRIVE_TENANT.to_owned()));
        let counted = self.bounded(timeout, async { count.await }).await;
        counted
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
            .map_err(|failure| failure.to_store_error())
    }

    async fn due_redrives(&self, limit: u32) -> Result<Vec<Redrive>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let query = Query::new(doc! { "needsWork": true }, REDRIVE_DUE)
            .sort(doc! { "needsWork": 1, "updatedAt": 1 })
            .limit(limit);
        self.fetch_readable(&self.redrives, query, redrive::decode).await
    }

    async fn forget_redrives(&self, before: Timestamp) -> Result<(), StoreError> {
        let over: Vec<&str> = RedriveStatus::ALL
            .iter()
            .filter(|status| !status.is_open())
            .map(|status| status.as_str())
            .collect();
        let old = doc! { "needsWork": Bson::Null, "updatedAt": { "$lt": date(before) }, "status": { "$in": over } };
        let forget = self.redrives.delete_many(old).hint(Hint::Name(REDRIVE_DUE.to_owned()));
        let forgotten = self.bounded(self.options.write_timeout, async { forget.await }).await;
        forgotten.map(drop).map_err(|failure| failure.to_store_error())
    }

    async fn look_through(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Listed<DeadLetter>, StoreError> {
        if limit == 0 {
            return Ok(Listed::empty());
        }
        let mut before = before.map_or_else(|| BEHIND_ALL.to_owned(), |before| before.to_string());
        loop {
            let mut filter = doc! { "deadLetter": true, "_id": { "$lt": &before } };
            let index = if let Some(tenant_id) = tenant_id {
                filter.insert("tenantId", tenant_id.to_string());
                MESSAGE_TENANT_DEAD_LETTERS
            } else {
                MESSAGE_DEAD_LETTERS
            };
            let fields = doc! {
                "schemaVersion": 1, "tenantId": 1, "phoneNumberId": 1, "status": 1, "deadReason": 1, "error.code": 1,
                "attempt": 1, "maybeSent": 1, "expiresAt": 1, "updatedAt": 1,
            };
            let query = Query::new(filter, index).newest_first().limit(limit).fields(fields);
            let read = |raw: &RawDocument| (raw.get_str("_id").unwrap_or_default().to_owned(), letter(raw));
            let found = self.fetch(&self.messages, query, read).await?;
            let is_all = found.len() < limit as usize;
            let (mut items, mut next) = (Vec::with_capacity(found.len()), None);
            for (id, letter) in found {
                next = MessageId::parse(&id).ok().or(next);
                before = id;
                items.extend(told(letter));
            }
            if is_all {
                return Ok(Listed { items, next: None });
            }
            // A page cannot end at an id that is none: once more, behind those.
            if next.is_some() {
                return Ok(Listed { items, next });
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LetterFields {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    tenant_id: String,
    phone_number_id: String,
    status: String,
    #[serde(default)]
    dead_reason: Option<String>,
    #[serde(default)]
    error: Option<CodeFields>,
    attempt: i64,
    maybe_sent: bool,
    #[serde(default)]
    expires_at: Option<bson::DateTime>,
    updated_at: bson::DateTime,
}

#[derive(Deserialize)]
struct CodeFields {
    #[serde(default)]
    code: Option<i64>,
}

fn letter(raw: &RawDocument) -> Result<DeadLetter, Unreadable> {
    let fields: LetterFields = from_raw("message", raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("message", &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field("message", &fields.id, field);
    let reason = fields.dead_reason.as_deref();
    let reason = reason.map(|reason| DeadReason::parse(reason).ok_or_else(|| wrong("deadReason")));
    Ok(DeadLetter {
        key: MessageKey {
            tenant_id: TenantId::parse(&fields.tenant_id).map_err(|_| wrong("tenantId"))?,
            message_id: MessageId::parse(&fields.id).map_err(|_| wrong("_id"))?,
        },
        phone_number_id: PhoneNumberId::parse(&fields.phone_number_id).map_err(|_| wrong("phoneNumberId"))?,
        status: Status::parse(&fields.status).ok_or_else(|| wrong("status"))?,
        reason: reason.transpose()?,
        code: fields.error.as_ref().and_then(|error| error.code),
        attempt: u32::try_from(fields.attempt).map_err(|_| wrong("attempt"))?,
        maybe_sent: fields.maybe_sent,
        expires_at: fields.expires_at.map(timestamp),
        ended_at: timestamp(fields.updated_at),
    })
}
