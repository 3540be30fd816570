//! What Meta posts to the app: planned statuses and inbound messages, batched, signed, repeated.

mod escape;
mod event;
mod inbound;
mod plan;
mod post;
mod post_body;
mod schedule;
mod sender;
mod sign;

pub use event::{StatusEvent, StatusKind};
pub use inbound::InboundMessage;
pub use plan::StatusPlan;
pub use post::WebhookError;

pub(crate) use escape::to_escaped_json;
pub(crate) use event::Outgoing;
pub(crate) use sender::{Followup, Webhooks};
