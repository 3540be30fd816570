//! What people said about being written to, and what a tenant wants to be kept to.

use dakghar_core::domain::quiet_hours::{QuietFor, QuietHours};
use dakghar_core::domain::sending_rules::{Enforced, SendingRules};
use dakghar_core::domain::{OptOut, OptOutScope, OptOutSource, WaId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::names;

/// A person wants no such messages from the tenant. Each number and id under which the person is known has one of its own.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OptOut)]
pub(in crate::http) struct OptOutView {
    /// The person: digits without `+`, or Meta's id; `null` once the person was erased. The opt-out counts all the same, by a
    /// hash of the number that tells nobody which it is.
    #[schema(example = "919111111111")]
    person: Option<String>,
    /// `all` messages, or `marketing`.
    #[schema(schema_with = scopes)]
    scope: &'static str,
    /// Since when.
    since: String,
    /// Where it was said: with a `stop_word`, to `meta`, or set through the `api`.
    #[schema(schema_with = sources)]
    source: &'static str,
}

impl From<&OptOut> for OptOutView {
    fn from(said: &OptOut) -> Self {
        Self {
            person: said.person.as_ref().map(WaId::to_string),
            scope: said.key.scope.as_str(),
            since: said.at.to_string(),
            source: said.source.as_str(),
        }
    }
}

fn scopes() -> ObjectBuilder {
    names(OptOutScope::ALL.map(OptOutScope::as_str))
}

fn sources() -> ObjectBuilder {
    names(OptOutSource::ALL.map(OptOutSource::as_str))
}

/// What the tenant wants to be kept to whenever something is sent in its name.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SendingRules)]
pub(in crate::http) struct SendingRulesView {
    /// What becomes of opt-outs.
    opt_outs: OptOutRulesView,
    /// When people are left alone; `null` for never.
    quiet_hours: Option<QuietHoursView>,
}

/// When people are left alone.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QuietHours)]
pub(in crate::http) struct QuietHoursView {
    /// When they begin, as the clocks of the place show it.
    #[schema(example = "21:00")]
    from: String,
    /// When they end, on that day or on the next one.
    #[schema(example = "08:00")]
    to: String,
    /// The place, by its name in the IANA time zone database.
    #[schema(example = "Asia/Kolkata")]
    time_zone: String,
    /// The messages that wait until they end: `marketing`, or `all`. Those of `high` priority never wait.
    #[schema(schema_with = quiet_for)]
    messages: &'static str,
}

impl From<&QuietHours> for QuietHoursView {
    fn from(hours: &QuietHours) -> Self {
        Self {
            from: hours.from(),
            to: hours.to(),
            time_zone: hours.time_zone().to_owned(),
            messages: hours.messages().as_str(),
        }
    }
}

/// What becomes of opt-outs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OptOutRules)]
pub(in crate::http) struct OptOutRulesView {
    /// The messages that do not go to people who opted out: `none` are held back, `marketing`, or `all`.
    #[schema(schema_with = enforced)]
    enforce: &'static str,
    /// Whether words like STOP, as a whole message, opt out, and words like START take that back.
    stop_words: bool,
}

impl From<&SendingRules> for SendingRulesView {
    fn from(rules: &SendingRules) -> Self {
        Self {
            opt_outs: OptOutRulesView {
                enforce: rules.enforced.as_str(),
                stop_words: rules.stop_words,
            },
            quiet_hours: rules.quiet_hours.as_deref().map(QuietHoursView::from),
        }
    }
}

/// The choices of messages that do not go to people who opted out, for the document.
pub(in crate::http) fn enforced() -> ObjectBuilder {
    names(Enforced::ALL.map(Enforced::as_str))
}

/// The choices of messages that wait for quiet hours, for the document.
pub(in crate::http) fn quiet_for() -> ObjectBuilder {
    names(QuietFor::ALL.map(QuietFor::as_str))
}
