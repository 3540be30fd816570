//! The way in which an installation checks numbers at Meta.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::standing::CHECKED_EVERY;

/// The way in which numbers are checked.
#[derive(Clone, Debug)]
pub struct CheckSettings {
    /// The time in which a number is checked once; `None` if nobody checks by itself.
    pub every: Option<Duration>,
    /// True if an account that lost its subscription is subscribed again.
    pub subscribes_again: bool,
    /// The URLs of ours that the webhooks of an account may be sent to in place of the app's own.
    pub own_urls: Vec<Arc<str>>,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self {
            every: Some(CHECKED_EVERY),
            subscribes_again: false,
            own_urls: Vec::new(),
        }
    }
}
