//! The secrets that an installation has beside the data keys of its tenants.

use aws_lc_rs::hmac;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::derivation::MasterKey;

/// Bytes of a key check.
pub const KEY_CHECK_BYTES: usize = 8;

/// Keys that the use cases sign with; derived from the master key, the same in every process.
#[derive(ZeroizeOnDrop)]
pub struct SigningKeys {
    /// For the callback data sent with each message.
    pub opaque: [u8; 32],
    /// The key that signed callback data before the master key was changed: statuses carry it for days.
    pub opaque_previous: Option<[u8; 32]>,
    /// For list cursors.
    pub cursor: [u8; 32],
}

/// All that is derived from one master key, except the key that wraps data keys.
pub struct InstallationSecrets {
    /// Keys the hashes of API keys.
    pepper: hmac::Key,
    /// Signs callback data.
    pub(super) opaque: Zeroizing<[u8; 32]>,
    /// Signs page cursors.
    pub(super) cursor: Zeroizing<[u8; 32]>,
    /// Tells master keys apart without saying anything about them.
    pub(super) check: [u8; KEY_CHECK_BYTES],
}

impl InstallationSecrets {
    /// The secrets under this master key.
    pub fn derive(master_key: &MasterKey) -> Self {
        let root = master_key.root();
        let pepper: Zeroizing<[u8; 32]> = Zeroizing::new(root.derive("api key pepper"));
        Self {
            pepper: hmac::Key::new(hmac::HMAC_SHA256, &*pepper),
            opaque: Zeroizing::new(root.derive("callback data")),
            cursor: Zeroizing::new(root.derive("page cursors")),
            check: root.derive("key check"),
        }
    }

    /// The keyed hash of an API key: 32 bytes.
    pub(super) fn hash_api_key(&self, api_key: &str) -> Vec<u8> {
        hmac::sign(&self.pepper, api_key.as_bytes()).as_ref().to_vec()
    }
}
