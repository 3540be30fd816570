//! Meta's host cannot be reached: sending waits, one call at a time probes it, and no message pays for it.

use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{MessageKey, Status};

use crate::steps::{MINUTE, SECOND, in_each_kind};
use crate::world::World;
use crate::world::meta::{Answer, Temper};
use crate::world::process::Process;

const MESSAGES: usize = 300;

/// A Meta that no connection reaches.
fn unreachable() -> Temper {
    Temper {
        unreachable: 1000,
        ..Temper::default()
    }
}

/// A process whose calls have just found, often enough, that the host cannot be reached.
fn cut_off(world: &World) -> (Process, Vec<MessageKey>) {
    let process = world.idle_process();
    let tenant = world.tenant(&process, UnknownOutcome::Fail);
    let messages = ["first", "second", "third"].map(|text| {
        let message = world.accept(&process, &tenant.id, text);
        world.send_and(&process, Answer::Unreachable);
        message
    });
    (process, messages.to_vec())
}

fn count(world: &World, messages: &[MessageKey], status: Status) -> usize {
    let is_so = |message: &&MessageKey| world.look(**message).status() == status;
    messages.iter().filter(is_so).count()
}

#[test]
fn an_outage_costs_no_message_and_all_go_out_at_their_pace_when_it_is_over() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.meta.temper(unreachable());
        let texts = (0..MESSAGES).map(|number| format!("number {number}"));
        let messages: Vec<_> = texts.map(|text| world.accept(&process, &tenant.id, &text)).collect();
        world.run_for(MINUTE);
        let in_first_minute = world.requests();
        world.run_for(MINUTE * 5);
        let tried = world.requests() - in_first_minute;
        assert_eq!(count(world, &messages, Status::Queued), MESSAGES, "none is dead");
        // Probes are 15 to 30 seconds apart by then.
        assert!(
            (8..=21).contains(&tried),
            "{tried} calls in five minutes: single probes"
        );
        let counted = messages.iter().map(|message| world.look(*message).attempts_counted());
        assert_eq!(counted.max(), Some(0));

        world.meta.temper(Temper::default());
        let mut busiest = 0;
        for _ in 0..40 {
            let before = world.requests();
            world.run_for(SECOND);
            busiest = busiest.max(world.requests() - before);
        }
        assert_eq!(count(world, &messages, Status::Sent), MESSAGES);
        assert!(busiest <= 80, "{busiest} in one second");
    });
}

#[test]
fn one_message_at_a_time_probes_the_host_and_the_others_keep_their_attempts() {
    in_each_kind(|world: &World| {
        let (process, messages) = cut_off(world);
        world.run_for(MINUTE);
        let prepared = world.prepare(&process);
        assert_eq!(prepared.sends.len(), 1);
        let waiting = |message: &&MessageKey| {
            let seen = world.look(**message);
            let last = seen.timeline().last().cloned().expect("an entry");
            last.detail.as_deref() == Some("host_unreachable") && seen.slot_at() > Some(world.now())
        };
        assert_eq!(messages.iter().filter(waiting).count(), 2, "they wait for a later slot");

        drop(prepared);
        world.reconcile_after(&process, MINUTE * 2);
        let prepared = world.prepare(&process);
        assert_eq!(prepared.sends.len(), 1, "a probe that was not tried lets another one");
        let claimed = world.claim_prepared(&process, prepared).remove(0);
        let ended = world.call(&process, claimed);
        world.record(&process, ended);
        assert_eq!(count(world, &messages, Status::Sent), 1);
        assert_eq!(process.meta_unreachable(), None, "an answer ends it");
    });
}

#[test]
fn a_probe_without_an_answer_does_not_let_the_others_go() {
    in_each_kind(|world: &World| {
        let (process, messages) = cut_off(world);
        world.run_for(MINUTE);
        let prepared = world.prepare(&process);
        world.meta.script(Answer::Silent);
        let claimed = world.claim_prepared(&process, prepared).remove(0);
        let ended = world.call(&process, claimed);
        world.record(&process, ended);
        assert_eq!(count(world, &messages, Status::InDoubt), 1);
        assert!(process.meta_unreachable().is_some());
    });
}

#[test]
fn the_time_of_a_message_runs_out_while_the_host_cannot_be_reached() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.meta.temper(unreachable());
        for text in ["first", "second", "third"] {
            world.accept(&process, &tenant.id, text);
        }
        let message = world.accept_until(&process, &tenant.id, MINUTE * 3);
        world.run_for(MINUTE * 4);
        assert_eq!(world.look(message).status(), Status::Expired);
    });
}
