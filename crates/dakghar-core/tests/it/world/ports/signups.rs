//! Signups at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::signup::Signup;
use dakghar_core::domain::{SignupId, TenantId, Timestamp};
use dakghar_core::ports::{Saved, SignupStore, StoreError};

use super::{Near, at_once};
use crate::world::wire::Call;

#[async_trait]
impl SignupStore for Near {
    async fn insert_signup(&self, signup: &Signup) -> Result<Saved, StoreError> {
        let signup = signup.clone();
        self.once(Call::Signup, move |shared| at_once(shared.store.insert_signup(&signup)))
            .await
    }

    async fn save_signup(&self, signup: &Signup) -> Result<Saved, StoreError> {
        let signup = signup.clone();
        self.once(Call::Signup, move |shared| at_once(shared.store.save_signup(&signup)))
            .await
    }

    async fn find_signup(&self, tenant_id: &TenantId, id: &SignupId) -> Result<Option<Signup>, StoreError> {
        let (tenant_id, id) = (*tenant_id, *id);
        self.once(Call::Query, move |shared| {
            at_once(shared.store.find_signup(&tenant_id, &id))
        })
        .await
    }

    async fn find_signup_of_key(&self, key: &[u8]) -> Result<Option<Signup>, StoreError> {
        let key = key.to_vec();
        self.once(Call::Query, move |shared| {
            at_once(shared.store.find_signup_of_key(&key))
        })
        .await
    }

    async fn list_signups(
        &self,
        tenant_id: &TenantId,
        before: Option<SignupId>,
        limit: PageLimit,
    ) -> Result<Listed<Signup>, StoreError> {
        let tenant_id = *tenant_id;
        self.once(Call::Query, move |shared| {
            at_once(shared.store.list_signups(&tenant_id, before, limit))
        })
        .await
    }

    async fn due_signups(&self, now: Timestamp, limit: u32) -> Result<Vec<Signup>, StoreError> {
        self.once(Call::Query, move |shared| at_once(shared.store.due_signups(now, limit)))
            .await
    }
}
