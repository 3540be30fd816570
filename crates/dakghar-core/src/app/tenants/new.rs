//! New tenants and numbers, as clients describe them.

use crate::domain::Secret;
use crate::domain::message::UnknownOutcome;

/// A new number, as a client describes it. [`super::Tenants::register`] and [`super::Tenants::add_phone_number`] check
/// it.
#[derive(Clone, Debug, Default)]
pub struct NewPhoneNumber {
    /// Meta's id of the number.
    pub phone_number_id: String,
    /// The access token; when absent, the token of the tenant's first number is used.
    pub access_token: Option<Secret>,
    /// The account at Meta.
    pub waba_id: Option<String>,
    /// The number as people write it.
    pub display_phone_number: Option<String>,
    /// The two letters of the country whose people write numbers for it without a country code.
    pub default_country: Option<String>,
    /// Meta's limit for the number, 80 when absent.
    pub messages_per_second: Option<u32>,
}

/// Changes of a number; `None` leaves a setting as it is.
#[derive(Clone, Debug, Default)]
pub struct PhoneNumberChanges {
    /// Meta's limit for the number.
    pub messages_per_second: Option<u32>,
    /// The number as people write it.
    pub display_phone_number: Option<String>,
    /// The two letters of its default country; empty for none.
    pub default_country: Option<String>,
}

/// A new tenant, as a client describes it.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its name, for people.
    pub name: String,
    /// The URL that it wants its events at.
    pub callback_url: Option<String>,
    /// The way to go on when the outcome of a send is unknown.
    pub unknown_outcome: Option<UnknownOutcome>,
    /// Its first number, if it is not connected later.
    pub number: Option<NewPhoneNumber>,
}
