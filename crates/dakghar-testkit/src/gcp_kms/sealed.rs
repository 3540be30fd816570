//! A ciphertext: what it is bound to, the plain text and a checksum of both with the key's name, so that every change and
//! every other name or binding is noticed.

use super::crc32c;

/// Bytes of a length and of a checksum.
const WORD: usize = 4;

fn sum(key: &str, content: &[u8]) -> [u8; WORD] {
    crc32c::of(&[key.as_bytes(), content].concat()).to_be_bytes()
}

/// Makes one.
pub(super) fn seal(key: &str, bound: &[u8], plain: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bound.len()).expect("what is bound is short");
    let content = [&length.to_be_bytes(), bound, plain].concat();
    let sum = sum(key, &content);
    [content.as_slice(), &sum].concat()
}

/// The plain text of one, if the key and what is bound are the same.
pub(super) fn open(key: &str, bound: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (content, found) = sealed.split_last_chunk::<WORD>()?;
    let (length, rest) = content.split_first_chunk::<WORD>()?;
    let (found_bound, plain) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    (*found == sum(key, content) && found_bound == bound).then(|| plain.to_vec())
}
