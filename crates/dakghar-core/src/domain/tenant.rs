//! A tenant and its numbers: one aggregate, loaded and saved whole.

use std::sync::Arc;

use super::hold::Hold;
use super::ids::{PhoneNumberId, TenantId, WabaId};
use super::message::UnknownOutcome;
use super::time::Timestamp;

/// Sends a second that Meta allows a number by default, both directions together.
pub const MESSAGES_PER_SECOND_DEFAULT: u32 = 80;
/// Upper bound of the setting; far above Meta's own 1,000.
pub const MESSAGES_PER_SECOND_MAX: u32 = 100_000;
/// The share of a number's limit that Dakghar plans to use: the rest is headroom for inbound traffic and jitter.
pub const PACING_SHARE: f64 = 0.65;
/// Refusals of the access token in a row before a number is put on hold.
pub const TOKEN_REFUSALS_MAX: u32 = 3;

/// A customer of the operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// Our id.
    pub id: TenantId,
    /// What people call it, 1 to 200 characters.
    pub name: String,
    /// Where the tenant wants its events; kept as given, 2,048 bytes at most.
    pub callback_url: Option<String>,
    /// HMAC-SHA-256 of the tenant's API key; the key itself is never stored.
    pub api_key_hash: Vec<u8>,
    /// The tenant's data key, wrapped by the master key. Everything secret of the tenant is sealed with it.
    pub wrapped_data_key: Vec<u8>,
    /// Why nothing of this tenant is sent at present.
    pub hold: Option<Hold>,
    /// What to do when the fate of a send is unknown and the message does not say.
    pub unknown_outcome: UnknownOutcome,
    /// The numbers, the default one first. Never empty.
    pub phone_numbers: Vec<PhoneNumber>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
    /// Set when removal began: nothing is accepted or sent any more and the data is being erased.
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
    /// Whether the token starts with `mock_`: sends are simulated and nothing leaves the house.
    pub simulated: bool,
    /// Meta's limit for this number in messages a second, 1 to [`MESSAGES_PER_SECOND_MAX`].
    pub messages_per_second: u32,
    /// Why nothing is sent from this number at present.
    pub hold: Option<Hold>,
    /// Refusals of the access token in a row.
    pub token_refusals: u32,
}

impl Tenant {
    /// The number that `id` names, or the default one.
    pub fn number(&self, id: Option<&PhoneNumberId>) -> Option<&PhoneNumber> {
        match id {
            Some(id) => self.phone_numbers.iter().find(|number| number.phone_number_id == *id),
            None => self.phone_numbers.first(),
        }
    }

    /// As [`Tenant::number`], to change it.
    pub fn number_mut(&mut self, id: &PhoneNumberId) -> Option<&mut PhoneNumber> {
        self.phone_numbers
            .iter_mut()
            .find(|number| number.phone_number_id == *id)
    }

    /// What stops this number: the tenant's own hold first, then the number's.
    pub fn hold_of(&self, number: &PhoneNumber) -> Option<Hold> {
        self.hold.or(number.hold)
    }
}

impl PhoneNumber {
    /// Sends a second that Dakghar plans for this number.
    pub fn planned_per_second(&self) -> f64 {
        f64::from(self.messages_per_second) * PACING_SHARE
    }
}

/// A tenant as the caches hand it around.
pub type SharedTenant = Arc<Tenant>;
