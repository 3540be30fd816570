//! A data key out of what a service unwrapped.

use dakghar_core::ports::{DATA_KEY_BYTES, DataKey, KeyError};
use zeroize::Zeroizing;

/// Takes the bytes into custody, if they are as many as a data key has.
pub(super) fn of(plain: &[u8]) -> Result<DataKey, KeyError> {
    let bytes: [u8; DATA_KEY_BYTES] = plain
        .try_into()
        .map_err(|_| KeyError::Unreadable("its data key has the wrong length"))?;
    Ok(DataKey::new(Zeroizing::new(bytes)))
}
