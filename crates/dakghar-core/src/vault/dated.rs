//! A data key with the time at which it took the place of another one, and for a while that other one beside it.
//!
//! ```text
//! version 4 | "DK" | made at, in ms 8 | bytes of the present wrapped form 4 | present wrapped form | the one before it, or nothing
//! ```
//!
//! Whoever seals does so under the present one. What is sealed names its key, so it is opened under whichever of the two it
//! names. A data key that never took the place of another one is stored as it was wrapped.

use crate::domain::time::Timestamp;
use crate::ports::KeyError;

/// The beginning of such a form. No wrapped data key does.
const HEAD: [u8; 3] = [4, b'D', b'K'];

/// A stored data key, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatedKey<'a> {
    /// When it took the place of another one; `None` if it never did, and is as old as its owner.
    pub made_at: Option<Timestamp>,
    /// The wrapped data key that seals.
    pub present: &'a [u8],
    /// The one before it, which still opens what was sealed under it.
    pub previous: Option<&'a [u8]>,
}

impl<'a> DatedKey<'a> {
    /// Takes a stored form apart.
    pub fn parse(stored: &'a [u8]) -> Result<Self, KeyError> {
        let Some(rest) = stored.strip_prefix(&HEAD) else {
            return Ok(Self {
                made_at: None,
                present: stored,
                previous: None,
            });
        };
        let of_form = || {
            let (made_at, rest) = rest.split_first_chunk::<8>()?;
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (present, previous) = rest.split_at_checked(length)?;
            (!present.is_empty()).then(|| Self {
                made_at: Some(Timestamp::from_millis(i64::from_be_bytes(*made_at))),
                present,
                previous: Some(previous).filter(|previous| !previous.is_empty()),
            })
        };
        of_form().ok_or(KeyError::Unreadable("it has not the form of a dated data key"))
    }

    /// The form that is stored.
    pub fn to_bytes(self) -> Vec<u8> {
        let Some(made_at) = self.made_at else {
            return self.present.to_vec();
        };
        let length = u32::try_from(self.present.len()).expect("a wrapped data key has some hundred bytes");
        [
            HEAD.as_slice(),
            &made_at.as_millis().to_be_bytes(),
            &length.to_be_bytes(),
            self.present,
            self.previous.unwrap_or_default(),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_together_comes_apart() {
        let plain = DatedKey::parse(b"\x01wrapped").expect("a plain one");
        assert_eq!((plain.made_at, plain.present), (None, b"\x01wrapped".as_slice()));
        assert_eq!(plain.to_bytes(), b"\x01wrapped");
        for previous in [None, Some(b"old".as_slice())] {
            let dated = DatedKey {
                made_at: Some(Timestamp::from_millis(1_795_341_600_000)),
                present: b"new",
                previous,
            };
            assert_eq!(DatedKey::parse(&dated.to_bytes()), Ok(dated));
        }
    }

    #[test]
    fn what_was_cut_off_is_an_error() {
        let whole = DatedKey {
            made_at: Some(Timestamp::from_millis(1)),
            present: b"new",
            previous: None,
        };
        let whole = whole.to_bytes();
        for length in HEAD.len()..whole.len() {
            assert!(DatedKey::parse(&whole[..length]).is_err(), "{length}");
        }
    }
}
