//! The page of an onboarding link: who may open it, what it is bound to, and what it shows.

mod page;

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE};
use axum::http::{Method, Request};
use dakghar_core::domain::AppId;
use dakghar_core::domain::access_token::{SEND_SCOPE, TokenFacts, TokenVerdict};
use dakghar_core::domain::ids::WabaId;
use dakghar_testkit::memory::{MemoryOnboarding, MemoryTokens};
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Answer, Service, Setup, TestTenant, known_app, onboarding_at, request};

const TOKEN: &str = "EAA-canary-token";
const BASE: &str = "https://gateway.example.com";

/// A service with the page, a tenant, and an account at Meta for which a customer gets the code `canary-code`.
struct World {
    service: Service,
    tenant: TestTenant,
    onboarding: MemoryOnboarding,
}

async fn world_at(base: &str) -> World {
    let (onboarding, tokens) = (MemoryOnboarding::default(), MemoryTokens::default());
    onboarding.add_account("900", &["501"]);
    onboarding.give_code("canary-code", TOKEN);
    let facts = TokenFacts {
        app_id: AppId::parse("222").expect("digits"),
        kind: Some("SYSTEM_USER".into()),
        scopes: vec!["whatsapp_business_management".into(), SEND_SCOPE.into()],
        accounts: vec![WabaId::parse("900").expect("digits")],
        expires_at: None,
    };
    tokens.say(TOKEN, TokenVerdict::Valid(facts));
    let mut service = Service::start(Setup {
        default_app: known_app(),
        onboarding: onboarding.clone(),
        tokens,
        signups: onboarding_at(base),
        ..Setup::production()
    });
    service.key = Some(ADMIN_KEY.to_owned());
    let tenant = service.register("Dhaka <Books>", "111111111111111").await;
    World {
        service,
        tenant,
        onboarding,
    }
}

async fn world() -> World {
    world_at(BASE).await
}

/// A browser with the page of a link open.
struct Opened {
    /// The path of the page.
    path: String,
    cookie: String,
    /// What the script of the page is told.
    data: Value,
}

/// The text of an attribute, as a browser reads it.
fn unescaped(text: &str) -> String {
    let signs = [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
    ];
    signs
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("{after} in {text}")).0
}

impl World {
    fn below(&self, path: &str) -> String {
        format!("/tenants/{}{path}", self.tenant.id)
    }

    async fn link(&self, body: &Value) -> Value {
        let made = self.service.post(&self.below("/onboarding-links"), body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json
    }

    /// The path of a link's page.
    fn path_of(link: &Value) -> String {
        let url = link["url"].as_str().expect("a text");
        url.strip_prefix(BASE).expect("it is ours").to_owned()
    }

    async fn get(&self, path: &str, cookie: Option<&str>) -> Answer {
        let mut request = Request::get(path);
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Body::empty()).expect("a request");
        self.service.call_raw(request).await
    }

    async fn post(&self, path: &str, cookie: &str, body: &Value) -> Answer {
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/json")
            .header(COOKIE, cookie)
            .body(Body::from(body.to_string()));
        self.service.call_raw(request.expect("a request")).await
    }

    async fn open(&self, path: &str, cookie: Option<&str>) -> Opened {
        let page = self.get(path, cookie).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let set = page.header("set-cookie").expect("a cookie");
        Opened {
            path: path.to_owned(),
            cookie: set.split(';').next().expect("a pair").to_owned(),
            data: serde_json::from_str(&unescaped(between(&page.text, "data-page=\"", "\""))).expect("JSON"),
        }
    }

    /// A browser that opens a new link.
    async fn opened(&self) -> (Value, Opened) {
        let link = self.link(&json!({})).await;
        let opened = self.open(&Self::path_of(&link), None).await;
        (link, opened)
    }

    /// Posts what the page would, with its state.
    async fn brings(&self, opened: &Opened, rest: &str, mut body: Value) -> Answer {
        body["state"] = opened.data["state"].clone();
        self.post(&format!("{}{rest}", opened.path), &opened.cookie, &body)
            .await
    }

    async fn works(&self) {
        for _ in 0..20 {
            self.service.app.onboarding.exchange_codes().await.expect("a round");
            self.service.app.onboarding.work().await.expect("a round");
        }
    }

    async fn signup(&self, link: &Value) -> Value {
        let id = link["signupId"].as_str().expect("an id");
        self.service.get(&self.below(&format!("/signups/{id}"))).await.json
    }

    /// The status of the page and what it says about the link.
    async fn notice(&self, path: &str, cookie: Option<&str>) -> (u16, String) {
        let page = self.get(path, cookie).await;
        let notice = between(&page.text, "data-notice=\"", "\"").to_owned();
        (page.status.as_u16(), notice)
    }
}

#[tokio::test]
async fn a_customer_connects_a_number_by_the_link() {
    let world = world().await;
    let link = world
        .link(&json!({"returnUrl": "https://shop.example.com/done?x=1", "language": "en", "expiresInSeconds": 3_600}))
        .await;
    let invited = world.signup(&link).await;
    assert_eq!(
        (&invited["state"], &invited["link"]["used"]),
        (&json!("invited"), &json!(false))
    );
    let opened = world.open(&World::path_of(&link), None).await;
    let data = &opened.data;
    assert_eq!((&data["appId"], &data["configId"]), (&json!("222"), &json!("7007")));
    assert_eq!(data["extras"], json!({"setup": {}}));
    assert_eq!(data["sdkUrl"], "https://connect.facebook.net/en_US/sdk.js");
    assert_eq!(
        (&data["otherOrigin"], &data["status"]["state"]),
        (&json!(null), &json!("invited"))
    );
    assert_eq!(data["returnUrl"], "https://shop.example.com/done?x=1");

    let code = json!({"code": "canary-code", "wabaId": "900", "phoneNumberId": "501"});
    let begun = world.brings(&opened, "", code.clone()).await;
    assert_eq!(
        (begun.status.as_u16(), &begun.json["state"]),
        (202, &json!("running")),
        "{}",
        begun.text
    );
    // The answer may have been lost, and the page asks again.
    assert_eq!(world.brings(&opened, "", code).await.status, 202);
    world.works().await;
    let status = world
        .get(&format!("{}/status", opened.path), Some(&opened.cookie))
        .await;
    assert_eq!(
        (&status.json["state"], &status.json["number"]),
        (&json!("done"), &json!("+501"))
    );
    let steps = status.json["steps"].as_array().expect("a list");
    assert!(steps.iter().all(|step| step["state"] == "done"), "{}", status.text);
    let done = world.signup(&link).await;
    assert_eq!((&done["state"], &done["link"]["used"]), (&json!("done"), &json!(true)));
    assert_eq!(done["askedBy"], "settings");
    assert_eq!(world.onboarding.journal()[0], "exchange canary-code");
    // A reload in the same browser shows it; nobody else sees anything.
    let again = world.open(&opened.path, Some(&opened.cookie)).await;
    assert_eq!(again.data["status"]["state"], "done");
    assert_eq!(world.notice(&opened.path, None).await, (403, "used".to_owned()));
    for secret in ["canary-code", TOKEN, "advice"] {
        assert!(
            !status.text.contains(secret) && !again.data["status"].to_string().contains(secret),
            "{secret}"
        );
    }
}

#[tokio::test]
async fn links_that_cannot_be_used_say_so_in_words() {
    let world = world().await;
    let (over, taken) = (
        world.link(&json!({"expiresInSeconds": 300})).await,
        world.link(&json!({})).await,
    );
    let id = taken["signupId"].as_str().expect("an id");
    let cancel = world.below(&format!("/signups/{id}/cancel"));
    for _ in 0..2 {
        let cancelled = world.service.post(&cancel, &json!({})).await;
        assert_eq!(
            (cancelled.status.as_u16(), &cancelled.json["state"]),
            (200, &json!("cancelled"))
        );
    }
    let before = world.open(&World::path_of(&over), None).await;
    world.service.clock.advance(Duration::from_secs(300));
    assert_eq!(
        world.notice(&World::path_of(&over), None).await,
        (410, "expired".to_owned())
    );
    assert_eq!(world.signup(&over).await["state"], "expired");
    let late = world.brings(&before, "", json!({"code": "canary-code"})).await;
    assert_eq!(late.outcome(), (410, "link_over"));
    assert_eq!(
        world.notice(&World::path_of(&taken), None).await,
        (410, "cancelled".to_owned())
    );
    let unknown = format!("/onboard/{}", "A".repeat(43));
    for path in [unknown.as_str(), "/onboard/x", "/onboard/%00", "/onboard/..%2f"] {
        assert_eq!(world.notice(path, None).await, (404, "unknown".to_owned()), "{path}");
    }
    for rest in ["", "/retry", "/report"] {
        let body = json!({"state": "x", "code": "c", "event": "blocked"});
        let refused = world.post(&format!("{unknown}{rest}"), "", &body).await;
        assert_eq!(refused.outcome(), (404, "link_not_found"), "{rest}");
    }
    assert_eq!(
        world.get(&format!("{unknown}/status"), None).await.outcome(),
        (404, "link_not_found")
    );
    assert_eq!(world.onboarding.journal(), Vec::<String>::new());
}

#[tokio::test]
async fn what_comes_from_elsewhere_changes_nothing() {
    let world = world().await;
    let ((link, own), (_, other)) = (world.opened().await, world.opened().await);
    let state = own.data["state"].clone();
    let good = json!({"state": state, "code": "canary-code"});
    for (cookie, body) in [
        // No cookie, that of another browser, a made-up one, the state of another link, no state, a forged one.
        ("", good.clone()),
        (other.cookie.as_str(), good.clone()),
        ("dakghar_onboarding=x", good.clone()),
        (
            own.cookie.as_str(),
            json!({"state": other.data["state"], "code": "canary-code"}),
        ),
        (own.cookie.as_str(), json!({"state": "", "code": "canary-code"})),
        (
            own.cookie.as_str(),
            json!({"state": "B".repeat(43), "code": "canary-code"}),
        ),
    ] {
        for rest in ["", "/retry"] {
            let refused = world.post(&format!("{}{rest}", own.path), cookie, &body).await;
            assert_eq!(refused.outcome(), (403, "foreign_browser"), "{rest} {cookie} {body}");
        }
        let mut report = body.clone();
        report.as_object_mut().expect("an object").remove("code");
        report["event"] = json!("blocked");
        let refused = world.post(&format!("{}/report", own.path), cookie, &report).await;
        assert_eq!(refused.outcome(), (403, "foreign_browser"), "{report}");
    }
    let untouched = world.signup(&link).await;
    assert_eq!(
        (&untouched["state"], &untouched["reason"]),
        (&json!("invited"), &json!(null))
    );

    // Two browsers have the page open; the first one to begin has the link.
    let late = world.open(&own.path, None).await;
    assert_eq!(world.brings(&own, "", json!({"code": "canary-code"})).await.status, 202);
    assert_eq!(
        world.brings(&late, "", json!({"code": "code-2"})).await.outcome(),
        (410, "link_over")
    );
    assert_eq!(
        world.brings(&late, "/retry", json!({"code": "code-2"})).await.outcome(),
        (410, "link_over")
    );
    let status = world.get(&format!("{}/status", own.path), Some(&late.cookie)).await;
    assert_eq!(status.outcome(), (410, "link_over"));
    let cancel = format!("/signups/{}/cancel", link["signupId"].as_str().expect("an id"));
    let refused = world.service.post(&world.below(&cancel), &json!({})).await;
    assert_eq!(refused.outcome(), (409, "signup_begun"));
}

#[tokio::test]
async fn a_code_that_was_posted_elsewhere_is_refused() {
    let world = world().await;
    let (_, opened) = world.opened().await;
    let posted = world
        .service
        .post(&world.below("/signups"), &json!({"code": "canary-code"}))
        .await;
    assert_eq!(posted.status, 202);
    let reused = world.brings(&opened, "", json!({"code": "canary-code"})).await;
    assert_eq!(reused.outcome(), (409, "signup_code_used"));
    // Of two links with one code, Meta gives the token to one.
    let (_, second) = world.opened().await;
    world.onboarding.give_code("code-2", TOKEN);
    for page in [&opened, &second] {
        assert_eq!(world.brings(page, "", json!({"code": "code-2"})).await.status, 202);
    }
    world.works().await;
    let mut states = Vec::new();
    for page in [&opened, &second] {
        let status = world.get(&format!("{}/status", page.path), Some(&page.cookie)).await;
        states.push((status.json["state"].clone(), status.json["next"].clone()));
    }
    states.sort_by_key(|(state, _)| state.to_string());
    assert_eq!(states[0], (json!("done"), json!(null)));
    assert_eq!(states[1], (json!("stopped"), json!("dialog")));
}

#[tokio::test]
async fn the_tenant_learns_what_became_of_the_dialog_and_the_link_stays_open() {
    let world = world().await;
    let (link, opened) = world.opened().await;
    for (body, reason, code, message) in [
        (
            json!({"event": "abandoned", "currentStep": "PHONE_NUMBER_SETUP\n"}),
            "abandoned",
            json!(null),
            "at the step PHONE_NUMBER_SETUP",
        ),
        (
            json!({"event": "error", "errorCode": "200", "errorMessage": "<b>restricted</b>\u{7}"}),
            "dialog_error",
            json!(200),
            "<b>restricted</b>",
        ),
    ] {
        assert_eq!(world.brings(&opened, "/report", body).await.status, 204);
        let told = world.signup(&link).await;
        assert_eq!((&told["state"], &told["reason"]), (&json!("invited"), &json!(reason)));
        assert_eq!(
            (&told["error"]["code"], &told["error"]["message"]),
            (&code, &json!(message))
        );
        assert!(
            told["advice"].as_str().is_some_and(|advice| advice.contains("link")),
            "{told}"
        );
        world.service.clock.advance(Duration::from_secs(2));
    }
    assert_eq!(
        world
            .brings(&opened, "/report", json!({"event": "blocked"}))
            .await
            .status,
        204
    );
    assert_eq!(world.signup(&link).await["reason"], "dialog_blocked");
    // The page says it after a reload too, in words of its own.
    let again = world.open(&opened.path, Some(&opened.cookie)).await;
    assert_eq!(again.data["status"]["reason"], "dialog_blocked");
    assert_eq!(again.data["state"], opened.data["state"]);
    for (body, pointer) in [
        (json!({}), "/event"),
        (json!({"event": "closed"}), "/event"),
        (json!({"event": "error", "errorCode": 1}), "/errorCode"),
        (json!({"event": "error", "why": 1}), "/why"),
    ] {
        let refused = world.brings(&opened, "/report", body.clone()).await;
        assert_eq!(refused.status, 422, "{body}");
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{body}");
    }
    assert_eq!(
        world.brings(&opened, "", json!({"code": "canary-code"})).await.status,
        202
    );
    world.works().await;
    assert_eq!(world.signup(&link).await["reason"], json!(null));
}

#[tokio::test]
async fn a_customer_brings_the_pin_or_another_code() {
    let world = world().await;
    world.onboarding.set_pin("501", "123456");
    let (link, opened) = world.opened().await;
    world.brings(&opened, "", json!({"code": "made-up"})).await;
    world.works().await;
    let status = async || {
        world
            .get(&format!("{}/status", opened.path), Some(&opened.cookie))
            .await
            .json
    };
    assert_eq!(status().await["next"], "dialog", "Meta does not know the code");
    let refused = world.brings(&opened, "/retry", json!({})).await;
    assert_eq!(refused.outcome(), (409, "signup_needs_code"));
    assert_eq!(
        world
            .brings(&opened, "/retry", json!({"code": "canary-code"}))
            .await
            .status,
        200
    );
    world.works().await;
    let stopped = status().await;
    assert_eq!(
        (&stopped["next"], &stopped["reason"]),
        (&json!("pin"), &json!("pin")),
        "{stopped}"
    );
    let wrong = world.brings(&opened, "/retry", json!({"pin": "12"})).await;
    assert_eq!(wrong.outcome(), (422, "invalid_field"));
    assert_eq!(
        world.brings(&opened, "/retry", json!({"pin": "123456"})).await.status,
        200
    );
    world.works().await;
    assert_eq!(status().await["state"], "done");
    assert!(!world.signup(&link).await.to_string().contains("123456"));
}

#[tokio::test]
async fn a_customer_who_left_out_a_permission_is_led_back_to_the_dialog() {
    let world = world().await;
    world.onboarding.refuse_next("subscribe", 200);
    let (link, opened) = world.opened().await;
    world.brings(&opened, "", json!({"code": "canary-code"})).await;
    world.works().await;
    let path = format!("{}/status", opened.path);
    let status = world.get(&path, Some(&opened.cookie)).await.json;
    assert_eq!(
        (&status["state"], &status["next"], &status["reason"]),
        (&json!("stopped"), &json!("dialog"), &json!("scope_missing"))
    );
    let shown = world.signup(&link).await;
    assert_eq!(
        (&shown["needsCode"], &shown["reason"]),
        (&json!(true), &json!("meta_refused"))
    );
}

#[tokio::test]
async fn the_page_runs_the_configuration_of_the_app_that_the_link_names() {
    let world = world().await;
    let app = json!({"appId": "333", "name": "Partner", "secret": "secret-of-the-partner"});
    assert_eq!(world.service.post("/apps", &app).await.status, 201);
    let wanted = json!({"appId": "333"});
    let refused = world.service.post(&world.below("/onboarding-links"), &wanted).await;
    assert_eq!(refused.outcome(), (422, "onboarding_page_off"));
    let configure = async |config: Value| {
        let change = json!({"signupConfigId": config});
        let changed = world.service.call(request(Method::PATCH, "/apps/333", Some(&change)));
        assert_eq!(changed.await.status, 200);
    };
    configure(json!("8008")).await;
    let link = world.link(&wanted).await;
    let opened = world.open(&World::path_of(&link), None).await;
    assert_eq!(
        (&opened.data["appId"], &opened.data["configId"]),
        (&json!("333"), &json!("8008"))
    );
    let (_, other) = world.opened().await;
    assert_eq!(
        (&other.data["appId"], &other.data["configId"]),
        (&json!("222"), &json!("7007"))
    );
    configure(Value::Null).await;
    let notice = world.notice(&World::path_of(&link), None).await;
    assert_eq!(
        notice,
        (410, "cancelled".to_owned()),
        "its dialog cannot be run any more"
    );
}

#[tokio::test]
async fn without_the_page_there_are_no_links() {
    let mut service = Service::start(Setup {
        default_app: known_app(),
        ..Setup::production()
    });
    service.key = Some(ADMIN_KEY.to_owned());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let refused = service
        .post(&format!("/tenants/{}/onboarding-links", tenant.id), &json!({}))
        .await;
    assert_eq!(refused.outcome(), (422, "onboarding_page_off"));
    let request = Request::get("/onboard/x").body(Body::empty()).expect("a request");
    assert_eq!(service.call_raw(request).await.outcome(), (404, "not_found"));
}

#[tokio::test]
async fn bodies_are_small_and_json() {
    let world = world().await;
    let (_, opened) = world.opened().await;
    let big = json!({"code": "c".repeat(9_000)});
    assert_eq!(world.brings(&opened, "", big).await.outcome(), (413, "body_too_large"));
    let request = Request::builder()
        .method(Method::POST)
        .uri(&opened.path)
        .header(CONTENT_TYPE, "text/plain")
        .header(COOKIE, &opened.cookie)
        .body(Body::from("{}"));
    let refused = world.service.call_raw(request.expect("a request")).await;
    assert_eq!(refused.outcome(), (415, "unsupported_media_type"));
}
