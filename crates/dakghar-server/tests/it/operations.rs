//! Health, request ids, and what the service says when it cannot work.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use dakghar_core::domain::ErrorCode;
use dakghar_core::ports::StoreError;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{ADMIN_KEY, Service, Setup, request, with_key};

#[tokio::test]
async fn health_says_alive_whatever_the_store_does() {
    let service = Service::open();
    service
        .store
        .fail_with(Some(StoreError::Unavailable("no route to host".into())));
    let answer = service.get("/healthz").await;
    assert_eq!(
        answer.json,
        json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})
    );
}

#[tokio::test]
async fn readiness_names_what_is_down() {
    let ready = Service::open().get("/readyz").await;
    assert_eq!(ready.outcome(), (200, "-"));
    let up = |name: &str| json!({"name": name, "status": "up", "problem": null});
    assert_eq!(
        ready.json,
        json!({"status": "ready", "dependencies": [up("store"), up("queue")], "storeFullSince": null, "keyServiceAway": null, "metaUnreachable": null, "sendingHeldSince": null})
    );

    let service = Service::start(Setup::production());
    service
        .store
        .fail_with(Some(StoreError::Unavailable("db-7.internal refused".into())));
    let answer = service.get("/readyz").await;
    assert_eq!(answer.outcome(), (503, "-"));
    assert_eq!(answer.json["status"], "not_ready");
    assert_eq!(
        answer.json["dependencies"][0],
        json!({"name": "store", "status": "down", "problem": null})
    );
    let answer = service
        .call(with_key(request(http::Method::GET, "/readyz", None), Some(ADMIN_KEY)))
        .await;
    let problem = answer.json["dependencies"][0]["problem"]
        .as_str()
        .expect("for the operator");
    assert!(problem.contains("db-7.internal"), "{problem}");
}

#[tokio::test]
async fn a_sane_request_id_is_kept_and_another_is_replaced() {
    let service = Service::open();
    let ask = async |id: &str| {
        let request = Request::get("/nothing").header("x-request-id", id).body(Body::empty());
        let answer = service.call(request.expect("a request")).await;
        answer.header("x-request-id").expect("an id").to_owned()
    };
    assert_eq!(ask("Order_7.retry-2").await, "Order_7.retry-2");
    for refused in ["", "a b", "x\u{e9}", "<script>", &"x".repeat(65)] {
        let given = ask(refused).await;
        assert!(given.starts_with("req_") && given != ask(refused).await, "{given}");
    }
}

#[tokio::test]
async fn an_outage_is_a_problem_with_a_time_to_retry_and_no_internals() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let cases = [
        (
            StoreError::Unavailable("db-7.internal refused".into()),
            (503, "store_unavailable"),
            Some("2"),
        ),
        (StoreError::Full("/var/lib/db".into()), (507, "store_full"), Some("60")),
        (StoreError::Corrupt("page 7".into()), (500, "internal"), None),
        (
            StoreError::Unreadable("page 7".into()),
            (500, "record_unreadable"),
            None,
        ),
    ];
    for (outage, outcome, retry_after) in cases {
        service.store.fail_with(Some(outage));
        let message = json!({"to": "+919111111111", "text": "x"});
        for answer in [
            service.post(&format!("/tenants/{}/send", tenant.id), &message).await,
            service.get(&format!("/tenants/{}/messages", tenant.id)).await,
            service.get("/tenants").await,
            service.post("/whatsapp/webhook", &json!({})).await,
        ] {
            assert_eq!(answer.outcome(), outcome);
            assert_eq!(answer.header("retry-after"), retry_after);
            let text = &answer.text;
            assert!(
                !text.contains("db-7") && !text.contains("/var") && !text.contains("page 7"),
                "{text}"
            );
        }
        service.store.fail_with(None);
        service.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(service.queue.len(), 0);
}

/// Which of requests that fail one after the other with a code is logged.
#[tokio::test]
async fn what_fails_many_requests_is_told_once_and_when_it_is_over() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let failed = service.app.health.failed_requests().clone();
    let send = async || {
        service
            .post(
                &format!("/tenants/{}/send", tenant.id),
                &json!({"to": "+919111111111", "text": "x"}),
            )
            .await
    };
    service.store.fail_with(Some(StoreError::Full("/var/lib/db".into())));
    let full_since = service.app.wall().to_string();
    for _ in 0..3 {
        assert_eq!(send().await.outcome(), (507, "store_full"));
        assert!(!failed.note(ErrorCode::StoreFull), "the first one was told");
    }
    let ready = service.get("/readyz").await;
    assert_eq!(ready.outcome(), (503, "-"));
    assert_eq!(ready.json["storeFullSince"], full_since);
    // One that is not over is not told again, however long it goes on.
    service.clock.advance(Duration::from_secs(3600));
    failed.look().await;
    assert!(!failed.note(ErrorCode::StoreFull));
    service.clock.advance(Duration::from_secs(3600));
    service.store.fail_with(None);
    failed.look().await;
    assert_eq!(service.get("/readyz").await.json["storeFullSince"], json!(null));
    assert!(failed.note(ErrorCode::StoreFull), "the next one is told");
    failed.look().await;
    assert!(
        !failed.note(ErrorCode::StoreFull),
        "one that succeeds between those that fail is not the end"
    );
    for (code, is_counted) in [
        (ErrorCode::StoreUnavailable, true),
        (ErrorCode::Overloaded, true),
        (ErrorCode::Internal, false),
        (ErrorCode::InvalidSignature, false),
    ] {
        assert_eq!((failed.note(code), failed.note(code)), (true, !is_counted), "{code:?}");
    }
}

/// A full store is told and shown although nobody sends anything.
#[tokio::test]
async fn readiness_finds_out_that_the_store_is_full() {
    let service = Service::open();
    service.store.fail_with(Some(StoreError::Full("/var/lib/db".into())));
    let full_since = service.app.wall().to_string();
    assert_eq!(service.get("/readyz").await.json["storeFullSince"], full_since);
    assert!(!service.app.health.failed_requests().note(ErrorCode::StoreFull));
}

#[tokio::test]
async fn a_store_that_has_stopped_for_good_fails_the_check_of_health() {
    let service = Service::open();
    service.store.stop("the disk did not keep what was written");
    let answer = service.get("/healthz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json["status"], "stopped");
    assert!(!answer.text.contains("disk"), "{}", answer.text);
}

/// Who waits for the check of somebody else is answered in time, also when those before it hang up one after the other,
/// each while the check is its own.
#[tokio::test]
async fn nobody_who_asks_for_readiness_waits_for_the_checks_of_all_the_others() {
    let service = Service::open();
    service.store.hang();
    let mut others: Vec<_> = (0..6).map(|_| Box::pin(service.get("/readyz").fuse())).collect();
    for other in &mut others {
        assert!(futures_util::poll!(other.as_mut()).is_pending());
    }
    let hang_up = async {
        while !others.is_empty() {
            // Less than a check takes; all of these together take four seconds.
            let next = Duration::from_millis(650);
            let _ = tokio::time::timeout(next, join_all(others.iter_mut().map(Pin::as_mut))).await;
            drop(others.remove(0));
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(3), async {
        tokio::select! {
            answer = service.get("/readyz") => answer,
            () = hang_up => panic!("all the others come first"),
        }
    });
    let answer = answer.await.expect("in time");
    assert_eq!(answer.outcome(), (503, "-"));
    assert_eq!(answer.json["dependencies"][0]["status"], "down");
}
