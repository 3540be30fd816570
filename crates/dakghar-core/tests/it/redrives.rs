//! Redrives by filter: what they send again, crashes between their writes, takeover, pause, and chance.

mod failing;

use std::time::Duration;

use dakghar_core::domain::message::{TimelineEvent, UnknownOutcome};
use dakghar_core::domain::redrive::{
    NewRedrive, OPEN_REDRIVES_MAX, REDRIVE_LEASE, Redrive, RedriveFilter, RedriveStatus, Settled,
};
use dakghar_core::domain::{Actor, ErrorCode, MessageKey, PhoneNumberId, Status, Tenant};

use crate::steps::{MINUTE, SECOND, code, in_each_kind, in_world};
use crate::world::meta::Answer;
use crate::world::process::Process;
use crate::world::wire::{Call, Fate, Rates, Weather};
use crate::world::{Kind, World};

/// Dead letters of a story: two batches of three, and one of one.
const LETTERS: usize = 7;
/// Runs by chance.
const RUNS: u64 = 150;
/// Batches of three.
const PER_SECOND: u32 = 12;

fn asked() -> NewRedrive {
    NewRedrive {
        filter: RedriveFilter::default(),
        confirm_duplicate_risk: false,
        ignore_expiry: true,
        per_second: PER_SECOND,
        by: Actor::Operator,
        automatic: None,
    }
}

fn redriven(count: usize) -> Settled {
    Settled {
        redriven: count as u64,
        ..Settled::default()
    }
}

impl World {
    /// A process that does nothing by itself, a tenant, and its messages, which have expired.
    fn expired(&self, count: usize) -> (Process, Tenant, Vec<MessageKey>) {
        let process = self.idle_process();
        let tenant = self.tenant(&process, UnknownOutcome::Fail);
        let letters: Vec<_> = (0..count)
            .map(|_| self.accept_until(&process, &tenant.id, SECOND * 30))
            .collect();
        self.reconcile_after(&process, SECOND * 31);
        for letter in &letters {
            assert_eq!(self.look(*letter).status(), Status::Expired);
        }
        (process, tenant, letters)
    }

    fn begin(&self, process: &Process, tenant: &Tenant, asked: NewRedrive) -> Redrive {
        let (process, id) = (process.clone(), tenant.id);
        let begun = self.step(async move { process.begin_redrive(&id, &asked).await });
        begun.expect("begun")
    }

    /// One round of work, when the last batch is long enough ago.
    fn work(&self, process: &Process) {
        self.run_for(SECOND);
        let process = process.clone();
        self.step(async move { process.work_on_redrives().await })
            .expect("a round");
    }

    fn turn(&self, process: &Process, redrive: &Redrive, status: RedriveStatus) -> Redrive {
        let (process, redrive) = (process.clone(), redrive.clone());
        let turned = self.step(async move { process.turn_redrive(&redrive, status).await });
        turned.expect("turned")
    }

    /// The redrive as it is stored.
    fn stored(&self, process: &Process, redrive: &Redrive) -> Redrive {
        let (process, redrive) = (process.clone(), redrive.clone());
        let found = self.step(async move { process.find_redrive(&redrive).await });
        found.expect("found")
    }

    fn work_until_done(&self, process: &Process, redrive: &Redrive) -> Redrive {
        for _ in 0..LETTERS * 3 {
            let stored = self.stored(process, redrive);
            if stored.status == RedriveStatus::Done {
                return stored;
            }
            self.work(process);
        }
        panic!("{:?}", self.stored(process, redrive));
    }

    /// How often each was sent again.
    fn times_redriven(&self, letters: &[MessageKey]) -> Vec<usize> {
        let times = |letter: &MessageKey| {
            let seen = self.look(*letter);
            let timeline = seen.0.delivery.timeline;
            timeline
                .iter()
                .filter(|entry| entry.event == TimelineEvent::Redriven)
                .count()
        };
        letters.iter().map(times).collect()
    }
}

#[test]
fn every_dead_letter_is_sent_again_once_and_its_timeline_names_the_redrive() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(LETTERS);
        let redrive = world.begin(&process, &tenant, asked());
        assert_eq!((redrive.total, redrive.total_is_exact), (LETTERS as u64, true));
        let done = world.work_until_done(&process, &redrive);
        assert_eq!(
            (done.settled, done.pending.len(), done.lease),
            (redriven(LETTERS), 0, None)
        );
        assert_eq!(world.times_redriven(&letters), [1; LETTERS]);
        let name = redrive.id.to_string();
        for letter in &letters {
            let timeline = world.look(*letter).0.delivery.timeline;
            assert!(timeline.iter().any(|entry| entry.detail.as_deref() == Some(&*name)));
        }
        let _sender = world.process();
        world.run_for(MINUTE);
        assert_eq!(world.requests(), LETTERS);
    });
}

#[test]
fn a_batch_of_large_messages_is_read_in_portions_and_none_is_left_out() {
    const COUNT: usize = 20;
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let until = format!(r#","expiresAt":"{}""#, world.now() + SECOND * 30);
        let letters: Vec<_> = (0..COUNT)
            .map(|_| world.accept_large(&process, &tenant.id, &until))
            .collect();
        world.run_for(SECOND * 31);
        while world.reconcile(&process) > 0 {}
        let asked = NewRedrive {
            per_second: 80,
            ..asked()
        };
        let redrive = world.begin(&process, &tenant, asked);
        world.work(&process);
        assert_eq!(world.stored(&process, &redrive).pending.len(), COUNT, "one batch");
        assert_eq!(world.work_until_done(&process, &redrive).settled, redriven(COUNT));
        assert_eq!(world.times_redriven(&letters), [1; COUNT]);
    });
}

#[test]
fn a_filter_leaves_the_others_alone() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(3);
        let filter = RedriveFilter {
            phone_number_id: PhoneNumberId::parse("999").ok(),
            ..RedriveFilter::default()
        };
        let redrive = world.begin(&process, &tenant, NewRedrive { filter, ..asked() });
        assert_eq!(redrive.total, 0);
        assert_eq!(world.work_until_done(&process, &redrive).settled, Settled::default());
        assert_eq!(world.times_redriven(&letters), [0; 3]);
    });
}

#[test]
fn what_may_have_arrived_is_skipped_unless_that_is_confirmed() {
    in_each_kind(|world: &World| {
        let (process, tenant, letter) = world.queued(UnknownOutcome::Fail);
        world.send_and(&process, Answer::Silent);
        world.run_for(MINUTE * 30);
        world.reconcile(&process);
        assert_eq!(world.look(letter).status(), Status::Dead);
        let redrive = world.begin(&process, &tenant, asked());
        let done = world.work_until_done(&process, &redrive);
        assert_eq!((done.settled.skipped, done.settled.redriven, done.total), (1, 0, 1));
        world.promises.risk_accepted(letter);
        let confirmed = NewRedrive {
            confirm_duplicate_risk: true,
            ..asked()
        };
        let redrive = world.begin(&process, &tenant, confirmed);
        assert_eq!(world.work_until_done(&process, &redrive).settled, redriven(1));
        assert_eq!(world.look(letter).status(), Status::Queued);
    });
}

/// A process dies at a call of the round in which it does the first batch and finds the second.
fn dies_in_the_first_batch(call: Call, fate: Fate) {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(LETTERS);
        let redrive = world.begin(&process, &tenant, asked());
        world.work(&process);
        assert_eq!(world.stored(&process, &redrive).pending.len(), 3);
        world.run_for(SECOND);
        world.wire.script(call, fate);
        world.dies_of(&process, |process| async move { process.work_on_redrives().await });
        let next = world.idle_process();
        if world.kind() == Kind::Distributed {
            world.run_for(REDRIVE_LEASE);
        }
        let done = world.work_until_done(&next, &redrive);
        assert_eq!(done.settled, redriven(LETTERS), "{call:?} {fate:?}");
        assert_eq!(world.times_redriven(&letters), [1; LETTERS], "{call:?} {fate:?}");
    });
}

#[test]
fn crash_before_and_after_a_message_of_the_batch_is_stored() {
    for fate in [Fate::CrashesBefore, Fate::CrashesAfter] {
        dies_in_the_first_batch(Call::Save, fate);
    }
}

#[test]
fn crash_between_the_batch_and_the_record_that_counts_it() {
    for fate in [Fate::CrashesBefore, Fate::CrashesAfter] {
        dies_in_the_first_batch(Call::Redrive, fate);
    }
}

#[test]
fn a_record_whose_answer_is_lost_counts_the_batch_once() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(LETTERS);
        let redrive = world.begin(&process, &tenant, asked());
        world.work(&process);
        world.run_for(SECOND);
        world.wire.script(Call::Redrive, Fate::FailsAfter);
        let working = process.clone();
        let failed = world.step(async move { working.work_on_redrives().await });
        assert!(failed.is_err());
        assert_eq!(world.work_until_done(&process, &redrive).settled, redriven(LETTERS));
        assert_eq!(world.times_redriven(&letters), [1; LETTERS]);
    });
}

#[test]
fn of_a_batch_that_fails_in_part_the_rest_is_done_later() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(LETTERS);
        let redrive = world.begin(&process, &tenant, asked());
        world.work(&process);
        world.run_for(SECOND);
        world.wire.script(Call::Save, Fate::FailsPartly);
        let working = process.clone();
        // It may be that chance lets all of them through.
        let _ = world.step(async move { working.work_on_redrives().await });
        assert_eq!(world.work_until_done(&process, &redrive).settled, redriven(LETTERS));
        assert_eq!(world.times_redriven(&letters), [1; LETTERS]);
    });
}

#[test]
fn another_process_leaves_a_redrive_alone_until_its_lease_ends() {
    in_world(Kind::Distributed, |world: &World| {
        let (first, tenant, letters) = world.expired(LETTERS);
        let redrive = world.begin(&first, &tenant, asked());
        world.work(&first);
        let held = world.stored(&first, &redrive);
        let second = world.idle_process();
        world.work(&second);
        assert_eq!(world.stored(&second, &redrive), held);
        first.dies();
        world.run_for(REDRIVE_LEASE);
        assert_eq!(world.work_until_done(&second, &redrive).settled, redriven(LETTERS));
        assert_eq!(world.times_redriven(&letters), [1; LETTERS]);
    });
}

#[test]
fn a_process_that_stood_still_in_a_batch_doubles_nothing() {
    for call in [Call::Load, Call::Save, Call::Redrive] {
        in_world(Kind::Distributed, |world: &World| {
            let (first, tenant, letters) = world.expired(LETTERS);
            let redrive = world.begin(&first, &tenant, asked());
            world.work(&first);
            world.run_for(SECOND);
            world.wire.script(call, Fate::FreezesAfter);
            first.works_on_redrives();
            world.run_for(REDRIVE_LEASE + SECOND);
            let second = world.idle_process();
            assert_eq!(world.work_until_done(&second, &redrive).settled, redriven(LETTERS));
            // The first goes on where it stood.
            world.run_for(MINUTE * 20);
            let after = world.stored(&second, &redrive);
            assert_eq!(
                (after.status, after.settled),
                (RedriveStatus::Done, redriven(LETTERS)),
                "{call:?}"
            );
            assert_eq!(world.times_redriven(&letters), [1; LETTERS], "{call:?}");
        });
    }
}

#[test]
fn a_pause_holds_and_a_resume_goes_on() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(LETTERS);
        let redrive = world.begin(&process, &tenant, asked());
        world.work(&process);
        world.work(&process);
        world.turn(&process, &redrive, RedriveStatus::Paused);
        for _ in 0..5 {
            world.work(&process);
        }
        let paused = world.stored(&process, &redrive);
        assert_eq!((paused.status, paused.settled), (RedriveStatus::Paused, redriven(3)));
        assert_eq!(world.times_redriven(&letters).iter().sum::<usize>(), 3);
        world.turn(&process, &redrive, RedriveStatus::Running);
        assert_eq!(world.work_until_done(&process, &redrive).settled, redriven(LETTERS));
        assert_eq!(world.times_redriven(&letters), [1; LETTERS]);
    });
}

/// Somebody turns the redrive while its batch is being stored.
fn turned_in_a_batch(world: &World, process: &Process, redrive: &Redrive, status: RedriveStatus) -> Redrive {
    // The save hangs, and the turn comes between it and the record.
    let weather = Weather {
        store: Rates {
            takes_time: 1_000,
            ..Rates::default()
        },
        ..Weather::default()
    };
    world.wire.weather(weather);
    let (working, other) = (process.clone(), process.clone());
    let (turned, of) = (other, redrive.clone());
    let turn = async move { turned.turn_redrive(&of, status).await };
    let mut answered = world.wire.executor.ask(process.life(), turn);
    let _ = world.step(async move { working.work_on_redrives().await });
    world.run_for(SECOND * 10);
    let answered = answered.try_recv().expect("it lives").expect("an answer");
    assert_eq!(answered.expect("turned").status, status);
    world.wire.weather(Weather::default());
    world.stored(process, redrive)
}

#[test]
fn what_was_sent_again_while_it_was_paused_or_cancelled_is_counted() {
    for status in [RedriveStatus::Paused, RedriveStatus::Cancelled] {
        in_each_kind(|world: &World| {
            let (process, tenant, letters) = world.expired(LETTERS);
            let redrive = world.begin(&process, &tenant, asked());
            world.work(&process);
            world.run_for(SECOND);
            let mut stored = turned_in_a_batch(world, &process, &redrive, status);
            if status == RedriveStatus::Paused && !stored.pending.is_empty() {
                world.turn(&process, &redrive, RedriveStatus::Running);
                stored = world.work_until_done(&process, &redrive);
            }
            for _ in 0..3 {
                world.work(&process);
                stored = world.stored(&process, &redrive);
            }
            let times: usize = world.times_redriven(&letters).iter().sum();
            assert_eq!(stored.settled.redriven, times as u64);
            assert_eq!(stored.settled.skipped + stored.settled.failed, 0);
            assert!(!stored.needs_work());
        });
    }
}

#[test]
fn of_a_cancelled_redrive_a_process_that_died_is_still_counted_and_nothing_more_is_sent() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(LETTERS);
        let redrive = world.begin(&process, &tenant, asked());
        world.work(&process);
        world.run_for(SECOND);
        world.wire.script(Call::Redrive, Fate::CrashesBefore);
        world.dies_of(&process, |process| async move { process.work_on_redrives().await });
        let next = world.idle_process();
        world.turn(&next, &redrive, RedriveStatus::Cancelled);
        world.run_for(REDRIVE_LEASE);
        world.work(&next);
        let stored = world.stored(&next, &redrive);
        assert_eq!((stored.settled, stored.pending.len()), (redriven(3), 0));
        world.work(&next);
        assert_eq!(world.times_redriven(&letters).iter().sum::<usize>(), 3);
    });
}

#[test]
fn a_batch_of_which_nothing_was_sent_when_its_redrive_was_turned_stays_so() {
    for status in [RedriveStatus::Paused, RedriveStatus::Cancelled] {
        in_each_kind(|world: &World| {
            let (process, tenant, letters) = world.expired(LETTERS);
            let redrive = world.begin(&process, &tenant, asked());
            world.work(&process);
            assert_eq!(world.turn(&process, &redrive, status).pending.len(), 3);
            for _ in 0..3 {
                world.work(&process);
            }
            assert_eq!(world.times_redriven(&letters), [0; LETTERS]);
            let stored = world.stored(&process, &redrive);
            assert_eq!((stored.status, stored.settled), (status, Settled::default()));
            assert!(!stored.needs_work());
        });
    }
}

#[test]
fn a_message_that_died_again_is_not_sent_again_by_the_same_redrive() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(LETTERS);
        let redrive = world.begin(&process, &tenant, asked());
        for _ in 0..100 {
            world.meta.script(Answer::Refuses(crate::steps::REFUSED));
        }
        let sender = world.process();
        sender.works_on_redrives();
        world.run_for(MINUTE * 5);
        let done = world.stored(&process, &redrive);
        assert_eq!((done.status, done.settled), (RedriveStatus::Done, redriven(LETTERS)));
        for letter in &letters {
            assert_eq!(world.look(*letter).status(), Status::Failed);
        }
        assert_eq!(world.times_redriven(&letters), [1; LETTERS]);
        assert_eq!(world.requests(), LETTERS);
    });
}

#[test]
fn what_has_expired_is_skipped_unless_that_is_to_be_ignored() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(LETTERS);
        let plainly = NewRedrive {
            ignore_expiry: false,
            ..asked()
        };
        let redrive = world.begin(&process, &tenant, plainly);
        let done = world.work_until_done(&process, &redrive);
        let skipped = Settled {
            skipped: LETTERS as u64,
            ..Settled::default()
        };
        assert_eq!((done.total, done.settled), (LETTERS as u64, skipped));
        assert_eq!(world.times_redriven(&letters), [0; LETTERS]);
    });
}

#[test]
fn what_another_redrive_took_before_it_came_to_it_is_skipped() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(LETTERS);
        let late = world.begin(&process, &tenant, asked());
        world.turn(&process, &late, RedriveStatus::Paused);
        let first = world.begin(&process, &tenant, asked());
        let done = world.work_until_done(&process, &first);
        assert_eq!(done.settled, redriven(LETTERS));
        world.turn(&process, &late, RedriveStatus::Running);
        let done = world.work_until_done(&process, &late);
        let skipped = Settled {
            skipped: LETTERS as u64,
            ..Settled::default()
        };
        assert_eq!(done.settled, skipped);
        assert_eq!(world.times_redriven(&letters), [1; LETTERS]);
    });
}

#[test]
fn an_owner_may_have_so_many_open_redrives() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.expired(1);
        let redrives: Vec<_> = (0..OPEN_REDRIVES_MAX)
            .map(|_| world.begin(&process, &tenant, asked()))
            .collect();
        let (asking, id) = (process.clone(), tenant.id);
        let refused = world.step(async move { asking.begin_redrive(&id, &asked()).await });
        assert_eq!(code(&refused), Some(ErrorCode::TooManyRedrives));
        world.turn(&process, &redrives[0], RedriveStatus::Cancelled);
        world.begin(&process, &tenant, asked());
    });
}

#[test]
fn redrives_keep_their_pace() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(40);
        world.begin(&process, &tenant, asked());
        process.works_on_redrives();
        world.run_for(SECOND * 2);
        let after: usize = world.times_redriven(&letters).iter().sum();
        // Twelve a second in batches of three, of which the first comes at once.
        assert!((21..=27).contains(&after), "{after}");
        world.run_for(SECOND * 2);
        assert_eq!(world.times_redriven(&letters), [1; 40]);
    });
}

/// Processes work on one redrive and fail, hang, freeze and die by chance. In the end every message was sent again once,
/// and the record says so.
#[test]
fn by_chance() {
    for seed in 0..RUNS {
        let world = World::of_seed(Kind::Distributed, seed, false);
        let (process, tenant, letters) = world.expired(LETTERS);
        let redrive = world.begin(&process, &tenant, asked());
        process.dies();
        let store = Rates {
            fails_before: 40,
            fails_after: 40,
            fails_partly: 40,
            hangs: 10,
            crashes: 60,
            freezes: 10,
            slow: 10,
            takes_time: 500,
        };
        world.wire.weather(Weather {
            store,
            until: 100,
            ..Weather::default()
        });
        let mut processes: Vec<Process> = Vec::new();
        for round in 0.. {
            processes.retain(Process::is_alive);
            while processes.len() < 2 {
                let process = world.idle_process();
                process.works_on_redrives();
                processes.push(process);
            }
            world.run_for(SECOND * 5);
            let at_rest = world.wire.faults() >= 100 || round >= 60;
            if at_rest {
                break;
            }
        }
        world.wire.weather(Weather::default());
        for process in &processes {
            process.dies();
        }
        // What died or hung may still arrive.
        world.run_for(Duration::from_secs(300));
        let last = world.idle_process();
        let done = world.work_until_done(&last, &redrive);
        assert_eq!(done.settled, redriven(LETTERS), "seed {seed}");
        assert_eq!(world.times_redriven(&letters), [1; LETTERS], "seed {seed}");
    }
}
