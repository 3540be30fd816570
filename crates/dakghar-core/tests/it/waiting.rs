//! The messages of a tenant that wait, and their limit.

use dakghar_core::domain::message::{TimelineEvent, UnknownOutcome};
use dakghar_core::domain::redrive::{NewRedrive, Redrive, RedriveFilter, RedriveStatus};
use dakghar_core::domain::{Actor, ErrorCode, MessageKey, Problem, Status, Tenant, TenantLimit, TenantLimits};
use futures_util::future::join_all;

use crate::steps::{SECOND, code, in_each_kind, in_world};
use crate::world::process::Process;
use crate::world::{Kind, World, body};

const MAX: u32 = 200;

impl World {
    /// A process that sends nothing by itself, and allows each tenant so many messages.
    fn limited(&self, max: u32) -> Process {
        let is_sole = self.kind() == Kind::Embedded;
        self.idle_process_with(|setup| {
            setup.settings.tenant_limits = TenantLimits::default().with(TenantLimit::MessagesWaiting, max);
            setup.settings.is_sole_accepter = is_sole;
        })
    }

    fn try_accept(&self, process: &Process, tenant: &Tenant, key: Option<&'static str>) -> Result<MessageKey, Problem> {
        let (process, tenant_id) = (process.clone(), tenant.id);
        let accepted = self.step(async move { process.accept(&tenant_id, &body("hello", ""), key).await })?;
        Ok(MessageKey {
            tenant_id,
            message_id: accepted.message_id,
        })
    }

    /// So many messages for each of the processes, all at the same time. Returns how many were accepted, and the code
    /// of the others.
    fn accept_many(&self, processes: &[Process], tenant: &Tenant, count: usize) -> (usize, Vec<ErrorCode>) {
        let tenant_id = tenant.id;
        let processes: Vec<Process> = (0..count).flat_map(|_| processes.to_vec()).collect();
        let answers = self.step(async move {
            let accept = |process: Process| async move { process.accept(&tenant_id, &body("hello", ""), None).await };
            join_all(processes.into_iter().map(accept)).await
        });
        let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
        (accepted, answers.iter().filter_map(code).collect())
    }

    fn counts(&self) -> usize {
        let lines = self.wire.trace.lines();
        lines.iter().filter(|line| line.contains("Query")).count()
    }
}

fn is_within_a_tenth(accepted: usize) -> bool {
    let max = MAX as usize;
    (max..=max + max / 10).contains(&accepted)
}

#[test]
fn messages_that_wait_stay_within_a_tenth_of_their_limit_over_processes_and_crashes() {
    for seed in 0..20 {
        let world = World::of_seed(Kind::Distributed, seed, true);
        let processes: Vec<Process> = (0..4).map(|_| world.limited(MAX)).collect();
        let tenant = world.tenant(&processes[0], UnknownOutcome::Fail);
        let other = world.tenant_with(&processes[0], "222222222222222", "token", UnknownOutcome::Fail);
        let (first, refused) = world.accept_many(&processes, &tenant, 30);
        assert_eq!((first, refused), (120, vec![]), "there is room");

        // Two die, with what they were allowed to accept, and two others come.
        for process in &processes[..2] {
            process.dies();
        }
        let processes = [
            processes[2].clone(),
            processes[3].clone(),
            world.limited(MAX),
            world.limited(MAX),
        ];
        let (second, refused) = world.accept_many(&processes, &tenant, 60);
        assert!(is_within_a_tenth(first + second), "{first} + {second}");
        assert!(
            refused.iter().all(|code| *code == ErrorCode::TooManyWaiting),
            "{refused:?}"
        );

        // All die.
        for process in &processes {
            process.dies();
        }
        let processes = [world.limited(MAX), world.limited(MAX)];
        for _ in 0..3 {
            assert_eq!(world.accept_many(&processes, &tenant, 20).0, 0, "it is full");
            world.run_for(SECOND);
        }
        assert_eq!(
            world.accept_many(&processes, &other, 30),
            (60, vec![]),
            "its neighbour is not"
        );
    }
}

#[test]
fn few_counts_are_made_for_many_messages() {
    in_world(Kind::Distributed, |world| {
        let process = world.limited(10_000);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let before = world.counts();
        assert_eq!(
            world.accept_many(std::slice::from_ref(&process), &tenant, 1_000).0,
            1_000
        );
        let counts = world.counts() - before;
        assert!((1..=5).contains(&counts), "{counts} counts for 1000 messages");
    });
    in_world(Kind::Embedded, |world| {
        let process = world.limited(1_000);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let before = world.counts();
        assert_eq!(
            world.accept_many(std::slice::from_ref(&process), &tenant, 1_500).0,
            1_000
        );
        let counts = world.counts() - before;
        assert!((2..=3).contains(&counts), "{counts} counts: of none, and of all");
    });
    in_each_kind(|world| {
        let process = world.limited(1_000);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let before = world.counts();
        let first = world.try_accept(&process, &tenant, Some("order")).expect("accepted");
        for _ in 0..1_000 {
            assert_eq!(world.try_accept(&process, &tenant, Some("order")), Ok(first));
        }
        assert_eq!(world.counts() - before, 1, "what is not stored gives its place back");
    });
}

#[test]
fn what_a_process_was_allowed_long_ago_counts_no_more() {
    in_world(Kind::Distributed, |world| {
        let (idle, busy) = (world.limited(MAX), world.limited(MAX));
        let tenant = world.tenant(&idle, UnknownOutcome::Fail);
        world.try_accept(&idle, &tenant, None).expect("accepted");
        let (accepted, refused) = world.accept_many(std::slice::from_ref(&busy), &tenant, MAX as usize);
        assert!(accepted >= 190 && !refused.is_empty(), "{accepted}");
        world.run_for(SECOND * 11);
        assert_eq!(
            code(&world.try_accept(&idle, &tenant, None)),
            Some(ErrorCode::TooManyWaiting)
        );
    });
}

#[test]
fn a_repeated_key_is_answered_although_no_further_message_may_wait() {
    in_each_kind(|world| {
        let process = world.limited(2);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let first = world.try_accept(&process, &tenant, Some("order-1")).expect("accepted");
        // A repetition takes nobody's place.
        assert_eq!(world.try_accept(&process, &tenant, Some("order-1")), Ok(first));
        world.try_accept(&process, &tenant, Some("order-2")).expect("accepted");

        let problem = world.try_accept(&process, &tenant, Some("order-3")).expect_err("full");
        assert_eq!(problem.code, ErrorCode::TooManyWaiting);
        assert!(
            problem.detail.contains("2 messages waiting (messagesWaiting)"),
            "{problem:?}"
        );
        assert_eq!(problem.retry_after, Some(SECOND));
        assert_eq!(world.try_accept(&process, &tenant, Some("order-1")), Ok(first));
    });
}

#[test]
fn there_is_room_again_when_a_message_is_sent_or_cancelled() {
    in_each_kind(|world| {
        let process = world.limited(2);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let first = world.try_accept(&process, &tenant, None).expect("accepted");
        world.try_accept(&process, &tenant, None).expect("accepted");
        assert_eq!(
            code(&world.try_accept(&process, &tenant, None)),
            Some(ErrorCode::TooManyWaiting)
        );

        world.cancel(&process, first).expect("cancelled");
        world.run_for(SECOND);
        world.try_accept(&process, &tenant, None).expect("accepted");
        assert_eq!(
            code(&world.try_accept(&process, &tenant, None)),
            Some(ErrorCode::TooManyWaiting)
        );

        let prepared = world.prepare(&process);
        for claimed in world.claim_prepared(&process, prepared) {
            let ended = world.call(&process, claimed);
            world.record(&process, ended);
        }
        world.run_for(SECOND);
        world.try_accept(&process, &tenant, None).expect("accepted");
    });
}

impl World {
    /// So many messages that have expired, accepted a few at a time.
    fn expire(&self, process: &Process, tenant: &Tenant, count: usize) -> Vec<MessageKey> {
        let mut letters = Vec::new();
        while letters.len() < count {
            letters.extend((0..4).map(|_| self.accept_until(process, &tenant.id, SECOND * 30)));
            self.reconcile_after(process, SECOND * 31);
        }
        letters
    }

    /// The letters of these that wait again.
    fn waiting(&self, letters: &[MessageKey]) -> Vec<MessageKey> {
        let waits = |letter: &&MessageKey| self.look(**letter).status() == Status::Queued;
        letters.iter().filter(waits).copied().collect()
    }

    /// Some rounds of work on redrives. Returns this one.
    fn redrive_for_a_while(&self, process: &Process, redrive: &Redrive) -> Redrive {
        for _ in 0..30 {
            self.run_for(SECOND);
            let working = process.clone();
            let round = self.step(async move { working.work_on_redrives().await });
            round.expect("a round");
        }
        let (process, redrive) = (process.clone(), redrive.clone());
        let found = self.step(async move { process.find_redrive(&redrive).await });
        found.expect("found")
    }
}

#[test]
fn a_redrive_by_the_tenants_own_key_waits_for_room_and_one_by_the_operator_does_not() {
    for by in [Actor::Tenant, Actor::Operator] {
        in_each_kind(|world| {
            let process = world.limited(5);
            let tenant = world.tenant(&process, UnknownOutcome::Fail);
            let letters = world.expire(&process, &tenant, 12);
            let asked = NewRedrive {
                filter: RedriveFilter::default(),
                confirm_duplicate_risk: false,
                ignore_expiry: true,
                per_second: 48,
                by,
                automatic: None,
            };
            let (beginning, id) = (process.clone(), tenant.id);
            let begun = world.step(async move { beginning.begin_redrive(&id, &asked).await });
            let redrive = world.redrive_for_a_while(&process, &begun.expect("begun"));
            if by == Actor::Operator {
                assert_eq!(
                    (world.waiting(&letters).len(), redrive.status),
                    (12, RedriveStatus::Done)
                );
                return;
            }
            assert_eq!(
                (world.waiting(&letters).len(), redrive.status, redrive.settled.redriven),
                (5, RedriveStatus::Running, 5)
            );
            // What is new finds no room either, and takes none away.
            assert_eq!(
                code(&world.try_accept(&process, &tenant, None)),
                Some(ErrorCode::TooManyWaiting)
            );
            for _ in 0..2 {
                for letter in world.waiting(&letters) {
                    world.cancel(&process, letter).expect("cancelled");
                }
                world.redrive_for_a_while(&process, &redrive);
                assert!(world.waiting(&letters).len() <= 5);
            }
            let redrive = world.redrive_for_a_while(&process, &redrive);
            assert_eq!((redrive.status, redrive.settled.redriven), (RedriveStatus::Done, 12));
            for letter in &letters {
                let timeline = world.look(*letter).0.delivery.timeline;
                let redriven = timeline.iter().filter(|entry| entry.event == TimelineEvent::Redriven);
                assert_eq!(redriven.count(), 1);
            }
        });
    }
}

#[test]
fn a_dead_letter_that_the_tenant_sends_again_needs_room() {
    in_each_kind(|world| {
        let process = world.limited(4);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let letters = world.expire(&process, &tenant, 8);
        let redrive = |letter: &MessageKey| {
            let (process, id, letter) = (process.clone(), tenant.id, letter.message_id.to_string());
            world.step(async move { process.redrive_by_tenant(&id, &letter).await })
        };
        for letter in &letters[..4] {
            redrive(letter).expect("sent again");
        }
        world.run_for(SECOND);
        assert_eq!(code(&redrive(&letters[4])), Some(ErrorCode::TooManyWaiting));
        assert_eq!(
            code(&redrive(&letters[0])),
            Some(ErrorCode::NotRedrivable),
            "of what it is"
        );
        assert_eq!(
            code(&world.try_accept(&process, &tenant, None)),
            Some(ErrorCode::TooManyWaiting)
        );
        world.cancel(&process, letters[0]).expect("cancelled");
        world.run_for(SECOND);
        redrive(&letters[4]).expect("there is room");
    });
}
