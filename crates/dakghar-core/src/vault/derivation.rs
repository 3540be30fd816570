//! What is derived from a master key or a data key. One key, one use: every use has a key of its own.

use aws_lc_rs::{hkdf, hmac};
use dakghar_core::domain::secret::Secret;
use zeroize::Zeroizing;

/// Bytes of every key.
pub(super) const KEY_BYTES: usize = 32;
/// Bytes of the mark by which a ciphertext names its key.
pub(super) const MARK_BYTES: usize = 16;

/// A 256-bit key, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// A key that encrypts, and the mark it leaves on what it encrypted. The mark is derived together with the key, so it
/// commits to it: no ciphertext can be made that opens under two keys of the same mark.
pub(super) struct SealingKey {
    pub(super) key: Key,
    pub(super) mark: [u8; MARK_BYTES],
}

impl SealingKey {
    fn derive(root: &hkdf::Prk, key_use: &'static str, mark_use: &'static str) -> Self {
        Self {
            key: Zeroizing::new(expand(root, key_use)),
            mark: expand(root, mark_use),
        }
    }

    /// The key under which a tenant's secrets are sealed.
    pub(super) fn of_data_key(data_key: &[u8; KEY_BYTES]) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"dakghar/data-key/v1").extract(data_key);
        Self::derive(&root, "secrets", "secrets mark")
    }
}

/// Everything that hangs on one master key.
pub(super) struct MasterKeys {
    /// Wraps data keys.
    pub(super) wrapping: SealingKey,
    /// Keys the hashes of API keys.
    pub(super) pepper: hmac::Key,
    /// Signs callback data.
    pub(super) opaque: Key,
    /// Signs page cursors.
    pub(super) cursor: Key,
    /// Tells master keys apart without saying anything about them.
    pub(super) check: [u8; 8],
}

impl MasterKeys {
    pub(super) fn derive(master_key: &Secret) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"dakghar/master-key/v1").extract(master_key.reveal().as_bytes());
        let pepper: Key = Zeroizing::new(expand(&root, "api key pepper"));
        Self {
            wrapping: SealingKey::derive(&root, "data keys", "data keys mark"),
            pepper: hmac::Key::new(hmac::HMAC_SHA256, &*pepper),
            opaque: Zeroizing::new(expand(&root, "callback data")),
            cursor: Zeroizing::new(expand(&root, "page cursors")),
            check: expand(&root, "key check"),
        }
    }
}

fn expand<const N: usize>(root: &hkdf::Prk, key_use: &'static str) -> [u8; N] {
    struct Length(usize);

    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }

    let mut out = [0; N];
    root.expand(&[key_use.as_bytes()], Length(N))
        .and_then(|okm| okm.fill(&mut out))
        .expect("HKDF-SHA256 gives up to 8160 bytes");
    out
}
