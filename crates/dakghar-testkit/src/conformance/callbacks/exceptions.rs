//! What endpoints have not taken.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::time::Duration;

use dakghar_core::domain::Place;
use dakghar_core::domain::callback::{
    Advance, CallEnd, CallbackException, EXCEPTIONS_MAX, ExceptionState, LastAttempt,
};
use dakghar_core::domain::page::{PAGE_BYTES_MAX, PageLimit, Paged as _};
use dakghar_core::ports::{ExceptionsAsked, Saved};

use super::super::stores::Stores;
use crate::samples::{at, callback_exception};

use super::steps::{Of, advance, count, exceptions, open, places, small};

pub async fn exceptions_are_kept_as_they_are(stores: Stores) {
    let of = Of::new();
    let ends = ["200", "503", "dns", "blocked", "connect", "tls", "timeout", "protocol"];
    let mut kept: Vec<CallbackException> = ends
        .iter()
        .zip(1..)
        .map(|(end, place)| CallbackException {
            last: Some(LastAttempt {
                at: at(place),
                took: Duration::from_millis(place),
                end: CallEnd::parse(end).expect("an end"),
                answer: (place % 2 == 0).then(|| "x".repeat(1_024)),
            }),
            ..of.exception(place)
        })
        .collect();
    kept.push(callback_exception(
        of.endpoint,
        of.tenant,
        Place::new(u64::from(u32::MAX) * 2),
    ));
    advance(
        &stores,
        Advance {
            exceptions: kept.clone(),
            ..of.advance(0)
        },
    )
    .await;
    assert_eq!(open(&stores, of).await, kept);
}

pub async fn an_exception_is_replaced_whole(stores: Stores) {
    let of = Of::new();
    let bare = |state| CallbackException {
        state,
        ..callback_exception(of.endpoint, of.tenant, Place::new(1))
    };
    let states = [
        of.exception(1),
        bare(ExceptionState::Behind),
        bare(ExceptionState::Dead),
        of.exception(1),
        bare(ExceptionState::Dead),
    ];
    for (version, exception) in (0..).zip(states) {
        let asked = match exception.state {
            ExceptionState::Dead => [vec![], vec![exception.clone()]],
            _ => [vec![exception.clone()], vec![]],
        };
        advance(
            &stores,
            Advance {
                exceptions: vec![exception],
                ..of.advance(version)
            },
        )
        .await;
        let dead = exceptions(&stores, of, ExceptionsAsked::Dead, PageLimit::items(5)).await;
        assert_eq!([open(&stores, of).await, dead], asked);
    }
}

pub async fn what_is_over_is_gone(stores: Stores) {
    let (of, other) = (Of::new(), Of::new());
    for of in [of, other] {
        advance(
            &stores,
            Advance {
                exceptions: of.exceptions([ExceptionState::Behind, ExceptionState::Dead, ExceptionState::Behind]),
                ..of.advance(0)
            },
        )
        .await;
    }
    // One that is not there is over as well.
    let over = [1, 2, 77].map(Place::new).to_vec();
    advance(&stores, Advance { over, ..of.advance(1) }).await;
    assert_eq!(places(&open(&stores, of).await), [3]);
    assert_eq!(count(&stores, of).await, [1, 0]);
    assert_eq!(count(&stores, other).await, [2, 1]);
}

pub async fn an_exception_that_is_over_at_once_is_not_there(stores: Stores) {
    let of = Of::new();
    let at_once = Advance {
        exceptions: vec![of.exception(1), of.exception(2)],
        over: vec![Place::new(1)],
        ..of.advance(0)
    };
    advance(&stores, at_once).await;
    assert_eq!(places(&open(&stores, of).await), [2]);
}

pub async fn open_ones_and_dead_ones_are_listed_in_the_order_of_places(stores: Stores) {
    let (of, other) = (Of::new(), Of::new());
    // In hexadecimal and in decimal digits, the order of the texts would be another one.
    let all = [300, 9, 10, 16, 2, 11, 1, 255, 256, 4_000_000_000, 12];
    for of in [of, other] {
        let exceptions = all.map(|place| CallbackException {
            state: match place % 3 {
                0 => ExceptionState::Dead,
                1 => ExceptionState::Behind,
                _ => ExceptionState::Retrying(at(place % 7)),
            },
            ..of.exception(place)
        });
        advance(
            &stores,
            Advance {
                exceptions: exceptions.to_vec(),
                ..of.advance(0)
            },
        )
        .await;
    }
    let mut sorted = all;
    sorted.sort_unstable();
    for (asked, is_dead) in [(ExceptionsAsked::Open, false), (ExceptionsAsked::Dead, true)] {
        let expected: Vec<u64> = sorted
            .iter()
            .copied()
            .filter(|place| (place % 3 == 0) == is_dead)
            .collect();
        for items in [1, 2, 3, 100] {
            let listed = exceptions(&stores, of, asked, PageLimit::items(items)).await;
            assert_eq!(places(&listed), expected);
        }
        let from = stores
            .callbacks
            .exceptions(&of.endpoint, asked, Place::new(expected[1]), PageLimit::items(1))
            .await
            .expect("the store answers");
        assert_eq!(
            (places(&from.items), from.next),
            (vec![expected[2]], Some(Place::new(expected[2])))
        );
    }
}

pub async fn pages_of_exceptions_end_at_their_bytes(stores: Stores) {
    let of = Of::new();
    for (version, state) in [(0, ExceptionState::Behind), (1, ExceptionState::Dead)] {
        let kept = of.exceptions([state; 12]);
        advance(
            &stores,
            Advance {
                exceptions: kept.clone(),
                ..of.advance(version)
            },
        )
        .await;
        let asked = if version == 0 {
            ExceptionsAsked::Open
        } else {
            ExceptionsAsked::Dead
        };
        for bytes in [1, kept[0].bytes(), kept[0].bytes() + 1, PAGE_BYTES_MAX] {
            assert_eq!(exceptions(&stores, of, asked, small(100, bytes)).await, kept);
        }
        let page = stores
            .callbacks
            .exceptions(&of.endpoint, asked, Place::START, small(100, 2 * kept[0].bytes()));
        assert_eq!(places(&page.await.expect("the store answers").items), [1, 2]);
    }
}

pub async fn exceptions_are_found_by_their_places(stores: Stores) {
    let (of, other) = (Of::new(), Of::new());
    let kept = of.exceptions([ExceptionState::Behind, ExceptionState::Dead, ExceptionState::Behind]);
    let beside = other.exceptions([ExceptionState::Behind; 5]);
    for (of, exceptions) in [(of, &kept), (other, &beside)] {
        advance(
            &stores,
            Advance {
                exceptions: exceptions.clone(),
                ..of.advance(0)
            },
        )
        .await;
    }
    let asked = [1, 2, 5].map(Place::new);
    let found = stores.callbacks.find_exceptions(&of.endpoint, &asked).await;
    assert_eq!(found, Ok(kept[..2].to_vec()));
}

pub async fn exceptions_are_counted_up_to_the_most_there_may_be(stores: Stores) {
    const AT_ONCE: u64 = 1_010;
    let (of, other) = (Of::new(), Of::new());
    advance(
        &stores,
        Advance {
            exceptions: other.exceptions([ExceptionState::Dead, ExceptionState::Behind, ExceptionState::Dead]),
            ..other.advance(0)
        },
    )
    .await;
    for version in 0..10 {
        let exceptions = (1..=AT_ONCE).map(|place| {
            let place = Place::new(version * AT_ONCE + place);
            callback_exception(of.endpoint, of.tenant, place)
        });
        advance(
            &stores,
            Advance {
                exceptions: exceptions.collect(),
                ..of.advance(version)
            },
        )
        .await;
        let all = u32::try_from((version + 1) * AT_ONCE).expect("a few");
        assert_eq!(count(&stores, of).await, [all.min(EXCEPTIONS_MAX), 0]);
    }
    assert_eq!(count(&stores, other).await, [1, 2]);
}

pub async fn an_advance_has_hundreds_of_exceptions(stores: Stores) {
    let all: [Of; 3] = [(); 3].map(|()| Of::new());
    let batch = all.map(|of| Advance {
        exceptions: (1..=700).map(|place| of.exception(place)).collect(),
        ..of.advance(0)
    });
    let saved = stores.callbacks.advance(&batch).await;
    assert!(saved.iter().all(|saved| *saved == Ok(Saved::Done)), "{saved:?}");
    for (of, written) in all.into_iter().zip(&batch) {
        let listed = exceptions(&stores, of, ExceptionsAsked::Open, PageLimit::items(200)).await;
        assert_eq!(listed, written.exceptions);
    }
    let of = all[0];
    let over = (1..=699).map(Place::new).collect();
    advance(&stores, Advance { over, ..of.advance(1) }).await;
    assert_eq!(places(&open(&stores, of).await), [700]);
}
