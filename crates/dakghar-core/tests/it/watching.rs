//! Waiting for entries of a feed: whoever subscribes first and then reads misses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use dakghar_core::app::FeedSubscription;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{EntryFilter, KindPattern, Place, TenantId, WebhookEvent};
use dakghar_core::ports::{Clock as _, EventStore as _, StoreError};
use dakghar_testkit::samples;
use futures_util::FutureExt as _;

use crate::steps::in_each_kind;
use crate::world::ports::at_once;
use crate::world::process::Process;
use crate::world::{Kind, World};

/// Counts how often somebody was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// True if it does not wait.
fn is_behind(subscription: &mut FeedSubscription, place: u64) -> bool {
    subscription.behind(Place::new(place)).now_or_never().is_some()
}

fn event(world: &World, tenant: TenantId, field: &str) {
    let event = WebhookEvent {
        received_at: world.clock.now(),
        amends: None,
        field: field.into(),
        ..samples::event(tenant)
    };
    at_once(world.store.record(&[event])).expect("no outage");
}

/// Records an event, which has its place and is told of when this returns.
fn tell(world: &World, process: &Process, tenant: TenantId) {
    event(world, tenant, "security");
    let process = process.clone();
    world
        .step(async move {
            process.sequence().await;
            // Embedded, nobody gives places; the look stands for what the store tells.
            process.look_at_feeds().await
        })
        .expect("no outage");
}

fn look(world: &World, process: &Process) -> bool {
    let process = process.clone();
    world.step(async move { process.look_at_feeds().await }).is_ok()
}

#[test]
fn an_entry_between_the_read_and_the_wait_is_not_missed() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto).id;
        let mut subscription = process.subscribe(&tenant);
        // The reader reads here and finds nothing; then the entry comes, and only then it waits.
        tell(world, &process, tenant);
        assert!(is_behind(&mut subscription, 0));
        assert_eq!(subscription.last(), Place::new(1));
        assert!(!is_behind(&mut subscription, 1), "it has read that far");
        tell(world, &process, tenant);
        assert!(is_behind(&mut subscription, 1));
    });
}

#[test]
fn who_waits_is_woken_once_and_only_for_its_own_feed() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto).id;
        let other = samples::tenant().id;
        let mut subscription = process.subscribe(&tenant);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut waiting = Box::pin(subscription.behind(Place::START));
        let mut poll = || waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        assert!(!poll());
        tell(world, &process, other);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0, "nothing happened to its tenant");
        tell(world, &process, tenant);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(poll());
    });
}

#[test]
fn what_was_told_before_the_subscription_is_read_and_not_waited_for() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto).id;
        let _first = process.subscribe(&tenant);
        tell(world, &process, tenant);
        let mut late = process.subscribe(&tenant);
        assert_eq!(late.last(), Place::new(1), "another reader has heard of it");
        assert!(is_behind(&mut late, 0));
        assert!(!is_behind(&mut late, 1));
    });
}

#[test]
fn one_who_did_not_find_what_it_was_told_of_is_told_again() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto).id;
        let mut subscription = process.subscribe(&tenant);
        tell(world, &process, tenant);
        assert!(is_behind(&mut subscription, 0));
        // Its read fails, or does not show the entry yet.
        assert!(!is_behind(&mut subscription, 0), "no hot loop");
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut waiting = Box::pin(subscription.behind(Place::START));
        let mut poll = || waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        assert!(!poll());
        assert!(look(world, &process));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(poll());
    });
}

#[test]
fn news_that_were_lost_are_found_by_a_look_at_the_store() {
    let world = World::new(Kind::Distributed);
    // Another process gives the places, and what it tells does not arrive.
    let (teller, hearer) = (world.idle_process(), world.idle_process());
    let tenant = world.tenant(&teller, UnknownOutcome::Auto).id;
    let mut subscription = hearer.subscribe(&tenant);
    tell(&world, &teller, tenant);
    assert!(!is_behind(&mut subscription, 0));
    world.store.fail_with(Some(StoreError::Unavailable("away".into())));
    assert!(!look(&world, &hearer));
    world.store.fail_with(None);
    assert!(look(&world, &hearer));
    assert!(is_behind(&mut subscription, 0));
}

#[test]
fn a_page_of_what_is_wanted_moves_on_past_what_is_not() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto).id;
        for n in 0..450 {
            event(world, tenant, if n == 440 { "security" } else { "account_update" });
        }
        let sequencing = process.clone();
        world.step(async move { while sequencing.sequence().await > 0 {} });
        let filter = EntryFilter {
            kinds: vec![KindPattern::parse("meta.security").expect("a kind")],
            phone_number_ids: Vec::new(),
        };
        let read = |after: u64| {
            let (process, filter) = (process.clone(), filter.clone());
            let page = world.step(async move { process.feed_page(&tenant, Place::new(after), 5, &filter).await });
            page.expect("a page")
        };
        let page = read(0);
        assert_eq!(page.items.len(), 1);
        assert_eq!(page.items[0].place, Place::new(441));
        assert_eq!(page.next, Place::new(450), "everything was looked at");
        let rest = read(450);
        assert_eq!(
            (rest.items.len(), rest.next, rest.is_at_end),
            (0, Place::new(450), true)
        );
        // A page that is full goes on behind its last entry.
        let all = EntryFilter {
            kinds: vec![KindPattern::parse("meta.*").expect("a kind")],
            phone_number_ids: Vec::new(),
        };
        let (process, all) = (process.clone(), all);
        let page = world.step(async move { process.feed_page(&tenant, Place::START, 5, &all).await });
        let page = page.expect("a page");
        assert_eq!((page.items.len(), page.next, page.is_at_end), (5, Place::new(5), false));
    });
}
