//! Signups, as both stores keep them: one text, JSON. What is secret is sealed in it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dakghar_core::domain::audit::Who;
use dakghar_core::domain::ids::{AppId, PhoneNumberId, SignupId, TenantId, WabaId};
use dakghar_core::domain::signup::{
    AccountFacts, Language, Link, NumberFacts, Reason, Signup, SignupState, SignupStep, StepEnd, StepRecord, Trouble,
};
use dakghar_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::known_token;
use super::lease::{LeaseFields, lease, lease_fields};
use super::send_error::{ErrorFields, error, error_fields};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignupFields {
    id: String,
    tenant_id: String,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_key: Option<String>,
    app_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<LinkFields>,
    state: String,
    step: String,
    tries: u32,
    records: Vec<RecordFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<TroubleFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_code: Option<String>,
    code_until: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_pin: Option<String>,
    #[serde(default)]
    pin_is_made: bool,
    #[serde(default)]
    deregisters_first: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_number: Option<String>,
    #[serde(default)]
    asked_on_app: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waba_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<AccountFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<NumberFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseFields>,
    created_at: i64,
    updated_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LinkFields {
    expires_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    return_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    browser: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct RecordFields {
    step: String,
    end: String,
    at: i64,
    tries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct TroubleFields {
    reason: String,
    advice: String,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorFields>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountFields {
    id: String,
    name: Option<String>,
    currency: Option<String>,
    review_status: Option<String>,
    has_funding: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NumberFields {
    id: String,
    display: Option<String>,
    verified_name: Option<String>,
    status: Option<String>,
    platform: Option<String>,
    is_on_app: bool,
    code_verification: Option<String>,
    quality: Option<String>,
    messaging_limit: Option<String>,
    throughput: Option<String>,
}

/// Returns the text of a signup. Its version and its key are kept beside it.
pub(crate) fn text_of(signup: &Signup) -> String {
    let sealed = |sealed: &Option<Vec<u8>>| sealed.as_ref().map(|sealed| STANDARD.encode(sealed));
    let fields = SignupFields {
        id: signup.id.to_string(),
        tenant_id: signup.tenant_id.to_string(),
        by: signup.asked_by.kind().to_owned(),
        by_key: signup.asked_by.key().map(|key| key.to_string()),
        app_id: signup.app_id.to_string(),
        link: signup.link.as_ref().map(link_fields),
        state: signup.state.as_str().to_owned(),
        step: signup.step.as_str().to_owned(),
        tries: signup.tries,
        records: signup.records.iter().map(record_fields).collect(),
        trouble: signup.trouble.as_ref().map(trouble_fields),
        sealed_code: sealed(&signup.sealed_code),
        code_until: signup.code_until.as_millis(),
        sealed_token: sealed(&signup.sealed_token),
        token: signup.token.as_ref().map(known_token::text_of),
        sealed_pin: sealed(&signup.sealed_pin),
        pin_is_made: signup.pin_is_made,
        deregisters_first: signup.deregisters_first,
        asked_account: signup.asked_account.as_ref().map(WabaId::to_string),
        asked_number: signup.asked_number.as_ref().map(PhoneNumberId::to_string),
        asked_on_app: signup.asked_on_app,
        waba_id: signup.waba_id.as_ref().map(WabaId::to_string),
        account: signup.account.as_ref().map(account_fields),
        number: signup.number.as_ref().map(number_fields),
        profile: owned(signup.profile.as_ref()),
        next_at: signup.next_at.map(Timestamp::as_millis),
        lease: signup.lease.as_ref().map(lease_fields),
        created_at: signup.created_at.as_millis(),
        updated_at: signup.updated_at.as_millis(),
        ended_at: signup.ended_at.map(Timestamp::as_millis),
    };
    serde_json::to_string(&fields).expect("texts and numbers become JSON")
}

/// Reads the text of a signup that is kept under this version and this key; `None` if it cannot be understood.
pub(crate) fn parse(text: &str, key: Vec<u8>, version: u64) -> Option<Signup> {
    let fields: SignupFields = serde_json::from_str(text).ok()?;
    Some(Signup {
        id: SignupId::parse(&fields.id).ok()?,
        tenant_id: TenantId::parse(&fields.tenant_id).ok()?,
        asked_by: Who::parse(&fields.by, fields.by_key.as_deref())?,
        key,
        app_id: AppId::parse(&fields.app_id).ok()?,
        link: maybe(fields.link, link)?,
        state: SignupState::parse(&fields.state)?,
        step: SignupStep::parse(&fields.step)?,
        tries: fields.tries,
        records: fields.records.into_iter().map(record).collect::<Option<_>>()?,
        trouble: maybe(fields.trouble, trouble)?,
        sealed_code: maybe(fields.sealed_code, unsealed)?,
        code_until: Timestamp::from_millis(fields.code_until),
        sealed_token: maybe(fields.sealed_token, unsealed)?,
        token: maybe(fields.token, |text| known_token::parse(&text))?,
        sealed_pin: maybe(fields.sealed_pin, unsealed)?,
        pin_is_made: fields.pin_is_made,
        deregisters_first: fields.deregisters_first,
        asked_account: maybe(fields.asked_account, |id| WabaId::parse(&id).ok())?,
        asked_number: maybe(fields.asked_number, |id| PhoneNumberId::parse(&id).ok())?,
        asked_on_app: fields.asked_on_app,
        waba_id: maybe(fields.waba_id, |id| WabaId::parse(&id).ok())?,
        account: maybe(fields.account, account)?,
        number: maybe(fields.number, number)?,
        profile: fields.profile.map(Into::into),
        next_at: fields.next_at.map(Timestamp::from_millis),
        lease: fields.lease.map(lease),
        created_at: Timestamp::from_millis(fields.created_at),
        updated_at: Timestamp::from_millis(fields.updated_at),
        ended_at: fields.ended_at.map(Timestamp::from_millis),
        version,
    })
}

fn owned(text: Option<&Arc<str>>) -> Option<String> {
    text.map(ToString::to_string)
}

/// Outer `None`: not understood. Inner `None`: there is nothing.
#[expect(clippy::option_option, reason = "the outer one is the failure that `?` passes on")]
fn maybe<F, T>(field: Option<F>, read: impl FnOnce(F) -> Option<T>) -> Option<Option<T>> {
    match field {
        Some(field) => read(field).map(Some),
        None => Some(None),
    }
}

fn unsealed(text: String) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn link_fields(link: &Link) -> LinkFields {
    LinkFields {
        expires_at: link.expires_at.as_millis(),
        return_url: owned(link.return_url.as_ref()),
        language: link.language.map(|language| language.as_str().to_owned()),
        browser: link.browser.as_ref().map(|browser| STANDARD.encode(browser)),
    }
}

fn link(fields: LinkFields) -> Option<Link> {
    Some(Link {
        expires_at: Timestamp::from_millis(fields.expires_at),
        return_url: fields.return_url.map(Into::into),
        language: maybe(fields.language, |name| Language::parse(&name))?,
        browser: maybe(fields.browser, unsealed)?,
    })
}

fn record_fields(record: &StepRecord) -> RecordFields {
    RecordFields {
        step: record.step.as_str().to_owned(),
        end: record.end.as_str().to_owned(),
        at: record.at.as_millis(),
        tries: record.tries,
        note: owned(record.note.as_ref()),
        error: record.error.as_ref().map(error_fields),
        request: owned(record.request_id.as_ref()),
    }
}

fn record(fields: RecordFields) -> Option<StepRecord> {
    Some(StepRecord {
        step: SignupStep::parse(&fields.step)?,
        end: StepEnd::parse(&fields.end)?,
        at: Timestamp::from_millis(fields.at),
        tries: fields.tries,
        note: fields.note.map(Into::into),
        error: fields.error.map(error),
        request_id: fields.request.map(Into::into),
    })
}

fn trouble_fields(trouble: &Trouble) -> TroubleFields {
    TroubleFields {
        reason: trouble.reason.as_str().to_owned(),
        advice: trouble.advice.to_string(),
        at: trouble.at.as_millis(),
        error: trouble.error.as_ref().map(error_fields),
    }
}

fn trouble(fields: TroubleFields) -> Option<Trouble> {
    Some(Trouble {
        reason: Reason::parse(&fields.reason)?,
        advice: fields.advice.into(),
        error: fields.error.map(error),
        at: Timestamp::from_millis(fields.at),
    })
}

fn account_fields(account: &AccountFacts) -> AccountFields {
    AccountFields {
        id: account.id.to_string(),
        name: owned(account.name.as_ref()),
        currency: owned(account.currency.as_ref()),
        review_status: owned(account.review_status.as_ref()),
        has_funding: account.has_funding,
    }
}

fn account(fields: AccountFields) -> Option<AccountFacts> {
    Some(AccountFacts {
        id: WabaId::parse(&fields.id).ok()?,
        name: fields.name.map(Into::into),
        currency: fields.currency.map(Into::into),
        review_status: fields.review_status.map(Into::into),
        has_funding: fields.has_funding,
    })
}

fn number_fields(number: &NumberFacts) -> NumberFields {
    NumberFields {
        id: number.id.to_string(),
        display: owned(number.display.as_ref()),
        verified_name: owned(number.verified_name.as_ref()),
        status: owned(number.status.as_ref()),
        platform: owned(number.platform.as_ref()),
        is_on_app: number.is_on_app,
        code_verification: owned(number.code_verification.as_ref()),
        quality: owned(number.quality.as_ref()),
        messaging_limit: owned(number.messaging_limit.as_ref()),
        throughput: owned(number.throughput.as_ref()),
    }
}

fn number(fields: NumberFields) -> Option<NumberFacts> {
    Some(NumberFacts {
        id: PhoneNumberId::parse(&fields.id).ok()?,
        display: fields.display.map(Into::into),
        verified_name: fields.verified_name.map(Into::into),
        status: fields.status.map(Into::into),
        platform: fields.platform.map(Into::into),
        is_on_app: fields.is_on_app,
        code_verification: fields.code_verification.map(Into::into),
        quality: fields.quality.map(Into::into),
        messaging_limit: fields.messaging_limit.map(Into::into),
        throughput: fields.throughput.map(Into::into),
    })
}
