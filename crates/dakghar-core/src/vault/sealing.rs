//! The form of everything encrypted: AES-256-GCM with a random nonce, under a header that names the key.
//!
//! ```text
//! version 1 | mark of the key 16 | nonce 12 | ciphertext | tag 16
//! ```
//!
//! Nonces are random, so one key must not seal more than 2^31 times (half of NIST's bound for a 2^-32 chance of a
//! repeated nonce). A data key seals a tenant's access tokens, once each time one is set: at one a second that is
//! 68 years.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::random;

use super::derivation::Root;
use crate::ports::KeyError;

/// Bytes of the mark by which a ciphertext names its key.
pub const MARK_BYTES: usize = 16;

const KEY_BYTES: usize = 32;
const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + MARK_BYTES + NONCE_LEN;

/// The version as additional data, so that a later form cannot be passed off as this one.
const VERSION_LABEL: &[u8] = b"v1";

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
    key: Zeroizing<[u8; KEY_BYTES]>,
    mark: [u8; MARK_BYTES],
}

impl SealingKey {
    /// The sealing key for one use, with its mark.
    pub fn derive(root: &Root, key_use: &'static str, mark_use: &'static str) -> Self {
        Self {
            key: Zeroizing::new(root.derive(key_use)),
            mark: root.derive(mark_use),
        }
    }

    /// The name of this key on what it sealed. It says nothing about the key.
    pub const fn mark(&self) -> [u8; MARK_BYTES] {
        self.mark
    }

    /// Encrypts `plain`; `bound` must be given again to open it.
    pub fn seal(&self, bound: &[&[u8]], plain: &[u8]) -> Result<Vec<u8>, NotSealed> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce).map_err(|_| NotSealed("no random numbers"))?;
        let mut out = Vec::with_capacity(HEADER_BYTES + plain.len() + TAG_BYTES);
        out.push(VERSION);
        out.extend_from_slice(&self.mark);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let tag = self
            .cipher()
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.additional_data(bound)),
                &mut out[HEADER_BYTES..],
            )
            .map_err(|_| NotSealed("encryption failed"))?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    /// Decrypts what [`SealingKey::seal`] made with the same key and bound data.
    pub fn open(&self, bound: &[&[u8]], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        if mark_of(sealed)? != self.mark {
            return Err(Unreadable("it was sealed under another key"));
        }
        let (header, body) = sealed.split_at(HEADER_BYTES);
        let nonce = Nonce::try_assume_unique_for_key(&header[1 + MARK_BYTES..])
            .expect("the rest of the header is as long as a nonce");
        let mut plain = Zeroizing::new(body.to_vec());
        let plain_bytes = self
            .cipher()
            .open_in_place(nonce, Aad::from(self.additional_data(bound)), &mut plain)
            .map_err(|_| Unreadable("it is damaged, or belongs to another tenant or purpose"))?
            .len();
        plain.truncate(plain_bytes);
        Ok(plain)
    }

    fn cipher(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*self.key).expect("the key is 32 bytes long"))
    }

    /// Every field behind its length, so that no two lists of fields give the same bytes.
    fn additional_data(&self, bound: &[&[u8]]) -> Vec<u8> {
        let mut data = Vec::with_capacity(128);
        for field in [VERSION_LABEL].iter().chain(bound).chain([&self.mark.as_slice()]) {
            data.extend_from_slice(&(field.len() as u64).to_be_bytes());
            data.extend_from_slice(field);
        }
        data
    }
}

/// The mark of the key that sealed this, if it has the right form.
pub fn mark_of(sealed: &[u8]) -> Result<[u8; MARK_BYTES], Unreadable> {
    if sealed.len() < HEADER_BYTES + TAG_BYTES {
        return Err(Unreadable("it is too short"));
    }
    if sealed[0] != VERSION {
        return Err(Unreadable("its version is unknown"));
    }
    Ok(sealed[1..=MARK_BYTES]
        .try_into()
        .expect("the slice is as long as a mark"))
}
