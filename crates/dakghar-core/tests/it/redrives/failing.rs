//! Saves that fail, and redrives that do.

use super::*;

#[test]
fn a_slot_of_a_message_that_could_not_be_stored_is_given_back() {
    in_each_kind(|world: &World| {
        let (process, tenant, letters) = world.expired(LETTERS);
        // So slow that slots which are not given back would add up.
        world.slow_down(&process, &tenant);
        let redrive = world.begin(&process, &tenant, asked());
        world.work(&process);
        for _ in 0..200 {
            world.wire.script(Call::Save, Fate::FailsBefore);
            world.run_for(SECOND);
            let working = process.clone();
            let failed = world.step(async move { working.work_on_redrives().await });
            assert!(failed.is_err());
        }
        let done = world.work_until_done(&process, &redrive);
        assert_eq!(done.settled, redriven(LETTERS));
        for letter in letters {
            let slot_at = world.look(letter).0.delivery.slot_at.expect("a slot");
            assert!(slot_at <= world.now() + MINUTE, "{slot_at} at {}", world.now());
        }
    });
}

#[test]
fn a_redrive_that_fails_costs_the_others_nothing() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let numbers = ["111", "112", "113", "114", "115", "116", "117", "118"];
        let tenants = numbers.map(|number| world.tenant_with(&process, number, "token-1", UnknownOutcome::Fail));
        let letters: Vec<_> = tenants
            .iter()
            .map(|tenant| world.accept_until(&process, &tenant.id, SECOND * 30))
            .collect();
        world.reconcile_after(&process, SECOND * 31);
        let redrives: Vec<_> = tenants
            .iter()
            .map(|tenant| world.begin(&process, tenant, asked()))
            .collect();
        world.work(&process);
        world.run_for(SECOND);
        world.wire.script(Call::Save, Fate::FailsBefore);
        let working = process.clone();
        let failed = world.step(async move { working.work_on_redrives().await });
        assert!(failed.is_err());
        let sent = world.times_redriven(&letters).iter().sum::<usize>();
        // Four are worked on at a time. One or more of the first four fail; the other four are sent all the same.
        assert!((4..letters.len()).contains(&sent), "{sent} of {}", letters.len());
        for redrive in &redrives {
            assert_eq!(world.work_until_done(&process, redrive).settled, redriven(1));
        }
    });
}
