//! Signups of tenants and numbers that leave: nothing is begun and nothing is set up at Meta that would stay there.

use dakghar_core::app::{NewNumberSignup, NewTenantDeparture, SignupRetry};
use dakghar_core::domain::departure::Departure;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::signup::{Signup, SignupState, SignupStep};
use dakghar_core::domain::{ErrorCode, Tenant};

use super::TOKEN;
use crate::steps::{SECOND, in_each_kind};
use crate::world::World;
use crate::world::process::Process;
use crate::world::process::onboarding::with_code;

impl World {
    /// The tenant, or these numbers of it, leave, and wait for a message that nobody sends.
    fn is_leaving(&self, process: &Process, tenant: &Tenant, numbers: Option<&[&str]>) -> Departure {
        let numbers = numbers.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
        let new = NewTenantDeparture {
            phone_number_ids: numbers,
            ..NewTenantDeparture::default()
        };
        let (leaver, id) = (process.clone(), tenant.id);
        let begun = self.step(async move { leaver.begin_departure(&id, &new).await });
        process.works_on_departures();
        self.run_for(SECOND * 5);
        begun.expect("it begins").0
    }

    fn stays(&self, process: &Process, departure: Departure) {
        let process = process.clone();
        let cancelled = self.step(async move { process.cancel_departure(&departure).await });
        cancelled.expect("nothing was changed yet");
        self.run_for(SECOND * 5);
    }

    /// A tenant with the numbers 501 and 502, a message that waits for 501, and a signup of 501 that stopped before registering.
    fn stopped_at_registering(&self) -> (Process, Tenant, Signup) {
        self.customer_finishes();
        self.onboarding.add_account("900", &["501", "502"]);
        let process = self.idle_process();
        let tenant = self.tenant_in(&process, "900", "501");
        self.accept(&process, &tenant.id, "a");
        process.works_on_signups();
        self.signs_up(&process, &tenant);
        self.run_for(SECOND * 5);
        assert!(self.connected_number(&tenant, "502").is_some());
        self.onboarding.give_code("code-2", TOKEN);
        self.onboarding.refuse_next("register", 133_006);
        let new = NewNumberSignup {
            phone_number_id: Some("501".into()),
            ..with_code("code-2")
        };
        let signup = self.begins(&process, &tenant, new).expect("begun").0;
        self.run_for(SECOND * 5);
        let signup = self.stored_signup(&signup);
        assert_eq!(
            (signup.state, signup.step),
            (SignupState::Stopped, SignupStep::Register)
        );
        (process, tenant, signup)
    }
}

#[test]
fn a_signup_is_not_retried_while_its_tenant_or_its_number_leaves() {
    for numbers in [None, Some(&["501"][..])] {
        in_each_kind(|world: &World| {
            let (process, tenant, signup) = world.stopped_at_registering();
            let departure = world.is_leaving(&process, &tenant, numbers);
            let refused = world
                .retries(&process, &signup, SignupRetry::default())
                .expect_err("it leaves");
            assert_eq!(refused.code, ErrorCode::TenantLeaving);
            world.onboarding.give_code("code-3", TOKEN);
            let new = NewNumberSignup {
                phone_number_id: Some("501".into()),
                ..with_code("code-3")
            };
            let refused = world.begins(&process, &tenant, new).expect_err("it leaves");
            assert_eq!(refused.code, ErrorCode::TenantLeaving);
            world.run_for(SECOND * 5);
            assert!(!world.onboarding.journal().contains(&"register 501".to_owned()));
            assert_eq!(world.stored_signup(&signup), signup);

            world.stays(&process, departure);
            world
                .retries(&process, &signup, SignupRetry::default())
                .expect("it goes on");
            world.run_for(SECOND * 5);
            assert_eq!(world.stored_signup(&signup).state, SignupState::Done);
        });
    }
}

#[test]
fn a_link_begins_nothing_while_its_tenant_leaves() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.process_with_page();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.accept(&process, &tenant.id, "a");
        process.works_on_signups();
        let (invited, browser) = world.invites(&process, &tenant);
        let departure = world.is_leaving(&process, &tenant, None);
        let refused = world.brings(&process, &browser, "code-1").expect_err("it leaves");
        assert_eq!(refused.code, ErrorCode::LinkOver);
        assert_eq!(world.stored_signup(&invited), invited);

        world.stays(&process, departure);
        world.brings(&process, &browser, "code-1").expect("it begins");
        world.run_for(SECOND * 5);
        assert_eq!(world.stored_signup(&invited).state, SignupState::Done);
    });
}
