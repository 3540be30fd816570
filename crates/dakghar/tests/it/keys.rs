//! API keys of a tenant on both backends, from the shell and over HTTP, seen by two processes and after a restart.

use std::sync::atomic::{AtomicUsize, Ordering};

use dakghar_core::domain::Timestamp;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    keys_count_in_every_process_and_no_secret_of_them_is_kept,
    keys_of_operators_count_in_every_process_and_no_secret_of_them_is_kept,
    every_route_lets_in_whom_its_document_names
);

/// The status that this key is answered with at the process on this port, and the code of a problem.
async fn told(product: &Product, port: u16, tenant: &Tenant, key: &str) -> (u16, String) {
    let url = format!("http://127.0.0.1:{port}/tenants/{}", tenant.id);
    let answer = product.http.get(url).bearer_auth(key).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("JSON");
    (status, body["code"].as_str().unwrap_or("-").to_owned())
}

async fn becomes(product: &Product, port: u16, tenant: &Tenant, key: &str, status: u16) {
    let is_so = eventually(async || told(product, port, tenant, key).await.0 == status).await;
    assert!(is_so, "a key is not answered with {status} on {port}");
}

/// What `dakghar key …` prints: the id of the key, and the key.
fn printed(product: &Product, arguments: &[&str]) -> (String, String) {
    let (code, out, err) = product.run(&[&["key"], arguments].concat());
    assert_eq!(code, Some(0), "{out}{err}");
    let word = |name: &str| {
        let line = out.lines().find(|line| line.starts_with(name));
        let word = line.and_then(|line| line.split_whitespace().nth(1));
        word.unwrap_or_else(|| panic!("no {name}: {out}")).to_owned()
    };
    (word("keyId"), word("key "))
}

async fn keys_count_in_every_process_and_no_secret_of_them_is_kept(backend: Backend) {
    let mut product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let here = product.port.number();
    let other = dakghar_testkit::Port::claim();
    let mut ports = vec![here];
    if backend == Backend::Distributed {
        product.spawn_on("api", other.number());
        product.ready_on(other.number()).await;
        ports.push(other.number());
    }
    let keys = format!("/tenants/{}/keys", tenant.id);
    let made = product.post(&keys, json!({"name": "http", "scopes": ["read"]})).await;
    let first = text(&made["key"]);
    let create = [
        "create",
        "--tenant",
        &tenant.id,
        "shell",
        "--scope",
        "send",
        "--scope",
        "callbacks",
    ];
    let (id, second) = printed(&product, &create);
    for port in &ports {
        becomes(&product, *port, &tenant, &first, 200).await;
        becomes(&product, *port, &tenant, &second, 403).await;
        assert_eq!(told(&product, *port, &tenant, &tenant.api_key).await.0, 200);
    }
    let rotate = ["rotate", "--tenant", &tenant.id, &id, "--overlap-seconds", "3600"];
    let (same, third) = printed(&product, &rotate);
    assert_eq!(same, id);
    for port in &ports {
        for key in [&second, &third] {
            becomes(&product, *port, &tenant, key, 403).await;
        }
    }
    let revoke = format!("{keys}/{}", text(&made["keyId"]));
    assert_eq!(product.call("DELETE", &revoke, None).await.0, 204);
    assert_eq!(
        told(&product, here, &tenant, &first).await,
        (404, "tenant_not_found".into())
    );
    for port in &ports {
        becomes(&product, *port, &tenant, &first, 404).await;
    }
    // The use is noted after the answer.
    let is_noted = eventually(async || {
        let listed = product.get(&keys).await;
        listed["data"][0]["lastUsedAt"].is_string()
    });
    assert!(is_noted.await, "no use is noted");

    product.restart().await;
    becomes(&product, here, &tenant, &third, 403).await;
    becomes(&product, here, &tenant, &tenant.api_key, 200).await;
    assert_eq!(told(&product, here, &tenant, &first).await.0, 404);
    let (code, out, err) = product.run(&["key", "revoke", "--tenant", &tenant.id, &id]);
    assert_eq!(code, Some(0), "{out}{err}");
    for key in [&second, &third] {
        becomes(&product, here, &tenant, key, 404).await;
    }
    let (_, listed, _) = product.run(&["key", "list", "--tenant", &tenant.id]);
    assert!(listed.contains("first key") && !listed.contains("shell"), "{listed}");

    let (stored, log) = (product.stored_bytes().await, product.log());
    for key in [&first, &second, &third, &tenant.api_key] {
        let is_stored = stored.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!is_stored, "a key is in the store");
        assert!(
            !log.contains(key.as_str()) && !listed.contains(key.as_str()),
            "a key is shown"
        );
    }
}

/// The status that this key of an operator is answered with at the process on this port.
async fn told_operator(product: &Product, port: u16, key: &str) -> u16 {
    let url = format!("http://127.0.0.1:{port}/tenants");
    let answer = product.http.get(url).bearer_auth(key).send().await.expect("an answer");
    answer.status().as_u16()
}

async fn operator_becomes(product: &Product, port: u16, key: &str, status: u16) {
    let is_so = eventually(async || told_operator(product, port, key).await == status).await;
    assert!(is_so, "an operator is not answered with {status} on {port}");
}

async fn keys_of_operators_count_in_every_process_and_no_secret_of_them_is_kept(backend: Backend) {
    let mut product = Product::start(backend).await;
    let here = product.port.number();
    let other = dakghar_testkit::Port::claim();
    let mut ports = vec![here];
    if backend == Backend::Distributed {
        product.spawn_on("api", other.number());
        product.ready_on(other.number()).await;
        ports.push(other.number());
    }
    let made = product
        .post("/operators/keys", json!({"name": "http", "role": "admin"}))
        .await;
    let first = text(&made["key"]);
    let (id, second) = printed(&product, &["create", "--operator", "shell", "--role", "support"]);
    for port in &ports {
        for key in [&first, &second] {
            operator_becomes(&product, *port, key, 200).await;
        }
    }
    let (same, third) = printed(&product, &["rotate", "--operator", &id, "--overlap-seconds", "0"]);
    assert_eq!(same, id);
    for port in &ports {
        operator_becomes(&product, *port, &second, 401).await;
        operator_becomes(&product, *port, &third, 200).await;
    }
    let revoke = format!("/operators/keys/{}", text(&made["keyId"]));
    assert_eq!(product.call("DELETE", &revoke, None).await.0, 204);
    assert_eq!(told_operator(&product, here, &first).await, 401);
    for port in &ports {
        operator_becomes(&product, *port, &first, 401).await;
    }
    product.restart().await;
    operator_becomes(&product, here, &third, 200).await;
    let (_, listed, _) = product.run(&["key", "list", "--operator"]);
    assert!(
        listed.contains("shell") && listed.contains("support") && !listed.contains("http"),
        "{listed}"
    );
    let (code, out, err) = product.run(&["key", "revoke", "--operator", &id]);
    assert_eq!(code, Some(0), "{out}{err}");
    operator_becomes(&product, here, &third, 401).await;

    let (stored, log) = (product.stored_bytes().await, product.log());
    for key in [&first, &second, &third] {
        let is_stored = stored.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!is_stored, "a key is in the store");
        assert!(
            !log.contains(key.as_str()) && !listed.contains(key.as_str()),
            "a key is shown"
        );
    }
}

/// How many clients have asked.
static CLIENTS: AtomicUsize = AtomicUsize::new(0);

/// What a key was refused with; `let in` where it was not.
async fn refused_with(product: &Product, method: &str, path: &str, key: Option<&str>, has_body: bool) -> String {
    let url = format!("http://127.0.0.1:{}{path}", product.port);
    let mut request = product.http.request(method.parse().expect("a method"), url);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    // Too many wrong keys from one address would be answered without a look at them.
    let client = CLIENTS.fetch_add(1, Ordering::Relaxed);
    request = request.header("X-Forwarded-For", format!("198.18.{}.{}", client / 256, client % 256));
    if has_body {
        request = request.json(&json!({"no": "sense"}));
    }
    let answer = request.send().await.expect("an answer");
    let is_problem = answer.status().as_u16() >= 400;
    let body: Value = if is_problem {
        answer.json().await.expect("JSON")
    } else {
        Value::Null
    };
    match body["code"].as_str() {
        Some(
            code @ ("unauthenticated"
            | "forbidden"
            | "tenant_not_found"
            | "key_expired"
            | "missing_scope"
            | "address_not_allowed"),
        ) => code.to_owned(),
        _ => "let in".to_owned(),
    }
}

/// A key by name, and what it may do.
struct Held {
    name: String,
    key: Option<String>,
    /// The scope of a tenant's key.
    scope: Option<&'static str>,
    /// The role of an operator's.
    role: Option<&'static str>,
    /// What it is told wherever a key is looked at, at the routes of tenants and at those of operators.
    always: Option<[&'static str; 2]>,
}

async fn held(product: &Product, tenant: &Tenant, foreign: &Tenant) -> Vec<Held> {
    let always = |name: &str, key: Option<&str>, told: [&'static str; 2]| Held {
        name: name.to_owned(),
        key: key.map(str::to_owned),
        scope: None,
        role: None,
        always: Some(told),
    };
    let unknown = format!("dk_{}", "A".repeat(43));
    let mut all = vec![
        always("none", None, ["unauthenticated"; 2]),
        always("wrong", Some("wrong"), ["unauthenticated"; 2]),
        always("unknown", Some(&unknown), ["tenant_not_found", "forbidden"]),
        always("foreign", Some(&foreign.api_key), ["tenant_not_found", "forbidden"]),
    ];
    let keys = format!("/tenants/{}/keys", tenant.id);
    let every = ["send", "read", "manage", "callbacks", "onboarding"];
    for scope in every {
        let made = product.post(&keys, json!({"name": scope, "scopes": [scope]})).await;
        all.push(Held {
            name: scope.to_owned(),
            key: Some(text(&made["key"])),
            scope: Some(scope),
            role: None,
            always: None,
        });
    }
    for (path, rights, told) in [
        (&keys, json!({"scopes": every}), ["tenant_not_found", "forbidden"]),
        (
            &"/operators/keys".to_owned(),
            json!({"role": "admin"}),
            ["unauthenticated"; 2],
        ),
    ] {
        let of_tenant = path == &keys;
        let body = |more: Value| {
            let mut body = json!({"name": "k"});
            for part in [&rights, &more] {
                body.as_object_mut()
                    .expect("an object")
                    .extend(part.as_object().expect("an object").clone());
            }
            body
        };
        let gone = product.post(path, body(json!({}))).await;
        let revoke = format!("{path}/{}", text(&gone["keyId"]));
        assert_eq!(product.call("DELETE", &revoke, None).await.0, 204);
        all.push(always("revoked", gone["key"].as_str(), told));
        let elsewhere = product.post(path, body(json!({"addresses": ["203.0.113.0/24"]}))).await;
        let told = |code| if of_tenant { [code, "forbidden"] } else { [code; 2] };
        all.push(always(
            "elsewhere",
            elsewhere["key"].as_str(),
            told("address_not_allowed"),
        ));
        // Long enough for a busy machine to make it in time.
        let soon = Timestamp::from_millis(now_ms() + 10_000).to_string();
        let expired = product.post(path, body(json!({"expiresAt": soon}))).await;
        all.push(always("expired", expired["key"].as_str(), told("key_expired")));
    }
    for role in ["admin", "support", "onboarding"] {
        let made = product
            .post("/operators/keys", json!({"name": role, "role": role}))
            .await;
        all.push(Held {
            name: role.to_owned(),
            key: Some(text(&made["key"])),
            scope: None,
            role: Some(role),
            always: None,
        });
    }
    all
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("a clock").as_millis()).expect("a date of this age")
}

async fn every_route_lets_in_whom_its_document_names(backend: Backend) {
    let product = Setup::on(backend).env("TRUSTED_PROXIES", "127.0.0.0/8").start().await;
    let tenant = product.tenant("111", "mock_a").await;
    let foreign = product.tenant("222", "mock_b").await;
    let keys = held(&product, &tenant, &foreign).await;
    let expired = keys.iter().filter(|held| held.name == "expired");
    for held in expired {
        let path = match held.always {
            Some([_, "forbidden"]) => format!("/tenants/{}", tenant.id),
            _ => "/tenants".to_owned(),
        };
        let is_over = eventually(async || {
            refused_with(&product, "GET", &path, held.key.as_deref(), false).await == "key_expired"
        });
        assert!(is_over.await, "a key does not expire");
    }
    let document = product.get("/openapi.json").await;
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            let Some(roles) = operation["x-roles"].as_array() else {
                assert!(
                    operation["security"].is_null(),
                    "{method} {path} says not for which roles it is"
                );
                continue;
            };
            let scope = operation["x-scopes"][0].as_str();
            for held in &keys {
                let expected = match (held.always, held.scope, held.role) {
                    (Some([of_tenants, of_operators]), ..) => {
                        if scope.is_some() {
                            of_tenants
                        } else {
                            of_operators
                        }
                    }
                    (None, Some(own), _) if scope.is_some() => {
                        if scope == Some(own) {
                            "let in"
                        } else {
                            "missing_scope"
                        }
                    }
                    (None, Some(_), _) => "forbidden",
                    (None, None, role) => {
                        let is_named = roles.iter().any(|named| named.as_str() == role);
                        if is_named { "let in" } else { "missing_scope" }
                    }
                };
                let path = path.replace("{tenantId}", &tenant.id);
                let path = match operation["operationId"].as_str() {
                    // Let in, and then refused: whoever comes next still finds the tenant and what it does.
                    Some("removeTenant") => format!("{path}?force=maybe"),
                    Some("beginHold" | "releaseHold" | "pauseTenant") if expected == "let in" => continue,
                    _ => path.replace(['{', '}'], "x"),
                };
                let has_body = operation.get("requestBody").is_some();
                let told = refused_with(&product, &method.to_uppercase(), &path, held.key.as_deref(), has_body).await;
                assert_eq!(told, expected, "{method} {path} with the key {}", held.name);
                asked += 1;
            }
        }
    }
    assert!(asked > 1_000, "{asked}");
}
