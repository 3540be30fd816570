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
use dakghar_core::ports::VaultError;
use zeroize::Zeroizing;

use super::derived::{MARK_BYTES, SealingKey};

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + MARK_BYTES + NONCE_LEN;

/// The version as additional data, so that a later form cannot be passed off as this one.
const VERSION_LABEL: &[u8] = b"v1";

/// Encrypts `plain`; `bound` must be given again to open it.
pub(super) fn seal(key: &SealingKey, bound: &[&[u8]], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0; NONCE_LEN];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| VaultError::Unavailable("no random numbers".into()))?;
    let mut out = Vec::with_capacity(HEADER_BYTES + plain.len() + TAG_BYTES);
    out.push(VERSION);
    out.extend_from_slice(&key.mark);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    let tag = cipher(key)
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(additional_data(key, bound)),
            &mut out[HEADER_BYTES..],
        )
        .map_err(|_| VaultError::Unavailable("encryption failed".into()))?;
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

/// Decrypts what [`seal`] made with the same key and bound data.
pub(super) fn open(key: &SealingKey, bound: &[&[u8]], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    if mark_of(sealed)? != key.mark {
        return Err(VaultError::Unreadable("it was sealed under another key"));
    }
    let (header, body) = sealed.split_at(HEADER_BYTES);
    let nonce = Nonce::try_assume_unique_for_key(&header[1 + MARK_BYTES..])
        .expect("the rest of the header is as long as a nonce");
    let mut plain = Zeroizing::new(body.to_vec());
    let plain_bytes = cipher(key)
        .open_in_place(nonce, Aad::from(additional_data(key, bound)), &mut plain)
        .map_err(|_| VaultError::Unreadable("it is damaged, or belongs to another tenant or purpose"))?
        .len();
    plain.truncate(plain_bytes);
    Ok(plain)
}

/// The mark of the key that sealed this, if it has the right form.
pub(super) fn mark_of(sealed: &[u8]) -> Result<[u8; MARK_BYTES], VaultError> {
    if sealed.len() < HEADER_BYTES + TAG_BYTES {
        return Err(VaultError::Unreadable("it is too short"));
    }
    if sealed[0] != VERSION {
        return Err(VaultError::Unreadable("its version is unknown"));
    }
    Ok(sealed[1..=MARK_BYTES]
        .try_into()
        .expect("the slice is as long as a mark"))
}

fn cipher(key: &SealingKey) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key.key).expect("the key is 32 bytes long"))
}

/// Every field behind its length, so that no two lists of fields give the same bytes.
fn additional_data(key: &SealingKey, bound: &[&[u8]]) -> Vec<u8> {
    let mut data = Vec::with_capacity(128);
    for field in [VERSION_LABEL].iter().chain(bound).chain([&key.mark.as_slice()]) {
        data.extend_from_slice(&(field.len() as u64).to_be_bytes());
        data.extend_from_slice(field);
    }
    data
}
