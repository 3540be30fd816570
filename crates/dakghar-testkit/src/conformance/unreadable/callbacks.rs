//! How far endpoints are, what they have not taken, and the attempts.

use dakghar_core::domain::callback::{Advance, AttemptLog, CallbackException, ExceptionState};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{AttemptLogId, EndpointId, Place, TenantId};
use dakghar_core::ports::{EndpointInserted, ExceptionsAsked, Saved};

use super::super::read_pages;
use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::{
    at, attempt_log, callback_exception, callback_exception_full, callback_progress, callback_progress_full, endpoint,
    tenant_id,
};

/// An endpoint with exceptions in a state, of which every one but each third is broken then.
async fn mixed_exceptions(
    port: &Breakable,
    (tenant, endpoint_id): (TenantId, EndpointId),
    state: ExceptionState,
) -> (Vec<CallbackException>, Vec<CallbackException>) {
    // Each at a place that nothing else has.
    let first = if state == ExceptionState::Dead { 1_001 } else { 1 };
    let places = first..first + MIXED as u64;
    let exceptions = places.map(|place| CallbackException {
        state,
        ..callback_exception_full(endpoint_id, tenant, Place::new(place))
    });
    let advance = Advance {
        progress: callback_progress(endpoint_id, tenant),
        exceptions: exceptions.collect(),
        over: Vec::new(),
        attempts: None,
    };
    let saved = port.stores.callbacks.advance(std::slice::from_ref(&advance)).await;
    assert_eq!(saved, [Ok(Saved::Done)]);
    let (whole, broken) = thirds(advance.exceptions);
    let records = broken
        .iter()
        .map(|exception| Record::Exception(endpoint_id, exception.placed.place));
    port.break_all(records).await;
    (whole, broken)
}

fn new_endpoint() -> (TenantId, EndpointId) {
    let tenant = tenant_id();
    (tenant, endpoint(tenant).id)
}

/// Covers `CallbackStore::progress` and `CallbackStore::advance`.
pub async fn it_is_a_progress_error_of_its_own(port: Breakable) {
    let tenant = tenant_id();
    let advances: Vec<Advance> = (0..MIXED)
        .map(|_| Advance {
            progress: callback_progress_full(endpoint(tenant).id, tenant),
            exceptions: Vec::new(),
            over: Vec::new(),
            attempts: None,
        })
        .collect();
    let store = &port.stores.callbacks;
    let saved = store.advance(&advances).await;
    assert!(saved.iter().all(|saved| *saved == Ok(Saved::Done)), "{saved:?}");
    let (whole, broken) = thirds(advances);
    port.break_all(
        broken
            .iter()
            .map(|advance| Record::Progress(advance.progress.endpoint_id)),
    )
    .await;
    let (first, beside) = (&broken[0].progress, &whole[0].progress);
    let found = store.progress(&[first.endpoint_id, beside.endpoint_id]).await;
    assert!(is_unreadable(&found[0]), "{found:?}");
    let ids: Vec<EndpointId> = broken.iter().map(|advance| advance.progress.endpoint_id).collect();
    assert!(store.progress(&ids).await.iter().all(is_unreadable));
    let Ok(Some(found)) = &found[1] else {
        panic!("{found:?}")
    };
    // The one beside it moves on, in the same batch as one that nobody can have read.
    let advance = |progress| Advance {
        progress,
        ..whole[0].clone()
    };
    let saved = store.advance(&[advance(first.clone()), advance(found.clone())]).await;
    assert_eq!(saved, [Ok(Saved::Stale), Ok(Saved::Done)]);
}

/// Covers `CallbackStore::exceptions`, `CallbackStore::find_exceptions` and `CallbackStore::count_exceptions`.
pub async fn exceptions_beside_it_are_listed_and_found(port: Breakable) {
    for (state, asked) in [
        (ExceptionState::Retrying(at(9)), ExceptionsAsked::Open),
        (ExceptionState::Dead, ExceptionsAsked::Dead),
    ] {
        let (tenant, endpoint_id) = new_endpoint();
        let (whole, broken) = mixed_exceptions(&port, (tenant, endpoint_id), state).await;
        let store = &port.stores.callbacks;
        let (mut seen, mut after) = (Vec::new(), Place::START);
        loop {
            let page = store.exceptions(&endpoint_id, asked, after, PageLimit::items(3)).await;
            let page = page.expect("the store answers");
            seen.extend(page.items);
            let Some(next) = page.next else { break };
            after = next;
        }
        assert_eq!(seen, whole);
        let places: Vec<Place> = whole.iter().chain(&broken).map(|found| found.placed.place).collect();
        let mut found = store
            .find_exceptions(&endpoint_id, &places)
            .await
            .expect("the store answers");
        found.sort_by_key(|found| found.placed.place);
        assert_eq!(found, whole);
        // Nobody knows whether it was delivered, so it counts.
        let count = store.count_exceptions(&endpoint_id, asked).await;
        assert_eq!(count, Ok(u32::try_from(MIXED).expect("a few")));
        // What is written over one makes it whole.
        let mended = CallbackException {
            state,
            ..callback_exception(endpoint_id, tenant, broken[0].placed.place)
        };
        let mut progress = callback_progress(endpoint_id, tenant);
        progress.version = 1;
        let advance = Advance {
            progress,
            exceptions: vec![mended.clone()],
            over: broken[1..].iter().map(|broken| broken.placed.place).collect(),
            attempts: None,
        };
        assert_eq!(store.advance(&[advance]).await, [Ok(Saved::Done)]);
        let found = store.find_exceptions(&endpoint_id, &places[whole.len()..]).await;
        assert_eq!(found, Ok(vec![mended]));
    }
}

/// Covers `CallbackStore::attempts`.
pub async fn attempts_beside_it_are_listed(port: Breakable) {
    let (tenant, endpoint_id) = new_endpoint();
    let mut logs = Vec::new();
    for version in 0..MIXED as u64 {
        let mut progress = callback_progress(endpoint_id, tenant);
        progress.version = version;
        let log = attempt_log(endpoint_id, tenant, 3);
        logs.push(log.clone());
        let advance = Advance {
            progress,
            exceptions: Vec::new(),
            over: Vec::new(),
            attempts: Some(log),
        };
        assert_eq!(port.stores.callbacks.advance(&[advance]).await, [Ok(Saved::Done)]);
    }
    let (whole, broken) = thirds(logs);
    port.break_all(broken.iter().map(|log| Record::AttemptLog(endpoint_id, log.id)))
        .await;
    let fetch = async |before| {
        let page = port
            .stores
            .callbacks
            .attempts(&endpoint_id, before, PageLimit::items(3));
        page.await.expect("the store answers")
    };
    let ids = |logs: &[AttemptLog]| logs.iter().map(|log| log.id).collect::<Vec<AttemptLogId>>();
    let mut seen = read_pages(3, fetch).await;
    seen.reverse();
    assert_eq!(ids(&seen), ids(&whole));
}

/// Covers `CallbackStore::forget_attempts` and `CallbackStore::forget_endpoint`.
pub async fn it_is_forgotten_like_the_others(port: Breakable) {
    let (tenant, endpoint_id) = new_endpoint();
    let (whole, broken) = mixed_exceptions(&port, (tenant, endpoint_id), ExceptionState::Dead).await;
    let store = &port.stores.callbacks;
    let all = (whole.len() + broken.len()) as u64;
    let later = whole.iter().filter_map(CallbackException::dead_at).max().expect("some");
    let later = later + std::time::Duration::from_hours(1);
    assert_eq!(store.forget_attempts(later, 1_000).await, Ok(all));
    let (_, broken) = mixed_exceptions(&port, new_endpoint(), ExceptionState::Behind).await;
    let endpoint_id = broken[0].endpoint_id;
    let tenant = broken[0].placed.entry.tenant_id;
    port.break_all([Record::Progress(endpoint_id)]).await;
    assert_eq!(store.forget_endpoint(&tenant, &endpoint_id, 1_000).await, Ok(all + 1));
}

/// Covers `CallbackStore::gone_endpoints`.
pub async fn it_is_not_gone(port: Breakable) {
    let tenant = tenant_id();
    let endpoint = endpoint(tenant);
    let inserted = port.stores.endpoints.insert_endpoint(&endpoint).await;
    assert_eq!(inserted, Ok(EndpointInserted::Done));
    let advance = Advance {
        progress: callback_progress(endpoint.id, tenant),
        exceptions: vec![callback_exception(endpoint.id, tenant, Place::new(1))],
        over: Vec::new(),
        attempts: None,
    };
    assert_eq!(port.stores.callbacks.advance(&[advance]).await, [Ok(Saved::Done)]);
    let records = [
        Record::Endpoint(endpoint.id),
        Record::Progress(endpoint.id),
        Record::Exception(endpoint.id, Place::new(1)),
    ];
    port.break_all(records).await;
    let gone = port.stores.callbacks.gone_endpoints(None, 1_000_000).await;
    let gone = gone.expect("the store answers");
    assert!(gone.next.is_some_and(|next| next >= endpoint.id));
    assert!(gone.found.iter().all(|(_, id)| *id != endpoint.id));
}
