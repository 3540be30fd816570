//! The page itself: its policy, its languages and its paths; and links that are asked for wrongly.

use axum::body::Body;
use axum::http::Request;
use axum::http::header::ACCEPT_LANGUAGE;
use dakghar_core::app::OtherSdk;
use serde_json::{Value, json};

use super::{World, between, unescaped, world};
use crate::harness::{ADMIN_KEY, Service, Setup, known_app, onboarding_at};

#[tokio::test]
async fn the_page_is_bound_to_its_own_script_and_metas() {
    let world = world().await;
    let link = world.link(&json!({})).await;
    let path = World::path_of(&link);
    let page = world.get(&path, None).await;
    let policy = page.header("content-security-policy").expect("a policy");
    for part in [
        "default-src 'none'",
        "script-src 'self' https://connect.facebook.net;",
        "style-src 'self';",
        "connect-src 'self' https://graph.facebook.com https://www.facebook.com https://web.facebook.com;",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http:"), "{policy}");
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin-allow-popups"),
        ("referrer-policy", "strict-origin"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    let cookie = page.header("set-cookie").expect("a cookie");
    assert!(
        cookie.ends_with("; Path=/onboard; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    // The script and the style are files of ours, and nothing else is in the page.
    assert!(!page.text.contains("<style") && !page.text.contains("onclick="));
    assert_eq!(page.text.matches("<script").count(), 1);
    assert!(!page.text.contains("Dhaka <Books>") && page.text.contains("Dhaka &#60;Books&#62;"));
    let secret = path.rsplit('/').next().expect("a secret");
    assert!(!page.text.contains(secret), "the page need not name its link");
    for (name, kind) in [("page.css", "text/css"), ("page.js", "text/javascript")] {
        let asked = between(&page.text, &format!("assets/{name}"), "\"").to_owned();
        let asset = world.get(&format!("/onboard/assets/{name}{asked}"), None).await;
        assert_eq!(asset.status, 200);
        assert!(
            asset
                .header("content-type")
                .is_some_and(|found| found.starts_with(kind))
        );
        assert_eq!(
            asset.header("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
    }
    let notice = world.get("/onboard/x", None).await;
    assert_eq!(
        notice.header("content-security-policy"),
        page.header("content-security-policy")
    );
    assert_eq!(notice.text.matches("<script").count(), 0);
}

#[tokio::test]
async fn a_development_page_runs_another_sdk_and_behind_a_proxy_paths_are_longer() {
    let mut signups = onboarding_at("http://localhost:3000/gate");
    let page = signups.page.as_mut().expect("a page");
    page.other_sdk = OtherSdk::parse("http://localhost:4010/_sim/sdk.js");
    let mut service = Service::start(Setup {
        default_app: known_app(),
        signups,
        ..Setup::production()
    });
    service.key = Some(ADMIN_KEY.to_owned());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let path = format!("/tenants/{}/onboarding-links", tenant.id);
    let link = service.post(&path, &json!({})).await.json;
    let url = link["url"].as_str().expect("a text");
    let path = url.strip_prefix("http://localhost:3000/gate").expect("it is ours");
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let page = service.call_raw(request).await;
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(
        policy.contains("script-src 'self' https://connect.facebook.net http://localhost:4010;"),
        "{policy}"
    );
    let cookie = page.header("set-cookie").expect("a cookie");
    assert!(
        cookie.contains("; Path=/gate/onboard;") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let data: Value = serde_json::from_str(&unescaped(between(&page.text, "data-page=\"", "\""))).expect("JSON");
    assert_eq!(data["otherOrigin"], "http://localhost:4010");
    assert_eq!(data["sdkUrl"], "http://localhost:4010/_sim/sdk.js");
}

#[tokio::test]
async fn it_speaks_the_language_of_the_link_of_the_person_or_of_the_browser() {
    let world = world().await;
    let (plain, bengali) = (
        world.link(&json!({})).await,
        world.link(&json!({"language": "bn"})).await,
    );
    let (plain, bengali) = (World::path_of(&plain), World::path_of(&bengali));
    for (path, accepts, language) in [
        (plain.clone(), "", "en"),
        (plain.clone(), "bn-BD,en;q=0.8", "bn"),
        (format!("{plain}?lang=bn"), "en", "bn"),
        (bengali.clone(), "en", "bn"),
        (format!("{bengali}?lang=en"), "bn", "en"),
        ("/onboard/x".to_owned(), "bn", "bn"),
    ] {
        let request = Request::get(&path).header(ACCEPT_LANGUAGE, accepts).body(Body::empty());
        let page = world.service.call_raw(request.expect("a request")).await;
        assert!(
            page.text.contains(&format!("<html lang=\"{language}\">")),
            "{path} {accepts}"
        );
        let is_bengali = page.text.contains("যুক্ত করুন");
        assert_eq!(is_bengali, language == "bn", "{path}");
    }
}

#[tokio::test]
async fn a_link_with_a_slash_behind_it_leads_to_its_page() {
    let world = world().await;
    let path = World::path_of(&world.link(&json!({})).await);
    let secret = path.rsplit('/').next().expect("a secret");
    for query in ["", "?lang=bn", "?lang=%3Cscript%3E"] {
        let answer = world.get(&format!("{path}/{query}"), None).await;
        assert_eq!(answer.status, 308, "{query}");
        assert_eq!(answer.header("location"), Some(&*format!("../{secret}{query}")));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("set-cookie"), None);
        world.open(&format!("{path}{query}"), None).await;
    }
    let elsewhere = world.get("/onboard/%2f%2fevil.example/", None).await;
    assert_eq!(elsewhere.header("location"), Some("../%2f%2fevil.example"));
}

#[tokio::test]
async fn a_tenants_name_turns_no_text_around_it() {
    let world = world().await;
    let tenant = world
        .service
        .register("Dhaka\u{202e} Books\u{2069}", "222222222222222")
        .await;
    let path = format!("/tenants/{}/onboarding-links", tenant.id);
    let link = world.service.post(&path, &json!({})).await.json;
    let page = world.get(&World::path_of(&link), None).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let name = "\u{2068}Dhaka Books\u{2069}";
    assert!(page.text.contains(&format!("data-tenant=\"{name}\"")), "{}", page.text);
    assert!(page.text.contains(&format!("to {name}</h1>")), "{}", page.text);
    assert!(!page.text.contains('\u{202e}'));
}

#[tokio::test]
async fn links_that_are_asked_for_wrongly_are_refused() {
    let world = world().await;
    let path = world.below("/onboarding-links");
    for (body, outcome, pointer) in [
        (
            json!({"expiresInSeconds": 299}),
            (422, "invalid_field"),
            "/expiresInSeconds",
        ),
        (
            json!({"expiresInSeconds": 2_592_001}),
            (422, "invalid_field"),
            "/expiresInSeconds",
        ),
        (
            json!({"returnUrl": "http://shop.example.com"}),
            (422, "https_required"),
            "/returnUrl",
        ),
        (
            json!({"returnUrl": "javascript:alert(1)"}),
            (422, "invalid_url"),
            "/returnUrl",
        ),
        (json!({"language": "fr"}), (422, "invalid_field"), "/language"),
        (json!({"why": 1}), (422, "unknown_field"), "/why"),
    ] {
        let refused = world.service.post(&path, &body).await;
        assert_eq!(refused.outcome(), outcome, "{body}");
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{body}");
    }
    let refused = world.service.post(&path, &json!({"appId": "9"})).await;
    assert_eq!(refused.outcome(), (404, "app_not_found"));
    for _ in 0..100 {
        world.link(&json!({})).await;
    }
    assert_eq!(
        world.service.post(&path, &json!({})).await.outcome(),
        (409, "too_many_links")
    );
    let running = world
        .service
        .post(&world.below("/signups"), &json!({"code": "c"}))
        .await;
    assert_eq!(running.status, 202, "links are no signups under way");
}
