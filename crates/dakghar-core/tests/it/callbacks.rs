//! Deliveries to an endpoint: each entry, at least once, in the order that was asked for, whatever the receiver does.

mod earlier_runs;
mod erased;
mod full;
mod lines;
mod made_anew;
mod owners;
mod picky;
mod replays;
mod steps;
mod told;

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{
    CallbackBodies, Callbacks, CallbacksSaved, CallbacksStep, EndpointRun, EndpointStatus, EntryData, Failure,
    FeedItem, Handed,
};
use dakghar_core::domain::callback::{CallbackException, CallbackFailure, ExceptionState};
use dakghar_core::domain::endpoint::{DeliveryOrder, DisabledReason, Endpoint, EndpointState};
use dakghar_core::domain::feed::{EntryFilter, KindPattern};
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{Place, Tenant, TenantId, Timestamp, WebhookEvent};
use dakghar_core::ports::receivers::CallbackOutcome;
use dakghar_core::ports::{
    CallbackStore as _, Clock as _, EndpointInserted, EndpointStore as _, EventStore as _, ExceptionsAsked,
    IdGenerator as _, MessageStore as _, Saved,
};
use dakghar_testkit::samples;

use crate::world::ports::at_once;
use crate::world::process::Process;
use crate::world::{Kind, World};

const URL: &str = "https://example.com/hook";

/// Places, and the number of the attempt.
struct Places;

impl CallbackBodies for Places {
    fn test(&self, _: &TenantId, id: &str, _: Timestamp) -> Vec<u8> {
        format!("test {id}").into_bytes()
    }

    fn standard(&self, handed: Handed<'_>) -> Vec<u8> {
        let places: Vec<_> = handed.items.iter().map(|item| item.place.to_string()).collect();
        format!("{} #{}", places.join(","), handed.attempt).into_bytes()
    }
}

/// A tenant with an endpoint, and the process that delivers to it.
struct Story {
    world: World,
    tenant: Tenant,
    process: Process,
    callbacks: Arc<Callbacks>,
    endpoint: Endpoint,
    run: Option<EndpointRun>,
    seen: usize,
}

impl Story {
    fn new(change: impl FnOnce(&mut Endpoint)) -> Self {
        let world = World::new(Kind::Embedded);
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let mut endpoint = Endpoint {
            url: URL.to_owned(),
            per_second: 1_000,
            secrets: Vec::new(),
            ..samples::endpoint(tenant.id)
        };
        change(&mut endpoint);
        assert_eq!(
            at_once(world.store.insert_endpoint(&endpoint)),
            Ok(EndpointInserted::Done)
        );
        let callbacks = process.callbacks(Arc::new(Places));
        let mut story = Self {
            world,
            tenant,
            process,
            callbacks,
            endpoint,
            run: None,
            seen: 0,
        };
        story.load();
        story
    }

    /// Another process takes over: what this one knew is lost.
    fn load(&mut self) {
        let (callbacks, endpoint) = (self.callbacks.clone(), Arc::new(self.endpoint.clone()));
        let run = self.world.step(async move { callbacks.run(endpoint).await });
        self.run = Some(run.expect("loaded"));
    }

    fn events(&self, count: u64) {
        let now = self.world.clock.now();
        let event = |_| WebhookEvent {
            received_at: now,
            amends: None,
            ..samples::event(self.tenant.id)
        };
        let events: Vec<WebhookEvent> = (0..count).map(event).collect();
        at_once(self.world.store.record(&events)).expect("no outage");
    }

    /// Calls until nothing more is to be called now, and writes down what was done, or fails at the first failure.
    fn try_deliver(&mut self) -> Result<(), Failure> {
        let mut run = self.run.take().expect("it runs");
        let callbacks = self.callbacks.clone();
        let (run, result) = self.world.step(async move {
            run.wake();
            loop {
                let calls = match run.step().await {
                    Ok(CallbacksStep::Begin(calls)) if calls.is_empty() => return (run, Ok(())),
                    Ok(CallbacksStep::Begin(calls)) => calls,
                    Ok(CallbacksStep::Lost) => panic!("nobody else delivers"),
                    Err(failure) => return (run, Err(failure)),
                };
                for call in calls {
                    let ended = callbacks.make(call).await;
                    run.ended(ended);
                }
            }
        });
        self.run = Some(run);
        result
    }

    /// Calls until nothing more is to be called now. Writes down what was done if `saves`.
    fn deliver_and(&mut self, saves: bool) -> Option<CallbacksSaved> {
        let mut run = self.run.take().expect("it runs");
        let callbacks = self.callbacks.clone();
        let (run, saved) = self.world.step(async move {
            run.wake();
            let mut saved = None;
            loop {
                run.fill().await.expect("no outage");
                let mut calls = Vec::new();
                while let Some(call) = run.next_call() {
                    calls.push(call);
                }
                if calls.is_empty() {
                    return (run, saved);
                }
                for call in calls {
                    let ended = callbacks.make(call).await;
                    run.ended(ended);
                }
                if saves {
                    saved = Some(run.save().await.expect("no outage"));
                }
            }
        });
        self.run = Some(run);
        saved
    }

    fn deliver(&mut self) {
        self.deliver_and(true);
    }

    /// What was posted since this was last asked.
    fn posted(&mut self) -> Vec<String> {
        let all = self.world.receivers.posted();
        let bodies = all[self.seen..].iter();
        let bodies = bodies.map(|posted| String::from_utf8(posted.body.clone()).expect("text"));
        let bodies = bodies.collect();
        self.seen = all.len();
        bodies
    }

    fn refuse(&self, times: usize) {
        for _ in 0..times {
            self.world.receivers.answer_status(URL, 500);
        }
    }

    fn after(&self) -> u64 {
        let progress = at_once(self.world.store.progress(&[self.endpoint.kept_under])).pop();
        let progress = progress.expect("one answer").expect("no outage");
        progress.map_or(0, |progress| progress.after.number())
    }

    fn exceptions(&self, asked: ExceptionsAsked) -> Vec<CallbackException> {
        let store = &self.world.store;
        let listed = at_once(store.exceptions(&self.endpoint.kept_under, asked, Place::START, PageLimit::items(1_000)));
        listed.expect("no outage").items
    }

    fn open(&self) -> Vec<u64> {
        let open = self.exceptions(ExceptionsAsked::Open);
        open.iter().map(|exception| exception.placed.place.number()).collect()
    }

    fn status(&self) -> EndpointStatus {
        let (process, endpoint) = (self.process.clone(), self.endpoint.clone());
        let status = async move { process.endpoint_status(&endpoint).await };
        self.world.step(status).expect("no outage")
    }

    fn run_for(&self, duration: Duration) {
        self.world.run_for(duration);
    }

    fn stored(&self) -> Endpoint {
        let found = at_once(self.world.store.find_endpoint(&self.tenant.id, &self.endpoint.id));
        found.expect("no outage").expect("it is there")
    }

    /// A message from this person.
    fn hears(&self, person: &str) {
        let wamid = format!("wamid.{}", self.world.ids.message_id());
        let mut message = samples::inbound(self.tenant.id, &wamid);
        message.accepted.phone_number_id = self.tenant.phone_numbers[0].phone_number_id.clone();
        message.accepted.peer_id = Some(samples::person(person));
        for answer in at_once(self.world.store.receive(vec![message.into()])) {
            answer.expect("no outage");
        }
    }
}

fn firsts(places: std::ops::RangeInclusive<u64>) -> Vec<String> {
    places.map(|place| format!("{place} #1")).collect()
}

#[test]
fn each_entry_is_delivered_once_and_whoever_goes_on_begins_behind_it() {
    let mut story = Story::new(|_| ());
    story.events(3);
    story.deliver();
    assert_eq!((story.posted(), story.after()), (firsts(1..=3), 3));
    story.load();
    story.deliver();
    assert_eq!(story.posted(), [] as [&str; 0]);
    story.events(300);
    story.load();
    for _ in 0..4 {
        story.deliver();
        story.run_for(Duration::from_millis(100));
    }
    assert_eq!((story.posted(), story.after()), (firsts(4..=303), 303));
}

#[test]
fn what_was_delivered_and_not_written_down_is_delivered_again_and_nothing_is_left_out() {
    let mut story = Story::new(|_| ());
    story.events(4);
    story.deliver();
    story.events(3);
    story.refuse(1);
    story.deliver_and(false);
    assert_eq!(story.posted(), firsts(1..=7));
    story.load();
    story.deliver();
    assert_eq!(
        (story.posted(), story.after(), story.open()),
        (firsts(5..=7), 7, vec![])
    );
    let ids = |from: usize| -> Vec<String> {
        let posted = &story.world.receivers.posted()[from..from + 3];
        let id = |posted: &dakghar_testkit::memory::Posted| {
            let found = posted.headers.iter().find(|(name, _)| name == "webhook-id");
            found.expect("an id").1.clone()
        };
        posted.iter().map(id).collect()
    };
    assert_eq!(ids(4), ids(7), "under the same ids");
}

#[test]
fn an_entry_that_fails_holds_up_no_other_and_is_tried_for_three_days() {
    let mut story = Story::new(|_| ());
    story.refuse(1);
    story.events(3);
    story.deliver();
    assert_eq!(
        (story.posted(), story.after(), story.open()),
        (firsts(1..=3), 3, vec![1])
    );
    story.load();
    let mut attempts = 1;
    while !story.open().is_empty() {
        story.refuse(1);
        story.run_for(Duration::from_mins(30));
        story.deliver();
        attempts += story.posted().len();
        assert!(attempts < 20);
    }
    assert_eq!(attempts, 12);
    let dead = story.exceptions(ExceptionsAsked::Dead);
    assert_eq!(
        (dead.len(), dead[0].attempts, dead[0].state),
        (1, 12, ExceptionState::Dead)
    );
    assert_eq!(dead[0].last.as_ref().and_then(|last| last.end.status()), Some(500));
    story.run_for(Duration::from_hours(100));
    story.deliver();
    assert_eq!(story.posted(), [] as [&str; 0]);
}

#[test]
fn a_second_attempt_that_is_taken_ends_the_exception() {
    let mut story = Story::new(|_| ());
    story.refuse(1);
    story.events(1);
    story.deliver();
    story.run_for(Duration::from_secs(7));
    story.deliver();
    assert_eq!(
        (story.posted(), story.open()),
        (vec!["1 #1".to_owned(), "1 #2".to_owned()], vec![])
    );
    story.load();
    story.run_for(Duration::from_hours(100));
    story.deliver();
    assert_eq!(story.posted(), [] as [&str; 0]);
}

#[test]
fn an_endpoint_begins_at_its_start_whatever_is_left_of_one_before() {
    let mut story = Story::new(|_| ());
    story.events(1);
    story.refuse(1);
    story.deliver();
    assert_eq!(story.open(), [1]);
    story.events(4);
    story.endpoint.start = Place::new(4);
    story.load();
    story.posted();
    story.run_for(Duration::from_hours(1));
    story.deliver();
    assert_eq!((story.posted(), story.after()), (firsts(5..=5), 5));
    assert_eq!(story.open(), [] as [u64; 0], "nobody waits for it any more");
}

#[test]
fn old_attempts_are_forgotten_and_young_ones_are_not() {
    let mut story = Story::new(|_| ());
    story.events(1);
    story.deliver();
    let attempts = |story: &Story| {
        let listed = at_once(
            story
                .world
                .store
                .attempts(&story.endpoint.id, None, PageLimit::items(10)),
        );
        listed.expect("no outage").items.len()
    };
    let forget = |story: &Story| {
        let callbacks = story.callbacks.clone();
        let forgotten = story.world.step(async move { callbacks.forget_old().await });
        assert_eq!(forgotten, Ok(false));
    };
    forget(&story);
    assert_eq!(attempts(&story), 1);
    // Time counts only as far as somebody has watched it pass.
    for _ in 0..80 {
        story.run_for(Duration::from_hours(24));
        forget(&story);
    }
    assert_eq!(attempts(&story), 0);
}

#[test]
fn of_two_processes_the_slower_one_is_told_and_stops() {
    let mut story = Story::new(|_| ());
    let slow = story.run.take().expect("it runs");
    story.load();
    story.events(2);
    assert_eq!(story.deliver_and(true), Some(CallbacksSaved::Done));
    let fast = story.run.replace(slow).expect("it runs");
    assert_eq!(story.deliver_and(true), Some(CallbacksSaved::Lost));
    story.run = Some(fast);
    story.events(1);
    story.posted();
    assert_eq!(story.deliver_and(true), Some(CallbacksSaved::Done));
    assert_eq!((story.posted(), story.after()), (firsts(3..=3), 3));
}

#[test]
fn a_receiver_that_takes_nothing_is_left_alone_and_loses_nothing() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    story.refuse(10);
    story.events(100);
    story.deliver();
    assert_eq!((story.posted().len(), story.after()), (10, 10));
    story.run_for(Duration::from_secs(29));
    story.deliver();
    assert_eq!(story.posted(), [] as [&str; 0]);
    story.refuse(1);
    story.run_for(Duration::from_secs(2));
    story.deliver();
    assert_eq!(story.posted().len(), 1, "one probe");
    // A restart does not begin anew.
    story.load();
    story.run_for(Duration::from_secs(50));
    story.deliver();
    assert_eq!(story.posted(), [] as [&str; 0]);
    story.run_for(Duration::from_secs(11));
    story.deliver();
    story.run_for(Duration::from_hours(1));
    story.deliver();
    let mut places: Vec<u64> = story
        .posted()
        .iter()
        .map(|body| {
            body.split(' ')
                .next()
                .and_then(|place| place.parse().ok())
                .expect("a place")
        })
        .collect();
    places.sort_unstable();
    assert_eq!(places, (1..=100).collect::<Vec<_>>(), "all of them once they are taken");
    assert_eq!((story.after(), story.open()), (100, vec![]));
}

#[test]
fn a_receiver_that_is_gone_or_fails_for_five_days_is_disabled() {
    let mut story = Story::new(|_| ());
    story.world.receivers.answer_status(URL, 410);
    story.events(1);
    story.deliver();
    let state = story.stored().state;
    assert_eq!(state.disabled().map(|(reason, _)| reason), Some(DisabledReason::Gone));
    assert_eq!(story.open(), [1], "it is delivered when the endpoint is resumed");

    let mut story = Story::new(|_| ());
    story.world.receivers.answer_status(URL, 410);
    story.events(1);
    let mut moved = story.stored();
    moved.url = "https://example.com/moved".to_owned();
    assert_eq!(at_once(story.world.store.save_endpoint(&moved)), Ok(Saved::Done));
    story.deliver();
    assert_eq!(
        story.stored().state,
        EndpointState::Active,
        "its new address did not say so"
    );

    let mut story = Story::new(|_| ());
    story.events(100);
    for _ in 0..6 {
        assert_eq!(story.stored().state, EndpointState::Active);
        story.refuse(40);
        story.deliver();
        story.run_for(Duration::from_hours(24));
    }
    let state = story.stored().state;
    assert_eq!(
        state.disabled().map(|(reason, _)| reason),
        Some(DisabledReason::Failing)
    );
}

#[test]
fn a_receiver_that_asks_for_time_gets_it_up_to_an_hour() {
    let mut story = Story::new(|endpoint| endpoint.concurrency = 1);
    story.world.receivers.answer(
        URL,
        CallbackOutcome::Answered {
            status: 429,
            retry_after: Some(Duration::from_hours(10)),
            failure_body: None,
        },
    );
    story.events(2);
    story.deliver();
    assert_eq!(story.posted(), firsts(1..=1));
    story.run_for(Duration::from_mins(59));
    story.deliver();
    assert_eq!(story.posted(), [] as [&str; 0]);
    story.load();
    story.run_for(Duration::from_mins(2));
    story.deliver();
    let mut posted = story.posted();
    posted.sort_unstable();
    assert_eq!(posted, ["1 #2", "2 #1"]);
}

#[test]
fn entries_go_together_where_that_is_wanted() {
    let mut story = Story::new(|endpoint| endpoint.batch_max = 3);
    story.events(7);
    story.deliver();
    assert_eq!(story.posted(), ["1,2,3 #1", "4,5,6 #1", "7 #1"]);
    story.refuse(1);
    story.events(3);
    story.deliver();
    story.run_for(Duration::from_secs(7));
    story.deliver();
    assert_eq!(
        story.posted(),
        ["8,9,10 #1", "8 #2", "9 #2", "10 #2"],
        "alone: one may spoil the others"
    );
}

#[test]
fn only_what_is_wanted_is_delivered_and_the_rest_is_passed_over() {
    let mut story = Story::new(|endpoint| {
        endpoint.filter = EntryFilter {
            kinds: vec![KindPattern::parse("message.*").expect("a pattern")],
            ..EntryFilter::default()
        };
    });
    story.events(150);
    story.deliver();
    story.deliver();
    story.run_for(Duration::from_secs(1));
    let mut run = story.run.take().expect("it runs");
    let run = story.world.step(async move {
        assert!(run.must_save());
        run.save().await.expect("no outage");
        run
    });
    story.run = Some(run);
    assert_eq!((story.posted(), story.after()), (vec![], 150));
}

#[test]
fn calls_without_an_answer_count_as_failures() {
    for failure in CallbackFailure::ALL {
        let mut story = Story::new(|_| ());
        story.world.receivers.answer(URL, CallbackOutcome::Failed(failure));
        story.events(1);
        story.deliver();
        let open = story.exceptions(ExceptionsAsked::Open);
        let end = open[0].last.as_ref().expect("an attempt").end;
        assert_eq!(end.failure(), Some(failure));
    }
}

#[test]
fn a_conversation_is_kept_in_order_and_holds_up_no_other() {
    let mut story = Story::new(|endpoint| endpoint.order = DeliveryOrder::Conversation);
    for person in ["15550001", "15550002", "15550001", "15550002", "15550001"] {
        story.hears(person);
    }
    story.refuse(1);
    story.deliver();
    assert_eq!(story.posted(), ["1 #1", "2 #1", "4 #1"]);
    assert_eq!((story.after(), story.open()), (5, vec![1, 3, 5]));
    // Another process knows it too, and what comes later stands behind the others.
    story.load();
    story.hears("15550001");
    story.hears("15550002");
    story.deliver();
    assert_eq!(story.posted(), ["7 #1"]);
    story.refuse(1);
    story.run_for(Duration::from_secs(7));
    story.deliver();
    assert_eq!(story.posted(), ["1 #2"]);
    story.run_for(Duration::from_mins(7));
    story.deliver();
    assert_eq!(story.posted(), ["1 #3", "3 #1", "5 #1", "6 #1"]);
    assert_eq!(story.open(), [] as [u64; 0]);
}

#[test]
fn what_is_dead_does_not_hold_up_its_conversation_for_ever() {
    let mut story = Story::new(|endpoint| endpoint.order = DeliveryOrder::Conversation);
    story.hears("15550001");
    story.hears("15550001");
    for _ in 0..12 {
        story.refuse(1);
        story.deliver();
        story.run_for(Duration::from_hours(13));
    }
    story.deliver();
    let last = story.posted().pop();
    assert_eq!((last.as_deref(), story.open()), (Some("2 #1"), vec![]));
    assert_eq!(story.exceptions(ExceptionsAsked::Dead).len(), 1);
}
