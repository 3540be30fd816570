//! When everything has come to rest: every message that was accepted has ended, in one way, for a reason.

use dakghar_core::domain::message::DeadReason;

use super::{Broken, Promises, State, broken, describe, must};
use crate::world::ports::Shared;
use crate::world::seen::Seen;

impl Promises {
    /// Whether every message is settled.
    pub fn is_all_settled(&self, shared: &Shared) -> bool {
        let messages = self.all(&shared.store);
        messages.iter().all(|seen| !seen.status().is_unsettled())
    }

    /// Everything has come to rest, and should have ended well.
    pub fn at_rest(&self, shared: &Shared) {
        let messages = self.all(&shared.store);
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let check = check_rest(state, &messages);
        self.note(state, check);
    }
}

fn check_rest(state: &State, messages: &[Seen]) -> Result<(), Broken> {
    let outbound = messages.iter().filter(|seen| seen.is_outbound());
    must(
        outbound.count() == state.stories.len(),
        "what was accepted is never lost",
        || format!("{} were stored", state.stories.len()),
    )?;
    for seen in messages {
        let told = || describe(seen);
        must(!seen.status().is_unsettled(), "every message ends", told)?;
        if matches!(seen.dead_reason(), Some(DeadReason::Poison | DeadReason::NumberRemoved)) {
            return broken("a message is given up for a reason that is true", told);
        }
    }
    Ok(())
}
