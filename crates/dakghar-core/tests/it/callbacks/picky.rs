//! Receivers that refuse some events for good and take all others, and receivers that are well again: who is told of it, and when.

use dakghar_core::app::{NewReplay, ReplayStatus};
use dakghar_core::domain::callback::WAITING_APART_MAX;

use super::replays::range;
use super::*;

/// More than there is to do.
const STEPS_MAX: usize = 2_000;
const ONE: &str = "15550001";
const EVERYTHING_FAILED: NewReplay = NewReplay::FailedSince(Timestamp::from_millis(0));

/// A body begins with the place of its entry.
fn place(body: &[u8]) -> u64 {
    let text = std::str::from_utf8(body).expect("text");
    let place = text.split(' ').next().and_then(|place| place.parse().ok());
    place.expect("a place")
}

impl Story {
    fn change(&mut self, change: impl FnOnce(&mut Endpoint)) {
        let mut endpoint = self.stored();
        change(&mut endpoint);
        endpoint.updated_at = self.world.clock.now();
        let saved = at_once(self.world.store.save_endpoint(&endpoint));
        saved.expect("no outage");
        self.endpoint = self.stored();
    }

    fn breaker_is_open(&self) -> bool {
        let progress = at_once(self.world.store.progress(&[self.endpoint.id])).remove(0);
        progress.expect("no outage").expect("some").breaker.open.is_some()
    }

    /// The receiver is down for so long that nothing goes any more.
    fn goes_down(&mut self) {
        self.refuse(10);
        self.events(10);
        self.deliver();
        assert!(self.breaker_is_open());
        self.posted();
    }
}

#[test]
fn what_is_refused_for_good_holds_up_nothing_that_is_new() {
    for order in [DeliveryOrder::None, DeliveryOrder::Conversation] {
        let mut story = Story::new(|endpoint| (endpoint.order, endpoint.concurrency) = (order, 4));
        story
            .world
            .receivers
            .refuse_bodies(|body| place(body).is_multiple_of(2));
        let mut taken = 0;
        for _ in 0..100 {
            story.events(10);
            taken += 10;
            story.deliver();
            story.run_for(Duration::from_secs(7));
            assert_eq!(story.after(), taken, "nothing waits in the feed");
        }
        let fresh = story.posted().iter().filter(|body| body.ends_with("#1")).count();
        assert_eq!(fresh, 1_000, "each was tried as soon as it was there");
        assert_eq!(story.open().len(), 500);
    }
}

#[test]
fn a_probe_is_of_what_is_new_where_there_is_something() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    story.goes_down();
    story.world.receivers.refuse_bodies(|body| place(body) <= 10);
    story.events(1);
    // The first of them are due again as well.
    story.run_for(Duration::from_secs(31));
    story.deliver();
    assert_eq!(story.posted()[0], "11 #1");
    assert_eq!(story.after(), 11);
}

#[test]
fn a_receiver_that_is_down_gets_no_more_for_what_is_new() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    story.goes_down();
    for seconds in [10, 10, 9] {
        story.refuse(1);
        story.events(1);
        story.run_for(Duration::from_secs(seconds));
        story.deliver();
        assert_eq!(story.posted(), [] as [&str; 0]);
    }
}

#[test]
fn whoever_says_that_a_receiver_may_be_well_has_it_tried_at_once() {
    let at_once: [fn(&mut Story); 3] = [
        |story| {
            story.change(|endpoint| endpoint.concurrency = 3);
            story.learn();
        },
        // As after a pause: whoever delivers then reads it anew.
        |story| {
            story.run_for(Duration::from_secs(1));
            story.change(|endpoint| endpoint.concurrency = 3);
            story.load();
        },
        |story| story.begin(&EVERYTHING_FAILED),
    ];
    for says in at_once {
        let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
        story.goes_down();
        story.events(1);
        says(&mut story);
        story.deliver();
        assert!(story.posted().contains(&"11 #1".to_owned()));
        assert!(!story.breaker_is_open());
    }
    // A process that only takes over does not.
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    story.goes_down();
    story.refuse(1);
    story.events(1);
    story.load();
    story.deliver();
    story.posted();
    story.deliver();
    assert_eq!(story.posted(), [] as [&str; 0]);
}

#[test]
fn what_a_replay_asked_for_is_tried_by_whoever_goes_on() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    for n in 1..=2 {
        story.refuse(1);
        story.events(1);
        story.deliver();
        story.run_for(Duration::from_secs(7));
        story.refuse(1);
        story.deliver();
        assert_eq!(story.open().len(), n);
    }
    story.posted();
    story.begin(&EVERYTHING_FAILED);
    // It asks, and dies before it calls.
    let mut run = story.run.take().expect("it runs");
    let run = story.world.step(async move {
        run.fill().await.expect("no outage");
        run.save().await.expect("no outage");
        run
    });
    drop(run);
    story.load();
    story.deliver();
    assert_eq!(
        (story.posted(), story.open()),
        (vec!["1 #3".to_owned(), "2 #3".to_owned()], vec![])
    );
    story.save();
    assert_eq!(story.replays()[0].status, ReplayStatus::Done);
}

#[test]
fn what_was_under_way_when_a_replay_asked_for_it_is_tried_once_more() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    story.refuse(1);
    story.events(1);
    story.deliver();
    story.run_for(Duration::from_secs(7));
    story.posted();
    let (mut run, callbacks) = (story.run.take().expect("it runs"), story.callbacks.clone());
    story.refuse(1);
    let (run, ended) = story.world.step(async move {
        run.fill().await.expect("no outage");
        let call = run.next_call().expect("it is due");
        (run, callbacks.make(call).await)
    });
    story.run = Some(run);
    story.begin(&EVERYTHING_FAILED);
    let mut run = story.run.take().expect("it runs");
    let run = story.world.step(async move {
        run.fill().await.expect("no outage");
        run.ended(ended);
        run.save().await.expect("no outage");
        run
    });
    drop(run);
    story.load();
    story.deliver();
    assert_eq!(story.posted(), ["1 #2", "1 #3"]);
}

/// A conversation whose first entry fails, and so many entries in it that some wait in a line.
fn behind_one_that_fails() -> (Story, u64) {
    let mut story = Story::new(|endpoint| endpoint.order = DeliveryOrder::Conversation);
    let all = WAITING_APART_MAX as u64 + 10;
    story.refuse(1);
    for _ in 0..all {
        story.hears(ONE);
    }
    story.work(STEPS_MAX);
    (story, all)
}

#[test]
fn what_waits_in_a_line_is_delivered_in_its_turn_and_not_by_a_replay() {
    let (mut story, all) = behind_one_that_fails();
    assert_eq!((story.posted(), story.after()), (firsts(1..=1), all));
    story.begin(&range(1, all));
    story.work(STEPS_MAX);
    let mut places: Vec<String> = story.posted();
    while !story.open().is_empty() || story.status().open > 0 {
        story.run_for(Duration::from_secs(1));
        story.work(STEPS_MAX);
        places.extend(story.posted());
    }
    let in_order = std::iter::once("1 #2".to_owned()).chain(firsts(2..=all));
    assert_eq!(places, in_order.collect::<Vec<_>>(), "each once");
}

#[test]
fn without_an_order_nothing_waits_for_another_one() {
    for takes_over in [false, true] {
        let (mut story, all) = behind_one_that_fails();
        story.refuse(1);
        story.run_for(Duration::from_secs(7));
        story.work(STEPS_MAX);
        story.posted();
        story.change(|endpoint| endpoint.order = DeliveryOrder::None);
        if takes_over {
            story.load();
        } else {
            story.learn();
        }
        story.work(STEPS_MAX);
        let mut places = story.posted();
        places.sort_by_key(|body| place(body.as_bytes()));
        assert_eq!(places, firsts(2..=all));
    }
}

#[test]
fn what_is_refused_in_a_row_keeps_nothing_from_what_comes_behind_it() {
    for order in [DeliveryOrder::None, DeliveryOrder::Conversation] {
        let mut story = Story::new(|endpoint| (endpoint.order, endpoint.concurrency) = (order, 1));
        story.world.receivers.refuse_bodies(|body| place(body) <= 60);
        story.events(61);
        story.deliver();
        assert!(story.posted().contains(&"61 #1".to_owned()), "without a wait");

        // A good one that fails once comes again at its own time, whatever else is refused again then.
        story.world.receivers.answer_status(URL, 503);
        story.events(1);
        story.deliver();
        story.posted();
        story.run_for(Duration::from_secs(7));
        story.deliver();
        assert!(story.posted().contains(&"62 #2".to_owned()));
        assert!(!story.breaker_is_open());
    }
}

#[test]
fn a_wait_that_a_refusal_asks_for_is_of_that_event_and_one_of_the_receiver_is_of_all() {
    for (status, is_of_all) in [(422, false), (500, false), (429, true), (503, true)] {
        let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
        let asks = CallbackOutcome::Answered {
            status,
            retry_after: Some(Duration::from_secs(120)),
            failure_body: None,
        };
        story.world.receivers.answer(URL, asks);
        story.events(3);
        story.deliver();
        let others = story.posted().len() - 1;
        assert_eq!(others, if is_of_all { 0 } else { 2 }, "{status}");
        story.run_for(Duration::from_secs(60));
        story.deliver();
        assert_eq!(story.posted(), [] as [&str; 0], "{status}");

        // Who changes the endpoint says that it may be well.
        story.change(|endpoint| endpoint.concurrency = 2);
        story.learn();
        story.deliver();
        assert_eq!(story.posted().len(), if is_of_all { 2 } else { 0 }, "{status}");
    }
}

#[test]
fn an_order_that_is_asked_for_again_holds_back_what_follows_what_failed_before() {
    let mut story = Story::new(|endpoint| endpoint.order = DeliveryOrder::Conversation);
    story.world.receivers.refuse_bodies(|body| place(body) == 1);
    story.hears(ONE);
    story.work(STEPS_MAX);
    for order in [DeliveryOrder::None, DeliveryOrder::Conversation] {
        story.change(|endpoint| endpoint.order = order);
        story.learn();
        story.posted();
        story.hears(ONE);
        story.work(STEPS_MAX);
        let is_taken = !story.posted().is_empty();
        assert_eq!(is_taken, order == DeliveryOrder::None);
    }
    assert_eq!(story.open().len(), 2);
}
