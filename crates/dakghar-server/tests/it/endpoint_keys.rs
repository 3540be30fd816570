//! Endpoints that are made under an idempotency key: once, however often and by however many they are asked for.

use axum::http::Method;
use dakghar_core::domain::TenantId;
use dakghar_core::domain::endpoint::ENDPOINTS_MAX;
use dakghar_core::ports::EndpointStore as _;
use serde_json::{Value, json};

use crate::harness::{Answer, Service, TestTenant, endpoints_path, request, service_with_tenant};

const URL: &str = "https://example.com/hook";

struct Story {
    service: Service,
    tenant: TestTenant,
}

impl Story {
    async fn new() -> Self {
        let (service, tenant) = service_with_tenant().await;
        Self { service, tenant }
    }

    async fn create(&self, body: &Value, keys: &[&str]) -> Answer {
        self.create_of(&self.tenant, body, keys).await
    }

    async fn create_of(&self, tenant: &TestTenant, body: &Value, keys: &[&str]) -> Answer {
        let mut request = request(Method::POST, &endpoints_path(tenant, ""), Some(body));
        for key in keys {
            let value = key.parse().expect("a value");
            request.headers_mut().append("idempotency-key", value);
        }
        self.service.call(request).await
    }

    async fn count(&self) -> usize {
        let id = TenantId::parse(&self.tenant.id).expect("an id");
        self.service.store.endpoints_of(&[id]).await.expect("no outage").len()
    }
}

#[tokio::test]
async fn the_same_request_under_the_same_key_makes_one_endpoint() {
    let story = Story::new().await;
    let body = json!({"url": URL, "headers": {"X-A": "canary", "X-B": "b"}});
    let first = story.create(&body, &["order-1"]).await;
    assert_eq!(first.status.as_u16(), 201, "{}", first.text);
    assert_eq!(first.header("idempotency-replayed"), None);
    for body in [
        &body,
        &json!({"headers": {"X-B": "b", "X-A": "canary"}, "url": URL, "kinds": []}),
    ] {
        let again = story.create(body, &["order-1", "order-1"]).await;
        assert_eq!(again.status.as_u16(), 200, "{}", again.text);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(
            again.json, first.json,
            "the secret too: the first answer may have been lost"
        );
        for name in ["location", "etag"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
    }
    assert_eq!(story.count().await, 1);
    story.service.clock.advance(std::time::Duration::from_secs(1));
    // Without a key, or under another one, it is another endpoint.
    assert_eq!(story.create(&body, &[]).await.status.as_u16(), 201);
    assert_eq!(story.create(&body, &["order-2"]).await.status.as_u16(), 201);
    assert_eq!(story.count().await, 3);
    let listed = story.service.get(&endpoints_path(&story.tenant, "")).await.json;
    assert_eq!(
        listed["data"][0]["endpointId"], first.json["endpointId"],
        "the oldest first"
    );
}

#[tokio::test]
async fn another_request_under_the_key_is_refused_and_a_wrong_key_too() {
    let story = Story::new().await;
    let body = json!({"url": URL, "format": "meta", "secret": "canary-secret"});
    let first = story.create(&body, &["order-1"]).await;
    assert_eq!(first.status.as_u16(), 201, "{}", first.text);
    for other in [
        json!({"url": URL, "format": "meta", "secret": "another-secret"}),
        json!({"url": URL, "format": "meta"}),
        json!({"url": URL, "format": "meta", "secret": "canary-secret", "batchMax": 2}),
    ] {
        let answer = story.create(&other, &["order-1"]).await;
        assert_eq!(answer.outcome(), (409, "idempotency_key_conflict"));
        let id = first.json["endpointId"].as_str().expect("an id");
        assert!(answer.json["detail"].as_str().expect("a text").contains(id) && !answer.text.contains("canary"));
    }
    for keys in [&["order-2", "order-3"] as &[&str], &[" "], &[&"k".repeat(256)]] {
        assert_eq!(
            story.create(&body, keys).await.outcome(),
            (400, "invalid_idempotency_key")
        );
    }
    assert_eq!(story.count().await, 1);
}

#[tokio::test]
async fn a_key_is_its_tenants_and_as_old_as_its_endpoint() {
    let story = Story::new().await;
    let body = json!({"url": URL});
    let first = story.create(&body, &["order-1"]).await.json;
    let neighbour = story.service.register("Tenant B", "222222222222222").await;
    let of_neighbour = story.create_of(&neighbour, &body, &["order-1"]).await;
    assert_eq!(of_neighbour.status.as_u16(), 201);
    assert_ne!(of_neighbour.json["endpointId"], first["endpointId"]);

    // What has changed since shows no secret any more.
    let id = first["endpointId"].as_str().expect("an id");
    let one = endpoints_path(&story.tenant, &format!("/{id}"));
    story.service.post(&format!("{one}/pause"), &json!({})).await;
    let again = story.create(&body, &["order-1"]).await;
    assert_eq!((again.status.as_u16(), &again.json["state"]), (200, &json!("paused")));
    assert_eq!(again.json.get("secret"), None);
    assert_eq!(story.service.delete(&one).await.status.as_u16(), 204);
    story.service.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(story.create(&body, &["order-1"]).await.status.as_u16(), 201);

    // Nor does one that was made long ago.
    story.service.clock.advance(std::time::Duration::from_hours(24));
    let again = story.create(&body, &["order-1"]).await;
    assert_eq!((again.status.as_u16(), again.json.get("secret")), (200, None));
}

#[tokio::test]
async fn who_knows_a_version_of_a_deleted_endpoint_changes_nothing_of_the_next_under_its_key() {
    let story = Story::new().await;
    let body = json!({"url": URL});
    let first = story.create(&body, &["order-1"]).await;
    let path = first.header("location").expect("a path").to_owned();
    let mut known = vec![first.header("etag").expect("a tag").to_owned()];
    for action in ["pause", "resume"] {
        let changed = story.service.post(&format!("{path}/{action}"), &json!({})).await;
        known.push(changed.header("etag").expect("a tag").to_owned());
    }
    assert_eq!(story.service.delete(&path).await.status.as_u16(), 204);
    story.service.clock.advance(std::time::Duration::from_secs(1));
    let next = story.create(&body, &["order-1"]).await;
    assert_eq!((next.status.as_u16(), next.header("location")), (201, Some(&*path)));
    let delete = async |tag: &str| {
        let mut request = request(Method::DELETE, &path, None);
        request.headers_mut().insert("if-match", tag.parse().expect("a value"));
        story.service.call(request).await
    };
    for tag in known {
        assert_eq!(delete(&tag).await.outcome(), (412, "version_conflict"), "{tag}");
    }
    assert_eq!(delete(next.header("etag").expect("a tag")).await.status.as_u16(), 204);
}

#[tokio::test]
async fn a_tenant_that_has_them_all_is_still_shown_what_it_made() {
    let story = Story::new().await;
    let body = json!({"url": URL});
    let last = u64::from(ENDPOINTS_MAX) - 1;
    for n in 0..=last {
        assert_eq!(story.create(&body, &[&format!("order-{n}")]).await.status.as_u16(), 201);
    }
    let again = story.create(&body, &[&format!("order-{last}")]).await;
    assert_eq!(again.status.as_u16(), 200);
    assert_eq!(
        story.create(&body, &["one-more"]).await.outcome(),
        (409, "endpoint_limit")
    );
}

#[tokio::test]
async fn of_requests_at_once_one_makes_it() {
    let story = Story::new().await;
    let body = json!({"url": URL, "format": "meta", "verifyToken": "canary-token"});
    let asked = (0..8).map(|_| story.create(&body, &["order-1"]));
    let answers = futures_util::future::join_all(asked).await;
    let made = answers.iter().filter(|answer| answer.status.as_u16() == 201).count();
    assert_eq!((made, story.count().await), (1, 1));
    let again = story.create(&body, &["order-1"]).await;
    assert_eq!(again.status.as_u16(), 200);
    let challenged = story.service.receivers.asked().len();
    story.create(&body, &["order-1"]).await;
    assert_eq!(
        story.service.receivers.asked().len(),
        challenged,
        "who repeats calls nobody"
    );
}
