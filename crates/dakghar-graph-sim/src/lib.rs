//! A simulated Meta: the Graph API's messages endpoint, signed webhooks, and faults by rule.
//!
//! It is the peer of the gateway in development, in tests and under load. It checks a message as Meta
//! does, answers with Meta's envelopes, and reports `sent`, `delivered` and `read` to a webhook URL,
//! signed over the bytes as sent and repeated until they are answered with 200.
//!
//! Everything else that Meta posts can be sent by name ([`Kind`]) or as a seeded random [`Mixture`] over several
//! numbers, with Meta's habits: batches, repetitions, disorder, late news, histories in waves.
//!
//! A number may stay in the WhatsApp Business app: then it is not registered, and what the app has ([`AppPlan`]) is sent when it
//! is asked for.
//!
//! It keeps every call in a journal, so that a test can prove how often an attempt really left the
//! gateway. Rules make it misbehave: refuse, garble, hold or reset, with or without accepting.
//!
//! Limits on messages are played when asked for ([`Limits`]), and how much of the allowances for calls is used ([`Usage`]).
//! It does not render templates, store media, or know which messages a conversation window allows: a rule does that when
//! a test wants it.

mod config;
mod sim;
mod state;
mod stats;

mod server;

mod graph;
mod validate;

mod fault;
mod journal;

mod traffic;
mod webhook;

mod control;

mod biz_app;
mod business;
mod clock;
mod coexisting;
mod dialog;
mod dice;
mod drift;
mod limits;
mod number;
mod onboarding;
mod registration;
mod token;
mod usage;
mod wamid;

pub use biz_app::AppPlan;
pub use config::{AcceptedTokens, JournalMode, SimConfig, WebhookDelivery};
pub use dialog::{DialogMessage, DialogPlan};
pub use drift::{Drift, SubscribedApp};
pub use fault::{Fault, FaultRule, Match, Rate, RuleId, RuleView};
pub use journal::{Endpoint, JournalEntry, JournalFilter, Outcome};
pub use limits::Limits;
pub use number::Number;
pub use onboarding::{Account, NewCode, OnboardingCall};
pub use registration::Registration;
pub use sim::GraphSim;
pub use stats::StatsSnapshot;
pub use token::Token;
pub use traffic::{Kind, Mixture, Planned, SentMessage, Traffic};
pub use usage::{Shares, Usage};
pub use webhook::{InboundMessage, StatusEvent, StatusKind, StatusPlan, WebhookError};
