//! API keys of a tenant: made, used, rotated, revoked; from where, until when, and noted as used.

use std::time::Duration;

use axum::Router;
use axum::http::Method;
use dakghar_server::http::HttpConfig;
use dakghar_testkit::clock::START;
use dakghar_testkit::memory::MemoryStore;
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Answer, Service, Setup, TestTenant, request, with_key};
use crate::sockets::{PATIENCE, start};

/// How long a tenant is remembered before it is read again.
const REMEMBERED: Duration = Duration::from_secs(1);

async fn service() -> (Service, TestTenant) {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    (service, tenant)
}

fn path(tenant: &TestTenant, rest: &str) -> String {
    format!("/tenants/{}/keys{rest}", tenant.id)
}

/// Makes a key as the operator. Returns its id and itself.
async fn make(service: &Service, tenant: &TestTenant, body: Value) -> (String, String) {
    let made = service.post(&path(tenant, ""), &body).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    shown(&made)
}

fn shown(answer: &Answer) -> (String, String) {
    let text = |name: &str| answer.json[name].as_str().expect("a text").to_owned();
    (text("keyId"), text("key"))
}

async fn ask(service: &Service, tenant: &TestTenant, rest: &str, key: &str) -> (u16, String) {
    let path = format!("/tenants/{}{rest}", tenant.id);
    let answer = service
        .call(with_key(request(Method::GET, &path, None), Some(key)))
        .await;
    let (status, code) = answer.outcome();
    (status, code.to_owned())
}

async fn listed(service: &Service, tenant: &TestTenant) -> Vec<Value> {
    let answer = service.get(&path(tenant, "")).await;
    answer.json["data"].as_array().expect("a list").clone()
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_key_is_made_used_rotated_and_revoked() {
    let (service, tenant) = service().await;
    let (id, first) = make(&service, &tenant, json!({"name": " report ", "scopes": ["read"]})).await;
    assert_eq!(ask(&service, &tenant, "", &first).await, is(200, "-"));

    let keys = listed(&service, &tenant).await;
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_eq!(
        (&keys[0]["name"], &keys[1]["name"]),
        (&json!("first key"), &json!("report"))
    );
    assert_eq!(keys[0]["scopes"].as_array().map(Vec::len), Some(5));
    assert_eq!(keys[1]["keyId"], json!(id));
    assert_eq!(keys[1]["secrets"][0]["prefix"], json!(first[..11]));
    let all = json!(keys).to_string();
    assert!(!all.contains(&first) && !all.contains(&tenant.key), "{all}");

    let rotate = path(&tenant, &format!("/{id}/rotate"));
    let rotated = service.post(&rotate, &json!({"overlapSeconds": 60})).await;
    assert_eq!(rotated.status.as_u16(), 200, "{}", rotated.text);
    let (same, second) = shown(&rotated);
    assert_eq!(same, id);
    for key in [&first, &second] {
        assert_eq!(ask(&service, &tenant, "", key).await, is(200, "-"));
    }
    service.clock.advance(Duration::from_secs(60));
    assert_eq!(ask(&service, &tenant, "", &first).await, is(404, "tenant_not_found"));
    assert_eq!(ask(&service, &tenant, "", &second).await, is(200, "-"));

    let revoke = path(&tenant, &format!("/{id}"));
    assert_eq!(service.delete(&revoke).await.status.as_u16(), 204);
    assert_eq!(ask(&service, &tenant, "", &second).await, is(404, "tenant_not_found"));
    assert_eq!(
        ask(&service, &tenant, "", &tenant.key).await,
        is(200, "-"),
        "the other key"
    );
    for gone in [revoke, path(&tenant, "/nonsense")] {
        assert_eq!(service.delete(&gone).await.outcome(), (404, "key_not_found"));
    }
    assert_eq!(
        service.post(&rotate, &json!({})).await.outcome(),
        (404, "key_not_found")
    );
}

#[tokio::test]
async fn a_key_is_refused_from_the_moment_at_which_it_expires() {
    let (service, tenant) = service().await;
    let expires_at = START + Duration::from_secs(100);
    let key = json!({"name": "short", "scopes": ["read"], "expiresAt": expires_at.to_string()});
    let (_, key) = make(&service, &tenant, key).await;
    service.clock.advance(Duration::from_millis(99_999));
    assert_eq!(ask(&service, &tenant, "", &key).await, is(200, "-"));
    service.clock.advance(Duration::from_millis(1));
    assert_eq!(ask(&service, &tenant, "", &key).await, is(401, "key_expired"));
    assert_eq!(ask(&service, &tenant, "", &tenant.key).await, is(200, "-"));
}

#[tokio::test]
async fn no_key_gives_more_than_it_has() {
    let (mut service, tenant) = service().await;
    let first = listed(&service, &tenant).await[0]["keyId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let (_, manager) = make(&service, &tenant, json!({"name": "m", "scopes": ["manage", "read"]})).await;
    service.key = Some(manager);
    let more = service
        .post(&path(&tenant, ""), &json!({"name": "x", "scopes": ["read", "send"]}))
        .await;
    assert_eq!(more.outcome(), (403, "missing_scope"));
    assert!(more.text.contains("`send`"), "{}", more.text);
    let rotate = path(&tenant, &format!("/{first}/rotate"));
    assert_eq!(
        service.post(&rotate, &json!({})).await.outcome(),
        (403, "missing_scope")
    );
    make(&service, &tenant, json!({"name": "y", "scopes": ["read"]})).await;
    assert_eq!(listed(&service, &tenant).await.len(), 3);
}

/// Makes or rotates a key through a proxy, as the owner of `key`, from the address that the key may be used from.
async fn give(router: &Router, http: &HttpConfig, path: &str, key: &str, body: &Value) -> (u16, String) {
    let server = start(router.clone(), http.clone()).await;
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 203.0.113.7\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nAuthorization: Bearer {key}\r\n\r\n{body}",
        body.len()
    );
    let answer = server.exchange(request).await;
    server.stop().await;
    let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {answer}")), answer)
}

#[tokio::test]
async fn a_key_with_ranges_and_an_end_makes_none_that_is_valid_elsewhere_or_for_longer() {
    let mut setup = Setup::production();
    setup.http.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let mut service = Service::start(setup.clone());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let end = (START + Duration::from_secs(1_000)).to_string();
    let later = (START + Duration::from_secs(1_001)).to_string();
    let bounded = json!({"name": "m", "scopes": ["manage"], "addresses": ["203.0.113.0/24"], "expiresAt": end});
    let (own, manager) = make(&service, &tenant, bounded).await;
    let first = listed(&service, &tenant).await[0]["keyId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let wide = json!({"name": "wide", "scopes": ["manage"], "expiresAt": end});
    let (wide, _) = make(&service, &tenant, wide).await;
    let long = json!({"name": "long", "scopes": ["manage"], "addresses": ["203.0.113.9"]});
    let (long, _) = make(&service, &tenant, long).await;
    let new = |addresses: Value, end: &str| json!({"name": "n", "scopes": ["manage"], "addresses": addresses, "expiresAt": end});
    let keys = path(&tenant, "");
    let rotate = |id: &str| path(&tenant, &format!("/{id}/rotate"));
    let forever = json!({"name": "n", "scopes": ["manage"], "addresses": ["203.0.113.9"]});
    for (path, body, status, code) in [
        (
            &keys,
            new(json!(["203.0.113.9", "203.0.113.128/25"]), &end),
            201,
            "keyId",
        ),
        (&keys, new(json!([]), &end), 403, "forbidden"),
        (
            &keys,
            new(json!(["203.0.113.9", "203.0.114.0/24"]), &end),
            403,
            "forbidden",
        ),
        (&keys, new(json!(["203.0.112.0/23"]), &end), 403, "forbidden"),
        (&keys, new(json!(["2001:db8::/32"]), &end), 403, "forbidden"),
        (&keys, new(json!(["203.0.113.9"]), &later), 403, "forbidden"),
        (&keys, forever, 403, "forbidden"),
        (&rotate(&own), json!({}), 200, "keyId"),
        (&rotate(&first), json!({}), 403, "missing_scope"),
        (&rotate(&wide), json!({}), 403, "forbidden"),
        (&rotate(&long), json!({}), 403, "forbidden"),
    ] {
        let (told, answer) = give(&service.router, &setup.http, path, &manager, &body).await;
        assert_eq!(told, status, "{path} {body}: {answer}");
        assert!(answer.contains(code), "{path} {body}: {answer}");
    }
    assert_eq!(listed(&service, &tenant).await.len(), 5);
}

/// The status of a request that comes through a proxy, which names this client.
async fn from(router: &Router, http: &HttpConfig, tenant: &TestTenant, client: &str, key: &str) -> u16 {
    let server = start(router.clone(), http.clone()).await;
    let request = format!(
        "GET /tenants/{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: {client}\r\n\
         Authorization: Bearer {key}\r\n\r\n",
        tenant.id
    );
    let answer = server.exchange(request).await;
    server.stop().await;
    let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {answer}"))
}

#[tokio::test]
async fn a_key_with_ranges_is_judged_by_the_address_that_a_trusted_proxy_names() {
    let mut setup = Setup::production();
    setup.http.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let mut service = Service::start(setup.clone());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let addresses = json!(["203.0.113.0/24", "2001:db8:7::/48", "2001:db8:9::9"]);
    let key = json!({"name": "office", "scopes": ["read"], "addresses": addresses});
    let (_, key) = make(&service, &tenant, key).await;
    let local = json!({"name": "proxy", "scopes": ["read"], "addresses": ["127.0.0.1"]});
    let (_, local) = make(&service, &tenant, local).await;
    for (client, status) in [
        ("203.0.113.7", 200),
        ("203.0.114.7", 403),
        ("2001:db8:7::9", 200),
        ("2001:db8:8::9", 403),
        ("2001:db8:9::9", 200),
        ("2001:db8:9::8", 403),
        ("203.0.113.7, 198.51.100.1", 403),
    ] {
        let told = from(&service.router, &setup.http, &tenant, client, &key).await;
        assert_eq!(told, status, "{client}");
    }
    let told = from(&service.router, &setup.http, &tenant, "203.0.113.7", &local).await;
    assert_eq!(told, 403, "the address of the proxy is nobody's");
    // Of a proxy that nobody trusts, the connection counts.
    setup.http.trusted_proxies = Vec::new();
    for (key, status) in [(&key, 403), (&local, 200)] {
        assert_eq!(
            from(&service.router, &setup.http, &tenant, "203.0.113.7", key).await,
            status
        );
    }
}

#[tokio::test]
async fn another_process_refuses_a_revoked_key_once_a_second_is_over() {
    let store = MemoryStore::new();
    let process = || {
        let mut setup = Setup::production();
        setup.beside = Some((store.clone(), store.clone()));
        let mut service = Service::start(setup);
        service.key = Some(ADMIN_KEY.into());
        service
    };
    let (here, there) = (process(), process());
    let tenant = here.register("Tenant A", "111111111111111").await;
    let (id, key) = make(&here, &tenant, json!({"name": "k", "scopes": ["read"]})).await;
    assert_eq!(ask(&there, &tenant, "", &key).await, is(200, "-"));
    here.delete(&path(&tenant, &format!("/{id}"))).await;
    assert_eq!(ask(&here, &tenant, "", &key).await, is(404, "tenant_not_found"));
    there.clock.advance(REMEMBERED);
    assert_eq!(ask(&there, &tenant, "", &key).await, is(404, "tenant_not_found"));
    // One that is made is found at once: what is not right is read.
    let (_, key) = make(&here, &tenant, json!({"name": "k", "scopes": ["read"]})).await;
    assert_eq!(ask(&there, &tenant, "", &key).await, is(200, "-"));
}

/// When each key of the tenant was used last.
async fn uses(service: &Service, tenant: &TestTenant) -> Vec<Value> {
    let keys = listed(service, tenant).await;
    keys.iter().map(|key| key["lastUsedAt"].clone()).collect()
}

async fn until_uses(service: &Service, tenant: &TestTenant, expected: &[Value]) {
    let noted = async {
        while uses(service, tenant).await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let noted = tokio::time::timeout(PATIENCE, noted).await;
    assert!(noted.is_ok(), "{:?}", uses(service, tenant).await);
}

#[tokio::test]
async fn a_use_is_noted_once_a_minute() {
    let (service, tenant) = service().await;
    let (_, second) = make(&service, &tenant, json!({"name": "k", "scopes": ["read"]})).await;
    assert_eq!(uses(&service, &tenant).await, [Value::Null, Value::Null]);
    let at = |seconds| json!((START + Duration::from_secs(seconds)).to_string());
    assert_eq!(ask(&service, &tenant, "", &tenant.key).await, is(200, "-"));
    until_uses(&service, &tenant, &[at(0), Value::Null]).await;
    service.clock.advance(Duration::from_secs(59));
    for key in [&tenant.key, &tenant.key, &second] {
        assert_eq!(ask(&service, &tenant, "", key).await, is(200, "-"));
    }
    // Notes are written in their order: one of the first key would be there before that of the second.
    until_uses(&service, &tenant, &[at(0), at(59)]).await;
    service.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&service, &tenant, "", &tenant.key).await, is(200, "-"));
    until_uses(&service, &tenant, &[at(60), at(59)]).await;
}

#[tokio::test]
async fn what_is_no_key_is_told_of_with_its_field() {
    let (service, tenant) = service().await;
    let many: Vec<String> = (0..17).map(|n| format!("10.0.0.{n}")).collect();
    for (body, code, pointer) in [
        (json!({"scopes": ["read"]}), "invalid_name", "/name"),
        (json!({"name": "\n", "scopes": ["read"]}), "invalid_name", "/name"),
        (
            json!({"name": "n".repeat(101), "scopes": ["read"]}),
            "invalid_name",
            "/name",
        ),
        (json!({"name": "k"}), "invalid_field", "/scopes"),
        (json!({"name": "k", "scopes": []}), "invalid_field", "/scopes"),
        (
            json!({"name": "k", "scopes": ["read", "all"]}),
            "invalid_field",
            "/scopes/1",
        ),
        (
            json!({"name": "k", "scopes": ["read"], "addresses": ["10.0.0.1/8"]}),
            "invalid_field",
            "/addresses/0",
        ),
        (
            json!({"name": "k", "scopes": ["read"], "addresses": many}),
            "invalid_field",
            "/addresses",
        ),
        (
            json!({"name": "k", "scopes": ["read"], "expiresAt": "2026-01-01T00:00:00Z"}),
            "invalid_field",
            "/expiresAt",
        ),
        (
            json!({"name": "k", "scopes": ["read"], "role": "admin"}),
            "unknown_field",
            "/role",
        ),
    ] {
        let refused = service.post(&path(&tenant, ""), &body).await;
        assert_eq!(refused.outcome(), (422, code), "{body}");
        assert_eq!(refused.json["errors"][0]["pointer"], json!(pointer), "{body}");
    }
    let id = listed(&service, &tenant).await[0]["keyId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let rotate = path(&tenant, &format!("/{id}/rotate"));
    let refused = service.post(&rotate, &json!({"overlapSeconds": 2_592_001})).await;
    assert_eq!(refused.outcome(), (422, "invalid_field"));
    assert_eq!(refused.json["errors"][0]["pointer"], json!("/overlapSeconds"));
    assert_eq!(listed(&service, &tenant).await.len(), 1, "none was made");
}

#[tokio::test]
async fn a_tenant_has_twenty_keys_and_a_key_four_secrets() {
    let (service, tenant) = service().await;
    for n in 1..20 {
        make(&service, &tenant, json!({"name": n.to_string(), "scopes": ["read"]})).await;
    }
    let more = service
        .post(&path(&tenant, ""), &json!({"name": "more", "scopes": ["read"]}))
        .await;
    assert_eq!(more.outcome(), (409, "key_limit"));
    let id = listed(&service, &tenant).await[0]["keyId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let rotate = path(&tenant, &format!("/{id}/rotate"));
    for _ in 1..4 {
        assert_eq!(service.post(&rotate, &json!({})).await.status.as_u16(), 200);
    }
    assert_eq!(service.post(&rotate, &json!({})).await.outcome(), (409, "key_limit"));
    let now = service.post(&rotate, &json!({"overlapSeconds": 0})).await;
    assert_eq!(now.status.as_u16(), 200, "{}", now.text);
    assert_eq!(
        ask(&service, &tenant, "", &tenant.key).await,
        is(404, "tenant_not_found")
    );
}
