//! Signups: how numbers of tenants were connected.

use async_trait::async_trait;

use super::{Saved, StoreError};
use crate::domain::ids::{SignupId, TenantId};
use crate::domain::page::{Listed, PageLimit};
use crate::domain::signup::Signup;
use crate::domain::time::Timestamp;

/// The signups of tenants.
#[async_trait]
pub trait SignupStore: Send + Sync {
    /// Stores a new signup (`version` 0). Returns `Stale` if there is one of its id or its key, and changes nothing then.
    async fn insert_signup(&self, signup: &Signup) -> Result<Saved, StoreError>;

    /// Saves a whole signup, if `signup.version` is still the stored one. The caller raises its own copy's version by one
    /// after `Done`. Its key stays what it was.
    async fn save_signup(&self, signup: &Signup) -> Result<Saved, StoreError>;

    /// Returns one signup of a tenant.
    async fn find_signup(&self, tenant_id: &TenantId, id: &SignupId) -> Result<Option<Signup>, StoreError>;

    /// Returns the signup of this key, whosever it is.
    async fn find_signup_of_key(&self, key: &[u8]) -> Result<Option<Signup>, StoreError>;

    /// Returns signups of a tenant older than `before`, newest first.
    async fn list_signups(
        &self,
        tenant_id: &TenantId,
        before: Option<SignupId>,
        limit: PageLimit,
    ) -> Result<Listed<Signup>, StoreError>;

    /// Returns signups that must be worked on at `now` or before, the one that is due longest first.
    async fn due_signups(&self, now: Timestamp, limit: u32) -> Result<Vec<Signup>, StoreError>;
}
