//! Meta is called once for each attempt, by who claimed it, and no message is sent twice.

use std::time::Duration;

use dakghar_core::domain::{MessageKey, Status, Wamid};

use super::{Check, Promises, State, broken, describe, must};
use crate::world::executor::Life;
use crate::world::meta::{Answer, Meta, Request};
use crate::world::seen::Seen;
use crate::world::wire::SLOW_MAX;

impl Promises {
    /// A process is about to write a request for `message`, as it knows it.
    pub fn call_begins(&self, by: Life, message: &Seen, stored: Option<&Seen>) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let check = self
            .check_claim(state, by, message, stored)
            .and_then(|()| self.check_pause(state, by, message));
        self.note(state, check);
    }

    fn check_claim(&self, state: &mut State, by: Life, message: &Seen, stored: Option<&Seen>) -> Check {
        let attempt = message.attempt();
        let call = || {
            format!(
                "{by:?} calls for {}\n  stored {}",
                describe(message),
                stored.map_or_else(String::new, describe)
            )
        };
        let claim = state
            .stories
            .get_mut(&message.key())
            .and_then(|story| story.claims.get_mut(&attempt));
        let Some(claim) = claim.filter(|claim| claim.by == by && claim.epoch == message.epoch()) else {
            return broken("Meta is called for what is claimed, by who claimed it", call);
        };
        must(!claim.is_called, "Meta is called once for an attempt", call)?;
        claim.is_called = true;
        let claimed_at = claim.at;
        let Some(stored) = stored else {
            return broken("Meta is called for messages that exist", call);
        };
        must(
            stored.epoch() == message.epoch(),
            "nobody calls after a message was taken over",
            call,
        )?;
        let may_be_called = !matches!(stored.status(), Status::Cancelled | Status::Expired | Status::Dead);
        must(may_be_called, "nobody calls for a message that was given up", call)?;
        let has_time = self.now() + self.timings.lease_margin <= claimed_at + self.timings.lease;
        must(has_time, "a call begins while there is time left of its lease", call)
    }

    /// A pause stops calls as soon as no process can have overlooked it: it remembers tenants for a moment, some calls
    /// on its way to Meta may be slow, and what it has claimed it may call for.
    fn check_pause(&self, state: &State, by: Life, message: &Seen) -> Check {
        let tenant = message.key().tenant_id;
        let places = [(tenant, None), (tenant, Some(message.number().clone()))];
        let since = places.iter().filter_map(|place| state.paused.get(place)).min();
        let Some(since) = since else { return Ok(()) };
        let ran_since = self.executor.frozen_until(by).unwrap_or(*since).max(*since);
        let on_its_way: Duration = self.directory_ttl + self.timings.lease + SLOW_MAX * 4;
        must(
            self.now() <= ran_since + on_its_way,
            "nobody calls during a pause",
            || format!("{by:?} calls for {}, paused since {since}", describe(message)),
        )
    }

    /// Somebody accepts the risk that the message arrives twice.
    pub fn risk_accepted(&self, key: MessageKey) {
        self.state.lock().stories.entry(key).or_default().risk_accepted = true;
    }

    /// Who claimed the message for attempts before this one.
    pub fn claimants_before(&self, request: &Request) -> Vec<Life> {
        let state = self.state.lock();
        let claims = state.stories.get(&request.key).map(|story| &story.claims);
        let before = claims.into_iter().flat_map(|claims| claims.range(..request.attempt));
        before.map(|(_, claim)| claim.by).collect()
    }

    /// A process was told that Meta has taken the message.
    pub fn told_sent(&self, life: Life, key: MessageKey, wamid: &Wamid) {
        self.state.lock().told_sent.push((life, key, wamid.clone()));
    }

    /// A process keeps the outcome of a call under this epoch on its disk.
    pub fn kept(&self, by: Life, key: MessageKey, epoch: u64) {
        self.state.lock().stories.entry(key).or_default().kept.insert(epoch, by);
    }

    /// A request reached Meta, or got lost on the way.
    pub fn meta_decided(&self, request: &Request, answer: Answer) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let wamid = Meta::wamid(request.key, request.attempt);
        state.by_wamid.insert(wamid, (request.key, request.attempt));
        let check = decide(state, request, answer);
        self.note(state, check);
    }

    /// Meta reports that an attempt failed.
    pub fn reported_failed(&self, key: MessageKey, attempt: u32) {
        self.state.lock().stories.entry(key).or_default().failed.insert(attempt);
    }
}

fn decide(state: &mut State, request: &Request, answer: Answer) -> Check {
    let Request { key, attempt, .. } = request;
    let call = || format!("{key:?} attempt {attempt}: {answer:?}");
    let story = state.stories.entry(*key).or_default();
    must(
        story.claims.contains_key(attempt),
        "Meta is called for what is claimed, by who claimed it",
        call,
    )?;
    must(
        !story.decided.contains_key(attempt),
        "Meta is called once for an attempt",
        call,
    )?;
    if answer.takes() {
        let is_double = |earlier: &u32| *earlier > story.excused && !story.failed.contains(earlier);
        let double = story.taken().find(is_double);
        must(double.is_none(), "no message is sent twice", || {
            format!("{} and attempt {double:?} before", call())
        })?;
    }
    story.decided.insert(*attempt, answer);
    Ok(())
}
