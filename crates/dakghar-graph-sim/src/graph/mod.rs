//! The Graph API as a client sees it: versions, tokens, errors, and the few endpoints simulated.

pub(crate) mod accept;
mod asked;
pub(crate) mod auth;
pub(crate) mod business;
pub(crate) mod codes;
pub(crate) mod coexistence;
pub(crate) mod connecting;
mod described;
pub(crate) mod error;
pub(crate) mod media;
pub(crate) mod messages;
pub(crate) mod nodes;
mod object_id;
mod refusal;
pub(crate) mod tokens;
pub(crate) mod usage_headers;
pub(crate) mod version;
