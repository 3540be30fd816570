//! The pace of one number, step by step.

use super::*;

const START: Timestamp = Timestamp::from_millis(1_760_000_000_000);
/// A level whose slots are 20 ms apart.
const FIFTY: f64 = 50.0 / 0.95;

/// The pace of a number that has learned the largest share.
fn grown() -> Pace {
    let mut pace = Pace::default();
    pace.share.begin(us(START - Duration::from_secs(60)));
    pace
}

fn ms(at: Timestamp) -> u128 {
    at.since(START).as_millis()
}

fn after(ms: u64) -> Timestamp {
    START + Duration::from_millis(ms)
}

fn slots<const N: usize>(pace: &mut Pace, priority: Priority) -> [u128; N] {
    [(); N].map(|()| ms(pace.reserve(START, FIFTY, priority)))
}

/// The messages that pass at this time, of `count` at most, until the first that does not.
fn passes(pace: &mut Pace, at: Timestamp, level: f64, count: u32) -> u32 {
    let passed = (0..count).take_while(|_| pace.admit(at, level, Priority::Normal) == Admission::Go);
    passed.map(|_| 1).sum()
}

#[test]
fn slots_are_spread_at_the_rate_and_a_backlog_delays_only_its_own_lane() {
    let mut pace = grown();
    assert_eq!(slots(&mut pace, Priority::Normal), [0, 20, 40, 60, 80]);
    for _ in 0..1_000_000 {
        pace.reserve(START, FIFTY, Priority::Low);
    }
    assert_eq!(
        slots(&mut pace, Priority::High),
        [0, 27],
        "beside two others: 21/16 of 20 ms, rounded up"
    );
    assert_eq!(slots(&mut pace, Priority::Normal), [100, 125, 150]);
}

#[test]
fn lanes_share_the_pace_by_their_weights_as_long_as_others_wait() {
    let mut pace = grown();
    for _ in 0..50 {
        pace.reserve(START, FIFTY, Priority::High);
    }
    let low: [u128; 4] = slots(&mut pace, Priority::Low);
    assert_eq!(low, [0, 340, 680, 1_020], "the urgent ones are through after a second");
    assert_eq!(ms(pace.reserve(START, FIFTY, Priority::Low)), 1_040);
}

#[test]
fn a_number_that_still_learns_turns_none_of_a_backlog_away_and_keeps_its_order() {
    for per_second in [20_u32, 80, 1_000] {
        let (mut pace, level) = (Pace::default(), f64::from(per_second));
        let slots: Vec<Timestamp> = (0..30 * per_second)
            .map(|_| pace.reserve(START, level, Priority::Normal))
            .collect();
        for (place, slot) in slots.iter().enumerate() {
            let admission = pace.admit(*slot, level, Priority::Normal);
            assert_eq!(admission, Admission::Go, "the message {place} of level {level}");
        }
        let took = slots.last().expect("some").since(START);
        assert!((30..=36).contains(&took.as_secs()), "{took:?} of level {level}");
    }
}

#[test]
fn a_refunded_slot_is_used_again() {
    let mut pace = grown();
    slots::<2>(&mut pace, Priority::Normal);
    pace.refund(1, FIFTY, Priority::Normal);
    assert_eq!(slots(&mut pace, Priority::Normal), [20]);
    let mut pace = grown();
    slots::<20>(&mut pace, Priority::High);
    for priority in [Priority::Low, Priority::High] {
        let first = pace.reserve(START, FIFTY, priority);
        pace.refund(1, FIFTY, priority);
        assert_eq!(pace.reserve(START, FIFTY, priority), first, "shared with others");
    }
}

#[test]
fn the_gate_holds_the_rate_whatever_the_slots_say() {
    let mut pace = Pace::default();
    let mut waiting: Vec<Timestamp> = vec![START; 500];
    let mut passed = Vec::new();
    while let Some(next) = waiting.iter().copied().min() {
        let index = waiting.iter().position(|at| *at == next).expect("the least is there");
        waiting.swap_remove(index);
        match pace.admit(next, FIFTY, Priority::Normal) {
            Admission::Go => passed.push(ms(next)),
            Admission::Later(at) => {
                assert!(at > next);
                waiting.push(at);
            }
        }
    }
    for second in 0..9u128 {
        let count = passed.iter().filter(|at| **at / 1000 == second).count();
        assert!((33..=52).contains(&count), "{count} in second {second}");
    }
}

#[test]
fn a_batch_of_a_fast_number_passes_the_gate_together_and_a_second_holds_its_limit() {
    let mut pace = Pace::default();
    assert_eq!(passes(&mut pace, START, 1_000.0, 128), 128);
    let in_a_second: u32 = 128
        + (1..50)
            .map(|n| passes(&mut pace, after(n * 20), 1_000.0, 128))
            .sum::<u32>();
    assert!((640..=820).contains(&in_a_second), "{in_a_second} of a limit of 1,000");
}

#[test]
fn no_second_exceeds_the_level_at_any_share_however_often_messages_come() {
    for level in [20.0, 40.0, 80.0, 250.0, 1_000.0, 3_000.0] {
        for (learned_ms, period) in [(0, 1), (3_000, 1), (8_000, 90), (13_000, 7), (60_000, 1), (60_000, 100)] {
            let mut pace = Pace::default();
            passes(&mut pace, START, level, 1);
            // All of three seconds after a silence, first in small steps, then in longer ones.
            let passed = (0..3_000).map(|n| {
                let asks = n < 500 || n % period == 0;
                passes(
                    &mut pace,
                    after(10_000 + learned_ms + n),
                    level,
                    if asks { 400 } else { 0 },
                )
            });
            let passed: Vec<u32> = passed.collect();
            let most = passed.windows(1_000).map(|second| second.iter().sum::<u32>()).max();
            assert!(f64::from(most.unwrap()) <= level, "{most:?} of {level}");
        }
    }
}

#[test]
fn a_worker_that_comes_ten_times_a_second_gets_four_fifths() {
    for level in [80.0, 1_000.0] {
        let mut pace = Pace::default();
        passes(&mut pace, START, level, 1);
        let passed: u32 = (0..100)
            .map(|n| passes(&mut pace, after(60_000 + n * 100), level, 1_000))
            .sum();
        assert!(
            (7.9..=9.5).contains(&(f64::from(passed) / level)),
            "{passed} of {level}"
        );
    }
}

#[test]
fn a_slow_number_may_send_a_few_at_once() {
    let mut pace = Pace::default();
    assert_eq!(passes(&mut pace, START, 1.0, 20), 6);
    assert_eq!(passes(&mut pace, after(60_000), 1.0, 20), 6);
}

#[test]
fn the_share_grows_from_two_thirds_to_the_largest_and_a_refusal_takes_a_part_of_it() {
    let mut pace = Pace::default();
    pace.admit(START, FIFTY, Priority::Normal);
    let share_at = |pace: &Pace, seconds: u64| pace.share.at(us(after(seconds * 1_000)));
    assert_eq!(share_at(&pace, 0), SHARE_FIRST);
    assert_eq!(share_at(&pace, 10), SHARE_FIRST * 5 / 4);
    assert_eq!(share_at(&pace, 14), SHARE_MAX);
    assert_eq!(share_at(&pace, 1_000_000), SHARE_MAX);
    pace.pause_until(after(20_000), after(21_000));
    assert_eq!(share_at(&pace, 21), 665_000);
    // Refusals of calls that were under way, and what an earlier one says late.
    pace.pause_until(after(20_500), after(22_000));
    pace.pause_until(after(21_500), after(21_900));
    assert_eq!(share_at(&pace, 22), 665_000, "it does not grow in the pause");
    assert_eq!(share_at(&pace, 39), SHARE_MAX);
    for n in 0..10 {
        pace.pause_until(after(40_000 + n * 15_000), after(55_000 + n * 15_000));
    }
    assert_eq!(share_at(&pace, 190), SHARE_MIN);
    assert_eq!(share_at(&pace, 230), SHARE_MAX);
}

#[test]
fn a_number_that_must_slow_down_waits() {
    let mut pace = Pace::default();
    pace.pause_until(START, after(2_000));
    let Admission::Later(at) = pace.admit(START, FIFTY, Priority::High) else {
        panic!("passed")
    };
    assert_eq!(ms(at), 2000);
    assert_eq!(pace.admit(at, FIFTY, Priority::High), Admission::Go);
    assert_eq!(ms(pace.reserve(START, FIFTY, Priority::Normal)), 2000);
}

#[test]
fn urgent_ones_that_are_turned_away_are_spread() {
    let mut pace = Pace::default();
    pace.pause_until(START, after(2_000));
    let turned_away = [(); 3].map(|()| pace.admit(START, FIFTY, Priority::High));
    // The pause took a part of the share.
    assert_eq!(turned_away, [2_000, 2_042, 2_084].map(|at| Admission::Later(after(at))));
}

#[test]
fn what_a_clock_that_was_ahead_reserved_is_the_same_wait_from_now() {
    for ahead in [60, 3_600, 86_400] {
        let mut pace = Pace::default();
        let wrong = START + Duration::from_secs(ahead);
        pace.look(wrong);
        for _ in 0..500 {
            for priority in Priority::ALL {
                pace.reserve(wrong, FIFTY, priority);
            }
        }
        for _ in 0..100 {
            pace.admit(wrong, FIFTY, Priority::High);
        }
        pace.pause_until(wrong, wrong + Duration::from_secs(500));
        pace.look(START);
        for priority in Priority::ALL {
            assert_eq!(ms(pace.reserve(START, FIFTY, priority)), 500_000);
        }
        assert_eq!(pace.share.at(us(after(500_000))), SHARE_FIRST * 7 / 10);
        assert!(pace.share.at(us(after(510_000))) > SHARE_FIRST * 7 / 10);
        pace.forget_beyond(START);
        let paused = pace.admit(START, FIFTY, Priority::High);
        assert_eq!(paused, Admission::Later(after(500_000)));
    }
}

#[test]
fn clocks_that_agree_more_or_less_share_what_is_reserved() {
    let mut pace = grown();
    pace.look(START + CLOCKS_APART_MAX);
    pace.reserve(START + CLOCKS_APART_MAX, FIFTY, Priority::Normal);
    pace.look(START);
    assert_eq!(ms(pace.reserve(START, FIFTY, Priority::Normal)), 5_020);
}

#[test]
fn a_raised_rate_is_in_force_within_the_window() {
    for priority in Priority::ALL {
        let mut pace = Pace::default();
        for _ in 0..1000 {
            pace.reserve(START, 1.0, priority);
        }
        pace.forget_beyond(START + Duration::from_secs(60));
        assert_eq!(ms(pace.reserve(START, 1000.0, priority)), 60_000);
        assert!(!pace.is_idle(START));
        assert!(pace.is_idle(START + Duration::from_secs(61)));
    }
}
