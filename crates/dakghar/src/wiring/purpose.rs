//! The purpose that a process is wired for.

/// The use that the process will make of what is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Serve requests; with `sends`, also take messages out of the queue.
    Server {
        /// True if this process sends.
        sends: bool,
    },
    /// One command beside a server that may be running.
    Command,
}
