//! Work without which the process only looks alive.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;

use futures_util::FutureExt as _;

/// The exit code of a process that ended because such work panicked: an internal error, by `sysexits.h`.
pub const VITAL_PANIC: i32 = 70;

/// Does the work. If it panics, the process ends at once and says why: whatever is half done is taken up by the next start,
/// as after any crash.
pub async fn vital<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(done) => done,
        Err(panic) => end(name, &*panic),
    }
}

/// The same for the work of a thread.
pub fn vital_thread<T>(name: &'static str, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| end(name, &*panic))
}

fn end(name: &'static str, panic: &(dyn Any + Send)) -> ! {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let why = text.as_deref().unwrap_or("no text");
    tracing::error!(
        task = name,
        why,
        "it panicked, and nothing works without it: the process ends"
    );
    exit(VITAL_PANIC)
}
