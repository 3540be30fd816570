//! The crashes between what an advance writes, and answers that are lost.

use bson::{Document, doc};
use dakghar_core::domain::callback::{Advance, CallbackProgress};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{EndpointId, Place, TenantId};
use dakghar_core::ports::{CallbackStore as _, Erasure as _, ExceptionsAsked, Saved, StoreError};
use dakghar_testkit::fault_proxy::Hold;
use dakghar_testkit::require_services;
use dakghar_testkit::samples::{attempt_log, callback_exception_full, callback_progress, endpoint, tenant_id};

use super::database;
use super::faults::Behind;

/// The second advance of an endpoint: one entry is over, one is new, and there are attempts.
fn second(tenant: TenantId, endpoint_id: EndpointId) -> Advance {
    Advance {
        progress: CallbackProgress {
            after: Place::new(9),
            version: 1,
            ..callback_progress(endpoint_id, tenant)
        },
        exceptions: vec![callback_exception_full(endpoint_id, tenant, Place::new(8))],
        over: vec![Place::new(1)],
        attempts: Some(attempt_log(endpoint_id, tenant, 3)),
    }
}

/// A store with an endpoint that has an exception at the first place.
async fn begun() -> (Behind, Advance) {
    let behind = Behind::start().await;
    let tenant = tenant_id();
    let endpoint_id = endpoint(tenant).id;
    let first = Advance {
        progress: callback_progress(endpoint_id, tenant),
        exceptions: vec![callback_exception_full(endpoint_id, tenant, Place::new(1))],
        over: Vec::new(),
        attempts: None,
    };
    assert_eq!(behind.store.advance(&[first]).await, [Ok(Saved::Done)]);
    (behind, second(tenant, endpoint_id))
}

/// What the server has of an endpoint: the place, the places of the exceptions, and how many logs.
async fn left(behind: &Behind, endpoint_id: EndpointId) -> (u64, Vec<u64>, usize) {
    let store = &behind.store;
    let mut progress = store.progress(&[endpoint_id]).await;
    let progress = progress.remove(0).expect("the server answers").expect("it is there");
    let limit = PageLimit::items(10);
    let open = store
        .exceptions(&endpoint_id, ExceptionsAsked::Open, Place::START, limit)
        .await;
    let open = open.expect("the server answers").items;
    let logs = store.attempts(&endpoint_id, None, limit).await;
    (
        progress.after.number(),
        open.iter().map(|open| open.placed.place.number()).collect(),
        logs.expect("the server answers").items.len(),
    )
}

/// Advances, and lets the network break at the first command that has these bytes; the server never hears of that one.
async fn crash_at(behind: &Behind, bytes: &[u8], advance: &Advance) -> Result<Saved, StoreError> {
    let caught = behind.proxy.caught();
    behind.proxy.trap(bytes, Hold::Request);
    let breaking = async {
        behind.proxy.until_caught(caught + 1).await;
        // What goes on beside it may end.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        behind.proxy.refuse().await;
    };
    let (mut saved, ()) = tokio::join!(behind.store.advance(std::slice::from_ref(advance)), breaking);
    behind.proxy.heal().await;
    saved.remove(0)
}

/// Advances, until what a transaction that never ended keeps from others is free: the server is told to end it.
async fn advance_when_free(behind: &Behind, advance: &Advance) -> Result<Saved, StoreError> {
    for _ in 0..100 {
        let saved = behind.store.advance(std::slice::from_ref(advance)).await.remove(0);
        if !matches!(saved, Err(StoreError::Unavailable(_))) {
            return saved;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("it is never free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_commit_leaves_everything_as_it_was() {
    require_services!(Mongo);
    let steps: [&[u8]; 4] = [
        b"callback_progress",
        b"callback_exceptions",
        b"\x02delete\0",
        b"commitTransaction",
    ];
    for step in steps {
        let (behind, advance) = begun().await;
        let endpoint_id = advance.progress.endpoint_id;
        let saved = crash_at(&behind, step, &advance).await;
        assert!(matches!(saved, Err(StoreError::Unavailable(_))), "{saved:?}");
        assert_eq!(left(&behind, endpoint_id).await, (0, vec![1], 0));
        assert_eq!(advance_when_free(&behind, &advance).await, Ok(Saved::Done));
        assert_eq!(left(&behind, endpoint_id).await, (9, vec![8], 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_attempts_leaves_the_place_moved() {
    require_services!(Mongo);
    let (behind, advance) = begun().await;
    let endpoint_id = advance.progress.endpoint_id;
    let saved = crash_at(&behind, b"callback_attempts", &advance).await;
    assert!(matches!(saved, Err(StoreError::Unavailable(_))), "{saved:?}");
    assert_eq!(left(&behind, endpoint_id).await, (9, vec![8], 0));
    assert_eq!(behind.store.advance(&[advance]).await, [Ok(Saved::Stale)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advance_without_an_answer_is_looked_up() {
    require_services!(Mongo);
    for has_exceptions in [true, false] {
        let (behind, mut advance) = begun().await;
        let mut open = vec![8];
        if !has_exceptions {
            (advance.exceptions, advance.over, open) = (Vec::new(), Vec::new(), vec![1]);
        }
        let endpoint_id = advance.progress.endpoint_id;
        let caught = behind.proxy.caught();
        let last: &[u8] = if has_exceptions {
            b"commitTransaction"
        } else {
            b"callback_progress"
        };
        behind.proxy.trap(last, Hold::Reply);
        let saved_there = async {
            behind.proxy.until_caught(caught + 1).await;
            let progress = database(&behind.server)
                .await
                .collection::<Document>("callback_progress");
            let by_version = doc! { "_id": endpoint_id.to_string(), "version": 2_i64 };
            while progress
                .find_one(by_version.clone())
                .await
                .expect("the server answers")
                .is_none()
            {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            behind.proxy.disarm();
            behind.proxy.cut();
        };
        let batch = [advance.clone()];
        let (saved, ()) = tokio::join!(behind.store.advance(&batch), saved_there);
        assert_eq!(saved, [Ok(Saved::Done)]);
        assert_eq!(left(&behind, endpoint_id).await, (9, open, 1));
        // Whoever did not get that answer either asks again.
        assert_eq!(behind.store.advance(&batch).await, [Ok(Saved::Stale)]);
    }
}

/// An endpoint is removed before its first save, by whoever still delivers to it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_of_an_endpoint_that_is_gone_is_erased_with_its_tenant() {
    require_services!(Mongo);
    let (behind, mut advance) = begun().await;
    let CallbackProgress {
        endpoint_id, tenant_id, ..
    } = advance.progress;
    let forget = behind.store.forget_endpoint(&tenant_id, &endpoint_id, 100);
    assert!(forget.await.expect("the server answers") > 0);
    assert_eq!(behind.store.advance(&[advance.clone()]).await, [Ok(Saved::Stale)]);
    advance.progress.version = 0;
    assert_eq!(behind.store.advance(&[advance]).await, [Ok(Saved::Done)]);
    let database = database(&behind.server).await;
    let exceptions = database.collection::<Document>("callback_exceptions");
    let left = async || exceptions.count_documents(doc! {}).await.expect("the server answers");
    assert_eq!(left().await, 1);
    // The progress, its exception, and the attempts.
    assert_eq!(behind.store.erase(&tenant_id, 100).await, Ok(3));
    assert_eq!(left().await, 0);
}
