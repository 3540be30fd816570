//! The suite of [`CallbackStore`](dakghar_core::ports::CallbackStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod attempts;
mod exceptions;
mod steps;

pub use attempts::*;
pub use exceptions::*;

use dakghar_core::domain::Place;
use dakghar_core::domain::callback::{Advance, CallbackException, CallbackProgress};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::ports::Saved;

use super::stores::Stores;
use steps::{Of, advance, attempts, count, open, places, progress};

use crate::samples::{at, attempt_log, callback_progress, callback_progress_full};

/// Runs the suite of `CallbackStore`: `callback_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! callback_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, callbacks:
            a_progress_is_kept_as_it_is
            a_save_of_an_endpoint_needs_the_version_that_was_read
            of_two_who_save_an_endpoint_one_is_first
            each_of_a_batch_has_its_own_fate
            a_stale_save_moves_nothing
            a_stale_save_writes_no_exceptions
            whoever_saves_first_has_its_exceptions_and_nobody_elses
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
            what_is_kept_of_endpoints_that_are_gone_is_found
        }
    };
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

pub async fn a_save_of_an_endpoint_needs_the_version_that_was_read(stores: Stores) {
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

pub async fn of_two_who_save_an_endpoint_one_is_first(stores: Stores) {
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

/// Of an earlier run of the endpoint, whose calls ended late: the present one would never learn of what it writes.
pub async fn a_stale_save_writes_no_exceptions(stores: Stores) {
    let (of, other, new) = (Of::new(), Of::new(), Of::new());
    let kept = of.exception(2);
    advance(
        &stores,
        Advance {
            exceptions: vec![kept.clone()],
            ..of.advance(0)
        },
    )
    .await;
    advance(&stores, of.advance(1)).await;
    let changed = CallbackException {
        attempts: kept.attempts + 1,
        ..kept.clone()
    };
    for version in [0, 1] {
        let late = Advance {
            exceptions: vec![of.exception(1), changed.clone(), of.exception(3)],
            attempts: Some(attempt_log(of.endpoint, of.tenant, 2)),
            ..of.advance(version)
        };
        // What shares its batch is written all the same.
        let beside = Advance {
            exceptions: vec![other.exception(version + 1)],
            ..other.advance(version)
        };
        assert_eq!(
            stores.callbacks.advance(&[late, beside]).await,
            [Ok(Saved::Stale), Ok(Saved::Done)]
        );
        assert_eq!(open(&stores, of).await, std::slice::from_ref(&kept));
        assert_eq!(attempts(&stores, of, PageLimit::items(5)).await, []);
    }
    assert_eq!(places(&open(&stores, other).await), [1, 2]);
    let never_saved = Advance {
        exceptions: vec![new.exception(1)],
        ..new.advance(1)
    };
    assert_eq!(stores.callbacks.advance(&[never_saved]).await, [Ok(Saved::Stale)]);
    assert_eq!((open(&stores, new).await, progress(&stores, new).await), (vec![], None));
}

pub async fn whoever_saves_first_has_its_exceptions_and_nobody_elses(stores: Stores) {
    let of = Of::new();
    for version in 0..10 {
        let [mine, theirs] = [100, 200].map(|from| Advance {
            exceptions: vec![of.exception(from + version)],
            over: [99, 199].map(|from| Place::new(from + version)).to_vec(),
            ..of.advance(version)
        });
        let (mine, theirs) = ([mine], [theirs]);
        let (one, other) = tokio::join!(stores.callbacks.advance(&mine), stores.callbacks.advance(&theirs));
        let (done, stale) = ([Ok(Saved::Done)], [Ok(Saved::Stale)]);
        let expected = match (one == done, other == done) {
            (true, false) => 100 + version,
            (false, true) => 200 + version,
            _ => panic!("{one:?} and {other:?}"),
        };
        assert!(one == stale || other == stale, "{one:?} and {other:?}");
        assert_eq!(places(&open(&stores, of).await), [expected]);
    }
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
