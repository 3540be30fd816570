//! A process dies at any save of a signup, before it or behind it: another one finishes, and Meta did nothing twice.

use dakghar_core::app::SignupRetry;
use dakghar_core::domain::Secret;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::signup::{Signup, SignupState, SignupStep};

use super::{TOKEN, end_of, is_bare};
use crate::steps::{SECOND, in_each_kind};
use crate::world::World;
use crate::world::process::Process;
use crate::world::wire::{Call, Fate};

/// The saves of a signup in which nothing goes wrong: it is taken once, one for each step, one for the PIN.
pub const SAVES: usize = 11;

/// A process begins to work on a signup, and the save of this number meets its fate.
fn meets(world: &World, save: usize, fate: Fate) -> (Process, Signup) {
    let process = world.idle_process();
    let tenant = world.tenant(&process, UnknownOutcome::Fail);
    let signup = world.signs_up(&process, &tenant);
    for _ in 0..save {
        world.wire.script(Call::Signup, Fate::Works);
    }
    world.wire.script(Call::Signup, fate);
    process.works_on_signups();
    (process, signup)
}

/// The same until the process dies of it. Returns the signup as it is found.
pub fn dies_at_save(world: &World, save: usize, fate: Fate) -> Signup {
    let (process, signup) = meets(world, save, fate);
    world.run_for(SECOND * 3);
    assert!(!process.is_alive(), "there is a save of the number {save}");
    world.stored_signup(&signup)
}

/// The same for a customer who has finished the dialog.
fn dies_at(world: &World, save: usize, fate: Fate) -> Signup {
    world.customer_finishes();
    dies_at_save(world, save, fate)
}

/// Another process goes on to the end, with another code where that is needed.
fn another_finishes(world: &World, signup: &Signup) -> Signup {
    let process = world.idle_process();
    process.works_on_signups();
    world.run_for(SECOND * 35);
    let seen = world.stored_signup(signup);
    if seen.state == SignupState::Stopped {
        world.onboarding.give_code("code-2", TOKEN);
        let with = SignupRetry {
            code: Some(Secret::new("code-2")),
            ..SignupRetry::default()
        };
        world.retries(&process, &seen, with).expect("goes on");
        world.run_for(SECOND * 3);
    }
    world.stored_signup(signup)
}

fn assert_done_once(world: &World, signup: &Signup, exchanged: &[&str]) {
    assert_eq!(signup.state, SignupState::Done, "{signup:?}");
    assert!(is_bare(signup));
    let mut expected: Vec<String> = exchanged.iter().map(|code| format!("exchange {code}")).collect();
    expected.extend(["subscribe 900 the app's own URL".to_owned(), "register 501".to_owned()]);
    assert_eq!(world.onboarding.journal(), expected);
}

#[test]
fn crash_at_any_save_is_healed_by_another_process() {
    for save in 0..SAVES {
        for fate in [Fate::CrashesBefore, Fate::CrashesAfter] {
            in_each_kind(|world: &World| {
                let found = dies_at(world, save, fate);
                let done = another_finishes(world, &found);
                // Between Meta's exchange and the save of the token there is nothing that anybody could do.
                let is_lost = found.step == SignupStep::Exchange && found.lease.is_some();
                let was_exchanged = save == 1 && fate == Fate::CrashesBefore;
                assert_eq!(is_lost && was_exchanged, was_exchanged, "{found:?}");
                let exchanged: &[&str] = if was_exchanged {
                    &["code-1", "code-2"]
                } else {
                    &["code-1"]
                };
                assert_done_once(world, &done, exchanged);
                let pin = world.onboarding.pin("501");
                assert!(pin.is_some_and(|pin| pin.len() == 6));
            });
        }
    }
}

#[test]
fn there_are_so_many_saves_and_no_more() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let signup = world.signs_up(&process, &tenant);
        let saves = || world.wire.calls().iter().filter(|call| **call == Call::Signup).count();
        let before = saves();
        process.works_on_signups();
        world.run_for(SECOND * 3);
        let done = world.stored_signup(&signup);
        assert_eq!((done.state, saves() - before), (SignupState::Done, SAVES));
    });
}

#[test]
fn crash_between_the_number_in_its_tenant_and_the_save_is_found_by_the_token() {
    in_each_kind(|world: &World| {
        let found = dies_at(world, SAVES - 1, Fate::CrashesBefore);
        assert_eq!(found.step, SignupStep::Tenant);
        let done = another_finishes(world, &found);
        let end = end_of(&done, SignupStep::Tenant).expect("it is behind it");
        assert_eq!(end.1, Some("the tenant had the number with this token"));
    });
}

#[test]
fn crash_between_making_a_pin_and_registering_keeps_the_pin() {
    in_each_kind(|world: &World| {
        let mut found = None;
        for save in 0..SAVES {
            let seen = dies_at_in_world_of_its_own(save);
            if seen.pin_is_made && seen.step == SignupStep::Register {
                found = Some(save);
                break;
            }
        }
        let save = found.expect("the PIN has a save of its own");
        let seen = dies_at(world, save, Fate::CrashesAfter);
        assert!(
            seen.pin_is_made && world.onboarding.pin("501").is_none(),
            "Meta has not heard of it"
        );
        let done = another_finishes(world, &seen);
        assert_done_once(world, &done, &["code-1"]);
    });
}

fn dies_at_in_world_of_its_own(save: usize) -> Signup {
    let world = World::new(crate::world::Kind::Distributed);
    dies_at(&world, save, Fate::CrashesAfter)
}

#[test]
fn a_token_that_cannot_be_sealed_is_kept_in_memory_and_its_code_is_exchanged_once() {
    in_each_kind(|world: &World| {
        world.customer_finishes();
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let signup = world.signs_up(&process, &tenant);
        // The code opens, and then the key service is away for longer than a code lives.
        world.wire.script(Call::OpenToken, Fate::Works);
        for _ in 0..80 {
            world.wire.script(Call::OpenToken, Fate::FailsBefore);
        }
        process.works_on_signups();
        world.run_for(SECOND * 35);
        let seen = world.stored_signup(&signup);
        assert_eq!((seen.state, seen.step), (SignupState::Running, SignupStep::Exchange));
        assert_eq!(world.onboarding.journal(), ["exchange code-1"]);
        world.run_for(SECOND * 30);
        assert_done_once(world, &world.stored_signup(&signup), &["code-1"]);
    });
}

#[test]
fn a_save_that_the_store_does_not_take_is_made_again_and_the_code_is_exchanged_once() {
    for save in 0..SAVES {
        for fate in [Fate::FailsBefore, Fate::FailsAfter] {
            in_each_kind(|world: &World| {
                world.customer_finishes();
                let (_, signup) = meets(world, save, fate);
                world.run_for(SECOND * 60);
                assert_done_once(world, &world.stored_signup(&signup), &["code-1"]);
            });
        }
    }
}
