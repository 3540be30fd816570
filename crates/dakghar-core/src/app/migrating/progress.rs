//! What a run would do, and how far it is.

use crate::domain::migration::{Kind, Migration};

/// What a run would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Copy everything into an empty target.
    Begin,
    /// Go on where an earlier run was ended.
    Continue(Migration),
    /// Erase what an unfinished migration left, and copy everything.
    StartOver(Migration),
    /// Nothing: it is finished.
    Finished(Migration),
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Erasing what an earlier try left.
    Clearing,
    /// Copying.
    Copying,
    /// Reading both stores and comparing.
    Comparing,
}

/// How far a run is with one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// With which kind.
    pub kind: Kind,
    /// Records done.
    pub done: u64,
    /// Of how many.
    pub total: u64,
}

/// Is told how far a run has come.
pub type Report<'a> = &'a (dyn Fn(Progress) + Send + Sync);
