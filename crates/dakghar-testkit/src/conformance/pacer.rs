//! The suite of [`Pacer`]: however many processes share it, it behaves as one [`Pace`] for each number.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::message::Priority;
use dakghar_core::domain::pacing::{Admission, Pace};
use dakghar_core::domain::{PhoneNumberId, Timestamp};
use dakghar_core::ports::{Clock, Pacer, SlotAsk};

use crate::clock::WallClock;
use crate::samples::phone;

/// The port of the cases.
pub type Port = Arc<dyn Pacer>;

/// Runs the suite of `Pacer`: `pacer_suite!(factory)`, where the factory gives `Arc<dyn Pacer>`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! pacer_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, pacer:
            slots_are_an_interval_apart
            a_slot_is_never_before_the_time_asked_for
            slots_answer_in_the_order_asked
            numbers_do_not_wait_for_each_other
            priorities_have_their_lanes
            a_refund_moves_the_next_slot_forward
            the_gate_lets_a_burst_pass
            the_gate_gives_those_it_turns_away_a_slot
            a_pause_holds_slots_and_gate
            what_is_forgotten_binds_nobody
            slots_asked_for_at_once_are_all_different
            a_long_mixed_run_is_what_one_pace_would_do
        }
    };
}

/// A level whose slots are a tenth of a second apart.
const LEVEL: f64 = 10.0 / 0.95;

fn ask(number: &str, not_before: Timestamp) -> SlotAsk {
    SlotAsk {
        phone_number_id: phone(number),
        level: LEVEL,
        priority: Priority::Normal,
        not_before,
    }
}

async fn reserve(pacer: &Port, asks: &[SlotAsk]) -> Vec<Timestamp> {
    let slots = pacer.reserve(asks).await.expect("the pacer answers");
    assert_eq!(slots.len(), asks.len());
    slots
}

async fn admit(pacer: &Port, asks: &[SlotAsk]) -> Vec<Admission> {
    let admissions = pacer.admit(asks).await.expect("the pacer answers");
    assert_eq!(admissions.len(), asks.len());
    admissions
}

/// Lets numbers learn the largest share of their level, so that slots are as far apart as [`LEVEL`] says.
async fn learned(pacer: &Port, numbers: &[&str], start: Timestamp) {
    let long_ago = start - Duration::from_secs(60);
    let asks: Vec<SlotAsk> = numbers.iter().map(|number| ask(number, long_ago)).collect();
    admit(pacer, &asks).await;
}

fn after(start: Timestamp, ms: u64) -> Timestamp {
    start + Duration::from_millis(ms)
}

/// A store may forget what lies in the past, so the cases happen now.
fn now() -> Timestamp {
    WallClock.now()
}

pub async fn slots_are_an_interval_apart(pacer: Port) {
    let start = now();
    learned(&pacer, &["1"], start).await;
    let slots = reserve(&pacer, &[0; 4].map(|_| ask("1", start))).await;
    assert_eq!(slots, [0, 100, 200, 300].map(|ms| after(start, ms)));
    assert_eq!(reserve(&pacer, &[ask("1", start)]).await, [after(start, 400)]);
    assert_eq!(reserve(&pacer, &[]).await, []);
}

pub async fn a_slot_is_never_before_the_time_asked_for(pacer: Port) {
    let start = now();
    learned(&pacer, &["1"], start).await;
    reserve(&pacer, &[ask("1", start)]).await;
    let later = after(start, 5_000);
    assert_eq!(reserve(&pacer, &[ask("1", later)]).await, [later]);
    assert_eq!(reserve(&pacer, &[ask("1", start)]).await, [after(start, 5_100)]);
}

pub async fn slots_answer_in_the_order_asked(pacer: Port) {
    let start = now();
    learned(&pacer, &["1", "2"], start).await;
    let asks = ["1", "2", "1", "2", "1"].map(|number| ask(number, start));
    let expected = [0, 0, 100, 100, 200].map(|ms| after(start, ms));
    assert_eq!(reserve(&pacer, &asks).await, expected);
}

pub async fn numbers_do_not_wait_for_each_other(pacer: Port) {
    let start = now();
    reserve(&pacer, &[0; 50].map(|_| ask("1", start))).await;
    assert_eq!(reserve(&pacer, &[ask("2", start)]).await, [start]);
}

pub async fn priorities_have_their_lanes(pacer: Port) {
    let start = now();
    learned(&pacer, &["1"], start).await;
    let with = |priority| SlotAsk {
        priority,
        ..ask("1", start)
    };
    let (high, normal, low) = (with(Priority::High), with(Priority::Normal), with(Priority::Low));
    let asks = [&normal, &normal, &high, &low, &normal, &low, &high].map(Clone::clone);
    // The first of a lane waits for nobody. The next one has its share beside the lanes whose next slots are later.
    let expected = [0, 100, 0, 0, 200, 2_100, 125].map(|ms| after(start, ms));
    assert_eq!(reserve(&pacer, &asks).await, expected);
}

pub async fn a_refund_moves_the_next_slot_forward(pacer: Port) {
    let start = now();
    learned(&pacer, &["1"], start).await;
    let asks = [0; 4].map(|_| ask("1", start));
    reserve(&pacer, &asks).await;
    pacer.refund(&asks[..2]).await;
    assert_eq!(reserve(&pacer, &[ask("1", start)]).await, [after(start, 200)]);
}

pub async fn the_gate_lets_a_burst_pass(pacer: Port) {
    let start = now();
    let mut pace = Pace::default();
    let asks = [0; 10].map(|_| ask("1", start));
    let expected: Vec<_> = asks.iter().map(|ask| pace.admit(start, LEVEL, ask.priority)).collect();
    assert_eq!(expected[0], Admission::Go);
    assert!(matches!(expected[9], Admission::Later(_)));
    assert_eq!(admit(&pacer, &asks).await, expected);
    assert_eq!(admit(&pacer, &[ask("2", start)]).await, [Admission::Go]);
    assert_eq!(admit(&pacer, &[]).await, []);
}

pub async fn the_gate_gives_those_it_turns_away_a_slot(pacer: Port) {
    let start = now();
    let mut turned_away = Vec::new();
    for admission in admit(&pacer, &[0; 30].map(|_| ask("1", start))).await {
        if let Admission::Later(slot) = admission {
            turned_away.push(slot);
        }
    }
    assert!(turned_away.is_sorted_by(|earlier, later| later.since(*earlier) >= Duration::from_millis(99)));
    let last = *turned_away.last().expect("a burst is shorter than 30");
    assert!(reserve(&pacer, &[ask("1", start)]).await[0] > last);
}

pub async fn a_pause_holds_slots_and_gate(pacer: Port) {
    let start = now();
    let until = after(start, 9_000);
    pacer.pause_until(&phone("1"), start, until).await;
    // An earlier end does not shorten it.
    pacer.pause_until(&phone("1"), start, after(start, 1_000)).await;
    assert_eq!(reserve(&pacer, &[ask("1", start)]).await, [until]);
    let admission = admit(&pacer, &[ask("1", start)]).await.remove(0);
    assert!(
        matches!(admission, Admission::Later(slot) if slot >= until),
        "{admission:?}"
    );
    assert_eq!(admit(&pacer, &[ask("1", until)]).await, [Admission::Go]);
    assert_eq!(admit(&pacer, &[ask("2", start)]).await, [Admission::Go]);
}

pub async fn what_is_forgotten_binds_nobody(pacer: Port) {
    let start = now();
    let slow = SlotAsk {
        level: 0.01,
        ..ask("1", start)
    };
    reserve(&pacer, &[0; 5].map(|_| slow.clone())).await;
    pacer.forget_beyond(&phone("1"), after(start, 60_000)).await;
    assert_eq!(reserve(&pacer, &[ask("1", start)]).await, [after(start, 60_000)]);
    pacer.forget_beyond(&phone("1"), start).await;
    assert_eq!(reserve(&pacer, &[ask("1", start)]).await, [start]);
    // A number that nobody asked for has nothing to forget.
    pacer.forget_beyond(&phone("2"), start).await;
    assert_eq!(reserve(&pacer, &[ask("2", start)]).await, [start]);
}

pub async fn slots_asked_for_at_once_are_all_different(pacer: Port) {
    let start = now();
    learned(&pacer, &["1"], start).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let pacer = pacer.clone();
            tokio::spawn(async move { reserve(&pacer, &[0; 10].map(|_| ask("1", start))).await })
        })
        .collect();
    let mut slots = Vec::new();
    for task in tasks {
        slots.extend(task.await.expect("no panic"));
    }
    slots.sort();
    let expected: Vec<_> = (0..200).map(|index| after(start, index * 100)).collect();
    assert_eq!(slots, expected);
}

pub async fn a_long_mixed_run_is_what_one_pace_would_do(pacer: Port) {
    let mut reference: HashMap<PhoneNumberId, Pace> = HashMap::new();
    let mut now = now();
    let levels = [80.0, 650.0, 0.7, 13.37];
    for round in 0..60usize {
        now = after(now, (round as u64 * 7_919) % 83);
        let asks: Vec<_> = (0..7)
            .map(|index| SlotAsk {
                phone_number_id: phone(["1", "2", "3"][(round + index) % 3]),
                level: levels[(round + index) % 3],
                priority: Priority::ALL[(round * 5 + index) % 3],
                not_before: now,
            })
            .collect();
        let each = asks.iter();
        if round % 2 == 0 {
            let expected: Vec<_> = each
                .map(|ask| {
                    let pace = reference.entry(ask.phone_number_id.clone()).or_default();
                    pace.reserve(now, ask.level, ask.priority)
                })
                .collect();
            assert_eq!(reserve(&pacer, &asks).await, expected, "round {round}");
        } else {
            let expected: Vec<_> = each
                .map(|ask| {
                    let pace = reference.entry(ask.phone_number_id.clone()).or_default();
                    pace.admit(now, ask.level, ask.priority)
                })
                .collect();
            assert_eq!(admit(&pacer, &asks).await, expected, "round {round}");
        }
    }
}
