//! The use of Meta's allowances: shown by the answers to messages and with the numbers, and heeded whatever call told of it.

use std::time::Duration;

use axum::http::Method;
use dakghar_core::domain::WabaId;
use dakghar_core::domain::allowance::{AllowancesUsed, Usage};
use dakghar_core::domain::message::SendOutcome;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{PATIENCE, World, hello, id_of, messages, refusal, refused};
use crate::harness::{Answer, TestTenant, request, with_key};

const NUMBER: &str = "333333333333333";
const ACCOUNT: &str = "777777777777777";
const PERSON: &str = "+919111111111";
const RATE_LIMIT: &str = r#"{"error":{"message":"(#80007) Rate limit","type":"OAuthException","code":80007}}"#;

/// One whose tenant has a number with an account and a real token.
async fn world() -> World {
    let mut world = World::new(PATIENCE).await;
    let body = json!({"name": "Tenant C", "phoneNumberId": NUMBER, "accessToken": "EAAG-1", "wabaId": ACCOUNT});
    let answer = world.service.post("/tenants/register", &body).await;
    let text = |name: &str| answer.json[name].as_str().expect("a text").to_owned();
    world.tenant = TestTenant {
        id: text("tenantId"),
        key: text("apiKey"),
        phone_number_id: NUMBER.to_owned(),
    };
    world
}

fn used(of_account: u32, regained_after: Option<Duration>) -> AllowancesUsed {
    let of_account = Usage {
        calls: of_account,
        cpu_time: 2,
        time: 3,
        regained_after,
    };
    let of_app = Usage {
        calls: 28,
        ..Usage::default()
    };
    AllowancesUsed {
        accounts: vec![(WabaId::parse(ACCOUNT).expect("digits"), of_account)],
        app: Some(of_app),
    }
}

async fn send(world: &World, answer: &str) -> Answer {
    world
        .post(&messages(NUMBER), &hello(PERSON), &[("x-dakghar-answer", answer)])
        .await
}

async fn templates(world: &World) -> Answer {
    let path = format!("/v25.0/{ACCOUNT}/message_templates");
    let request = with_key(request(Method::GET, &path, None), Some(&world.tenant.key));
    world.service.call_raw(request).await
}

/// The calls that an answer says were made, of the account and of the app.
fn told(answer: &Answer) -> [Value; 2] {
    let header = |name: &str| -> Value {
        let value = answer.header(name);
        value.map_or(Value::Null, |value| serde_json::from_str(value).expect("JSON"))
    };
    let of_account = header("x-business-use-case-usage")[ACCOUNT][0]["call_count"].clone();
    [of_account, header("x-app-usage")["call_count"].clone()]
}

async fn number(world: &World) -> Value {
    let path = format!("/tenants/{}/phone-numbers", world.tenant.id);
    world.service.get(&path).await.json["data"][0].clone()
}

#[tokio::test]
async fn the_answer_to_a_message_tells_what_the_answer_to_its_call_told() {
    let world = world().await;
    world.work();
    assert_eq!(told(&send(&world, "wait").await), [Value::Null, Value::Null]);
    assert_eq!(number(&world).await["accountUsage"], Value::Null);
    *world.graph.used.lock() = used(7, None);
    let taken = send(&world, "wait").await;
    assert_eq!((taken.status.as_u16(), told(&taken)), (200, [json!(7), json!(28)]));
    let said = SendOutcome::Refused(refusal(131_026, 400));
    world.graph.outcomes.lock().push_back(said);
    *world.graph.used.lock() = used(8, None);
    let answer = send(&world, "wait").await;
    assert_eq!(
        (refused(&answer), told(&answer)),
        ((400, 131_026), [json!(8), json!(28)])
    );
    let queued = send(&world, "queue").await;
    assert_eq!(told(&queued), [Value::Null, Value::Null], "no call was waited for");
}

#[tokio::test]
async fn an_answer_without_a_call_tells_what_was_told_last() {
    let world = world().await;
    world.setup.numbers.answer_telling(200, "{}", used(9, None));
    templates(&world).await;
    let path = format!("/tenants/{}/pause", world.tenant.id);
    world.service.post(&path, &json!({})).await;
    world.work();
    let held = send(&world, "wait").await;
    assert!(id_of(&held).starts_with("wamid.dakghar."), "{}", held.text);
    assert_eq!(told(&held), [json!(9), json!(28)]);
}

#[tokio::test]
async fn a_number_shows_how_much_is_used_and_until_when_messages_wait() {
    let world = world().await;
    let seen = number(&world).await;
    assert_eq!((&seen["accountUsage"], &seen["appUsage"]), (&Value::Null, &Value::Null));
    world.setup.numbers.answer(429, RATE_LIMIT);
    assert_eq!(refused(&templates(&world).await), (429, 80_007));
    let seen = number(&world).await;
    let of_account = &seen["accountUsage"];
    assert!(of_account["heldUntil"].is_string(), "{seen}");
    assert_eq!(
        (&of_account["callsPercent"], &of_account["toldAt"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(seen["appUsage"], Value::Null);

    world.service.clock.advance(Duration::from_mins(1));
    world
        .setup
        .numbers
        .answer_telling(200, "{}", used(100, Some(Duration::from_mins(5))));
    templates(&world).await;
    let now = world.service.app.wall();
    let seen = number(&world).await;
    assert_eq!(
        seen["accountUsage"],
        json!({"callsPercent": 100, "cpuTimePercent": 2, "timePercent": 3, "toldAt": now.to_string(),
            "heldUntil": (now + Duration::from_mins(5)).to_string()})
    );
    assert_eq!(
        (&seen["appUsage"]["callsPercent"], &seen["appUsage"]["heldUntil"]),
        (&json!(28), &Value::Null)
    );
}

#[tokio::test]
async fn messages_rest_when_a_request_that_was_passed_on_is_refused_for_the_account() {
    let world = world().await;
    // Within what the queue looks ahead: nobody looks at timers here.
    let rest = Some(Duration::from_secs(40));
    world.setup.numbers.answer_telling(400, RATE_LIMIT, used(100, rest));
    templates(&world).await;
    world.work();
    let answer = send(&world, "queue").await;
    let id = id_of(&answer);
    let waits = async {
        while world.message(&id).await["waitsFor"]["reason"] != "meta_allowance" {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waits).await.expect("it waits");
    assert!(world.graph.seen.lock().is_empty(), "Meta was not called");
    world.service.clock.advance(Duration::from_secs(40));
    world.until_status(&id, "sent").await;
}

#[tokio::test]
async fn a_read_mark_tells_of_allowances_too() {
    let world = world().await;
    world.setup.numbers.tell(used(95, None));
    let mark = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x"});
    let answer = world.post(&messages(NUMBER), &mark, &[]).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let seen = number(&world).await;
    assert_eq!(seen["accountUsage"]["callsPercent"], 95);
    assert!(seen["accountUsage"]["heldUntil"].is_string(), "{seen}");
}
