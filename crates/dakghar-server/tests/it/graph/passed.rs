//! Requests that are passed on to Meta: what passes, and that nothing of another's does.

use axum::body::Body;
use axum::http::{Method, Request};
use dakghar_core::ports::{NoAnswer, NumberCallFailure};
use serde_json::{Value, json};

use super::{NUMBER, PATIENCE, World, refused};
use crate::harness::{Answer, TestTenant, request, with_key};

const ACCOUNT: &str = "777777777777777";
const OTHER: &str = "222222222222222";
const MEDIA: &str = "555555555555555";

async fn world() -> (World, TestTenant) {
    let world = World::new(PATIENCE).await;
    let other = world.service.register("Tenant B", OTHER).await;
    let path = format!("/tenants/{}/phone-numbers", world.tenant.id);
    let number = json!({"phoneNumberId": "111111111111112", "accessToken": "mock_token", "wabaId": ACCOUNT});
    let added = world.service.post(&path, &number).await;
    assert_eq!(added.status.as_u16(), 201, "{}", added.text);
    (world, other)
}

async fn ask(world: &World, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let request = with_key(request(method, path, body), Some(key));
    world.service.call_raw(request).await
}

async fn get(world: &World, path: &str) -> Answer {
    ask(world, &world.tenant.key, Method::GET, path, None).await
}

#[tokio::test]
async fn what_is_the_tenants_own_passes_with_its_parameters() {
    let (world, _) = world().await;
    for (method, path, body) in [
        (
            Method::GET,
            format!("/v25.0/{NUMBER}?fields=id,verified_name,owner_business_info"),
            None,
        ),
        (
            Method::GET,
            format!("/v25.0/{NUMBER}/whatsapp_business_profile?fields=about"),
            None,
        ),
        (
            Method::POST,
            format!("/v25.0/{NUMBER}/whatsapp_business_profile"),
            Some(json!({"about": "Books"})),
        ),
        (
            Method::DELETE,
            format!("/v25.0/{NUMBER}/block_users"),
            Some(json!({"block_users": []})),
        ),
        (
            Method::GET,
            format!("/v26.0/{ACCOUNT}/message_templates?limit=2&after=QVE%3D"),
            None,
        ),
        (
            Method::POST,
            format!("/v25.0/{ACCOUNT}/message_templates"),
            Some(json!({"name": "sale"})),
        ),
        (
            Method::DELETE,
            format!("/v25.0/{ACCOUNT}/message_templates?name=sale"),
            None,
        ),
    ] {
        let answer = ask(&world, &world.tenant.key, method, &path, body.as_ref()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text.as_str()),
            (200, r#"{"success":true}"#),
            "{path}"
        );
    }
    assert_eq!(
        world.setup.numbers.asked(),
        [
            format!("Get {NUMBER}?fields=id,verified_name"),
            format!("Get {NUMBER}/whatsapp_business_profile?fields=about"),
            format!("Post {NUMBER}/whatsapp_business_profile? application/json 17"),
            format!("Delete {NUMBER}/block_users? application/json 18"),
            format!("Get {ACCOUNT}/message_templates?limit=2&after=QVE="),
            format!("Post {ACCOUNT}/message_templates? application/json 15"),
            format!("Delete {ACCOUNT}/message_templates?name=sale"),
        ]
    );
    let recorded = world.service.get("/audit?action=tenant.meta.passed").await;
    let recorded = recorded.json["data"].as_array().cloned().expect("records");
    let asked: Vec<_> = recorded.iter().rev().map(|entry| entry["objects"][1].clone()).collect();
    let changes = [
        format!("POST {NUMBER}/whatsapp_business_profile"),
        format!("DELETE {NUMBER}/block_users"),
        format!("POST {ACCOUNT}/message_templates"),
        format!("DELETE {ACCOUNT}/message_templates"),
    ];
    let changes: Vec<_> = changes
        .iter()
        .map(|id| json!({"kind": "meta_path", "id": id}))
        .collect();
    assert_eq!(asked, changes, "{recorded:#?}");
}

#[tokio::test]
async fn nothing_of_another_tenant_passes() {
    let (world, other) = world().await;
    for path in [
        format!("/v25.0/{OTHER}"),
        format!("/v25.0/{OTHER}/whatsapp_business_profile"),
        format!("/v25.0/{OTHER}?phone_number_id={NUMBER}"),
        format!("/v25.0/{MEDIA}"),
        format!("/v25.0/{MEDIA}?phone_number_id={OTHER}"),
        format!("/v25.0/{MEDIA}?phone_number_id={NUMBER}&phone_number_id={OTHER}"),
        "/v25.0/888888888888888/message_templates".to_owned(),
        format!("/v25.0/888888888888888/message_templates?phone_number_id={NUMBER}"),
    ] {
        assert_eq!(refused(&get(&world, &path).await), (401, 190), "{path}");
    }
    let account = format!("/v25.0/{ACCOUNT}/message_templates");
    let foreign = ask(&world, &other.key, Method::GET, &account, None).await;
    assert_eq!(refused(&foreign), (401, 190));
    for path in [
        format!("/v25.0/{NUMBER}/register"),
        format!("/v25.0/{NUMBER}/deregister"),
        format!("/v25.0/{ACCOUNT}/subscribed_apps"),
        format!("/v25.0/{NUMBER}/whatsapp_business_profile/x"),
    ] {
        let answer = ask(&world, &world.tenant.key, Method::POST, &path, Some(&json!({}))).await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{path}: {}", answer.text);
    }
    for path in [
        format!("/v25.0/{ACCOUNT}?fields=phone_numbers%7Bid%7D"),
        format!("/v25.0/{NUMBER}?ids={OTHER}"),
        format!("/v25.0/{NUMBER}?method=delete"),
        format!("/v25.0/{NUMBER}?access_token=x"),
        format!("/v25.0/{NUMBER}?Access_Token=x"),
        format!("/v25.0/{NUMBER}?phone_number_id={OTHER}"),
        format!("/v25.0/{ACCOUNT}/message_templates?phone_number_id={OTHER}"),
        format!("/v25.0/{NUMBER}%2f..%2f{OTHER}"),
    ] {
        assert_eq!(refused(&get(&world, &path).await), (400, 100), "{path}");
    }
    let profile = format!("/v25.0/{NUMBER}/whatsapp_business_profile");
    for body in [
        json!({"access_token": "x"}),
        json!({"access_token[0]": "x"}),
        json!({"method": "delete"}),
        json!({"Method": "delete"}),
        json!({"ids": OTHER}),
        json!({"fields": "id,owner_business_info{id,owned_businesses}"}),
        json!({"include_headers": false}),
        json!({"phone_number_id": OTHER}),
        json!({"id": OTHER}),
        json!([]),
    ] {
        let answer = ask(&world, &world.tenant.key, Method::POST, &profile, Some(&body)).await;
        assert_eq!(refused(&answer), (400, 100), "{body}");
    }
    assert_eq!(world.setup.numbers.asked(), [""; 0], "Meta was asked nothing");
}

#[tokio::test]
async fn an_account_of_several_tenants_is_read_only_and_shows_each_its_own_numbers() {
    let (world, other) = world().await;
    let path = format!("/tenants/{}/phone-numbers", other.id);
    let number = json!({"phoneNumberId": "222222222222223", "accessToken": "mock_token", "wabaId": ACCOUNT});
    assert_eq!(world.service.post(&path, &number).await.status.as_u16(), 201);
    let numbers = r#"{"data":[{"id":"111111111111112"},{"id":"222222222222223"},{"id":"9"}]}"#;
    let path = format!("/v25.0/{ACCOUNT}/phone_numbers");
    for (key, own) in [(&world.tenant.key, "111111111111112"), (&other.key, "222222222222223")] {
        world.setup.numbers.answer(200, numbers);
        let answer = ask(&world, key, Method::GET, &path, None).await;
        assert_eq!(answer.json, json!({"data": [{"id": own}]}));
    }
    let templates = format!("/v25.0/{ACCOUNT}/message_templates");
    let change = ask(
        &world,
        &other.key,
        Method::POST,
        &templates,
        Some(&json!({"name": "x"})),
    )
    .await;
    assert_eq!(refused(&change), (403, 10));
}

#[tokio::test]
async fn media_is_found_by_its_number_and_nothing_else_is_media() {
    let (world, _) = world().await;
    let path = format!("/v25.0/{MEDIA}?phone_number_id={NUMBER}");
    let media =
        format!(r#"{{"messaging_product":"whatsapp","url":"https://x","mime_type":"image/png","id":"{MEDIA}"}}"#);
    world.setup.numbers.answer(200, &media);
    let answer = get(&world, &path).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, media.as_str()));
    assert_eq!(answer.header("x-app-usage"), Some(r#"{"call_count":7}"#));
    // Something else that the token sees: it is neither told nor removed.
    for method in [Method::GET, Method::DELETE] {
        world
            .setup
            .numbers
            .answer(200, &format!(r#"{{"id":"{MEDIA}","name":"Another business"}}"#));
        world.setup.numbers.asked();
        let answer = ask(&world, &world.tenant.key, method, &path, None).await;
        assert_eq!(refused(&answer), (400, 100));
        assert!(!answer.text.contains("Another business"), "{}", answer.text);
        assert_eq!(
            world.setup.numbers.asked(),
            [format!("Get {MEDIA}?phone_number_id={NUMBER}")]
        );
    }
    world.setup.numbers.answer(200, &media);
    let removed = ask(&world, &world.tenant.key, Method::DELETE, &path, None).await;
    assert_eq!(removed.text, r#"{"success":true}"#);

    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\nx\r\n--b--\r\n";
    let upload = |form: &str| {
        let request = Request::post(format!("/v25.0/{NUMBER}/media"))
            .header("content-type", "multipart/form-data; boundary=b")
            .body(Body::from(form.to_owned()));
        with_key(request.expect("a request"), Some(&world.tenant.key))
    };
    world.setup.numbers.answer(200, r#"{"id":"42"}"#);
    world.setup.numbers.asked();
    let uploaded = world.service.call_raw(upload(form)).await;
    assert_eq!(uploaded.json, json!({"id": "42"}));
    let expected = format!("Post {NUMBER}/media? multipart/form-data; boundary=b {}", form.len());
    assert_eq!(world.setup.numbers.asked(), [expected]);
    // Also one whose file is about a form.
    let page = form.replace("\r\nx\r\n", "\r\n<input name=\"method\">\r\n");
    assert_eq!(world.service.call_raw(upload(&page)).await.status.as_u16(), 200);
    world.setup.numbers.asked();
    for name in ["\"access_token\"", "\"fields\"", " \"method\"", "'method'", "\"method"] {
        let with_name = form.replace("\"file\"", name);
        assert_eq!(
            refused(&world.service.call_raw(upload(&with_name)).await),
            (400, 100),
            "{name}"
        );
    }
    assert_eq!(world.setup.numbers.asked(), [""; 0], "Meta was asked nothing");
}

#[tokio::test]
async fn metas_answers_pass_as_they_are_but_for_links_to_further_pages() {
    let (world, _) = world().await;
    let path = format!("/v25.0/{ACCOUNT}/message_templates");
    let page = json!({"data": [{"id": "1"}], "paging": {"cursors": {"after": "QVE="},
        "next": format!("https://graph.facebook.com/v25.0/{ACCOUNT}/message_templates?access_token=mock_token&limit=1&after=QVE%3D")}});
    world.setup.numbers.answer(200, &page.to_string());
    let answer = get(&world, &path).await;
    assert!(
        !answer.text.contains("mock_token") && !answer.text.contains("facebook"),
        "{}",
        answer.text
    );
    let next = answer.json["paging"]["next"].as_str().expect("a link");
    assert!(next.ends_with(&format!("{path}?limit=1&after=QVE%3D")), "{next}");

    let error = r#"{"error":{"message":"(#80007) Rate limit","type":"OAuthException","code":80007,"fbtrace_id":"A"}}"#;
    world.setup.numbers.answer(429, error);
    let answer = get(&world, &path).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (429, error));
    // A token that Meta repeats anywhere else is not shown either.
    world
        .setup
        .numbers
        .answer(400, r#"{"error":{"message":"Malformed mock_token","code":190}}"#);
    assert!(!get(&world, &path).await.text.contains("mock_token"));
    world
        .setup
        .numbers
        .fail(NumberCallFailure::NoAnswer("no answer in time".into()));
    assert_eq!(refused(&get(&world, &path).await), (503, 2));
}

#[tokio::test]
async fn an_answer_that_is_lost_or_too_large_says_what_to_do_and_a_change_is_not_to_be_repeated() {
    let (world, _) = world().await;
    let profile = format!("/v25.0/{NUMBER}/whatsapp_business_profile");
    let about = json!({"about": "Books"});
    let lost = || NoAnswer::Lost("no answer in time".into());
    let large = || NoAnswer::TooLarge("the answer is larger than 4096 KiB".into());
    let unreachable = || NoAnswer::NotDone("the Graph API refused the connection".into());
    let codes = ["meta_unavailable", "meta_answer_too_large", "meta_outcome_unknown"];
    for (method, why, expected, code) in [
        (Method::GET, lost(), (503, 2), codes[0]),
        (Method::GET, large(), (400, 100), codes[1]),
        (Method::GET, unreachable(), (503, 2), codes[0]),
        (Method::POST, lost(), (400, 135_000), codes[2]),
        (Method::POST, large(), (400, 135_000), codes[2]),
        (Method::POST, unreachable(), (503, 2), codes[0]),
    ] {
        world.setup.numbers.leave_unanswered(why);
        let body = (method == Method::POST).then_some(&about);
        let answer = ask(&world, &world.tenant.key, method, &profile, body).await;
        assert_eq!(refused(&answer), expected, "{}", answer.text);
        assert_eq!(answer.header("x-dakghar-code"), Some(code));
        assert_eq!(
            answer.json["error"]["is_transient"],
            json!(expected.0 == 503),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn whatever_is_under_a_version_is_answered_in_metas_form() {
    let (world, _) = world().await;
    for path in [
        format!("/v25.0/{NUMBER}/"),
        format!("/v25.0/{NUMBER}/messages/"),
        format!("/v25.0/{NUMBER}/messages/1/2"),
        "/v25.0/".to_owned(),
        "/v25.0".to_owned(),
        format!("/v25.0/{NUMBER}?x={}", "y".repeat(9 * 1024)),
    ] {
        let answer = get(&world, &path).await;
        assert_eq!(refused(&answer), (400, 100), "{path}");
        assert!(answer.json["error"]["fbtrace_id"].is_string(), "{}", answer.text);
    }
    assert_eq!(get(&world, "/v25/111/").await.outcome(), (404, "not_found"));
}

#[tokio::test]
async fn each_request_needs_its_scope() {
    let (world, _) = world().await;
    let path = format!("/tenants/{}/keys", world.tenant.id);
    let requests = [
        (Method::GET, format!("/v25.0/{NUMBER}"), "read"),
        (
            Method::POST,
            format!("/v25.0/{NUMBER}/whatsapp_business_profile"),
            "manage",
        ),
        (Method::DELETE, format!("/v25.0/{ACCOUNT}/message_templates"), "manage"),
        (Method::POST, format!("/v25.0/{NUMBER}/media"), "send"),
    ];
    for scope in ["send", "read", "manage", "callbacks", "onboarding"] {
        let made = world
            .service
            .post(&path, &json!({"name": scope, "scopes": [scope]}))
            .await;
        let key = made.json["key"].as_str().expect("a key").to_owned();
        for (method, path, needed) in &requests {
            let answer = ask(&world, &key, method.clone(), path, None).await;
            let is_let_in = answer.status.as_u16() == 200;
            assert_eq!(is_let_in, scope == *needed, "{scope} {path}: {}", answer.text);
            if !is_let_in {
                assert_eq!(refused(&answer), (403, 10));
            }
        }
    }
}
