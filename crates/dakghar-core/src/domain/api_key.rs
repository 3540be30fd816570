//! API keys: who may do what, from where and until when. A key itself is never stored, only its keyed hash.

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::constant_time;
use ipnet::IpNet;

use super::ids::{ApiKeyId, TenantId};
use super::scopes::{Scope, Scopes};
use super::sealed_secret::TooManySecrets;
use super::time::Timestamp;

/// The most keys of a tenant. They are a part of its record, which is read with every use.
pub const KEYS_MAX: usize = 20;
/// The most characters of a key's name.
pub const KEY_NAME_CHARS_MAX: usize = 100;
/// The most address ranges of a key.
pub const NETWORKS_MAX: usize = 16;
/// The most secrets of a key that are valid at a time: the present one, and those that it replaced.
pub const KEY_SECRETS_MAX: usize = 4;
/// The longest that a replaced secret stays valid: 30 days.
pub const KEY_OVERLAP_MAX: Duration = Duration::from_hours(30 * 24);
/// The time that a replaced secret stays valid unless another is named: a day.
pub const KEY_OVERLAP_DEFAULT: Duration = Duration::from_hours(24);
/// The name of the key that a tenant gets when it is registered.
pub const FIRST_KEY_NAME: &str = "first key";

/// A key that its owner names, with what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Our id of it. It stays when the secret is replaced.
    pub id: ApiKeyId,
    /// The name for people, 1 to [`KEY_NAME_CHARS_MAX`] characters.
    pub name: String,
    /// The scopes that it has.
    pub scopes: Scopes,
    /// Where it may be used from: anywhere if there is none, at most [`NETWORKS_MAX`].
    pub networks: Vec<IpNet>,
    /// The time from which it is not valid any more.
    pub expires_at: Option<Timestamp>,
    /// Its secrets, the present one first; never empty, at most [`KEY_SECRETS_MAX`].
    pub secrets: Vec<KeySecret>,
    /// The time it was made.
    pub created_at: Timestamp,
    /// The time of its last use that was noted, about a minute exact.
    pub last_used_at: Option<Timestamp>,
}

/// A secret of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySecret {
    /// The keyed hash of the key as its owner presents it.
    pub hash: Vec<u8>,
    /// The first characters of it, by which people recognise it. Nobody noted them for keys of earlier releases.
    pub prefix: Option<String>,
    /// The time from which it is not valid any more; `None` for the present one.
    pub valid_until: Option<Timestamp>,
}

/// A use of a tenant's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Whose key it is.
    pub tenant_id: TenantId,
    /// The key.
    pub key_id: ApiKeyId,
    /// When it was used, by the wall clock.
    pub at: Timestamp,
}

/// Why a key that is right is refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// Its time was over.
    Expired(Timestamp),
    /// It may not be used from this address.
    Address,
}

/// The first thing that a key would give without having it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// This scope.
    Scope(Scope),
    /// Addresses from which it may not be used.
    Addresses,
    /// A time at which it is not valid any more.
    Time,
}

impl ApiKey {
    /// Makes the key that a tenant gets when it is registered: it may do everything, from anywhere, for ever.
    pub fn first(id: ApiKeyId, secret: KeySecret, created_at: Timestamp) -> Self {
        Self {
            id,
            name: FIRST_KEY_NAME.to_owned(),
            scopes: Scopes::ALL,
            networks: Vec::new(),
            expires_at: None,
            secrets: vec![secret],
            created_at,
            last_used_at: None,
        }
    }

    /// Returns the key of a tenant that was registered when a tenant had one only. Whoever reads the record makes the same
    /// one, so it needs no write to be carried over, and none can be missed.
    pub fn of_earlier_release(tenant_id: &TenantId, hash: Vec<u8>, created_at: Timestamp) -> Self {
        let secret = KeySecret {
            hash,
            prefix: None,
            valid_until: None,
        };
        Self::first(ApiKeyId::from_uuid(*tenant_id.as_uuid()), secret, created_at)
    }

    /// Returns about as many bytes as it has in memory.
    pub fn bytes(&self) -> usize {
        let secrets = self
            .secrets
            .iter()
            .map(|secret| size_of::<KeySecret>() + secret.hash.len());
        size_of::<Self>() + self.name.len() + size_of::<IpNet>() * self.networks.len() + secrets.sum::<usize>()
    }

    /// Says if the key may be used at this time from this address. A key with address ranges may not be used from an
    /// address that nobody knows.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, address: Option<IpAddr>, wall: Timestamp) -> Result<(), KeyRefusal> {
        if let Some(expired_at) = self.expires_at.filter(|expires_at| wall >= *expires_at) {
            return Err(KeyRefusal::Expired(expired_at));
        }
        let is_within = |address: IpAddr| {
            let address = address.to_canonical();
            self.networks.iter().any(|network| network.contains(&address))
        };
        if self.networks.is_empty() || address.is_some_and(is_within) {
            Ok(())
        } else {
            Err(KeyRefusal::Address)
        }
    }

    /// Returns what this key lacks to give the other one: it gives no scope, no address and no time that it has not itself.
    /// So nobody who has it can get a better one, or one that outlives it.
    pub fn lacks_to_give(&self, other: &Self) -> Option<Lacking> {
        if let Some(scope) = self.scopes.missing_of(other.scopes) {
            return Some(Lacking::Scope(scope));
        }
        let is_within = |wanted: &IpNet| self.networks.iter().any(|network| network.contains(wanted));
        let anywhere = self.networks.is_empty();
        if !anywhere && (other.networks.is_empty() || !other.networks.iter().all(is_within)) {
            return Some(Lacking::Addresses);
        }
        let outlives = |end: Timestamp| other.expires_at.is_none_or(|expires_at| expires_at > end);
        self.expires_at.is_some_and(outlives).then_some(Lacking::Time)
    }

    /// Makes `secret` the present one. Those before it stay valid for `overlap` more, or shorter where that was said
    /// before; what is not valid any more is dropped.
    ///
    /// # Errors
    /// More than [`KEY_SECRETS_MAX`] would be valid. Nothing has changed then.
    pub fn rotate(&mut self, secret: KeySecret, wall: Timestamp, overlap: Duration) -> Result<(), TooManySecrets> {
        let until = wall + overlap;
        let mut secrets = vec![secret];
        secrets.extend(self.secrets.iter().map(|earlier| KeySecret {
            valid_until: Some(earlier.valid_until.map_or(until, |said| said.min(until))),
            ..earlier.clone()
        }));
        secrets.retain(|secret| secret.is_valid(wall));
        if secrets.len() > KEY_SECRETS_MAX {
            return Err(TooManySecrets);
        }
        self.secrets = secrets;
        Ok(())
    }
}

impl KeySecret {
    /// True if the secret was not replaced, or only a moment ago.
    pub fn is_valid(&self, wall: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| wall < until)
    }
}

/// Returns the key that has one of these hashes as a valid secret. Each hash is compared in the same time, whatever of it is
/// right.
pub fn find_key<'a>(keys: &'a [ApiKey], hashes: &[Vec<u8>], wall: Timestamp) -> Option<&'a ApiKey> {
    let mut found = None;
    for key in keys {
        for secret in key.secrets.iter().filter(|secret| secret.is_valid(wall)) {
            let is_same = |hash: &&Vec<u8>| constant_time::verify_slices_are_equal(hash, &secret.hash).is_ok();
            if hashes.iter().filter(|hash| is_same(hash)).count() > 0 {
                found = Some(key);
            }
        }
    }
    found
}

/// Reads an address range: an address with the length of its prefix, or one address alone.
///
/// Returns `None` if the text is no range, or its address has bits behind the prefix: nobody knows then which range is meant.
pub fn parse_network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(IpNet::from(address.to_canonical()));
    }
    let network = text.parse::<IpNet>().ok()?;
    (network == network.trunc()).then(|| canonical(network))
}

/// The range as clients are compared with it: one of IPv4 that is written as one of IPv6 is one of IPv4.
fn canonical(network: IpNet) -> IpNet {
    let mapped = network.addr().to_canonical();
    match network.prefix_len().checked_sub(96) {
        Some(prefix) if mapped.is_ipv4() && network.addr().is_ipv6() => IpNet::new(mapped, prefix).unwrap_or(network),
        _ => network,
    }
}

#[cfg(test)]
mod tests;
