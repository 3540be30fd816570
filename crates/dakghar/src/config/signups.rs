//! The way in which numbers are connected.

use std::sync::Arc;

use dakghar_core::app::{CreditLine, OnboardingPage, OtherSdk, SignupSettings};
use dakghar_core::domain::Secret;
use dakghar_core::domain::ids::SignupConfigId;
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
        SIGNUP_CONFIG_ID: Kind::Text, "", "Meta's id of the login configuration for Embedded Signup, of the app that APP_ID names; further apps have their own (dakghar app set). With it and PUBLIC_URL Dakghar offers a page on which customers of tenants connect their numbers (POST /tenants/{tenantId}/onboarding-links). Unset: links of this app are refused.";
        SIGNUP_DIALOG_EXTRAS: Kind::Text, "{\"setup\":{}}", "What the dialog on that page gets as extras: a JSON object, such as {\"setup\":{\"solutionID\":\"…\"}}.";
        SIGNUP_SDK_URL: Kind::Text, "", "Development only: the URL of a script in place of Meta's SDK, such as that of dakghar graph-sim at /_sim/sdk.js. Messages of its origin are believed like Meta's.";
        SIGNUP_OPTIONAL_STEPS: Kind::Text, "facts credit", "The steps that a signup goes on without if they fail, of: subscribe register facts credit.";
    }
}

/// Settings of other sections that this one needs.
pub(super) struct Others<'a> {
    /// Meta names it when it verifies a webhook URL.
    pub(super) verify_token: Option<&'a Secret>,
    /// The URL under which browsers reach this server.
    pub(super) public_url: Option<&'a str>,
    /// The version of the Graph API.
    pub(super) api_version: &'a str,
    /// True if nothing of development may be on.
    pub(super) is_production: bool,
}

/// Reads the section.
pub(super) fn read(reader: &mut Reader<'_>, others: &Others<'_>) -> SignupSettings {
    SignupSettings {
        webhook: webhook(reader, others.verify_token),
        credit: credit(reader),
        page: page(reader, others),
        optional: optional(reader),
    }
}

/// Adds the warnings for the operator.
pub(super) fn warn(settings: &SignupSettings, warnings: &mut Vec<String>) {
    let other = settings.page.as_ref().and_then(|page| page.other_sdk.as_ref());
    if let Some(sdk) = other {
        let origin = &sdk.origin;
        warnings.push(format!(
            "SIGNUP_SDK_URL is set: the onboarding page runs a script of {origin} in place of Meta's, and believes it. Never \
             run so in production."
        ));
    }
}

fn page(reader: &mut Reader<'_>, others: &Others<'_>) -> Option<OnboardingPage> {
    let extras = extras(reader);
    let other_sdk = other_sdk(reader, others.is_production);
    let asked = reader.text(&SIGNUP_CONFIG_ID);
    let config_id = asked.as_deref().and_then(|text| SignupConfigId::parse(text).ok());
    reader.require(
        asked.is_some() == config_id.is_some(),
        "SIGNUP_CONFIG_ID must be 1 to 32 digits",
    );
    // Without it the API says that the page is off.
    let base = others.public_url?.trim_end_matches('/');
    let is_web = base.starts_with("https://") || base.starts_with("http://");
    let is_bare = base
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b';'));
    // Apps that were added may have a configuration, of which the settings know nothing. Such an app's links are refused
    // where the URL is not good for the page; what else it is good for is not judged here.
    if config_id.is_none() && !(is_web && is_bare) {
        return None;
    }
    reader.require(
        is_web && is_bare,
        "PUBLIC_URL must be an http(s) URL without a query, because links to the onboarding page begin with it",
    );
    Some(OnboardingPage {
        base: base.into(),
        config_id,
        extras,
        api_version: others.api_version.into(),
        other_sdk,
    })
}

fn extras(reader: &mut Reader<'_>) -> Arc<str> {
    let text = reader.text(&SIGNUP_DIALOG_EXTRAS).unwrap_or_default();
    let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text).is_ok();
    reader.require(is_object, "SIGNUP_DIALOG_EXTRAS must be a JSON object");
    if is_object { text.into() } else { "{}".into() }
}

fn other_sdk(reader: &mut Reader<'_>, is_production: bool) -> Option<OtherSdk> {
    let url = reader.text(&SIGNUP_SDK_URL)?;
    let sdk = OtherSdk::parse(&url);
    reader.require(sdk.is_some(), "SIGNUP_SDK_URL must be an http(s) URL");
    reader.require(
        !is_production,
        "SIGNUP_SDK_URL is for development: it must not be set in production",
    );
    sdk
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
