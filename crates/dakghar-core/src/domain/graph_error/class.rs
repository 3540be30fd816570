//! The classes of refusals.

use std::time::Duration;

/// The consequence of a refusal for the message and for its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalClass {
    /// Meta did not accept it but may later: try again, after `after` at the earliest.
    Retry {
        /// The least wait.
        after: Option<Duration>,
    },
    /// The number sends too fast.
    PaceNumber,
    /// The number sends too fast to this one person.
    PacePair,
    /// The account that the number belongs to calls too fast, with all its numbers.
    PaceAccount,
    /// The whole app calls too fast.
    PaceApp,
    /// The access token is not valid any more.
    Token,
    /// The number or the account may not send.
    Account,
    /// Meta will never accept this message.
    Fail,
}

/// Dakghar's verdict on a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The consequence for the message and the number.
    pub class: RefusalClass,
    /// The meaning of the code, in our words.
    pub meaning: &'static str,
    /// The advice to a person.
    pub advice: &'static str,
    /// True if the code is in the table.
    pub is_known: bool,
}
