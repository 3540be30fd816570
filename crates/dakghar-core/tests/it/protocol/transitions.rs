//! T1 to T18.

use dakghar_core::domain::message::{DeadReason, EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::{Actor, ErrorCode, Status};

use super::{Duration, GRACE_OVER, KINDS, LEASE_OVER, MINUTE, SECOND, Stage};
use crate::world::meta::Answer;
use crate::world::wire::{Call, Fate};

/// Asks Meta to slow down.
const TOO_FAST: i64 = 130_429;
/// Meta will never take the message.
const NEVER: i64 = 131_026;
/// The access token is not valid.
const TOKEN: i64 = 190;

#[test]
fn t01_an_accepted_message_is_queued() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let idle = stage.world.idle_process();
        stage.world.wire.executor.end_life(stage.process.life());
        let message = stage.world.accept(&idle, &stage.tenant, "hello");
        assert_eq!(stage.look(message).status(), Status::Queued);
    }
}

#[test]
fn t02_a_message_of_a_paused_tenant_is_held() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let (process, tenant) = (stage.process.clone(), stage.tenant);
        let paused = async move { process.pause(&tenant, None, Actor::Tenant).await };
        stage.world.block_on(paused).expect("paused");
        let message = stage.accept("hello");
        assert_eq!(stage.look(message).status(), Status::Held);
        stage.world.run_for(MINUTE);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Held, 0));
    }
}

#[test]
fn t03_a_claim_is_durable_before_the_call() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        stage.world.wire.script(Call::Claim, Fate::CrashesAfter);
        let message = stage.accept("hello");
        stage.world.run_for(SECOND);
        let seen = stage.look(message);
        assert_eq!((seen.status(), seen.attempt(), seen.epoch()), (Status::Sending, 1, 1));
        let (owner, until) = seen.lease().expect("a lease");
        assert!(owner.starts_with("worker-") && until > stage.world.wire.executor.now());
        assert_eq!(stage.calls(), 0);
    }
}

#[test]
fn t04_a_message_ahead_of_its_number_s_pace_is_put_off() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        // The planned rate is 52 a second, and the gate lets a quarter of a second pass together.
        let messages: Vec<_> = (0..90).map(|n| stage.accept(&format!("{n}"))).collect();
        stage.world.run_for(SECOND);
        let sent = |stage: &Stage| {
            messages
                .iter()
                .filter(|key| stage.look(**key).status() == Status::Sent)
                .count()
        };
        let first = sent(&stage);
        assert!((40..85).contains(&first), "{first}");
        stage.world.run_for(SECOND * 3);
        assert_eq!(sent(&stage), 90);
    }
}

#[test]
fn t05_a_message_that_meta_took_is_sent() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let seen = stage.answered(Answer::Accepts);
        assert_eq!((seen.status(), seen.wamids().len()), (Status::Sent, 1));
    }
}

#[test]
fn t06_a_message_that_meta_refused_for_good_is_failed() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let seen = stage.answered(Answer::Refuses(NEVER));
        assert_eq!((seen.status(), seen.error_code()), (Status::Failed, Some(NEVER)));
        stage.world.run_for(MINUTE);
        assert_eq!(stage.calls(), 1);
    }
}

#[test]
fn t07_a_message_that_meta_may_take_later_is_sent_again() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let seen = stage.answered(Answer::Refuses(TOO_FAST));
        stage.world.run_for(MINUTE);
        let seen = stage.look(seen.key());
        assert_eq!((seen.status(), seen.attempt(), stage.calls()), (Status::Sent, 2, 2));
        assert_eq!(seen.attempts_refunded(), 1, "a request to slow down is no attempt");
    }
}

#[test]
fn t08_a_message_without_attempts_left_is_dead() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        (0..5).for_each(|_| stage.world.meta.script(Answer::Unreachable));
        let message = stage.accept("hello");
        stage.world.run_for(MINUTE * 10);
        let seen = stage.look(message);
        let expected = (Status::Dead, Some(DeadReason::AttemptsExhausted), 5);
        assert_eq!((seen.status(), seen.dead_reason(), seen.attempts_counted()), expected);
    }
}

#[test]
fn t08_a_message_without_time_left_is_expired() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let expires_at = stage.world.wire.executor.now() + SECOND * 5;
        (0..5).for_each(|_| stage.world.meta.script(Answer::Refuses(TOO_FAST)));
        let message = stage.accept_with(&format!(r#","expiresAt":"{expires_at}""#));
        stage.world.run_for(MINUTE);
        assert_eq!(stage.look(message).status(), Status::Expired);
        assert!(stage.calls() < 5, "{}", stage.calls());
    }
}

#[test]
fn t09_a_call_without_a_verdict_is_in_doubt() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let message = stage.doubtful();
        let seen = stage.look(message);
        assert_eq!((seen.status(), seen.maybe_sent()), (Status::InDoubt, true));
        assert!(seen.grace_until().is_some());
    }
}

#[test]
fn t10_a_lease_that_ran_out_is_taken_over() {
    for kind in KINDS {
        let mut stage = Stage::new(kind);
        stage.world.wire.script(Call::Claim, Fate::CrashesAfter);
        let message = stage.accept("hello");
        stage.world.run_for(SECOND);
        stage.restart();
        stage.world.run_for(LEASE_OVER);
        let seen = stage.look(message);
        assert_eq!(
            (seen.status(), seen.epoch(), seen.maybe_sent()),
            (Status::InDoubt, 2, true)
        );
    }
}

#[test]
fn t11_doubt_under_fail_ends_as_dead() {
    for kind in KINDS {
        let stage = Stage::with_policy(kind, UnknownOutcome::Fail);
        let message = stage.doubtful();
        stage.world.run_for(GRACE_OVER);
        let seen = stage.look(message);
        assert_eq!(
            (seen.status(), seen.dead_reason()),
            (Status::Dead, Some(DeadReason::OutcomeUnknown))
        );
        assert_eq!(stage.calls(), 1);
    }
}

#[test]
fn t12_doubt_under_resend_is_sent_again() {
    for kind in KINDS {
        let stage = Stage::with_policy(kind, UnknownOutcome::Resend);
        let message = stage.doubtful();
        stage.world.run_for(GRACE_OVER);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Sent, 2));
    }
}

#[test]
fn t12_doubt_under_auto_is_sent_again_only_when_statuses_of_later_messages_flow() {
    for kind in KINDS {
        let stage = Stage::with_policy(kind, UnknownOutcome::Auto);
        let message = stage.doubtful();
        stage.world.run_for(GRACE_OVER);
        assert_eq!(
            stage.look(message).status(),
            Status::InDoubt,
            "silence alone says nothing"
        );
        let later = stage.accept("later");
        stage.world.run_for(SECOND);
        assert_eq!(stage.look(later).status(), Status::Sent);
        stage.report(1, EvidenceStatus::Delivered);
        stage.world.run_for(GRACE_OVER);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Sent, 3));
    }
}

#[test]
fn t13_a_status_moves_a_message_forward_and_never_back() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let message = stage.answered(Answer::Accepts).key();
        stage.report(0, EvidenceStatus::Read);
        assert_eq!(stage.look(message).status(), Status::Read);
        for late in [EvidenceStatus::Sent, EvidenceStatus::Delivered, EvidenceStatus::Failed] {
            stage.report(0, late);
            assert_eq!(stage.look(message).status(), Status::Read, "{late:?}");
        }
    }
}

#[test]
fn t13_a_status_settles_a_doubt() {
    for kind in KINDS {
        let stage = Stage::with_policy(kind, UnknownOutcome::Resend);
        let message = stage.doubtful();
        stage.report(0, EvidenceStatus::Delivered);
        stage.world.run_for(GRACE_OVER);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Delivered, 1));
    }
}

#[test]
fn t14_a_client_cancels_what_waits_and_not_what_may_have_been_delivered() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let at = stage.world.wire.executor.now() + MINUTE * 5;
        let waiting = stage.accept_with(&format!(r#","sendAt":"{at}""#));
        let doubtful = stage.doubtful();
        let (process, tenant) = (stage.process.clone(), stage.tenant);
        let cancel = move |message: dakghar_core::domain::MessageKey| {
            let process = process.clone();
            async move { process.cancel(&tenant, &message.message_id.to_string()).await }
        };
        let cancelled = stage.world.block_on(cancel(waiting)).expect("cancelled");
        assert_eq!(cancelled.status(), Status::Cancelled);
        let refused = stage
            .world
            .block_on(cancel(doubtful))
            .expect_err("it may have been delivered");
        assert_eq!(refused.code, ErrorCode::NotCancellable);
        stage.world.run_for(MINUTE * 10);
        assert_eq!((stage.look(waiting).status(), stage.calls()), (Status::Cancelled, 1));
    }
}

#[test]
fn t15_a_held_message_expires_by_its_timer() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let (process, tenant) = (stage.process.clone(), stage.tenant);
        let paused = async move { process.pause(&tenant, None, Actor::Tenant).await };
        stage.world.block_on(paused).expect("paused");
        let expires_at = stage.world.wire.executor.now() + MINUTE * 2;
        let message = stage.accept_with(&format!(r#","expiresAt":"{expires_at}""#));
        stage.world.run_for(MINUTE);
        assert_eq!(stage.look(message).status(), Status::Held);
        stage.world.run_for(MINUTE + SECOND * 2);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Expired, 0));
    }
}

#[test]
fn t16_a_pause_holds_what_is_queued_and_its_end_sends_it() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let at = stage.world.wire.executor.now() + SECOND * 5;
        let message = stage.accept_with(&format!(r#","sendAt":"{at}""#));
        let (process, tenant) = (stage.process.clone(), stage.tenant);
        let pausing = process.clone();
        let paused = async move { pausing.pause(&tenant, None, Actor::Tenant).await };
        stage.world.block_on(paused).expect("paused");
        stage.world.run_for(MINUTE);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Held, 0));
        let resumed = async move { process.resume(&tenant, None, Actor::Tenant).await };
        stage.world.block_on(resumed).expect("resumed");
        stage.world.run_for(SECOND * 3);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Sent, 1));
    }
}

#[test]
fn t16_a_refused_token_holds_the_message_without_an_attempt() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let seen = stage.answered(Answer::Refuses(TOKEN));
        assert_eq!((seen.status(), seen.attempts_counted()), (Status::Held, 0));
        stage.world.run_for(MINUTE * 2);
        assert_eq!(stage.look(seen.key()).status(), Status::Sent);
    }
}

#[test]
fn t17_a_message_that_crashes_its_preparation_is_given_up_the_fifth_time() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let at = stage.world.wire.executor.now() + MINUTE;
        let message = stage.accept_with(&format!(r#","sendAt":"{at}""#));
        for strikes in 1..=5 {
            let (process, key) = (stage.process.clone(), dakghar_core::ports::JobKey::Send(message));
            stage
                .world
                .block_on(async move { process.strike(key).await })
                .expect("stored");
            let is_dead = stage.look(message).status() == Status::Dead;
            assert_eq!((stage.look(message).strikes(), is_dead), (strikes, strikes == 5));
        }
        assert_eq!(stage.look(message).dead_reason(), Some(DeadReason::Poison));
        stage.world.run_for(MINUTE * 3);
        assert_eq!(stage.calls(), 0);
    }
}

#[test]
fn t18_a_dead_letter_is_sent_again_and_only_on_purpose_when_it_may_have_arrived() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let message = stage.doubtful();
        stage.world.run_for(GRACE_OVER);
        assert_eq!(stage.look(message).status(), Status::Dead);
        let redrive = |is_confirmed| {
            let (process, tenant, id) = (stage.process.clone(), stage.tenant, message.message_id.to_string());
            let redriven = async move { process.redrive(&tenant, &id, is_confirmed).await };
            stage.world.block_on(redriven)
        };
        assert_eq!(
            redrive(false).expect_err("a risk").code,
            ErrorCode::DuplicateRiskUnconfirmed
        );
        stage.world.promises.risk_accepted(message);
        redrive(true).expect("redriven");
        stage.world.run_for(SECOND);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Sent, 2));
    }
}

#[test]
fn fenced_a_worker_that_was_taken_over_adds_its_evidence_and_nothing_else() {
    let stage = Stage::new(crate::world::Kind::Distributed);
    let worker = stage.world.idle_process();
    stage.world.wire.executor.end_life(stage.process.life());
    let message = stage.world.accept(&worker, &stage.tenant, "hello");
    stage.world.run_for(SECOND);
    let calling = worker.clone();
    let ended = stage.world.block_on(async move {
        let jobs = calling.take().await.expect("jobs");
        let prepared = calling.prepare(jobs).await.expect("prepared");
        let claimed = calling.claim(prepared.sends).await.pop().expect("claimed");
        calling.call(claimed).await
    });
    let other = stage.world.process();
    stage.world.run_for(LEASE_OVER + Duration::from_secs(2));
    assert_eq!(stage.look(message).status(), Status::InDoubt);
    let epoch = stage.look(message).epoch();
    let mut ended = ended;
    stage
        .world
        .block_on(async move { worker.record(&mut ended).await })
        .expect("recorded");
    let seen = stage.look(message);
    assert_eq!((seen.status(), seen.epoch(), stage.calls()), (Status::Sent, epoch, 1));
    assert!(other.is_alive());
}
