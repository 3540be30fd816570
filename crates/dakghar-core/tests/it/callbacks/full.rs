//! Replays of endpoints that have not taken much: they go on whatever else there is, and what they leave has a bound.

use dakghar_core::app::{NewReplay, ReplayStatus};
use dakghar_core::domain::callback::{Advance, EXCEPTIONS_MAX, REPLAYED_MAX};
use dakghar_core::domain::feed::PlacedEntry;
use dakghar_core::ports::Saved;

use super::replays::range;
use super::*;

impl Story {
    fn all_behind(&self, after: u64) -> Vec<PlacedEntry> {
        let mut entries = Vec::new();
        while let Some(page) = self.feed_behind(after + entries.len() as u64) {
            entries.extend(page);
        }
        entries
    }

    /// Another process takes over, after one that has come this far and could not deliver these.
    fn advance_to(&mut self, place: u64, exceptions: Vec<CallbackException>) {
        let (endpoint_id, tenant_id) = (self.endpoint.id, self.tenant.id);
        let known = at_once(self.world.store.progress(&[endpoint_id])).remove(0);
        let mut progress = known
            .expect("no outage")
            .unwrap_or_else(|| samples::callback_progress(endpoint_id, tenant_id));
        progress.after = Place::new(place);
        let advance = Advance {
            progress,
            exceptions,
            over: Vec::new(),
            attempts: None,
        };
        assert_eq!(at_once(self.world.store.advance(&[advance])), [Ok(Saved::Done)]);
        self.load();
    }
}

/// An endpoint that has reached so many entries, all of which are exceptions of this kind, tried again in five hours.
fn unfinished(count: u64, change: impl Fn(CallbackException) -> CallbackException) -> Story {
    let mut story = Story::new(|_| {});
    story.events(count);
    let since = story.world.clock.now();
    let (endpoint_id, tenant_id) = (story.endpoint.id, story.tenant.id);
    let failed = |placed: PlacedEntry| {
        change(CallbackException {
            state: ExceptionState::Retrying(since + Duration::from_hours(5)),
            attempts: 1,
            since,
            placed,
            ..samples::callback_exception(endpoint_id, tenant_id, Place::START)
        })
    };
    let exceptions = story.all_behind(0).into_iter().map(failed).collect();
    story.advance_to(count, exceptions);
    story
}

/// More than replayed entries may add to the exceptions of an endpoint: these are some already.
#[test]
fn however_much_failed_since_a_time_is_tried_at_once() {
    const FAILED: u64 = 6_000;
    let mut story = unfinished(FAILED, |exception| exception);
    let since = story.world.clock.now();
    story.begin(&NewReplay::FailedSince(since));
    story.deliver();
    while story.after() == FAILED && !story.open().is_empty() {
        story.run_for(Duration::from_secs(2));
        story.deliver();
        assert!(
            story.world.clock.now() < since + Duration::from_hours(1),
            "before their own times"
        );
    }
    assert_eq!(story.posted().len() as u64, FAILED);
}

#[test]
fn a_range_and_named_events_are_delivered_again_whatever_else_the_endpoint_has_not_taken() {
    let full = u64::from(EXCEPTIONS_MAX);
    let mut story = unfinished(full, |exception| exception);
    // A few more, which are taken.
    story.events(6);
    story.advance_to(full + 6, Vec::new());

    story.begin(&range(full + 2, full + 4));
    story.deliver();
    assert_eq!(story.posted(), firsts(full + 2..=full + 4));
    story.is_done(3, 0);
    let taken = story.all_behind(full);
    let events = [&taken[0], &taken[5]].map(|placed| placed.entry.id());
    story.begin(&NewReplay::Events(events.into()));
    // They are looked for through the whole feed.
    for _ in 0..20 {
        story.deliver();
    }
    assert_eq!(story.posted(), [1, 6].map(|number| format!("{} #1", full + number)));
    story.is_done(2, 0);
}

#[test]
fn what_fails_in_a_replay_beside_all_that_replays_may_leave_is_dead_at_once() {
    let most = u64::from(REPLAYED_MAX);
    for (left, is_dead) in [(most - 1, false), (most, true)] {
        let mut story = unfinished(most + 2, |exception| {
            let place = exception.placed.place.number();
            CallbackException {
                is_replay: place <= left,
                // The ones behind these were taken, or are no more tried.
                state: if place > left {
                    ExceptionState::Dead
                } else {
                    exception.state
                },
                ..exception
            }
        });
        story.refuse(1);
        story.begin(&range(most + 1, most + 2));
        story.deliver();
        assert_eq!(story.posted(), firsts(most + 1..=most + 2), "both are tried");
        story.is_done(1, 1);
        let dead = story.exceptions(ExceptionsAsked::Dead);
        let is_there = |exception: &CallbackException| exception.placed.place == Place::new(most + 1);
        assert_eq!(dead.iter().any(is_there), is_dead, "with {left}");
    }
}

/// Replays may leave no more: what is held back stays where it is, and neither it nor anything else is lost or hastened.
#[test]
fn what_is_held_back_in_a_full_replay_waits_where_it_is_and_others_get_past_it() {
    let mut story = Story::new(|endpoint| endpoint.order = DeliveryOrder::Conversation);
    let most = u64::from(REPLAYED_MAX);
    for person in ["15550001", "15550002", "15550001", "15550002"] {
        story.hears(person);
    }
    story.deliver();
    story.deliver();
    story.events(most);
    let since = story.world.clock.now();
    let (endpoint_id, tenant_id) = (story.endpoint.id, story.tenant.id);
    let replayed = |placed| CallbackException {
        placed,
        state: ExceptionState::Retrying(since + Duration::from_hours(5)),
        attempts: 1,
        is_replay: true,
        ..samples::callback_exception(endpoint_id, tenant_id, Place::START)
    };
    // One is left to be brought, and the first that fails is it.
    let exceptions = story.all_behind(5).into_iter().map(replayed).collect();
    story.advance_to(4 + most, exceptions);
    story.posted();
    story.begin(&range(1, 4));
    story.refuse(1);
    story.deliver();
    assert_eq!(story.posted(), ["1 #1", "2 #1", "4 #1"], "3 waits for 1");
    assert_eq!(story.replays()[0].status, ReplayStatus::Running);
    let mut run = story.run.take().expect("it runs");
    let run = story.world.step(async move {
        assert!(matches!(run.step().await, Ok(CallbacksStep::Begin(calls)) if calls.is_empty()));
        assert!(
            run.wait_max() > Some(Duration::from_secs(1)),
            "nothing is looked for meanwhile"
        );
        run
    });
    story.run = Some(run);
    story.run_for(Duration::from_secs(7));
    story.deliver();
    assert_eq!(story.posted(), ["1 #2", "3 #1"]);
    story.is_done(3, 1);
}
