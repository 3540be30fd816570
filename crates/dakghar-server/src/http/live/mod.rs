//! Live reading of feeds: requests that wait for entries, and streams of them.
//!
//! A reader that waits has a subscription ([`Watching`](dakghar_core::app::Watching)) and its place, and nothing else: no
//! page, no turn to build one, and no bytes. What it is sent are pages as of any list, with the same bounds.

mod poll;
mod request;
mod stream;

pub(super) use poll::poll;
pub(super) use request::LiveRequest;
pub(super) use stream::{stream, wants_stream};
