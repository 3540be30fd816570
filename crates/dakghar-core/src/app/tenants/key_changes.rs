//! Keys of a tenant: made, replaced, revoked. Each is one save of the tenant, so a crash leaves all of it or nothing.
//!
//! Who gives a key cannot give more than it has itself: neither scopes, nor addresses, nor time. So no key can be used to
//! get a better one. The giver is judged by the version of the tenant that is saved, so one that was revoked gives nothing.

use std::time::Duration;

use super::Tenants;
use super::keys::key_of;
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::new_keys::{API_KEY_PREFIX, NewApiKey, ShownKey, make_key, make_secret, overlap_of};
use crate::app::stale::Step;
use crate::domain::api_key::{KEY_SECRETS_MAX, KEYS_MAX, Lacking};
use crate::domain::audit::{AuditAction, Principal, Who};
use crate::domain::{ApiKey, ApiKeyId, ErrorCode, Problem, Scope, Tenant, TenantId};

impl Tenants {
    /// Makes a key. If the answer is lost, the key is there and nobody knows it: it is found in the list, and revoked.
    pub async fn create_key(&self, id: &TenantId, new: &NewApiKey, by: &Principal) -> Result<ShownKey, Failure> {
        let shown = make_key(&self.ports, API_KEY_PREFIX, new)?;
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

/// An operator may give everything, a tenant what its key has itself.
fn may_give(tenant: &Tenant, by: &Principal, given: &ApiKey) -> Result<(), Problem> {
    let Who::Tenant(id) = by.who else {
        return Ok(());
    };
    let giver = tenant.keys.iter().find(|key| key.id == id).ok_or_else(|| {
        let detail = "The key that this request was made with was revoked.";
        Problem::new(ErrorCode::Forbidden, detail)
    })?;
    match giver.lacks_to_give(given) {
        None => Ok(()),
        Some(Lacking::Scope(scope)) => Err(missing_scope(scope)),
        Some(Lacking::Addresses) => {
            let detail = "A key gives only addresses from which it may be used itself.";
            Err(Problem::new(ErrorCode::Forbidden, detail))
        }
        Some(Lacking::Time) => {
            let detail = "A key gives none that expires later than itself, or never.";
            Err(Problem::new(ErrorCode::Forbidden, detail))
        }
    }
}

/// The problem of a key that may not do what it was used for.
pub fn missing_scope(scope: Scope) -> Problem {
    let detail = format!("The key lacks the scope `{}`.", scope.as_str());
    Problem::new(ErrorCode::MissingScope, detail)
}

fn parse(text: &str) -> Result<ApiKeyId, Problem> {
    ApiKeyId::parse(text).map_err(|_| no_such_key())
}

fn no_such_key() -> Problem {
    Problem::new(ErrorCode::KeyNotFound, "The tenant has no key of this id.")
}
