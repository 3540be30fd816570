//! The control API under `/_sim/`, for use from another process. It has no authentication: the
//! simulator is for development and tests, and listens on the loopback address unless told otherwise.

pub(crate) mod biz_app;
pub(crate) mod dialog;
pub(crate) mod events;
pub(crate) mod help;
pub(crate) mod inspect;
pub(crate) mod onboarding;
pub(crate) mod rules;
pub(crate) mod settings;

mod input;
