//! The classes of refusals.

use std::time::Duration;

/// What a refusal means for the message and for its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalClass {
    /// Meta did not take it and may later: try again, after `after` at the earliest.
    Retry {
        /// The least wait.
        after: Option<Duration>,
    },
    /// Meta failed and does not say whether it took the message: wait for evidence.
    Service,
    /// The number sends too fast.
    PaceNumber,
    /// The number sends too fast to this one person.
    PacePair,
    /// The whole app calls too fast.
    PaceApp,
    /// The access token is not valid any more.
    Token,
    /// The number or the account may not send.
    Account,
    /// This message will never be taken.
    Fail,
}

/// What Dakghar makes of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it means for the message and the number.
    pub class: RefusalClass,
    /// What the code means, in our words.
    pub meaning: &'static str,
    /// What a person can do about it.
    pub advice: &'static str,
    /// Whether the code is in the table.
    pub is_known: bool,
}
