//! Keys of operators: made, used, rotated, revoked; from where, until when, noted as used, and judged while the store is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Method;
use dakghar_core::domain::{ApiKeyId, OperatorKey, Timestamp};
use dakghar_core::ports::{OperatorStore, Saved, StoreError};
use dakghar_testkit::clock::START;
use dakghar_testkit::memory::MemoryStore;
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Service, Setup, request, with_key};
use crate::sockets::PATIENCE;

const PATH: &str = "/operators/keys";
/// How long what was read of the keys is believed.
const BELIEVED: Duration = Duration::from_secs(1);

fn start(setup: Setup) -> Service {
    let mut service = Service::start(setup);
    service.key = Some(ADMIN_KEY.into());
    service
}

/// Makes a key. Returns its id and itself.
async fn make(service: &Service, body: Value) -> (String, String) {
    let made = service.post(PATH, &body).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let text = |name: &str| made.json[name].as_str().expect("a text").to_owned();
    (text("keyId"), text("key"))
}

/// The answer to a list of tenants with this key.
async fn ask(service: &Service, key: &str) -> (u16, String) {
    let asked = with_key(request(Method::GET, "/tenants", None), Some(key));
    let answer = service.call(asked).await;
    let (status, code) = answer.outcome();
    (status, code.to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn listed(service: &Service) -> Vec<Value> {
    let answer = service.get(PATH).await;
    answer.json["data"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_key_of_an_operator_is_made_used_rotated_and_revoked() {
    let service = start(Setup::production());
    assert_eq!(listed(&service).await, Vec::<Value>::new());
    let (id, first) = make(&service, json!({"name": " Asha ", "role": "support"})).await;
    assert!(first.starts_with("dko_") && first.len() == 47, "{first}");
    assert_eq!(ask(&service, &first).await, is(200, "-"));
    let keys = listed(&service).await;
    assert_eq!((&keys[0]["keyId"], &keys[0]["name"]), (&json!(id), &json!("Asha")));
    assert_eq!(
        (&keys[0]["role"], &keys[0]["scopes"]),
        (&json!("support"), &json!(["read", "callbacks"]))
    );
    assert_eq!(keys[0]["secrets"][0]["prefix"], json!(first[..12]));
    assert!(!json!(keys).to_string().contains(&first));

    let rotate = format!("{PATH}/{id}/rotate");
    let rotated = service.post(&rotate, &json!({"overlapSeconds": 60})).await;
    assert_eq!(rotated.status.as_u16(), 200, "{}", rotated.text);
    let second = rotated.json["key"].as_str().expect("a key").to_owned();
    for key in [&first, &second] {
        assert_eq!(ask(&service, key).await, is(200, "-"));
    }
    service.clock.advance(Duration::from_secs(60));
    assert_eq!(ask(&service, &first).await, is(401, "unauthenticated"));
    assert_eq!(ask(&service, &second).await, is(200, "-"));

    let revoke = format!("{PATH}/{id}");
    assert_eq!(service.delete(&revoke).await.status.as_u16(), 204);
    assert_eq!(ask(&service, &second).await, is(401, "unauthenticated"));
    for gone in [revoke, format!("{PATH}/nonsense")] {
        assert_eq!(service.delete(&gone).await.outcome(), (404, "key_not_found"));
    }
    assert_eq!(
        service.post(&rotate, &json!({})).await.outcome(),
        (404, "key_not_found")
    );
}

#[tokio::test]
async fn another_process_refuses_a_revoked_operator_once_a_second_is_over() {
    let store = MemoryStore::new();
    let process = || {
        let mut setup = Setup::production();
        setup.beside = Some((store.clone(), store.clone()));
        start(setup)
    };
    let (here, there) = (process(), process());
    let (id, key) = make(&here, json!({"name": "k", "role": "admin"})).await;
    assert_eq!(ask(&there, &key).await, is(200, "-"));
    here.delete(&format!("{PATH}/{id}")).await;
    assert_eq!(ask(&here, &key).await, is(401, "unauthenticated"));
    there.clock.advance(BELIEVED);
    assert_eq!(ask(&there, &key).await, is(401, "unauthenticated"));
}

/// A store that can be away for whoever looks keys up.
struct Away {
    store: Arc<MemoryStore>,
    is_away: Arc<AtomicBool>,
}

#[async_trait]
impl OperatorStore for Away {
    async fn insert_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError> {
        self.store.insert_operator_key(key).await
    }

    async fn save_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError> {
        self.store.save_operator_key(key).await
    }

    async fn find_operator_key(&self, id: &ApiKeyId) -> Result<Option<OperatorKey>, StoreError> {
        self.store.find_operator_key(id).await
    }

    async fn operator_keys(&self) -> Result<Vec<OperatorKey>, StoreError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("away".into()));
        }
        self.store.operator_keys().await
    }

    async fn remove_operator_key(&self, id: &ApiKeyId) -> Result<bool, StoreError> {
        self.store.remove_operator_key(id).await
    }

    async fn note_operator_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        self.store.note_operator_use(id, at).await
    }
}

#[tokio::test]
async fn while_the_store_is_away_no_operator_is_let_in_by_what_was_read_a_second_ago() {
    let is_away = Arc::new(AtomicBool::new(false));
    let mut setup = Setup::production();
    let over = is_away.clone();
    setup.operators = Some(Arc::new(move |store| {
        Arc::new(Away {
            store,
            is_away: over.clone(),
        })
    }));
    let service = start(setup);
    let (_, key) = make(&service, json!({"name": "k", "role": "admin"})).await;
    assert_eq!(ask(&service, &key).await, is(200, "-"));
    is_away.store(true, Ordering::Relaxed);
    assert_eq!(ask(&service, &key).await, is(200, "-"), "it was read a moment ago");
    service.clock.advance(BELIEVED);
    for _ in 0..2 {
        assert_eq!(ask(&service, &key).await, is(503, "store_unavailable"));
    }
    assert_eq!(ask(&service, ADMIN_KEY).await, is(200, "-"), "it needs no store");
    is_away.store(false, Ordering::Relaxed);
    service.clock.advance(BELIEVED);
    assert_eq!(ask(&service, &key).await, is(200, "-"));
}

#[tokio::test]
async fn the_use_of_an_operators_key_is_noted_once_a_minute() {
    let service = start(Setup::production());
    let (_, key) = make(&service, json!({"name": "k", "role": "admin"})).await;
    let at = |seconds| json!((START + Duration::from_secs(seconds)).to_string());
    let until = async |expected: Value| {
        let noted = async {
            while listed(&service).await[0]["lastUsedAt"] != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let noted = tokio::time::timeout(PATIENCE, noted).await;
        assert!(noted.is_ok(), "{:?}", listed(&service).await);
    };
    assert_eq!(listed(&service).await[0]["lastUsedAt"], Value::Null);
    ask(&service, &key).await;
    until(at(0)).await;
    service.clock.advance(Duration::from_secs(59));
    ask(&service, &key).await;
    service.clock.advance(Duration::from_secs(1));
    ask(&service, &key).await;
    // Notes are written in their order: one after 59 seconds would have kept the next from being made.
    until(at(60)).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_new_key_of_an_operator_is_said() {
    let service = start(Setup::production());
    for (body, code, pointer) in [
        (json!({"role": "admin"}), "invalid_name", "/name"),
        (json!({"name": "k"}), "invalid_field", "/role"),
        (json!({"name": "k", "role": "root"}), "invalid_field", "/role"),
        (
            json!({"name": "k", "role": "admin", "scopes": ["read"]}),
            "unknown_field",
            "/scopes",
        ),
        (
            json!({"name": "k", "role": "admin", "addresses": ["10.0.0.1/8"]}),
            "invalid_field",
            "/addresses/0",
        ),
    ] {
        let refused = service.post(PATH, &body).await;
        assert_eq!(refused.outcome(), (422, code), "{body}");
        assert_eq!(refused.json["errors"][0]["pointer"], json!(pointer), "{body}");
    }
    assert_eq!(listed(&service).await.len(), 0);
}

#[tokio::test]
async fn there_are_a_hundred_keys_of_operators() {
    let service = start(Setup::production());
    for n in 0..100 {
        make(&service, json!({"name": n.to_string(), "role": "onboarding"})).await;
    }
    let more = service.post(PATH, &json!({"name": "more", "role": "admin"})).await;
    assert_eq!(more.outcome(), (409, "key_limit"));
}

#[tokio::test]
async fn a_key_with_an_end_makes_none_that_is_valid_for_longer() {
    let service = start(Setup::production());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let (unbound, _) = make(&service, json!({"name": "root", "role": "admin"})).await;
    let end = (START + Duration::from_secs(600)).to_string();
    let (own, bound) = make(&service, json!({"name": "k", "role": "admin", "expiresAt": end})).await;
    let give = async |path: &str, body: Value| {
        let asked = with_key(request(Method::POST, path, Some(&body)), Some(&bound));
        service.call(asked).await.outcome().0
    };
    let later = (START + Duration::from_secs(601)).to_string();
    let keys = format!("/tenants/{}/keys", tenant.id);
    let first = service.get(&keys).await.json["data"][0]["keyId"]
        .as_str()
        .expect("an id")
        .to_owned();
    for (path, body, status) in [
        (PATH.to_owned(), json!({"name": "n", "role": "admin"}), 403),
        (
            PATH.to_owned(),
            json!({"name": "n", "role": "support", "expiresAt": later}),
            403,
        ),
        (
            PATH.to_owned(),
            json!({"name": "n", "role": "support", "expiresAt": end}),
            201,
        ),
        (format!("{PATH}/{unbound}/rotate"), json!({"overlapSeconds": 0}), 403),
        (format!("{PATH}/{own}/rotate"), json!({}), 200),
        (keys.clone(), json!({"name": "n", "scopes": ["send"]}), 403),
        (
            keys.clone(),
            json!({"name": "n", "scopes": ["send"], "expiresAt": end}),
            201,
        ),
        (format!("{keys}/{first}/rotate"), json!({}), 403),
    ] {
        assert_eq!(give(&path, body.clone()).await, status, "{path} {body}");
    }
}
