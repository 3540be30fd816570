//! Keys of operators: made, replaced, revoked, and checked by what this process knows of them.

mod known;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::new_keys::{NewApiKey, OPERATOR_KEY_PREFIX, check_giver, key_is_gone, make_key, make_secret, overlap_of};
use super::stale::ROUNDS_MAX;
use crate::domain::api_key::{ApiKey, KEY_SECRETS_MAX};
use crate::domain::audit::{AuditAction, Principal, Who, key_changes};
use crate::domain::operator_key::{OPERATOR_KEYS_MAX, OperatorKey, Role};
use crate::domain::{ApiKeyId, ErrorCode, Problem, Secret, Timestamp};
use crate::group_commit::{BoxFuture, Limits};
use crate::ports::{AuditedChange, Carried, OperatorStore, Ports};
use known::KnownOperators;

pub use known::OperatorVerdict;

/// A new key of an operator, as a client describes it.
#[derive(Clone, Debug)]
pub struct NewOperatorKey {
    /// What people call it.
    pub name: String,
    /// What its owner may do.
    pub role: Role,
    /// Where it may be used from: anywhere if there is none.
    pub addresses: Vec<String>,
    /// The time from which it is not valid any more.
    pub expires_at: Option<Timestamp>,
}

/// A key of an operator, and its secret, which is shown only this once.
#[derive(Clone, Debug)]
pub struct ShownOperatorKey {
    /// The key.
    pub key: OperatorKey,
    /// What its owner presents.
    pub secret: Secret,
}

/// Manages the keys of operators.
pub struct Operators {
    ports: Ports,
    store: Arc<dyn OperatorStore>,
    known: KnownOperators,
    ledger: Ledger,
}

impl Operators {
    /// The future notes uses of keys.
    pub(super) fn new(ports: &Ports, limits: &Limits) -> (Self, BoxFuture<()>) {
        let (known, noting) = KnownOperators::new(ports, limits);
        let operators = Self {
            ports: ports.clone(),
            store: ports.operators.clone(),
            ledger: Ledger::new(ports),
            known,
        };
        (operators, noting)
    }

    /// Checks whether `key` is that of an operator, and may be used from this address now. It is judged by what was read at
    /// most a second ago. A key that is right is noted as used.
    pub async fn check(&self, key: &str, address: Option<IpAddr>) -> Result<OperatorVerdict, Failure> {
        self.known.check(key, address).await
    }

    /// Returns the name of a key, if this process knows it.
    pub async fn name_of(&self, id: &ApiKeyId) -> Option<Arc<str>> {
        self.known.name_of(id).await
    }

    /// Returns all keys, in the order in which they were made.
    pub async fn list(&self) -> Result<Vec<OperatorKey>, Failure> {
        Ok(self.store.operator_keys().await?)
    }

    /// Makes a key. If the answer is lost, the key is there and nobody knows it: it is found in the list, and revoked.
    pub async fn create(&self, new: &NewOperatorKey, by: &Principal) -> Result<ShownOperatorKey, Failure> {
        let described = NewApiKey {
            name: new.name.clone(),
            scopes: new.role.scopes(),
            addresses: new.addresses.clone(),
            expires_at: new.expires_at,
        };
        let shown = make_key(&self.ports, OPERATOR_KEY_PREFIX, &described)?;
        self.may_give(by, &shown.key).await?;
        // Two who make the last one at a time may both: a bound of memory, not of rights.
        if self.store.operator_keys().await?.len() >= OPERATOR_KEYS_MAX {
            let detail = format!("There are {OPERATOR_KEYS_MAX} keys of operators; revoke one that is not needed.");
            return Err(Problem::new(ErrorCode::KeyLimit, detail).into());
        }
        let key = OperatorKey {
            role: new.role,
            key: shown.key,
            version: 0,
        };
        let deed = Deed::new(by, AuditAction::OperatorKeyMade).about("key", key.key.id);
        let change = AuditedChange::InsertOperatorKey(Box::new(key.clone()));
        let carried = self
            .ledger
            .carry_out(&change, &deed, key_changes(None, &key.key))
            .await?;
        self.known.forget().await;
        if carried != Carried::Done {
            return Err(Failure::KeptChanging("key"));
        }
        tracing::info!(key_id = %key.key.id, role = key.role.as_str(), "a key of an operator was made");
        Ok(ShownOperatorKey {
            key,
            secret: shown.secret,
        })
    }

    /// Gives a key another secret. The one before stays valid for `overlap`, a day if that is not said. Both are one save.
    pub async fn rotate(
        &self,
        id: &str,
        overlap: Option<Duration>,
        by: &Principal,
    ) -> Result<ShownOperatorKey, Failure> {
        let (overlap, id) = (overlap_of(overlap)?, parse(id)?);
        let (secret, kept) = make_secret(OPERATOR_KEY_PREFIX, &*self.ports.ids, &self.ports.secrets);
        let wall = self.ports.clock.wall();
        for _ in 0..ROUNDS_MAX {
            let found = self.store.find_operator_key(&id).await?;
            let before = found.ok_or_else(no_such_key)?;
            self.may_give(by, &before.key).await?;
            let mut key = before.clone();
            key.key.rotate(kept.clone(), wall, overlap).map_err(|_| {
                let detail = format!("The key has {KEY_SECRETS_MAX} secrets that are valid still.");
                Problem::new(ErrorCode::KeyLimit, detail)
            })?;
            let deed = Deed::new(by, AuditAction::OperatorKeyRotated).about("key", id);
            let change = AuditedChange::SaveOperatorKey(Box::new(key.clone()));
            let fields = key_changes(Some(&before.key), &key.key);
            let carried = self.ledger.carry_out(&change, &deed, fields).await?;
            self.known.forget().await;
            if carried == Carried::Done {
                key.version += 1;
                tracing::info!(key_id = %id, "a key of an operator has another secret");
                return Ok(ShownOperatorKey { key, secret });
            }
        }
        Err(Failure::KeptChanging("key"))
    }

    /// An operator gives what the operator's own key has. The key of the settings has everything.
    async fn may_give(&self, by: &Principal, given: &ApiKey) -> Result<(), Failure> {
        let Who::Operator(id) = by.who else { return Ok(()) };
        let giver = self.store.find_operator_key(&id).await?;
        Ok(check_giver(&giver.ok_or_else(key_is_gone)?.key, given)?)
    }

    /// Revokes a key, with every secret it has. This process refuses it at once, others within a second.
    pub async fn revoke(&self, id: &str, by: &Principal) -> Result<(), Failure> {
        let id = parse(id)?;
        let deed = Deed::new(by, AuditAction::OperatorKeyRevoked).about("key", id);
        let change = AuditedChange::RemoveOperatorKey(id);
        let carried = self.ledger.carry_out(&change, &deed, Vec::new()).await?;
        self.known.forget().await;
        if carried != Carried::Done {
            return Err(no_such_key().into());
        }
        tracing::info!(key_id = %id, "a key of an operator was revoked");
        Ok(())
    }
}

fn parse(text: &str) -> Result<ApiKeyId, Problem> {
    ApiKeyId::parse(text).map_err(|_| no_such_key())
}

fn no_such_key() -> Problem {
    Problem::new(ErrorCode::KeyNotFound, "No operator has a key of this id.")
}
