//! Several apps at Meta sign the webhooks of one installation.

use serde_json::{Value, json};

use crate::product::{APP_SECRET, Backend, Product, Setup, eventually, on_both_backends, text};

on_both_backends!(
    webhooks_of_several_apps_are_taken_while_their_secrets_are_valid,
    each_app_has_a_webhook_and_a_dialog_of_its_own,
);

const APP: &str = "670843887433847";
const FIRST: &str = "first-secret-7f3a9c51b2";
const SECOND: &str = "second-secret-55d0e1a9c4";

/// Posts a webhook to the process on this port, signed with this secret; answers the status.
async fn signed(product: &Product, port: u16, secret: &str) -> u16 {
    signed_at(product, &format!("http://127.0.0.1:{port}/whatsapp/webhook"), secret).await
}

/// Posts a webhook to this URL, signed with this secret; answers the status.
async fn signed_at(product: &Product, url: &str, secret: &str) -> u16 {
    product.sim.set_app_secret(Some(secret));
    product.sim.set_webhook_url(url);
    let message = json!({"from": "16505551234", "id": "wamid.A1", "timestamp": "1760000000", "type": "text",
        "text": {"body": "hello"}});
    let value = json!({"messaging_product": "whatsapp", "messages": [message],
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": "111"}});
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "9001", "changes": [
        {"field": "messages", "value": value}]}]});
    let answer = product.sim.post_webhook_raw(body.to_string().into_bytes()).await;
    answer.expect("an answer")
}

async fn becomes(product: &Product, port: u16, secret: &str, status: u16) {
    let is_so = eventually(async || signed(product, port, secret).await == status).await;
    assert!(is_so, "{secret} is not answered with {status} on {port}");
}

async fn webhooks_of_several_apps_are_taken_while_their_secrets_are_valid(backend: Backend) {
    let mut product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let here = product.port.number();
    // A second process follows what the first one is told.
    let other = dakghar_testkit::Port::claim();
    let ports = if backend == Backend::Embedded {
        vec![here]
    } else {
        product.spawn_on("api", other.number());
        product.ready_on(other.number()).await;
        vec![here, other.number()]
    };
    for port in &ports {
        assert_eq!(signed(&product, *port, FIRST).await, 401);
    }
    let app = json!({"appId": APP, "name": "Partner", "secret": FIRST});
    let added = product.post("/apps", app).await;
    let token = text(&added["verifyToken"]);
    assert_eq!(signed(&product, here, FIRST).await, 200, "at once where it was added");
    for port in &ports {
        becomes(&product, *port, FIRST, 200).await;
        assert_eq!(signed(&product, *port, APP_SECRET).await, 200);
        assert_eq!(signed(&product, *port, SECOND).await, 401);
        let url = format!("http://127.0.0.1:{port}/whatsapp/webhook?hub.mode=subscribe&hub.challenge=42");
        let verified = product.http.get(format!("{url}&hub.verify_token={token}")).send().await;
        assert_eq!(verified.expect("an answer").text().await.expect("text"), "42");
    }
    // From the shell, beside the servers.
    let rotate = ["app", "rotate", APP, "--secret", SECOND, "--overlap-seconds", "4"];
    let (code, out, err) = product.run(&rotate);
    assert_eq!(code, Some(0), "{out}{err}");
    for port in &ports {
        becomes(&product, *port, SECOND, 200).await;
    }
    let rotated = product.get(&format!("/apps/{APP}")).await;
    assert_eq!(rotated["secrets"].as_array().map(Vec::len), Some(2), "{rotated}");
    for port in &ports {
        becomes(&product, *port, FIRST, 401).await;
        assert_eq!(signed(&product, *port, SECOND).await, 200);
    }
    let (_, listed, _) = product.run(&["app", "list"]);
    assert!(listed.contains(APP) && listed.contains("default"), "{listed}");
    let (_, found, _) = product.run(&["doctor"]);
    assert!(found.contains("apps beside the one of the settings: 1"), "{found}");

    // It is there after a restart, and then it is not.
    product.restart().await;
    becomes(&product, here, SECOND, 200).await;
    let (status, _) = product.call("DELETE", &format!("/apps/{APP}"), None).await;
    assert_eq!(status, 204);
    assert_eq!(signed(&product, here, SECOND).await, 401);

    let messages = product.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert_eq!(messages["data"].as_array().map(Vec::len), Some(1), "{messages}");
    let again: Value = json!({"appId": APP, "name": "Partner", "secret": FIRST});
    product.post("/apps", again).await;
    let apps = product.get("/apps").await.to_string();
    let stored = product.stored_bytes().await;
    let log = product.log();
    for secret in [FIRST, SECOND, &token] {
        let is_stored = stored.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_stored, "{secret} is in the store");
        assert!(!apps.contains(secret) && !log.contains(secret), "{secret} is shown");
    }
}

/// The status and the text of what Meta gets when it verifies a webhook URL.
async fn verified(product: &Product, path: &str, token: &str) -> (u16, String) {
    let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=42");
    let answer = product.http.get(product.url(&format!("{path}?{query}"))).send().await;
    let answer = answer.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// True if the page of a new link runs the dialog of this app with this configuration.
async fn page_runs(product: &Product, link: &Value, app: &str, config: &str) -> bool {
    let page = product.http.get(text(&link["url"])).send().await.expect("an answer");
    let page = page.text().await.expect("text").replace("&#34;", "\"");
    page.contains(&format!("\"appId\":\"{app}\"")) && page.contains(&format!("\"configId\":\"{config}\""))
}

async fn each_app_has_a_webhook_and_a_dialog_of_its_own(backend: Backend) {
    let mut product = Setup::on(backend).env("APP_ID", "4242").start().await;
    product.set("PUBLIC_URL", product.url(""));
    product.set("SIGNUP_CONFIG_ID", "7007");
    product.restart().await;
    let tenant = product.tenant("111", "mock_a").await;
    let app = json!({"appId": APP, "name": "Partner", "secret": FIRST, "verifyToken": "token-of-the-partner"});
    let added = product.post("/apps", app).await;
    let (of_settings, own) = ("/whatsapp/webhook/4242".to_owned(), text(&added["webhookPath"]));
    assert_eq!(own, format!("/whatsapp/webhook/{APP}"));

    let unknown = "/whatsapp/webhook/999";
    let answer = async |path: &str, secret: &str| signed_at(&product, &product.url(path), secret).await;
    for (path, secret, status) in [
        (own.as_str(), FIRST, 200),
        (&own, APP_SECRET, 401),
        (&of_settings, APP_SECRET, 200),
        (&of_settings, FIRST, 401),
        ("/whatsapp/webhook", FIRST, 200),
        ("/whatsapp/webhook", APP_SECRET, 200),
        (unknown, FIRST, 401),
        (unknown, APP_SECRET, 401),
    ] {
        assert_eq!(answer(path, secret).await, status, "{path} {secret}");
    }
    let unsigned = product.http.post(product.url(&own)).body("{}").send().await;
    assert_eq!(unsigned.expect("an answer").status().as_u16(), 401);
    for (path, token, status) in [
        (own.as_str(), "token-of-the-partner", 200),
        (&own, "it-verify-token", 403),
        (&of_settings, "it-verify-token", 200),
        (&of_settings, "token-of-the-partner", 403),
        (unknown, "it-verify-token", 403),
    ] {
        assert_eq!(verified(&product, path, token).await.0, status, "{path} {token}");
    }
    let messages = product.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert_eq!(messages["data"].as_array().map(Vec::len), Some(1), "{messages}");

    let links = format!("/tenants/{}/onboarding-links", tenant.id);
    let wanted = json!({"appId": APP});
    let (status, refused) = product.call("POST", &links, Some(wanted.clone())).await;
    assert_eq!((status, &refused["code"]), (422, &json!("onboarding_page_off")));
    let (code, out, err) = product.run(&["app", "set", APP, "--signup-config-id", "8008"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let is_set = async || product.call("POST", &links, Some(wanted.clone())).await.0 == 201;
    assert!(eventually(is_set).await, "{}", product.log());
    let link = product.post(&links, wanted.clone()).await;
    assert!(page_runs(&product, &link, APP, "8008").await);
    let link = product.post(&links, json!({})).await;
    assert!(page_runs(&product, &link, "4242", "7007").await);
    let (_, listed, _) = product.run(&["app", "list"]);
    for shown in [own.as_str(), "8008", "7007"] {
        assert!(listed.contains(shown), "{shown}: {listed}");
    }
    product.restart().await;
    let link = product.post(&links, wanted).await;
    assert!(page_runs(&product, &link, APP, "8008").await, "it is stored");
}
