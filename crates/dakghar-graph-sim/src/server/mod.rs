//! The HTTP server: an accept loop of our own, so that a fault can reset the very connection it is on.

mod connection;
mod router;
mod stream;

pub(crate) use connection::{Connection, serve};
