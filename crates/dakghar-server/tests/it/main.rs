//! The HTTP edge, driven through its router and through real sockets, over the in-memory ports.

#![recursion_limit = "256"]
#![allow(
    clippy::disallowed_methods,
    clippy::format_collect,
    clippy::field_reassign_with_default,
    clippy::too_many_lines,
    reason = "plain tests read better from top to bottom, and have their own clock and tasks"
)]

mod app_webhooks;
mod apps;
mod audit;
mod auth;
mod browsers;
mod callback_urls;
mod challenges;
mod contract;
mod deliverer;
mod deliveries;
mod departures;
mod documents;
mod endpoint_keys;
mod endpoints;
mod erasures;
mod exports;
mod framing;
mod graph;
mod harness;
mod http2;
mod isolation;
mod keys;
mod limits;
mod lists;
mod live;
mod messages;
mod meta_form;
mod number_calls;
mod number_checks;
mod onboard;
mod operations;
mod operators;
mod opt_outs;
mod outages;
mod pacing;
mod redrives;
mod replays;
mod retention;
mod send;
mod send_bulk;
mod signups;
mod sockets;
mod support;
mod tenant_exports;
mod tenants;
mod tls;
mod two_processes;
mod waiting;
mod webhook;
mod wrong_keys;
