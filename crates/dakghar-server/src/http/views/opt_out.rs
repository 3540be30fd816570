//! What people said about being written to, and what a tenant wants to be kept to.

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
        }
    }
}

/// The choices of messages that do not go to people who opted out, for the document.
pub(in crate::http) fn enforced() -> ObjectBuilder {
    names(Enforced::ALL.map(Enforced::as_str))
}
