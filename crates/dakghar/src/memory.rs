//! Who may see the memory of this process.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Keeps the memory of this process, which holds keys and tokens, to it: a crash writes no core, and no other program of
/// the same user may read it. Root still may.
pub fn keep_private() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    // A core that is piped into a program is not held back by the limit.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
