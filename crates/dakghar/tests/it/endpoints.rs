//! Endpoints of tenants through the whole product: versions, limits, secrets, isolation, a restart, the command line.

use dakghar_testkit::receiver::Receiver;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Tenant, on_both_backends, text};

on_both_backends!(
    endpoints_are_kept_under_versions_and_limits_by_all_processes,
    the_shell_makes_changes_and_deletes_endpoints,
);

const URL: &str = "https://example.com/hook";
const MAX: usize = 20;

/// A call with a key and a version; answers status, `ETag` and body.
async fn call(product: &Product, method: &str, path: &str, tenant: &Tenant, tag: &str) -> (u16, String, Value) {
    let method = method.parse().expect("a method");
    let mut request = product
        .http
        .request(method, product.url(path))
        .bearer_auth(&tenant.api_key);
    if !tag.is_empty() {
        request = request.header("if-match", tag);
    }
    let answer = request.json(&json!({})).send().await.expect("an answer");
    let tag = answer
        .headers()
        .get("etag")
        .map(|tag| tag.to_str().expect("text").to_owned());
    let status = answer.status().as_u16();
    (status, tag.unwrap_or_default(), answer.json().await.unwrap_or_default())
}

async fn endpoints_are_kept_under_versions_and_limits_by_all_processes(backend: Backend) {
    let mut product = Product::start(backend).await;
    let ours = product.tenant("111", "mock_a").await;
    let theirs = product.tenant("222", "mock_b").await;
    let all = format!("/tenants/{}/endpoints", ours.id);
    let made = product
        .post(
            &all,
            json!({"url": URL, "headers": {"Authorization": "Bearer header-canary"}, "kinds": ["status.*"]}),
        )
        .await;
    let one = format!("{all}/{}", text(&made["endpointId"]));
    let first = text(&made["secret"]);

    // Two who read the same version: one of them wins.
    let (_, tag, _) = call(&product, "GET", &one, &ours, "").await;
    let pauses = (0..2).map(|_| async { call(&product, "POST", &format!("{one}/secret"), &ours, &tag).await });
    let rotated = join_all(pauses).await;
    let mut statuses: Vec<u16> = rotated.iter().map(|(status, ..)| *status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "{rotated:?}");
    let second = rotated
        .iter()
        .find(|(status, ..)| *status == 200)
        .map(|(_, _, body)| text(&body["secret"]));
    let second = second.expect("one of them");

    // Nobody else sees or changes it.
    for (method, path) in [
        ("GET", one.clone()),
        ("PATCH", one.clone()),
        ("DELETE", one.clone()),
        ("GET", all.clone()),
    ] {
        let below_theirs = path.replace(&ours.id, &theirs.id);
        let (status, _, body) = call(&product, method, &path, &theirs, "").await;
        assert_eq!(
            (status, &body["code"]),
            (404, &json!("tenant_not_found")),
            "{method} {path}"
        );
        let (status, _, body) = call(&product, method, &below_theirs, &theirs, "").await;
        assert!(!body.to_string().contains(URL), "{body}");
        assert!(
            status == 404 || method == "GET" && path == all,
            "{method} {below_theirs}: {status}"
        );
    }

    // Many at once do not pass the limit.
    let post = async |_| product.call("POST", &all, Some(json!({"url": URL}))).await;
    let answers = join_all((0..MAX + 10).map(post)).await;
    let made = answers.iter().filter(|(status, _)| *status == 201).count();
    let refused = answers
        .iter()
        .filter(|(status, body)| *status == 409 && body["code"] == "endpoint_limit");
    assert_eq!((made, refused.count()), (MAX - 1, 11), "{answers:?}");

    let before = product.get(&all).await;
    assert_eq!(before["data"].as_array().map(Vec::len), Some(MAX));
    product.restart().await;
    assert_eq!(product.get(&all).await, before);
    let (status, tag, _) = call(&product, "POST", &format!("{one}/pause"), &ours, "\"1\"").await;
    assert_eq!((status, &*tag), (200, "\"2\""));

    let stored = product.stored_bytes().await;
    let log = product.log();
    for secret in [&first, &second, "header-canary"] {
        let is_stored = stored.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_stored, "{secret} is in the store");
        assert!(
            !before.to_string().contains(secret) && !log.contains(secret),
            "{secret} is shown"
        );
    }
    // They are erased with their tenant.
    let (status, _) = product
        .call("DELETE", &format!("/tenants/{}?force=true", ours.id), None)
        .await;
    assert_eq!(status, 204);
    if backend != Backend::Embedded {
        let endpoints = product.database().await.collection::<bson::Document>("endpoints");
        let left = endpoints.count_documents(bson::doc! { "tenantId": &ours.id }).await;
        assert_eq!(left.expect("a count"), 0, "an endpoint is still there");
    }
}

fn shell(product: &Product, arguments: &[&str]) -> String {
    let (code, out, err) = product.run(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
    out
}

/// The word behind a heading.
fn word(out: &str, heading: &str) -> String {
    let line = out.lines().find_map(|line| line.strip_prefix(heading));
    let word = line.and_then(|rest| rest.split_whitespace().next());
    word.unwrap_or_else(|| panic!("{heading}: {out}")).to_owned()
}

async fn the_shell_makes_changes_and_deletes_endpoints(backend: Backend) {
    let product = Product::start(backend).await;
    let body = json!({"name": "A", "phoneNumberId": "111", "accessToken": "mock_a", "callbackUrl": URL});
    let registered = product.post("/tenants/register", body).await;
    assert!(
        text(&registered["callbackSecret"]).starts_with("whsec_"),
        "{registered}"
    );
    let id = &*text(&registered["tenantId"]);
    let receiver = Receiver::start([]).await;
    let made = shell(
        &product,
        &[
            "endpoint",
            "create",
            id,
            &receiver.url(),
            "--kind",
            "status.*",
            "--format",
            "meta",
            "--header",
            "X-Shop: 7",
            "--verify-token",
            "token-canary",
            "--start",
            "beginning",
        ],
    );
    let (endpoint, secret) = (&*word(&made, "endpointId"), word(&made, "secret"));
    let listed = shell(&product, &["endpoint", "list", id]);
    assert!(
        listed.contains(endpoint) && listed.contains(URL) && listed.contains("status.*"),
        "{listed}"
    );
    assert_eq!(shell(&product, &["endpoint", "list", id, "--json"]).lines().count(), 2);
    let changed = shell(
        &product,
        &[
            "endpoint",
            "update",
            id,
            endpoint,
            "--all-kinds",
            "--per-second",
            "7",
            "--if-version",
            "0",
        ],
    );
    assert!(changed.contains("version 1"), "{changed}");
    let asked: Vec<String> = receiver.requests().into_iter().map(|request| request.head).collect();
    assert!(
        asked.len() == 1 && asked[0].contains("hub.verify_token=token-canary"),
        "{asked:?}"
    );
    let (code, _, err) = product.run(&[
        "endpoint",
        "update",
        id,
        endpoint,
        "--per-second",
        "8",
        "--if-version",
        "0",
    ]);
    assert!(code == Some(1) && err.contains("version_conflict"), "{err}");
    assert!(shell(&product, &["endpoint", "pause", id, endpoint]).contains("paused"));
    assert!(shell(&product, &["endpoint", "resume", id, endpoint]).contains("active"));
    let rotated = shell(
        &product,
        &["endpoint", "rotate-secret", id, endpoint, "--overlap-seconds", "3600"],
    );
    assert!(
        word(&rotated, "secret") != secret && rotated.contains("2 secrets"),
        "{rotated}"
    );
    let shown = shell(&product, &["endpoint", "show", id, endpoint]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let api = product.get(&format!("/tenants/{id}/endpoints/{endpoint}")).await;
    for field in [
        "url",
        "format",
        "kinds",
        "perSecond",
        "headers",
        "state",
        "version",
        "startsBehind",
        "hasVerifyToken",
    ] {
        assert_eq!(shown[field], api[field], "{field}");
    }
    assert!(shell(&product, &["endpoint", "delete", id, endpoint]).contains("deleted"));
    assert_eq!(product.run(&["endpoint", "show", id, endpoint]).0, Some(1));
    let (code, _, err) = product.run(&["endpoint", "create", id, "https://10.0.0.1/"]);
    assert!(code == Some(1) && err.contains("forbidden_url"), "{err}");
    let (code, help, _) = product.run(&["endpoint", "--help"]);
    for part in ["rotate-secret", "Exit status:", "Examples:", "Secrets:"] {
        assert!(code == Some(0) && help.contains(part), "{part}: {help}");
    }
}
