//! Tenants are told when an endpoint is disabled, and when entries went out of the feed before it got them.

use std::time::Duration;

use dakghar_core::app::is_posted_by_meta;
use dakghar_core::domain::callback::CallbackProgress;
use dakghar_core::domain::endpoint::EndpointTold;
use dakghar_core::domain::feed::PlacedEntry;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{FeedEntry, Place, Subject, WebhookEvent};
use dakghar_core::ports::{Aged, AgedPortion, Erasure as _, EventStore, FeedStore as _, Saved};
use serde_json::{Value, json};

use super::*;
use crate::world::wire::{Call, Fate};

impl Story {
    fn feed(&self) -> Vec<PlacedEntry> {
        let entries = self
            .world
            .store
            .entries(&self.tenant.id, Place::START, PageLimit::items(1_000));
        at_once(entries).expect("no outage").items
    }

    /// The entries that tell of endpoints: their places, their kinds, and what they say.
    fn told(&self) -> Vec<(u64, String, Value)> {
        let events = EventStore::list(&*self.world.store, Some(&self.tenant.id), None, PageLimit::items(1_000));
        let events: Vec<WebhookEvent> = at_once(events).expect("no outage").items;
        let of = |placed: PlacedEntry| {
            let kind = placed.entry.kind.as_str().to_owned();
            let subject = placed.entry.subject;
            let event = events.iter().find(|event| subject == Subject::Event(event.id));
            let said = event.map(|event| serde_json::from_str(&event.raw).expect("JSON"));
            (placed.place.number(), kind, said.unwrap_or_default())
        };
        let told = self.feed().into_iter().map(of);
        told.filter(|(_, kind, _)| kind.starts_with("endpoint.")).collect()
    }

    fn look(&self) {
        let callbacks = self.callbacks.clone();
        self.world
            .step(async move { callbacks.endpoints().await })
            .expect("no outage");
    }

    /// Erases so many of the earliest entries by their age.
    pub(super) fn expire(&self, entries: u32) {
        let portion = AgedPortion {
            tenant_id: Some(self.tenant.id),
            kind: Aged::Feed,
            before: self.world.clock.now() + Duration::from_secs(1),
            from: None,
            limit: entries,
        };
        at_once(self.world.store.erase_aged(&portion)).expect("no outage");
    }

    fn progress(&self) -> CallbackProgress {
        let progress = at_once(self.world.store.progress(&[self.endpoint.id])).pop();
        progress.expect("one answer").expect("no outage").expect("it was saved")
    }

    fn disabled(&self) -> Value {
        let (reason, at) = self.stored().state.disabled().expect("it is disabled");
        json!({"endpointId": self.endpoint.id.to_string(), "reason": reason.as_str(), "disabledAt": at.to_string()})
    }

    fn expired(&self, count: u64, from: &str, to: &str) -> Value {
        json!({"endpointId": self.endpoint.id.to_string(), "count": count, "from": from, "to": to})
    }
}

#[test]
fn a_tenant_is_told_once_that_its_endpoint_is_disabled() {
    let mut story = Story::new(|_| ());
    story.events(1);
    story.world.receivers.answer_status(URL, 410);
    story.deliver();
    let told = vec![(2, "endpoint.disabled".to_owned(), story.disabled())];
    assert_eq!(story.told(), told);
    for _ in 0..3 {
        story.look();
    }
    assert_eq!(story.told(), told);
}

/// Whoever was to tell died between the two writes.
#[test]
fn a_disabled_endpoint_of_which_nobody_told_is_told_of_by_who_looks_next() {
    let mut story = Story::new(|_| ());
    story.events(1);
    story.world.receivers.answer_status(URL, 410);
    story.world.wire.script(Call::RecordEvents, Fate::FailsBefore);
    assert!(story.try_deliver().is_err());
    let told = vec![(2, "endpoint.disabled".to_owned(), story.disabled())];
    assert_eq!(story.told(), []);
    // One that cannot tell now tells later.
    story.world.wire.script(Call::RecordEvents, Fate::FailsBefore);
    story.look();
    assert_eq!(story.told(), []);
    story.look();
    assert_eq!(story.told(), told);
    // Others do not know that it was told.
    story.callbacks = story.process.callbacks(Arc::new(Places));
    story.look();
    assert_eq!(story.told(), told);
}

/// Its event may be forgotten by then, and would be one more.
#[test]
fn nobody_is_told_of_what_was_disabled_long_ago() {
    let story = Story::new(|endpoint| {
        endpoint.state = EndpointState::Disabled {
            reason: DisabledReason::Failing,
            at: Timestamp::from_millis(7),
        };
    });
    story.look();
    assert_eq!(story.told(), []);
}

#[test]
fn a_tenant_is_told_once_what_went_out_of_the_feed_before_an_endpoint_got_it() {
    let mut story = Story::new(|_| ());
    story.events(9);
    story.expire(5);
    // It is told before the place moves: a crash between the two tells the same again, which is nothing new.
    assert_eq!(story.deliver_and(false), None);
    let told = vec![(10, "endpoint.events_expired".to_owned(), story.expired(5, "1", "5"))];
    assert_eq!((story.told(), story.after()), (told.clone(), 0));
    story.load();
    story.deliver();
    assert_eq!((story.told(), story.after(), story.progress().expired), (told, 10, 5));
    assert!(
        story.posted().contains(&"10 #1".to_owned()),
        "it is an event as any other"
    );
    // Nothing is passed over of which nobody can be told.
    story.events(3);
    story.expire(6);
    story.load();
    story.world.wire.script(Call::RecordEvents, Fate::FailsBefore);
    assert!(story.try_deliver().is_err());
    assert_eq!(
        (story.told(), story.after()),
        (vec![], 10),
        "what told of the first went out as well"
    );
    story.deliver();
    assert_eq!(
        (story.told().last(), story.after()),
        (
            Some(&(14, "endpoint.events_expired".to_owned(), story.expired(1, "11", "11"))),
            14
        )
    );
}

/// Nobody delivers to it, so nobody would see it.
#[test]
fn a_tenant_is_told_what_went_out_of_the_feed_while_its_endpoint_was_paused() {
    let mut story = Story::new(|_| ());
    story.events(2);
    story.deliver();
    let mut paused = story.stored();
    paused.state = EndpointState::Paused;
    assert_eq!(at_once(story.world.store.save_endpoint(&paused)), Ok(Saved::Done));
    story.events(6);
    let tell = |story: &Story| {
        let callbacks = story.callbacks.clone();
        story.world.step(async move { callbacks.tell_expired().await })
    };
    tell(&story).expect("no outage");
    assert_eq!((story.told(), story.after()), (vec![], 2), "it is all there");

    story.expire(5);
    story.world.wire.script(Call::RecordEvents, Fate::FailsBefore);
    assert!(tell(&story).is_err());
    assert_eq!(
        (story.told(), story.after()),
        (vec![], 2),
        "nothing is passed over untold"
    );
    // Whoever dies before the place moves leaves the rest to the next.
    story.world.wire.script(Call::Advance, Fate::FailsBefore);
    assert!(tell(&story).is_err());
    let told = vec![(9, "endpoint.events_expired".to_owned(), story.expired(3, "3", "5"))];
    assert_eq!((story.told(), story.after()), (told.clone(), 2));
    for _ in 0..3 {
        tell(&story).expect("no outage");
        assert_eq!(
            (story.told(), story.after(), story.progress().expired),
            (told.clone(), 5, 3)
        );
    }
    // It gets the rest, and nobody tells of the same again.
    story.posted();
    story.load();
    story.deliver();
    assert_eq!((story.posted(), story.told()), (firsts(6..=9), told));
}

#[test]
fn meta_posts_nothing_of_what_is_told_of_endpoints() {
    let (endpoint, at) = (samples::endpoint(samples::tenant_id()), Timestamp::from_millis(7));
    let reason = DisabledReason::Gone;
    let (after, first) = (Place::new(3), Place::new(9));
    for told in [
        EndpointTold::Disabled { reason, at },
        EndpointTold::EventsExpired { after, first },
    ] {
        let event = told.event(&endpoint, samples::event(endpoint.tenant_id).id, at);
        let entry = FeedEntry::of_event(&event).expect("it has a tenant");
        assert!(entry.kind.is_of_dakghar() && !is_posted_by_meta(&entry), "{entry:?}");
    }
}
