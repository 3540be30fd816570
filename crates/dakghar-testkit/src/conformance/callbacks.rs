//! The suite of [`CallbackStore`](dakghar_core::ports::CallbackStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::time::Duration;

use dakghar_core::domain::callback::{
    Advance, AttemptLog, CallEnd, CallbackException, CallbackProgress, EXCEPTIONS_MAX, ExceptionState, LastAttempt,
};
use dakghar_core::domain::page::{PAGE_BYTES_MAX, PAGE_TIME_MAX, PageLimit, Paged as _};
use dakghar_core::domain::{AttemptLogId, EndpointId, Place, TenantId};
use dakghar_core::ports::{ExceptionsAsked, Saved};

use super::read_pages;
use super::stores::Stores;
use crate::samples::{
    at, attempt_log, callback_exception, callback_exception_full, callback_progress, callback_progress_full, endpoint,
    tenant_id,
};

/// Runs the suite of `CallbackStore`: `callback_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! callback_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, callbacks:
            a_progress_is_kept_as_it_is
            a_save_needs_the_version_that_was_read
            of_two_savers_one_is_first
            each_of_a_batch_has_its_own_fate
            a_stale_save_moves_nothing
            a_repeated_save_is_stale_and_doubles_nothing
            an_empty_batch_is_nothing
            exceptions_are_kept_as_they_are
            an_exception_is_replaced_whole
            what_is_over_is_gone
            an_exception_that_is_over_at_once_is_not_there
            open_ones_and_dead_ones_are_listed_in_the_order_of_places
            pages_of_exceptions_end_at_their_bytes
            exceptions_are_found_by_their_places
            exceptions_are_counted_up_to_the_most_there_may_be
            an_advance_has_hundreds_of_exceptions
            attempts_are_kept_as_they_are_and_listed_newest_first
            pages_of_attempts_end_at_their_bytes
            old_attempts_and_dead_callbacks_are_forgotten_in_portions
            an_endpoint_is_forgotten_in_portions_and_no_other
            what_was_forgotten_does_not_come_back
        }
    };
}

/// The endpoint of a tenant.
#[derive(Clone, Copy)]
struct Of {
    tenant: TenantId,
    endpoint: EndpointId,
}

impl Of {
    fn new() -> Self {
        Self::tenant(tenant_id())
    }

    fn tenant(tenant: TenantId) -> Self {
        Self {
            tenant,
            endpoint: endpoint(tenant).id,
        }
    }

    /// An advance under this version that changes nothing else.
    fn advance(self, version: u64) -> Advance {
        Advance {
            progress: CallbackProgress {
                version,
                ..callback_progress(self.endpoint, self.tenant)
            },
            exceptions: Vec::new(),
            over: Vec::new(),
            attempts: None,
        }
    }

    fn exception(self, place: u64) -> CallbackException {
        callback_exception_full(self.endpoint, self.tenant, Place::new(place))
    }

    /// Exceptions in these states, at the places from 1 on.
    fn exceptions(self, states: impl IntoIterator<Item = ExceptionState>) -> Vec<CallbackException> {
        let in_state = |(state, place)| CallbackException {
            state,
            ..self.exception(place)
        };
        states.into_iter().zip(1..).map(in_state).collect()
    }
}

/// Writes it down, which must work.
async fn advance(stores: &Stores, advance: Advance) {
    assert_eq!(stores.callbacks.advance(&[advance]).await, [Ok(Saved::Done)]);
}

async fn progress(stores: &Stores, of: Of) -> Option<CallbackProgress> {
    let mut found = stores.callbacks.progress(&[of.endpoint]).await;
    assert_eq!(found.len(), 1, "one answer for one endpoint");
    found.remove(0).expect("the store answers")
}

/// All exceptions in a state, read page by page.
async fn exceptions(stores: &Stores, of: Of, asked: ExceptionsAsked, limit: PageLimit) -> Vec<CallbackException> {
    let (mut seen, mut after) = (Vec::new(), Place::START);
    for _ in 0..10_000 {
        let page = stores.callbacks.exceptions(&of.endpoint, asked, after, limit).await;
        let page = page.expect("the store answers");
        assert!(page.items.len() <= limit.items as usize, "{}", page.items.len());
        let bytes: usize = page.items.iter().map(CallbackException::bytes).sum();
        let last = page.items.last().map_or(0, CallbackException::bytes);
        assert!(
            bytes - last < limit.bytes,
            "it ends with the item by which it has its bytes"
        );
        seen.extend(page.items);
        let Some(next) = page.next else { return seen };
        assert!(after < next, "{after:?} is followed by {next:?}");
        after = next;
    }
    panic!("the pages do not end");
}

async fn open(stores: &Stores, of: Of) -> Vec<CallbackException> {
    exceptions(stores, of, ExceptionsAsked::Open, PageLimit::items(100)).await
}

async fn count(stores: &Stores, of: Of) -> [u32; 2] {
    let mut counts = [0; 2];
    for (count, asked) in counts.iter_mut().zip([ExceptionsAsked::Open, ExceptionsAsked::Dead]) {
        let counted = stores.callbacks.count_exceptions(&of.endpoint, asked).await;
        *count = counted.expect("the store answers");
    }
    counts
}

async fn attempts(stores: &Stores, of: Of, limit: PageLimit) -> Vec<AttemptLog> {
    let fetch = async |before| {
        let page = stores.callbacks.attempts(&of.endpoint, before, limit);
        page.await.expect("the store answers")
    };
    read_pages(limit.items, fetch).await
}

fn places(exceptions: &[CallbackException]) -> Vec<u64> {
    exceptions.iter().map(|found| found.placed.place.number()).collect()
}

fn log_ids(logs: &[AttemptLog]) -> Vec<AttemptLogId> {
    logs.iter().map(|log| log.id).collect()
}

const fn small(items: u32, bytes: usize) -> PageLimit {
    PageLimit {
        items,
        bytes,
        time: PAGE_TIME_MAX,
    }
}

pub async fn a_progress_is_kept_as_it_is(stores: Stores) {
    let (bare, full, unknown) = (Of::new(), Of::new(), Of::new());
    let bare_progress = callback_progress(bare.endpoint, bare.tenant);
    let full_progress = callback_progress_full(full.endpoint, full.tenant);
    let batch = [&bare_progress, &full_progress].map(|progress| Advance {
        progress: progress.clone(),
        ..bare.advance(0)
    });
    assert_eq!(
        stores.callbacks.advance(&batch).await,
        [Ok(Saved::Done), Ok(Saved::Done)]
    );
    let ids = [full.endpoint, unknown.endpoint, bare.endpoint, full.endpoint];
    let saved = |progress: &CallbackProgress| {
        Ok(Some(CallbackProgress {
            version: 1,
            ..progress.clone()
        }))
    };
    let (full_saved, bare_saved) = (saved(&full_progress), saved(&bare_progress));
    assert_eq!(
        stores.callbacks.progress(&ids).await,
        [full_saved.clone(), Ok(None), bare_saved, full_saved]
    );
    // What is not there any more is gone.
    let emptied = CallbackProgress {
        version: 1,
        ..callback_progress(full.endpoint, full.tenant)
    };
    advance(
        &stores,
        Advance {
            progress: emptied.clone(),
            ..full.advance(1)
        },
    )
    .await;
    assert_eq!(
        progress(&stores, full).await,
        Some(CallbackProgress { version: 2, ..emptied })
    );
}

pub async fn a_save_needs_the_version_that_was_read(stores: Stores) {
    let of = Of::new();
    let save = async |version| stores.callbacks.advance(&[of.advance(version)]).await;
    assert_eq!(save(3).await, [Ok(Saved::Stale)], "nothing is there yet");
    assert_eq!(progress(&stores, of).await, None);
    for version in 0..3 {
        assert_eq!(save(version).await, [Ok(Saved::Done)]);
        assert_eq!(
            progress(&stores, of).await.map(|found| found.version),
            Some(version + 1)
        );
    }
    for version in [0, 2, 4] {
        assert_eq!(save(version).await, [Ok(Saved::Stale)]);
    }
    assert_eq!(progress(&stores, of).await.map(|found| found.version), Some(3));
}

pub async fn of_two_savers_one_is_first(stores: Stores) {
    let of = Of::new();
    for version in 0..20 {
        let mine = [of.advance(version)];
        let mut theirs = [of.advance(version)];
        theirs[0].progress.after = Place::new(1_000);
        let (one, other) = tokio::join!(stores.callbacks.advance(&mine), stores.callbacks.advance(&theirs));
        let first_won = one == [Ok(Saved::Done)];
        let expected = if first_won {
            ([Ok(Saved::Done)], [Ok(Saved::Stale)])
        } else {
            ([Ok(Saved::Stale)], [Ok(Saved::Done)])
        };
        assert_eq!((one.as_slice(), other.as_slice()), (&expected.0[..], &expected.1[..]));
        let found = progress(&stores, of).await.expect("it was saved");
        assert_eq!(found.after == Place::START, first_won);
        assert_eq!(found.version, version + 1);
    }
}

pub async fn each_of_a_batch_has_its_own_fate(stores: Stores) {
    let [new, known, stale, forgotten, first_again] = [(); 5].map(|()| Of::new());
    for of in [known, stale, first_again] {
        advance(&stores, of.advance(0)).await;
    }
    advance(&stores, stale.advance(1)).await;
    let batch = [
        stale.advance(1),
        new.advance(0),
        forgotten.advance(7),
        known.advance(1),
        first_again.advance(0),
    ]
    .map(|advance| Advance {
        over: vec![Place::new(1)],
        attempts: Some(attempt_log(advance.progress.endpoint_id, advance.progress.tenant_id, 2)),
        ..advance
    });
    let saved = stores.callbacks.advance(&batch).await;
    let [done, not] = [Ok(Saved::Done), Ok(Saved::Stale)];
    assert_eq!(saved, [not.clone(), done.clone(), not.clone(), done, not]);
    let versions = [
        (new, Some(1)),
        (known, Some(2)),
        (stale, Some(2)),
        (forgotten, None),
        (first_again, Some(1)),
    ];
    for (of, version) in versions {
        assert_eq!(progress(&stores, of).await.map(|found| found.version), version);
    }
    for of in [new, known] {
        assert_eq!(attempts(&stores, of, PageLimit::items(5)).await.len(), 1);
    }
}

pub async fn a_stale_save_moves_nothing(stores: Stores) {
    let of = Of::new();
    advance(
        &stores,
        Advance {
            exceptions: vec![of.exception(1), of.exception(2)],
            ..of.advance(0)
        },
    )
    .await;
    let before = progress(&stores, of).await;
    let mut late = of.advance(0);
    late.progress.after = Place::new(9);
    late.over = vec![Place::new(1)];
    assert_eq!(stores.callbacks.advance(&[late]).await, [Ok(Saved::Stale)]);
    assert_eq!(progress(&stores, of).await, before);
    assert_eq!(
        places(&open(&stores, of).await),
        [1, 2],
        "what is not over for the store is there"
    );
}

pub async fn a_repeated_save_is_stale_and_doubles_nothing(stores: Stores) {
    let of = Of::new();
    let save = Advance {
        exceptions: vec![of.exception(1)],
        attempts: Some(attempt_log(of.endpoint, of.tenant, 3)),
        ..of.advance(0)
    };
    advance(&stores, save.clone()).await;
    let saved = stores.callbacks.advance(std::slice::from_ref(&save)).await;
    assert_eq!(saved, [Ok(Saved::Stale)]);
    // Under the present version, the same log is still the same.
    let mut again = save.clone();
    again.progress.version = 1;
    advance(&stores, again).await;
    assert_eq!(open(&stores, of).await, save.exceptions);
    let logs = attempts(&stores, of, PageLimit::items(5)).await;
    assert_eq!(logs, save.attempts.into_iter().collect::<Vec<_>>());
}

pub async fn an_empty_batch_is_nothing(stores: Stores) {
    let of = Of::new();
    assert_eq!(stores.callbacks.advance(&[]).await, []);
    assert_eq!(stores.callbacks.progress(&[]).await, []);
    assert_eq!(
        stores.callbacks.find_exceptions(&of.endpoint, &[]).await,
        Ok(Vec::new())
    );
    assert_eq!(open(&stores, of).await, []);
    assert_eq!(count(&stores, of).await, [0, 0]);
    assert_eq!(attempts(&stores, of, PageLimit::items(5)).await, []);
    assert_eq!(stores.callbacks.forget_attempts(at(1), 10).await, Ok(0));
    assert_eq!(
        stores.callbacks.forget_endpoint(&of.tenant, &of.endpoint, 10).await,
        Ok(0)
    );
}

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

pub async fn attempts_are_kept_as_they_are_and_listed_newest_first(stores: Stores) {
    let (of, other) = (Of::new(), Of::new());
    let mut logs = Vec::new();
    for version in 0..7 {
        for of in [of, other] {
            let log = attempt_log(of.endpoint, of.tenant, 3 * version + 1);
            let save = Advance {
                attempts: Some(log.clone()),
                ..of.advance(version)
            };
            advance(&stores, save).await;
            logs.push(log);
        }
    }
    logs.retain(|log| log.endpoint_id == of.endpoint);
    logs.reverse();
    for items in [1, 3, 7, 100] {
        assert_eq!(attempts(&stores, of, PageLimit::items(items)).await, logs);
    }
    let behind = stores
        .callbacks
        .attempts(&of.endpoint, Some(logs[2].id), PageLimit::items(2))
        .await
        .expect("the store answers");
    assert_eq!(log_ids(&behind.items), log_ids(&logs[3..5]));
}

pub async fn pages_of_attempts_end_at_their_bytes(stores: Stores) {
    let of = Of::new();
    for version in 0..5 {
        let save = Advance {
            attempts: Some(attempt_log(of.endpoint, of.tenant, 100)),
            ..of.advance(version)
        };
        advance(&stores, save).await;
    }
    // Each has more than a store may count for it here, however it counts.
    let page = stores.callbacks.attempts(&of.endpoint, None, small(100, 1_000)).await;
    let page = page.expect("the store answers");
    assert_eq!((page.items.len(), page.next.is_some()), (1, true));
    assert_eq!(attempts(&stores, of, small(100, 1_000)).await.len(), 5);
}

pub async fn old_attempts_and_dead_callbacks_are_forgotten_in_portions(stores: Stores) {
    let (of, other) = (Of::new(), Of::new());
    for (number, of) in [(0, of), (1, other)] {
        for version in 0..6 {
            let time = at(100 * version + number);
            let exception = |place, state, last| CallbackException {
                state,
                since: time,
                last,
                ..of.exception(place)
            };
            let last = of.exception(1).last.map(|last| LastAttempt { at: time, ..last });
            let place = 10 * version;
            let exceptions = vec![
                exception(place + 1, ExceptionState::Dead, last.clone()),
                exception(place + 2, ExceptionState::Behind, last.clone()),
                exception(place + 3, ExceptionState::Retrying(at(1)), last),
                exception(place + 4, ExceptionState::Dead, None),
            ];
            let log = AttemptLog {
                at: time,
                ..attempt_log(of.endpoint, of.tenant, 2)
            };
            let save = Advance {
                exceptions,
                attempts: Some(log),
                ..of.advance(version)
            };
            advance(&stores, save).await;
        }
    }
    // Before this time are, for the one, three logs and six dead ones, and for the other two and four.
    let before = at(201);
    let mut portions = Vec::new();
    loop {
        let forgotten = stores
            .callbacks
            .forget_attempts(before, 4)
            .await
            .expect("the store answers");
        portions.push(forgotten);
        if forgotten == 0 {
            break;
        }
    }
    assert_eq!(portions, [8, 5, 2, 0]);
    for (of, kept) in [(of, 3), (other, 4)] {
        let logs = attempts(&stores, of, PageLimit::items(50)).await;
        assert_eq!(logs.len(), kept);
        assert!(logs.iter().all(|log| log.at >= before));
        assert_eq!(count(&stores, of).await, [12, 2 * u32::try_from(kept).expect("a few")]);
    }
    assert_eq!(stores.callbacks.forget_attempts(at(10_000), 0).await, Ok(0));
}

pub async fn an_endpoint_is_forgotten_in_portions_and_no_other(stores: Stores) {
    let of = Of::new();
    let (beside, stranger) = (Of::tenant(of.tenant), Of::new());
    for of in [of, beside, stranger] {
        let states = [ExceptionState::Behind, ExceptionState::Dead, ExceptionState::Behind];
        for version in 0..2 {
            let save = Advance {
                exceptions: of.exceptions(states),
                attempts: Some(attempt_log(of.endpoint, of.tenant, 2)),
                ..of.advance(version)
            };
            advance(&stores, save).await;
        }
    }
    let forget = async |of: Of, limit| stores.callbacks.forget_endpoint(&of.tenant, &of.endpoint, limit).await;
    let mixed = Of {
        tenant: stranger.tenant,
        ..of
    };
    assert_eq!(forget(mixed, 100).await, Ok(0), "it is of another tenant");
    assert_eq!(forget(of, 0).await, Ok(0));
    for _ in 0..5 {
        assert!(progress(&stores, of).await.is_some(), "it goes last");
        assert_eq!(forget(of, 1).await, Ok(1));
    }
    assert_eq!(forget(of, 100).await, Ok(1));
    assert_eq!(forget(of, 100).await, Ok(0));
    assert_eq!((progress(&stores, of).await, count(&stores, of).await), (None, [0, 0]));
    assert_eq!(attempts(&stores, of, PageLimit::items(5)).await, []);
    for of in [beside, stranger] {
        assert_eq!(progress(&stores, of).await.map(|found| found.version), Some(2));
        assert_eq!(count(&stores, of).await, [2, 1]);
        assert_eq!(attempts(&stores, of, PageLimit::items(5)).await.len(), 2);
    }
}

pub async fn what_was_forgotten_does_not_come_back(stores: Stores) {
    let (of, beside) = (Of::new(), Of::new());
    let save = |of: Of, version| Advance {
        exceptions: vec![of.exception(1), of.exception(2)],
        attempts: Some(attempt_log(of.endpoint, of.tenant, 2)),
        ..of.advance(version)
    };
    for of in [of, beside] {
        advance(&stores, save(of, 0)).await;
    }
    let forgotten = stores.callbacks.forget_endpoint(&of.tenant, &of.endpoint, 100).await;
    assert_eq!(forgotten, Ok(4));
    let saved = stores.callbacks.advance(&[save(beside, 1), save(of, 1)]).await;
    assert_eq!(saved, [Ok(Saved::Done), Ok(Saved::Stale)]);
    assert_eq!((progress(&stores, of).await, count(&stores, of).await), (None, [0, 0]));
    assert_eq!(attempts(&stores, of, PageLimit::items(5)).await, []);
    assert_eq!(count(&stores, beside).await, [2, 0]);
}
