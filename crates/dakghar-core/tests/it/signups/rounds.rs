//! Rounds of the work on signups: a code is exchanged in its time, whatever else is due.

use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::signup::{Signup, SignupStep};
use dakghar_core::ports::{Saved, SignupStore as _};
use dakghar_testkit::samples;

use crate::steps::{SECOND, in_each_kind};
use crate::world::World;
use crate::world::ports::at_once;

/// More than a round of the other steps looks at.
const OTHERS: usize = 300;

#[test]
fn a_code_does_not_wait_behind_signups_that_others_are_at_work_on() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        for _ in 0..OTHERS {
            let lease = Lease {
                owner: "another process".into(),
                until: world.now() + SECOND * 20,
            };
            let registers = Signup {
                step: SignupStep::Register,
                lease: Some(lease),
                updated_at: world.now(),
                ..samples::signup(samples::tenant_id())
            };
            let inserted = at_once(world.store.insert_signup(&registers));
            assert_eq!(inserted, Ok(Saved::Done));
        }
        world.run_for(SECOND);
        let signup = world.signs_up(&process, &tenant);
        process.works_on_signups();
        world.run_for(SECOND * 5);
        assert_eq!(world.onboarding.journal()[..1], ["exchange code-1"]);
        assert!(world.stored_signup(&signup).sealed_code.is_none());
    });
}
