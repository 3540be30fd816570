//! Phone numbers as the world dials them: the codes of countries, how long a number behind each may be, and how people
//! write their numbers at home.
//!
//! The tables say what is possible, not what is assigned: a number that fits may still not exist. They are the facts of the
//! ITU's list of assigned codes (E.164) and of libphonenumber 9.0, in a form of our own.

mod codes;
mod regions;

use std::fmt;

use codes::Code;

use super::invisible::is_invisible;

/// The most digits of a number with its country code (E.164).
pub const PHONE_DIGITS_MAX: usize = 15;
/// The fewest digits of a number with its country code.
pub const PHONE_DIGITS_MIN: usize = 7;

/// True for what people write between the digits of a number. Numbers are copied from web pages and address books, which have
/// spaces that do not break, hyphens and dashes of every length, and unseen marks of direction around them.
pub fn is_between_digits(c: char) -> bool {
    let is_of_a_page = || c.is_whitespace() && !c.is_control() || is_invisible(c);
    matches!(c, ' ' | '-' | '.' | '(' | ')' | '\u{2010}'..='\u{2015}' | '\u{2212}') || !c.is_ascii() && is_of_a_page()
}

/// A country whose people write their numbers without its code, by its two letters (ISO 3166).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Country(&'static regions::Region);

impl Country {
    /// Reads the two capital letters. `None` if no numbers are known of such a country.
    pub fn parse(letters: &str) -> Option<Self> {
        regions::find(letters).map(Self)
    }

    /// The two letters.
    pub const fn as_str(self) -> &'static str {
        self.0.0
    }

    /// Its code, in front of which a `+` is written.
    pub const fn code(self) -> u16 {
        self.0.1
    }

    /// The digits that people at home dial before a number, and nobody from abroad: mostly `0`; empty where there are none.
    pub const fn trunk_prefix(self) -> &'static str {
        self.0.2
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The reason why digits are no phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFault {
    /// They begin with the international prefix `00`, for which a `+` is written.
    InternationalPrefix,
    /// They begin with a `0`, as at home, and nobody says in which country that is.
    National,
    /// No country has such a code.
    NoSuchCode,
    /// The country with this code has no numbers of that length.
    Length(u16),
    /// Behind the code of the country they have the `0` that is dialled at home only.
    TrunkPrefix(u16),
    /// They may be a number of the country at home, and one of another country with its code.
    Ambiguous,
}

/// A number in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The digits had the country's code.
    International,
    /// They had not: this code belongs in front of what is left without so many leading digits.
    National {
        /// The code of the country.
        code: u16,
        /// The leading digits that are dialled at home only.
        skip: usize,
    },
}

/// Reads the digits behind a `+`. An `x` stands for any digit.
///
/// # Errors
/// The reason why they are no number that could be dialled.
pub fn read_international(digits: &[u8]) -> Result<(), NumberFault> {
    if digits.starts_with(b"00") {
        return Err(NumberFault::InternationalPrefix);
    }
    let (code, rest) = split(digits)?;
    if code.has_trunk_zero(rest) {
        return Err(NumberFault::TrunkPrefix(code.number()));
    }
    if code.allows(rest.len()) || code.allows_rarely(rest.len()) {
        Ok(())
    } else {
        Err(NumberFault::Length(code.number()))
    }
}

/// Reads digits without a `+`, from people who leave the code out in `home`.
///
/// # Errors
/// The reason why they are no number, or why nobody knows which.
pub fn read_unmarked(digits: &[u8], home: Option<Country>) -> Result<Reading, NumberFault> {
    if digits.starts_with(b"00") {
        return Err(NumberFault::InternationalPrefix);
    }
    let international = strictly_international(digits);
    let Some(home) = home else {
        return match international {
            Ok(_) => Ok(Reading::International),
            Err(_) if digits.starts_with(b"0") => Err(NumberFault::National),
            Err(fault) => Err(fault),
        };
    };
    let national = national(digits, home).map(|skip| Reading::National {
        code: home.code(),
        skip,
    });
    match (international, national) {
        (Ok(code), _) if code == home.code() => Ok(Reading::International),
        (Ok(_), Some(_)) => Err(NumberFault::Ambiguous),
        (Ok(_), None) => Ok(Reading::International),
        (Err(_), Some(national)) => Ok(national),
        (Err(_), None) if digits.starts_with(b"0") => Err(NumberFault::Length(home.code())),
        (Err(fault), None) => Err(fault),
    }
}

/// The code of a number without a `+`: only of a length that the country's own people have.
fn strictly_international(digits: &[u8]) -> Result<u16, NumberFault> {
    let (code, rest) = split(digits)?;
    if code.has_trunk_zero(rest) {
        return Err(NumberFault::TrunkPrefix(code.number()));
    }
    if code.allows(rest.len()) {
        Ok(code.number())
    } else {
        Err(NumberFault::Length(code.number()))
    }
}

/// The number of leading digits to leave out, if the rest is a number at home.
fn national(digits: &[u8], home: Country) -> Option<usize> {
    let code = codes::find(home.code())?;
    let fits = |rest: &[u8]| !code.has_trunk_zero(rest) && code.allows(rest.len());
    let trunk = home.trunk_prefix().as_bytes();
    let without_trunk = digits.strip_prefix(trunk).filter(|_| !trunk.is_empty());
    if without_trunk.is_some_and(fits) {
        return Some(trunk.len());
    }
    fits(digits).then_some(0)
}

/// The code in front, and the digits behind it. No code is the beginning of another one.
fn split(digits: &[u8]) -> Result<(&'static Code, &[u8]), NumberFault> {
    let mut number = 0;
    for (place, digit) in digits.iter().take(codes::DIGITS_MAX).enumerate() {
        if !digit.is_ascii_digit() {
            break;
        }
        number = number * 10 + u16::from(digit - b'0');
        if let Some(code) = codes::find(number) {
            return Ok((code, &digits[place + 1..]));
        }
        if number == 0 {
            break;
        }
    }
    Err(NumberFault::NoSuchCode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(letters: &str) -> Country {
        Country::parse(letters).unwrap_or_else(|| panic!("{letters}"))
    }

    #[test]
    fn a_number_in_full_has_a_code_and_a_length_of_its_country() {
        for digits in [
            "919111111111",
            "14155551212",
            "4915112345678",
            "5215512345678",
            "22961234567",
            "390612345678",
            "3780549123456",
            "2250712345678",
            "242066612345",
            "911800123456",
            "919xxxxxxxxx",
            "37120000000",
        ] {
            assert_eq!(read_international(digits.as_bytes()), Ok(()), "{digits}");
        }
        for (digits, fault) in [
            ("00919111111111", NumberFault::InternationalPrefix),
            ("0919111111111", NumberFault::NoSuchCode),
            ("2101234567", NumberFault::NoSuchCode),
            ("9991234567", NumberFault::NoSuchCode),
            ("4155551212", NumberFault::Length(41)),
            ("1234567", NumberFault::Length(1)),
            ("123456789012345", NumberFault::Length(1)),
            ("4407911123456", NumberFault::TrunkPrefix(44)),
            ("4901511234567", NumberFault::TrunkPrefix(49)),
            ("910911111111", NumberFault::TrunkPrefix(91)),
            ("x19111111111", NumberFault::NoSuchCode),
        ] {
            assert_eq!(read_international(digits.as_bytes()), Err(fault), "{digits}");
        }
    }

    #[test]
    fn a_number_as_at_home_is_read_in_its_country_only_where_it_can_be_no_other() {
        let national = |code, skip| Ok(Reading::National { code, skip });
        for (digits, home, reading) in [
            ("919111111111", None, Ok(Reading::International)),
            ("4155551212", None, Err(NumberFault::Length(41))),
            ("07911123456", None, Err(NumberFault::National)),
            ("9195551212", None, Err(NumberFault::Length(91))),
            ("4155551212", Some("US"), national(1, 0)),
            ("14155551212", Some("US"), Ok(Reading::International)),
            ("919111111111", Some("US"), Ok(Reading::International)),
            ("9111111111", Some("IN"), national(91, 0)),
            ("09111111111", Some("IN"), national(91, 1)),
            ("07911123456", Some("GB"), national(44, 1)),
            ("447911123456", Some("GB"), Ok(Reading::International)),
            ("00447911123456", Some("GB"), Err(NumberFault::InternationalPrefix)),
            ("87011234567", Some("KZ"), national(7, 1)),
            ("06201234567", Some("HU"), national(36, 2)),
            ("0612345678", Some("IT"), national(39, 0)),
            ("15112345678", Some("DE"), Err(NumberFault::Ambiguous)),
            ("015112345678", Some("DE"), national(49, 1)),
            ("4915112345678", Some("DE"), Ok(Reading::International)),
            ("0123", Some("GB"), Err(NumberFault::Length(44))),
        ] {
            let read = read_unmarked(digits.as_bytes(), home.map(country));
            assert_eq!(read, reading, "{digits} {home:?}");
        }
    }

    #[test]
    fn countries_are_known_by_their_letters() {
        assert_eq!((country("IN").code(), country("IN").trunk_prefix()), (91, "0"));
        assert_eq!(country("BD").as_str(), "BD");
        for letters in ["", "in", "XX", "IND", "I"] {
            assert_eq!(Country::parse(letters), None, "{letters}");
        }
    }
}
