//! Connecting a number, as a gateway does it.

use dakghar_graph_sim::{Account, Drift, Fault, FaultRule, GraphSim, Match, NewCode, Number, Registration, SimConfig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sender::{SECRET, client, start};

const WABA: &str = "900";
const NUMBER: &str = "501";

/// A simulator with an account that nobody pays for, and a new number in it.
async fn with_account() -> GraphSim {
    let sim = start(SimConfig {
        app_secret: Some(SECRET.to_owned()),
        ..SimConfig::default()
    })
    .await;
    sim.set_number(Number {
        waba_id: WABA.to_owned(),
        ..Number::derived(NUMBER)
    });
    sim.set_registration(Registration::new(NUMBER));
    sim.set_account(Account {
        waba_id: WABA.to_owned(),
        currency: "BDT".to_owned(),
        is_paid_for: false,
    });
    sim
}

async fn ask(sim: &GraphSim, method: Method, path: &str, token: &str, body: Option<Value>) -> (StatusCode, Value) {
    let mut request = client().request(method, format!("{}/v25.0/{path}", sim.base_url()));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn exchange(sim: &GraphSim, code: &str) -> Value {
    let path = format!("oauth/access_token?client_id=5&client_secret={SECRET}&code={code}");
    ask(sim, Method::GET, &path, "", None).await.1
}

async fn token(sim: &GraphSim) -> String {
    let code = sim.give_code(NewCode::for_accounts(&[WABA]));
    exchange(sim, &code).await["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_is_taken_once_and_for_as_long_as_it_lives() {
    let sim = with_account().await;
    let code = sim.give_code(NewCode::for_accounts(&[WABA]));
    let given = exchange(&sim, &code).await;
    assert_eq!(given["token_type"], "bearer");
    let again = exchange(&sim, &code).await;
    assert_eq!(
        (&again["error"]["code"], &again["error"]["error_subcode"]),
        (&json!(100), &json!(36_009))
    );
    let over = sim.give_code(NewCode {
        life_ms: 0,
        ..NewCode::for_accounts(&[WABA])
    });
    assert_eq!(exchange(&sim, &over).await["error"]["error_subcode"], 36_007);
    assert_eq!(exchange(&sim, "made-up").await["error"]["code"], 100);
    let calls: Vec<bool> = sim.onboarding_journal().iter().map(|call| call.is_done).collect();
    assert_eq!(calls, [true, false, false, false]);

    let path = format!("debug_token?input_token={}", given["access_token"].as_str().unwrap());
    let as_app = format!("5|{SECRET}");
    let data = ask(&sim, Method::GET, &path, &as_app, None).await.1["data"].take();
    assert_eq!((&data["app_id"], &data["is_valid"]), (&json!("5"), &json!(true)));
    assert_eq!(data["granular_scopes"][0]["target_ids"], json!([WABA]));
}

#[tokio::test]
async fn a_token_that_is_made_up_is_of_one_app_and_another_one_is_told_so() {
    let sim = with_account().await;
    let given = token(&sim).await;
    let old = format!(
        "oauth/access_token?grant_type=fb_exchange_token&client_id=5&client_secret={SECRET}&fb_exchange_token=long-ago"
    );
    let renewed = ask(&sim, Method::GET, &old, "", None).await.1;
    let renewed = renewed["access_token"].as_str().unwrap().to_owned();
    for token in [given, renewed] {
        let path = format!("debug_token?input_token={token}");
        let own = ask(&sim, Method::GET, &path, &format!("5|{SECRET}"), None).await.1;
        assert_eq!(own["data"]["app_id"], "5", "{own}");
        let (status, other) = ask(&sim, Method::GET, &path, &format!("6|{SECRET}"), None).await;
        assert_eq!(
            (status.as_u16(), &other["error"]["code"]),
            (400, &json!(100)),
            "{other}"
        );
        let words = other["error"]["message"].as_str().unwrap();
        assert!(words.contains("did not match the Viewing App"), "{words}");
    }
}

#[tokio::test]
async fn an_account_and_its_number_are_connected_step_by_step() {
    let sim = with_account().await;
    let token = token(&sim).await;
    let get = async |path: String| ask(&sim, Method::GET, &path, &token, None).await.1;
    let post = async |path: String, body: Value| ask(&sim, Method::POST, &path, &token, Some(body)).await;

    let account = get(format!("{WABA}?fields=id,currency,primary_funding_id")).await;
    assert_eq!(account, json!({"id": WABA, "currency": "BDT"}));
    let numbers = get(format!("{WABA}/phone_numbers?fields=id,status,platform_type")).await;
    assert_eq!(
        numbers["data"],
        json!([{"id": NUMBER, "status": "PENDING", "platform_type": "NOT_APPLICABLE"}])
    );
    assert_eq!(get(format!("{WABA}/subscribed_apps")).await["data"], json!([]));
    let to = json!({"override_callback_uri": "https://example.com/hook", "verify_token": "v"});
    assert_eq!(post(format!("{WABA}/subscribed_apps"), to).await.0, 200);
    let subscribed = get(format!("{WABA}/subscribed_apps")).await;
    assert_eq!(subscribed["data"][0]["whatsapp_business_api_data"]["id"], "5");
    assert_eq!(
        subscribed["data"][0]["override_callback_uri"],
        "https://example.com/hook"
    );

    let pin = |pin: &str| json!({"messaging_product": "whatsapp", "pin": pin});
    assert_eq!(post(format!("{NUMBER}/register"), pin("123456")).await.0, 200);
    assert_eq!(get(format!("{NUMBER}?fields=status")).await["status"], "CONNECTED");
    let refused = post(format!("{NUMBER}/register"), pin("654321")).await.1;
    assert_eq!(refused["error"]["code"], 133_005);
    for _ in 0..8 {
        post(format!("{NUMBER}/register"), pin("123456")).await;
    }
    let refused = post(format!("{NUMBER}/register"), pin("123456")).await.1;
    assert_eq!(refused["error"]["code"], 133_016);

    let share = json!({"waba_id": WABA, "waba_currency": "BDT"});
    let path = "77/whatsapp_credit_sharing_and_attach".to_owned();
    assert_eq!(post(path.clone(), share.clone()).await.0, 200);
    assert_eq!(post(path, share).await.0, 400, "an account has one line");
    assert!(get(format!("{WABA}?fields=primary_funding_id")).await["primary_funding_id"].is_string());
}

#[tokio::test]
async fn the_numbers_of_an_account_come_in_pages() {
    let sim = with_account().await;
    for id in 600..630 {
        sim.set_number(Number {
            waba_id: WABA.to_owned(),
            ..Number::derived(&id.to_string())
        });
    }
    let token = token(&sim).await;
    let get = async |query: &str| {
        let path = format!("{WABA}/phone_numbers?fields=id{query}");
        ask(&sim, Method::GET, &path, &token, None).await.1
    };
    let count = |page: &Value| page["data"].as_array().unwrap().len();
    let first = get("").await;
    assert_eq!((count(&first), &first["data"][0]["id"]), (25, &json!(NUMBER)));
    let after = first["paging"]["cursors"]["after"].as_str().unwrap();
    assert!(
        first["paging"]["next"]
            .as_str()
            .unwrap()
            .contains(&format!("after={after}"))
    );
    let second = get(&format!("&after={after}")).await;
    assert_eq!((count(&second), &second["paging"]["next"]), (6, &Value::Null));
    assert_eq!(second["data"][5]["id"], "629");
    let pages = [get("&limit=2").await, get("&limit=31").await, get("&limit=900").await];
    assert_eq!(pages.each_ref().map(count), [2, 31, 31]);
    assert_eq!(count(&get("&after=999").await), 0);
}

#[tokio::test]
async fn a_token_sees_only_what_was_shared_with_it() {
    let sim = with_account().await;
    let token = token(&sim).await;
    for path in ["901/phone_numbers", "901/subscribed_apps", "502"] {
        let (status, body) = ask(&sim, Method::GET, path, &token, None).await;
        assert_eq!(
            (status.as_u16(), &body["error"]["error_subcode"]),
            (400, &json!(33)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_rule_that_names_a_call_hits_that_and_nothing_else() {
    let sim = with_account().await;
    let token = token(&sim).await;
    let when = |call: &str| Match {
        call: Some(call.to_owned()),
        ..Match::default()
    };
    sim.add_rule(FaultRule::first(1, Fault::graph_error(133_015)).when(when("register")));
    sim.add_rule(FaultRule::first(1, Fault::HtmlBadGateway).when(when("subscriptions")));
    sim.add_rule(FaultRule::first(1, Fault::BadJson).when(when("subscribe")));
    let pin = json!({"messaging_product": "whatsapp", "pin": "123456"});
    let path = format!("{NUMBER}/register");
    let refused = ask(&sim, Method::POST, &path, &token, Some(pin.clone())).await.1;
    assert_eq!(refused["error"]["code"], 133_015);
    assert_eq!(ask(&sim, Method::POST, &path, &token, Some(pin)).await.0, 200);
    let path = format!("{WABA}/subscribed_apps");
    assert_eq!(ask(&sim, Method::GET, &path, &token, None).await.0, 502);
    let lost = ask(&sim, Method::POST, &path, &token, Some(json!({}))).await;
    assert_eq!(lost.1, Value::Null);
    let data = ask(&sim, Method::GET, &path, &token, None).await.1["data"].take();
    assert_eq!(
        data.as_array().map(Vec::len),
        Some(1),
        "it was done, and the answer was lost"
    );
    let calls: Vec<_> = sim
        .onboarding_journal()
        .into_iter()
        .map(|call| (call.call, call.code, call.is_done))
        .collect();
    assert_eq!(
        calls[1..3],
        [("register", Some(133_015), false), ("register", None, true)]
    );
}

#[tokio::test]
async fn the_control_api_gives_codes_and_describes_accounts_and_numbers() {
    let sim = start(SimConfig::default()).await;
    let control = async |method: Method, path: &str, body: Value| {
        let url = format!("{}/_sim/{path}", sim.base_url());
        client().request(method, url).json(&body).send().await.unwrap()
    };
    let described = json!({"accounts": [{"waba_id": WABA}],
        "numbers": [{"phone_number_id": NUMBER, "waba_id": WABA, "is_verified": false}]});
    assert_eq!(control(Method::PUT, "onboarding", described).await.status(), 204);
    let made: Value = control(Method::POST, "codes", json!({"waba_ids": [WABA]}))
        .await
        .json()
        .await
        .unwrap();
    let path = format!(
        "oauth/access_token?client_id=5&client_secret=x&code={}",
        made["code"].as_str().unwrap()
    );
    let token = ask(&sim, Method::GET, &path, "", None).await.1["access_token"].take();
    let pin = json!({"messaging_product": "whatsapp", "pin": "123456"});
    let path = format!("{NUMBER}/register");
    let register = ask(&sim, Method::POST, &path, token.as_str().unwrap(), Some(pin));
    assert_eq!(register.await.1["error"]["code"], 133_006);
    let journal: Value = control(Method::GET, "onboarding/journal", Value::Null)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(journal["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        control(Method::DELETE, "onboarding/journal", Value::Null)
            .await
            .status(),
        204
    );
    assert!(sim.onboarding_journal().is_empty());
}

#[tokio::test]
async fn the_dialog_gives_a_code_for_the_number_that_was_chosen_or_the_error_of_a_rule() {
    let sim = with_account().await;
    for (path, part) in [
        ("sdk.js", "window.FB"),
        ("dialog", "Simulated Meta"),
        ("dialog.js", "WA_EMBEDDED_SIGNUP"),
        ("dialog/shown", "\"waba_id\":\"900\""),
    ] {
        let response = client()
            .get(format!("{}/_sim/{path}", sim.base_url()))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(response.text().await.unwrap().contains(part), "{path}");
    }
    let finish = async || {
        let body = json!({"app_id": "5", "phone_number_id": NUMBER});
        let url = format!("{}/_sim/dialog", sim.base_url());
        let response = client().post(url).json(&body).send().await.unwrap();
        response.json::<Value>().await.unwrap()
    };
    let given = finish().await;
    assert_eq!(given["waba_id"], WABA);
    let exchanged = exchange(&sim, given["code"].as_str().unwrap()).await;
    assert!(exchanged["access_token"].is_string(), "{exchanged}");

    let when = |call: &str| Match {
        call: Some(call.to_owned()),
        ..Match::default()
    };
    sim.add_rule(FaultRule::first(1, Fault::graph_error(200)).when(when("dialog")));
    assert_eq!(finish().await["error_code"], 200);
    sim.add_rule(FaultRule::first(1, Fault::graph_error(1)).when(when("sdk")));
    let url = format!("{}/_sim/sdk.js", sim.base_url());
    let away = client().get(&url).send().await.unwrap();
    assert_eq!(away.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(client().get(&url).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn what_drifts_is_shown_from_then_on_and_can_be_taken_back() {
    let sim = start(SimConfig::default()).await;
    let fields = "quality_rating,status,health_status,throughput,webhook_configuration";
    let number = async || {
        ask(&sim, Method::GET, &format!("{NUMBER}?fields={fields}"), "t", None)
            .await
            .1
    };
    let account = format!("9{NUMBER}");
    let apps = async || {
        let path = format!("{account}/subscribed_apps");
        ask(&sim, Method::GET, &path, "t", None).await.1["data"].take()
    };
    let before = number().await;
    assert_eq!(
        (&before["quality_rating"], &before["status"]),
        (&json!("GREEN"), &json!("CONNECTED"))
    );
    assert_eq!(before["health_status"]["can_send_message"], "AVAILABLE");
    assert_eq!(before["health_status"]["entities"][1]["id"], account);
    assert_eq!(
        apps().await[0]["whatsapp_business_api_data"]["id"],
        "1",
        "one that was connected long ago"
    );

    let url = format!("{}/_sim/drift", sim.base_url());
    let drift = async |body: Value| client().post(&url).json(&body).send().await.unwrap().status();
    let changed = json!({"phone_number_id": NUMBER, "number": {"quality_rating": "RED", "status": "BANNED"},
        "account": {"account_review_status": "REJECTED"}, "subscriptions": []});
    assert_eq!(drift(changed).await, StatusCode::NO_CONTENT);
    let after = number().await;
    assert_eq!(
        (&after["quality_rating"], &after["status"]),
        (&json!("RED"), &json!("BANNED"))
    );
    assert_eq!(apps().await, json!([]));
    sim.drift(Drift::of_subscriptions(
        &account,
        &[("5", Some("https://others.example"))],
    ));
    assert_eq!(apps().await[0]["override_callback_uri"], "https://others.example");

    let back = json!({"phone_number_id": NUMBER, "number": {"quality_rating": null, "status": null}});
    assert_eq!(drift(back).await, StatusCode::NO_CONTENT);
    assert_eq!(number().await, before);
    assert_eq!(drift(json!({"number": {}})).await, StatusCode::BAD_REQUEST);
    assert_eq!(
        drift(json!({"phone_number_id": NUMBER, "quality": "RED"})).await,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn an_app_that_unsubscribes_gets_no_webhooks_any_more() {
    let sim = start(SimConfig::default()).await;
    let path = "9501/subscribed_apps";
    assert_eq!(ask(&sim, Method::DELETE, path, "t", None).await.0, StatusCode::OK);
    assert_eq!(ask(&sim, Method::GET, path, "t", None).await.1["data"], json!([]));
    assert_eq!(
        ask(&sim, Method::POST, path, "t", Some(json!({}))).await.0,
        StatusCode::OK
    );
    let apps = ask(&sim, Method::GET, path, "t", None).await.1;
    assert_eq!(apps["data"].as_array().map(Vec::len), Some(1));
}
