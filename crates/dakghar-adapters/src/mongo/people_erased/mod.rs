//! Erasures of people: their records here, the work in the files below.

mod answers;
mod portions;

use async_trait::async_trait;
use bson::doc;
use dakghar_core::domain::erasure::{ErasurePlace, PersonErasure};
use dakghar_core::domain::ids::{ErasureId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::ports::{PersonErased, PersonErasureStore, PersonPortion, Remains, Saved, StoreError};

use super::MongoStore;
use super::documents::erasure;
use super::indexes::{BY_ID, ERASURE_DUE, ERASURE_TENANT};
use super::pages::List;
use super::reads::Query;

#[async_trait]
impl PersonErasureStore for MongoStore {
    async fn insert_erasure(&self, erasure: &PersonErasure) -> Result<(), StoreError> {
        let document = erasure::encode(erasure, erasure.version)?;
        let find = self.find_erasure(&erasure.tenant_id, &erasure.id);
        self.insert_one(&self.erasures, document, find, |_| true).await?;
        Ok(())
    }

    async fn save_erasure(&self, erasure: &PersonErasure) -> Result<Saved, StoreError> {
        let document = erasure::encode(erasure, erasure.version + 1)?;
        // A save whose answer is lost is not looked up: its portion is done again, and finds nothing.
        let id = erasure.id.to_string();
        self.replace_version(&self.erasures, &id, erasure.version, document)
            .await
    }

    async fn find_erasure(&self, tenant_id: &TenantId, id: &ErasureId) -> Result<Option<PersonErasure>, StoreError> {
        let filter = doc! { "_id": id.to_string(), "tenantId": tenant_id.to_string() };
        let query = Query::new(filter, BY_ID).majority();
        self.fetch_one(&self.erasures, query, erasure::decode).await
    }

    async fn list_erasures(
        &self,
        tenant_id: &TenantId,
        before: Option<ErasureId>,
        limit: PageLimit,
    ) -> Result<Listed<PersonErasure>, StoreError> {
        let list = List::of(
            &self.erasures,
            ERASURE_TENANT,
            doc! { "tenantId": tenant_id.to_string() },
        );
        let before = before.map(|before| before.to_string());
        let parse = |id: &str| ErasureId::parse(id).ok();
        self.page(&list, before, limit, parse, erasure::decode).await
    }

    async fn due_erasures(&self, limit: u32) -> Result<Vec<PersonErasure>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let query = Query::new(doc! { "needsWork": true }, ERASURE_DUE)
            .sort(doc! { "needsWork": 1, "updatedAt": 1 })
            .limit(limit);
        self.fetch_readable(&self.erasures, query, erasure::decode).await
    }

    async fn erase_person(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError> {
        if portion.limit == 0 {
            return Ok(PersonErased::default());
        }
        match portion.place {
            ErasurePlace::Messages => self.erase_messages_of_person(portion).await,
            ErasurePlace::GroupMessages => self.erase_group_messages(portion).await,
            ErasurePlace::Reports => self.erase_reports_on_person(portion).await,
            ErasurePlace::Events | ErasurePlace::Unrouted => self.erase_events_on_person(portion).await,
            ErasurePlace::Conversations => self.forget_conversations(portion).await,
            ErasurePlace::Answers => self.empty_answers(portion).await,
            ErasurePlace::File => Ok(PersonErased::default()),
        }
    }

    /// Nothing is left that the server would give out. Its oplog and journal, and blocks of its files that are free, are
    /// written over in time; nobody can ask for that.
    async fn clear_remains(&self) -> Result<Remains, StoreError> {
        Ok(Remains::None)
    }
}
