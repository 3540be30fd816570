//! The labels of signups.

use super::instruments::Label;
use super::labels::label;

label! {
    /// What became of a step of a signup.
    SignupStepEnd "result" {
        /// It was done.
        Done = "done",
        /// There was nothing to do.
        Skipped = "skipped",
        /// It failed, and the signup went on without it.
        Failed = "failed",
        /// It is tried again by itself.
        Waits = "waits",
        /// The signup stopped there, until somebody asks it to go on.
        Stopped = "stopped",
    }
}
