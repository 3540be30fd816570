//! The port of signups, measured.

use async_trait::async_trait;
use dakghar_core::domain::ids::{SignupId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::signup::Signup;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{Saved, SignupStore, StoreError};

use super::store::MeasuredStore;

#[async_trait]
impl<S: SignupStore> SignupStore for MeasuredStore<S> {
    async fn insert_signup(&self, signup: &Signup) -> Result<Saved, StoreError> {
        let inserting = self.inner.insert_signup(signup);
        self.measure(StoreCall::SignupsInsert, inserting).await
    }

    async fn save_signup(&self, signup: &Signup) -> Result<Saved, StoreError> {
        let saving = self.inner.save_signup(signup);
        self.measure(StoreCall::SignupsSave, saving).await
    }

    async fn find_signup(&self, tenant_id: &TenantId, id: &SignupId) -> Result<Option<Signup>, StoreError> {
        let finding = self.inner.find_signup(tenant_id, id);
        self.measure(StoreCall::SignupsFind, finding).await
    }

    async fn find_signup_of_key(&self, key: &[u8]) -> Result<Option<Signup>, StoreError> {
        let finding = self.inner.find_signup_of_key(key);
        self.measure(StoreCall::SignupsFindOfKey, finding).await
    }

    async fn list_signups(
        &self,
        tenant_id: &TenantId,
        before: Option<SignupId>,
        limit: PageLimit,
    ) -> Result<Listed<Signup>, StoreError> {
        let listing = self.inner.list_signups(tenant_id, before, limit);
        self.measure(StoreCall::SignupsList, listing).await
    }

    async fn due_signups(&self, now: Timestamp, limit: u32) -> Result<Vec<Signup>, StoreError> {
        self.measure(StoreCall::SignupsDue, self.inner.due_signups(now, limit))
            .await
    }
}
