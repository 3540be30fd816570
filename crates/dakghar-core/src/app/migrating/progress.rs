//! The plan and the progress of a run.

use crate::domain::migration::{Kind, Migration};

/// The work that a run would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Copy everything into an empty target.
    Begin,
    /// Go on where an earlier run stopped.
    Continue(Migration),
    /// Erase what an unfinished migration left, and copy everything.
    StartOver(Migration),
    /// Nothing: it is finished.
    Finished(Migration),
}

/// The phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Erasing what an earlier try left.
    Clearing,
    /// Copying.
    Copying,
    /// Reading both stores and comparing.
    Comparing,
}

/// The progress of a run with one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The phase of the run.
    pub phase: Phase,
    /// The kind of record.
    pub kind: Kind,
    /// Records done.
    pub done: u64,
    /// Records in all.
    pub total: u64,
}

/// Receives the progress of a run.
pub type Report<'a> = &'a (dyn Fn(Progress) + Send + Sync);
