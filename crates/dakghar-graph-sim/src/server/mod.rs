//! The HTTP server: an accept loop of our own, so that a fault can reset the very connection it is on.

mod accepting;
mod connection;
mod router;
mod stream;

pub(crate) use accepting::serve;
pub(crate) use connection::Connection;
