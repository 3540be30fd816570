//! The suite of [`PairLines`]: however many processes share them, they behave as one [`LinesOfNumber`] for each number.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::collections::HashMap;
use std::time::Duration;

use dakghar_core::domain::pair_line::{LinesOfNumber, PAIR_LINE_MAX, PAIR_LINES_MAX};
use dakghar_core::domain::{ConversationId, MessageId, PhoneNumberId, Timestamp};
use dakghar_core::ports::{Clock, PairAsk};
use uuid::Uuid;

use super::pacer::Port;
use crate::clock::WallClock;
use crate::samples::phone;

/// Runs the suite of `PairLines`: `pair_lines_suite!(factory)`, where the factory gives `Arc<dyn Pacer>`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! pair_lines_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, pair_lines:
            without_a_line_everything_may_go
            those_to_one_person_go_behind_the_one_that_was_refused
            lines_of_other_people_and_numbers_are_others
            one_that_is_put_back_begins_no_line
            a_number_has_so_many_lines_and_no_more
            a_long_line_keeps_the_order_of_the_first
            a_long_mixed_run_is_what_the_lines_of_the_core_would_do
        }
    };
}

/// A store may forget what lies in the past, so the cases happen now.
fn now() -> Timestamp {
    WallClock.now()
}

fn after(start: Timestamp, seconds: u64) -> Timestamp {
    start + Duration::from_secs(seconds)
}

fn ask(number: &str, person: u128, message: u128, now: Timestamp) -> PairAsk {
    PairAsk {
        phone_number_id: phone(number),
        conversation_id: ConversationId::from_uuid(Uuid::from_u128(person)),
        message_id: MessageId::from_uuid(Uuid::from_u128(message)),
        now,
    }
}

async fn turns(lines: &Port, asks: &[PairAsk]) -> Vec<Option<Timestamp>> {
    let turns = lines.turns(asks).await.expect("an answer");
    assert_eq!(turns.len(), asks.len());
    turns
}

async fn has_lines(lines: &Port, number: &str) -> bool {
    lines.have_lines(&[phone(number)]).await.expect("an answer")[0]
}

pub async fn without_a_line_everything_may_go(lines: Port) {
    let start = now();
    assert!(!has_lines(&lines, "1").await);
    assert_eq!(turns(&lines, &[]).await, []);
    let asks = [ask("1", 1, 1, start), ask("1", 1, 2, start), ask("2", 1, 3, start)];
    assert_eq!(turns(&lines, &asks).await, [None, None, None]);
    assert!(!has_lines(&lines, "1").await);
}

pub async fn those_to_one_person_go_behind_the_one_that_was_refused(lines: Port) {
    let start = now();
    lines.put_first(&ask("1", 1, 1, start), after(start, 6)).await;
    assert!(has_lines(&lines, "1").await);
    let asks = [ask("1", 1, 2, after(start, 1)), ask("1", 1, 3, after(start, 1))];
    let back = [Some(after(start, 12)), Some(after(start, 18))];
    assert_eq!(turns(&lines, &asks).await, back);
    let came = [
        (1, 6, None),
        // It comes back too early, and is told the same again.
        (3, 7, Some(after(start, 18))),
        (2, 12, None),
        (3, 18, None),
        // The next one has six seconds to wait, and then there is no line any more.
        (4, 19, Some(after(start, 24))),
        (4, 24, None),
        (5, 30, None),
        (6, 30, None),
    ];
    for (message, at, expected) in came {
        let turn = turns(&lines, &[ask("1", 1, message, after(start, at))]).await;
        assert_eq!(turn, [expected], "{message} at {at}");
    }
    assert!(!has_lines(&lines, "1").await);
}

pub async fn lines_of_other_people_and_numbers_are_others(lines: Port) {
    let start = now();
    lines.put_first(&ask("1", 1, 1, start), after(start, 6)).await;
    let asks = [
        ask("1", 2, 2, start),
        ask("2", 1, 3, start),
        ask("1", 1, 4, start),
        ask("1", 2, 5, start),
    ];
    let expected = [None, None, Some(after(start, 12)), None];
    assert_eq!(turns(&lines, &asks).await, expected);
    let have = lines.have_lines(&[phone("2"), phone("1")]).await.expect("an answer");
    assert_eq!(have, [false, true]);
}

pub async fn one_that_is_put_back_begins_no_line(lines: Port) {
    let start = now();
    lines.put_back(&ask("1", 1, 1, start), after(start, 6)).await;
    assert!(!has_lines(&lines, "1").await);
    lines.put_first(&ask("1", 1, 1, start), after(start, 6)).await;
    assert_eq!(turns(&lines, &[ask("1", 1, 2, start)]).await, [Some(after(start, 12))]);
    assert_eq!(turns(&lines, &[ask("1", 1, 1, after(start, 6))]).await, [None]);
    // The pace turned it away: it is the next one all the same.
    let later = after(start, 20);
    lines.put_back(&ask("1", 1, 1, after(start, 6)), later).await;
    let asks = [ask("1", 1, 2, after(start, 12)), ask("1", 1, 1, later)];
    assert_eq!(turns(&lines, &asks).await, [Some(after(start, 26)), None]);
}

pub async fn a_number_has_so_many_lines_and_no_more(lines: Port) {
    let start = now();
    let until = after(start, 6);
    for person in 0..=PAIR_LINES_MAX as u128 {
        lines.put_first(&ask("1", person, 1, start), until).await;
    }
    let beyond = ask("1", PAIR_LINES_MAX as u128, 2, start);
    assert_eq!(
        turns(&lines, &[beyond, ask("1", 0, 2, start)]).await,
        [None, Some(after(start, 12))]
    );
    // Long after, all of them are over, and there is room again.
    let long_after = after(start, 1_000);
    lines
        .put_first(&ask("1", PAIR_LINES_MAX as u128, 1, long_after), after(start, 1_006))
        .await;
    let asks = [
        ask("1", PAIR_LINES_MAX as u128, 2, long_after),
        ask("1", 0, 3, long_after),
    ];
    assert_eq!(turns(&lines, &asks).await, [Some(after(start, 1_012)), None]);
}

pub async fn a_long_line_keeps_the_order_of_the_first(lines: Port) {
    let start = now();
    lines.put_first(&ask("1", 1, 0, start), after(start, 6)).await;
    let asks: Vec<_> = (1..200).map(|message| ask("1", 1, message, start)).collect();
    let back = turns(&lines, &asks).await;
    for (place, back) in back.into_iter().enumerate() {
        let behind = (place + 1).min(PAIR_LINE_MAX) as u64;
        assert_eq!(back, Some(after(start, 6 + 6 * behind)), "{place}");
    }
}

pub async fn a_long_mixed_run_is_what_the_lines_of_the_core_would_do(lines: Port) {
    let mut model: HashMap<PhoneNumberId, LinesOfNumber> = HashMap::new();
    let mut at = now();
    for step in 0..600_u64 {
        // Any order does, as long as it is a mixed one.
        let drawn = |salt: u64, below: u64| (step + 1).wrapping_mul(2_654_435_761 + salt * 40_503) % 1_000_003 % below;
        at = at + Duration::from_millis(drawn(1, 4_000));
        let number = ["1", "2"][usize::try_from(drawn(2, 2)).expect("0 or 1")];
        let asked = ask(number, drawn(3, 3).into(), drawn(4, 6).into(), at);
        let until = at + Duration::from_millis(drawn(5, 30_000));
        let of_number = model.entry(asked.phone_number_id.clone()).or_default();
        let (pair, id) = (asked.conversation_id, asked.message_id);
        match drawn(6, 10) {
            0 => {
                of_number.put_first(pair, id, until, at);
                lines.put_first(&asked, until).await;
            }
            1 => {
                of_number.put_back(pair, id, until);
                lines.put_back(&asked, until).await;
            }
            _ => {
                let expected = of_number.turn(pair, id, at);
                let turn = turns(&lines, std::slice::from_ref(&asked)).await;
                assert_eq!(turn, [expected], "step {step}: {asked:?}");
            }
        }
    }
}
