//! A process dies at any save of a departure, before it or behind it: another one finishes, and Meta did nothing twice.

use dakghar_core::domain::Tenant;
use dakghar_core::domain::departure::{Departure, DepartureState};

use super::all_of_it;
use crate::steps::{SECOND, in_each_kind};
use crate::world::World;
use crate::world::wire::{Call, Fate};

/// More saves than a departure has.
const SAVES_MAX: usize = 60;
/// Each of its steps has one at least.
const SAVES_MIN: usize = 10;

/// The story until the process dies at the save of this number. `None` if there is none.
fn dies_at(world: &World, save: usize, fate: Fate) -> Option<(Tenant, Departure)> {
    let (process, tenant) = world.connected();
    let departure = world.leaves(&process, &tenant, all_of_it());
    for _ in 0..save {
        world.wire.script(Call::Departure, Fate::Works);
    }
    world.wire.script(Call::Departure, fate);
    process.works_on_departures();
    world.run_for(SECOND * 20);
    (!process.is_alive()).then_some((tenant, departure))
}

#[test]
fn crash_at_any_save_is_healed_by_another_process() {
    for fate in [Fate::CrashesBefore, Fate::CrashesAfter] {
        let mut died = 0;
        for save in 0..SAVES_MAX {
            let before = died;
            let counted = std::cell::Cell::new(0);
            in_each_kind(|world: &World| {
                let Some((tenant, departure)) = dies_at(world, save, fate) else {
                    return;
                };
                counted.set(counted.get() + 1);
                let process = world.idle_process();
                process.works_on_departures();
                world.run_for(SECOND * 70);
                let done = world.stored_departure(&departure);
                assert_eq!(done.state, DepartureState::Done, "{save} {fate:?}: {done:?}");
                assert_eq!(world.tenant_left(&tenant), None);
                let journal = world.onboarding.journal();
                assert_eq!(
                    journal,
                    ["unsubscribe 900", "deregister 501", "revoke"],
                    "{save} {fate:?}"
                );
            });
            died += usize::from(counted.get() > 0);
            if died == before {
                break;
            }
        }
        assert!((SAVES_MIN..SAVES_MAX).contains(&died), "{died} saves");
    }
}

#[test]
fn crash_between_a_call_whose_answer_is_lost_and_its_save_does_nothing_twice() {
    in_each_kind(|world: &World| {
        for call in ["unsubscribe", "deregister", "revoke"] {
            world.onboarding.lose_next(call);
        }
        let (process, tenant) = world.connected();
        let departure = world.leaves(&process, &tenant, all_of_it());
        process.works_on_departures();
        world.run_for(SECOND * 30);
        let done = world.stored_departure(&departure);
        assert_eq!(done.state, DepartureState::Done, "{done:?}");
        let journal = world.onboarding.journal();
        assert_eq!(journal, ["unsubscribe 900", "deregister 501", "revoke"]);
    });
}
