//! Optimistic saves. A change is made on a copy and saved under the version that was read. If another writer saved
//! first, the change starts again from the stored record.

/// Tries of a change before it gives up.
pub(super) const ROUNDS_MAX: usize = 16;

/// The fate of a changed copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Save it.
    Save,
    /// Leave the stored record as it is.
    Leave,
}
