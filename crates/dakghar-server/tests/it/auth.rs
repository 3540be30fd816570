//! Who may call what: every documented operation with every kind of key.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, Request};
use dakghar_core::domain::Secret;
use dakghar_testkit::clock::START;
use serde_json::{Value, json};

use crate::contract::{Access, Operation, operations};
use crate::harness::{ADMIN_KEY, Service, Setup, TestTenant, request, with_key};

/// The kinds of keys, in the order of the columns below.
const KEYS: [&str; 6] = [
    "none",
    "wrong",
    "unknown tenant's",
    "tenant's",
    "other tenant's",
    "admin's",
];

/// Whether the key was let in, as the status tells: what fails behind the door fails with other codes.
const LET_IN: &str = "let in";

/// What each kind of key is told in production.
fn expected(access: Access) -> [&'static str; 6] {
    match access {
        Access::Anybody => [LET_IN; 6],
        Access::Admin => [
            "unauthenticated",
            "unauthenticated",
            "forbidden",
            "forbidden",
            "forbidden",
            LET_IN,
        ],
        Access::Tenant => [
            "unauthenticated",
            "unauthenticated",
            "tenant_not_found",
            LET_IN,
            "tenant_not_found",
            LET_IN,
        ],
    }
}

/// The access that each operation is meant to have, and the scope of a tenant's key. A new operation must be added here.
fn intended(operation: &Operation) -> (Access, Option<&'static str>) {
    let name = operation.value["operationId"].as_str().expect("a name");
    let scope = match name {
        "registerTenant"
        | "changeTenant"
        | "listTenants"
        | "listAudit"
        | "removeTenant"
        | "addPhoneNumber"
        | "removePhoneNumber"
        | "checkPhoneNumber"
        | "beginDeparture"
        | "listDepartures"
        | "getDeparture"
        | "retryDeparture"
        | "cancelDeparture"
        | "listAllDeadLetters"
        | "redriveAllDeadLetters"
        | "listAllRedrives"
        | "getAnyRedrive"
        | "pauseAnyRedrive"
        | "resumeAnyRedrive"
        | "cancelAnyRedrive"
        | "listUnrouted"
        | "addApp"
        | "listApps"
        | "getApp"
        | "changeApp"
        | "rotateAppSecret"
        | "removeApp"
        | "getHold"
        | "beginHold"
        | "releaseHold"
        | "getWrappingKeys"
        | "rotateWrappingKey"
        | "listOperatorKeys"
        | "createOperatorKey"
        | "rotateOperatorKey"
        | "revokeOperatorKey" => return (Access::Admin, None),
        "verifyWebhook" | "receiveWebhook" | "verifyAppWebhook" | "receiveAppWebhook" | "getHealth"
        | "getReadiness" => return (Access::Anybody, None),
        "sendMessage" | "sendMessages" | "markMessageRead" | "cancelMessage" => "send",
        "getTenant"
        | "listPhoneNumbers"
        | "listMessages"
        | "getMessage"
        | "listConversations"
        | "getConversation"
        | "listConversationMessages"
        | "listPeople"
        | "getPerson"
        | "listDeadLetters"
        | "listRedrives"
        | "getRedrive"
        | "getAutoRedrive"
        | "getErasure"
        | "exportTenant"
        | "listEvents"
        | "listOptOuts"
        | "getSendingRules"
        | "getProfile"
        | "listBlocked"
        | "readFeed"
        | "followFeed" => "read",
        "pauseTenant" | "resumeTenant" | "changePhoneNumber" | "pausePhoneNumber" | "resumePhoneNumber"
        | "redriveMessage" | "redriveDeadLetters" | "setAutoRedrive" | "pauseRedrive" | "resumeRedrive"
        | "cancelRedrive" | "erasePerson" | "listErasures" | "listKeys" | "createKey" | "rotateKey" | "revokeKey"
        | "changeProfile" | "blockPeople" | "unblockPeople" | "listTenantAudit" | "setOptOut" | "removeOptOut"
        | "setSendingRules" => "manage",
        "listEndpoints"
        | "createEndpoint"
        | "getEndpoint"
        | "changeEndpoint"
        | "removeEndpoint"
        | "rotateEndpointSecret"
        | "pauseEndpoint"
        | "resumeEndpoint"
        | "listEndpointExceptions"
        | "listEndpointAttempts"
        | "testEndpoint"
        | "replayEvents"
        | "listReplays"
        | "getReplay"
        | "cancelReplay" => "callbacks",
        "replaceAccessToken"
        | "createOnboardingLink"
        | "listSignups"
        | "beginSignup"
        | "getSignup"
        | "retrySignup"
        | "cancelSignup" => "onboarding",
        new => panic!("{new} needs a case here"),
    };
    (Access::Tenant, Some(scope))
}

/// The roles that are meant to call an operation. What is new is for admins only, until somebody says more here.
fn intended_roles(operation: &Operation) -> &'static [&'static str] {
    match operation.name() {
        "verifyWebhook" | "receiveWebhook" | "verifyAppWebhook" | "receiveAppWebhook" | "getHealth"
        | "getReadiness" => &[],
        "registerTenant"
        | "addPhoneNumber"
        | "replaceAccessToken"
        | "createOnboardingLink"
        | "listSignups"
        | "beginSignup"
        | "getSignup"
        | "retrySignup"
        | "cancelSignup" => &["admin", "onboarding"],
        "listTenants"
        | "listAllDeadLetters"
        | "listAllRedrives"
        | "getAnyRedrive"
        | "listUnrouted"
        | "listApps"
        | "getApp"
        | "getHold"
        | "listDepartures"
        | "getDeparture"
        | "getTenant"
        | "listPhoneNumbers"
        | "listMessages"
        | "getMessage"
        | "listConversations"
        | "getConversation"
        | "listConversationMessages"
        | "listPeople"
        | "getPerson"
        | "listDeadLetters"
        | "listRedrives"
        | "getRedrive"
        | "getAutoRedrive"
        | "getErasure"
        | "exportTenant"
        | "listEvents"
        | "listOptOuts"
        | "getSendingRules"
        | "getProfile"
        | "listBlocked"
        | "readFeed"
        | "followFeed"
        | "listEndpoints"
        | "getEndpoint"
        | "listEndpointExceptions"
        | "listEndpointAttempts"
        | "listReplays"
        | "getReplay" => &["admin", "support"],
        _ => &["admin"],
    }
}

/// A request for the operation that is let in and then changes nothing.
fn probe(operation: &Operation, tenant_id: &str) -> Request<Body> {
    let path = operation
        .path
        .replace("{tenantId}", tenant_id)
        .replace("{phoneNumberId}", "999")
        .replace("{messageId}", "msg_x")
        .replace("{endpointId}", "end_x")
        .replace("{keyId}", "key_x")
        .replace("{replayId}", "rpl_x")
        .replace("{redriveId}", "rdr_x")
        .replace("{erasureId}", "ers_x")
        .replace("{signupId}", "sgn_x")
        .replace("{departureId}", "dep_x")
        .replace("{conversationId}", "cnv_x")
        .replace("{personId}", "per_x")
        .replace("{appId}", "0");
    let path = match operation.value["operationId"].as_str() {
        Some("removeTenant") => format!("{path}?force=maybe"),
        _ => path,
    };
    let has_body = operation.value.get("requestBody").is_some();
    request(
        operation.method.clone(),
        &path,
        has_body.then_some(&json!({"no": "sense"})),
    )
}

async fn ask(service: &Service, operation: &Operation, tenant_id: &str, key: Option<&str>) -> String {
    let answer = service.call(with_key(probe(operation, tenant_id), key)).await;
    match answer.json["code"].as_str() {
        Some(
            code @ ("unauthenticated"
            | "forbidden"
            | "tenant_not_found"
            | "key_expired"
            | "missing_scope"
            | "address_not_allowed"),
        ) => code.to_owned(),
        _ => LET_IN.to_owned(),
    }
}

/// As the operator: the pause that an operation before has left would keep the tenant's key out.
async fn resume(service: &Service, tenant: &TestTenant, key: Option<&str>) {
    let path = format!("/tenants/{}/resume", tenant.id);
    let answer = service.call(with_key(request(Method::POST, &path, None), key)).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
}

fn unknown_key() -> String {
    format!("dk_{}", "A".repeat(43))
}

#[tokio::test]
async fn in_production_every_operation_lets_in_whom_it_should() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let other = service.register("Tenant B", "222222222222222").await;
    service.key = None;
    let unknown = unknown_key();
    let keys = [
        None,
        Some("wrong"),
        Some(unknown.as_str()),
        Some(tenant.key.as_str()),
        Some(other.key.as_str()),
        Some(ADMIN_KEY),
    ];
    for operation in operations() {
        let (access, scope) = intended(&operation);
        resume(&service, &tenant, Some(ADMIN_KEY)).await;
        assert_eq!(
            operation.access(),
            access,
            "{} is documented for others",
            operation.path
        );
        assert_eq!(
            operation.scope(),
            scope,
            "{} is documented with another scope",
            operation.path
        );
        for ((key, name), expected) in keys.iter().zip(KEYS).zip(expected(access)) {
            let told = ask(&service, &operation, &tenant.id, *key).await;
            assert_eq!(
                told, expected,
                "{} {} with {name} key",
                operation.method, operation.path
            );
        }
    }
}

/// Makes a key of the tenant as the operator.
async fn make_key(service: &Service, tenant: &TestTenant, body: &Value) -> String {
    let path = format!("/tenants/{}/keys", tenant.id);
    let made = with_key(request(Method::POST, &path, Some(body)), Some(ADMIN_KEY));
    let made = service.call(made).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    made.json["key"].as_str().expect("a key").to_owned()
}

#[tokio::test]
async fn every_operation_lets_in_keys_with_its_scope_only_and_none_that_is_over() {
    const SCOPES: [&str; 5] = ["send", "read", "manage", "callbacks", "onboarding"];
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    service.key = None;
    let mut keys = Vec::new();
    for scope in SCOPES {
        let others: Vec<_> = SCOPES.into_iter().filter(|other| *other != scope).collect();
        let only = make_key(&service, &tenant, &json!({"name": scope, "scopes": [scope]})).await;
        let without = make_key(&service, &tenant, &json!({"name": scope, "scopes": others})).await;
        keys.push((scope, only, without));
    }
    let all = json!(SCOPES);
    let elsewhere = json!({"name": "office", "scopes": all, "addresses": ["203.0.113.0/24"]});
    let elsewhere = make_key(&service, &tenant, &elsewhere).await;
    let soon = START + Duration::from_secs(60);
    let expired = json!({"name": "short", "scopes": all, "expiresAt": soon.to_string()});
    let expired = make_key(&service, &tenant, &expired).await;
    let revoked = make_key(&service, &tenant, &json!({"name": "revoked", "scopes": all})).await;
    let listed = service.call(with_key(
        request(Method::GET, &format!("/tenants/{}/keys", tenant.id), None),
        Some(ADMIN_KEY),
    ));
    let listed = listed.await.json["data"].as_array().expect("a list").clone();
    let last = listed.last().and_then(|key| key["keyId"].as_str()).expect("an id");
    let revoke = request(Method::DELETE, &format!("/tenants/{}/keys/{last}", tenant.id), None);
    assert_eq!(
        service.call(with_key(revoke, Some(ADMIN_KEY))).await.status.as_u16(),
        204
    );
    service.clock.advance(Duration::from_secs(60));

    for operation in operations() {
        let (access, scope) = intended(&operation);
        let told = |of_tenant| match access {
            Access::Anybody => LET_IN,
            Access::Admin => "forbidden",
            Access::Tenant => of_tenant,
        };
        let by_scope = |has: bool| told(if has { LET_IN } else { "missing_scope" });
        let mut cases = vec![
            (&elsewhere, told("address_not_allowed")),
            (&expired, told("key_expired")),
            (&revoked, told("tenant_not_found")),
        ];
        for (name, only, without) in &keys {
            cases.push((only, by_scope(scope == Some(*name))));
            cases.push((without, by_scope(scope != Some(*name))));
        }
        for (case, (key, expected)) in cases.into_iter().enumerate() {
            resume(&service, &tenant, Some(ADMIN_KEY)).await;
            let told = ask(&service, &operation, &tenant.id, Some(key)).await;
            assert_eq!(told, expected, "{} {}, case {case}", operation.method, operation.path);
        }
    }
}

/// Makes a key of an operator. Returns its id and itself.
async fn make_operator(service: &Service, body: &Value) -> (String, String) {
    let made = with_key(request(Method::POST, "/operators/keys", Some(body)), Some(ADMIN_KEY));
    let made = service.call(made).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let text = |name: &str| made.json[name].as_str().expect("a text").to_owned();
    (text("keyId"), text("key"))
}

#[tokio::test]
async fn every_operation_lets_in_operators_by_their_role_only_and_none_whose_key_is_over() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    service.key = None;
    let mut keys = Vec::new();
    for role in ["admin", "support", "onboarding"] {
        keys.push((
            role,
            make_operator(&service, &json!({"name": role, "role": role})).await.1,
        ));
    }
    let elsewhere = json!({"name": "office", "role": "admin", "addresses": ["203.0.113.0/24"]});
    let (_, elsewhere) = make_operator(&service, &elsewhere).await;
    let soon = START + Duration::from_secs(60);
    let expired = json!({"name": "short", "role": "admin", "expiresAt": soon.to_string()});
    let (_, expired) = make_operator(&service, &expired).await;
    let (id, revoked) = make_operator(&service, &json!({"name": "gone", "role": "admin"})).await;
    let revoke = request(Method::DELETE, &format!("/operators/keys/{id}"), None);
    assert_eq!(
        service.call(with_key(revoke, Some(ADMIN_KEY))).await.status.as_u16(),
        204
    );
    service.clock.advance(Duration::from_secs(60));

    for operation in operations() {
        let roles = intended_roles(&operation);
        assert_eq!(
            operation.roles(),
            roles,
            "{} is documented for other roles",
            operation.path
        );
        let (access, _) = intended(&operation);
        let is_open = access == Access::Anybody;
        let told = |told| if is_open { LET_IN } else { told };
        let mut cases = vec![
            (&elsewhere, told("address_not_allowed")),
            (&expired, told("key_expired")),
            (&revoked, told("unauthenticated")),
        ];
        for (role, key) in &keys {
            let is_let_in = is_open || roles.contains(role);
            cases.push((key, if is_let_in { LET_IN } else { "missing_scope" }));
        }
        for (case, (key, expected)) in cases.into_iter().enumerate() {
            resume(&service, &tenant, Some(ADMIN_KEY)).await;
            let told = ask(&service, &operation, &tenant.id, Some(key)).await;
            assert_eq!(told, expected, "{} {}, case {case}", operation.method, operation.path);
        }
    }
}

#[tokio::test]
async fn in_development_no_key_is_needed_but_a_key_is_held_to_what_it_is() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let other = service.register("Tenant B", "222222222222222").await;
    for operation in operations() {
        let (access, _) = intended(&operation);
        resume(&service, &tenant, None).await;
        let [_, wrong, unknown, own, foreign, _] = expected(access);
        let cases = [
            (None, LET_IN),
            (Some("wrong"), wrong),
            (Some(unknown_key().leak() as &str), unknown),
            (Some(tenant.key.as_str()), own),
            (Some(other.key.as_str()), foreign),
        ];
        for (key, expected) in cases {
            let told = ask(&service, &operation, &tenant.id, key).await;
            assert_eq!(told, expected, "{} {} with {key:?}", operation.method, operation.path);
        }
    }
}

#[tokio::test]
async fn an_admin_key_turns_keys_on_in_development_too() {
    let mut setup = Setup::default();
    setup.http.admin_api_key = Some(Secret::new(ADMIN_KEY));
    let mut service = Service::start(setup);
    assert_eq!(service.get("/tenants").await.outcome(), (401, "unauthenticated"));
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    service.key = None;
    let path = format!("/tenants/{}", tenant.id);
    assert_eq!(service.get(&path).await.outcome(), (401, "unauthenticated"));
    assert_eq!(
        ask_with(&service, &path, "authorization", &format!("Bearer {}", tenant.key)).await,
        200
    );
}

async fn ask_with(service: &Service, path: &str, header: &str, value: &str) -> u16 {
    let request = Request::get(path).header(header, value).body(Body::empty());
    service.call(request.expect("a request")).await.status.as_u16()
}

#[tokio::test]
async fn keys_come_in_headers_once_and_in_known_forms() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let TestTenant { id, key, .. } = service.register("Tenant A", "111111111111111").await;
    service.key = None;
    let path = format!("/tenants/{id}");
    for (header, value, status) in [
        ("authorization", format!("Bearer {key}"), 200),
        ("authorization", format!("bearer  {key} "), 200),
        ("x-api-key", key.clone(), 200),
        ("x-api-key", ADMIN_KEY.to_owned(), 200),
        ("authorization", key.clone(), 401),
        ("authorization", format!("Basic {key}"), 401),
        ("authorization", "Bearer ".to_owned(), 401),
        ("authorization", format!("Bearer {key}x"), 401),
        ("authorization", format!("Bearer {}", &key[..key.len() - 1]), 401),
        ("authorization", format!("Bearer {}", "k".repeat(8 * 1024)), 401),
        ("x-api-key", String::new(), 401),
    ] {
        assert_eq!(
            ask_with(&service, &path, header, &value).await,
            status,
            "{header}: {value}"
        );
    }
    for query in [format!("?api_key={key}"), format!("?access_token={ADMIN_KEY}")] {
        assert_eq!(
            service.get(&format!("{path}{query}")).await.outcome(),
            (401, "unauthenticated")
        );
    }
    let two = Request::get(&path)
        .header(AUTHORIZATION, format!("Bearer {key}"))
        .header("x-api-key", &key)
        .body(Body::empty());
    let answer = service.call(two.expect("a request")).await;
    assert_eq!(answer.outcome(), (401, "unauthenticated"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"dakghar\""));
}

#[tokio::test]
async fn a_foreign_tenant_looks_exactly_like_none() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let other = service.register("Tenant B", "222222222222222").await;
    service.key = Some(tenant.key.clone());
    let mut bodies: Vec<Value> = Vec::new();
    for id in [other.id.as_str(), "ten_00000000000000000000000000", "nonsense", "%ff"] {
        let mut answer = service.get(&format!("/tenants/{id}/messages")).await;
        assert_eq!(answer.outcome(), (404, "tenant_not_found"), "{id}");
        answer.json["requestId"] = Value::Null;
        bodies.push(answer.json);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[tokio::test]
async fn a_request_that_is_not_let_in_is_not_read() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    service.key = None;
    let path = format!("/tenants/{}/send", tenant.id);
    let broken = service.call(request(Method::POST, &path, Some(&json!([])))).await;
    assert_eq!(broken.outcome(), (401, "unauthenticated"));
}
