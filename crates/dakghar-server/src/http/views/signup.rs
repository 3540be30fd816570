//! Signups.

use dakghar_core::app::ShownSignup;
use dakghar_core::domain::audit::Who;
use dakghar_core::domain::signup::{
    AccountFacts, Language, Link, NumberFacts, Reason, Signup, SignupState, SignupStep, StepEnd, StepRecord,
};
use dakghar_core::domain::{Secret, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use super::error::ErrorView;
use super::standing::HistoryView;
use super::{names, or_null, raw_json};

/// A signup: how a number of the tenant is connected, where it is, and why it does not go on. Code, token and PIN are never shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Signup)]
pub(in crate::http) struct SignupView {
    /// Its id.
    #[schema(example = "sgn_01kamt5c8x7v3b9q2w4e6r8t0y")]
    signup_id: String,
    /// The tenant.
    tenant_id: String,
    /// `invited`: its link waits for somebody; `expired` or `cancelled`: nobody used it; `running`; `waiting`, and it goes on by
    /// itself at `nextAt`; `stopped`, until a retry; or `done`. The number can send when the step `tenant` is behind it.
    #[schema(schema_with = signup_states)]
    state: &'static str,
    /// The step that it is at.
    #[schema(schema_with = signup_steps)]
    step: &'static str,
    /// Tries of that step that ended without success.
    tries: u32,
    /// Why it stopped or waits.
    #[schema(schema_with = signup_reasons)]
    reason: Option<&'static str>,
    /// What can be done about it.
    advice: Option<String>,
    /// Meta's answer, if that is why.
    error: Option<ErrorView>,
    /// True if a retry needs another code of the dialog.
    needs_code: bool,
    /// When it goes on by itself.
    #[schema(format = DateTime)]
    next_at: Option<String>,
    /// The link that leads to it, if it was made by one. The link itself is shown once, when it is made.
    link: Option<SignupLinkView>,
    /// The app that the dialog ran with.
    app_id: String,
    /// The account, once it is known.
    waba_id: Option<String>,
    /// The number, once it is known.
    phone_number_id: Option<String>,
    /// What Meta says of the account.
    account: Option<SignupAccountView>,
    /// What Meta says of the number.
    number: Option<SignupNumberView>,
    /// What people see of the business, in Meta's words.
    #[schema(value_type = Option<Object>)]
    profile: Option<Box<RawValue>>,
    /// The progress of the history of the WhatsApp Business app, if Meta was asked for it and some of it came.
    history: Option<HistoryView>,
    /// The steps that are behind it.
    steps: Vec<SignupStepView>,
    /// The kind of who asked for it: as in the audit log.
    #[schema(example = "tenant")]
    asked_by: &'static str,
    /// The key that was used for that.
    key_id: Option<String>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// The time of its last change.
    #[schema(format = DateTime)]
    updated_at: String,
    /// When it was done.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

/// The onboarding link of a signup.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignupLink)]
pub(in crate::http) struct SignupLinkView {
    /// When it cannot be used any more.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Where the page leads back to.
    return_url: Option<String>,
    /// The language of the page, if one was asked for.
    #[schema(schema_with = languages)]
    language: Option<&'static str>,
    /// True if somebody has used it.
    used: bool,
}

/// What Meta says of an account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignupAccount)]
pub(in crate::http) struct SignupAccountView {
    /// Its id.
    waba_id: String,
    /// Its name.
    name: Option<String>,
    /// The currency that Meta charges it in.
    currency: Option<String>,
    /// Whether Meta has reviewed it.
    #[schema(example = "APPROVED")]
    review_status: Option<String>,
    /// True if somebody pays for it.
    has_funding: bool,
}

/// What Meta says of a number.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignupNumber)]
pub(in crate::http) struct SignupNumberView {
    /// Its id.
    phone_number_id: String,
    /// The number as people write it.
    display_phone_number: Option<String>,
    /// The name that Meta has verified.
    verified_name: Option<String>,
    /// Whether it can send.
    #[schema(example = "CONNECTED")]
    status: Option<String>,
    /// What it is registered for.
    #[schema(example = "CLOUD_API")]
    platform: Option<String>,
    /// True if it is used with the WhatsApp Business app.
    is_on_app: bool,
    /// Whether its owner has shown that it is theirs.
    #[schema(example = "VERIFIED")]
    code_verification: Option<String>,
    /// How people rate it.
    #[schema(example = "GREEN")]
    quality: Option<String>,
    /// How many people it may write to first in a day.
    #[schema(example = "TIER_250")]
    messaging_limit: Option<String>,
    /// How fast it may send.
    #[schema(example = "STANDARD")]
    throughput: Option<String>,
}

/// A step that is behind a signup.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignupStep)]
pub(in crate::http) struct SignupStepView {
    /// Which.
    #[schema(schema_with = signup_steps)]
    step: &'static str,
    /// `done`, `skipped`, or `failed`: then it was optional.
    #[schema(schema_with = step_ends)]
    outcome: &'static str,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// How often it was tried.
    tries: u32,
    /// What else is to be said.
    note: Option<String>,
    /// Meta's refusal, if it failed.
    error: Option<ErrorView>,
    /// Meta's id of what was asked for, if it gave one.
    request_id: Option<String>,
}

/// An onboarding link.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OnboardingLink)]
pub(in crate::http) struct OnboardingLinkView {
    /// The customer opens it in a browser. It is shown only now.
    #[schema(example = "https://dakghar.example.com/onboard/q0Zr…")]
    url: String,
    /// When it cannot be used any more.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// The signup that it leads to: where it is, and what the customer's browser told.
    #[schema(example = "sgn_01kamt5c8x7v3b9q2w4e6r8t0y")]
    signup_id: String,
    /// The app that the dialog runs with.
    app_id: String,
    /// Where the page leads back to.
    return_url: Option<String>,
    /// The language of the page, if one was asked for.
    #[schema(schema_with = languages)]
    language: Option<&'static str>,
}

impl OnboardingLinkView {
    pub(in crate::http) fn new(signup: &Signup, url: &Secret) -> Self {
        let link = signup.link.as_ref();
        Self {
            url: url.reveal().to_owned(),
            expires_at: link.map(|link| link.expires_at.to_string()),
            signup_id: signup.id.to_string(),
            app_id: signup.app_id.to_string(),
            return_url: link.and_then(|link| link.return_url.as_deref()).map(str::to_owned),
            language: link.and_then(|link| link.language).map(Language::as_str),
        }
    }
}

impl From<&ShownSignup> for SignupView {
    fn from(shown: &ShownSignup) -> Self {
        let ShownSignup { signup, history } = shown;
        let trouble = signup.trouble.as_ref();
        Self {
            signup_id: signup.id.to_string(),
            tenant_id: signup.tenant_id.to_string(),
            state: state_of(signup),
            step: signup.step.as_str(),
            tries: signup.tries,
            reason: trouble.map(|trouble| trouble.reason.as_str()),
            advice: trouble.map(|trouble| trouble.advice.to_string()),
            error: trouble.and_then(|trouble| trouble.error.as_ref()).map(ErrorView::from),
            needs_code: signup.needs_code(),
            next_at: signup.next_at.as_ref().map(Timestamp::to_string),
            link: signup.link.as_ref().map(SignupLinkView::from),
            app_id: signup.app_id.to_string(),
            waba_id: signup.waba_id.as_ref().map(ToString::to_string),
            phone_number_id: signup.number_id().map(ToString::to_string),
            account: signup.account.as_ref().map(SignupAccountView::from),
            number: signup.number.as_ref().map(SignupNumberView::from),
            profile: signup.profile.as_deref().map(raw_json),
            history: history.as_ref().map(HistoryView::from),
            steps: signup.records.iter().map(SignupStepView::from).collect(),
            asked_by: signup.asked_by.kind(),
            key_id: Who::key(&signup.asked_by).map(|id| id.to_string()),
            created_at: signup.created_at.to_string(),
            updated_at: signup.updated_at.to_string(),
            ended_at: signup.ended_at.as_ref().map(Timestamp::to_string),
        }
    }
}

impl From<&Link> for SignupLinkView {
    fn from(link: &Link) -> Self {
        Self {
            expires_at: link.expires_at.to_string(),
            return_url: link.return_url.as_deref().map(str::to_owned),
            language: link.language.map(Language::as_str),
            used: link.browser.is_some(),
        }
    }
}

impl From<&AccountFacts> for SignupAccountView {
    fn from(account: &AccountFacts) -> Self {
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
        Self {
            waba_id: account.id.to_string(),
            name: text(&account.name),
            currency: text(&account.currency),
            review_status: text(&account.review_status),
            has_funding: account.has_funding,
        }
    }
}

impl From<&NumberFacts> for SignupNumberView {
    fn from(number: &NumberFacts) -> Self {
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
        Self {
            phone_number_id: number.id.to_string(),
            display_phone_number: text(&number.display),
            verified_name: text(&number.verified_name),
            status: text(&number.status),
            platform: text(&number.platform),
            is_on_app: number.is_on_app == Some(true),
            code_verification: text(&number.code_verification),
            quality: text(&number.quality),
            messaging_limit: text(&number.messaging_limit),
            throughput: text(&number.throughput),
        }
    }
}

impl From<&StepRecord> for SignupStepView {
    fn from(record: &StepRecord) -> Self {
        Self {
            step: record.step.as_str(),
            outcome: record.end.as_str(),
            at: record.at.to_string(),
            tries: record.tries,
            note: record.note.as_deref().map(str::to_owned),
            error: record.error.as_ref().map(ErrorView::from),
            request_id: record.request_id.as_deref().map(str::to_owned),
        }
    }
}

const WAITING: &str = "waiting";

fn state_of(signup: &Signup) -> &'static str {
    match signup.state {
        SignupState::Running if signup.next_at.is_some() => WAITING,
        state => state.as_str(),
    }
}

fn signup_states() -> ObjectBuilder {
    let [invited, expired, cancelled, running, stopped, done] = SignupState::ALL.map(SignupState::as_str);
    names([invited, expired, cancelled, running, WAITING, stopped, done])
}

fn signup_steps() -> ObjectBuilder {
    names(SignupStep::ALL.map(SignupStep::as_str))
}

fn step_ends() -> ObjectBuilder {
    names(StepEnd::ALL.map(StepEnd::as_str))
}

fn languages() -> ObjectBuilder {
    or_null(Language::ALL.map(Language::as_str))
}

fn signup_reasons() -> ObjectBuilder {
    let values = Reason::ALL
        .iter()
        .map(|reason| serde_json::Value::from(reason.as_str()));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values.chain([serde_json::Value::Null])))
}
