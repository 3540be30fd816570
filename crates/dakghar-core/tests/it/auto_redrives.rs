//! Redrives that begin by themselves when a cause has ended: what they send again, and crashes between their writes.

use std::time::Duration;

use dakghar_core::domain::auto_redrive::{AutoRedrive, Cause};
use dakghar_core::domain::message::{DeadReason, TimelineEvent, UnknownOutcome};
use dakghar_core::domain::redrive::REDRIVE_LEASE;
use dakghar_core::domain::{Actor, MessageKey, Status, Tenant};

use crate::steps::{MINUTE, SECOND, in_each_kind, in_world};
use crate::world::meta::{ACCOUNT_RESTRICTED, Answer};
use crate::world::process::Process;
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World};

/// A failure of Meta's own.
const FAILS: Answer = Answer::Refuses(131_016);
const LETTERS: usize = 3;
/// Rounds of work after which whatever follows has followed.
const ROUNDS: usize = 60;

fn policy(causes: &[Cause], times: u32) -> AutoRedrive {
    AutoRedrive {
        causes: causes.to_vec(),
        per_minute: 600,
        hours: 24,
        times,
    }
}

impl World {
    /// A process with one attempt for each message, that does nothing by itself.
    fn strict_process(&self) -> Process {
        self.idle_process_with(|setup| setup.settings.attempts_max = 1)
    }

    fn wanting(&self, causes: &[Cause], times: u32) -> (Process, Tenant) {
        let process = self.strict_process();
        let tenant = self.tenant(&process, UnknownOutcome::Fail);
        self.want(&process, &tenant, policy(causes, times));
        (process, tenant)
    }

    fn want(&self, process: &Process, tenant: &Tenant, policy: AutoRedrive) {
        let (process, id) = (process.clone(), tenant.id);
        self.step(async move { process.set_auto_redrive(&id, policy).await })
            .expect("set");
    }

    fn stored_tenant(&self, process: &Process, tenant: &Tenant) -> Tenant {
        let (process, id) = (process.clone(), tenant.id);
        self.step(async move { process.stored_tenant(&id).await })
            .expect("found")
    }

    /// A message that uses up its attempts.
    fn exhausted(&self, process: &Process, tenant: &Tenant) -> MessageKey {
        let message = self.accept(process, &tenant.id, "lost");
        self.send_and(process, FAILS);
        assert_eq!(self.look(message).dead_reason(), Some(DeadReason::AttemptsExhausted));
        message
    }

    /// A message that goes out.
    fn goes_out(&self, process: &Process, tenant: &Tenant) {
        let message = self.accept(process, &tenant.id, "hello");
        self.send_and(process, Answer::Accepts);
        assert_eq!(self.look(message).status(), Status::Sent);
    }

    /// Works until no end of a cause is noted any more.
    fn follows(&self, process: &Process, tenant: &Tenant) {
        for _ in 0..ROUNDS {
            self.run_for(SECOND);
            let working = process.clone();
            let worked = self.step(async move { working.work_on_redrives().await });
            worked.expect("a round");
        }
        assert_eq!(self.stored_tenant(process, tenant).auto.ended, []);
    }

    /// The times that each was sent again.
    fn times(&self, letters: &[MessageKey]) -> Vec<usize> {
        let times = |letter: &MessageKey| {
            let timeline = self.look(*letter).0.delivery.timeline;
            let redriven = timeline.iter().filter(|entry| entry.event == TimelineEvent::Redriven);
            redriven.count()
        };
        letters.iter().map(times).collect()
    }
}

#[test]
fn when_meta_takes_a_message_again_those_that_used_up_their_attempts_are_sent_again_once() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.wanting(&[Cause::Meta], 3);
        let letters: Vec<_> = (0..LETTERS).map(|_| world.exhausted(&process, &tenant)).collect();
        assert!(
            world
                .stored_tenant(&process, &tenant)
                .auto
                .is_failing(&crate::steps::number(&tenant))
        );
        world.follows(&process, &tenant);
        assert_eq!(world.times(&letters), [0; LETTERS], "the cause has not ended");
        world.goes_out(&process, &tenant);
        let end = world.stored_tenant(&process, &tenant).auto.ended[0].clone();
        world.follows(&process, &tenant);
        assert_eq!(world.times(&letters), [1; LETTERS]);
        for letter in &letters {
            let timeline = world.look(*letter).0.delivery.timeline;
            let name = end.id.to_string();
            assert!(timeline.iter().any(|entry| entry.detail.as_deref() == Some(&*name)));
        }
        // They go out, which ends no cause any more.
        let _sender = world.process();
        world.run_for(MINUTE);
        world.follows(&process, &tenant);
        assert_eq!(world.times(&letters), [1; LETTERS]);
        assert_eq!(world.requests(), LETTERS * 2 + 1);
    });
}

#[test]
fn nothing_is_sent_again_by_itself_unless_its_tenant_wants_it() {
    in_each_kind(|world: &World| {
        let process = world.strict_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let off = world.exhausted(&process, &tenant);
        world.goes_out(&process, &tenant);
        world.follows(&process, &tenant);
        world.want(&process, &tenant, policy(&[Cause::Token], 1));
        let other = world.exhausted(&process, &tenant);
        world.goes_out(&process, &tenant);
        world.follows(&process, &tenant);
        assert_eq!(world.times(&[off, other]), [0, 0]);
    });
}

#[test]
fn what_may_have_arrived_or_has_expired_is_left_alone() {
    in_world(Kind::Embedded, |world: &World| {
        let (process, tenant) = world.wanting(&[Cause::Meta], 1);
        let expired = world.accept_until(&process, &tenant.id, SECOND * 30);
        world.send_and(&process, FAILS);
        assert_eq!(world.look(expired).dead_reason(), Some(DeadReason::AttemptsExhausted));
        let unknown = world.accept(&process, &tenant.id, "perhaps");
        world.send_and(&process, Answer::Silent);
        world.reconcile_after(&process, MINUTE * 30);
        assert_eq!(world.look(unknown).dead_reason(), Some(DeadReason::OutcomeUnknown));
        let letter = world.exhausted(&process, &tenant);
        world.goes_out(&process, &tenant);
        world.follows(&process, &tenant);
        assert_eq!(world.times(&[expired, unknown, letter]), [0, 0, 1]);
    });
}

#[test]
fn one_that_dies_again_waits_for_the_next_end_and_goes_no_more_often_than_its_tenant_wants() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.wanting(&[Cause::Meta], 2);
        let letter = world.exhausted(&process, &tenant);
        for times in [1, 2, 2, 2] {
            world.goes_out(&process, &tenant);
            world.follows(&process, &tenant);
            assert_eq!(world.times(&[letter]), [times]);
            if world.look(letter).status() == Status::Queued {
                world.send_and(&process, FAILS);
                world.follows(&process, &tenant);
                assert_eq!(world.times(&[letter]), [times], "its cause has not ended again");
            }
            assert_eq!(world.look(letter).status(), Status::Dead);
        }
    });
}

#[test]
fn what_is_older_than_its_tenant_wants_is_left_alone() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.wanting(&[Cause::Meta], 1);
        let old = world.exhausted(&process, &tenant);
        world.run_for(Duration::from_hours(25));
        let young = world.exhausted(&process, &tenant);
        world.goes_out(&process, &tenant);
        world.follows(&process, &tenant);
        assert_eq!(world.times(&[old, young]), [0, 1]);
    });
}

/// A process dies at a call of the rounds in which it follows an end; another one goes on.
fn dies_while_it_follows(call: Call, fate: Fate) {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.wanting(&[Cause::Meta], 3);
        let letters: Vec<_> = (0..LETTERS).map(|_| world.exhausted(&process, &tenant)).collect();
        world.goes_out(&process, &tenant);
        world.wire.script(call, fate);
        process.works_on_redrives();
        world.run_for(MINUTE);
        assert!(!process.is_alive(), "{call:?} {fate:?}");
        let next = world.strict_process();
        world.run_for(REDRIVE_LEASE);
        world.follows(&next, &tenant);
        assert_eq!(world.times(&letters), [1; LETTERS], "{call:?} {fate:?}");
    });
}

#[test]
fn crash_between_the_end_of_a_cause_its_redrive_and_the_note_that_goes() {
    for fate in [Fate::CrashesBefore, Fate::CrashesAfter] {
        // The first call of its kind begins the redrive; the record of the tenant is saved when that is over.
        dies_while_it_follows(Call::Redrive, fate);
        dies_while_it_follows(Call::Save, fate);
        dies_while_it_follows(Call::SaveTenant, fate);
    }
}

/// The causes of which it is noted that they have ended, as the next process finds them.
fn noted(world: &World, tenant: &Tenant) -> Vec<Cause> {
    let next = world.strict_process();
    let ended = world.stored_tenant(&next, tenant).auto.ended;
    ended.into_iter().map(|end| end.cause).collect()
}

/// They are one save, so there is nothing between them.
#[test]
fn crash_between_a_new_token_and_the_note_that_its_cause_has_ended() {
    for (fate, expected) in [(Fate::CrashesBefore, vec![]), (Fate::CrashesAfter, vec![Cause::Token])] {
        in_each_kind(|world: &World| {
            let (process, tenant) = world.wanting(&[Cause::Token], 1);
            world.wire.script(Call::SaveTenant, fate);
            let id = tenant.id;
            world.dies_of(&process, |process| async move {
                process.replace_token(&id, None, "token-2").await
            });
            assert_eq!(noted(world, &tenant), expected);
        });
    }
}

#[test]
fn crash_between_the_end_of_a_hold_and_the_note_that_its_cause_has_ended() {
    for (fate, expected) in [
        (Fate::CrashesBefore, vec![]),
        (Fate::CrashesAfter, vec![Cause::Account]),
    ] {
        in_each_kind(|world: &World| {
            let (process, tenant) = world.wanting(&[Cause::Account], 1);
            world.accept(&process, &tenant.id, "held");
            world.send_and(&process, Answer::Refuses(ACCOUNT_RESTRICTED));
            assert_eq!(world.stored_tenant(&process, &tenant).auto.ended, []);
            world.wire.script(Call::SaveTenant, fate);
            let id = tenant.id;
            world.dies_of(&process, |process| async move {
                process.resume(&id, None, Actor::Operator).await
            });
            assert_eq!(noted(world, &tenant), expected);
        });
    }
}

#[test]
fn crash_between_the_dead_letter_and_what_is_noted_behind_it() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.wanting(&[Cause::Meta], 1);
        let letter = world.accept(&process, &tenant.id, "lost");
        world.meta.script(FAILS);
        let claimed = world.claim(&process);
        let mut ended = world.call(&process, claimed);
        world.wire.script(Call::Save, Fate::CrashesAfter);
        world.dies_of(&process, |process| async move { process.record(&mut ended).await });
        assert_eq!(world.look(letter).dead_reason(), Some(DeadReason::AttemptsExhausted));
        let next = world.strict_process();
        world.goes_out(&next, &tenant);
        world.follows(&next, &tenant);
        assert_eq!(world.times(&[letter]), [1]);
    });
}

#[test]
fn a_message_that_goes_out_between_the_two_notes_does_not_end_the_cause_of_the_letter() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.wanting(&[Cause::Meta], 1);
        let first = world.accept(&process, &tenant.id, "lost");
        world.meta.script(FAILS);
        let claimed = world.claim(&process);
        let lost = world.call(&process, claimed);
        // Its outcome is kept only after the other message has gone out.
        world.wire.script(Call::Save, Fate::FailsBefore);
        let (recording, mut ended) = (process.clone(), lost);
        let (failed, mut ended) = world.step(async move { (recording.record(&mut ended).await, ended) });
        assert!(failed.is_err());
        world.goes_out(&process, &tenant);
        world.follows(&process, &tenant);
        let recording = process.clone();
        world
            .step(async move { recording.record(&mut ended).await })
            .expect("recorded");
        assert_eq!(world.look(first).dead_reason(), Some(DeadReason::AttemptsExhausted));
        world.goes_out(&process, &tenant);
        world.follows(&process, &tenant);
        assert_eq!(world.times(&[first]), [1]);
    });
}
