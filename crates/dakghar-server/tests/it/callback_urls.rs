//! The `callbackUrl` of a tenant is its first endpoint, and the two stay together whatever crashes in between.

use axum::http::Method;
use dakghar_core::domain::callback::{Advance, CallbackProgress};
use dakghar_core::domain::{Endpoint, Place, Tenant, TenantId};
use dakghar_core::ports::{
    CallbackStore as _, EndpointInserted, EndpointStore as _, Saved, TenantStore as _, store::TenantSaved,
};
use dakghar_testkit::samples;
use serde_json::{Value, json};

use crate::harness::{Answer, Service, request};

const URL: &str = "https://example.com/hook";
const OTHER: &str = "https://example.org/other";

/// A tenant that is registered with a URL, and the answer.
async fn registered(service: &Service) -> (TenantId, Value) {
    let body = json!({"name": "A", "phoneNumberId": "111", "accessToken": "mock_token", "callbackUrl": URL});
    let answer = service.post("/tenants/register", &body).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    let id = answer.json["tenantId"].as_str().expect("an id");
    (TenantId::parse(id).expect("an id"), answer.json)
}

async fn patch(service: &Service, path: &str, body: &Value) -> Answer {
    service.call(request(Method::PATCH, path, Some(body))).await
}

async fn endpoints(service: &Service, tenant: &TenantId) -> Vec<Endpoint> {
    service.store.endpoints_of(&[*tenant]).await.expect("the store answers")
}

/// The URL that the tenant shows, and that of its endpoint.
async fn both(service: &Service, tenant: &TenantId) -> (Option<String>, Option<String>) {
    let shown = service
        .store
        .find(tenant)
        .await
        .expect("answers")
        .expect("a tenant")
        .callback_url;
    let id = Endpoint::id_of_callback_url(tenant);
    let found = service
        .store
        .find_endpoint(tenant, &id)
        .await
        .expect("the store answers");
    (shown, found.map(|endpoint| endpoint.url))
}

fn same(url: Option<&str>) -> (Option<String>, Option<String>) {
    (url.map(str::to_owned), url.map(str::to_owned))
}

#[tokio::test]
async fn it_is_the_first_endpoint_and_its_secret_comes_with_the_registration() {
    let service = Service::open();
    let (tenant, answer) = registered(&service).await;
    let secret = answer["callbackSecret"].as_str().expect("a secret");
    let [endpoint] = &endpoints(&service, &tenant).await[..] else {
        panic!("one endpoint")
    };
    assert!(endpoint.is_of_callback_url() && endpoint.seat == 0);
    let whole = service.app.tenants.stored(&tenant).await.expect("a tenant");
    let opened = service
        .app
        .endpoints
        .credentials(&whole, endpoint, service.app.wall())
        .await;
    assert_eq!(opened.expect("it opens").secrets[0].reveal(), secret);
    let path = format!("/tenants/{tenant}");
    let shown = service.get(&format!("{path}/endpoints")).await;
    assert_eq!(
        (&shown.json["data"][0]["isCallbackUrl"], &shown.json["data"][0]["url"]),
        (&json!(true), &json!(URL))
    );
    assert!(!shown.text.contains(secret) && !service.get(&path).await.text.contains(secret));
    // By rotation it is learned later.
    let rotated = service
        .post(&format!("{path}/endpoints/{}/secret", endpoint.id), &json!({}))
        .await;
    assert!(rotated.json["secret"].as_str().expect("a secret").starts_with("whsec_"));
}

#[tokio::test]
async fn a_change_of_the_one_is_a_change_of_the_other() {
    let service = Service::open();
    let (tenant, _) = registered(&service).await;
    let path = format!("/tenants/{tenant}");
    let one = format!("{path}/endpoints/{}", Endpoint::id_of_callback_url(&tenant));
    let changed = patch(
        &service,
        &path,
        &json!({"callbackUrl": OTHER, "limits": {"requestsPerSecond": 7}}),
    )
    .await;
    assert_eq!(
        (&changed.json["callbackUrl"], &changed.json["callbackSecret"]),
        (&json!(OTHER), &Value::Null)
    );
    assert_eq!(changed.json["limits"]["requestsPerSecond"], 7);
    assert_eq!(both(&service, &tenant).await, same(Some(OTHER)));
    assert_eq!(patch(&service, &one, &json!({"url": URL})).await.status.as_u16(), 200);
    assert_eq!(both(&service, &tenant).await, same(Some(URL)));
    assert_eq!(
        patch(&service, &path, &json!({"limits": {}})).await.json["callbackUrl"],
        URL,
        "what is not named stays"
    );
    for url in ["http://example.com", "https://127.0.0.1"] {
        assert_eq!(
            patch(&service, &path, &json!({"callbackUrl": url}))
                .await
                .status
                .as_u16(),
            422
        );
    }
    assert_eq!(
        patch(&service, &path, &json!({"callbackUrl": null})).await.json["callbackUrl"],
        Value::Null
    );
    assert_eq!(both(&service, &tenant).await, same(None));
    let again = patch(&service, &path, &json!({"callbackUrl": URL})).await;
    assert!(
        again.json["callbackSecret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("whsec_"))
    );
    assert_eq!(service.delete(&one).await.status.as_u16(), 204);
    assert_eq!(both(&service, &tenant).await, same(None));
    // A version that is stale removes neither.
    patch(&service, &path, &json!({"callbackUrl": URL})).await;
    let mut stale = request(Method::DELETE, &one, None);
    stale
        .headers_mut()
        .insert("if-match", "\"7\"".parse().expect("a value"));
    assert_eq!(service.call(stale).await.outcome(), (412, "version_conflict"));
    assert_eq!(both(&service, &tenant).await, same(Some(URL)));
}

/// Stores the tenant as a crash or an earlier release left it.
async fn leave(service: &Service, tenant: &TenantId, url: Option<&str>) {
    let stored = service.store.find(tenant).await.expect("answers").expect("a tenant");
    let left = Tenant {
        callback_url: url.map(str::to_owned),
        ..stored
    };
    assert_eq!(service.store.save(&left, &[]).await, Ok(TenantSaved::Done));
}

async fn mend(service: &Service) {
    assert_eq!(service.app.endpoints.mend().await, Ok(()));
}

#[tokio::test]
async fn a_crash_in_a_registration_is_healed_by_the_next_start() {
    let service = Service::open();
    let (tenant, _) = registered(&service).await;
    let id = Endpoint::id_of_callback_url(&tenant);
    // As after the tenant's write; and as an earlier release left tenants.
    assert_eq!(service.store.remove_endpoint(&tenant, &id, None).await, Ok(true));
    mend(&service).await;
    assert_eq!(both(&service, &tenant).await, same(Some(URL)));
    let made = endpoints(&service, &tenant).await;
    mend(&service).await;
    assert_eq!(
        endpoints(&service, &tenant).await,
        made,
        "a second start changes nothing"
    );
}

#[tokio::test]
async fn a_crash_in_a_change_is_healed_by_the_next_start_and_by_a_repetition() {
    let service = Service::open();
    let (tenant, _) = registered(&service).await;
    for is_repeated in [true, false] {
        // As after the endpoint's write.
        leave(&service, &tenant, Some(OTHER)).await;
        if is_repeated {
            patch(&service, &format!("/tenants/{tenant}"), &json!({"callbackUrl": URL})).await;
        } else {
            mend(&service).await;
        }
        assert_eq!(both(&service, &tenant).await, same(Some(URL)), "{is_repeated}");
    }
}

#[tokio::test]
async fn a_crash_in_a_removal_is_healed_by_the_next_start_and_by_a_repetition() {
    let service = Service::open();
    let (tenant, _) = registered(&service).await;
    let kept = endpoints(&service, &tenant).await;
    // As after the tenant's write: it was not answered, so it did not happen. No secret and no place is lost.
    leave(&service, &tenant, None).await;
    mend(&service).await;
    assert_eq!(both(&service, &tenant).await, same(Some(URL)));
    assert_eq!(endpoints(&service, &tenant).await, kept);
    leave(&service, &tenant, None).await;
    patch(&service, &format!("/tenants/{tenant}"), &json!({"callbackUrl": null})).await;
    assert_eq!(both(&service, &tenant).await, same(None));
}

#[tokio::test]
async fn what_was_delivered_is_forgotten_with_the_url_and_the_next_one_begins_anew() {
    let service = Service::open();
    let (tenant, _) = registered(&service).await;
    let (path, id) = (format!("/tenants/{tenant}"), Endpoint::id_of_callback_url(&tenant));
    let progress = async || {
        let shown = service.get(&format!("{path}/endpoints/{id}")).await;
        shown.json["progress"].clone()
    };
    let begun = progress().await;
    let found = service.store.find_endpoint(&tenant, &id).await;
    let kept_under = found.expect("answers").expect("it is there").kept_under;
    let advance = Advance {
        progress: CallbackProgress {
            version: 0,
            ..samples::callback_progress_full(kept_under, tenant)
        },
        exceptions: vec![samples::callback_exception_full(kept_under, tenant, Place::new(7))],
        over: Vec::new(),
        attempts: None,
    };
    assert_eq!(service.store.advance(&[advance]).await, [Ok(Saved::Done)]);
    assert_ne!(progress().await, begun);
    patch(&service, &path, &json!({"callbackUrl": null})).await;
    assert_eq!(service.store.progress(&[kept_under]).await, [Ok(None)]);
    patch(&service, &path, &json!({"callbackUrl": URL})).await;
    assert_eq!(progress().await, begun);
}

#[tokio::test]
async fn a_start_leaves_other_endpoints_alone_and_removes_those_of_nobody() {
    let service = Service::open();
    let (tenant, _) = registered(&service).await;
    let other = service
        .post(&format!("/tenants/{tenant}/endpoints"), &json!({"url": OTHER}))
        .await;
    assert_eq!(other.status.as_u16(), 201);
    let before = endpoints(&service, &tenant).await;
    let gone = samples::tenant_id();
    let of_nobody = service.store.insert_endpoint(&samples::endpoint(gone)).await;
    assert_eq!(of_nobody, Ok(EndpointInserted::Done));
    mend(&service).await;
    assert_eq!(endpoints(&service, &gone).await, []);
    assert_eq!(endpoints(&service, &tenant).await, before);
    assert_eq!(both(&service, &tenant).await, same(Some(URL)));
    // With the tenant they go.
    assert_eq!(
        service
            .delete(&format!("/tenants/{tenant}?force=true"))
            .await
            .status
            .as_u16(),
        204
    );
    assert_eq!(endpoints(&service, &tenant).await, []);
}
