//! The steps of whoever drives the deliveries to an endpoint: when something begins, and how long nothing does.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::CallbacksStep;
use dakghar_core::domain::WebhookEvent;
use dakghar_core::domain::endpoint::DeliveryOrder;
use dakghar_core::ports::{CallbackOutcome, EndpointStore as _, EventStore as _, LOAD_BYTES_MAX};
use dakghar_testkit::samples;

use super::{Endpoint, EndpointState, Story, URL, at_once, firsts};
use crate::world::wire::{Call, Fate};

impl Story {
    /// A step, and the calls that it begins. `None` if the store does not take part.
    fn step(&mut self) -> Option<usize> {
        let (mut run, callbacks) = (self.run.take().expect("it runs"), self.callbacks.clone());
        let (run, begun) = self.world.step(async move {
            run.wake();
            let Ok(CallbacksStep::Begin(calls)) = run.step().await else {
                return (run, None);
            };
            let begun = calls.len();
            for call in calls {
                let ended = callbacks.make(call).await;
                run.ended(ended);
            }
            (run, Some(begun))
        });
        self.run = Some(run);
        begun
    }

    fn wait_max(&self) -> Option<Duration> {
        self.run.as_ref().expect("it runs").wait_max()
    }
}

#[test]
fn nothing_is_called_while_the_store_does_not_take_what_was() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    story.events(3);
    assert_eq!((story.step(), story.posted()), (Some(1), firsts(1..=1)));
    for _ in 0..3 {
        story.world.wire.script(Call::Advance, Fate::FailsBefore);
        assert_eq!((story.step(), story.after()), (None, 0));
    }
    assert_eq!(story.posted(), [] as [&str; 0]);
    assert_eq!((story.step(), story.after()), (Some(1), 1));
    assert_eq!(story.posted(), firsts(2..=2));
    // Who does not hear that it was saved cannot know whether another process did, and lets go.
    story.world.wire.script(Call::Advance, Fate::FailsAfter);
    assert_eq!((story.step(), story.after(), story.step()), (None, 2, None));
    story.load();
    assert_eq!((story.step(), story.posted()), (Some(1), firsts(3..=3)));
}

#[test]
fn what_waits_for_a_call_of_its_conversation_waits_for_its_end() {
    let mut story = Story::new(|endpoint| endpoint.order = DeliveryOrder::Conversation);
    story.hears("15550001");
    story.hears("15550001");
    story.events(1);
    let (mut run, callbacks) = (story.run.take().expect("it runs"), story.callbacks.clone());
    story.world.step(async move {
        let mut begun = Vec::new();
        // The last look is the one that finds the end of the feed.
        for _ in 0..3 {
            let Ok(CallbacksStep::Begin(calls)) = run.step().await else {
                panic!("no outage");
            };
            begun.extend(calls);
        }
        assert_eq!((begun.len(), run.wait_max()), (2, None));
        for call in begun {
            let ended = callbacks.make(call).await;
            run.ended(ended);
        }
        assert!(matches!(run.step().await, Ok(CallbacksStep::Begin(calls)) if calls.len() == 1));
    });
}

#[test]
fn a_look_at_a_feed_that_has_nothing_new_is_one_read() {
    let mut story = Story::new(|_| ());
    story.events(1);
    for begun in [1, 0] {
        assert_eq!(story.step(), Some(begun));
    }
    let before = story.world.wire.calls().len();
    assert_eq!((story.step(), story.wait_max()), (Some(0), None));
    assert_eq!(story.world.wire.calls()[before..], [Call::Query]);
}

#[test]
fn the_end_of_a_feed_is_known_by_the_page_that_has_its_last_entry() {
    let mut story = Story::new(|_| ());
    story.events(1);
    assert_eq!(story.step(), Some(1));
    let before = story.world.wire.calls().len();
    let mut run = story.run.take().expect("it runs");
    let run = story.world.step(async move {
        // Nobody tells of more.
        assert!(matches!(run.step().await, Ok(CallbacksStep::Begin(calls)) if calls.is_empty()));
        run
    });
    assert_eq!(
        story.world.wire.calls()[before..],
        [Call::Advance],
        "it is only written down"
    );
    assert_eq!(run.wait_max(), None);
}

#[test]
fn a_page_whose_records_one_read_has_no_room_for_does_not_end_a_feed() {
    let mut story = Story::new(|_| ());
    let raw = "x".repeat(LOAD_BYTES_MAX / 2);
    for _ in 0..6 {
        let event = WebhookEvent {
            raw: raw.clone().into(),
            amends: None,
            ..samples::event(story.tenant.id)
        };
        at_once(story.world.store.record(&[event])).expect("no outage");
    }
    let (mut run, callbacks) = (story.run.take().expect("it runs"), story.callbacks.clone());
    let run = story.world.step(async move {
        // Nobody tells of more.
        while let Ok(CallbacksStep::Begin(calls)) = run.step().await
            && !calls.is_empty()
        {
            for call in calls {
                let ended = callbacks.make(call).await;
                run.ended(ended);
            }
        }
        run
    });
    story.run = Some(run);
    assert_eq!(story.posted(), firsts(1..=6));
}

#[test]
fn one_that_was_given_up_is_left_alone_until_a_change_of_it_is_told() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    story.events(3);
    story.world.receivers.answer_status(URL, 410);
    assert_eq!(story.step(), Some(1));
    assert_eq!((story.step(), story.wait_max(), story.step()), (Some(0), None, Some(0)));
    let mut run = story.run.take().expect("it runs");
    let resumed = Arc::new(Endpoint {
        state: EndpointState::Active,
        ..story.stored()
    });
    let run = story.world.step(async move {
        run.change(resumed).await.expect("no outage");
        run
    });
    story.run = Some(run);
    assert_eq!(story.step(), Some(1));
}

/// Calls were under way when the address changed.
#[test]
fn an_answer_of_the_address_before_says_nothing_of_the_present_one() {
    for (status, retry_after) in [(410, None), (503, Some(Duration::from_hours(1)))] {
        let mut story = Story::new(|_| ());
        story.events(2);
        let answer = CallbackOutcome::Answered {
            status,
            retry_after,
            failure_body: None,
        };
        for _ in 0..2 {
            story.world.receivers.answer(URL, answer.clone());
        }
        let moved = Arc::new(Endpoint {
            url: "https://new.example.com/hook".into(),
            ..story.stored()
        });
        at_once(story.world.store.save_endpoint(&moved)).expect("no outage");
        let (mut run, callbacks) = (story.run.take().expect("it runs"), story.callbacks.clone());
        let run = story.world.step(async move {
            run.wake();
            let Ok(CallbacksStep::Begin(calls)) = run.step().await else {
                panic!("calls begin");
            };
            run.change(moved).await.expect("no outage");
            for call in calls {
                let ended = callbacks.make(call).await;
                run.ended(ended);
            }
            run
        });
        story.run = Some(run);
        assert_eq!(story.posted().len(), 2);
        story.world.receivers.answer_status("https://new.example.com/hook", 200);
        story.deliver();
        assert_eq!(story.posted().len(), 2, "{status}: the new one is asked at once");
        assert_eq!(story.stored().state, EndpointState::Active);
    }
}
