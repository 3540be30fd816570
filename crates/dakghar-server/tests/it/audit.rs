//! The audit log: every operation that changes something is recorded, and every reading of bodies by an operator.

use std::collections::BTreeSet;

use axum::http::Method;
use dakghar_core::domain::audit::{AuditAction, AuditEntry, ChainCheck, ChainLink};
use dakghar_core::domain::message::Status;
use dakghar_core::ports::AuditStore as _;
use dakghar_testkit::samples::{With as _, outbound, tenant_id};
use serde_json::{Value, json};

use crate::contract::operations;
use crate::harness::{ADMIN_KEY, Answer, Service, Setup, TestTenant, known_app, onboarding_at, request, with_key};

/// Operations that change nothing of the configuration, and why nothing is recorded of them.
const EXCUSED: [(&str, &str); 7] = [
    ("sendMessage", "a message is its own record"),
    ("sendMessages", "a message is its own record"),
    ("markMessageRead", "changes nothing here"),
    ("receiveAppWebhook", "is Meta's"),
    ("receiveWebhook", "is Meta's"),
    ("testEndpoint", "changes nothing"),
    ("checkPhoneNumber", "what changes is what Meta says"),
];

/// The records of a service, the latest last.
async fn entries(service: &Service) -> Vec<AuditEntry> {
    let walked = service.store.audit_walk(0, 10_000).await.expect("the store answers");
    let mut check = ChainCheck::behind(ChainLink::START);
    let mut entries = Vec::new();
    for (number, record) in walked {
        assert_eq!(check.take(number, record.as_ref()), Ok(()));
        entries.extend(record.and_then(|record| record.entry()));
    }
    let chain = service.store.audit_chain().await.expect("the store answers");
    assert_eq!(check.end(chain.head), Ok(()));
    entries
}

/// Calls operations, and holds what is recorded against what is meant.
struct Walk {
    service: Service,
    seen: BTreeSet<&'static str>,
}

impl Walk {
    /// Calls an operation, which must succeed and leave exactly these records.
    async fn step(
        &mut self,
        name: &'static str,
        ids: &[(&str, &str)],
        body: Option<Value>,
        actions: &[AuditAction],
    ) -> Value {
        let all = operations();
        let operation = all.iter().find(|operation| operation.name() == name);
        let operation = operation.unwrap_or_else(|| panic!("there is no operation {name}"));
        let mut path = operation.path.clone();
        for (id, value) in ids {
            path = path.replace(&format!("{{{id}}}"), value);
        }
        if name == "removeTenant" {
            path.push_str("?force=true");
        }
        if name == "removeOptOut" {
            path.push_str("?person=919111111111");
        }
        let before = entries(&self.service).await.len();
        let answer = self
            .service
            .call(request(operation.method.clone(), &path, body.as_ref()))
            .await;
        assert!(answer.status.is_success(), "{name}: {}", answer.text);
        let new = entries(&self.service).await.split_off(before);
        let found: Vec<&str> = new.iter().map(|entry| entry.action.as_str()).collect();
        let expected: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
        assert_eq!(found, expected, "{name}");
        let request_id = answer.header("x-request-id");
        for entry in &new {
            assert_eq!(entry.by.who.kind(), "settings", "{name}");
            assert_eq!(entry.by.request_id.as_deref(), request_id, "{name}");
            let of = ids
                .iter()
                .find(|(id, _)| *id == "tenantId")
                .map(|(_, id)| (*id).to_owned());
            if of.is_some() {
                assert_eq!(entry.tenant_id.map(|id| id.to_string()), of, "{name}");
            }
        }
        self.seen.insert(name);
        answer.json
    }
}

fn text(json: &Value, name: &str) -> String {
    json[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {json}"))
        .to_owned()
}

#[tokio::test]
async fn every_operation_that_changes_something_is_recorded_with_who_and_by_which_request() {
    let mut service = Service::start(Setup {
        default_app: known_app(),
        signups: onboarding_at("https://gateway.example.com"),
        ..Setup::production()
    });
    service.key = Some(ADMIN_KEY.to_owned());
    let mut walk = Walk {
        service,
        seen: BTreeSet::new(),
    };
    let tenant = tenants(&mut walk).await;
    keys_and_apps(&mut walk, &tenant).await;
    endpoints(&mut walk, &tenant).await;
    messages(&mut walk, &tenant).await;
    departures(&mut walk, &tenant).await;
    walk.step(
        "removeTenant",
        &[("tenantId", &tenant)],
        None,
        &[AuditAction::TenantRemoved],
    )
    .await;

    let changing = operations()
        .into_iter()
        .filter(|operation| operation.method != Method::GET);
    let missing: Vec<&str> = changing
        .map(|operation| operation.name())
        .filter(|name| !walk.seen.contains(name) && !EXCUSED.iter().any(|(excused, _)| excused == name))
        .collect();
    assert!(
        missing.is_empty(),
        "nobody looks whether these are recorded: {missing:?}"
    );
    // The walk knows the names of all actions but those of a shell, of readings, and of Meta's own face.
    let elsewhere = [
        AuditAction::PassedToMeta,
        AuditAction::FeedRetried,
        AuditAction::BodiesRead,
        AuditAction::TenantExported,
    ];
    let recorded: BTreeSet<String> = entries(&walk.service)
        .await
        .into_iter()
        .map(|entry| entry.action)
        .collect();
    let unseen: Vec<&str> = AuditAction::ALL
        .iter()
        .filter(|action| !elsewhere.contains(action))
        .map(|action| action.as_str())
        .filter(|name| !recorded.contains(*name))
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

async fn signups(walk: &mut Walk, tenant: &str) {
    use AuditAction as Did;
    let of = [("tenantId", tenant)];
    let body = json!({"code": "a-code-that-meta-does-not-know"});
    let begun = walk.step("beginSignup", &of, Some(body), &[Did::SignupBegun]).await;
    walk.service.app.onboarding.exchange_codes().await.expect("a round");
    let id = text(&begun, "signupId");
    let of = [("tenantId", tenant), ("signupId", id.as_str())];
    let body = json!({"code": "another-code"});
    walk.step("retrySignup", &of, Some(body), &[Did::SignupRetried]).await;
    let of = [("tenantId", tenant)];
    let link = walk.step("createOnboardingLink", &of, Some(json!({})), &[Did::SignupInvited]);
    let id = text(&link.await, "signupId");
    let of = [("tenantId", tenant), ("signupId", id.as_str())];
    walk.step("cancelSignup", &of, None, &[Did::SignupCancelled]).await;
}

async fn departures(walk: &mut Walk, tenant: &str) {
    use AuditAction as Did;
    let of = [("tenantId", tenant)];
    let begun = walk
        .step("beginDeparture", &of, Some(json!({})), &[Did::DepartureBegun])
        .await;
    // It stops accepting, and waits a moment.
    walk.service.app.departing.work().await.expect("a round");
    let id = text(&begun, "departureId");
    let of = [("tenantId", tenant), ("departureId", id.as_str())];
    walk.step("retryDeparture", &of, Some(json!({})), &[Did::DepartureRetried])
        .await;
    walk.step("cancelDeparture", &of, None, &[Did::DepartureCancelled])
        .await;
    walk.service.app.departing.work().await.expect("a round");
}

async fn tenants(walk: &mut Walk) -> String {
    use AuditAction as Did;
    let body = json!({"name": "Canary", "phoneNumberId": "111111111111111", "accessToken": "mock_token_canary",
        "callbackUrl": "https://canary.example.com/first"});
    let registered = walk
        .step(
            "registerTenant",
            &[],
            Some(body),
            &[Did::TenantRegistered, Did::EndpointMade],
        )
        .await;
    let id = text(&registered, "tenantId");
    let of = [("tenantId", id.as_str())];
    let body = json!({"limits": {"requestsPerSecond": 100}, "callbackUrl": "https://canary.example.com/second"});
    let actions = [
        Did::TenantLimitsChanged,
        Did::EndpointChanged,
        Did::TenantCallbackUrlChanged,
    ];
    walk.step("changeTenant", &of, Some(body), &actions).await;
    let body = json!({"callbackUrl": null});
    let actions = [Did::TenantCallbackUrlChanged, Did::EndpointRemoved];
    walk.step("changeTenant", &of, Some(body), &actions).await;
    let body = json!({"accessToken": "mock_token_canary_2"});
    walk.step("replaceAccessToken", &of, Some(body), &[Did::TokenReplaced])
        .await;
    signups(walk, &id).await;
    walk.step("pauseTenant", &of, None, &[Did::TenantPaused]).await;
    walk.step("resumeTenant", &of, None, &[Did::TenantResumed]).await;
    let body = json!({"causes": ["attempts_exhausted"], "perMinute": 60});
    walk.step("setAutoRedrive", &of, Some(body), &[Did::TenantAutoRedriveChanged])
        .await;
    let body = json!({"optOuts": {"enforce": "marketing"}});
    walk.step("setSendingRules", &of, Some(body), &[Did::TenantSendingRulesChanged])
        .await;
    let body = json!({"person": "+919111111111"});
    walk.step("setOptOut", &of, Some(body), &[Did::OptOutSet]).await;
    walk.step("removeOptOut", &of, None, &[Did::OptOutRemoved]).await;
    let body = json!({"phoneNumberId": "222222222222222"});
    walk.step("addPhoneNumber", &of, Some(body), &[Did::NumberAdded]).await;
    let number = [("tenantId", id.as_str()), ("phoneNumberId", "222222222222222")];
    let body = json!({"displayPhoneNumber": "+1 555 0100", "messagesPerSecond": 20});
    walk.step("changePhoneNumber", &number, Some(body), &[Did::NumberChanged])
        .await;
    walk.step("pausePhoneNumber", &number, None, &[Did::NumberPaused]).await;
    walk.step("resumePhoneNumber", &number, None, &[Did::NumberResumed])
        .await;
    for (name, body, action) in [
        ("blockPeople", json!({"users": ["+919111111111"]}), Did::PeopleBlocked),
        (
            "unblockPeople",
            json!({"users": ["+919111111111"]}),
            Did::PeopleUnblocked,
        ),
        ("changeProfile", json!({"about": "canary"}), Did::ProfileChanged),
    ] {
        walk.step(name, &number, Some(body), &[action]).await;
    }
    walk.step("removePhoneNumber", &number, None, &[Did::NumberRemoved])
        .await;
    walk.step("beginHold", &[], None, &[Did::HoldBegun]).await;
    walk.step("releaseHold", &[], None, &[Did::HoldReleased]).await;
    walk.step("rotateWrappingKey", &[], Some(json!({})), &[Did::DataKeysRotated])
        .await;
    id
}

async fn keys_and_apps(walk: &mut Walk, tenant: &str) {
    use AuditAction as Did;
    let of = [("tenantId", tenant)];
    let body = json!({"name": "shop", "scopes": ["send"]});
    let key = text(&walk.step("createKey", &of, Some(body), &[Did::KeyMade]).await, "keyId");
    let one = [("tenantId", tenant), ("keyId", key.as_str())];
    walk.step("rotateKey", &one, Some(json!({})), &[Did::KeyRotated]).await;
    walk.step("revokeKey", &one, None, &[Did::KeyRevoked]).await;
    let body = json!({"name": "Asha", "role": "admin"});
    let made = walk
        .step("createOperatorKey", &[], Some(body), &[Did::OperatorKeyMade])
        .await;
    let key = text(&made, "keyId");
    let one = [("keyId", key.as_str())];
    walk.step("rotateOperatorKey", &one, Some(json!({})), &[Did::OperatorKeyRotated])
        .await;
    walk.step("revokeOperatorKey", &one, None, &[Did::OperatorKeyRevoked])
        .await;
    let body = json!({"appId": "670843887433847", "name": "Partner", "secret": "canary0123456789abcdef0123456789"});
    walk.step("addApp", &[], Some(body), &[Did::AppAdded]).await;
    let one = [("appId", "670843887433847")];
    let body = json!({"secret": "canaryfedcba9876543210fedcba9876"});
    walk.step("rotateAppSecret", &one, Some(body), &[Did::AppSecretRotated])
        .await;
    walk.step(
        "changeApp",
        &one,
        Some(json!({"name": "canary partner", "signupConfigId": "7008"})),
        &[Did::AppChanged],
    )
    .await;
    walk.step("removeApp", &one, None, &[Did::AppRemoved]).await;
}

async fn endpoints(walk: &mut Walk, tenant: &str) {
    use AuditAction as Did;
    let of = [("tenantId", tenant)];
    let body = json!({"url": "https://canary.example.com/hook", "headers": {"X-Token": "canary-header"}});
    let made = walk.step("createEndpoint", &of, Some(body), &[Did::EndpointMade]).await;
    let id = text(&made, "endpointId");
    let one = [("tenantId", tenant), ("endpointId", id.as_str())];
    walk.step(
        "changeEndpoint",
        &one,
        Some(json!({"perSecond": 7})),
        &[Did::EndpointChanged],
    )
    .await;
    walk.step(
        "rotateEndpointSecret",
        &one,
        Some(json!({})),
        &[Did::EndpointSecretRotated],
    )
    .await;
    walk.step("pauseEndpoint", &one, None, &[Did::EndpointPaused]).await;
    walk.step("resumeEndpoint", &one, None, &[Did::EndpointResumed]).await;
    let replay = walk
        .step("replayEvents", &one, Some(json!({"from": "1"})), &[Did::ReplayBegun])
        .await;
    let replay = text(&replay, "id");
    let below = [
        ("tenantId", tenant),
        ("endpointId", id.as_str()),
        ("replayId", replay.as_str()),
    ];
    walk.step("cancelReplay", &below, None, &[Did::ReplayCancelled]).await;
    walk.step("removeEndpoint", &one, None, &[Did::EndpointRemoved]).await;
}

async fn messages(walk: &mut Walk, tenant: &str) {
    use AuditAction as Did;
    let of = [("tenantId", tenant)];
    let test_tenant = TestTenant {
        id: tenant.to_owned(),
        key: String::new(),
        phone_number_id: "111111111111111".to_owned(),
    };
    let id = walk.service.send(&test_tenant, "+919111111111", "canary text").await;
    let one = [("tenantId", tenant), ("messageId", id.as_str())];
    walk.step("cancelMessage", &one, None, &[Did::MessageCancelled]).await;
    let dead = outbound(tenant_id()).with(|message| message.delivery.status = Status::Failed);
    let id = walk.service.store_message(&test_tenant, dead).await;
    let one = [("tenantId", tenant), ("messageId", id.as_str())];
    walk.step("redriveMessage", &one, None, &[Did::MessageRedriven]).await;
    for (begin, prefix, ids) in [
        ("redriveDeadLetters", "Redrive", &of[..]),
        ("redriveAllDeadLetters", "AnyRedrive", &[]),
    ] {
        let begun = walk.step(begin, ids, Some(json!({})), &[Did::RedriveBegun]).await;
        let redrive = text(&begun, "id");
        let mut one = ids.to_vec();
        one.push(("redriveId", redrive.as_str()));
        let names: [&'static str; 3] = match prefix {
            "Redrive" => ["pauseRedrive", "resumeRedrive", "cancelRedrive"],
            _ => ["pauseAnyRedrive", "resumeAnyRedrive", "cancelAnyRedrive"],
        };
        for (name, did) in names
            .into_iter()
            .zip([Did::RedrivePaused, Did::RedriveResumed, Did::RedriveCancelled])
        {
            walk.step(name, &one, None, &[did]).await;
        }
    }
    walk.step(
        "erasePerson",
        &of,
        Some(json!({"person": "+919111111111"})),
        &[Did::ErasureBegun],
    )
    .await;
    let records = entries(&walk.service).await;
    let all: String = records.iter().map(AuditEntry::text).collect();
    // Secrets, addresses of receivers, what people wrote, and who they are.
    for canary in ["canary", "Canary", "919111111111", "dk_", "dko_", "1 555"] {
        assert!(!all.contains(canary), "{canary} is in {all}");
    }
    assert!(all.contains("requestsPerSecond"), "{all}");
}

async fn registered() -> (Service, TestTenant) {
    let service = Service::start(Setup::production());
    let mut service = service;
    service.key = Some(ADMIN_KEY.to_owned());
    let tenant = service.register("Tenant A", "111111111111111").await;
    (service, tenant)
}

async fn get_with(service: &Service, path: &str, key: &str) -> Answer {
    service
        .call(with_key(request(Method::GET, path, None), Some(key)))
        .await
}

#[tokio::test]
async fn what_an_operator_reads_of_bodies_is_recorded_before_it_is_shown_or_it_is_not_shown() {
    let (service, tenant) = registered().await;
    let id = service.send(&tenant, "+919111111111", "canary text").await;
    let before = entries(&service).await.len();
    let path = format!("/tenants/{}", tenant.id);
    let messages = format!("{path}/messages");
    for (path, objects, count) in [
        (
            format!("{messages}?to=%2B919111111111&direction=outbound&limit=5"),
            vec![
                "route /tenants/{tenantId}/messages",
                "filter to",
                "filter direction=outbound",
            ],
            Some(1),
        ),
        (
            format!("{messages}/{id}"),
            vec!["route /tenants/{tenantId}/messages/{messageId}"],
            None,
        ),
        (format!("{path}/export"), vec!["route /tenants/{tenantId}/export"], None),
    ] {
        let at = entries(&service).await.len();
        let answer = service.get(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let new = entries(&service).await.split_off(at);
        assert_eq!(new.len(), 1, "{path}");
        assert_eq!(new[0].count, count, "{path}");
        let found: Vec<String> = new[0]
            .objects
            .iter()
            .map(|object| format!("{} {}", object.kind, object.id))
            .collect();
        assert!(
            objects.iter().all(|object| found.iter().any(|found| found == object)),
            "{found:?}"
        );
        assert!(!new[0].text().contains("919111111111"));
    }
    let read = entries(&service).await.len();
    assert_eq!(read, before + 3);
    // What is the tenant's own, what has no bodies, and what was not found.
    assert_eq!(get_with(&service, &messages, &tenant.key).await.status, 200);
    assert_eq!(service.get(&path).await.status, 200);
    assert_eq!(service.get(&format!("{messages}/msg_nothing")).await.status, 404);
    assert_eq!(entries(&service).await.len(), read);
}

#[tokio::test]
async fn a_reading_that_cannot_be_recorded_is_refused() {
    let (audit_away, tenant) = {
        let mut setup = Setup::production();
        setup.audit_is_away = true;
        let mut service = Service::start(setup);
        service.key = Some(ADMIN_KEY.to_owned());
        let tenant = dakghar_testkit::samples::tenant();
        let inserted = dakghar_core::ports::TenantStore::insert(&*service.store, &tenant).await;
        inserted.expect("stored");
        (service, tenant.id.to_string())
    };
    let answer = audit_away.get(&format!("/tenants/{tenant}/messages")).await;
    assert_eq!(answer.outcome(), (503, "store_unavailable"));
    let answer = audit_away.get(&format!("/tenants/{tenant}/phone-numbers")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = audit_away.post(&format!("/tenants/{tenant}/pause"), &json!(null)).await;
    assert_eq!(answer.outcome(), (503, "store_unavailable"), "a change neither");
}

#[tokio::test]
async fn a_tenant_sees_its_own_log_and_not_which_operator_it_was() {
    let (service, tenant) = registered().await;
    let other = service.register("Tenant B", "222222222222222").await;
    let path = format!("/tenants/{}", tenant.id);
    let paused = with_key(request(Method::POST, &format!("{path}/pause"), None), Some(&tenant.key));
    assert_eq!(service.call(paused).await.status, 200);
    let own = get_with(&service, &format!("{path}/audit"), &tenant.key).await;
    let shown: Vec<(&str, &str)> = own.json["data"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| {
            (
                record["action"].as_str().unwrap_or("-"),
                record["by"]["kind"].as_str().unwrap_or("-"),
            )
        })
        .collect();
    assert_eq!(shown, [("tenant.paused", "tenant"), ("tenant.registered", "operator")]);
    assert!(own.json["data"][1]["requestId"].is_null() && own.json["data"][1]["by"]["address"].is_null());
    assert_eq!(own.json["data"][0]["by"]["name"], "first key");
    assert_eq!(
        get_with(&service, &format!("{path}/audit"), &other.key).await.status,
        404
    );

    let all = service
        .get(&format!("/audit?tenantId={}&action=tenant.registered", other.id))
        .await;
    assert_eq!(all.json["data"].as_array().map(Vec::len), Some(1), "{}", all.text);
    assert_eq!(all.json["data"][0]["by"]["kind"], "settings");
    let first = service.get("/audit?limit=1").await;
    let cursor = first.json["nextCursor"].as_str().expect("more").to_owned();
    let next = service.get(&format!("/audit?limit=1&cursor={cursor}")).await;
    assert_eq!(next.json["data"][0]["number"], 2);
    assert_eq!(
        service.get("/audit?actor=x&cursor=x").await.outcome(),
        (400, "invalid_cursor")
    );
    assert_eq!(
        service.get("/audit?tenantId=x").await.outcome(),
        (400, "invalid_filter")
    );

    let mut export = request(Method::GET, "/audit", None);
    let accept = "application/x-ndjson".parse().expect("a value");
    export.headers_mut().insert("accept", accept);
    let export = service.call(export).await;
    let kinds: Vec<Value> = export
        .text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["kind"].clone())
        .collect();
    assert_eq!(kinds, ["audit", "record", "record", "record", "end"]);
}

#[tokio::test]
async fn sending_and_receiving_call_the_audit_log_never() {
    let mut setup = Setup::production();
    setup.audit_is_away = true;
    let mut service = Service::start(setup);
    let tenant = dakghar_testkit::samples::tenant();
    let inserted = dakghar_core::ports::TenantStore::insert(&*service.store, &tenant).await;
    inserted.expect("stored");
    service.key = Some(ADMIN_KEY.to_owned());
    let answer = service
        .post(
            &format!("/tenants/{}/send", tenant.id),
            &json!({"to": "+919111111111", "text": "x"}),
        )
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
}
