//! Checks of endpoints, as clients describe them.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::headers::check_headers;
use super::new::{EndpointChanges, NewEndpoint, StartAt};
use crate::app::tenants::checks::check;
use crate::domain::callback_url::CallbackRules;
use crate::domain::endpoint::{
    BATCH_MAX, CONCURRENCY_MAX, ENDPOINT_OVERLAP_MAX, EndpointFormat, KINDS_MAX, NUMBERS_MAX, PER_SECOND_MAX,
};
use crate::domain::signatures::StandardSecret;
use crate::domain::{ErrorCode, KindPattern, PhoneNumberId, Problem, Secret, Tenant, Timestamp};

/// Short secrets are guessed.
const SECRET_BYTES: RangeInclusive<usize> = 8..=256;

pub(super) fn check_new(
    new: &NewEndpoint,
    tenant: &Tenant,
    rules: &CallbackRules,
    wall: Timestamp,
) -> Result<(), Problem> {
    let url = match &new.settings.url {
        None => Some(Problem::field(ErrorCode::InvalidUrl, "/url", "is required")),
        Some(_) => None,
    };
    let start = match new.start {
        StartAt::Time(time) if time > wall => {
            let message = "must be now, beginning, or a time that is over";
            Some(Problem::field(ErrorCode::InvalidField, "/startAt", message))
        }
        _ => None,
    };
    let mut found = vec![url];
    found.extend(problems(&new.settings, new.format, tenant, rules));
    found.push(new.secret.as_ref().and_then(|secret| check_secret(secret, new.format)));
    found.push(start);
    check(&found)
}

pub(super) fn check_changes(
    changes: &EndpointChanges,
    format: EndpointFormat,
    tenant: &Tenant,
    rules: &CallbackRules,
) -> Result<(), Problem> {
    check(&problems(changes, format, tenant, rules))
}

fn problems(
    changes: &EndpointChanges,
    format: EndpointFormat,
    tenant: &Tenant,
    rules: &CallbackRules,
) -> Vec<Option<Problem>> {
    let url = changes.url.as_ref().and_then(|url| rules.parse(url).err());
    let mut found = vec![url.map(|fault| fault.problem("/url"))];
    found.extend(check_kinds(changes.kinds.as_deref().unwrap_or_default()));
    found.extend(check_numbers(
        changes.phone_number_ids.as_deref().unwrap_or_default(),
        tenant,
    ));
    for (number, max, pointer) in [
        (changes.batch_max, BATCH_MAX, "/batchMax"),
        (changes.per_second, PER_SECOND_MAX, "/perSecond"),
        (changes.concurrency, CONCURRENCY_MAX, "/concurrency"),
    ] {
        let is_wrong = number.is_some_and(|number| !(1..=max).contains(&number));
        found.push(is_wrong.then(|| Problem::field(ErrorCode::InvalidField, pointer, format!("must be 1 to {max}"))));
    }
    found.extend(check_headers(changes.headers.as_deref().unwrap_or_default()));
    let token = changes.verify_token.as_ref().and_then(Option::as_ref);
    found.push(token.and_then(|token| check_verify_token(token, format)));
    found
}

/// The first ten are told, which is enough to see what is wrong.
pub(super) fn check_kinds(kinds: &[String]) -> Vec<Option<Problem>> {
    if kinds.len() > KINDS_MAX {
        let message = format!("must be {KINDS_MAX} kinds at most");
        return vec![Some(Problem::field(ErrorCode::InvalidEventType, "/kinds", message))];
    }
    let wrong = kinds.iter().enumerate().filter_map(|(index, kind)| {
        let is_usable = KindPattern::parse(kind).is_some_and(|pattern| pattern.can_match());
        let message = "must be a kind of entries such as message.received, or the beginning of some, such as status.*";
        (!is_usable).then(|| Problem::field(ErrorCode::InvalidEventType, format!("/kinds/{index}"), message))
    });
    wrong.take(10).map(Some).collect()
}

pub(super) fn check_numbers(numbers: &[String], tenant: &Tenant) -> Vec<Option<Problem>> {
    let code = ErrorCode::InvalidPhoneNumberId;
    if numbers.len() > NUMBERS_MAX {
        let message = format!("must be {NUMBERS_MAX} numbers at most");
        return vec![Some(Problem::field(code, "/phoneNumberIds", message))];
    }
    let wrong = numbers.iter().enumerate().filter_map(|(index, number)| {
        let id = PhoneNumberId::parse(number).ok();
        let is_own = id.is_some_and(|id| tenant.number(Some(&id)).is_some());
        (!is_own).then(|| {
            Problem::field(
                code,
                format!("/phoneNumberIds/{index}"),
                "must be a number of the tenant",
            )
        })
    });
    wrong.take(10).map(Some).collect()
}

pub(super) fn check_rotation(
    secret: Option<&Secret>,
    format: EndpointFormat,
    overlap: Option<Duration>,
) -> Result<(), Problem> {
    let is_long = overlap.is_some_and(|overlap| overlap > ENDPOINT_OVERLAP_MAX);
    let too_long = is_long.then(|| {
        let message = format!("must be 0 to {}", ENDPOINT_OVERLAP_MAX.as_secs());
        Problem::field(ErrorCode::InvalidField, "/overlapSeconds", message)
    });
    check(&[secret.and_then(|secret| check_secret(secret, format)), too_long])
}

fn check_secret(secret: &Secret, format: EndpointFormat) -> Option<Problem> {
    match format {
        EndpointFormat::Standard => {
            let fault = StandardSecret::parse(secret).err()?;
            Some(Problem::field(ErrorCode::InvalidField, "/secret", fault.to_string()))
        }
        EndpointFormat::Meta => check_text(secret, "/secret"),
    }
}

fn check_verify_token(token: &Secret, format: EndpointFormat) -> Option<Problem> {
    if format != EndpointFormat::Meta {
        let message = "is for the format meta only";
        return Some(Problem::field(ErrorCode::InvalidField, "/verifyToken", message));
    }
    check_text(token, "/verifyToken")
}

fn check_text(secret: &Secret, pointer: &str) -> Option<Problem> {
    let text = secret.reveal();
    let is_usable = SECRET_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    (!is_usable).then(|| {
        let (min, max) = (SECRET_BYTES.start(), SECRET_BYTES.end());
        let message = format!("must be {min} to {max} printable ASCII characters without spaces");
        Problem::field(ErrorCode::InvalidField, pointer, message)
    })
}
