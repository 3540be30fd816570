//! Signups.

use async_trait::async_trait;
use bson::doc;
use dakghar_core::domain::ids::{SignupId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::signup::Signup;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Saved, SignupStore, StoreError};

use super::MongoStore;
use super::documents::{binary, date, signup};
use super::indexes::{BY_ID, SIGNUP_DUE, SIGNUP_KEY, SIGNUP_TENANT};
use super::pages::List;
use super::reads::Query;

#[async_trait]
impl SignupStore for MongoStore {
    async fn insert_signup(&self, signup: &Signup) -> Result<Saved, StoreError> {
        let document = signup::encode(signup, signup.version)?;
        let find = self.find_signup(&signup.tenant_id, &signup.id);
        self.insert_one(&self.signups, document, find, |_| true).await
    }

    async fn save_signup(&self, signup: &Signup) -> Result<Saved, StoreError> {
        let document = signup::encode(signup, signup.version + 1)?;
        // A save whose answer is lost is not looked up: its step is taken again, and finds what it did.
        let id = signup.id.to_string();
        self.replace_version(&self.signups, &id, signup.version, document).await
    }

    async fn find_signup(&self, tenant_id: &TenantId, id: &SignupId) -> Result<Option<Signup>, StoreError> {
        let filter = doc! { "_id": id.to_string(), "tenantId": tenant_id.to_string() };
        let query = Query::new(filter, BY_ID).majority();
        self.fetch_one(&self.signups, query, signup::decode).await
    }

    async fn find_signup_of_key(&self, key: &[u8]) -> Result<Option<Signup>, StoreError> {
        let query = Query::new(doc! { "keyHash": binary(key) }, SIGNUP_KEY).majority();
        self.fetch_one(&self.signups, query, signup::decode).await
    }

    async fn list_signups(
        &self,
        tenant_id: &TenantId,
        before: Option<SignupId>,
        limit: PageLimit,
    ) -> Result<Listed<Signup>, StoreError> {
        let list = List::of(&self.signups, SIGNUP_TENANT, doc! { "tenantId": tenant_id.to_string() });
        let before = before.map(|before| before.to_string());
        let parse = |id: &str| SignupId::parse(id).ok();
        self.page(&list, before, limit, parse, signup::decode).await
    }

    async fn due_signups(&self, now: Timestamp, limit: u32) -> Result<Vec<Signup>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let query = Query::new(doc! { "dueAt": { "$lte": date(now) } }, SIGNUP_DUE)
            .sort(doc! { "dueAt": 1 })
            .limit(limit);
        self.fetch_readable(&self.signups, query, signup::decode).await
    }
}
