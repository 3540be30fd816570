//! What is old is erased, and what a clock makes old is not.

use std::time::Duration;

use dakghar_core::app::{Failure, RetentionPass};
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::redrive::{NewRedrive, REDRIVE_PER_SECOND_DEFAULT, RedriveFilter, RedriveStatus};
use dakghar_core::domain::{Actor, MessageKey, Tenant, TenantLimit, TenantLimits};

use crate::steps::{MINUTE, SECOND, in_each_kind};
use crate::world::ports::Shared;
use crate::world::process::{Process, Setup};
use crate::world::{World, body};

const DAY: Duration = Duration::from_hours(24);
const KEPT_DAYS: u32 = 30;

impl World {
    fn keeping(&self) -> Setup {
        let mut setup = self.setup();
        setup.works_by_itself = false;
        setup.settings.tenant_limits = TenantLimits::default().with(TenantLimit::RetentionDays, KEPT_DAYS);
        setup
    }

    /// A process that keeps things for a month, whose clock is wrong by so much from the start.
    fn keeper(&self, days_ahead: i64) -> Process {
        let process = Process::start_with_clock(self, self.keeping(), days_ahead * 86_400_000);
        self.run_for(SECOND);
        process
    }

    /// A pass. Returns how many records it erased.
    fn erased(&self, process: &Process) -> u64 {
        let retention = process.retention();
        let pass = async move {
            let (mut pass, mut erased) = (RetentionPass::default(), 0);
            loop {
                let step = retention.step(&mut pass).await?;
                erased += step.erased;
                if step.is_through {
                    return Ok::<_, Failure>(erased);
                }
            }
        };
        self.step(pass).expect("a pass")
    }

    /// A message under a key; under the same one it is the same.
    fn keyed(&self, process: &Process, tenant: &Tenant) -> MessageKey {
        let (process, tenant_id) = (process.clone(), tenant.id);
        let accepted = self.step(async move { process.accept(&tenant_id, &body("hello", ""), Some("key-1")).await });
        MessageKey {
            tenant_id,
            message_id: accepted.expect("accepted").message_id,
        }
    }

    /// A process that keeps things for a month, and a settled message under a key.
    fn settled(&self) -> (Process, Tenant, MessageKey) {
        let process = self.keeper(0);
        let tenant = self.tenant(&process, UnknownOutcome::Fail);
        let key = self.keyed(&process, &tenant);
        let (cancelling, id) = (process.clone(), key.message_id.to_string());
        let cancelled = self.step(async move { cancelling.cancel(&key.tenant_id, &id).await });
        cancelled.expect("cancelled");
        assert_eq!(self.erased(&process), 0);
        (process, tenant, key)
    }

    fn is_gone(&self, key: MessageKey) -> bool {
        Shared::look(self, key).is_none()
    }

    /// Time passes while the process stands still, as in a suspend.
    fn sleeps(&self, days: u32) {
        self.clock.advance(DAY * days);
        self.run_for(SECOND);
    }
}

#[test]
fn a_clock_that_is_ahead_at_the_start_makes_nothing_old() {
    in_each_kind(|world: &World| {
        let (process, tenant, key) = world.settled();
        process.dies();
        for days_ahead in [40, 4_000] {
            let ahead = world.keeper(days_ahead);
            for _ in 0..3 {
                assert_eq!(world.erased(&ahead), 0, "{days_ahead} days ahead");
                world.run_for(MINUTE * 30);
            }
            ahead.dies();
        }
        let right = world.keeper(0);
        assert_eq!(world.erased(&right), 0);
        assert_eq!(world.keyed(&right, &tenant), key, "its key still guards it");
    });
}

#[test]
fn what_processes_watched_growing_old_is_erased() {
    in_each_kind(|world: &World| {
        let (process, _, key) = world.settled();
        world.sleeps(20);
        assert_eq!(world.erased(&process), 0);
        // Another life goes on where this one ended.
        process.dies();
        let next = world.keeper(0);
        assert_eq!(world.erased(&next), 0);
        world.sleeps(11);
        assert!(world.erased(&next) > 0);
        assert!(world.is_gone(key));
    });
}

#[test]
fn time_that_nobody_watched_is_caught_up_with() {
    in_each_kind(|world: &World| {
        let (process, _, key) = world.settled();
        world.sleeps(29);
        assert_eq!(world.erased(&process), 0);
        process.dies();
        world.clock.advance(DAY * 60);
        let next = world.keeper(0);
        assert_eq!(world.erased(&next), 0, "a clock alone is no evidence");
        world.sleeps(2);
        assert!(world.erased(&next) > 0);
        assert!(world.is_gone(key));
    });
}

#[test]
fn a_redrive_that_is_over_is_not_forgotten_by_a_clock_that_is_ahead() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.settled();
        let asked = NewRedrive {
            filter: RedriveFilter::default(),
            confirm_duplicate_risk: false,
            ignore_expiry: false,
            per_second: REDRIVE_PER_SECOND_DEFAULT,
            by: Actor::Operator,
            automatic: None,
        };
        let (beginning, id) = (process.clone(), tenant.id);
        let redrive = world.step(async move { beginning.begin_redrive(&id, &asked).await });
        let redrive = redrive.expect("begun");
        let work = |process: &Process| {
            let process = process.clone();
            world
                .step(async move { process.work_on_redrives().await })
                .expect("a round");
        };
        work(&process);
        process.dies();
        let ahead = world.keeper(40);
        work(&ahead);
        let find = |process: &Process| {
            let (process, redrive) = (process.clone(), redrive.clone());
            world.step(async move { process.find_redrive(&redrive).await })
        };
        assert_eq!(find(&ahead).expect("it is kept").status, RedriveStatus::Done);
        world.sleeps(31);
        work(&ahead);
        assert!(find(&ahead).is_err(), "in the end it goes");
    });
}
