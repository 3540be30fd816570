//! The duties of every backend of a port, as one suite per port.
//!
//! A backend instantiates a suite in one line, naming an async function that gives it fresh, empty ports:
//!
//! ```ignore
//! async fn fresh() -> (Stores, TempDir) { .. }
//! dakghar_testkit::message_store_suite!(fresh);
//! dakghar_testkit::timer_store_suite!(fresh);
//! ```
//!
//! That makes the modules `messages` and `timers` with one `#[tokio::test]` for each case. The function takes no
//! arguments and returns the port and a guard (a folder, a server, `()`) that is kept until the case is over. It may
//! also return an `Option` of both: `None` skips the case, where a server is not installed. The cases talk to the ports
//! alone, so what they show holds for whatever is behind them.
//!
//! The suites of a store's ports all take [`Stores`], which has every port of one store: a case about timers must first
//! accept messages. A port that is added to a store is added there, with a suite of its own.

pub mod apps;
pub mod arrivals;
pub mod audit;
pub mod callbacks;
pub mod conversations;
pub mod departures;
pub mod endpoints;
pub mod erasure;
pub mod events;
pub mod feed;
pub mod health;
pub mod holds;
pub mod installation;
pub mod listeners;
pub mod lists;
pub mod messages;
pub mod migration_source;
pub mod migration_target;
pub mod news;
pub mod operators;
pub mod opt_outs;
pub mod pacer;
pub mod pair_lines;
pub mod person_erasures;
pub mod queue;
pub mod quota;
pub mod redrives;
pub mod signups;
pub mod spool;
pub mod statuses;
mod stores;
pub mod tenants;
pub mod timers;
pub mod unreadable;

use dakghar_core::domain::page::{Listed, Paged};

pub use migration_source::SourceUnderTest;
pub use migration_target::TargetUnderTest;
pub use news::NewsUnderTest;
pub use queue::QueueUnderTest;
pub use spool::SpoolUnderTest;
pub use stores::Stores;
pub use unreadable::{Breakable, Record};

/// The result of a suite's factory.
pub trait Fixture {
    /// The port.
    type Port;
    /// Lives as long as the port.
    type Guard;

    /// The port and its guard, or `None` when the case is to be skipped.
    fn into_parts(self) -> Option<(Self::Port, Self::Guard)>;
}

impl<P, G> Fixture for (P, G) {
    type Port = P;
    type Guard = G;

    fn into_parts(self) -> Option<(P, G)> {
        Some(self)
    }
}

impl<P, G> Fixture for Option<(P, G)> {
    type Port = P;
    type Guard = G;

    fn into_parts(self) -> Option<(P, G)> {
        self
    }
}

/// Reads page by page to the last one; returns everything in the order it came. `fetch` reads the page behind a place.
async fn read_pages<T: Paged>(limit: u32, fetch: impl AsyncFn(Option<T::Position>) -> Listed<T>) -> Vec<T> {
    // Pages that lead back to themselves must not keep a case from ending.
    const PAGES_MAX: u32 = 1_000;
    let mut seen = Vec::new();
    let mut before = None;
    for _ in 0..PAGES_MAX {
        let page = fetch(before).await;
        assert!(
            page.items.len() <= limit as usize,
            "a page of {} instead of {limit}",
            page.items.len()
        );
        seen.extend(page.items);
        let Some(next) = page.next else { return seen };
        assert!(
            before.is_none_or(|before| next < before),
            "{before:?} is followed by {next:?}"
        );
        before = Some(next);
    }
    panic!("the pages do not end");
}

/// One test for each named case; what the suites' own macros are made of.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($factory:path, $suite:ident: $($case:ident)+) => {
        mod $suite {
            #[allow(unused_imports, reason = "the factory may be named by a full path")]
            use super::*;

            $(
                #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let fixture = $factory().await;
                    if let Some((port, _guard)) = $crate::conformance::Fixture::into_parts(fixture) {
                        $crate::conformance::$suite::$case(port).await;
                    }
                }
            )+
        }
    };
}
