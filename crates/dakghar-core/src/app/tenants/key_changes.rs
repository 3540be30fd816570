//! Keys of a tenant: made, replaced, revoked. Each is one save of the tenant, so a crash leaves all of it or nothing.
//!
//! Who gives a key cannot give more than it has itself: neither scopes, nor addresses, nor time. So no key can be used to
//! get a better one. The giver is judged by the version of the tenant that is saved, so one that was revoked gives nothing.

use std::time::Duration;

use super::Tenants;
use super::keys::key_of;
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::new_keys::{
    API_KEY_PREFIX, NewApiKey, ShownKey, check_giver, key_is_gone, make_key, make_secret, overlap_of,
};
use crate::app::stale::Step;
use crate::domain::api_key::{KEY_SECRETS_MAX, KEYS_MAX};
use crate::domain::audit::{AuditAction, Principal, Who};
use crate::domain::{ApiKey, ApiKeyId, ErrorCode, Problem, Tenant, TenantId};

impl Tenants {
    /// Makes a key. If the answer is lost, the key is there and nobody knows it: it is found in the list, and revoked.
    pub async fn create_key(&self, id: &TenantId, new: &NewApiKey, by: &Principal) -> Result<ShownKey, Failure> {
        let shown = make_key(&self.ports, API_KEY_PREFIX, new)?;
        self.may_operator_give(by, &shown.key).await?;
        let deed = Deed::new(by, AuditAction::KeyMade).about("key", shown.key.id);
        self.change_by(id, deed, |tenant| {
            may_give(tenant, by, &shown.key)?;
            // What is over makes room by being revoked; nothing goes by itself.
            if tenant.keys.len() >= KEYS_MAX {
                let detail = format!("The tenant has {KEYS_MAX} keys; revoke one that is not needed.");
                return Err(Problem::new(ErrorCode::KeyLimit, detail));
            }
            tenant.keys.push(shown.key.clone());
            Ok(Step::Save)
        })
        .await?;
        tracing::info!(tenant_id = %id, key_id = %shown.key.id, "an API key was made");
        Ok(shown)
    }

    /// Gives a key another secret. The one before stays valid for `overlap`, a day if that is not said. Both are one save:
    /// if the answer is lost the old secret is still valid for that long, and the key is rotated again.
    pub async fn rotate_key(
        &self,
        id: &TenantId,
        key_id: &str,
        overlap: Option<Duration>,
        by: &Principal,
    ) -> Result<ShownKey, Failure> {
        let (overlap, key_id) = (overlap_of(overlap)?, parse(key_id)?);
        let (secret, kept) = make_secret(API_KEY_PREFIX, &*self.ports.ids, &self.ports.secrets);
        let wall = self.ports.clock.wall();
        if let Some(given) = self.stored(id).await?.keys.iter().find(|key| key.id == key_id) {
            self.may_operator_give(by, given).await?;
        }
        let deed = Deed::new(by, AuditAction::KeyRotated).about("key", key_id);
        let changed = self
            .change_by(id, deed, |tenant| {
                let given = key_of(tenant, &key_id).ok_or_else(no_such_key)?.clone();
                may_give(tenant, by, &given)?;
                let key = key_of(tenant, &key_id).ok_or_else(no_such_key)?;
                key.rotate(kept.clone(), wall, overlap).map_err(|_| {
                    let detail = format!("The key has {KEY_SECRETS_MAX} secrets that are valid still.");
                    Problem::new(ErrorCode::KeyLimit, detail)
                })?;
                Ok(Step::Save)
            })
            .await?;
        let key = changed.tenant.keys.iter().find(|key| key.id == key_id);
        let key = key.cloned().ok_or_else(no_such_key)?;
        tracing::info!(tenant_id = %id, %key_id, "an API key has another secret");
        Ok(ShownKey { key, secret })
    }

    /// An operator gives tenants what the operator's own key has. A key of the settings has everything.
    async fn may_operator_give(&self, by: &Principal, given: &ApiKey) -> Result<(), Failure> {
        let Who::Operator(id) = by.who else { return Ok(()) };
        let giver = self.ports.operators.find_operator_key(&id).await?;
        Ok(check_giver(&giver.ok_or_else(key_is_gone)?.key, given)?)
    }

    /// Revokes a key, with every secret it has. This process refuses it at once, others within a second.
    pub async fn revoke_key(&self, id: &TenantId, key_id: &str, by: &Principal) -> Result<(), Failure> {
        let key_id = parse(key_id)?;
        let deed = Deed::new(by, AuditAction::KeyRevoked).about("key", key_id);
        self.change_by(id, deed, |tenant| {
            let before = tenant.keys.len();
            tenant.keys.retain(|key| key.id != key_id);
            if tenant.keys.len() == before {
                return Err(no_such_key());
            }
            Ok(Step::Save)
        })
        .await?;
        tracing::info!(tenant_id = %id, %key_id, "an API key was revoked");
        Ok(())
    }
}

/// A tenant may give what its key has itself.
fn may_give(tenant: &Tenant, by: &Principal, given: &ApiKey) -> Result<(), Problem> {
    let Who::Tenant(id) = by.who else {
        return Ok(());
    };
    let giver = tenant.keys.iter().find(|key| key.id == id);
    check_giver(giver.ok_or_else(key_is_gone)?, given)
}

fn parse(text: &str) -> Result<ApiKeyId, Problem> {
    ApiKeyId::parse(text).map_err(|_| no_such_key())
}

fn no_such_key() -> Problem {
    Problem::new(ErrorCode::KeyNotFound, "The tenant has no key of this id.")
}
