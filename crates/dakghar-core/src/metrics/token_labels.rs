//! The labels of what is counted of access tokens and of Meta's allowances.

use super::instruments::Label;
use super::labels::label;

label! {
    /// What Meta said of an access token.
    TokenChecked "result" {
        /// It works.
        Valid = "valid",
        /// It does not work.
        Invalid = "invalid",
        /// It is of no app that is known here.
        OtherApp = "other_app",
        /// There was no answer.
        NoAnswer = "no_answer",
    }
}

label! {
    /// The days within which access tokens end.
    TokenEnds "days" {
        /// Two weeks.
        Fortnight = "14",
        /// One week.
        Week = "7",
        /// One day.
        Day = "1",
    }
}

label! {
    /// Whose allowance for calls it is.
    AllowanceOf "of" {
        /// An account's, for all its numbers.
        Account = "account",
        /// An app's, for all its accounts.
        App = "app",
    }
}
