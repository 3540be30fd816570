//! What a receiver computes to check who called it.

use dakghar_core::domain::Secret;
use dakghar_core::domain::signatures::{self, StandardSecret};

/// The signature of the Standard Webhooks specification that a receiver with this secret expects.
///
/// # Panics
/// Panics if it is no secret of the specification.
pub fn standard_signature(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let secret = StandardSecret::parse(&Secret::new(secret)).expect("a secret");
    signatures::standard_signature(id, timestamp, body, &[secret])
}

/// The signature that a receiver of Meta's webhooks with this secret expects.
pub fn hub_signature(secret: &str, body: &[u8]) -> String {
    signatures::hub_signature(body, &Secret::new(secret))
}
