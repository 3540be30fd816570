//! Each app has a webhook URL of its own, which takes nothing of another app.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::body::Body;
use axum::http::Request;
use dakghar_core::app::DefaultApp;
use dakghar_core::domain::AppId;
use dakghar_core::metrics::IngestGap;
use dakghar_core::ports::StoreError;
use serde_json::json;

use crate::harness::{ADMIN_KEY, APP_SECRET, Answer, Service, Setup, VERIFY_TOKEN};

const OF_SETTINGS: &str = "111";
const APP: &str = "670843887433847";
const SECRET: &str = "first-secret-of-the-app";
const TOKEN: &str = "token-of-the-app";
const OTHER: &str = "670843887433848";
const OTHER_SECRET: &str = "first-secret-of-the-other";
const OTHER_TOKEN: &str = "token-of-the-other";
const BODY: &str = r#"{"entry":[]}"#;

/// The apps: id, secret and verify token of each.
const APPS: [(&str, &str, &str); 3] = [
    (OF_SETTINGS, APP_SECRET, VERIFY_TOKEN),
    (APP, SECRET, TOKEN),
    (OTHER, OTHER_SECRET, OTHER_TOKEN),
];

fn production() -> Service {
    let mut service = Service::start(Setup {
        default_app: DefaultApp {
            id: AppId::parse(OF_SETTINGS).ok(),
            secrets: 1,
            secret: None,
        },
        ..Setup::production()
    });
    service.key = Some(ADMIN_KEY.into());
    service
}

async fn with_apps() -> Service {
    let service = production();
    for (id, secret, token) in &APPS[1..] {
        let app = json!({"appId": id, "name": "Partner", "secret": secret, "verifyToken": token});
        let answer = service.post("/apps", &app).await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
        assert_eq!(answer.json["webhookPath"], format!("/whatsapp/webhook/{id}"));
    }
    service
}

async fn posted(service: &Service, id: &str, secret: Option<&str>) -> Answer {
    let mut post = Request::post(format!("/whatsapp/webhook/{id}"));
    if let Some(secret) = secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, BODY.as_bytes());
        let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        post = post.header("x-hub-signature-256", format!("sha256={digits}"));
    }
    service.call(post.body(Body::from(BODY)).expect("a request")).await
}

async fn verified(service: &Service, id: &str, token: &str) -> Answer {
    let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=7");
    service.get(&format!("/whatsapp/webhook/{id}?{query}")).await
}

#[tokio::test]
async fn the_url_of_an_app_takes_its_own_and_refuses_everything_else() {
    let service = with_apps().await;
    for (named, ..) in APPS {
        for (id, secret, token) in APPS {
            let (post, get) = (
                posted(&service, named, Some(secret)).await,
                verified(&service, named, token).await,
            );
            if id == named {
                assert_eq!((post.status.as_u16(), get.status.as_u16()), (200, 200), "{id}");
                assert_eq!(get.text, "7");
            } else {
                assert_eq!(post.outcome(), (401, "invalid_signature"), "{id} at {named}");
                assert_eq!(get.outcome(), (403, "verification_failed"), "{id} at {named}");
            }
        }
        assert_eq!(
            posted(&service, named, Some("wrong")).await.outcome(),
            (401, "invalid_signature")
        );
        assert_eq!(
            posted(&service, named, None).await.outcome(),
            (401, "invalid_signature")
        );
        assert_eq!(
            verified(&service, named, "").await.outcome(),
            (403, "verification_failed")
        );
    }
    let listed = service.get("/apps").await.json;
    assert_eq!(listed["data"][0]["webhookPath"], "/whatsapp/webhook");
    assert_eq!(
        service.delete(&format!("/apps/{APP}")).await.status.as_u16(),
        204,
        "it is removed"
    );
    assert_eq!(
        posted(&service, APP, Some(SECRET)).await.outcome(),
        (401, "invalid_signature")
    );
}

#[tokio::test]
async fn an_app_that_is_not_known_is_answered_like_one_with_a_wrong_secret() {
    let service = with_apps().await;
    for unknown in ["9", "0111", "x", "%20111", "%ff", "a.b"] {
        for (_, secret, token) in APPS {
            assert_eq!(
                posted(&service, unknown, Some(secret)).await.outcome(),
                (401, "invalid_signature"),
                "{unknown}"
            );
            assert_eq!(
                verified(&service, unknown, token).await.outcome(),
                (403, "verification_failed"),
                "{unknown}"
            );
        }
        assert_eq!(
            posted(&service, unknown, None).await.outcome(),
            (401, "invalid_signature")
        );
    }
}

#[tokio::test]
async fn where_nothing_must_be_signed_the_url_of_an_app_takes_nothing_unsigned() {
    let service = Service::open();
    let webhook = json!({"entry": []});
    assert_eq!(service.post("/whatsapp/webhook", &webhook).await.status.as_u16(), 200);
    let answer = service.post(&format!("/whatsapp/webhook/{APP}"), &webhook).await;
    assert_eq!(answer.outcome(), (401, "invalid_signature"));
}

#[tokio::test]
async fn what_may_be_of_an_app_that_is_not_known_yet_is_not_refused_for_good() {
    let service = production();
    service
        .store
        .fail_with(Some(StoreError::Unavailable("away".to_owned())));
    assert_eq!(posted(&service, APP, Some(SECRET)).await.status.as_u16(), 503);
    assert_eq!(verified(&service, APP, TOKEN).await.status.as_u16(), 503);
    let gap = service.app.metrics.ingest_gaps.of(IngestGap::StoreUnavailable).get();
    assert_eq!(gap, 1, "Meta must post it again");
    let own = verified(&service, OF_SETTINGS, VERIFY_TOKEN).await;
    assert_eq!(own.status.as_u16(), 200, "no store is needed for it");
    service.store.fail_with(None);
    service.clock.advance(Duration::from_secs(1));
    assert_eq!(
        posted(&service, APP, Some(SECRET)).await.outcome(),
        (401, "invalid_signature")
    );
}
