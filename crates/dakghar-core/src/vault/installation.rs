//! The secrets that an installation has beside the data keys of its tenants.
//!
//! They are made once and stored sealed, so that no change of a wrapping key changes them. Those of an installation that is
//! older than their record are the ones that its master key gives.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::derivation::MasterKey;
use super::random;
use super::sealing::{NotSealed, Unreadable};
use crate::domain::ids::{TenantId, WaId};
use crate::domain::opt_out::PersonMark;
use crate::domain::secret::Secret;

/// What is hashed before the id of a person, so that the hash is none of an API key.
const OF_PEOPLE: &[u8] = b"opt-outs of people\0";

/// Bytes of each secret.
const SECRET_BYTES: usize = 32;
/// The uses of the secrets of a set, in their order.
const USES: [&str; 3] = ["api key pepper", "callback data", "page cursors"];
const SET_BYTES: usize = USES.len() * SECRET_BYTES;

const PEPPER: usize = 0;
const OPAQUE: usize = 1;
const CURSOR: usize = 2;

/// Between the sets of a text.
const SEPARATOR: char = '.';

/// Keys that the use cases sign with, the same in every process.
#[derive(ZeroizeOnDrop)]
pub struct SigningKeys {
    /// For the callback data sent with each message.
    pub opaque: [u8; 32],
    /// The key that signed callback data before: statuses carry it for days.
    pub opaque_previous: Option<[u8; 32]>,
    /// For list cursors.
    pub cursor: [u8; 32],
}

/// The secrets of an installation: what hashes API keys and what signs. Those before them are still known where the master
/// key was changed before they had a record.
#[derive(Clone, PartialEq, Eq)]
pub struct InstallationSecrets {
    current: Set,
    previous: Option<Set>,
}

#[derive(Clone)]
struct Set {
    bytes: Zeroizing<[u8; SET_BYTES]>,
    /// Keys the hashes of API keys.
    pepper: hmac::Key,
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&*self.bytes, &*other.bytes).is_ok()
    }
}

impl Eq for Set {}

impl Set {
    fn new(bytes: Zeroizing<[u8; SET_BYTES]>) -> Self {
        let pepper = hmac::Key::new(hmac::HMAC_SHA256, &bytes[..SECRET_BYTES]);
        Self { bytes, pepper }
    }

    fn derive(master_key: &MasterKey) -> Self {
        let mut bytes = Zeroizing::new([0; SET_BYTES]);
        for (part, key_use) in bytes.chunks_exact_mut(SECRET_BYTES).zip(USES) {
            let derived: Zeroizing<[u8; SECRET_BYTES]> = Zeroizing::new(master_key.root().derive(key_use));
            part.copy_from_slice(&*derived);
        }
        Self::new(bytes)
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        Some(Self::new(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    fn secret(&self, index: usize) -> [u8; SECRET_BYTES] {
        debug_assert_ne!(index, PEPPER, "nothing signs with the pepper");
        let (secrets, _) = self.bytes.as_chunks();
        secrets[index]
    }

    fn hash_api_key(&self, api_key: &str) -> Vec<u8> {
        hmac::sign(&self.pepper, api_key.as_bytes()).as_ref().to_vec()
    }
}

impl InstallationSecrets {
    /// The secrets that these master keys give, as every release before the record had them.
    pub fn derive(master_key: &MasterKey, previous: Option<&MasterKey>) -> Self {
        Self {
            current: Set::derive(master_key),
            previous: previous.map(Set::derive),
        }
    }

    /// New ones, which no master key gives.
    pub(crate) fn random() -> Result<Self, NotSealed> {
        let mut bytes = Zeroizing::new([0; SET_BYTES]);
        random::fill(&mut *bytes).map_err(|_| NotSealed("no random numbers"))?;
        Ok(Self {
            current: Set::new(bytes),
            previous: None,
        })
    }

    /// The keyed hash under which an API key is kept: 32 bytes.
    pub fn hash_api_key(&self, api_key: &str) -> Vec<u8> {
        self.current.hash_api_key(api_key)
    }

    /// All hashes under which an API key may be kept, that of a new key first.
    pub fn hashes_of_api_key(&self, api_key: &str) -> Vec<Vec<u8>> {
        let sets = [Some(&self.current), self.previous.as_ref()].into_iter().flatten();
        sets.map(|set| set.hash_api_key(api_key)).collect()
    }

    /// The keyed hash under which it is kept what a person said to a tenant.
    pub fn mark_person(&self, tenant_id: &TenantId, person: &WaId) -> PersonMark {
        let mut context = hmac::Context::with_key(&self.current.pepper);
        for part in [OF_PEOPLE, tenant_id.as_uuid().as_bytes(), person.as_str().as_bytes()] {
            context.update(part);
        }
        let hash = context.sign();
        PersonMark::new(hash.as_ref().try_into().expect("SHA-256 is 32 bytes"))
    }

    /// The keys that sign callback data and page cursors.
    pub fn signing_keys(&self) -> SigningKeys {
        SigningKeys {
            opaque: self.current.secret(OPAQUE),
            opaque_previous: self.previous.as_ref().map(|set| set.secret(OPAQUE)),
            cursor: self.current.secret(CURSOR),
        }
    }

    /// The text that is sealed.
    pub(super) fn to_text(&self) -> Secret {
        let mut text = URL_SAFE_NO_PAD.encode(self.current.bytes.as_slice());
        if let Some(previous) = &self.previous {
            text.push(SEPARATOR);
            URL_SAFE_NO_PAD.encode_string(previous.bytes.as_slice(), &mut text);
        }
        Secret::new(text)
    }

    /// Reads it.
    pub(super) fn parse(text: &Secret) -> Result<Self, Unreadable> {
        let of_form = || {
            let mut sets = text.reveal().split(SEPARATOR);
            let current = Set::parse(sets.next()?)?;
            let previous = match sets.next() {
                Some(set) => Some(Set::parse(set)?),
                None => None,
            };
            sets.next().is_none().then_some(Self { current, previous })
        };
        of_form().ok_or(Unreadable("they have not the form of secrets of an installation"))
    }
}
