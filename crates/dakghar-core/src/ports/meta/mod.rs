//! Meta, one trait for each capability. The form of Meta's requests, answers and webhooks stays behind these traits.

mod send;
mod webhooks;

pub use send::{MessagesApi, SendCall};
pub use webhooks::{SignatureCheck, WebhookCodec};
