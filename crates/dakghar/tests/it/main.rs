//! The whole product: the real program over HTTP, on both backends.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::semicolon_if_nothing_returned,
    reason = "a test may fail where it stands, and says why"
)]

mod product;

mod chaos;
mod cli;
mod inbound;
mod migrate;
mod outbound;
mod secrets;
mod seed;
mod signal;
mod tenants;
