//! For tests only: what the tests of the other crates are made of.
//!
//! - [`conformance`]: one suite per port; every backend runs all of it in one line.
//! - [`memory`]: the ports over plain maps, simple enough to be obviously right. They pass the same suites.
//! - [`servers`]: real MongoDB and Redis servers, shared or to be killed; [`fault_proxy`]: a bad network in between.
//! - [`receiver`]: the receiver of a tenant, as good or as bad as it is told to be.
//! - [`suspension`]: a machine that was suspended, for one program.
//! - [`Port`]: a port that is one test's own while what listens there comes and goes.
//! - [`judged`]: bodies of messages, and how Meta judges them.
//! - [`samples`]: messages, tenants and events with sensible fields; [`clock`] and [`ids`]: time and ids held still.
//!
//! Nothing here is part of the product, and nothing in the product depends on it.

#![allow(clippy::disallowed_methods, reason = "tests have their own clock, tasks and ids")]

pub mod clock;
pub mod conformance;
pub mod fault_proxy;
pub mod fuzzed;
pub mod gcp_kms;
pub mod ids;
pub mod judged;
pub mod memory;
mod port;
pub mod receiver;
pub mod samples;
pub mod servers;
pub mod suspension;

pub use clock::{NoSleep, TestClock, WallClock};
pub use ids::SequentialIds;
pub use port::Port;
