//! What a client says about a new tenant or number.

use crate::domain::Secret;
use crate::domain::message::UnknownOutcome;

/// What a client says about a new number. Checked by [`super::Tenants::register`] and [`super::Tenants::add_phone_number`].
#[derive(Clone, Debug)]
pub struct NewPhoneNumber {
    /// Meta's id of the number.
    pub phone_number_id: String,
    /// The access token; when absent, that of the tenant's first number is used.
    pub access_token: Option<Secret>,
    /// The account at Meta.
    pub waba_id: Option<String>,
    /// The number as people write it.
    pub display_phone_number: Option<String>,
    /// Meta's limit for the number, 80 when absent.
    pub messages_per_second: Option<u32>,
}

/// What a client says about a new tenant.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// What people call it.
    pub name: String,
    /// Where it wants its events.
    pub callback_url: Option<String>,
    /// What to do when the fate of a send is unknown.
    pub unknown_outcome: Option<UnknownOutcome>,
    /// Its first number.
    pub number: NewPhoneNumber,
}
