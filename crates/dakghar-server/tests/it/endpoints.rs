//! Endpoints of tenants over HTTP: made, changed under versions, given new secrets, removed; and their refusals.

use axum::http::Method;
use dakghar_core::domain::endpoint::{ENDPOINT_SECRETS_MAX, ENDPOINTS_MAX};
use dakghar_core::domain::signatures::StandardSecret;
use dakghar_core::domain::{Endpoint, Secret, TenantId, WebhookEvent};
use dakghar_core::ports::{EndpointStore as _, EventStore as _};
use dakghar_testkit::samples;
use serde_json::{Value, json};

use crate::harness::{Answer, Service, TestTenant, endpoints_path as path, request, service_with_tenant as service};

const URL: &str = "https://example.com/hook";

async fn make(service: &Service, tenant: &TestTenant, body: &Value) -> Value {
    let answer = service.post(&path(tenant, ""), body).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    answer.json
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A call that names a version.
async fn call(service: &Service, method: Method, path: &str, body: Option<&Value>, tag: Option<&str>) -> Answer {
    let mut request = request(method, path, body);
    if let Some(tag) = tag {
        request.headers_mut().insert("if-match", tag.parse().expect("a value"));
    }
    service.call(request).await
}

async fn patch(service: &Service, path: &str, body: &Value) -> Answer {
    call(service, Method::PATCH, path, Some(body), None).await
}

fn tenant_id(tenant: &TestTenant) -> TenantId {
    TenantId::parse(&tenant.id).expect("an id")
}

async fn stored(service: &Service, tenant: &TestTenant) -> Vec<Endpoint> {
    let found = service.store.endpoints_of(&[tenant_id(tenant)]).await;
    found.expect("the store answers")
}

/// What the endpoint is called with.
async fn credentials(service: &Service, endpoint: &Endpoint) -> (Vec<String>, Vec<(String, String)>, Option<String>) {
    let tenant = service.app.tenants.stored(&endpoint.tenant_id).await.expect("a tenant");
    let now = service.app.wall();
    let opened = service.app.endpoints.credentials(&tenant, endpoint, now).await;
    let opened = opened.expect("it opens");
    let header = |(name, value): &(String, Secret)| (name.clone(), value.reveal().to_owned());
    (
        opened.secrets.iter().map(|secret| secret.reveal().to_owned()).collect(),
        opened.headers.iter().map(header).collect(),
        opened.verify_token.map(|token| token.reveal().to_owned()),
    )
}

#[tokio::test]
async fn an_endpoint_is_made_with_defaults_and_its_secret_is_shown_once() {
    let (service, tenant) = service().await;
    let answer = service
        .post(&path(&tenant, ""), &json!({"url": "https://EXAMPLE.com:443/hook"}))
        .await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    assert_eq!(answer.header("etag"), Some("\"0\""));
    let mut made = answer.json.clone();
    let id = text(&made["endpointId"]);
    assert_eq!(answer.header("location"), Some(&*path(&tenant, &format!("/{id}"))));
    let secret = text(
        &made
            .as_object_mut()
            .expect("an object")
            .remove("secret")
            .expect("a secret"),
    );
    assert!(
        StandardSecret::parse(&Secret::new(&*secret)).is_ok() && secret.len() == 50,
        "32 bytes"
    );
    let now = "2026-11-22T10:00:00.000Z";
    let expected = json!({
        "endpointId": id, "url": URL, "isCallbackUrl": false, "format": "standard", "kinds": [], "phoneNumberIds": [],
        "order": "none", "batchMax": 1, "perSecond": 50, "concurrency": 8, "headers": [], "hasVerifyToken": false,
        "secrets": [{"isPresent": true, "addedAt": now, "validUntil": null}], "state": "active", "disabled": null,
        "startsBehind": "0", "version": 0, "createdAt": now, "updatedAt": now,
    });
    assert_eq!(made, expected);
    let one = service.get(&path(&tenant, &format!("/{id}"))).await;
    let (mut shown, tag) = (one.json.clone(), one.header("etag"));
    let progress = shown.as_object_mut().expect("an object").remove("progress");
    assert_eq!((tag, &shown, progress.is_some()), (Some("\"0\""), &expected, true));
    let list = service.get(&path(&tenant, "")).await;
    assert_eq!(list.json, json!({"data": [expected], "nextCursor": null}));
    let [endpoint] = &stored(&service, &tenant).await[..] else {
        panic!("one endpoint")
    };
    assert_eq!(credentials(&service, endpoint).await.0, [&*secret]);
    let sealed = &endpoint.secrets[0].sealed;
    assert!(
        !sealed
            .windows(8)
            .any(|window| secret.as_bytes().windows(8).any(|part| part == window))
    );
    // Two do not have the same one.
    let other = make(&service, &tenant, &json!({"url": URL})).await;
    assert_ne!(text(&other["secret"]), secret);
}

#[tokio::test]
async fn everything_can_be_said_of_an_endpoint_and_be_changed_and_undone() {
    let (service, tenant) = service().await;
    let token = "verify-token-canary";
    let headers = json!({"Authorization": "Bearer header-canary", "X-Shop": "7"});
    let made = make(
        &service,
        &tenant,
        &json!({
            "url": URL, "format": "meta", "kinds": ["message.received", "status.*", "meta.account_update"],
            "phoneNumberIds": ["111111111111111"], "order": "conversation", "batchMax": 100, "perSecond": 1_000,
            "concurrency": 32, "headers": headers, "verifyToken": token,
        }),
    )
    .await;
    let secret = text(&made["secret"]);
    assert!(
        secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{secret}"
    );
    let one = path(&tenant, &format!("/{}", text(&made["endpointId"])));
    let read = service.get(&one).await;
    assert_eq!(read.json["headers"], json!(["Authorization", "X-Shop"]));
    assert_eq!(
        (&read.json["hasVerifyToken"], &read.json["order"]),
        (&json!(true), &json!("conversation"))
    );
    for canary in ["header-canary", token, &secret] {
        assert!(!read.text.contains(canary), "{}", read.text);
    }
    let [endpoint] = &stored(&service, &tenant).await[..] else {
        panic!("one endpoint")
    };
    let sealed = endpoint.sealed_headers.as_ref().expect("sealed");
    assert!(!sealed.windows(13).any(|window| window == b"header-canary"));
    let (_, opened, verify_token) = credentials(&service, endpoint).await;
    let expected = [("Authorization", "Bearer header-canary"), ("X-Shop", "7")];
    assert_eq!(
        opened,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(verify_token.as_deref(), Some(token));

    // What is not named stays.
    let changed = patch(&service, &one, &json!({"perSecond": 7, "url": "https://example.org/b"})).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, Some("\"1\"")));
    assert_eq!(
        (&changed.json["url"], &changed.json["perSecond"]),
        (&json!("https://example.org/b"), &json!(7))
    );
    for field in [
        "kinds",
        "phoneNumberIds",
        "order",
        "batchMax",
        "concurrency",
        "headers",
        "hasVerifyToken",
        "secrets",
    ] {
        assert_eq!(changed.json[field], read.json[field], "{field}");
    }
    let empty = patch(&service, &one, &json!({})).await;
    assert_eq!(
        (empty.header("etag"), &empty.json),
        (Some("\"1\""), &changed.json),
        "nothing changes no version"
    );
    let undone = patch(&service, &one, &json!({
        "kinds": null, "phoneNumberIds": null, "order": null, "batchMax": null, "perSecond": null, "concurrency": null,
        "headers": null, "verifyToken": null,
    }))
    .await;
    let by_itself = json!({"kinds": [], "phoneNumberIds": [], "order": "none", "batchMax": 1, "perSecond": 50,
        "concurrency": 8, "headers": [], "hasVerifyToken": false});
    for (field, value) in by_itself.as_object().expect("an object") {
        assert_eq!(undone.json[field], *value, "{field}");
    }
    assert_eq!(stored(&service, &tenant).await[0].sealed_headers, None);

    for (step, state) in [
        ("pause", "paused"),
        ("pause", "paused"),
        ("resume", "active"),
        ("resume", "active"),
    ] {
        let answer = call(&service, Method::POST, &format!("{one}/{step}"), None, None).await;
        assert_eq!((answer.status.as_u16(), &answer.json["state"]), (200, &json!(state)));
    }
    assert_eq!(service.delete(&one).await.status.as_u16(), 204);
    assert_eq!(service.delete(&one).await.outcome(), (404, "endpoint_not_found"));
    assert_eq!(service.get(&one).await.outcome(), (404, "endpoint_not_found"));
    assert_eq!(
        patch(&service, &one, &json!({"perSecond": 7})).await.outcome(),
        (404, "endpoint_not_found")
    );
}

#[tokio::test]
async fn a_stale_version_is_refused_and_without_one_the_last_writer_wins() {
    let (service, tenant) = service().await;
    let made = make(&service, &tenant, &json!({"url": URL})).await;
    let one = path(&tenant, &format!("/{}", text(&made["endpointId"])));
    let change = json!({"perSecond": 7});
    let fresh = call(&service, Method::PATCH, &one, Some(&change), Some("\"0\"")).await;
    assert_eq!((fresh.status.as_u16(), fresh.header("etag")), (200, Some("\"1\"")));
    let before = service.get(&one).await.json;
    for (method, rest, body) in [
        (Method::PATCH, "", Some(json!({"perSecond": 8}))),
        (Method::POST, "/secret", Some(json!({}))),
        (Method::POST, "/pause", None),
        (Method::POST, "/resume", None),
        (Method::DELETE, "", None),
    ] {
        let path = format!("{one}{rest}");
        for stale in ["\"0\"", "\"2\"", "W/\"1\"", "\"x\""] {
            let answer = call(&service, method.clone(), &path, body.as_ref(), Some(stale)).await;
            assert_eq!(answer.outcome(), (412, "version_conflict"), "{method} {path} {stale}");
        }
        let answer = call(&service, method.clone(), &path, body.as_ref(), Some("1")).await;
        assert_eq!(answer.outcome(), (400, "bad_request"), "{method} {path}");
    }
    assert_eq!(service.get(&one).await.json, before);
    assert_eq!(
        patch(&service, &one, &json!({"perSecond": 9})).await.header("etag"),
        Some("\"2\"")
    );
    let any = call(&service, Method::POST, &format!("{one}/pause"), None, Some("*")).await;
    assert_eq!(any.header("etag"), Some("\"3\""));
    let rotated = call(
        &service,
        Method::POST,
        &format!("{one}/secret"),
        None,
        Some("\"1\", \"3\""),
    )
    .await;
    assert_eq!((rotated.status.as_u16(), rotated.header("etag")), (200, Some("\"4\"")));
    let removed = call(&service, Method::DELETE, &one, None, Some("\"4\"")).await;
    assert_eq!(removed.status.as_u16(), 204, "{}", removed.text);
}

#[tokio::test]
async fn secrets_are_rotated_with_an_overlap_and_never_shown_again() {
    let (service, tenant) = service().await;
    let made = make(&service, &tenant, &json!({"url": URL})).await;
    let first = text(&made["secret"]);
    let one = path(&tenant, &format!("/{}", text(&made["endpointId"])));
    let rotate = format!("{one}/secret");
    let second = service.post(&rotate, &json!({"overlapSeconds": 60})).await;
    let second = text(&second.json["secret"]);
    assert_ne!(first, second);
    let signing = async || credentials(&service, &stored(&service, &tenant).await[0]).await.0;
    assert_eq!(signing().await, [second.clone(), first.clone()]);
    service.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(signing().await, [&*second]);

    let given = samples_secret(7);
    for version in ["\"2\"", "\"2\""] {
        let answer = service.post(&rotate, &json!({"secret": given})).await;
        assert_eq!(
            (answer.header("etag"), &answer.json["secret"]),
            (Some(version), &json!(given)),
            "the same again is fine"
        );
    }
    assert_eq!(signing().await, [given.clone(), second.clone()]);
    for n in 2..ENDPOINT_SECRETS_MAX {
        let answer = service.post(&rotate, &json!({})).await;
        assert_eq!(answer.status.as_u16(), 200, "{n}: {}", answer.text);
    }
    let full = service.post(&rotate, &json!({})).await;
    assert_eq!(full.outcome(), (409, "conflict"));
    let at_once = service.post(&rotate, &json!({"overlapSeconds": 0})).await;
    assert_eq!(signing().await, [text(&at_once.json["secret"])]);
    let shown = service.get(&one).await.text + &service.get(&path(&tenant, "")).await.text;
    for secret in [first, second, given, text(&at_once.json["secret"])] {
        assert!(!shown.contains(&secret), "{shown}");
    }
    for (body, pointer) in [
        (json!({"overlapSeconds": 2_592_001}), "/overlapSeconds"),
        (json!({"secret": "whsec_short"}), "/secret"),
        (json!({"secret": "x".repeat(40)}), "/secret"),
    ] {
        let answer = service.post(&rotate, &body).await;
        assert_eq!(answer.outcome(), (422, "invalid_field"), "{body}");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer);
    }
}

fn samples_secret(byte: u8) -> String {
    StandardSecret::text_of(&[byte; 32]).reveal().to_owned()
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_pointer() {
    let (service, tenant) = service().await;
    let many = |count: usize| -> Value {
        (0..count)
            .map(|n| (format!("X-{n}"), json!("v")))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let cases = [
        ("url", json!("http://example.com/hook"), "https_required", "/url"),
        ("url", json!("https://user:pw@example.com/"), "invalid_url", "/url"),
        ("url", json!("https://example.com:22/"), "invalid_url", "/url"),
        (
            "url",
            json!(format!("https://example.com/{}", "a".repeat(2_048))),
            "invalid_url",
            "/url",
        ),
        ("url", json!(null), "invalid_url", "/url"),
        ("url", json!(7), "invalid_url", "/url"),
        ("url", json!("https://169.254.169.254/"), "forbidden_url", "/url"),
        ("url", json!("https://0x7f000001/"), "forbidden_url", "/url"),
        ("url", json!("https://[::ffff:127.0.0.1]/"), "forbidden_url", "/url"),
        ("url", json!("https://localhost/"), "forbidden_url", "/url"),
        ("format", json!("xml"), "invalid_field", "/format"),
        ("kinds", json!("status.*"), "invalid_event_type", "/kinds"),
        ("kinds", json!([7]), "invalid_event_type", "/kinds"),
        (
            "kinds",
            json!(["status.*", "message.read"]),
            "invalid_event_type",
            "/kinds/1",
        ),
        ("kinds", json!(["*.received"]), "invalid_event_type", "/kinds/0"),
        ("kinds", json!(vec!["status.*"; 51]), "invalid_event_type", "/kinds"),
        (
            "phoneNumberIds",
            json!(["111111111111111", "2"]),
            "invalid_phone_number_id",
            "/phoneNumberIds/1",
        ),
        (
            "phoneNumberIds",
            json!(["x"]),
            "invalid_phone_number_id",
            "/phoneNumberIds/0",
        ),
        ("order", json!("newest"), "invalid_field", "/order"),
        ("batchMax", json!(0), "invalid_field", "/batchMax"),
        ("batchMax", json!(101), "invalid_field", "/batchMax"),
        ("perSecond", json!(0), "invalid_field", "/perSecond"),
        ("perSecond", json!(10_001), "invalid_field", "/perSecond"),
        ("concurrency", json!(33), "invalid_field", "/concurrency"),
        ("concurrency", json!("8"), "invalid_field", "/concurrency"),
        ("headers", json!({"Host": "a"}), "invalid_field", "/headers/Host"),
        (
            "headers",
            json!({"X-A": "b\r\nHost: c"}),
            "invalid_field",
            "/headers/X-A",
        ),
        ("headers", json!({"X-A": 7}), "invalid_field", "/headers/X-A"),
        (
            "headers",
            json!({"X-A": "a", "x-a": "b"}),
            "invalid_field",
            "/headers/x-a",
        ),
        ("headers", many(21), "invalid_field", "/headers"),
        ("verifyToken", json!("a-good-token"), "invalid_field", "/verifyToken"),
        ("secret", json!("not-a-standard-secret"), "invalid_field", "/secret"),
        ("startAt", json!("yesterday"), "invalid_field", "/startAt"),
        ("startAt", json!("2027-01-01T00:00:00Z"), "invalid_field", "/startAt"),
        ("state", json!("paused"), "unknown_field", "/state"),
    ];
    for (field, value, code, pointer) in &cases {
        let mut body = json!({"url": URL});
        body[field] = value.clone();
        let answer = service.post(&path(&tenant, ""), &body).await;
        assert_eq!(answer.outcome(), (422, *code), "{body}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], **pointer, "{}", answer.text);
    }
    let without = service.post(&path(&tenant, ""), &json!({})).await;
    assert_eq!(without.outcome(), (422, "invalid_url"));
    assert!(stored(&service, &tenant).await.is_empty());

    // A change is held to the same, and neither format nor start can be changed.
    let made = make(&service, &tenant, &json!({"url": URL})).await;
    let one = path(&tenant, &format!("/{}", text(&made["endpointId"])));
    for (field, value, code, pointer) in cases {
        let code = if ["format", "secret", "startAt"].contains(&field) {
            "unknown_field"
        } else {
            code
        };
        let answer = patch(&service, &one, &json!({field: value})).await;
        assert_eq!(answer.outcome(), (422, code), "{field}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
    assert_eq!(service.get(&one).await.json["version"], 0);
}

#[tokio::test]
async fn a_tenant_has_so_many_endpoints_at_most_and_that_of_its_callback_url_is_one() {
    let (service, tenant) = service().await;
    let mut last = Value::Null;
    for _ in 0..ENDPOINTS_MAX {
        last = make(&service, &tenant, &json!({"url": URL})).await;
    }
    let one_more = service.post(&path(&tenant, ""), &json!({"url": URL})).await;
    assert_eq!(one_more.outcome(), (409, "endpoint_limit"));
    let whole = format!("/tenants/{}", tenant.id);
    let url = json!({"callbackUrl": URL});
    assert_eq!(patch(&service, &whole, &url).await.outcome(), (409, "endpoint_limit"));
    assert_eq!(
        service.get(&whole).await.json["callbackUrl"],
        Value::Null,
        "nothing was written"
    );
    let others = service.register("Tenant B", "222222222222222").await;
    make(&service, &others, &json!({"url": URL})).await;
    service
        .delete(&path(&tenant, &format!("/{}", text(&last["endpointId"]))))
        .await;
    assert_eq!(patch(&service, &whole, &url).await.status.as_u16(), 200);
    let one_more = service.post(&path(&tenant, ""), &json!({"url": URL})).await;
    assert_eq!(one_more.outcome(), (409, "endpoint_limit"));
    assert_eq!(stored(&service, &tenant).await.len(), ENDPOINTS_MAX as usize);
}

#[tokio::test]
async fn it_starts_now_at_the_beginning_or_at_a_time() {
    let (service, tenant) = service().await;
    let event = |minute: i64| WebhookEvent {
        amends: None,
        received_at: dakghar_core::domain::Timestamp::parse_rfc3339("2026-11-22T09:00:00Z").expect("a time")
            + std::time::Duration::from_secs(60 * minute.unsigned_abs()),
        ..samples::event(tenant_id(&tenant))
    };
    let events: Vec<WebhookEvent> = [0, 1, 1, 5, 9, 9, 20].map(event).into();
    service.store.record(&events).await.expect("recorded");
    let starts = async |at: &str| {
        let made = make(&service, &tenant, &json!({"url": URL, "startAt": at})).await;
        text(&made["startsBehind"])
    };
    for (at, behind) in [
        ("now", "7"),
        ("beginning", "0"),
        ("2026-11-22T08:00:00Z", "0"),
        ("2026-11-22T09:00:00Z", "0"),
        ("2026-11-22T09:00:00.001Z", "1"),
        ("2026-11-22T09:01:00Z", "1"),
        ("2026-11-22T09:01:01Z", "3"),
        ("2026-11-22T09:09:00Z", "4"),
        ("2026-11-22T09:20:00Z", "6"),
        ("2026-11-22T09:21:00Z", "7"),
    ] {
        assert_eq!(starts(at).await, behind, "{at}");
    }
}
