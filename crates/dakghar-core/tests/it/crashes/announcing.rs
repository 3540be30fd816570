//! Crashes between the three writes of a save that tells something: its entry is announced, the message is saved, and the
//! announcement is settled.

use std::time::Duration;

use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{MessageKey, Place, Status, Subject};
use dakghar_core::ports::{ArrivalStore as _, FeedStore as _};

use super::sending::dies_at;
use crate::steps::{GRACE, LEASE, MINUTE, in_world};
use crate::world::ports::at_once;
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World};

/// The time until what was left announced is settled and has its place.
const SETTLED: Duration = Duration::from_secs(12);

/// What the feed tells of a message.
fn told(world: &World, message: MessageKey) -> Vec<Status> {
    let limit = dakghar_core::domain::page::PageLimit::items(100);
    let entries = at_once(world.store.entries(&message.tenant_id, Place::START, limit));
    let subjects = entries
        .expect("no outage")
        .items
        .into_iter()
        .map(|placed| placed.entry.subject);
    let of_message = subjects.filter_map(|subject| match subject {
        Subject::Change { message_id, status, .. } if message_id == message.message_id => Some(status),
        _ => None,
    });
    of_message.collect()
}

fn waits(world: &World) -> bool {
    at_once(world.store.waiting()).expect("no outage").oldest.is_some()
}

#[test]
fn crash_between_the_writes_of_a_save_leaves_an_entry_if_and_only_if_the_message_was_saved() {
    for (call, fate, is_saved) in [
        (Call::Announce, Fate::CrashesBefore, false),
        (Call::Announce, Fate::CrashesAfter, false),
        (Call::Save, Fate::CrashesBefore, false),
        (Call::Save, Fate::CrashesAfter, true),
        (Call::Settle, Fate::CrashesBefore, true),
        (Call::Settle, Fate::CrashesAfter, true),
    ] {
        in_world(Kind::Distributed, |world: &World| {
            let (_, _, message) = dies_at(world, UnknownOutcome::Fail, call, fate);
            let expected = if is_saved { Status::Sent } else { Status::Sending };
            assert_eq!(world.look(message).status(), expected, "{call:?} {fate:?}");
            world.run_for(SETTLED);
            assert!(!waits(world), "{call:?} {fate:?}: it is settled");
            let entries: &[Status] = if is_saved { &[Status::Sent] } else { &[] };
            assert_eq!(told(world, message), entries, "{call:?} {fate:?}");
            world.run_for(LEASE * 3 + GRACE * 2);
            world.promises.at_rest(world);
        });
    }
}

#[test]
fn a_writer_that_freezes_between_the_writes_of_a_save_changes_nothing_untold_when_it_wakes() {
    for (call, is_saved) in [(Call::Announce, false), (Call::Save, true), (Call::Settle, true)] {
        in_world(Kind::Distributed, |world: &World| {
            let (process, _, message) = world.queued(UnknownOutcome::Fail);
            let claimed = world.claim(&process);
            let mut ended = world.call(&process, claimed);
            world.process();
            world.wire.script(call, Fate::FreezesAfter);
            let recording = process.clone();
            let recorded = world.wire.executor.ask(process.life(), async move {
                recording.record(&mut ended).await.expect("recorded");
            });
            world.wire.executor.settle();
            world.wire.executor.freeze(process.life(), MINUTE * 10);
            world.run_for(SETTLED);
            assert!(!waits(world), "{call:?}: others need not wait for it");
            let entries: &[Status] = if is_saved { &[Status::Sent] } else { &[] };
            assert_eq!(told(world, message), entries, "{call:?}");
            // Before anybody takes the message over.
            world.wire.executor.thaw(process.life());
            world.run_for(MINUTE * 5);
            assert_eq!(
                world.look(message).status(),
                Status::Sent,
                "{call:?}: it goes on when it wakes"
            );
            world.promises.at_rest(world);
            drop(recorded);
        });
    }
}

#[test]
fn a_save_whose_announcement_fails_is_not_made() {
    for fate in [Fate::FailsBefore, Fate::FailsAfter] {
        in_world(Kind::Distributed, |world: &World| {
            let (process, _, message) = world.queued(UnknownOutcome::Fail);
            let claimed = world.claim(&process);
            let mut ended = world.call(&process, claimed);
            world.wire.script(Call::Announce, fate);
            let recording = process.clone();
            let mut ended = world.step(async move {
                assert!(recording.record(&mut ended).await.is_err(), "the store is away");
                ended
            });
            assert_eq!(world.look(message).status(), Status::Sending, "{fate:?}");
            let recording = process.clone();
            let recorded = world.step(async move { recording.record(&mut ended).await });
            assert!(recorded.is_ok(), "{fate:?}: {recorded:?}");
            assert_eq!(world.look(message).status(), Status::Sent, "{fate:?}");
            world.process();
            world.run_for(SETTLED);
            assert_eq!(told(world, message), [Status::Sent], "{fate:?}");
            world.promises.at_rest(world);
        });
    }
}
