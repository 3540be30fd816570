//! The standing of numbers at Meta.

use dakghar_core::domain::PhoneNumber;
use dakghar_core::domain::standing::{Concern, Drift, HistoryImport, WebhooksGo};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::{names, or_null};

/// The standing of a number at Meta when it was checked last. Texts are Meta's own words.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Standing)]
pub(in crate::http) struct StandingView {
    /// When Meta answered last; `null` before the first check.
    #[schema(format = DateTime)]
    checked_at: Option<String>,
    /// The name that people see.
    verified_name: Option<String>,
    /// Meta's approval of that.
    #[schema(example = "APPROVED")]
    name_status: Option<String>,
    /// `CONNECTED` if it can send.
    #[schema(example = "CONNECTED")]
    status: Option<String>,
    /// People's rating of it.
    #[schema(example = "GREEN")]
    quality: Option<String>,
    /// The number of people that it may write to first in a day.
    #[schema(example = "TIER_2K")]
    messaging_limit: Option<String>,
    /// The level of its throughput.
    #[schema(example = "STANDARD")]
    throughput: Option<String>,
    /// True if it is used with the WhatsApp Business app.
    is_on_app: Option<bool>,
    /// True if it has a two-step PIN.
    has_pin: Option<bool>,
    /// The mode of the account: for real, or for tests.
    #[schema(example = "LIVE")]
    account_mode: Option<String>,
    /// Meta's verdict on number, account, business and app together.
    #[schema(example = "AVAILABLE")]
    health: Option<String>,
    /// Meta's review of the account.
    #[schema(example = "APPROVED")]
    review_status: Option<String>,
    /// Where its webhooks go.
    #[schema(schema_with = ways)]
    webhooks: Option<&'static str>,
    /// The URL of others that gets them.
    url: Option<String>,
    /// Meta's code, if it refused to tell of the number; the rest is then older.
    code: Option<i64>,
    /// The event of the account that stopped its sending.
    #[schema(example = "DISABLED_UPDATE")]
    stopped_by: Option<String>,
    /// The things that somebody should see to.
    concerns: Vec<ConcernView>,
    /// The history of the WhatsApp Business app, if some of it came.
    history: Option<HistoryView>,
}

/// The progress of the history of the WhatsApp Business app.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HistoryImport)]
pub(in crate::http) struct HistoryView {
    /// The latest phase of which something came: 0 for the last day, 1 for three months, 2 for six.
    #[schema(maximum = 2)]
    phase: u32,
    /// Meta's percentage of the whole.
    #[schema(maximum = 100)]
    progress: u32,
    /// Messages that came.
    messages: u64,
    /// When the first piece came.
    #[schema(format = DateTime)]
    began_at: String,
    /// When the last piece came.
    #[schema(format = DateTime)]
    finished_at: Option<String>,
    /// When Meta told that the owner of the number does not share it.
    #[schema(format = DateTime)]
    declined_at: Option<String>,
}

impl From<&HistoryImport> for HistoryView {
    fn from(history: &HistoryImport) -> Self {
        Self {
            phase: history.phase,
            progress: history.progress,
            messages: history.messages,
            began_at: history.began_at.to_string(),
            finished_at: history.finished_at.map(|at| at.to_string()),
            declined_at: history.declined_at.map(|at| at.to_string()),
        }
    }
}

/// Something about a number that somebody should see to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NumberConcern)]
pub(in crate::http) struct ConcernView {
    /// The kind.
    #[schema(schema_with = kinds)]
    kind: &'static str,
    /// The state.
    #[schema(example = "RED")]
    state: String,
    /// The advice.
    advice: &'static str,
}

impl From<&Concern> for ConcernView {
    fn from(concern: &Concern) -> Self {
        Self {
            kind: concern.drift.as_str(),
            state: concern.value.to_string(),
            advice: concern.advice,
        }
    }
}

impl StandingView {
    /// `None` if the number was never checked and no webhook told anything of it.
    pub(super) fn of(number: &PhoneNumber) -> Option<Self> {
        let standing = &number.standing;
        let stop = standing.stop.as_ref().filter(|stop| !stop.is_over);
        if standing.checked_at.is_none() && stop.is_none() && standing.history.is_none() {
            return None;
        }
        let seen = standing.seen.clone().unwrap_or_default();
        let of_number = seen.number;
        Some(Self {
            checked_at: standing.checked_at.map(|at| at.to_string()),
            verified_name: of_number.name.map(|text| text.to_string()),
            name_status: of_number.name_status.map(|text| text.to_string()),
            status: of_number.status.map(|text| text.to_string()),
            quality: of_number.quality.map(|text| text.to_string()),
            messaging_limit: of_number.messaging_limit.map(|text| text.to_string()),
            throughput: of_number.throughput.map(|text| text.to_string()),
            is_on_app: of_number.is_on_app,
            has_pin: of_number.has_pin,
            account_mode: of_number.mode.map(|text| text.to_string()),
            health: of_number.health.map(|text| text.to_string()),
            review_status: seen.review.map(|text| text.to_string()),
            webhooks: seen.webhooks.map(WebhooksGo::as_str),
            url: seen.webhook_url.map(|text| text.to_string()),
            code: seen.refused.map(|refused| refused.code),
            stopped_by: stop.map(|stop| stop.event.to_string()),
            concerns: number.concerns().iter().map(ConcernView::from).collect(),
            history: standing.history.as_ref().map(HistoryView::from),
        })
    }
}

fn ways() -> ObjectBuilder {
    or_null(WebhooksGo::ALL.map(WebhooksGo::as_str))
}

fn kinds() -> ObjectBuilder {
    names(Drift::ALL.map(Drift::as_str))
}
