//! The HTTP edge, driven through its router and through real sockets, over the in-memory ports.

#![allow(
    clippy::format_collect,
    clippy::field_reassign_with_default,
    reason = "plain tests read better"
)]

mod auth;
mod contract;
mod documents;
mod harness;
mod isolation;
mod lists;
mod messages;
mod operations;
mod pacing;
mod send;
mod sockets;
mod tenants;
mod webhook;
