//! The randomness of nonces and data keys. It is not asked of `IdGenerator`, which tests hold still.

/// The system has no random numbers to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRandomness;

/// Fills `bytes` with random ones.
#[expect(clippy::disallowed_methods, reason = "the vault makes its own nonces and keys")]
pub(super) fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| NoRandomness)
}
