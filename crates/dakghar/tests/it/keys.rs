//! API keys of a tenant on both backends, from the shell and over HTTP, seen by two processes and after a restart.

use serde_json::{Value, json};

use crate::product::{Backend, Product, Tenant, eventually, on_both_backends, text};

on_both_backends!(keys_count_in_every_process_and_no_secret_of_them_is_kept);

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
