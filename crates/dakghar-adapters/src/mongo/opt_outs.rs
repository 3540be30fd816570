//! The wishes of people about being written to. The id of a document has its tenant, the mark of the person and the scope, so
//! that most is found by it.

use async_trait::async_trait;
use bson::{Document, RawDocument, doc};
use dakghar_core::domain::ids::{TenantId, WaId};
use dakghar_core::domain::opt_out::{OptOut, OptOutKey, OptOutScope, PersonMark};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Carried, OptOutStore, StoreError};
use mongodb::ClientSession;
use mongodb::options::Hint;

use super::MongoStore;
use super::collections::OPT_OUTS;
use super::documents::{Unreadable, date, opt_out, to_raw};
use super::indexes::{BY_ID, OPT_OUT_PERSON};
use super::pages::List;
use super::reads::Query;
use super::statuses::of_tenant;
use super::transactions::Aborted;
use super::updates::chunk_lengths;

/// Marks that are looked for at once.
const MARKS_AT_ONCE: usize = 1_000;

#[async_trait]
impl OptOutStore for MongoStore {
    async fn note_opt_outs(&self, batch: &[OptOut]) -> Result<(), StoreError> {
        let statements = batch
            .iter()
            .map(|said| to_raw(&doc! { "q": { "_id": said.id() }, "u": steps(said)?, "upsert": true }))
            .collect::<Result<Vec<_>, StoreError>>()?;
        let mut left = statements.as_slice();
        for length in chunk_lengths(&statements) {
            let (chunk, others) = left.split_at(length);
            left = others;
            let reply = self.update_all(OPT_OUTS, chunk).await;
            let mut reply = reply.map_err(|failure| failure.to_store_error())?;
            let refused = reply.refused.pop().map(|refused| refused.error);
            if let Some(error) = reply.unconfirmed.or(refused) {
                return Err(error);
            }
        }
        Ok(())
    }

    async fn find_opt_outs(&self, tenant_id: &TenantId, people: &[PersonMark]) -> Result<Vec<OptOut>, StoreError> {
        let mut found = Vec::new();
        for people in people.chunks(MARKS_AT_ONCE) {
            let keys = people
                .iter()
                .flat_map(|mark| OptOutScope::ALL.map(|scope| OptOutKey { mark: *mark, scope }));
            let ids: Vec<String> = keys.map(|key| format!("{tenant_id}/{key}")).collect();
            let query = Query::new(doc! { "_id": { "$in": ids } }, BY_ID).majority();
            let read = |raw: &RawDocument| opt_out::decode(raw).map_err(|unreadable| (unreadable, mark_in(raw)));
            for said in self.fetch(&self.opt_outs, query, read).await? {
                found.push(said.unwrap_or_else(|(unreadable, mark)| {
                    Unreadable::tell(&unreadable);
                    OptOut::unreadable(*tenant_id, mark.unwrap_or(people[0]))
                }));
            }
        }
        Ok(found)
    }

    async fn list_opt_outs(
        &self,
        tenant_id: &TenantId,
        before: Option<OptOutKey>,
        limit: PageLimit,
    ) -> Result<Listed<OptOut>, StoreError> {
        let list = List {
            filters: doc! { "isOut": true },
            is_sparse: true,
            from: Some(format!("{tenant_id}/")),
            ..List::of(&self.opt_outs, BY_ID, doc! {})
        };
        // The character behind the slash is a zero.
        let before = before.map_or_else(|| format!("{tenant_id}0"), |before| format!("{tenant_id}/{before}"));
        self.page(&list, Some(before), limit, key_of, opt_out::decode).await
    }
}

impl MongoStore {
    /// Keeps what was said inside of a transaction.
    pub(super) async fn note_opt_outs_within(
        &self,
        session: &mut ClientSession,
        batch: &[OptOut],
    ) -> Result<Carried, Aborted> {
        for said in batch {
            let steps = steps(said).map_err(Aborted::Failed)?;
            let update = self.opt_outs.update_one(doc! { "_id": said.id() }, steps).upsert(true);
            if let Err(error) = update.session(&mut *session).await {
                return Err(self.undone(session, error).await);
            }
        }
        Ok(Carried::Done)
    }

    /// Takes the ids of a person out of what was said before a time. Returns in how many records they were.
    pub(super) async fn forget_person_in_opt_outs(
        &self,
        tenant_id: &TenantId,
        ids: &[WaId],
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let ids: Vec<&str> = ids.iter().map(WaId::as_str).collect();
        let filter = doc! {
            "tenantId": tenant_id.to_string(), "person": { "$in": ids }, "at": { "$lt": date(before) },
        };
        let update = self
            .opt_outs
            .update_many(filter, doc! { "$unset": { "person": "" } })
            .hint(Hint::Name(OPT_OUT_PERSON.to_owned()));
        let updated = self.bounded(self.options.write_timeout, async { update.await }).await;
        Ok(updated.map_err(|failure| failure.to_store_error())?.matched_count)
    }

    /// Deletes up to `limit` of a tenant's.
    pub(super) async fn erase_opt_outs(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        self.erase_from(&self.opt_outs, BY_ID, of_tenant(tenant_id), limit)
            .await
    }
}

/// Replaces the document unless it says something later, or has the same time and opts out. One statement both ways, so
/// that the order and the number of the writes do not matter.
fn steps(said: &OptOut) -> Result<Vec<Document>, StoreError> {
    let document = opt_out::encode(said)?;
    let document = Document::try_from(document.as_ref()).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let at = date(said.at);
    let same_time = doc! { "$and": [
        { "$eq": [at, "$at"] }, { "$eq": [said.is_out, true] }, { "$ne": ["$isOut", true] },
    ] };
    let replaces = doc! { "$or": [{ "$eq": [{ "$type": "$at" }, "missing"] }, { "$gt": [at, "$at"] }, same_time] };
    Ok(vec![doc! {
        "$replaceWith": { "$cond": [replaces, { "$literal": document }, "$$ROOT"] },
    }])
}

fn key_of(id: &str) -> Option<OptOutKey> {
    OptOutKey::parse(id.split_once('/')?.1)
}

fn mark_in(raw: &RawDocument) -> Option<PersonMark> {
    key_of(raw.get_str("_id").ok()?).map(|key| key.mark)
}
