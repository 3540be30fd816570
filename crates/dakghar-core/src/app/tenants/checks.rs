//! Checks of tenants and numbers, as clients describe them.

use super::new::NewPhoneNumber;
use crate::domain::send_request::link;
use crate::domain::tenant::{MESSAGES_PER_SECOND_MAX, REQUESTS_PER_SECOND_MAX};
use crate::domain::{ErrorCode, FieldError, PhoneNumberId, Problem, Secret, WabaId};

const NAME_CHARS_MAX: usize = 200;
const TOKEN_BYTES_MAX: usize = 4096;
const CALLBACK_URL_BYTES_MAX: usize = 2048;
const DISPLAY_NUMBER_CHARS_MAX: usize = 32;

pub(super) fn parse_phone_number_id(text: &str) -> Result<PhoneNumberId, Problem> {
    PhoneNumberId::parse(text).map_err(|_| {
        Problem::field(
            ErrorCode::InvalidPhoneNumberId,
            "/phoneNumberId",
            "must be 1 to 20 digits, as Meta shows it",
        )
    })
}

pub(super) fn parse_waba_id(text: &str) -> Result<WabaId, Problem> {
    WabaId::parse(text).map_err(|_| Problem::field(ErrorCode::InvalidField, "/wabaId", "must be 1 to 32 digits"))
}

/// Returns everything that is wrong at once, under the code of the first problem.
pub(super) fn check(found: &[Option<Problem>]) -> Result<(), Problem> {
    let mut problems = found.iter().flatten();
    let Some(first) = problems.next() else { return Ok(()) };
    let mut all = first.clone();
    let others: Vec<FieldError> = problems.flat_map(|problem| problem.errors.clone()).collect();
    all.errors.extend(others);
    Err(all)
}

pub(super) fn check_name(name: &str) -> Option<Problem> {
    let chars = name.trim().chars().count();
    (chars == 0 || chars > NAME_CHARS_MAX || name.chars().any(char::is_control)).then(|| {
        Problem::field(
            ErrorCode::InvalidName,
            "/name",
            format!("must be 1 to {NAME_CHARS_MAX} printable characters"),
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

pub(super) fn check_rate(per_second: u32) -> Option<Problem> {
    (!(1..=MESSAGES_PER_SECOND_MAX).contains(&per_second)).then(|| {
        let message = format!("must be 1 to {MESSAGES_PER_SECOND_MAX}");
        Problem::field(ErrorCode::InvalidField, "/messagesPerSecond", message)
    })
}

pub(super) fn check_request_rate(per_second: u32) -> Option<Problem> {
    (per_second > REQUESTS_PER_SECOND_MAX).then(|| {
        let message = format!("must be 0 (no limit) to {REQUESTS_PER_SECOND_MAX}");
        Problem::field(ErrorCode::InvalidField, "/requestsPerSecond", message)
    })
}

pub(super) fn check_callback_url(url: &str) -> Option<Problem> {
    (!link::is_http(url) || url.len() > CALLBACK_URL_BYTES_MAX).then(|| {
        let message = format!("must be an http(s) URL with a host, of at most {CALLBACK_URL_BYTES_MAX} bytes");
        Problem::field(ErrorCode::InvalidUrl, "/callbackUrl", message)
    })
}
