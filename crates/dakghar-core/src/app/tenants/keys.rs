//! Checks API keys of tenants. Nobody learns from an answer, or from the time it takes, whether a tenant exists.

use std::net::IpAddr;

use super::Tenants;
use crate::app::failure::Failure;
use crate::domain::api_key::{KeyRefusal, find_key};
use crate::domain::tenant::SharedTenant;
use crate::domain::{ApiKey, ApiKeyId, PhoneNumberId, Scopes, Tenant, TenantId, WabaId};
use crate::ports::StoreError;

/// What was found out about a key.
#[derive(Debug)]
pub enum KeyVerdict {
    /// It is an API key of this tenant.
    Right(KnownKey),
    /// It is one, and may not be used now or from there.
    Refused(KeyRefusal),
    /// It is not, or there is no such tenant.
    Wrong,
    /// The tenant's record, and with it the hashes of its keys, cannot be read.
    Unreadable(StoreError),
}

/// A key that is right.
#[derive(Clone, Debug)]
pub struct KnownKey {
    /// Whose key it is.
    pub tenant: SharedTenant,
    /// The key.
    pub id: ApiKeyId,
    /// The scopes that it has.
    pub scopes: Scopes,
}

impl Tenants {
    /// Checks whether `key` is an API key of the tenant with this id, also one from before the master key was changed, and
    /// may be used from this address now. A key that is right is noted as used.
    ///
    /// A wrong key costs its comparisons and one read of the store, whether the tenant is one that everybody uses, one that
    /// cannot be read, or none. A right one is judged by what was read at most [`Settings::directory_ttl`] ago. So a key that
    /// was revoked is refused after that at the latest, and while the store cannot be reached every key fails as the read
    /// does.
    ///
    /// [`Settings::directory_ttl`]: crate::app::Settings::directory_ttl
    pub async fn check_api_key(
        &self,
        id: Option<&TenantId>,
        key: &str,
        address: Option<IpAddr>,
    ) -> Result<KeyVerdict, Failure> {
        let hashes = self.ports.secrets.hashes_of_api_key(key);
        let remembered = id.and_then(|id| self.directory.remembered(id));
        if let Some(verdict) = remembered.and_then(|tenant| self.verdict(&tenant, &hashes, address)) {
            return Ok(verdict);
        }
        // What can be no id names no tenant, as everybody sees.
        let Some(id) = id else {
            return Ok(KeyVerdict::Wrong);
        };
        Ok(match self.directory.read(id).await {
            Ok(tenant) => {
                let verdict = tenant.and_then(|tenant| self.verdict(&tenant, &hashes, address));
                verdict.unwrap_or(KeyVerdict::Wrong)
            }
            Err(error @ StoreError::Unreadable(_)) => KeyVerdict::Unreadable(error),
            Err(error) => return Err(error.into()),
        })
    }

    /// Returns the tenant that has this number. One whose record cannot be read has none.
    pub async fn owner_of_number(&self, number: &PhoneNumberId) -> Result<Option<TenantId>, Failure> {
        let found = self.directory.owners(std::slice::from_ref(number)).await?;
        match found.into_iter().next() {
            Some(Ok(owner)) => Ok(owner.map(|tenant| tenant.id)),
            None | Some(Err(StoreError::Unreadable(_))) => Ok(None),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Returns the tenants that have a number of this account. One whose record cannot be read has none.
    pub async fn owners_of_account(&self, account: &WabaId) -> Result<Vec<TenantId>, Failure> {
        let mut owners = Vec::new();
        for found in self.directory.owners_of_waba(account).await? {
            match found {
                Ok(owner) => owners.extend(owner.map(|tenant| tenant.id)),
                Err(StoreError::Unreadable(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(owners)
    }

    /// Judges a key that is right; `None` for one that is not.
    fn verdict(&self, tenant: &SharedTenant, hashes: &[Vec<u8>], address: Option<IpAddr>) -> Option<KeyVerdict> {
        let wall = self.ports.clock.wall();
        let key = find_key(&tenant.keys, hashes, wall)?;
        Some(match key.judge(address, wall) {
            Ok(()) => {
                self.key_uses.note(tenant, key);
                KeyVerdict::Right(KnownKey {
                    tenant: tenant.clone(),
                    id: key.id,
                    scopes: key.scopes,
                })
            }
            Err(refusal) => KeyVerdict::Refused(refusal),
        })
    }
}

/// Returns the key of this id.
pub(super) fn key_of<'a>(tenant: &'a mut Tenant, id: &ApiKeyId) -> Option<&'a mut ApiKey> {
    tenant.keys.iter_mut().find(|key| key.id == *id)
}
