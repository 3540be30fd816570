//! Misbehaviour by rule: which calls, how often, and what happens to them.

mod engine;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use engine::{CallFacts, RuleEngine};

/// What a call meets instead of a plain answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Refused with Meta's error envelope; not accepted.
    GraphError {
        /// Meta's error code, such as 130429.
        code: u32,
        /// `error_subcode`, such as 463 with code 190.
        #[serde(default)]
        subcode: Option<u32>,
        /// HTTP status; the code's usual one if absent.
        #[serde(default)]
        http: Option<u16>,
        /// `is_transient`; the code's usual value if absent.
        #[serde(default)]
        is_transient: Option<bool>,
        /// `error_data.details`.
        #[serde(default)]
        details: Option<String>,
        /// Value of a `Retry-After` header.
        #[serde(default)]
        retry_after_seconds: Option<u64>,
    },
    /// HTTP 502 with an HTML page, as the edge answers; not accepted.
    HtmlBadGateway,
    /// Accepted, but answered with 200 and no body.
    EmptyBody,
    /// Accepted, but answered with 200 and a body cut off in the middle.
    BadJson,
    /// Accepted, statuses follow, and no answer comes before the client gives up.
    TimeoutAfterAccept,
    /// The whole body is read, then the TCP connection is reset without an answer.
    ResetAfterBody {
        /// Whether the message was accepted, so that statuses follow.
        accept: bool,
    },
    /// The TCP connection is reset once the headers are there. Not accepted, and not matched by
    /// anything in the body: use it with `phone_number_id` or no condition.
    ResetBeforeRead,
    /// Accepted at once, answered later.
    Slow {
        /// How much later.
        ms: u64,
    },
    /// Accepted; a `failed` status with this code follows instead of the planned ones.
    StatusFailed {
        /// The code in `errors[]` of the status, such as 131026.
        code: u32,
    },
    /// Accepted, but no status ever comes.
    NoWebhook,
    /// Accepted; the answer is held back while the planned statuses already go out.
    WebhookBeforeResponse {
        /// How long the answer is held back.
        ms: u64,
    },
    /// Accepted with `message_status` `held_for_quality_assessment`, then silence.
    HeldForQuality,
}

impl Fault {
    /// Refusal with a code and everything usual for it.
    pub fn graph_error(code: u32) -> Self {
        Self::GraphError {
            code,
            subcode: None,
            http: None,
            is_transient: None,
            details: None,
            retry_after_seconds: None,
        }
    }

    /// 130429: the number's throughput is reached.
    pub fn rate_limited() -> Self {
        Self::graph_error(130_429)
    }

    /// 131056: too many messages from this number to this person.
    pub fn pair_rate_limited() -> Self {
        Self::graph_error(131_056)
    }

    /// 131000: something went wrong, HTTP 500.
    pub fn unknown_error() -> Self {
        Self::graph_error(131_000)
    }

    /// 190 with subcode 463: the token has expired.
    pub fn token_expired() -> Self {
        Self::GraphError {
            code: 190,
            subcode: Some(463),
            http: None,
            is_transient: None,
            details: None,
            retry_after_seconds: None,
        }
    }

    /// The name used in the journal, the same as in JSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::GraphError { .. } => "graph_error",
            Self::HtmlBadGateway => "html_bad_gateway",
            Self::EmptyBody => "empty_body",
            Self::BadJson => "bad_json",
            Self::TimeoutAfterAccept => "timeout_after_accept",
            Self::ResetAfterBody { .. } => "reset_after_body",
            Self::ResetBeforeRead => "reset_before_read",
            Self::Slow { .. } => "slow",
            Self::StatusFailed { .. } => "status_failed",
            Self::NoWebhook => "no_webhook",
            Self::WebhookBeforeResponse { .. } => "webhook_before_response",
            Self::HeldForQuality => "held_for_quality",
        }
    }
}

/// Which calls a rule looks at. Conditions that are absent hold for every call; all given ones must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The number in the URL path; of calls that connect numbers the account or number that they are about, as in their journal.
    pub phone_number_id: Option<String>,
    /// A call that connects numbers, by its name in their journal, such as `register`. Without it only sends are meant.
    pub call: Option<String>,
    /// The recipient; phone numbers are compared by their digits.
    pub to: Option<String>,
    /// A part of the text body, caption, interactive body or template name.
    pub text_contains: Option<String>,
    /// The start of `biz_opaque_callback_data`.
    pub biz_opaque_prefix: Option<String>,
    /// The `type` of the message, such as `template`; `read` for a read mark.
    pub message_type: Option<String>,
}

impl Match {
    fn reads_body(&self) -> bool {
        self.to.is_some()
            || self.text_contains.is_some()
            || self.biz_opaque_prefix.is_some()
            || self.message_type.is_some()
    }
}

/// How many of the matching calls a rule hits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// All of them.
    #[default]
    Always,
    /// Each with this probability, `0.0..=1.0`.
    Probability(f64),
    /// The n-th, 2n-th, 3n-th and so on; at least 1.
    EveryNth(u64),
    /// The first n only.
    First(u64),
}

/// One rule. The first rule that matches a call and hits decides; the others do not see the call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Which calls.
    #[serde(default)]
    pub when: Match,
    /// How many of them.
    #[serde(default)]
    pub rate: Rate,
    /// After this many hits the rule is spent.
    #[serde(default)]
    pub times: Option<u64>,
    /// What happens.
    pub fault: Fault,
}

impl FaultRule {
    /// A rule that hits every call for ever.
    pub fn always(fault: Fault) -> Self {
        Self {
            when: Match::default(),
            rate: Rate::Always,
            times: None,
            fault,
        }
    }

    /// A rule that hits the first `calls` calls.
    pub fn first(calls: u64, fault: Fault) -> Self {
        Self {
            rate: Rate::First(calls),
            ..Self::always(fault)
        }
    }

    /// A rule that hits each call with a probability.
    pub fn sometimes(probability: f64, fault: Fault) -> Self {
        Self {
            rate: Rate::Probability(probability),
            ..Self::always(fault)
        }
    }

    /// The same rule for the calls that match.
    #[must_use]
    pub fn when(mut self, when: Match) -> Self {
        self.when = when;
        self
    }

    /// The same rule, spent after this many hits.
    #[must_use]
    pub fn times(mut self, hits: u64) -> Self {
        self.times = Some(hits);
        self
    }

    /// Why the rule could never do what it says, if so.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        match self.rate {
            Rate::Probability(p) if !(0.0..=1.0).contains(&p) => {
                return Some("rate.probability must be between 0 and 1");
            }
            Rate::EveryNth(0) => return Some("rate.every_nth must be at least 1"),
            _ => {}
        }
        if self.fault == Fault::ResetBeforeRead && self.when.reads_body() {
            return Some("reset_before_read can only match by phone_number_id: the body is not read");
        }
        None
    }
}

/// Names a rule, to see its hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub(crate) u64);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A rule and what it has seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleView {
    /// Its id.
    pub id: RuleId,
    /// Calls that met its conditions while it was not spent.
    pub matched: u64,
    /// Calls that it hit.
    pub hits: u64,
    /// The rule.
    pub rule: FaultRule,
}
