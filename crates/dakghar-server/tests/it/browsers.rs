//! Browsers: the page of another site can neither read an answer nor make one look like something else.

use axum::body::Body;
use axum::http::{Method, Request};
use tower::ServiceExt as _;

use crate::harness::{ADMIN_KEY, Service, Setup, request, with_key};

const FOREIGN: &str = "https://evil.example";

/// Paths of every kind: the API, Meta's webhook, health, pages, and what is not there.
const PATHS: [&str; 10] = [
    "/",
    "/tenants",
    "/tenants/ten_x/messages",
    "/whatsapp/webhook",
    "/whatsapp/webhook/670843887433847",
    "/healthz",
    "/readyz",
    "/docs",
    "/openapi.json",
    "/nothing",
];

#[tokio::test]
async fn no_answer_may_be_read_by_the_page_of_another_site() {
    let service = Service::start(Setup::production());
    for path in PATHS {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let mut asked = with_key(request(method.clone(), path, None), Some(ADMIN_KEY));
            let headers = asked.headers_mut();
            headers.insert("origin", FOREIGN.parse().expect("printable"));
            headers.insert("access-control-request-method", "POST".parse().expect("printable"));
            headers.insert(
                "access-control-request-headers",
                "authorization".parse().expect("printable"),
            );
            let answer = service.router.clone().oneshot(asked).await.expect("infallible");
            let allowed: Vec<_> = answer
                .headers()
                .keys()
                .filter(|name| name.as_str().starts_with("access-control-"))
                .collect();
            assert!(allowed.is_empty(), "{method} {path}: {allowed:?}");
            assert!(!answer.headers().contains_key("set-cookie"), "{method} {path}");
            if method == Method::OPTIONS {
                assert!(!answer.status().is_success(), "{path}: a preflight went through");
            }
        }
    }
}

#[tokio::test]
async fn a_key_in_a_cookie_is_none() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    service.key = None;
    let path = format!("/tenants/{}", tenant.id);
    for cookie in [
        format!("api_key={}", tenant.key),
        format!("authorization=Bearer {ADMIN_KEY}"),
    ] {
        let asked = Request::get(&path).header("cookie", cookie).body(Body::empty());
        let answer = service.call(asked.expect("a request")).await;
        assert_eq!(answer.outcome(), (401, "unauthenticated"));
    }
}

#[tokio::test]
async fn what_is_private_is_not_kept_and_no_type_is_guessed() {
    let service = Service::start(Setup::production());
    for path in PATHS {
        let answer = service
            .call(with_key(request(Method::GET, path, None), Some(ADMIN_KEY)))
            .await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let kept = answer.header("cache-control");
        let is_public = matches!(path, "/docs" | "/openapi.json");
        assert!(is_public || kept == Some("no-store"), "{path}: {kept:?}");
    }
    for path in ["/docs", "/docs/errors"] {
        let page = service.get(path).await;
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(policy.contains("form-action 'none'"), "{path}: {policy}");
    }
}
