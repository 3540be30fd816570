//! One file per resource: its requests, and the thin handlers that turn them into use cases.

pub(super) mod apps;
pub(super) mod audit;
pub(super) mod auto_redrive;
pub(super) mod conversations;
pub(super) mod dead_letters;
pub(super) mod departures;
pub(super) mod endpoints;
pub(super) mod erasures;
pub(super) mod events;
pub(super) mod exports;
pub(super) mod feed;
pub(super) mod hold;
pub(super) mod keys;
pub(super) mod messages;
pub(super) mod number_calls;
pub(super) mod onboarding_links;
pub(super) mod operators;
pub(super) mod opt_outs;
pub(super) mod people;
pub(super) mod phone_numbers;
pub(super) mod redrives;
pub(super) mod registering;
pub(super) mod secrets;
pub(super) mod send;
pub(super) mod send_bulk;
pub(super) mod sending_rules;
pub(super) mod signups;
pub(super) mod tenants;

use axum::response::Response;

use super::problem::ApiError;

/// What a handler answers.
pub(super) type ApiResult<T = Response> = Result<T, ApiError>;
