//! The crashes of the send path and of receiving, in the order of the table "Crashes, and what heals them".

use dakghar_core::domain::Status;
use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::ports::ConversationStore as _;

use super::{GRACE_OVER, KINDS, LEASE_OVER, MINUTE, SECOND, Stage};
use crate::world::meta::{Answer, Meta};
use crate::world::ports::at_once;
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, body};

/// The process dies where `call` says; another one starts; the message is sent once.
fn is_sent_once_after(kind: Kind, call: Call, fate: Fate, patience: super::Duration) {
    let mut stage = Stage::new(kind);
    stage.world.wire.script(call, fate);
    let message = stage.accept("hello");
    stage.world.run_for(SECOND);
    stage.restart();
    stage.world.run_for(patience);
    let seen = stage.look(message);
    assert_eq!(
        (seen.status(), stage.calls()),
        (Status::Sent, 1),
        "{kind:?} {call:?} {fate:?}"
    );
}

#[test]
fn between_slot_and_insert_nothing_is_left_and_the_client_tries_again() {
    for kind in KINDS {
        for fate in [Fate::CrashesBefore, Fate::CrashesAfter] {
            let mut stage = Stage::new(kind);
            stage.world.wire.script(Call::Accept, fate);
            let accept = |stage: &Stage| {
                let (process, tenant, body) = (stage.process.clone(), stage.tenant, body("hello", ""));
                let life = process.life();
                let asked = async move { process.accept(&tenant, &body, Some("key")).await };
                stage.world.wire.executor.ask(life, asked)
            };
            let first = accept(&stage);
            stage.world.run_for(SECOND);
            assert!(stage.world.block_on(first).is_err(), "nobody answers");
            stage.restart();
            let second = accept(&stage);
            let accepted = stage.world.block_on(second).expect("it lives").expect("accepted");
            // Stored the first time, or not: under the key there is one message.
            assert_eq!(accepted.duplicate, fate == Fate::CrashesAfter);
            stage.world.run_for(MINUTE * 2);
            assert_eq!(stage.calls(), 1);
        }
    }
}

#[test]
fn between_insert_and_queue_its_timer_brings_it_back() {
    is_sent_once_after(
        Kind::Distributed,
        Call::Enqueue,
        Fate::CrashesBefore,
        MINUTE + SECOND * 3,
    );
    is_sent_once_after(Kind::Distributed, Call::Enqueue, Fate::CrashesAfter, MINUTE * 3);
}

#[test]
fn a_queue_that_is_away_delays_a_message_by_its_timer_and_not_the_answer() {
    let stage = Stage::new(Kind::Distributed);
    stage.world.wire.script(Call::Enqueue, Fate::FailsBefore);
    let message = stage.accept("hello");
    stage.world.run_for(SECOND * 30);
    assert_eq!(stage.look(message).status(), Status::Queued);
    stage.world.run_for(SECOND * 35);
    assert_eq!((stage.look(message).status(), stage.calls()), (Status::Sent, 1));
}

#[test]
fn between_taking_the_job_and_the_claim_its_timer_brings_it_back() {
    for kind in KINDS {
        for call in [Call::Load, Call::OpenToken, Call::Touch] {
            is_sent_once_after(kind, call, Fate::CrashesBefore, MINUTE * 4);
            is_sent_once_after(kind, call, Fate::CrashesAfter, MINUTE * 4);
        }
        is_sent_once_after(kind, Call::Claim, Fate::CrashesBefore, MINUTE * 4);
    }
}

#[test]
fn between_claim_and_call_the_policy_decides_and_nothing_is_doubled() {
    for kind in KINDS {
        let mut stage = Stage::with_policy(kind, UnknownOutcome::Fail);
        stage.world.wire.script(Call::Claim, Fate::CrashesAfter);
        let message = stage.accept("hello");
        stage.world.run_for(SECOND);
        stage.restart();
        stage.world.run_for(LEASE_OVER + GRACE_OVER);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Dead, 0));
    }
}

#[test]
fn between_call_and_outcome_the_webhook_tells_it() {
    for kind in KINDS {
        let mut stage = Stage::with_policy(kind, UnknownOutcome::Resend);
        stage.world.wire.script(Call::Save, Fate::CrashesBefore);
        let message = stage.accept("hello");
        stage.world.run_for(SECOND);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Sending, 1));
        stage.restart();
        stage.world.run_for(LEASE_OVER);
        assert_eq!(stage.look(message).status(), Status::InDoubt);
        stage.report(0, EvidenceStatus::Sent);
        stage.world.run_for(GRACE_OVER);
        assert_eq!((stage.look(message).status(), stage.calls()), (Status::Sent, 1));
    }
}

#[test]
fn an_outcome_that_was_stored_unheard_is_recorded_once() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        stage.world.wire.script(Call::Save, Fate::FailsAfter);
        let seen = stage.answered(Answer::Accepts);
        assert_eq!(
            (seen.status(), seen.wamids().len(), stage.calls()),
            (Status::Sent, 1, 1)
        );
    }
}

#[test]
fn between_touching_the_conversation_and_the_claim_an_empty_conversation_is_harmless() {
    for kind in KINDS {
        let mut stage = Stage::new(kind);
        stage.world.wire.script(Call::Touch, Fate::CrashesAfter);
        let message = stage.accept("hello");
        stage.world.run_for(SECOND);
        assert_eq!(stage.look(message).status(), Status::Queued);
        stage.restart();
        stage.world.run_for(MINUTE * 4);
        assert_eq!(stage.look(message).status(), Status::Sent);
        let tenant = stage.tenant;
        let store = &stage.world.store;
        let found = at_once(dakghar_core::ports::ConversationStore::list(
            &**store, &tenant, None, 10,
        ));
        assert_eq!(found.expect("no outage").len(), 1);
    }
}

#[test]
fn between_storing_a_webhook_and_its_answer_the_repetition_is_absorbed() {
    for kind in KINDS {
        let mut stage = Stage::new(kind);
        let number = dakghar_core::domain::PhoneNumberId::parse("111").expect("digits");
        let inbound = Meta::inbound(&number, "919222222222", "wamid.in");
        let body = stage.world.meta.body(vec![WebhookPart::Message(inbound)]);
        stage.world.wire.script(Call::Receive, Fate::CrashesAfter);
        let receive = |stage: &Stage| {
            let (process, body) = (stage.process.clone(), body.clone());
            let life = process.life();
            stage
                .world
                .wire
                .executor
                .ask(life, async move { process.receive(&body).await })
        };
        let first = receive(&stage);
        stage.world.run_for(SECOND);
        assert!(stage.world.block_on(first).is_err(), "nobody answers");
        stage.restart();
        let second = receive(&stage);
        let receipt = stage.world.block_on(second).expect("it lives").expect("received");
        assert_eq!((receipt.messages, receipt.duplicates), (0, 1));
        let found = at_once(stage.world.store.list(&stage.tenant, None, 10)).expect("no outage");
        assert_eq!(found.len(), 1, "its conversation is there");
    }
}
