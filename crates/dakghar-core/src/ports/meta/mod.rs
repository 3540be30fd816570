//! Meta, one trait for each capability. The form of Meta's requests, answers and webhooks stays behind these traits.

mod numbers;
mod onboarding;
mod passed;
mod send;
mod tokens;
mod webhooks;

pub use numbers::{NumberAsk, NumberCall, NumberCallFailure, NumbersApi};
pub use onboarding::{ACCOUNT_NUMBERS_MAX, AppSync, Bearer, CreditShare, OnboardingApi, WebhookOverride};
pub use passed::{NoAnswer, PassedAnswer, PassedCall, PassedMethod, PassedRequest};
pub use send::{MessagesApi, SendCall};
pub use tokens::{AppAccess, TokenUnknown, TokensApi};
pub use webhooks::{SignatureCheck, WebhookCodec};
