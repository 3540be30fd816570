//! Apps at Meta: their secrets verify webhooks, and are never shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use axum::body::Body;
use axum::http::{Method, Request};
use dakghar_core::app::DefaultApp;
use dakghar_core::domain::AppId;
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::ports::{AppStore, Saved, StoreError};
use dakghar_testkit::memory::MemoryStore;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, APP_SECRET, Service, Setup, VERIFY_TOKEN, request};

const APP: &str = "670843887433847";
const FIRST: &str = "first-secret-of-the-app";
const SECOND: &str = "second-secret-of-the-app";
const BODY: &str = r#"{"entry":[]}"#;

fn start(setup: Setup) -> Service {
    let mut service = Service::start(setup);
    service.key = Some(ADMIN_KEY.into());
    service
}

async fn add(service: &Service) -> Value {
    let app = json!({"appId": APP, "name": " Partner ", "secret": FIRST});
    let answer = service.post("/apps", &app).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    assert!(!answer.text.contains(FIRST), "{}", answer.text);
    answer.json
}

/// Posts a webhook that this secret has signed; answers the status.
async fn signed(service: &Service, secret: &str) -> u16 {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, BODY.as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = format!("sha256={digits}");
    let post = Request::post("/whatsapp/webhook").header("x-hub-signature-256", signature);
    let answer = service.call(post.body(Body::from(BODY)).expect("a request")).await;
    answer.status.as_u16()
}

async fn verified(service: &Service, token: &str) -> u16 {
    let path = format!("/whatsapp/webhook?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=7");
    service.get(&path).await.status.as_u16()
}

#[tokio::test]
async fn an_added_app_signs_and_verifies_beside_the_one_of_the_settings() {
    let service = start(Setup::production());
    assert_eq!(
        (signed(&service, FIRST).await, signed(&service, APP_SECRET).await),
        (401, 200)
    );
    let added = add(&service).await;
    assert_eq!(
        (&added["appId"], &added["name"], &added["isDefault"]),
        (&json!(APP), &json!("Partner"), &json!(false))
    );
    assert_eq!(
        (signed(&service, FIRST).await, signed(&service, APP_SECRET).await),
        (200, 200)
    );
    assert_eq!(signed(&service, SECOND).await, 401);
    let token = added["verifyToken"].as_str().expect("made up");
    assert!(token.len() >= 43, "{token}");
    for (token, status) in [(token, 200), (VERIFY_TOKEN, 200), ("another", 403)] {
        assert_eq!(verified(&service, token).await, status, "{token}");
    }
    let read = service.get(&format!("/apps/{APP}")).await;
    assert_eq!(read.json["secrets"][0]["isPresent"], true);
    assert!(
        !read.text.contains(token) && !read.text.contains(FIRST),
        "{}",
        read.text
    );
    assert_eq!(service.delete(&format!("/apps/{APP}")).await.status.as_u16(), 204);
    assert_eq!(
        (signed(&service, FIRST).await, verified(&service, token).await),
        (401, 403)
    );
    assert_eq!(
        service.delete(&format!("/apps/{APP}")).await.outcome(),
        (404, "app_not_found")
    );
    assert_eq!(
        service.get(&format!("/apps/{APP}")).await.outcome(),
        (404, "app_not_found")
    );
}

#[tokio::test]
async fn after_a_rotation_both_secrets_verify_for_the_stated_time() {
    let service = start(Setup::production());
    add(&service).await;
    let path = format!("/apps/{APP}/secret");
    let rotated = service
        .post(&path, &json!({"secret": SECOND, "overlapSeconds": 60}))
        .await;
    assert_eq!(rotated.status.as_u16(), 200, "{}", rotated.text);
    assert!(!rotated.text.contains(SECOND), "{}", rotated.text);
    let secrets = &rotated.json["secrets"];
    assert_eq!(
        (&secrets[0]["validUntil"], &secrets[1]["validUntil"]),
        (&Value::Null, &json!("2026-11-22T10:01:00.000Z"))
    );
    let again = service
        .post(&path, &json!({"secret": SECOND, "overlapSeconds": 600}))
        .await;
    assert_eq!(again.json, rotated.json, "the secret that it has changes nothing");
    service.clock.advance(Duration::from_millis(59_999));
    assert_eq!(
        (signed(&service, FIRST).await, signed(&service, SECOND).await),
        (200, 200)
    );
    service.clock.advance(Duration::from_millis(1));
    assert_eq!(
        (signed(&service, FIRST).await, signed(&service, SECOND).await),
        (401, 200)
    );
    // At once: nobody may sign with a secret that was stolen.
    let at_once = service
        .post(&path, &json!({"secret": FIRST, "overlapSeconds": 0}))
        .await;
    assert_eq!(at_once.json["secrets"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (signed(&service, FIRST).await, signed(&service, SECOND).await),
        (200, 401)
    );
}

#[tokio::test]
async fn the_app_of_the_settings_is_listed_first_and_stays() {
    let service = start(Setup {
        default_app: DefaultApp {
            id: AppId::parse("111").ok(),
            secrets: 2,
            secret: None,
        },
        ..Setup::production()
    });
    add(&service).await;
    let listed = service.get("/apps").await.json;
    let ids: Vec<&Value> = listed["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|app| &app["appId"])
        .collect();
    assert_eq!(ids, [&json!("111"), &json!(APP)]);
    assert_eq!(listed["data"][0]["secrets"].as_array().map(Vec::len), Some(2));
    for (id, code) in [("111", "app_exists"), (APP, "app_exists")] {
        let answer = service
            .post("/apps", &json!({"appId": id, "name": "x", "secret": SECOND}))
            .await;
        assert_eq!(answer.outcome(), (409, code));
    }
    assert_eq!(service.delete("/apps/111").await.outcome(), (404, "app_not_found"));
}

#[tokio::test]
async fn everything_that_is_wrong_with_an_app_is_told_at_once() {
    let service = start(Setup::production());
    let bad = json!({"appId": "x", "name": " ", "secret": "short", "verifyToken": "with a space"});
    let answer = service.post("/apps", &bad).await;
    assert_eq!(answer.outcome(), (422, "invalid_field"));
    let pointers: Vec<&str> = answer.json["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| error["pointer"].as_str().expect("a pointer"))
        .collect();
    assert_eq!(pointers, ["/appId", "/name", "/secret", "/verifyToken"]);
    add(&service).await;
    let path = format!("/apps/{APP}/secret");
    let long = service
        .post(&path, &json!({"secret": SECOND, "overlapSeconds": 2_592_001}))
        .await;
    assert_eq!(long.outcome(), (422, "invalid_field"));
    for n in 0..3 {
        let answer = service
            .post(&path, &json!({"secret": format!("secret-number-{n}")}))
            .await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    }
    let fifth = service.post(&path, &json!({"secret": SECOND})).await;
    assert_eq!(fifth.outcome(), (409, "conflict"));
    for n in 1..50 {
        let app = json!({"appId": n.to_string(), "name": "x", "secret": SECOND});
        assert_eq!(service.post("/apps", &app).await.status.as_u16(), 201);
    }
    let one_more = service
        .post("/apps", &json!({"appId": "99", "name": "x", "secret": SECOND}))
        .await;
    assert_eq!(one_more.outcome(), (409, "conflict"));
}

#[tokio::test]
async fn what_may_be_signed_by_an_app_that_is_not_known_is_not_refused_for_good() {
    let service = start(Setup::production());
    let outage = StoreError::Unavailable("away".into());
    service.store.fail_with(Some(outage.clone()));
    assert_eq!(signed(&service, FIRST).await, 503, "Meta posts it again");
    assert_eq!(verified(&service, "whose").await, 503);
    assert_eq!(verified(&service, VERIFY_TOKEN).await, 200);
    service.store.fail_with(None);
    assert_eq!(signed(&service, FIRST).await, 401);
    // What was known stays known.
    add(&service).await;
    service.store.fail_with(Some(outage));
    service.clock.advance(Duration::from_secs(5));
    assert_eq!(signed(&service, SECOND).await, 401);
    let token = "whose";
    assert_eq!(verified(&service, token).await, 403);
    // Its secrets cannot be opened.
    service.store.fail_with(None);
    let id = AppId::parse(APP).expect("digits");
    let mut broken = service.store.find_app(&id).await.expect("answers").expect("is there");
    broken.secrets[0].sealed = vec![1];
    assert_eq!(service.store.save_app(&broken).await, Ok(Saved::Done));
    service.clock.advance(Duration::from_secs(5));
    assert_eq!(signed(&service, FIRST).await, 200, "it may still be what it was");
    assert_eq!(signed(&service, SECOND).await, 500, "and this may be what it is now");
}

/// The apps of a store, with something that happens before each answer about all of them.
struct Watched {
    store: Arc<MemoryStore>,
    before_answer: fn() -> BoxFuture<'static, ()>,
}

#[async_trait]
impl AppStore for Watched {
    async fn insert_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        self.store.insert_app(app).await
    }

    async fn save_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        self.store.save_app(app).await
    }

    async fn find_app(&self, id: &AppId) -> Result<Option<MetaApp>, StoreError> {
        self.store.find_app(id).await
    }

    async fn apps(&self) -> Result<Vec<Result<MetaApp, StoreError>>, StoreError> {
        let apps = self.store.apps().await;
        (self.before_answer)().await;
        apps
    }

    async fn remove_app(&self, id: &AppId) -> Result<bool, StoreError> {
        self.store.remove_app(id).await
    }
}

/// How often the apps were read.
static READ: AtomicUsize = AtomicUsize::new(0);

fn count() -> BoxFuture<'static, ()> {
    READ.fetch_add(1, Ordering::SeqCst);
    Box::pin(async {})
}

#[tokio::test]
async fn webhooks_read_the_apps_once_a_second_together() {
    let service = start(Setup {
        apps: Some(|store| {
            let before_answer = count;
            Arc::new(Watched { store, before_answer })
        }),
        ..Setup::production()
    });
    for seconds in 1..=3 {
        for _ in 0..40 {
            assert_eq!(signed(&service, APP_SECRET).await, 200);
            assert_eq!(signed(&service, FIRST).await, 401);
        }
        assert_eq!(READ.load(Ordering::SeqCst), seconds);
        service.clock.advance(Duration::from_secs(1));
    }
}

static ANSWER: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Keeps the first answer back until it is told to give it.
fn hold_first() -> BoxFuture<'static, ()> {
    Box::pin(async {
        if HELD.fetch_add(1, Ordering::SeqCst) == 0 {
            let _told = ANSWER.acquire().await;
        }
    })
}

#[tokio::test]
async fn an_answer_that_comes_late_does_not_undo_a_change() {
    let service = start(Setup {
        apps: Some(|store| {
            let before_answer = hold_first;
            Arc::new(Watched { store, before_answer })
        }),
        ..Setup::production()
    });
    // A webhook reads the apps before one is added, and gets its answer afterwards.
    let early = signed(&service, APP_SECRET);
    let later = async {
        while HELD.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        add(&service).await;
        ANSWER.add_permits(1);
    };
    let (early, ()) = futures_util::join!(early, later);
    assert_eq!((early, signed(&service, FIRST).await), (200, 200));
}

#[tokio::test]
async fn a_change_by_another_process_counts_after_a_second() {
    let service = start(Setup::production());
    assert_eq!(signed(&service, FIRST).await, 401);
    // Past the use cases of this process, as another one does it.
    let other = start(Setup::production());
    add(&other).await;
    let app = other.store.apps().await.expect("answers").remove(0).expect("readable");
    assert_eq!(service.store.insert_app(&app).await, Ok(Saved::Done));
    assert_eq!(signed(&service, FIRST).await, 401);
    service.clock.advance(Duration::from_secs(1));
    assert_eq!(signed(&service, FIRST).await, 200);
    assert_eq!(service.store.remove_app(&app.id).await, Ok(true));
    service.clock.advance(Duration::from_secs(1));
    assert_eq!(signed(&service, FIRST).await, 401);
}

#[tokio::test]
async fn a_tenant_may_not_touch_apps() {
    let mut service = start(Setup::production());
    let tenant = service.register("Tenant A", "111111111111111").await;
    add(&service).await;
    service.key = Some(tenant.key);
    for (method, path) in [
        (Method::GET, "/apps".to_owned()),
        (Method::DELETE, format!("/apps/{APP}")),
    ] {
        let answer = service.call(request(method, &path, None)).await;
        assert_eq!(answer.outcome(), (403, "forbidden"));
    }
}

#[tokio::test]
async fn the_name_and_the_login_configuration_of_an_app_are_changed() {
    let service = start(Setup::production());
    let added = add(&service).await;
    assert_eq!(added["signupConfigId"], Value::Null);
    let path = format!("/apps/{APP}");
    for (body, name, config) in [
        (json!({"signupConfigId": "7008"}), "Partner", json!("7008")),
        (json!({"name": " Other "}), "Other", json!("7008")),
        (json!({}), "Other", json!("7008")),
        (json!({"name": "Last", "signupConfigId": null}), "Last", json!(null)),
    ] {
        let changed = service.call(request(Method::PATCH, &path, Some(&body))).await;
        assert_eq!(changed.status.as_u16(), 200, "{}", changed.text);
        assert_eq!(
            (&changed.json["name"], &changed.json["signupConfigId"]),
            (&json!(name), &config)
        );
        assert_eq!(service.get(&path).await.json, changed.json);
        assert_eq!(signed(&service, FIRST).await, 200, "its secrets stay");
    }
    let bad = json!({"name": " ", "signupConfigId": "x"});
    let refused = service.call(request(Method::PATCH, &path, Some(&bad))).await;
    assert_eq!(refused.outcome(), (422, "invalid_name"));
    assert_eq!(
        refused.json["errors"].as_array().map(Vec::len),
        Some(2),
        "{}",
        refused.text
    );
    let empty = json!({"signupConfigId": ""});
    let refused = service.call(request(Method::PATCH, &path, Some(&empty))).await;
    assert_eq!(refused.outcome(), (422, "invalid_field"));
    let other = service.call(request(Method::PATCH, "/apps/9", Some(&json!({})))).await;
    assert_eq!(other.outcome(), (404, "app_not_found"));
}
