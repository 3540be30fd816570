//! Removing the contents of old messages, and the events that tell contents, from the oldest that has one on.
//!
//! The place up to which that is done is in a document of each tenant, so a walk does not begin at the oldest record each
//! hour. It does not move past a record that will lose its content later: one that is not settled, or changed since. A
//! crash between the removal and that document leaves records that are walked once more.

use bson::{Bson, Document, RawDocument, doc};
use dakghar_core::domain::amendment::KEPT_LONGER;
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::message::{REMOVED_BODY, Status};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::domain::webhook::tells_contents;
use dakghar_core::ports::{AgedPortion, ErasedPortion, StoreError};
use mongodb::options::Hint;

use super::MongoStore;
use super::documents::{SCHEMA_VERSION, date};
use super::indexes::{BY_ID, EVENT_TENANT, MESSAGE_TENANT};
use super::reads::Query;
use crate::stored::id_time::behind_ids_until;

/// A record, as a walk sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It has nothing to lose, now and later.
    Through,
    /// It is old, and loses its content.
    Old,
    /// It will be old.
    Young,
    /// It and all behind it are young.
    End,
}

/// Where a walk of a tenant is.
struct Walk {
    /// The id of its document.
    id: String,
    /// As it was kept.
    kept: String,
    from: String,
}

impl MongoStore {
    /// Removes the contents of messages that ended before the portion does.
    pub(super) async fn remove_contents(
        &self,
        tenant_id: &TenantId,
        portion: &AgedPortion,
        removed_at: Timestamp,
    ) -> Result<ErasedPortion, StoreError> {
        let walk = self.walk_of(&walk_id("contents", Some(tenant_id)), portion).await?;
        let before = date(portion.before);
        let ids = doc! { "$gt": &walk.from, "$lt": behind_ids_until(portion.before) };
        let query = Query::new(doc! { "tenantId": tenant_id.to_string(), "_id": ids }, MESSAGE_TENANT)
            .sort(doc! { "_id": 1 })
            .limit(portion.limit)
            .fields(doc! { "_id": 1, "status": 1, "updatedAt": 1, "contentRemovedAt": 1 });
        let settled: Vec<&str> = Status::ALL
            .iter()
            .filter(|status| !status.is_unsettled())
            .map(|status| status.as_str())
            .collect();
        let judge = |raw: &RawDocument| {
            let (Ok(status), Ok(changed_at)) = (raw.get_str("status"), raw.get_datetime("updatedAt")) else {
                return Seen::Through;
            };
            match raw.get("contentRemovedAt") {
                Ok(Some(_)) => Seen::Through,
                _ if settled.contains(&status) && changed_at < before => Seen::Old,
                _ => Seen::Young,
            }
        };
        let seen = self
            .fetch(&self.messages, query, |raw| (id_of(raw), judge(raw)))
            .await?;
        let mut erased = 0;
        let old = old_ids(&seen);
        if !old.is_empty() {
            // One that was sent again meanwhile keeps its content, and who read one before can save it no more.
            let filter = doc! {
                "_id": { "$in": old }, "tenantId": tenant_id.to_string(), "status": { "$in": &settled },
                "updatedAt": { "$lt": before }, "contentRemovedAt": { "$exists": false },
            };
            let update = doc! {
                "$set": { "content": REMOVED_BODY, "contentRemovedAt": date(removed_at) },
                "$unset": { "envelope": "", "frame": "" },
                "$inc": { "version": 1_i64 },
            };
            let update = self
                .messages
                .update_many(filter, update)
                .hint(Hint::Name(BY_ID.to_owned()));
            let updated = self.bounded(self.options.write_timeout, async { update.await }).await;
            erased = updated.map_err(|failure| failure.to_store_error())?.modified_count;
        }
        self.end_walk(&walk, &seen, portion, erased).await
    }

    /// Deletes events that tell contents and were received before the portion does. What amends a message stays longer.
    pub(super) async fn erase_written(&self, portion: &AgedPortion) -> Result<ErasedPortion, StoreError> {
        let walk = self
            .walk_of(&walk_id("written", portion.tenant_id.as_ref()), portion)
            .await?;
        let before = date(portion.before);
        let amendments_before = date(portion.before - KEPT_LONGER);
        let tenant_id = portion.tenant_id.map_or(Bson::Null, |id| id.to_string().into());
        let query = Query::new(
            doc! { "tenantId": &tenant_id, "_id": { "$gt": &walk.from } },
            EVENT_TENANT,
        )
        .sort(doc! { "_id": 1 })
        .limit(portion.limit)
        .fields(doc! { "_id": 1, "receivedAt": 1, "amends.wamid": 1, "field": 1, "raw": 1 });
        let judge = |raw: &RawDocument| {
            let is_amendment = !matches!(raw.get("amends"), Ok(None));
            let (Ok(received_at), Ok(field), Ok(text)) =
                (raw.get_datetime("receivedAt"), raw.get_str("field"), raw.get_str("raw"))
            else {
                return Seen::Through;
            };
            // Ids are in the order of time.
            if received_at >= before {
                return Seen::End;
            }
            match tells_contents(field, is_amendment, text) {
                false => Seen::Through,
                true if is_amendment && received_at >= amendments_before => Seen::Young,
                true => Seen::Old,
            }
        };
        let seen = self.fetch(&self.events, query, |raw| (id_of(raw), judge(raw))).await?;
        let mut erased = 0;
        let old = old_ids(&seen);
        if !old.is_empty() {
            let filter = doc! { "_id": { "$in": old }, "tenantId": tenant_id, "receivedAt": { "$lt": before } };
            erased = self.delete_by_ids(&self.events, filter).await?;
        }
        self.end_walk(&walk, &seen, portion, erased).await
    }

    async fn walk_of(&self, id: &str, portion: &AgedPortion) -> Result<Walk, StoreError> {
        let query = Query::new(doc! { "_id": id }, BY_ID);
        let read = |raw: &RawDocument| Ok(raw.get_str("upTo").unwrap_or_default().to_owned());
        let kept = self
            .fetch_one(&self.retention(), query, read)
            .await?
            .unwrap_or_default();
        Ok(Walk {
            id: id.to_owned(),
            from: portion.from.clone().unwrap_or_else(|| kept.clone()),
            kept,
        })
    }

    /// Keeps how far the walk is, if it went on from where it was kept.
    async fn end_walk(
        &self,
        walk: &Walk,
        seen: &[(Option<String>, Seen)],
        portion: &AgedPortion,
        erased: u64,
    ) -> Result<ErasedPortion, StoreError> {
        let through = seen
            .iter()
            .take_while(|(_, seen)| matches!(seen, Seen::Through | Seen::Old));
        let up_to = through.filter_map(|(id, _)| id.as_deref()).last();
        if let Some(up_to) = up_to.filter(|_| walk.from == walk.kept) {
            let update = doc! { "$set": { "upTo": up_to, "schemaVersion": SCHEMA_VERSION } };
            let retention = self.retention();
            let keep = retention.update_one(doc! { "_id": &walk.id }, update).upsert(true);
            match self.bounded(self.options.write_timeout, async { keep.await }).await {
                Ok(_) => {}
                // Two processes created the document at the same time. The next walk goes on from either place.
                Err(failure) if failure.is_duplicate_key() => {}
                Err(failure) => return Err(failure.to_store_error()),
            }
        }
        let is_full = seen.len() >= portion.limit as usize;
        let has_ended = seen.iter().any(|(_, seen)| *seen == Seen::End);
        let last = seen.iter().rev().find_map(|(id, _)| id.clone());
        Ok(ErasedPortion {
            erased,
            next: last.filter(|_| is_full && !has_ended),
        })
    }

    /// Forgets how far the walks of a tenant are, which is gone.
    pub(super) async fn forget_walks(&self, tenant_id: &TenantId) -> Result<(), StoreError> {
        let ids = ["contents", "written"].map(|kind| walk_id(kind, Some(tenant_id)));
        let walks: Document = doc! { "_id": { "$in": ids.to_vec() } };
        self.delete_by_ids(&self.retention(), walks).await.map(drop)
    }
}

fn walk_id(kind: &str, tenant_id: Option<&TenantId>) -> String {
    tenant_id.map_or_else(|| kind.to_owned(), |tenant_id| format!("{kind}/{tenant_id}"))
}

fn id_of(raw: &RawDocument) -> Option<String> {
    raw.get_str("_id").ok().map(str::to_owned)
}

fn old_ids(seen: &[(Option<String>, Seen)]) -> Vec<&str> {
    let old = seen.iter().filter(|(_, seen)| *seen == Seen::Old);
    old.filter_map(|(id, _)| id.as_deref()).collect()
}
