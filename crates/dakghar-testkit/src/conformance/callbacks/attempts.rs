//! Attempts, and forgetting.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::callback::{Advance, AttemptLog, CallbackException, ExceptionState, LastAttempt};
use dakghar_core::domain::endpoint::Endpoint;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::ports::{EndpointInserted, Saved};

use super::super::stores::Stores;
use crate::samples::{at, attempt_log, endpoint, tenant_id};

use super::steps::{Of, advance, attempts, count, log_ids, progress, small};

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

pub async fn what_is_kept_of_endpoints_that_are_gone_is_found(stores: Stores) {
    let tenant = tenant_id();
    let [with_both, with_exceptions, in_place, made_anew] = [(); 4].map(|()| Of::tenant(tenant));
    let stranger = Of::new();
    for of in [with_both, with_exceptions, in_place, made_anew, stranger] {
        let states = [ExceptionState::Behind, ExceptionState::Dead];
        let save = Advance {
            exceptions: of.exceptions(states),
            ..of.advance(0)
        };
        advance(&stores, save).await;
    }
    // Those that are there: one under its own id, and one that was made anew under the id of another one.
    for (seat, id, kept_under) in [
        (1, in_place.endpoint, in_place.endpoint),
        (2, with_both.endpoint, made_anew.endpoint),
    ] {
        let endpoint = Endpoint {
            id,
            kept_under,
            seat,
            ..endpoint(tenant)
        };
        assert_eq!(
            stores.endpoints.insert_endpoint(&endpoint).await,
            Ok(EndpointInserted::Done)
        );
    }
    for limit in [1, 2, 1_000] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let gone = stores.callbacks.gone_endpoints(after, limit).await;
            let gone = gone.expect("the store answers");
            assert!(gone.found.len() <= limit as usize);
            found.extend(gone.found);
            let Some(next) = gone.next else { break };
            assert!(after < Some(next));
            after = Some(next);
        }
        found.retain(|(of, _)| [tenant, stranger.tenant].contains(of));
        let mut expected = [with_both, with_exceptions, stranger].map(|of| (of.tenant, of.endpoint));
        expected.sort_by_key(|(_, id)| *id);
        assert_eq!(found, expected, "{limit} at once");
    }
    let none = stores
        .callbacks
        .gone_endpoints(None, 0)
        .await
        .expect("the store answers");
    assert_eq!((none.found, none.next), (vec![], None));
}
