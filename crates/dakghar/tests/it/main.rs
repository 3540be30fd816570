//! The whole product: the real program over HTTP, on both backends.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may fail where it stands, and says why"
)]

mod product;

mod cli;
mod inbound;
mod kill;
mod outbound;
mod secrets;
mod seed;
mod tenants;
