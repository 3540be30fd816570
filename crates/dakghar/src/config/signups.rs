//! The way in which numbers are connected.

use dakghar_core::app::{CreditLine, SignupSettings};
use dakghar_core::domain::Secret;
use dakghar_core::domain::signup::SignupStep;
use dakghar_core::ports::WebhookOverride;

use super::reader::Reader;
use super::variable::{Kind, Variable, table};

/// Meta's limit for the URL.
const URL_BYTES_MAX: usize = 200;

table! {
    "Signups" {
        SIGNUP_WEBHOOK_URL: Kind::Text, "", "Where Meta posts the webhooks of accounts that a signup connects, in place of the app's own URL: https, 200 bytes at most. Needs VERIFY_TOKEN. Unset: at the app's own URL.";
        SIGNUP_CREDIT_LINE: Kind::Text, "", "Meta's id of the credit line that is shared with accounts which nobody pays for (Solution Partners). Unset: none is shared.";
        SIGNUP_CREDIT_TOKEN: Kind::Secret, "", "The token of the system user that the credit line belongs to.";
        SIGNUP_OPTIONAL_STEPS: Kind::Text, "facts credit", "The steps that a signup goes on without if they fail, of: subscribe register facts credit.";
    }
}

/// Reads the section. `verify_token` is what Meta names when it verifies a webhook URL.
pub(super) fn read(reader: &mut Reader<'_>, verify_token: Option<&Secret>) -> SignupSettings {
    SignupSettings {
        webhook: webhook(reader, verify_token),
        credit: credit(reader),
        optional: optional(reader),
    }
}

fn webhook(reader: &mut Reader<'_>, verify_token: Option<&Secret>) -> Option<WebhookOverride> {
    let url = reader.text(&SIGNUP_WEBHOOK_URL)?;
    let is_url = url.starts_with("https://") && url.len() <= URL_BYTES_MAX;
    reader.require(is_url, "SIGNUP_WEBHOOK_URL must be an https URL of at most 200 bytes");
    reader.require(verify_token.is_some(), "SIGNUP_WEBHOOK_URL needs VERIFY_TOKEN");
    Some(WebhookOverride {
        url: url.into(),
        verify_token: verify_token?.clone(),
    })
}

fn credit(reader: &mut Reader<'_>) -> Option<CreditLine> {
    let (line, token) = (reader.text(&SIGNUP_CREDIT_LINE), reader.secret(&SIGNUP_CREDIT_TOKEN));
    reader.require(
        line.is_some() == token.is_some(),
        "SIGNUP_CREDIT_LINE and SIGNUP_CREDIT_TOKEN need each other",
    );
    let line = line?;
    let is_id = (1..=32).contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_digit());
    reader.require(is_id, "SIGNUP_CREDIT_LINE must be 1 to 32 digits");
    Some(CreditLine {
        id: line.into(),
        token: token?,
    })
}

fn optional(reader: &mut Reader<'_>) -> Vec<SignupStep> {
    let names = reader.text(&SIGNUP_OPTIONAL_STEPS).unwrap_or_default();
    let mut steps = Vec::new();
    for name in names.split_whitespace() {
        match SignupStep::parse(name).filter(|step| step.may_be_optional()) {
            Some(step) => steps.push(step),
            None => reader.problem("SIGNUP_OPTIONAL_STEPS must name some of: subscribe register facts credit"),
        }
    }
    steps
}
