//! Business numbers: the given ones, and every other derived from its `phone_number_id`.
//!
//! Also the identities of people: digits of a phone number, and a business-scoped user id made from them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

/// Most numbers remembered; the ones beyond it are derived anew for each call.
const NUMBERS_MAX: usize = 100_000;

/// A business number at Meta.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// Meta's id of the number, as in the URL path.
    pub phone_number_id: String,
    /// The WhatsApp Business Account that owns it: `entry[].id` of its webhooks.
    pub waba_id: String,
    /// The number itself, digits only.
    pub display_phone_number: String,
}

impl Number {
    /// The number that the simulator assumes for an id it was not told about: the WABA id is `9`
    /// followed by the id, the display number `1555` followed by the id's last seven digits.
    pub fn derived(phone_number_id: &str) -> Self {
        let digits: String = phone_number_id.chars().filter(char::is_ascii_digit).collect();
        let tail = &digits[digits.len().saturating_sub(7)..];
        Self {
            phone_number_id: phone_number_id.to_owned(),
            waba_id: format!("9{phone_number_id}"),
            display_phone_number: format!("1555{tail:0>7}"),
        }
    }
}

/// The numbers given or seen so far.
#[derive(Debug, Default)]
pub(crate) struct Numbers(RwLock<BTreeMap<String, Arc<Number>>>);

impl Numbers {
    pub(crate) fn with(given: Vec<Number>) -> Self {
        let numbers = Self::default();
        for number in given {
            numbers.put(number);
        }
        numbers
    }

    pub(crate) fn put(&self, number: Number) {
        self.0.write().insert(number.phone_number_id.clone(), Arc::new(number));
    }

    /// The number of this id; an unknown one is derived and remembered.
    pub(crate) fn get(&self, phone_number_id: &str) -> Arc<Number> {
        if let Some(known) = self.0.read().get(phone_number_id) {
            return Arc::clone(known);
        }
        let mut numbers = self.0.write();
        if numbers.len() >= NUMBERS_MAX {
            return Arc::new(Number::derived(phone_number_id));
        }
        Arc::clone(
            numbers
                .entry(phone_number_id.to_owned())
                .or_insert_with(|| Arc::new(Number::derived(phone_number_id))),
        )
    }

    pub(crate) fn all(&self) -> Vec<Arc<Number>> {
        self.0.read().values().cloned().collect()
    }

    pub(crate) fn of_waba(&self, waba_id: &str) -> Vec<Arc<Number>> {
        let numbers = self.0.read();
        numbers
            .values()
            .filter(|number| number.waba_id == waba_id)
            .cloned()
            .collect()
    }
}

/// The digits of a phone number in which `+`, `-`, brackets and spaces are tolerated; `None` if
/// anything else is in it or the length is not 7 to 15 digits.
pub(crate) fn phone_digits(input: &str) -> Option<String> {
    let mut digits = String::with_capacity(input.len());
    for character in input.chars() {
        match character {
            '0'..='9' => digits.push(character),
            '+' | '-' | '(' | ')' | ' ' => {}
            _ => return None,
        }
    }
    // No country code begins with a zero.
    let is_dialled = (7..=15).contains(&digits.len()) && !digits.starts_with('0');
    is_dialled.then_some(digits)
}

/// The business-scoped user id that belongs to a phone number: always the same one for the same number.
pub(crate) fn user_id_of(wa_id: &str) -> String {
    let country = match wa_id.as_bytes() {
        [b'8', b'8', b'0', ..] => "BD",
        [b'9', b'1', ..] => "IN",
        [b'5', b'5', ..] => "BR",
        [b'4', b'4', ..] => "GB",
        _ => "US",
    };
    let mut hasher = DefaultHasher::new();
    wa_id.hash(&mut hasher);
    format!("{country}.{:020}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_the_same_number_for_the_same_id() {
        let number = Number::derived("106540352242922");
        assert_eq!(number.waba_id, "9106540352242922");
        assert_eq!(number.display_phone_number, "15552242922");
        assert_eq!(Number::derived("12").display_phone_number, "15550000012");
    }

    #[test]
    fn keeps_a_given_number_and_lists_it_under_its_waba() {
        let numbers = Numbers::with(vec![Number {
            phone_number_id: "1".to_owned(),
            waba_id: "77".to_owned(),
            display_phone_number: "15550783881".to_owned(),
        }]);
        numbers.get("2");
        assert_eq!(numbers.get("1").waba_id, "77");
        assert_eq!(numbers.of_waba("77").len(), 1);
        assert_eq!(numbers.all().len(), 2);
    }

    #[test]
    fn reads_phone_numbers_as_tolerantly_as_meta() {
        assert_eq!(phone_digits("+880 1711-(000)000").as_deref(), Some("8801711000000"));
        assert_eq!(phone_digits("12345"), None);
        assert_eq!(phone_digits("+8801711x00000"), None);
        assert_eq!(phone_digits("1234567890123456"), None);
    }

    #[test]
    fn a_user_id_carries_the_country_and_is_stable() {
        let id = user_id_of("8801711000000");
        assert!(id.starts_with("BD."), "{id}");
        assert_eq!(id, user_id_of("8801711000000"));
        assert_ne!(id, user_id_of("8801711000001"));
    }
}
