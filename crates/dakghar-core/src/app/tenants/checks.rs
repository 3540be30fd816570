//! Checks of tenants and numbers, as clients describe them.

use super::new::NewPhoneNumber;
use crate::domain::invisible::is_invisible;
use crate::domain::tenant::MESSAGES_PER_SECOND_MAX;
use crate::domain::{Country, ErrorCode, FieldError, PhoneNumberId, Problem, Secret, TenantLimit, WabaId};

const NAME_CHARS_MAX: usize = 200;
const TOKEN_BYTES_MAX: usize = 4096;
const DISPLAY_NUMBER_CHARS_MAX: usize = 32;

pub(in crate::app) fn parse_phone_number_id(text: &str) -> Result<PhoneNumberId, Problem> {
    PhoneNumberId::parse(text).map_err(|_| {
        Problem::field(
            ErrorCode::InvalidPhoneNumberId,
            "/phoneNumberId",
            "must be 1 to 20 digits, as Meta shows it",
        )
    })
}

pub(in crate::app) fn parse_waba_id(text: &str) -> Result<WabaId, Problem> {
    WabaId::parse(text).map_err(|_| Problem::field(ErrorCode::InvalidField, "/wabaId", "must be 1 to 32 digits"))
}

/// Returns everything that is wrong at once, under the code of the first problem.
pub(in crate::app) fn check(found: &[Option<Problem>]) -> Result<(), Problem> {
    let mut problems = found.iter().flatten();
    let Some(first) = problems.next() else { return Ok(()) };
    let mut all = first.clone();
    let others: Vec<FieldError> = problems.flat_map(|problem| problem.errors.clone()).collect();
    all.errors.extend(others);
    Err(all)
}

pub(in crate::app) fn check_name(name: &str) -> Option<Problem> {
    let chars = name.trim().chars().count();
    let is_unseen = name.chars().all(|c| c.is_whitespace() || is_invisible(c));
    (is_unseen || chars > NAME_CHARS_MAX || name.chars().any(char::is_control)).then(|| {
        Problem::field(
            ErrorCode::InvalidName,
            "/name",
            format!("must be 1 to {NAME_CHARS_MAX} printable characters, and one of them visible"),
        )
    })
}

pub(super) fn check_token(token: &Secret, pointer: &str) -> Option<Problem> {
    let text = token.reveal();
    (text.is_empty() || text.len() > TOKEN_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| {
        let message = format!("must be 1 to {TOKEN_BYTES_MAX} printable ASCII characters without spaces");
        Problem::field(ErrorCode::InvalidToken, pointer, message)
    })
}

pub(super) fn check_number(number: &NewPhoneNumber) -> Option<Problem> {
    parse_phone_number_id(&number.phone_number_id)
        .err()
        .or_else(|| {
            number
                .waba_id
                .as_deref()
                .and_then(|waba_id| parse_waba_id(waba_id).err())
        })
        .or_else(|| number.display_phone_number.as_deref().and_then(check_display_number))
        .or_else(|| number.default_country.as_deref().and_then(check_country))
        .or_else(|| number.messages_per_second.and_then(check_rate))
}

pub(super) fn check_display_number(text: &str) -> Option<Problem> {
    (text.is_empty() || text.chars().count() > DISPLAY_NUMBER_CHARS_MAX || text.chars().any(char::is_control)).then(
        || {
            let message = format!("must be 1 to {DISPLAY_NUMBER_CHARS_MAX} printable characters");
            Problem::field(ErrorCode::InvalidField, "/displayPhoneNumber", message)
        },
    )
}

pub(super) fn check_country(letters: &str) -> Option<Problem> {
    Country::parse(letters).is_none().then(|| {
        let message = "must be the two capital letters of a country, such as IN";
        Problem::field(ErrorCode::InvalidField, "/defaultCountry", message)
    })
}

pub(super) fn check_rate(per_second: u32) -> Option<Problem> {
    (!(1..=MESSAGES_PER_SECOND_MAX).contains(&per_second)).then(|| {
        let message = format!("must be 1 to {MESSAGES_PER_SECOND_MAX}");
        Problem::field(ErrorCode::InvalidField, "/messagesPerSecond", message)
    })
}

pub(super) fn check_limit(limit: TenantLimit, number: Option<u32>) -> Option<Problem> {
    let (min, max) = (limit.min(), limit.max());
    let is_wrong = |number| number != 0 && !(min..=max).contains(&number);
    number.is_some_and(is_wrong).then(|| {
        let pointer = format!("/limits/{}", limit.as_str());
        let message = format!("must be 0 (no limit) or {min} to {max}");
        Problem::field(ErrorCode::InvalidField, pointer, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_only_invisible_characters_is_refused() {
        for name in [
            "\u{200b}",
            " \u{200d}\u{feff} ",
            "\u{202e}\u{2066}\u{2069}",
            "\u{3164}",
            "\u{2800}",
            "",
            "  ",
        ] {
            let problem = check_name(name).unwrap_or_else(|| panic!("{name:?} passed"));
            assert_eq!(problem.code, ErrorCode::InvalidName, "{name:?}");
        }
        for name in ["a", "\u{200e}Acme", "\u{995}\u{9cd}\u{200d}\u{9b7}", "\u{2764}\u{fe0f}"] {
            assert!(check_name(name).is_none(), "{name:?}");
        }
    }
}
