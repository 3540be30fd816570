//! The form of everything encrypted: AES-256-GCM under a key of its own, behind a header that names the key it comes from.
//!
//! ```text
//! version 3 | mark of the key 16 | salt 16 | nonce 12 | ciphertext | tag 16
//! version 1 | mark of the key 16 |           nonce 12 | ciphertext | tag 16      of earlier releases, only opened
//! ```
//!
//! Salt and nonce are random, and the salt gives each sealing a key of its own. So a key and a nonce come together again with a
//! chance of 2^-32 only after 2^96 sealings, and nobody needs to count them. Under the one key of version 1 the same is true of
//! 2^32 sealings; a tenant that changed a secret a thousand times in a second would be there in 50 days.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::random;

use super::derivation::Root;
use crate::ports::KeyError;

/// Bytes of the mark by which a ciphertext names its key.
pub const MARK_BYTES: usize = 16;

const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 16;

/// The forms. The label of each is additional data, so that none can be passed off as another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// All sealings under one key.
    First,
    /// Each under a key of its own. Number 2 is that of what a key service wrapped.
    Salted,
}

impl Form {
    fn of(sealed: &[u8]) -> Result<Self, Unreadable> {
        let form = match sealed.first() {
            Some(1) => Self::First,
            Some(3) => Self::Salted,
            Some(_) => return Err(Unreadable("its version is unknown")),
            None => return Err(Unreadable("it is too short")),
        };
        if sealed.len() < form.header_bytes() + TAG_BYTES {
            return Err(Unreadable("it is too short"));
        }
        Ok(form)
    }

    const fn header_bytes(self) -> usize {
        1 + MARK_BYTES
            + NONCE_LEN
            + match self {
                Self::First => 0,
                Self::Salted => SALT_BYTES,
            }
    }

    const fn label(self) -> &'static [u8] {
        match self {
            Self::First => b"v1",
            Self::Salted => b"v3",
        }
    }
}

/// Nothing could be encrypted, for this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSealed(pub &'static str);

/// A ciphertext cannot be decrypted, for this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

impl From<NotSealed> for KeyError {
    fn from(NotSealed(why): NotSealed) -> Self {
        Self::Unavailable(why.into())
    }
}

impl From<Unreadable> for KeyError {
    fn from(Unreadable(why): Unreadable) -> Self {
        Self::Unreadable(why)
    }
}

/// A key that encrypts, and the mark it leaves on what it encrypted. The mark is derived together with the key, so it
/// commits to it: no ciphertext can be made that opens under two keys of the same mark.
pub struct SealingKey {
    /// The key of version 1.
    key: Zeroizing<[u8; KEY_BYTES]>,
    /// Gives the keys of version 3.
    root: Root,
    mark: [u8; MARK_BYTES],
}

impl SealingKey {
    /// The sealing key for one use, with its mark.
    pub fn derive(root: &Root, key_use: &'static str, mark_use: &'static str) -> Self {
        let key = Zeroizing::new(root.derive(key_use));
        Self {
            root: Root::extract(b"dakghar/sealing-key/v3", &*key),
            key,
            mark: root.derive(mark_use),
        }
    }

    /// The name of this key on what it sealed. It says nothing about the key.
    pub const fn mark(&self) -> [u8; MARK_BYTES] {
        self.mark
    }

    /// Encrypts `plain`; `bound` must be given again to open it.
    pub fn seal(&self, bound: &[&[u8]], plain: &[u8]) -> Result<Vec<u8>, NotSealed> {
        let mut random = [0; SALT_BYTES + NONCE_LEN];
        random::fill(&mut random).map_err(|_| NotSealed("no random numbers"))?;
        self.seal_with(&random, bound, plain)
    }

    /// Encrypts with these random bytes, which must not come twice.
    pub(super) fn seal_with(
        &self,
        random: &[u8; SALT_BYTES + NONCE_LEN],
        bound: &[&[u8]],
        plain: &[u8],
    ) -> Result<Vec<u8>, NotSealed> {
        const FORM: Form = Form::Salted;
        let (salt, nonce) = random.split_at(SALT_BYTES);
        let mut out = Vec::with_capacity(FORM.header_bytes() + plain.len() + TAG_BYTES);
        out.push(3);
        out.extend_from_slice(&self.mark);
        out.extend_from_slice(random);
        out.extend_from_slice(plain);
        let tag = self
            .cipher(FORM, salt)
            .seal_in_place_separate_tag(
                Nonce::try_assume_unique_for_key(nonce).expect("it is as long as a nonce"),
                Aad::from(self.additional_data(FORM, bound)),
                &mut out[FORM.header_bytes()..],
            )
            .map_err(|_| NotSealed("encryption failed"))?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    /// Decrypts what [`SealingKey::seal`] made with the same key and bound data, in this release or an earlier one.
    pub fn open(&self, bound: &[&[u8]], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        if mark_of(sealed)? != self.mark {
            return Err(Unreadable("it was sealed under another key"));
        }
        let form = Form::of(sealed)?;
        let (header, body) = sealed.split_at(form.header_bytes());
        let (salt, nonce) = header[1 + MARK_BYTES..].split_at(header.len() - 1 - MARK_BYTES - NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).expect("the rest of the header is as long as a nonce");
        let mut plain = Zeroizing::new(body.to_vec());
        let plain_bytes = self
            .cipher(form, salt)
            .open_in_place(nonce, Aad::from(self.additional_data(form, bound)), &mut plain)
            .map_err(|_| Unreadable("it is damaged, or belongs to another tenant or purpose"))?
            .len();
        plain.truncate(plain_bytes);
        Ok(plain)
    }

    fn cipher(&self, form: Form, salt: &[u8]) -> LessSafeKey {
        let key = match form {
            Form::First => self.key.clone(),
            Form::Salted => Zeroizing::new(self.root.derive_for("sealed", salt)),
        };
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key).expect("the key is 32 bytes long"))
    }

    /// Every field behind its length, so that no two lists of fields give the same bytes.
    fn additional_data(&self, form: Form, bound: &[&[u8]]) -> Vec<u8> {
        let mut data = Vec::with_capacity(128);
        for field in [form.label()].iter().chain(bound).chain([&self.mark.as_slice()]) {
            data.extend_from_slice(&(field.len() as u64).to_be_bytes());
            data.extend_from_slice(field);
        }
        data
    }
}

/// The mark of the key that sealed this, if it has the right form.
pub fn mark_of(sealed: &[u8]) -> Result<[u8; MARK_BYTES], Unreadable> {
    Form::of(sealed)?;
    Ok(sealed[1..=MARK_BYTES]
        .try_into()
        .expect("the slice is as long as a mark"))
}
