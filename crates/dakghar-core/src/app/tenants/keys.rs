//! API keys of tenants. Nobody learns from an answer, or from the time it takes, whether a tenant exists.

use aws_lc_rs::constant_time;

use super::Tenants;
use crate::app::failure::Failure;
use crate::domain::tenant::SharedTenant;
use crate::domain::{Tenant, TenantId};
use crate::ports::StoreError;

/// What is compared with where there is no tenant: as long as the hash of a key, and that of none.
const NO_HASH: [u8; 32] = [0; 32];

/// What was found out about a key.
#[derive(Debug)]
pub enum KeyVerdict {
    /// It is the API key of this tenant.
    Right(SharedTenant),
    /// It is not, or there is no such tenant.
    Wrong,
    /// The tenant's record, and with it the hash of its key, cannot be read.
    Unreadable(StoreError),
}

/// The hashes of a key, one for each master key that is known.
struct Hashes(Vec<u8>, Option<Vec<u8>>);

impl Hashes {
    /// True if the tenant keeps one of them. Takes the same time where there is no tenant.
    fn are_of(&self, tenant: Option<&Tenant>) -> bool {
        let kept = tenant.map_or(&NO_HASH[..], |tenant| &tenant.api_key_hash);
        let is_kept = |hash: &Vec<u8>| constant_time::verify_slices_are_equal(hash, kept).is_ok();
        (is_kept(&self.0) || self.1.as_ref().is_some_and(is_kept)) && tenant.is_some()
    }
}

impl Tenants {
    /// Checks whether `key` is the API key of the tenant with this id, also if it was made under the previous master
    /// key.
    ///
    /// A wrong key costs two comparisons and one read of the store, whether the tenant is one that everybody uses, one
    /// that cannot be read, or none. While the store cannot be reached every wrong key fails as the read does.
    pub async fn check_api_key(&self, id: Option<&TenantId>, key: &str) -> Result<KeyVerdict, Failure> {
        let vault = &self.ports.vault;
        let hashes = Hashes(vault.hash_api_key(key), vault.previous_hash_api_key(key));
        let remembered = id.and_then(|id| self.directory.remembered(id));
        let is_right = hashes.are_of(remembered.as_deref());
        if let Some(tenant) = remembered.filter(|_| is_right) {
            return Ok(KeyVerdict::Right(tenant));
        }
        // What can be no id names no tenant, as everybody sees.
        let Some(id) = id else {
            return Ok(KeyVerdict::Wrong);
        };
        let (tenant, unreadable) = match self.directory.read(id).await {
            Ok(tenant) => (tenant, None),
            Err(error @ StoreError::Unreadable(_)) => (None, Some(error)),
            Err(error) => return Err(error.into()),
        };
        let is_right = hashes.are_of(tenant.as_deref());
        Ok(match (tenant.filter(|_| is_right), unreadable) {
            (Some(tenant), _) => KeyVerdict::Right(tenant),
            (None, Some(error)) => KeyVerdict::Unreadable(error),
            (None, None) => KeyVerdict::Wrong,
        })
    }
}
