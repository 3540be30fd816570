//! The forms of wrapped data keys. Each names the key it is under, so that whoever finds one knows who can unwrap it.
//!
//! ```text
//! under a master key   version 1 | ... as everything sealed
//! by a service         version 2 | bytes of the key's name 2 | name | what the service gave
//! ```

use super::sealing;
use crate::ports::{KeyError, KeyId};

/// The version of what a service elsewhere wrapped.
const BY_SERVICE: u8 = 2;
/// Bytes before the name.
const HEAD_BYTES: usize = 3;

/// Puts the name of the key before what a service gave.
pub fn by_service(key: &KeyId, wrapped: &[u8]) -> Vec<u8> {
    let name = key.to_string();
    let length = u16::try_from(name.len()).expect("names of keys are checked when settings are read");
    let mut form = Vec::with_capacity(HEAD_BYTES + name.len() + wrapped.len());
    form.push(BY_SERVICE);
    form.extend_from_slice(&length.to_be_bytes());
    form.extend_from_slice(name.as_bytes());
    form.extend_from_slice(wrapped);
    form
}

/// Takes apart what [`by_service`] put together.
pub fn of_service(form: &[u8]) -> Result<(KeyId, &[u8]), KeyError> {
    let of_form = || {
        let (&version, rest) = form.split_first()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (name, wrapped) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let name = std::str::from_utf8(name).ok()?;
        (version == BY_SERVICE && !wrapped.is_empty()).then(|| (KeyId::new(name), wrapped))
    };
    of_form().ok_or(KeyError::Unreadable("it has not the form of a wrapped data key"))
}

/// Takes out what the service of this key gave.
pub fn under<'a>(key: &KeyId, form: &'a [u8]) -> Result<&'a [u8], KeyError> {
    match of_service(form)? {
        (of, wrapped) if of == *key => Ok(wrapped),
        _ => Err(KeyError::Unreadable("its data key was wrapped under another key")),
    }
}

/// The key under which a data key was wrapped, whoever did it.
pub fn key_id_of(form: &[u8]) -> Result<KeyId, KeyError> {
    if form.first() == Some(&BY_SERVICE) {
        return of_service(form).map(|(key, _)| key);
    }
    Ok(of_mark(sealing::mark_of(form)?))
}

/// The name of a master key that leaves this mark.
pub fn of_mark(mark: [u8; sealing::MARK_BYTES]) -> KeyId {
    KeyId::new(format!("{:032x}", u128::from_be_bytes(mark)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_gave_comes_apart_as_it_was_put_together() {
        let key = KeyId::new("vault:transit/dakghar");
        let form = by_service(&key, b"vault:v1:abc");
        assert_eq!(of_service(&form), Ok((key.clone(), b"vault:v1:abc".as_slice())));
        assert_eq!(under(&key, &form), Ok(b"vault:v1:abc".as_slice()));
        assert!(under(&KeyId::new("vault:transit/other"), &form).is_err());
        assert_eq!(key_id_of(&form), Ok(key));
    }

    #[test]
    fn what_was_cut_off_is_an_error_and_nothing_else() {
        let form = by_service(&KeyId::new("vault:transit/dakghar"), b"x");
        for length in 0..form.len() {
            assert!(of_service(&form[..length]).is_err(), "{length}");
            assert!(key_id_of(&form[..length]).is_err(), "{length}");
        }
        assert!(of_service(&[2, 255, 255, b'a']).is_err());
        assert!(of_service(&[2, 0, 1, 0xff, b'x']).is_err(), "a name is text");
    }
}
