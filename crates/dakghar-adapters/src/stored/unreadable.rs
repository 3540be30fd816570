//! Tells of records that a store holds but cannot read, each once: whoever looks for work finds them every second.

use std::collections::HashSet;
use std::sync::LazyLock;

use dakghar_core::metrics::Counter;
use parking_lot::Mutex;

/// Records remembered as told; with more than these, some are told again.
const TOLD_MAX: usize = 10_000;

static TOLD: Mutex<Option<HashSet<String>>> = Mutex::new(None);
static COUNT: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Returns the count of the records that this process has found and could not read, each counted once.
pub fn unreadable_records() -> Counter {
    COUNT.clone()
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
        COUNT.inc();
        tracing::error!(
            record = what,
            id,
            why,
            "a stored record cannot be read and is left out until it is mended"
        );
    }
}
