//! Optimistic saves: a change is made on a copy and saved under the version that was read; whoever comes second starts
//! again.

/// How often a change starts again before it gives up.
pub(super) const ROUNDS_MAX: usize = 16;

/// What a change wants done with its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Save it.
    Save,
    /// Leave the stored one as it is.
    Leave,
}
