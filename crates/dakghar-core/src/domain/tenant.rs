//! A tenant and its numbers: one aggregate, loaded and saved as a whole.

use std::sync::Arc;

use super::access_token::KnownToken;
use super::api_key::ApiKey;
use super::auto_redrive::AutoRedriving;
use super::country::Country;
use super::hold::Hold;
use super::ids::{AppId, PhoneNumberId, TenantId, WabaId};
use super::leaving::Leaving;
use super::limits::TenantLimits;
use super::message::UnknownOutcome;
use super::sending_rules::SendingRules;
use super::standing::Standing;
use super::time::Timestamp;

/// Sends a second that Meta allows a number by default, both directions together.
pub const MESSAGES_PER_SECOND_DEFAULT: u32 = 80;
/// Upper bound of the setting; far above Meta's own 1,000.
pub const MESSAGES_PER_SECOND_MAX: u32 = 100_000;
/// Refusals of the access token in a row before a number is put on hold.
pub const TOKEN_REFUSALS_MAX: u32 = 3;
/// Numbers that a tenant had once and that are remembered; with more than these, the first ones are forgotten.
pub const PAST_NUMBERS_MAX: usize = 100;

/// A customer of the operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// Our id.
    pub id: TenantId,
    /// Its name for people, 1 to 200 characters.
    pub name: String,
    /// The URL at which the tenant wants its events; kept as given, at most 2,048 bytes.
    pub callback_url: Option<String>,
    /// Its API keys, in the order in which they were made, at most [`super::api_key::KEYS_MAX`].
    pub keys: Vec<ApiKey>,
    /// The tenant's data key, wrapped by the master key. All secrets of the tenant are sealed with it.
    pub wrapped_data_key: Vec<u8>,
    /// The hold on the whole tenant, if any.
    pub hold: Option<Hold>,
    /// The policy for a send with an unknown outcome, if the message names none.
    pub unknown_outcome: UnknownOutcome,
    /// The numbers, the default one first. A tenant whose first one is still to be connected has none.
    pub phone_numbers: Vec<PhoneNumber>,
    /// The numbers that it gave up, the latest last, at most [`PAST_NUMBERS_MAX`]. Statuses of what it sent from them
    /// may still come, whoever has them by then.
    pub past_numbers: Vec<PhoneNumberId>,
    /// Its limits, as far as they are its own.
    pub limits: TenantLimits,
    /// The redrives that begin by themselves.
    pub auto: AutoRedriving,
    /// What it wants to be kept to whenever something is sent in its name.
    pub rules: SendingRules,
    /// The part of it that is leaving, if any is. Nothing is accepted for that any more.
    pub leaving: Option<Leaving>,
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
    /// True if nobody gave the account: Meta named it, in its webhooks about the number or when the number was checked.
    pub waba_is_learned: bool,
    /// The number as people write it, 32 characters at most.
    pub display_phone_number: Option<String>,
    /// The country whose people write numbers for this one without a country code, if somebody said so.
    pub default_country: Option<Country>,
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
    /// What Meta said of the access token, if it was asked.
    pub token: Option<KnownToken>,
    /// The PIN that the number was registered with, sealed with the tenant's data key, if a signup registered it.
    pub sealed_pin: Option<Vec<u8>>,
    /// Its standing at Meta.
    pub standing: Standing,
}

impl Tenant {
    /// Returns the number that `id` names, or the default number for `None`.
    pub fn number(&self, id: Option<&PhoneNumberId>) -> Option<&PhoneNumber> {
        match id {
            Some(id) => self.phone_numbers.iter().find(|number| number.phone_number_id == *id),
            None => self.phone_numbers.first(),
        }
    }

    /// Returns the country whose people write numbers for that one, or for the default number, without a country code.
    pub fn home_of(&self, id: Option<&PhoneNumberId>) -> Option<Country> {
        self.number(id)?.default_country
    }

    /// Does the same as [`Tenant::number`], for a change.
    pub fn number_mut(&mut self, id: &PhoneNumberId) -> Option<&mut PhoneNumber> {
        self.phone_numbers
            .iter_mut()
            .find(|number| number.phone_number_id == *id)
    }

    /// Gives a number up, and remembers that it had it.
    pub fn give_up_number(&mut self, id: &PhoneNumberId) {
        self.phone_numbers.retain(|kept| kept.phone_number_id != *id);
        self.past_numbers.retain(|past| past != id);
        self.past_numbers.push(id.clone());
        let forgotten = self.past_numbers.len().saturating_sub(PAST_NUMBERS_MAX);
        self.past_numbers.drain(..forgotten);
        let numbers = &self.phone_numbers;
        self.auto
            .keep_numbers(|known| numbers.iter().any(|number| number.phone_number_id == *known));
    }

    /// True if one of its numbers is written with these digits.
    pub fn has_display_number(&self, digits: &str) -> bool {
        let mut numbers = self.phone_numbers.iter();
        numbers.any(|number| number.display_digits().as_deref() == Some(digits))
    }

    /// True if this number is leaving, alone or with the whole tenant.
    pub fn is_leaving(&self, number: &PhoneNumberId) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.has(number))
    }

    /// Returns the hold that stops this number: the tenant's own first, then the number's.
    pub fn hold_of(&self, number: &PhoneNumber) -> Option<Hold> {
        self.hold.or(number.hold)
    }
}

impl PhoneNumber {
    /// Returns the app that its token is of, as far as Meta said so.
    pub fn token_app(&self) -> Option<&AppId> {
        Some(&self.token.as_ref()?.facts.as_ref()?.app_id)
    }

    /// True if it is used with the WhatsApp Business app too, as far as Meta said so.
    pub fn is_on_app(&self) -> bool {
        let seen = self.standing.seen.as_ref();
        seen.is_some_and(|seen| seen.number.is_on_app == Some(true))
    }

    /// Returns the digits of the number as people write it.
    pub fn display_digits(&self) -> Option<String> {
        let text = self.display_phone_number.as_deref()?;
        Some(text.chars().filter(char::is_ascii_digit).collect())
    }

    /// Returns the sends a second that Meta allows this number, of which the pacer learns what it may use.
    pub fn level(&self) -> f64 {
        f64::from(self.messages_per_second)
    }
}

/// A tenant as the caches share it.
pub type SharedTenant = Arc<Tenant>;

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(digits: usize) -> PhoneNumberId {
        PhoneNumberId::parse(&digits.to_string()).expect("digits")
    }

    fn number(digits: usize) -> PhoneNumber {
        PhoneNumber {
            phone_number_id: id(digits),
            waba_id: None,
            waba_is_learned: false,
            display_phone_number: Some("+1 (555) 078-3881".to_owned()),
            default_country: None,
            sealed_token: Vec::new(),
            simulated: false,
            messages_per_second: MESSAGES_PER_SECOND_DEFAULT,
            hold: None,
            token_refusals: 0,
            token: None,
            sealed_pin: None,
            standing: Standing::default(),
        }
    }

    fn tenant() -> Tenant {
        Tenant {
            id: TenantId::from_uuid(Uuid::from_u128(1)),
            name: "Dhaka Books".to_owned(),
            callback_url: None,
            keys: Vec::new(),
            wrapped_data_key: Vec::new(),
            hold: None,
            unknown_outcome: UnknownOutcome::Auto,
            phone_numbers: vec![number(1), number(2)],
            past_numbers: Vec::new(),
            limits: TenantLimits::default(),
            auto: AutoRedriving::default(),
            rules: SendingRules::default(),
            leaving: None,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
            removed_at: None,
            version: 0,
        }
    }

    #[test]
    fn a_number_that_was_given_up_is_remembered_once_and_the_first_are_forgotten() {
        let mut tenant = tenant();
        tenant.give_up_number(&id(1));
        assert_eq!(tenant.number(Some(&id(1))), None);
        assert_eq!(tenant.phone_numbers, [number(2)]);
        for digits in [3, 1] {
            tenant.phone_numbers.push(number(digits));
            tenant.give_up_number(&id(digits));
        }
        assert_eq!(tenant.past_numbers, [id(3), id(1)]);
        for digits in 10..10 + PAST_NUMBERS_MAX {
            tenant.give_up_number(&id(digits));
        }
        let expected: Vec<_> = (10..10 + PAST_NUMBERS_MAX).map(id).collect();
        assert_eq!(tenant.past_numbers, expected);
    }

    #[test]
    fn a_number_is_known_by_its_digits_however_people_write_it() {
        let tenant = tenant();
        assert!(tenant.has_display_number("15550783881"));
        assert!(!tenant.has_display_number("1555078388") && !tenant.has_display_number(""));
    }
}
