//! Wrong keys: who presents many is answered unseen, and nobody learns whether a tenant exists.

use std::time::Duration;

use dakghar_core::ports::StoreError;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Answer, Service, Setup, TestTenant, known_app, onboarding_at};
use crate::sockets::{Server, start};

const ATTACKED: &str = "203.0.113.7";
const OTHER: &str = "203.0.113.8";
/// Longer than a tenant is remembered.
const FORGOTTEN: Duration = Duration::from_secs(5);

fn setup() -> Setup {
    let mut setup = Setup::production();
    setup.http.wrong_keys_per_minute_max = 5;
    setup.http.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    setup
}

/// A service with two tenants of which no key was used.
async fn two_tenants() -> (Service, TestTenant, TestTenant) {
    let mut service = Service::start(setup());
    service.key = Some(ADMIN_KEY.into());
    let a = service.register("Tenant A", "111111111111111").await;
    let b = service.register("Tenant B", "222222222222222").await;
    (service, a, b)
}

fn unknown_key() -> String {
    format!("dk_{}", "A".repeat(43))
}

/// The head of the answer to this key from this address.
async fn ask(server: &Server, addr: &str, path: &str, key: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: {addr}\r\n\
         Authorization: Bearer {key}\r\n\r\n"
    );
    server.exchange(request).await.to_lowercase()
}

fn status(answer: &str) -> u16 {
    let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {answer}"))
}

#[tokio::test]
async fn an_address_with_many_wrong_keys_is_answered_unseen_and_its_neighbours_are_served() {
    let (service, a, b) = two_tenants().await;
    let server = start(service.router.clone(), setup().http).await;
    let (path_a, path_b) = (format!("/tenants/{}", a.id), format!("/tenants/{}", b.id));
    let told = async |addr, path: &str, key: &str| status(&ask(&server, addr, path, key).await);
    assert_eq!(told(ATTACKED, &path_a, &a.key).await, 200);
    assert_eq!(told(ATTACKED, "/tenants", ADMIN_KEY).await, 200);
    assert_eq!(told(ATTACKED, &path_a, &unknown_key()).await, 404);
    assert_eq!(
        told(ATTACKED, "/tenants/ten_00000000000000000000000000", &unknown_key()).await,
        404
    );
    assert_eq!(told(ATTACKED, &path_a, "no-key-of-ours").await, 401);
    assert_eq!(told(ATTACKED, "/tenants", &unknown_key()).await, 403);
    assert_eq!(told(ATTACKED, "/readyz", "guess-of-the-admin-key").await, 200);

    // Nothing is looked up: the store is not asked.
    service.store.fail_with(Some(StoreError::Unavailable("away".into())));
    let refused = ask(&server, ATTACKED, &path_a, &unknown_key()).await;
    assert_eq!(status(&refused), 429, "{refused}");
    assert!(refused.contains("retry-after: 12\r\n"), "{refused}");
    assert!(refused.contains("rate_limited"), "{refused}");
    assert_eq!(told(OTHER, &path_a, &unknown_key()).await, 503);
    service.store.fail_with(None);

    // Nor compared: a right key that is new here fares like a wrong one. Whose key was right before is served.
    assert_eq!(told(ATTACKED, &path_b, &b.key).await, 429);
    assert_eq!(told(ATTACKED, &path_a, &a.key).await, 200);
    assert_eq!(told(ATTACKED, "/tenants", ADMIN_KEY).await, 200);
    assert_eq!(told(OTHER, &path_b, &b.key).await, 200, "another address");
    // There is a free try after the time that was named, and a right key does not use it up.
    service.clock.advance(Duration::from_secs(12));
    assert_eq!(told(ATTACKED, &path_b, &unknown_key()).await, 404);
    assert_eq!(told(ATTACKED, &path_b, &unknown_key()).await, 429);
}

#[tokio::test]
async fn the_page_of_too_many_wrong_links_says_when_to_come_again() {
    let setup = Setup {
        default_app: known_app(),
        signups: onboarding_at("https://gateway.example.com"),
        ..setup()
    };
    let service = Service::start(setup.clone());
    let server = start(service.router.clone(), setup.http).await;
    let path = format!("/onboard/{}", "A".repeat(43));
    for _ in 0..5 {
        let unknown = ask(&server, ATTACKED, &path, "none").await;
        assert_eq!(status(&unknown), 404, "{unknown}");
        assert!(!unknown.contains("retry-after"), "{unknown}");
    }
    let busy = ask(&server, ATTACKED, &path, "none").await;
    assert_eq!(status(&busy), 429, "{busy}");
    assert!(busy.contains("data-notice=\"busy\""), "{busy}");
    assert!(busy.contains("retry-after: 12\r\n"), "{busy}");
}

/// A server whose addresses have a try each quarter of a second, a tenant of it, and the tenant's path.
async fn with_near_tries() -> (Server, TestTenant, String) {
    let mut setup = setup();
    setup.http.wrong_keys_per_minute_max = 240;
    let mut service = Service::start(setup.clone());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let server = start(service.router.clone(), setup.http).await;
    let path = format!("/tenants/{}", tenant.id);
    (server, tenant, path)
}

/// Uses up all the tries of the attacked address.
async fn exhaust(server: &Server, path: &str, tries: u32) {
    for _ in 0..tries {
        assert_eq!(status(&ask(server, ATTACKED, path, &unknown_key()).await), 404);
    }
}

#[tokio::test]
async fn a_new_right_key_at_an_attacked_address_waits_for_a_try_that_is_near() {
    let (server, tenant, path) = with_near_tries().await;
    exhaust(&server, &path, 240).await;
    // What only wants to see more than anybody may does not wait.
    assert_eq!(status(&ask(&server, ATTACKED, "/readyz", &unknown_key()).await), 200);
    assert_eq!(
        status(&ask(&server, ATTACKED, &path, &unknown_key()).await),
        404,
        "a wrong one waits as well"
    );
    assert_eq!(status(&ask(&server, ATTACKED, &path, &tenant.key).await), 200);
}

#[tokio::test]
async fn the_operators_key_at_an_attacked_address_waits_once_and_then_passes() {
    let (server, _, path) = with_near_tries().await;
    // It was right elsewhere, which does not count here.
    assert_eq!(status(&ask(&server, OTHER, "/tenants", ADMIN_KEY).await), 200);
    exhaust(&server, &path, 240).await;
    assert_eq!(
        status(&ask(&server, ATTACKED, "/tenants", "guess-of-the-admin-key").await),
        401
    );
    assert_eq!(status(&ask(&server, ATTACKED, "/tenants", ADMIN_KEY).await), 200);
    // By the clock of the service no time passes, so the line grows until the next try is too far away.
    let guesses = (0..40).map(|_| ask(&server, ATTACKED, "/tenants", "guess-of-the-admin-key"));
    let answers: Vec<_> = join_all(guesses).await.iter().map(|answer| status(answer)).collect();
    assert!(
        answers.contains(&429) && answers.iter().all(|code| [401, 429].contains(code)),
        "{answers:?}"
    );
    for path in ["/tenants", &path] {
        assert_eq!(status(&ask(&server, ATTACKED, path, ADMIN_KEY).await), 200, "{path}");
    }
}

#[tokio::test]
async fn the_next_tenant_at_an_attacked_address_gets_the_next_try() {
    let (service, a, b) = two_tenants().await;
    let server = start(service.router.clone(), setup().http).await;
    let (path_a, path_b) = (format!("/tenants/{}", a.id), format!("/tenants/{}", b.id));
    exhaust(&server, &path_a, 5).await;
    service.clock.advance(Duration::from_secs(12));
    for (path, tenant) in [(&path_a, &a), (&path_b, &b), (&path_a, &a)] {
        assert_eq!(status(&ask(&server, ATTACKED, path, &tenant.key).await), 200);
    }
}

fn without_request_id(answer: Answer) -> Value {
    let mut json = answer.json;
    json["requestId"] = json!(null);
    json!([answer.status.as_u16(), json])
}

#[tokio::test]
async fn a_tenant_that_cannot_be_read_looks_like_none_to_who_has_not_had_its_key() {
    let (mut service, a, b) = two_tenants().await;
    let path_a = format!("/tenants/{}", a.id);
    let nobody = "/tenants/ten_00000000000000000000000000";
    service.key = Some(b.key.clone());
    let none = without_request_id(service.get(nobody).await);
    service.key = Some(a.key.clone());
    assert_eq!(service.get(&path_a).await.outcome(), (200, "-"));
    service.clock.advance(FORGOTTEN);
    service
        .store
        .fail_with(Some(StoreError::Unreadable("it is broken".into())));
    assert_eq!(service.get(&path_a).await.outcome(), (500, "record_unreadable"));
    service.key = Some(b.key.clone());
    assert_eq!(without_request_id(service.get(&path_a).await), none);
    service.key = Some(ADMIN_KEY.into());
    assert_eq!(service.get(&path_a).await.outcome(), (500, "record_unreadable"));
    // The store cannot tell who is right, and before this process nobody was.
    service.key = Some(b.key.clone());
    let path_b = format!("/tenants/{}", b.id);
    assert_eq!(without_request_id(service.get(&path_b).await), none);
}

/// Whether a tenant is remembered or unknown, its wrong keys cost one read of the store: without one, both fail.
#[tokio::test]
async fn a_wrong_key_costs_the_same_for_a_remembered_tenant_and_for_none() {
    let (mut service, a, b) = two_tenants().await;
    let path_a = format!("/tenants/{}", a.id);
    service.key = Some(a.key.clone());
    assert_eq!(service.get(&path_a).await.outcome(), (200, "-"));
    service.store.fail_with(Some(StoreError::Unavailable("away".into())));
    assert_eq!(service.get(&path_a).await.outcome(), (200, "-"), "it is remembered");
    service.key = Some(b.key.clone());
    for path in [path_a.as_str(), "/tenants/ten_00000000000000000000000000"] {
        assert_eq!(service.get(path).await.outcome(), (503, "store_unavailable"), "{path}");
    }
}
