//! The answers of receivers of callbacks: one may hold anything, so all of a tenant's are emptied, endpoint by endpoint.

use bson::{Document, RawDocumentBuf, doc};
use dakghar_core::ports::{PersonErased, PersonPortion, StoreError};
use mongodb::Collection;
use mongodb::options::{Hint, UpdateModifications};

use crate::mongo::MongoStore;
use crate::mongo::indexes::BY_ID;

impl MongoStore {
    /// One endpoint in a portion. An update that takes longer than a write may is an error, and has done a part of it: the
    /// next try has less to do.
    pub(super) async fn empty_answers(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError> {
        let endpoints = self.endpoints_with_callbacks(&portion.tenant_id).await?;
        let from = portion.from.as_deref().unwrap_or_default();
        let mut behind = endpoints.into_iter().filter(|id| id.as_str() > from);
        let Some(endpoint_id) = behind.next() else {
            return Ok(PersonErased::default());
        };
        let tenant_id = portion.tenant_id.to_string();
        // Whoever delivers finds its version stale, and reads anew what it had read before.
        let progress = doc! { "_id": &endpoint_id, "tenantId": &tenant_id };
        let moved = doc! { "$inc": { "version": 1_i64 } };
        self.update_answers(&self.callback_progress, progress, moved.into())
            .await?;
        let range = doc! { "$gte": format!("{endpoint_id}/"), "$lt": format!("{endpoint_id}0") };
        let having = |field: &str| doc! { "_id": &range, "tenantId": &tenant_id, field: { "$exists": true } };
        let mut erased = 0;
        let emptied = doc! { "$unset": { "last.answer": "" } };
        erased += self
            .update_answers(&self.callback_exceptions, having("last.answer"), emptied.into())
            .await?;
        let emptied = doc! { "$unset": { "attempts.$[].answer": "" } };
        erased += self
            .update_answers(&self.callback_attempts, having("attempts.answer"), emptied.into())
            .await?;
        // What is no list of attempts may hold answers in a way that nobody can read.
        let broken = doc! {
            "_id": &range, "tenantId": &tenant_id, "attempts": { "$not": { "$type": "array" } },
        };
        erased += self.delete_by_ids(&self.callback_attempts, broken).await?;
        Ok(PersonErased {
            erased,
            next: behind.next().map(|_| endpoint_id),
            ..PersonErased::default()
        })
    }

    async fn update_answers(
        &self,
        collection: &Collection<RawDocumentBuf>,
        filter: Document,
        update: UpdateModifications,
    ) -> Result<u64, StoreError> {
        let update = collection
            .update_many(filter, update)
            .hint(Hint::Name(BY_ID.to_owned()));
        let updated = self.bounded(self.options.write_timeout, async { update.await }).await;
        updated
            .map(|updated| updated.modified_count)
            .map_err(|failure| failure.to_store_error())
    }
}
