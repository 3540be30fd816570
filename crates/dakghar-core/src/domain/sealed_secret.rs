//! Secrets that follow each other: for a time the old one and the new one are both valid.

use std::time::Duration;

use super::time::Timestamp;

/// A secret that is stored sealed, and how long it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// The time it was added.
    pub added_at: Timestamp,
    /// The time from which it is not valid any more; `None` for the present one.
    pub valid_until: Option<Timestamp>,
}

/// As many secrets are valid already as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManySecrets;

impl SealedSecret {
    /// The present secret from now on.
    pub const fn present(sealed: Vec<u8>, now: Timestamp) -> Self {
        Self {
            sealed,
            added_at: now,
            valid_until: None,
        }
    }

    /// True if what it signs is taken.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }

    /// These secrets with a new present one. Those before it stay valid for `overlap` more, or shorter where that was said
    /// before; what is not valid any more is dropped.
    ///
    /// # Errors
    /// More than `max` would be valid.
    pub fn rotated(
        secrets: &[Self],
        sealed: Vec<u8>,
        now: Timestamp,
        overlap: Duration,
        max: usize,
    ) -> Result<Vec<Self>, TooManySecrets> {
        let until = now + overlap;
        let mut rotated = vec![Self::present(sealed, now)];
        rotated.extend(secrets.iter().map(|secret| Self {
            valid_until: Some(secret.valid_until.map_or(until, |earlier| earlier.min(until))),
            ..secret.clone()
        }));
        rotated.retain(|secret| secret.is_valid(now));
        if rotated.len() > max {
            return Err(TooManySecrets);
        }
        Ok(rotated)
    }
}
