//! A tenant and its numbers: one aggregate, loaded and saved as a whole.

use std::sync::Arc;

use super::hold::Hold;
use super::ids::{PhoneNumberId, TenantId, WabaId};
use super::message::UnknownOutcome;
use super::time::Timestamp;

/// Sends a second that Meta allows a number by default, both directions together.
pub const MESSAGES_PER_SECOND_DEFAULT: u32 = 80;
/// Upper bound of the setting; far above Meta's own 1,000.
pub const MESSAGES_PER_SECOND_MAX: u32 = 100_000;
/// The share of a number's limit that Dakghar plans to use. The rest is headroom for inbound traffic and jitter.
pub const PACING_SHARE: f64 = 0.65;
/// Refusals of the access token in a row before a number is put on hold.
pub const TOKEN_REFUSALS_MAX: u32 = 3;

/// A customer of the operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// Our id.
    pub id: TenantId,
    /// Its name for people, 1 to 200 characters.
    pub name: String,
    /// The URL at which the tenant wants its events; kept as given, at most 2,048 bytes.
    pub callback_url: Option<String>,
    /// HMAC-SHA-256 of the tenant's API key; the key itself is never stored.
    pub api_key_hash: Vec<u8>,
    /// The tenant's data key, wrapped by the master key. All secrets of the tenant are sealed with it.
    pub wrapped_data_key: Vec<u8>,
    /// The hold on the whole tenant, if any.
    pub hold: Option<Hold>,
    /// The policy for a send with an unknown outcome, if the message names none.
    pub unknown_outcome: UnknownOutcome,
    /// The numbers, the default one first. Never empty.
    pub phone_numbers: Vec<PhoneNumber>,
    /// The time it was registered.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// The time its removal began. From then on nothing is accepted or sent, and the data is being erased.
    pub removed_at: Option<Timestamp>,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

/// One business number of a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct PhoneNumber {
    /// Meta's id of the number.
    pub phone_number_id: PhoneNumberId,
    /// The account at Meta that the number belongs to.
    pub waba_id: Option<WabaId>,
    /// The number as people write it, 32 characters at most.
    pub display_phone_number: Option<String>,
    /// The access token, sealed with the tenant's data key.
    pub sealed_token: Vec<u8>,
    /// True if the token starts with `mock_`: sends are simulated, and nothing goes to Meta.
    pub simulated: bool,
    /// Meta's limit for this number in messages a second, 1 to [`MESSAGES_PER_SECOND_MAX`].
    pub messages_per_second: u32,
    /// The hold on this number, if any.
    pub hold: Option<Hold>,
    /// Refusals of the access token in a row.
    pub token_refusals: u32,
}

impl Tenant {
    /// Returns the number that `id` names, or the default number for `None`.
    pub fn number(&self, id: Option<&PhoneNumberId>) -> Option<&PhoneNumber> {
        match id {
            Some(id) => self.phone_numbers.iter().find(|number| number.phone_number_id == *id),
            None => self.phone_numbers.first(),
        }
    }

    /// Does the same as [`Tenant::number`], for a change.
    pub fn number_mut(&mut self, id: &PhoneNumberId) -> Option<&mut PhoneNumber> {
        self.phone_numbers
            .iter_mut()
            .find(|number| number.phone_number_id == *id)
    }

    /// Returns the hold that stops this number: the tenant's own first, then the number's.
    pub fn hold_of(&self, number: &PhoneNumber) -> Option<Hold> {
        self.hold.or(number.hold)
    }
}

impl PhoneNumber {
    /// Returns the sends a second that Dakghar plans for this number.
    pub fn planned_per_second(&self) -> f64 {
        f64::from(self.messages_per_second) * PACING_SHARE
    }
}

/// A tenant as the caches share it.
pub type SharedTenant = Arc<Tenant>;
