//! Tells of records that a store holds but cannot read, each once: whoever looks for work finds them every second.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Records remembered as told; with more than these, some are told again.
const TOLD_MAX: usize = 10_000;

static TOLD: Mutex<Option<HashSet<String>>> = Mutex::new(None);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Returns how many records this process has found that it could not read, each counted once.
pub fn unreadable_records() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Logs that the record `id` of kind `what` cannot be read, unless it was told before. `why` names the field, and never
/// carries a value.
pub(crate) fn tell(what: &'static str, id: &str, why: &str) {
    let mut told = TOLD.lock();
    let told = told.get_or_insert_default();
    if told.len() >= TOLD_MAX {
        told.clear();
    }
    if told.insert(format!("{what} {id} {why}")) {
        COUNT.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            record = what,
            id,
            why,
            "a stored record cannot be read and is left out until it is mended"
        );
    }
}
