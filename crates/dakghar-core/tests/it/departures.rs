//! Departures: what was set up at Meta is taken back and the tenant removed, whatever Meta says, and wherever a process dies.

mod crashes;

use std::time::Duration;

use dakghar_core::app::{CheckPass, NewTenantDeparture};
use dakghar_core::domain::access_token::{SEND_SCOPE, TokenFacts, TokenVerdict};
use dakghar_core::domain::departure::{
    Departure, DepartureReason, DepartureState, DepartureStep, StepRecord, StepState,
};
use dakghar_core::domain::{AppId, ErrorCode, Leaving, Problem, Status, Tenant, WabaId};
use dakghar_core::ports::{Clock as _, DepartureStore as _, TenantStore as _};

use crate::steps::{MINUTE, SECOND, in_each_kind};
use crate::world::ports::at_once;
use crate::world::process::Process;
use crate::world::{APP, World, body};

/// Everything that can be wished for, and no export.
fn all_of_it() -> NewTenantDeparture {
    NewTenantDeparture {
        deregister: true,
        revoke_token: true,
        skip_export: true,
        ..NewTenantDeparture::default()
    }
}

impl World {
    /// Meta has the account 900 with registered numbers, to which our app is subscribed; and one of them is a tenant's.
    fn connected(&self) -> (Process, Tenant) {
        self.onboarding.add_account("900", &["501", "502"]);
        for id in ["501", "502"] {
            self.onboarding.change_number(id, |number| {
                number.status = Some("CONNECTED".into());
                number.platform = Some("CLOUD_API".into());
            });
        }
        let app_id = AppId::parse(APP).expect("digits");
        self.onboarding.subscribe_app("900", &app_id, None);
        let facts = TokenFacts {
            app_id,
            kind: Some("SYSTEM_USER".into()),
            scopes: vec![SEND_SCOPE.into()],
            accounts: vec![WabaId::parse("900").expect("digits")],
            expires_at: None,
        };
        self.tokens.say("token-1", TokenVerdict::Valid(facts));
        let process = self.idle_process();
        let tenant = self.tenant_in(&process, "900", "501");
        (process, tenant)
    }

    fn begins_departure(
        &self,
        process: &Process,
        tenant: &Tenant,
        new: NewTenantDeparture,
    ) -> Result<(Departure, bool), Problem> {
        let (process, id) = (process.clone(), tenant.id);
        self.block_on(async move { process.begin_departure(&id, &new).await })
    }

    fn leaves(&self, process: &Process, tenant: &Tenant, new: NewTenantDeparture) -> Departure {
        self.begins_departure(process, tenant, new).expect("begun").0
    }

    fn retries_departure(&self, process: &Process, departure: &Departure, skip: bool) -> Departure {
        let (process, departure) = (process.clone(), departure.clone());
        let retried = self.block_on(async move { process.retry_departure(&departure, skip).await });
        retried.expect("goes on")
    }

    fn calls_off(&self, process: &Process, departure: &Departure) -> Result<Departure, Problem> {
        let (process, departure) = (process.clone(), departure.clone());
        self.block_on(async move { process.cancel_departure(&departure).await })
    }

    fn stored_departure(&self, departure: &Departure) -> Departure {
        let found = self.store.find_departure(&departure.tenant_id, &departure.id);
        at_once(found).expect("no outage").expect("it exists")
    }

    fn tenant_left(&self, tenant: &Tenant) -> Option<Tenant> {
        let found = at_once(self.store.find_all(&[tenant.id])).pop();
        found.expect("an answer").expect("no outage")
    }

    fn sends(&self, process: &Process, tenant: &Tenant) -> Result<(), ErrorCode> {
        let (process, id, body) = (process.clone(), tenant.id, body("hello", ""));
        let accepted = self.block_on(async move { process.accept(&id, &body, None).await });
        accepted.map(drop).map_err(|problem| problem.code)
    }
}

fn record(departure: &Departure, step: DepartureStep) -> &StepRecord {
    let found = departure.steps.iter().find(|record| record.step == step);
    found.expect("it has the step")
}

fn outcome(departure: &Departure, step: DepartureStep) -> (StepState, Option<&str>) {
    let record = record(departure, step);
    (record.state, record.note.as_deref())
}

#[test]
fn a_tenant_leaves_and_everything_is_taken_back_once() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.connected();
        let departure = world.leaves(&process, &tenant, all_of_it());
        process.works_on_departures();
        world.run_for(SECOND * 20);
        let done = world.stored_departure(&departure);
        assert_eq!(done.state, DepartureState::Done, "{done:?}");
        assert_eq!(
            world.onboarding.journal(),
            ["unsubscribe 900", "deregister 501", "revoke"]
        );
        assert_eq!(world.tenant_left(&tenant), None, "the record outlives it");
        let skipped = outcome(&done, DepartureStep::Override);
        assert_eq!(skipped, (StepState::Skipped, Some("there is no override")));
        assert_eq!(outcome(&done, DepartureStep::Export).0, StepState::Skipped);
        assert!(done.changed_at.is_some() && done.lease.is_none() && done.ended_at.is_some());
    });
}

#[test]
fn nothing_is_accepted_any_more_and_what_is_queued_is_cancelled_if_that_is_wished() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.connected();
        let keys = ["a", "b"].map(|text| world.accept(&process, &tenant.id, text));
        let new = NewTenantDeparture {
            cancel_queued: true,
            keep_data: true,
            ..NewTenantDeparture::default()
        };
        let departure = world.leaves(&process, &tenant, new);
        process.works_on_departures();
        world.run_for(SECOND * 20);
        let done = world.stored_departure(&departure);
        assert_eq!((done.state, done.cancelled), (DepartureState::Done, 2), "{done:?}");
        for key in keys {
            assert_eq!(world.look(key).status(), Status::Cancelled);
        }
        assert_eq!(world.sends(&process, &tenant), Err(ErrorCode::TenantLeaving));
        let stays = world.tenant_left(&tenant).expect("its data is kept");
        assert_eq!(stays.leaving, Some(Leaving::Whole));
        assert_eq!(world.onboarding.journal(), ["unsubscribe 900"]);
    });
}

#[test]
fn what_has_left_is_neither_checked_nor_subscribed_again() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.connected();
        let new = NewTenantDeparture {
            keep_data: true,
            skip_export: true,
            ..NewTenantDeparture::default()
        };
        let departure = world.leaves(&process, &tenant, new);
        process.works_on_departures();
        world.run_for(SECOND * 20);
        assert_eq!(world.stored_departure(&departure).state, DepartureState::Done);

        let mut setup = world.setup();
        setup.works_by_itself = false;
        setup.settings.checks.subscribes_again = true;
        let checks = Process::start(world, setup).number_checks();
        world.clock.advance(Duration::from_hours(12));
        let asked = world.step(async move {
            let (mut pass, mut asked) = (CheckPass::default(), 0);
            loop {
                let step = checks.step(&mut pass).await.expect("a pass");
                asked += step.asked;
                if step.is_through {
                    return asked;
                }
            }
        });
        assert_eq!(asked, 0);
        assert_eq!(world.onboarding.journal(), ["unsubscribe 900"]);
    });
}

#[test]
fn what_is_queued_is_waited_for_until_its_time_and_then_cancelled() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.connected();
        let key = world.accept(&process, &tenant.id, "a");
        let wish = || NewTenantDeparture {
            send_until: Some(world.clock.wall() + MINUTE * 10),
            keep_data: true,
            ..all_of_it()
        };
        let departure = world.leaves(&process, &tenant, wish());
        process.works_on_departures();
        world.run_for(MINUTE);
        let waits = world.stored_departure(&departure);
        let at = waits.current().expect("a step");
        assert_eq!(
            (at.step, at.reason),
            (DepartureStep::Queued, Some(DepartureReason::MessagesWaiting))
        );
        assert_eq!(world.look(key).status(), Status::Queued);
        let again = world.begins_departure(&process, &tenant, wish()).expect("the same");
        assert_eq!((again.0.id, again.1), (departure.id, false));
        let other = NewTenantDeparture::default();
        let refused = world
            .begins_departure(&process, &tenant, other)
            .expect_err("another one");
        assert_eq!(refused.code, ErrorCode::DepartureUnderWay);
        world.run_for(MINUTE * 10);
        let done = world.stored_departure(&departure);
        assert_eq!((done.state, done.cancelled), (DepartureState::Done, 1));
    });
}

#[test]
fn a_refusal_for_good_is_reported_and_the_rest_is_done_and_a_required_step_stops() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.connected();
        world.onboarding.refuse_next("unsubscribe", 200);
        world.onboarding.ignore_next("deregister");
        let departure = world.leaves(&process, &tenant, all_of_it());
        process.works_on_departures();
        world.run_for(SECOND * 20);
        let done = world.stored_departure(&departure);
        assert_eq!(done.state, DepartureState::Done, "{done:?}");
        let failed = record(&done, DepartureStep::Unsubscribe);
        assert_eq!(
            (failed.state, failed.reason),
            (StepState::Failed, Some(DepartureReason::Refused))
        );
        let error = failed.error.as_ref().expect("Meta's words");
        assert_eq!((error.code, error.fbtrace_id.as_deref()), (Some(200), Some("trace-1")));
        assert_eq!(world.onboarding.journal(), ["deregister 501", "revoke"]);
    });
    in_each_kind(|world: &World| {
        let (process, tenant) = world.connected();
        world.onboarding.refuse_next("unsubscribe", 200);
        let new = NewTenantDeparture {
            required: vec![DepartureStep::Unsubscribe],
            ..all_of_it()
        };
        let departure = world.leaves(&process, &tenant, new);
        process.works_on_departures();
        world.run_for(SECOND * 20);
        let stopped = world.stored_departure(&departure);
        assert_eq!(stopped.state, DepartureState::Stopped);
        assert!(world.tenant_left(&tenant).is_some() && world.onboarding.journal().is_empty());
        world.retries_departure(&process, &stopped, false);
        world.run_for(SECOND * 20);
        assert_eq!(world.stored_departure(&departure).state, DepartureState::Done);
        assert_eq!(
            world.onboarding.journal(),
            ["unsubscribe 900", "deregister 501", "revoke"]
        );
    });
}

#[test]
fn it_is_called_off_until_something_changes_and_the_tenant_sends_again() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.connected();
        world.accept(&process, &tenant.id, "a");
        let departure = world.leaves(&process, &tenant, all_of_it());
        process.works_on_departures();
        world.run_for(SECOND * 5);
        assert_eq!(world.sends(&process, &tenant), Err(ErrorCode::TenantLeaving));
        let waits = world.stored_departure(&departure);
        world.calls_off(&process, &waits).expect("called off");
        world.run_for(SECOND * 5);
        let cancelled = world.stored_departure(&departure);
        assert_eq!(cancelled.state, DepartureState::Cancelled);
        world.calls_off(&process, &cancelled).expect("twice is fine");
        assert_eq!(world.sends(&process, &tenant), Ok(()));
        assert!(world.onboarding.journal().is_empty());

        let new = NewTenantDeparture {
            cancel_queued: true,
            skip_export: false,
            ..all_of_it()
        };
        let second = world.leaves(&process, &tenant, new);
        world.run_for(SECOND * 20);
        let stopped = world.stored_departure(&second);
        assert_eq!(stopped.state, DepartureState::Stopped, "it waits for the export");
        let refused = world.calls_off(&process, &stopped).expect_err("too late");
        assert_eq!(refused.code, ErrorCode::DepartureTooFar);
    });
}

#[test]
fn a_tenant_is_removed_when_its_export_was_fetched_or_nobody_needs_it() {
    for skips in [false, true] {
        in_each_kind(|world: &World| {
            let (process, tenant) = world.connected();
            let fetches = || {
                let (process, id) = (process.clone(), tenant.id);
                world.block_on(async move { process.fetch_export(&id).await })
            };
            let departure = world.leaves(&process, &tenant, NewTenantDeparture::default());
            assert_eq!(fetches(), Ok(false), "before it waits for one");
            process.works_on_departures();
            world.run_for(SECOND * 20);
            let stopped = world.stored_departure(&departure);
            let at = stopped.current().expect("a step");
            assert_eq!(at.reason, Some(DepartureReason::ExportNotFetched));
            assert!(world.tenant_left(&tenant).is_some());
            if skips {
                world.retries_departure(&process, &stopped, true);
            } else {
                assert_eq!(fetches(), Ok(true));
            }
            world.run_for(SECOND * 20);
            let done = world.stored_departure(&departure);
            assert_eq!(done.state, DepartureState::Done);
            assert_eq!(done.exported_at.is_some(), !skips);
            let expected = if skips { StepState::Skipped } else { StepState::Done };
            assert_eq!(outcome(&done, DepartureStep::Export).0, expected);
            assert_eq!(world.tenant_left(&tenant), None);
        });
    }
}

#[test]
fn an_account_that_serves_others_stays_subscribed_and_so_do_its_token_and_the_last_number() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.connected();
        let other = world.tenant_in(&process, "900", "502");
        let only = NewTenantDeparture {
            phone_number_ids: Some(vec!["501".to_owned()]),
            ..all_of_it()
        };
        let refused = world
            .begins_departure(&process, &tenant, only)
            .expect_err("its only one");
        assert_eq!(refused.code, ErrorCode::LastPhoneNumber);
        let unknown = NewTenantDeparture {
            phone_number_ids: Some(vec!["501".to_owned(), "x".to_owned()]),
            ..all_of_it()
        };
        let refused = world.begins_departure(&process, &tenant, unknown).expect_err("unknown");
        assert_eq!(refused.errors[0].pointer, "/phoneNumberIds/1");
        let departure = world.leaves(&process, &tenant, all_of_it());
        process.works_on_departures();
        world.run_for(SECOND * 20);
        let done = world.stored_departure(&departure);
        assert_eq!(done.state, DepartureState::Done);
        assert_eq!(world.onboarding.journal(), ["deregister 501"]);
        assert_eq!(world.onboarding.subscribed("900").len(), 1);
        assert!(world.tenant_left(&other).is_some());
    });
}

#[test]
fn an_account_stays_subscribed_for_another_tenant_that_may_still_be_called_off() {
    in_each_kind(|world: &World| {
        let (process, tenant) = world.connected();
        let other = world.tenant_in(&process, "900", "502");
        // It waits for what is queued, and may be called off.
        world.accept(&process, &other.id, "a");
        let waits = world.leaves(&process, &other, all_of_it());
        let leaves = world.leaves(&process, &tenant, all_of_it());
        process.works_on_departures();
        world.run_for(SECOND * 20);
        assert_eq!(world.stored_departure(&leaves).state, DepartureState::Done);
        assert_eq!(world.onboarding.subscribed("900").len(), 1);
        let waiting = world.stored_departure(&waits);
        world.calls_off(&process, &waiting).expect("called off");
        world.run_for(SECOND * 5);
        assert_eq!(world.sends(&process, &other), Ok(()));
        // Now it is the last one.
        let cancels = NewTenantDeparture {
            cancel_queued: true,
            ..all_of_it()
        };
        world.leaves(&process, &other, cancels);
        world.run_for(SECOND * 20);
        assert!(world.onboarding.subscribed("900").is_empty());
    });
}
