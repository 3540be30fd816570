//! Replays: what is meant is delivered again, whatever is killed, and live entries do not wait for it.

use dakghar_core::app::{Failure, KnownReplay, NewReplay, ReplayEnd, ReplayPreview, ReplayStatus, WaitingFor};
use dakghar_core::domain::ErrorCode;
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::feed::PlacedEntry;
use dakghar_core::ports::FeedStore as _;

use super::*;

const EVERYTHING: NewReplay = NewReplay::Range {
    from: None,
    until: None,
    kinds: Vec::new(),
    phone_number_ids: Vec::new(),
};

pub(super) fn range(from: u64, until: u64) -> NewReplay {
    NewReplay::Range {
        from: Some(ReplayEnd::Place(Place::new(from))),
        until: Some(ReplayEnd::Place(Place::new(until))),
        kinds: Vec::new(),
        phone_number_ids: Vec::new(),
    }
}

#[test]
fn named_events_that_were_just_taken_are_delivered_again_and_those_that_wait_once() {
    let mut story = Story::new(|_| ());
    story.events(3);
    story.deliver_and(false);
    assert_eq!(story.posted(), ["1 #1", "2 #1", "3 #1"]);
    assert_eq!(story.after(), 0, "nothing of it is written down");
    story.events(1);
    let ids: Vec<_> = story
        .feed_behind(1)
        .expect("entries")
        .iter()
        .map(|placed| placed.entry.id())
        .collect();
    story.begin(&NewReplay::Events([ids[0], ids[2]].into()));
    story.deliver();
    let mut posted = story.posted();
    posted.sort_unstable();
    assert_eq!(posted, ["2 #1", "4 #1"]);
    assert_eq!(story.replays()[0].status, ReplayStatus::Done);
}

impl Story {
    pub(super) fn preview(&self, asked: &NewReplay) -> ReplayPreview {
        let (endpoints, tenant_id) = (self.process.endpoints(), self.tenant.id);
        let (id, asked) = (self.endpoint.id.to_string(), asked.clone());
        let preview = async move { endpoints.preview_replay(&tenant_id, &id, &asked).await };
        self.world.step(preview).expect("a preview")
    }

    fn ask(&self, asked: &NewReplay) -> Result<KnownReplay, Failure> {
        let (endpoints, tenant_id) = (self.process.endpoints(), self.tenant.id);
        let (id, asked) = (self.endpoint.id.to_string(), asked.clone());
        self.world
            .step(async move { endpoints.begin_replay(&tenant_id, &id, &asked, Principal::CLI).await })
    }

    pub(super) fn replays(&self) -> Vec<KnownReplay> {
        let (endpoints, tenant_id, id) = (self.process.endpoints(), self.tenant.id, self.endpoint.id.to_string());
        let replays = async move { endpoints.replays(&tenant_id, &id).await };
        self.world.step(replays).expect("no outage")
    }

    fn cancel(&self) -> Result<KnownReplay, Failure> {
        let (endpoints, tenant_id, id) = (self.process.endpoints(), self.tenant.id, self.endpoint.id.to_string());
        let replay_id = self.replays()[0].replay.id.to_string();
        self.world.step(async move {
            let cancelled = endpoints.cancel_replay(&tenant_id, &id, &replay_id, Principal::CLI);
            cancelled.await
        })
    }

    /// The process that delivers learns of what was asked for.
    pub(super) fn learn(&mut self) {
        self.endpoint = self.stored();
        let (mut run, endpoint) = (self.run.take().expect("it runs"), Arc::new(self.endpoint.clone()));
        let run = self.world.step(async move {
            run.change(endpoint).await.expect("no outage");
            run
        });
        self.run = Some(run);
    }

    /// A page of the feed behind a place; `None` at its end.
    pub(super) fn feed_behind(&self, after: u64) -> Option<Vec<PlacedEntry>> {
        let entries = self
            .world
            .store
            .entries(&self.tenant.id, Place::new(after), PageLimit::items(1_000));
        let entries = at_once(entries).expect("no outage").items;
        (!entries.is_empty()).then_some(entries)
    }

    pub(super) fn begin(&mut self, asked: &NewReplay) {
        self.ask(asked).expect("it begins");
        self.learn();
    }

    /// Writes down what is left to be written down.
    pub(super) fn save(&mut self) {
        let mut run = self.run.take().expect("it runs");
        let run = self.world.step(async move {
            assert_eq!(run.save().await, Ok(CallbacksSaved::Done));
            run
        });
        self.run = Some(run);
    }

    fn marked(&self, from: usize) -> Vec<bool> {
        let posted = self.world.receivers.posted();
        let is_marked = |name: &str, value: &str| name == "x-dakghar-replay" && value == "true";
        posted[from..]
            .iter()
            .map(|posted| posted.headers.iter().any(|(name, value)| is_marked(name, value)))
            .collect()
    }

    fn ids(&self, from: usize) -> Vec<String> {
        let id = |posted: &dakghar_testkit::memory::Posted| {
            let found = posted.headers.iter().find(|(name, _)| name == "webhook-id");
            found.expect("an id").1.clone()
        };
        self.world.receivers.posted()[from..].iter().map(id).collect()
    }

    pub(super) fn is_done(&self, delivered: u64, failed: u64) {
        let known = &self.replays()[0];
        let progress = &known.progress;
        assert_eq!(
            (known.status, progress.delivered, progress.failed, progress.at),
            (ReplayStatus::Done, delivered, failed, known.replay.until)
        );
    }
}

fn delivered(count: u64) -> Story {
    let mut story = Story::new(|_| ());
    story.events(count);
    story.deliver();
    assert_eq!(story.posted(), firsts(1..=count));
    story
}

#[test]
fn a_range_is_delivered_again_under_the_same_ids_and_marked() {
    let mut story = delivered(9);
    assert_eq!(
        story.preview(&range(3, 6)),
        ReplayPreview {
            events: 4,
            is_exact: true,
            waiting: 0
        }
    );
    assert_eq!(story.replays().len(), 0, "a preview begins nothing");
    story.begin(&range(3, 6));
    story.deliver();
    assert_eq!(story.posted(), firsts(3..=6));
    assert_eq!(story.ids(9), story.ids(2)[..4]);
    assert_eq!(story.marked(0), [vec![false; 9], vec![true; 4]].concat());
    story.is_done(4, 0);
    assert_eq!(story.after(), 9);
    // It is over, also for the next process.
    story.load();
    story.deliver();
    assert_eq!(story.posted(), [] as [&str; 0]);
}

#[test]
fn a_range_has_kinds_and_numbers_and_ends_where_the_endpoint_is() {
    let mut story = Story::new(|_| ());
    story.events(2);
    story.hears("15550001");
    story.deliver();
    story.events(3);
    story.posted();
    let of = |kind: &str| NewReplay::Range {
        from: None,
        until: Some(ReplayEnd::Place(Place::new(99))),
        kinds: vec![kind.to_owned()],
        phone_number_ids: Vec::new(),
    };
    assert_eq!(story.preview(&of("message.*")).events, 1);
    assert_eq!(story.preview(&EVERYTHING).events, 3, "the others come anyway");
    story.begin(&of("message.*"));
    story.deliver();
    let mut posted = story.posted();
    posted.sort_unstable();
    assert_eq!(posted, ["3 #1", "4 #1", "5 #1", "6 #1"]);
    story.is_done(1, 0);
}

#[test]
fn a_process_that_dies_in_a_replay_leaves_nothing_of_it_out() {
    for killed_after in [0, 1, 60, 90] {
        let mut story = Story::new(|endpoint| endpoint.concurrency = 2);
        story.events(150);
        for _ in 0..4 {
            story.deliver();
            story.run_for(Duration::from_secs(1));
        }
        story.posted();
        story.begin(&EVERYTHING);
        let mut run = story.run.take().expect("it runs");
        let callbacks = story.callbacks.clone();
        // So many are delivered and written down, and a few are not.
        let last = story.world.step(async move {
            let mut done = 0;
            loop {
                run.fill().await.expect("no outage");
                let Some(call) = run.next_call() else { return done };
                let ended = callbacks.make(call).await;
                run.ended(ended);
                done += 1;
                if done == killed_after {
                    run.save().await.expect("no outage");
                }
                if done >= killed_after + 3 {
                    return done;
                }
            }
        });
        story.run_for(Duration::from_secs(1));
        story.load();
        for _ in 0..4 {
            story.deliver();
            story.run_for(Duration::from_secs(1));
        }
        let mut posted = story.posted();
        let repeated = posted.len() - 150;
        assert!(
            repeated <= last.min(3),
            "{repeated} of what was written down came again"
        );
        posted.sort_unstable();
        posted.dedup();
        assert_eq!(posted.len(), 150);
        assert_eq!(story.replays()[0].status, ReplayStatus::Done);
    }
}

#[test]
fn a_replay_passes_over_what_goes_out_of_the_feed_meanwhile() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 2);
    story.events(150);
    for _ in 0..4 {
        story.deliver();
        story.run_for(Duration::from_secs(1));
    }
    story.posted();
    story.begin(&EVERYTHING);
    // A hundred are read ahead.
    let mut run = story.run.take().expect("it runs");
    let run = story.world.step(async move {
        run.fill().await.expect("no outage");
        run
    });
    story.run = Some(run);
    story.expire(120);
    for _ in 0..4 {
        story.deliver();
        story.run_for(Duration::from_secs(1));
    }
    let expected: Vec<String> = (1..=100).chain(121..=150).map(|place| format!("{place} #1")).collect();
    assert_eq!(story.posted(), expected);
    story.is_done(130, 0);
}

#[test]
fn what_failed_since_a_time_is_tried_at_once_and_what_was_dead_is_alive() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    story.refuse(1);
    story.events(1);
    story.deliver();
    while story.exceptions(ExceptionsAsked::Dead).is_empty() {
        story.refuse(1);
        story.run_for(Duration::from_hours(13));
        story.deliver();
    }
    let early = story.world.clock.now();
    story.run_for(Duration::from_secs(10));
    let since = story.world.clock.now();
    story.refuse(1);
    story.events(2);
    story.deliver();
    assert_eq!(story.open(), [2]);
    story.posted();
    assert_eq!(story.preview(&NewReplay::FailedSince(since)).events, 1);
    story.begin(&NewReplay::FailedSince(since));
    story.deliver();
    assert_eq!((story.posted(), story.open()), (vec!["2 #2".to_owned()], vec![]));
    assert_eq!(story.exceptions(ExceptionsAsked::Dead).len(), 1, "it failed before");
    story.save();
    assert_eq!(story.replays()[0].status, ReplayStatus::Done);

    let long_ago = early - Duration::from_secs(60);
    story.begin(&NewReplay::FailedSince(long_ago));
    story.refuse(1);
    story.deliver();
    assert_eq!((story.posted(), story.open()), (firsts(1..=1), vec![1]));
    let open = story.exceptions(ExceptionsAsked::Open);
    assert!(open[0].is_replay && story.exceptions(ExceptionsAsked::Dead).is_empty());
    story.is_done(0, 1);
    story.run_for(Duration::from_secs(7));
    story.deliver();
    assert_eq!((story.posted(), story.open()), (vec!["1 #2".to_owned()], vec![]));
    assert_eq!(story.marked(story.seen - 2), [true, true]);
    assert_eq!(story.replays().len(), 2);
}

#[test]
fn a_dead_callback_that_is_taken_is_not_listed_any_more() {
    let mut story = Story::new(|_| ());
    story.events(1);
    while story.exceptions(ExceptionsAsked::Dead).is_empty() {
        story.refuse(1);
        story.deliver();
        story.run_for(Duration::from_hours(13));
    }
    let dead = &story.exceptions(ExceptionsAsked::Dead)[0];
    let event = NewReplay::Events([dead.placed.entry.id()].into());
    story.posted();
    assert_eq!(story.preview(&event).events, 1);
    story.begin(&event);
    story.deliver();
    assert_eq!(story.posted(), firsts(1..=1));
    assert!(story.exceptions(ExceptionsAsked::Dead).is_empty());
    story.is_done(1, 0);
}

#[test]
fn live_entries_and_replayed_ones_take_turns() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    story.events(40);
    story.deliver();
    story.run_for(Duration::from_secs(1));
    story.begin(&EVERYTHING);
    story.events(40);
    story.posted();
    story.deliver();
    let posted = story.posted();
    let place = |text: &String| -> u64 {
        text.split(' ')
            .next()
            .and_then(|place| place.parse().ok())
            .expect("a place")
    };
    let turns: Vec<bool> = posted.iter().map(|text| place(text) <= 40).collect();
    assert_eq!(turns.len(), 80);
    assert!(turns.chunks(2).all(|two| two == [true, false]), "{posted:?}");
}

#[test]
fn what_is_replayed_keeps_the_order_of_its_conversation_and_holds_up_nothing_live() {
    let mut story = Story::new(|endpoint| endpoint.order = DeliveryOrder::Conversation);
    for person in ["15550001", "15550002", "15550001", "15550001"] {
        story.hears(person);
    }
    story.deliver();
    story.deliver();
    story.posted();
    story.begin(&EVERYTHING);
    story.refuse(1);
    story.deliver();
    assert_eq!(story.posted(), ["1 #1", "2 #1"]);
    story.save();
    assert_eq!(story.open(), [1, 3, 4], "in the order of the feed");
    story.hears("15550001");
    story.deliver();
    assert_eq!(story.posted(), ["5 #1"]);
    story.load();
    story.run_for(Duration::from_secs(7));
    story.deliver();
    assert_eq!(
        (story.posted(), story.open()),
        (vec!["1 #2".to_owned(), "3 #1".to_owned(), "4 #1".to_owned()], vec![])
    );
}

#[test]
fn an_endpoint_has_one_replay_at_a_time_and_a_cancelled_one_ends_where_it_is() {
    let mut story = Story::new(|_| ());
    story.events(250);
    for _ in 0..5 {
        story.deliver();
        story.run_for(Duration::from_secs(2));
    }
    story.posted();
    story.begin(&EVERYTHING);
    let code = |result: Result<KnownReplay, Failure>| match result {
        Err(Failure::Refused(problem)) => problem.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(story.ask(&EVERYTHING)), ErrorCode::ReplayRunning);
    story.deliver();
    assert_eq!(story.cancel().map(|known| known.status), Ok(ReplayStatus::Cancelled));
    assert_eq!(story.cancel().map(|known| known.status), Ok(ReplayStatus::Cancelled));
    story.learn();
    let before = story.posted().len();
    assert!((1..250).contains(&before));
    story.run_for(Duration::from_secs(10));
    story.deliver();
    story.save();
    assert_eq!(story.posted(), [] as [&str; 0]);
    assert!(story.replays()[0].progress.ended_at.is_some());
    // Another one may begin, and the first is remembered.
    story.begin(&range(250, 250));
    story.deliver();
    assert_eq!(story.posted(), firsts(250..=250));
    story.is_done(1, 0);
    assert_eq!(code(story.cancel()), ErrorCode::ReplayOver);
    let replays = story.replays();
    assert_eq!((replays.len(), replays[1].status), (2, ReplayStatus::Cancelled));
    assert_eq!(replays[1].progress.delivered, before as u64);
}

#[test]
fn a_replay_of_an_endpoint_that_is_not_called_waits_and_says_so() {
    let story = delivered(2);
    story.ask(&EVERYTHING).expect("it begins");
    assert_eq!(story.replays()[0].status, ReplayStatus::Running);
    for (state, waits) in [
        (EndpointState::Paused, WaitingFor::Paused),
        (
            EndpointState::Disabled {
                reason: DisabledReason::Gone,
                at: story.world.clock.now(),
            },
            WaitingFor::Disabled,
        ),
    ] {
        let changed = Endpoint {
            state,
            ..story.stored()
        };
        at_once(story.world.store.save_endpoint(&changed)).expect("no outage");
        assert_eq!(story.replays()[0].status, ReplayStatus::Waiting(waits));
    }
}

#[test]
fn an_endpoint_remembers_ten_replays() {
    let mut story = delivered(1);
    for _ in 0..12 {
        story.begin(&EVERYTHING);
        story.deliver();
    }
    let replays = story.replays();
    assert_eq!(replays.len(), 10);
    assert!(
        replays
            .iter()
            .all(|known| known.status == ReplayStatus::Done && known.progress.delivered == 1)
    );
}
