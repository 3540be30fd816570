//! Tenants and their numbers.

use axum::http::Method;
use dakghar_core::domain::{Hold, HoldReason, TenantId};
use dakghar_core::ports::store::TenantSaved;
use dakghar_core::ports::{Clock as _, TenantStore as _};
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Answer, Service, Setup, request, with_key};

#[tokio::test]
async fn a_tenant_is_registered_as_the_seed_does_it() {
    let service = Service::open();
    let body = r#"{"name":"Tenant A","phoneNumberId":"111111111111111","accessToken":"mock_token_tenant_A"}"#;
    let answer = service.post_text("/tenants/register", body).await;
    assert_eq!(answer.status.as_u16(), 201);
    let id = answer.json["tenantId"].as_str().expect("an id").to_owned();
    assert_eq!(answer.header("location"), Some(format!("/tenants/{id}").as_str()));
    assert_eq!(answer.json["name"], "Tenant A");
    assert_eq!(answer.json["phoneNumberId"], "111111111111111");
    assert!(answer.json["apiKey"].as_str().expect("a key").starts_with("dk_"));
    assert!(!answer.text.contains("mock_token"), "{}", answer.text);

    let read = service.get(&format!("/tenants/{id}")).await;
    let number = json!({
        "phoneNumberId": "111111111111111", "wabaId": null, "wabaIsLearned": false, "displayPhoneNumber": null, "defaultCountry": null, "messagesPerSecond": 80,
        "isDefault": true, "isOnBusinessApp": false, "isSimulated": true, "hold": null, "token": null, "standing": null,
    });
    assert_eq!(
        read.json,
        json!({
            "tenantId": id, "name": "Tenant A", "phoneNumberId": "111111111111111", "phoneNumbers": [number],
            "callbackUrl": null, "limits": {"requestsPerSecond": null, "messagesWaiting": null, "callsUnderWay": null, "retentionDays": null, "failedDays": null, "expiredDays": null, "unknownDays": null, "givenUpDays": null, "contentDays": null, "feedDays": null}, "unknownOutcome": "auto", "hold": null, "leaving": null,
            "createdAt": "2026-11-22T10:00:00.000Z", "updatedAt": "2026-11-22T10:00:00.000Z",
        })
    );
    let again = service.post_text("/tenants/register", body).await;
    assert_eq!(again.outcome(), (409, "phone_number_taken"));
}

#[tokio::test]
async fn a_tenant_gets_its_first_number_later() {
    let service = Service::open();
    let answer = service.post_text("/tenants/register", r#"{"name":"Tenant A"}"#).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    assert_eq!(
        (&answer.json["phoneNumberId"], &answer.json["phoneNumbers"]),
        (&Value::Null, &json!([]))
    );
    let path = format!("/tenants/{}", answer.json["tenantId"].as_str().expect("an id"));
    let message = r#"{"to":"+919111111111","text":"x"}"#;
    let early = service.post_text(&format!("{path}/send"), message).await;
    assert_eq!(early.outcome(), (404, "phone_number_not_found"));
    assert!(early.text.contains("no phone number yet"), "{}", early.text);
    let number = r#"{"phoneNumberId":"111","accessToken":"mock_token"}"#;
    let added = service.post_text(&format!("{path}/phone-numbers"), number).await;
    assert_eq!(added.status.as_u16(), 201, "{}", added.text);
    let sent = service.post_text(&format!("{path}/send"), message).await;
    assert_eq!(sent.status.as_u16(), 202, "{}", sent.text);
    // What belongs to a number makes no sense without one.
    let half = service
        .post_text("/tenants/register", r#"{"name":"Tenant B","wabaId":"22"}"#)
        .await;
    assert_eq!(half.outcome(), (422, "invalid_phone_number_id"));
}

#[tokio::test]
async fn registrations_that_make_no_sense_are_refused() {
    let service = Service::open();
    let good = json!({
        "name": "Tenant A", "phoneNumberId": "111111111111111", "accessToken": "mock_token", "wabaId": "22",
        "displayPhoneNumber": "+1 555 0100", "callbackUrl": "https://example.com/hook", "messagesPerSecond": 250,
        "unknownOutcome": "fail",
    });
    let cases = [
        ("name", json!(""), "invalid_name"),
        ("name", json!("x".repeat(300)), "invalid_name"),
        ("name", json!("a\u{7}b"), "invalid_name"),
        ("name", json!(7), "invalid_name"),
        ("name", Value::Null, "invalid_name"),
        (
            "phoneNumberId",
            json!(111_111_111_111_111_i64),
            "invalid_phone_number_id",
        ),
        ("phoneNumberId", json!("+15550100"), "invalid_phone_number_id"),
        ("phoneNumberId", Value::Null, "invalid_phone_number_id"),
        ("accessToken", json!(""), "invalid_token"),
        ("accessToken", json!("x".repeat(10 * 1024)), "invalid_token"),
        ("accessToken", json!("a b"), "invalid_token"),
        ("accessToken", json!("a\nb"), "invalid_token"),
        ("accessToken", Value::Null, "invalid_token"),
        ("wabaId", json!("x"), "invalid_field"),
        ("messagesPerSecond", json!(0), "invalid_field"),
        ("messagesPerSecond", json!(-1), "invalid_field"),
        ("messagesPerSecond", json!(1.5), "invalid_field"),
        ("messagesPerSecond", json!("80"), "invalid_field"),
        ("messagesPerSecond", json!(1e12), "invalid_field"),
        ("callbackUrl", json!("ftp://example.com"), "invalid_url"),
        ("callbackUrl", json!("https://"), "invalid_url"),
        ("callbackUrl", json!("https:///hook"), "invalid_url"),
        ("callbackUrl", json!("https://user@/hook"), "invalid_url"),
        ("callbackUrl", json!("https://:8080"), "invalid_url"),
        ("callbackUrl", json!("https://example.com:port"), "invalid_url"),
        ("callbackUrl", json!("http://[::1"), "invalid_url"),
        ("callbackUrl", json!("https://./"), "invalid_url"),
        ("callbackUrl", json!("https://example.com/a b"), "invalid_url"),
        ("callbackUrl", json!("http://example.com/hook"), "https_required"),
        ("callbackUrl", json!("https://127.0.0.1/hook"), "forbidden_url"),
        ("callbackUrl", json!("https://my-app/hook"), "forbidden_url"),
        ("displayPhoneNumber", json!("১".repeat(33)), "invalid_field"),
        ("unknownOutcome", json!("exactly_once"), "invalid_policy"),
        ("isAdmin", json!(true), "unknown_field"),
        ("tenantId", json!("ten_x"), "unknown_field"),
        ("a/b~c", json!(1), "unknown_field"),
    ];
    for (field, value, code) in cases {
        let mut body = good.clone();
        body[field] = value;
        let answer = service.post("/tenants/register", &body).await;
        assert_eq!(answer.outcome(), (422, code), "{body}");
        let pointer = format!("/{}", field.replace('~', "~0").replace('/', "~1"));
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
    for (body, outcome) in [
        (String::new(), (400, "body_required")),
        ("[]".into(), (400, "malformed_json")),
        (r#"{"name":"a"} x"#.into(), (400, "malformed_json")),
        (r#"{"name":"a","name":"b"}"#.into(), (400, "duplicate_field")),
        (
            format!(r#"{{"name":{}{}}}"#, "[".repeat(200), "]".repeat(200)),
            (400, "too_deep"),
        ),
        (
            format!("{{{}}}", vec![r#""a":1"#; 100].join(",")),
            (400, "duplicate_field"),
        ),
        (
            format!(
                "{{{}}}",
                (0..100).map(|i| format!(r#""f{i}":1"#)).collect::<Vec<_>>().join(",")
            ),
            (422, "unknown_field"),
        ),
    ] {
        let answer = service.post_text("/tenants/register", body.clone()).await;
        assert_eq!(answer.outcome(), outcome, "{body}");
    }
    assert_eq!(service.post("/tenants/register", &good).await.status.as_u16(), 201);
    for (number, url) in ["https://example.com:8443/a?b", "https://EXAMPLE.com/hook"]
        .iter()
        .enumerate()
    {
        let mut body = good.clone();
        body["phoneNumberId"] = json!(number.to_string());
        body["displayPhoneNumber"] = json!("১".repeat(32));
        body["callbackUrl"] = json!(url);
        let answer = service.post("/tenants/register", &body).await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
        assert_eq!(answer.json["callbackUrl"], url.to_lowercase());
    }
}

#[tokio::test]
async fn all_that_is_wrong_with_a_registration_is_told_at_once() {
    let service = Service::open();
    let answer = service.post("/tenants/register", &json!({"wabaId": 5, "x": 1})).await;
    let pointers: Vec<&str> = answer.json["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| error["pointer"].as_str().expect("a pointer"))
        .collect();
    assert_eq!(pointers, ["/name", "/phoneNumberId", "/accessToken", "/wabaId", "/x"]);
}

#[tokio::test]
async fn numbers_are_added_changed_paused_and_removed() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let numbers = format!("/tenants/{}/phone-numbers", tenant.id);
    let body = json!({"phoneNumberId": "222", "displayPhoneNumber": "+1 555 0100"});
    let added = service.post(&numbers, &body).await;
    assert_eq!(added.status.as_u16(), 201);
    assert_eq!(added.json["phoneNumbers"].as_array().expect("numbers").len(), 2);
    assert_eq!(
        service.post(&numbers, &body).await.outcome(),
        (409, "phone_number_taken")
    );
    let other = service.register("Tenant B", "333333333333333").await;
    let theirs = json!({"phoneNumberId": other.phone_number_id});
    assert_eq!(
        service.post(&numbers, &theirs).await.outcome(),
        (409, "phone_number_taken")
    );

    let one = format!("{numbers}/222");
    let patch = |body: Value| request(Method::PATCH, &one, Some(&body));
    let changed = service.call(patch(json!({"messagesPerSecond": 250}))).await;
    assert_eq!(changed.json["phoneNumbers"][1]["messagesPerSecond"], 250);
    assert_eq!(changed.json["phoneNumbers"][1]["displayPhoneNumber"], "+1 555 0100");
    assert_eq!(
        service.call(patch(json!({"messagesPerSecond": 0}))).await.outcome(),
        (422, "invalid_field")
    );
    assert_eq!(
        service.call(patch(json!({"accessToken": "x"}))).await.outcome(),
        (422, "unknown_field")
    );

    let paused = service.post(&format!("{one}/pause"), &Value::Null).await;
    let hold = json!({"reason": "paused_by_operator", "since": "2026-11-22T10:00:00.000Z", "probeAt": null});
    assert_eq!(paused.json["phoneNumbers"][1]["hold"], hold);
    assert_eq!(paused.json["hold"], Value::Null);
    let resumed = service.post(&format!("{one}/resume"), &Value::Null).await;
    assert_eq!(resumed.json["phoneNumbers"][1]["hold"], Value::Null);

    for path in [format!("{numbers}/999"), format!("{numbers}/x")] {
        assert_eq!(
            service.delete(&path).await.outcome(),
            (404, "phone_number_not_found"),
            "{path}"
        );
    }
    assert_eq!(service.delete(&one).await.status.as_u16(), 204);
    let last = format!("{numbers}/{}", tenant.phone_number_id);
    assert_eq!(service.delete(&last).await.outcome(), (409, "last_phone_number"));
    assert_eq!(
        service.get(&numbers).await.json["data"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
}

#[tokio::test]
async fn the_pace_of_a_number_is_the_operators_to_change() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let path = format!("/tenants/{}/phone-numbers/111111111111111", tenant.id);
    let patch = async |key: &str, body: Value| {
        let request = request(Method::PATCH, &path, Some(&body));
        service.call(with_key(request, Some(key))).await
    };
    let refused = patch(
        &tenant.key,
        json!({"messagesPerSecond": 250, "displayPhoneNumber": "+1 555 0100"}),
    )
    .await;
    assert_eq!(refused.outcome(), (403, "forbidden"));
    assert_eq!(refused.json["errors"][0]["pointer"], "/messagesPerSecond");
    let changed = patch(&tenant.key, json!({"displayPhoneNumber": "+1 555 0101"})).await;
    let number = &changed.json["phoneNumbers"][0];
    assert_eq!(
        (&number["messagesPerSecond"], &number["displayPhoneNumber"]),
        (&json!(80), &json!("+1 555 0101"))
    );
    let changed = patch(ADMIN_KEY, json!({"messagesPerSecond": 250})).await;
    assert_eq!(changed.json["phoneNumbers"][0]["messagesPerSecond"], 250);
}

#[tokio::test]
async fn the_operators_pause_is_ended_by_the_operator_only() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let whole = format!("/tenants/{}", tenant.id);
    let number = format!("{whole}/phone-numbers/111111111111111");
    let call = async |path: &str, verb: &str, key: &str| {
        let request = request(Method::POST, &format!("{path}/{verb}"), None);
        service.call(with_key(request, Some(key))).await
    };
    for (path, pointer) in [(&whole, "/hold/reason"), (&number, "/phoneNumbers/0/hold/reason")] {
        let reason = |answer: Answer| answer.json.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        assert_eq!(
            reason(call(path, "pause", &tenant.key).await).as_deref(),
            Some("paused")
        );
        assert_eq!(reason(call(path, "resume", &tenant.key).await), None);
        for (key, expected) in [
            (tenant.key.as_str(), "paused"),
            (ADMIN_KEY, "paused_by_operator"),
            (&tenant.key, "paused_by_operator"),
        ] {
            assert_eq!(reason(call(path, "pause", key).await).as_deref(), Some(expected));
        }
        let refused = call(path, "resume", &tenant.key).await;
        assert_eq!(refused.outcome(), (403, "forbidden"));
        let sent = service
            .post(&format!("{whole}/send"), &json!({"to": "+919111111111", "text": "x"}))
            .await;
        assert_eq!(sent.json["status"], "held");
        assert_eq!(reason(call(path, "resume", ADMIN_KEY).await), None);
    }

    call(&number, "pause", ADMIN_KEY).await;
    call(&whole, "pause", &tenant.key).await;
    let resumed = call(&whole, "resume", &tenant.key).await;
    assert_eq!(resumed.json["hold"], Value::Null);
    assert_eq!(resumed.json["phoneNumbers"][0]["hold"]["reason"], "paused_by_operator");
}

#[tokio::test]
async fn a_pause_takes_the_place_of_a_hold_that_lets_probes_out() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let id = TenantId::parse(&tenant.id).expect("an id");
    let mut restricted = service.store.find(&id).await.expect("an answer").expect("it is there");
    restricted.phone_numbers[0].hold = Some(Hold {
        reason: HoldReason::AccountRestricted,
        since: service.clock.now(),
        probe_at: Some(service.clock.now()),
    });
    assert_eq!(service.store.save(&restricted, &[]).await, Ok(TenantSaved::Done));
    let pause = format!("/tenants/{}/phone-numbers/111111111111111/pause", tenant.id);
    let paused = service
        .call(with_key(request(Method::POST, &pause, None), Some(&tenant.key)))
        .await;
    let hold = &paused.json["phoneNumbers"][0]["hold"];
    assert_eq!((&hold["reason"], &hold["probeAt"]), (&json!("paused"), &Value::Null));
}

#[tokio::test]
async fn tokens_are_replaced_and_never_shown() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let path = format!("/tenants/{}/access-token", tenant.id);
    let put = async |body: Value| service.call(request(Method::PUT, &path, Some(&body))).await;
    let answer = put(json!({"accessToken": "EAAG-canary"})).await;
    assert_eq!(answer.json["phoneNumbers"][0]["isSimulated"], false);
    assert!(!answer.text.contains("canary"));
    for (body, outcome) in [
        (json!({"accessToken": "a b"}), (422, "invalid_token")),
        (json!({"accessToken": ""}), (422, "invalid_token")),
        (json!({}), (422, "invalid_token")),
        (
            json!({"accessToken": "x", "phoneNumberId": "999"}),
            (404, "phone_number_not_found"),
        ),
        (
            json!({"accessToken": "x", "phoneNumberId": 1}),
            (422, "invalid_phone_number_id"),
        ),
    ] {
        assert_eq!(put(body.clone()).await.outcome(), outcome, "{body}");
    }
}

#[tokio::test]
async fn a_tenant_with_unsettled_messages_goes_only_by_force() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let id = service.send(&tenant, "+919111111111", "x").await;
    let path = format!("/tenants/{}", tenant.id);
    assert_eq!(service.delete(&path).await.outcome(), (409, "tenant_not_empty"));
    for query in ["?force=yes", "?force", "?force=true&force=true", "?forced=true"] {
        assert_eq!(
            service.delete(&format!("{path}{query}")).await.outcome(),
            (400, "invalid_filter"),
            "{query}"
        );
    }
    let gone = service.delete(&format!("{path}?force=true")).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    for path in [path.clone(), format!("{path}/messages/{id}")] {
        assert_eq!(service.get(&path).await.outcome(), (404, "tenant_not_found"));
    }
    service.register("Tenant A again", "111111111111111").await;
}

#[tokio::test]
async fn a_removal_that_was_interrupted_goes_on_when_it_is_asked_for_again() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    service.send(&tenant, "+919111111111", "x").await;
    let id = TenantId::parse(&tenant.id).expect("an id");
    let mut marked = service.store.find(&id).await.expect("an answer").expect("it is there");
    marked.removed_at = Some(service.clock.now());
    assert_eq!(service.store.save(&marked, &[]).await, Ok(TenantSaved::Done));

    let path = format!("/tenants/{}", tenant.id);
    assert_eq!(service.delete(&path).await.status.as_u16(), 204);
    assert_eq!(service.delete(&path).await.outcome(), (404, "tenant_not_found"));
    service.register("Tenant A again", "111111111111111").await;
}

#[tokio::test]
async fn tenants_are_listed_page_by_page() {
    let service = Service::open();
    for i in 0..5 {
        service.register(&format!("Tenant {i}"), &format!("{i}")).await;
    }
    let mut names = Vec::new();
    let mut path = "/tenants?limit=2".to_owned();
    loop {
        let page = service.get(&path).await;
        let data = page.json["data"].as_array().expect("a list");
        names.extend(
            data.iter()
                .map(|tenant| tenant["name"].as_str().expect("a name").to_owned()),
        );
        let Some(cursor) = page.json["nextCursor"].as_str() else {
            break;
        };
        path = format!("/tenants?limit=2&cursor={cursor}");
    }
    assert_eq!(names, ["Tenant 4", "Tenant 3", "Tenant 2", "Tenant 1", "Tenant 0"]);
}

/// Where calls go is for the operator's settings alone: a token would be sent to whoever is named.
#[tokio::test]
async fn nobody_names_another_host_than_metas() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let own = format!("/tenants/{}", tenant.id);
    let number = format!("{own}/phone-numbers/111111111111111");
    let names = [
        "graphBaseUrl",
        "graph_base_url",
        "baseUrl",
        "apiUrl",
        "graphVersion",
        "proxy",
    ];
    for name in names {
        let with = |mut body: Value| {
            body[name] = json!("https://evil.example");
            body
        };
        let new = json!({"name": "B", "phoneNumberId": "222222222222222", "accessToken": "EAAG"});
        let cases = [
            (Method::POST, "/tenants/register".to_owned(), new),
            (Method::PATCH, own.clone(), json!({})),
            (
                Method::POST,
                format!("{own}/phone-numbers"),
                json!({"phoneNumberId": "333333333333333"}),
            ),
            (Method::PATCH, number.clone(), json!({})),
            (
                Method::PUT,
                format!("{own}/access-token"),
                json!({"accessToken": "EAAG"}),
            ),
        ];
        for (method, path, body) in cases {
            let answer = service.call(request(method.clone(), &path, Some(&with(body)))).await;
            assert_eq!(answer.outcome(), (422, "unknown_field"), "{method} {path} {name}");
        }
    }
}
