//! The labels of departures.

use super::instruments::Label;
use super::labels::label;

label! {
    /// The outcome of a step of a departure.
    DepartureStepEnd "result" {
        /// It was done.
        Done = "done",
        /// There was nothing to do.
        Skipped = "skipped",
        /// It failed for good, and the departure went on without it.
        Failed = "failed",
        /// It goes on, or is tried again, by itself.
        Waits = "waits",
        /// The departure stopped there, until somebody asks it to go on.
        Stopped = "stopped",
    }
}
