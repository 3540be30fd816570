//! Callbacks: how entries of a tenant's feed are handed to its endpoints, and what is kept of it.
//!
//! An endpoint has a place: everything up to it is delivered, or is one of the endpoint's exceptions. So a receiver that
//! takes everything costs one record, whatever it was sent; and what it did not take holds up nothing else.

mod attempt;
mod breaker;
mod end;
mod exception;
mod progress;
mod replay;
mod schedule;
mod waiting_line;
mod window;

pub use attempt::{Attempt, AttemptLog, FAILURE_BODY_BYTES_MAX};
pub use breaker::{DISABLED_AFTER, EndpointBreaker, OpenBreaker, Tried};
pub use end::{CallEnd, CallbackFailure};
pub use exception::{CallbackException, ExceptionState, LastAttempt, exception_id};
pub use progress::{Advance, CallbackProgress, EXCEPTIONS_MAX, REPLAYED_MAX};
pub use replay::{REPLAY_EVENTS_MAX, REPLAYS_KEPT, Replay, ReplayOf, ReplayProgress};
pub use schedule::{RETRY_AFTER_MAX, TRIED_FOR, next_attempt};
pub use waiting_line::{WAITING_APART_MAX, WAITING_LINES_MAX, WaitingLine};
pub use window::Window;
