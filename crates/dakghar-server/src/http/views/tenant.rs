//! Tenants and their numbers.

use dakghar_core::app::RegisteredTenant;
use dakghar_core::domain::access_token::KnownToken;
use dakghar_core::domain::country::Country;
use dakghar_core::domain::message::{LetterClass, UnknownOutcome};
use dakghar_core::domain::{
    Hold, HoldReason, Leaving, PhoneNumber, Secret, Tenant, TenantLimit, TenantLimits, Timestamp, WabaId,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::names;
use super::standing::StandingView;

/// A tenant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tenant)]
pub(in crate::http) struct TenantView {
    /// Our id.
    #[schema(example = "ten_01kamt5c8x7v3b9q2w4e6r8t0y")]
    tenant_id: String,
    /// What people call it.
    name: String,
    /// Its default number, once it has one.
    #[schema(example = "111111111111111")]
    phone_number_id: Option<String>,
    /// Its numbers, the default one first.
    phone_numbers: Vec<PhoneNumberView>,
    /// Where it wants its events.
    callback_url: Option<String>,
    /// What happens to a message when nobody knows whether Meta took it and the message itself does not say.
    #[schema(schema_with = unknown_outcomes)]
    unknown_outcome: &'static str,
    /// Its own limits.
    limits: TenantLimitsView,
    /// Why nothing of the tenant is sent; `null` when it may send.
    hold: Option<HoldView>,
    /// The part of it that is leaving: `all`, or the ids of numbers with blanks between them; `null` when all of it stays.
    #[schema(example = "all")]
    leaving: Option<String>,
    /// When it was registered.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

impl From<&Tenant> for TenantView {
    fn from(tenant: &Tenant) -> Self {
        let phone_numbers: Vec<_> = PhoneNumberView::all_of(tenant);
        Self {
            tenant_id: tenant.id.to_string(),
            name: tenant.name.clone(),
            phone_number_id: tenant
                .phone_numbers
                .first()
                .map(|number| number.phone_number_id.to_string()),
            phone_numbers,
            callback_url: tenant.callback_url.clone(),
            unknown_outcome: tenant.unknown_outcome.as_str(),
            limits: TenantLimitsView::from(&tenant.limits),
            hold: tenant.hold.as_ref().map(HoldView::from),
            leaving: tenant.leaving.as_ref().map(Leaving::to_text),
            created_at: tenant.created_at.to_string(),
            updated_at: tenant.updated_at.to_string(),
        }
    }
}

/// Limits of a tenant; 0 is no limit (of dead letters, contents and the feed: none of their own), `null` the default of the
/// installation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TenantLimits)]
pub(in crate::http) struct TenantLimitsView {
    /// The most requests with its key in a second, over all processes.
    #[schema(minimum = 0, maximum = 100_000, example = 100)]
    requests_per_second: Option<u32>,
    /// The most messages that are accepted and not settled: queued (also for later), held, being sent or in doubt.
    #[schema(minimum = 0, maximum = 1_000_000, example = 50_000)]
    messages_waiting: Option<u32>,
    /// The most calls to Meta under way, in all processes. While Meta answers slowly, messages beyond it wait.
    #[schema(minimum = 0, maximum = 100_000, example = 100)]
    calls_under_way: Option<u32>,
    /// The days that settled messages, conversations without messages and events are kept: 0 (for ever), or 30 and more.
    #[schema(minimum = 0, maximum = 36_500, example = 90)]
    retention_days: Option<u32>,
    /// The days that dead letters are kept which Meta refused or reported as failed: 0 (as long as other messages), or 30
    /// and more.
    #[schema(minimum = 0, maximum = 36_500, example = 90)]
    failed_days: Option<u32>,
    /// The same for dead letters that expired before a call.
    #[schema(minimum = 0, maximum = 36_500, example = 30)]
    expired_days: Option<u32>,
    /// The same for dead letters that may have been delivered, of which nobody knows.
    #[schema(minimum = 0, maximum = 36_500, example = 365)]
    unknown_days: Option<u32>,
    /// The same for dead letters that Dakghar gave up: every attempt was refused, preparing them crashed the worker, or
    /// their number is gone.
    #[schema(minimum = 0, maximum = 36_500, example = 90)]
    given_up_days: Option<u32>,
    /// The days that the contents of settled messages are kept, and events that tell what people wrote: 0 (as long as the
    /// message), or 7 and more. The message itself stays, without what it said.
    #[schema(minimum = 0, maximum = 36_500, example = 30)]
    content_days: Option<u32>,
    /// The days that entries of the feed are kept: 0 (as long as messages), or 7 and more.
    #[schema(minimum = 0, maximum = 36_500, example = 30)]
    feed_days: Option<u32>,
}

impl From<&TenantLimits> for TenantLimitsView {
    fn from(limits: &TenantLimits) -> Self {
        Self {
            requests_per_second: limits.of(TenantLimit::RequestsPerSecond),
            messages_waiting: limits.of(TenantLimit::MessagesWaiting),
            calls_under_way: limits.of(TenantLimit::CallsUnderWay),
            retention_days: limits.of(TenantLimit::RetentionDays),
            failed_days: limits.of(TenantLimit::Letters(LetterClass::Failed)),
            expired_days: limits.of(TenantLimit::Letters(LetterClass::Expired)),
            unknown_days: limits.of(TenantLimit::Letters(LetterClass::Unknown)),
            given_up_days: limits.of(TenantLimit::Letters(LetterClass::GivenUp)),
            content_days: limits.of(TenantLimit::ContentDays),
            feed_days: limits.of(TenantLimit::FeedDays),
        }
    }
}

/// A new tenant together with its API key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RegisteredTenant)]
pub(in crate::http) struct RegisteredTenantView {
    #[serde(flatten)]
    tenant: TenantView,
    /// The tenant's key. It is shown once and cannot be read again.
    #[schema(example = "dk_6vQ0wJ8tq4m1n7c2Zp9yXb3sLd5fGh0kRu8eTi1oAaE")]
    api_key: String,
    /// The secret that signs the calls to `callbackUrl`, shown only now; `null` without one, and when the start of a process
    /// makes that endpoint later.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwu1dF6q9iYQk=")]
    callback_secret: Option<String>,
}

impl From<&RegisteredTenant> for RegisteredTenantView {
    fn from(registered: &RegisteredTenant) -> Self {
        Self {
            tenant: TenantView::from(&registered.tenant),
            api_key: registered.api_key.reveal().to_owned(),
            callback_secret: (registered.callback_secret.as_ref()).map(|secret| secret.reveal().to_owned()),
        }
    }
}

/// A tenant that was changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChangedTenant)]
pub(in crate::http) struct ChangedTenantView {
    #[serde(flatten)]
    tenant: TenantView,
    /// The secret that signs the calls to `callbackUrl` if its endpoint was made by this change. It is shown only now.
    callback_secret: Option<String>,
}

impl ChangedTenantView {
    pub(in crate::http) fn new(tenant: &Tenant, secret: Option<&Secret>) -> Self {
        Self {
            tenant: TenantView::from(tenant),
            callback_secret: secret.map(|secret| secret.reveal().to_owned()),
        }
    }
}

/// A number of a tenant. Its access token is never shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PhoneNumber)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else")]
pub(in crate::http) struct PhoneNumberView {
    /// Meta's id of the number.
    #[schema(example = "111111111111111")]
    phone_number_id: String,
    /// The WhatsApp Business Account at Meta.
    waba_id: Option<String>,
    /// True if the account was learned: Meta named it, in its webhooks about the number or when the number was checked.
    waba_is_learned: bool,
    /// The number as people write it.
    display_phone_number: Option<String>,
    /// The country whose people write numbers for it without a country code; `null` if such numbers are refused.
    #[schema(example = "IN")]
    default_country: Option<&'static str>,
    /// Meta's limit for the number.
    #[schema(minimum = 1, maximum = 100_000)]
    messages_per_second: u32,
    /// Whether messages without `from` go out from it.
    is_default: bool,
    /// True if it is used with the WhatsApp Business app too, as far as Meta said so.
    is_on_business_app: bool,
    /// Whether sends are simulated because the access token starts with `mock_`.
    is_simulated: bool,
    /// Why nothing is sent from it; `null` when it may send.
    hold: Option<HoldView>,
    /// What Meta says of its access token; `null` until it was asked.
    token: Option<TokenView>,
    /// Its standing at Meta; `null` until it was checked.
    standing: Option<StandingView>,
}

impl PhoneNumberView {
    /// The numbers of a tenant, the default one first.
    pub(in crate::http) fn all_of(tenant: &Tenant) -> Vec<Self> {
        tenant
            .phone_numbers
            .iter()
            .enumerate()
            .map(|(i, number)| Self::new(number, i == 0))
            .collect()
    }

    fn new(number: &PhoneNumber, is_default: bool) -> Self {
        Self {
            phone_number_id: number.phone_number_id.to_string(),
            waba_id: number.waba_id.as_ref().map(WabaId::to_string),
            waba_is_learned: number.waba_is_learned,
            display_phone_number: number.display_phone_number.clone(),
            default_country: number.default_country.map(Country::as_str),
            messages_per_second: number.messages_per_second,
            is_default,
            is_on_business_app: number.is_on_app(),
            is_simulated: number.simulated,
            hold: number.hold.as_ref().map(HoldView::from),
            token: number.token.as_ref().map(TokenView::from),
            standing: StandingView::of(number),
        }
    }
}

/// What Meta says of the access token of a number. The token itself is never shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessToken)]
pub(in crate::http) struct TokenView {
    /// The app that it was issued for; `null` if that is no app of this installation, of which Meta tells nothing then.
    #[schema(example = "222222222222222")]
    app_id: Option<String>,
    /// Meta's name of its kind.
    #[schema(example = "SYSTEM_USER")]
    kind: Option<String>,
    /// What it may do.
    scopes: Vec<String>,
    /// The accounts that it may send for; with none it is not limited.
    waba_ids: Vec<String>,
    /// When it ends; `null` for one that does not, or of which Meta tells nothing.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When Meta was asked last.
    #[schema(format = DateTime)]
    checked_at: String,
}

impl From<&KnownToken> for TokenView {
    fn from(known: &KnownToken) -> Self {
        let facts = known.facts.as_ref();
        let scopes = facts.map(|facts| facts.scopes.iter().map(ToString::to_string).collect());
        let accounts = facts.map(|facts| facts.accounts.iter().map(ToString::to_string).collect());
        Self {
            app_id: facts.map(|facts| facts.app_id.to_string()),
            kind: facts.and_then(|facts| facts.kind.as_deref().map(str::to_owned)),
            scopes: scopes.unwrap_or_default(),
            waba_ids: accounts.unwrap_or_default(),
            expires_at: known.expires_at().map(|ends| ends.to_string()),
            checked_at: known.checked_at.to_string(),
        }
    }
}

/// Sending is stopped.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Hold)]
pub(in crate::http) struct HoldView {
    /// Why.
    #[schema(schema_with = hold_reasons)]
    reason: &'static str,
    /// Since when.
    since: String,
    /// When a message is tried to see whether the reason is gone; `null` when only a person ends the hold.
    probe_at: Option<String>,
}

impl From<&Hold> for HoldView {
    fn from(hold: &Hold) -> Self {
        Self {
            reason: hold.reason.as_str(),
            since: hold.since.to_string(),
            probe_at: hold.probe_at.as_ref().map(Timestamp::to_string),
        }
    }
}

fn hold_reasons() -> ObjectBuilder {
    names(HoldReason::ALL.map(HoldReason::as_str))
}

/// The policies for unknown outcomes, for the document.
pub(in crate::http) fn unknown_outcomes() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "When nobody knows whether Meta took a message: `resend` it, `fail` it, or `auto`: send again only when \
             the silence about it means something.",
        ))
        .enum_values(Some(UnknownOutcome::ALL.map(UnknownOutcome::as_str)))
}
