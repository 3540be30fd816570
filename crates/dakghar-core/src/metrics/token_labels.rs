//! The labels of what is counted of access tokens.

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
