//! The world's entrances to Dakghar: the HTTP API and the send worker. Sees ports, never adapters.

pub mod http;
pub mod worker;
