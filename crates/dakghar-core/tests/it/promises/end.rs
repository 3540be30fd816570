//! When everything has come to rest: every message that was accepted has ended, in one way, for a reason.

use dakghar_core::domain::message::{DeadReason, WAMIDS_MAX};

use super::{Check, Promises, State, broken, describe, feed, must};
use crate::world::ports::Shared;
use crate::world::seen::Seen;

impl Promises {
    /// Whether every message is settled.
    pub fn is_all_settled(&self, shared: &Shared) -> bool {
        let messages = self.all(&shared.store);
        messages.iter().all(|seen| !seen.status().is_unsettled()) && feed::is_all_placed(shared)
    }

    /// Everything has come to rest, and should have ended well.
    pub fn at_rest(&self, shared: &Shared) {
        let messages = self.all(&shared.store);
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let check = check_rest(state, &messages)
            .and_then(|()| self.check_answers(state, &messages))
            .and_then(|()| feed::check(state, shared, &messages));
        self.note(state, check);
    }

    /// What Meta answered is evidence, whoever holds the message by then.
    fn check_answers(&self, state: &State, messages: &[Seen]) -> Check {
        for (life, key, wamid) in &state.told_sent {
            // Of many duplicates a few are enough to tell.
            let keeps = |seen: &Seen| seen.wamids().contains(wamid) || seen.wamids().len() == WAMIDS_MAX;
            let is_kept = messages.iter().any(|seen| seen.key() == *key && keeps(seen));
            let is_on_disk = state
                .stories
                .get(key)
                .is_some_and(|story| story.kept_of(wamid, *key) == Some(*life));
            let has_died = !self.executor.is_alive(*life) && !is_on_disk;
            must(is_kept || has_died, "what Meta answered is not thrown away", || {
                format!("{life:?} {key:?} {wamid}")
            })?;
        }
        Ok(())
    }
}

fn check_rest(state: &State, messages: &[Seen]) -> Check {
    let outbound = messages.iter().filter(|seen| seen.is_outbound());
    must(
        outbound.count() == state.stories.len(),
        "what was accepted is never lost",
        || format!("{} were stored", state.stories.len()),
    )?;
    for seen in messages {
        let told = || describe(seen);
        must(!seen.status().is_unsettled(), "every message ends", told)?;
        if matches!(
            seen.dead_reason(),
            Some(DeadReason::Poison | DeadReason::NumberRemoved | DeadReason::OptedOut | DeadReason::WindowClosed)
        ) {
            return broken("a message is given up for a reason that is true", told);
        }
    }
    Ok(())
}
