//! The rows of the crash table of ARCHITECTURE.md ("Crashes, and what heals them"), one test for each and one for each of
//! their branches. A process dies between two calls, as scripted; what is left is looked at, and then others, or the next
//! start of the only process, go on by themselves.

mod accepting;
mod announcing;
mod receiving;
mod sending;
mod spooling;

use dakghar_core::domain::MessageKey;

use crate::world::World;

/// The only message that was stored.
fn only_message(world: &World) -> MessageKey {
    let messages = world.promises.all(&world.store);
    assert_eq!(messages.len(), 1, "one message is stored");
    messages[0].key()
}
