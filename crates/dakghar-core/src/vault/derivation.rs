//! Keys derived from other keys. One key, one use: every use has a label, and so a key of its own.

use aws_lc_rs::hkdf;

use crate::domain::secret::Secret;

/// The least that a master key must have. It should be random.
const MASTER_KEY_BYTES_MIN: usize = 32;

/// Bytes of a key check.
pub const KEY_CHECK_BYTES: usize = 8;

/// A master key has fewer than 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the master key must have at least 32 bytes")]
pub struct MasterKeyTooShort;

/// The installation's master key, ready to derive keys from.
pub struct MasterKey(Root);

impl MasterKey {
    /// Takes a master key of at least 32 bytes.
    pub fn new(text: &Secret) -> Result<Self, MasterKeyTooShort> {
        let bytes = text.reveal().as_bytes();
        if bytes.len() < MASTER_KEY_BYTES_MIN {
            return Err(MasterKeyTooShort);
        }
        Ok(Self(Root::extract(b"dakghar/master-key/v1", bytes)))
    }

    /// The root of all that is derived from it.
    pub const fn root(&self) -> &Root {
        &self.0
    }

    /// Differs for every master key and says nothing about it: equal checks show that two processes have the same one.
    pub fn check(&self) -> [u8; KEY_CHECK_BYTES] {
        self.0.derive("key check")
    }
}

/// A secret that gives a key for each use.
pub struct Root(hkdf::Prk);

impl Root {
    /// The root of a key; `salt` names the kind of key.
    pub(super) fn extract(salt: &'static [u8], key: &[u8]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key))
    }

    /// The `N` bytes for this use, `N` up to 8160. The same use always gives the same bytes.
    pub fn derive<const N: usize>(&self, key_use: &'static str) -> [u8; N] {
        self.derive_for(key_use, &[])
    }

    /// The same for one of many things of this use, which `salt` tells apart. It is as long for all of them.
    pub(super) fn derive_for<const N: usize>(&self, key_use: &'static str, salt: &[u8]) -> [u8; N] {
        let mut out = [0; N];
        self.0
            .expand(&[key_use.as_bytes(), salt], Length(N))
            .and_then(|okm| okm.fill(&mut out))
            .expect("HKDF-SHA256 gives up to 8160 bytes");
        out
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
