//! Numbers that stay in the WhatsApp Business app.

use dakghar_graph_sim::{AppPlan, GraphSim, Number, Registration, SimConfig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::sender::{client, idle, prompt, start};

const NUMBER: &str = "501";

/// A simulator with a number of the app.
async fn with_number(config: SimConfig) -> GraphSim {
    let sim = start(config).await;
    sim.set_number(Number {
        waba_id: "900".to_owned(),
        ..Number::derived(NUMBER)
    });
    sim.set_registration(Registration::on_biz_app(NUMBER));
    sim
}

async fn post(sim: &GraphSim, path: &str, body: &Value) -> (StatusCode, Value) {
    let url = format!("{}/v25.0/{NUMBER}/{path}", sim.base_url());
    let response = client().post(url).bearer_auth("token").json(body).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn sync(sim: &GraphSim, what: &str) -> Value {
    let body = json!({"messaging_product": "whatsapp", "sync_type": what});
    post(sim, "smb_app_data", &body).await.1
}

/// The values of the webhooks of this field.
fn values(receiver: &Receiver, field: &str) -> Vec<Value> {
    let changes = receiver.posts().into_iter().flat_map(|post| {
        let entries = post.json()["entry"].as_array().cloned().unwrap_or_default();
        entries
            .into_iter()
            .flat_map(|entry| entry["changes"].as_array().cloned().unwrap_or_default())
            .collect::<Vec<Value>>()
    });
    let of_field = changes.filter(|change| change["field"] == field);
    of_field.map(|change| change["value"].clone()).collect()
}

#[tokio::test]
async fn it_is_not_registered_and_shows_that_it_can_send() {
    let sim = with_number(SimConfig::default()).await;
    let pin = json!({"messaging_product": "whatsapp", "pin": "123456"});
    for path in ["register", "deregister"] {
        let (status, refused) = post(&sim, path, &pin).await;
        assert_eq!(
            (status.as_u16(), &refused["error"]["code"]),
            (400, &json!(100)),
            "{path}"
        );
    }
    let url = format!(
        "{}/v25.0/{NUMBER}?fields=status,platform_type,is_on_biz_app",
        sim.base_url()
    );
    let shown: Value = client()
        .get(url)
        .bearer_auth("token")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let expected = json!({"id": NUMBER, "status": "CONNECTED", "platform_type": "CLOUD_API", "is_on_biz_app": true});
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn contacts_and_history_are_sent_once_for_each_time_that_it_is_connected() {
    let receiver = Receiver::start().await;
    let sim = with_number(prompt(&receiver)).await;
    sim.set_app_plan(AppPlan {
        contacts: 150,
        messages: 40,
        chunk: 9,
        ..AppPlan::default()
    });
    assert!(sync(&sim, "smb_app_state_sync").await["request_id"].is_string());
    assert!(sync(&sim, "history").await["request_id"].is_string());
    idle(&sim).await;
    let contacts = values(&receiver, "smb_app_state_sync");
    let synced: usize = contacts
        .iter()
        .map(|value| value["state_sync"].as_array().unwrap().len())
        .sum();
    assert_eq!((contacts.len(), synced), (2, 150));
    let waves = values(&receiver, "history");
    let threads = waves
        .iter()
        .flat_map(|wave| wave["history"][0]["threads"].as_array().unwrap());
    let messages: usize = threads.map(|thread| thread["messages"].as_array().unwrap().len()).sum();
    assert_eq!(messages, 40);
    for what in ["smb_app_state_sync", "history"] {
        assert_eq!(sync(&sim, what).await["error"]["code"], 2_593_107);
    }
    assert_eq!(sync(&sim, "everything").await["error"]["code"], 100);
    sim.set_registration(Registration::on_biz_app(NUMBER));
    assert!(sync(&sim, "history").await["request_id"].is_string());
}

#[tokio::test]
async fn a_day_after_it_was_connected_nothing_is_sent_any_more() {
    let sim = with_number(SimConfig::default()).await;
    sim.set_registration(Registration {
        connected_seconds_ago: 86_400,
        ..Registration::on_biz_app(NUMBER)
    });
    assert_eq!(sync(&sim, "history").await["error"]["code"], 2_593_108);
    sim.set_registration(Registration::new(NUMBER));
    assert_eq!(sync(&sim, "history").await["error"]["code"], 100);
}

#[tokio::test]
async fn the_control_api_plays_the_app() {
    let receiver = Receiver::start().await;
    let sim = with_number(prompt(&receiver)).await;
    let control = async |method: Method, path: &str, body: Value| {
        let url = format!("{}/_sim/{path}", sim.base_url());
        client().request(method, url).json(&body).send().await.unwrap()
    };
    assert_eq!(
        control(Method::PUT, "app", json!({"is_declined": true})).await.status(),
        204
    );
    assert_eq!(control(Method::PUT, "app", json!({"chunk": 0})).await.status(), 400);
    sync(&sim, "history").await;
    let typed = json!({"phone_number_id": NUMBER, "to": "16505550001", "text": "typed"});
    assert_eq!(control(Method::POST, "app/echoes", typed).await.status(), 202);
    let removed = json!({"phone_number_id": NUMBER, "event": "PARTNER_REMOVED"});
    assert_eq!(control(Method::POST, "app", removed).await.status(), 202);
    let unknown = json!({"phone_number_id": NUMBER, "event": "RAIN"});
    assert_eq!(control(Method::POST, "app", unknown).await.status(), 400);
    idle(&sim).await;
    let declined = values(&receiver, "history");
    assert_eq!(declined[0]["history"][0]["errors"][0]["code"], 2_593_109);
    let echoes = values(&receiver, "smb_message_echoes");
    assert_eq!(echoes[0]["message_echoes"][0]["text"]["body"], "typed");
    let events = values(&receiver, "account_update");
    assert_eq!(events[0]["event"], "PARTNER_REMOVED");
    assert!(!sim.registration(NUMBER).is_on_biz_app);
}
