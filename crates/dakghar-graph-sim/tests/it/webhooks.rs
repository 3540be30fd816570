//! Statuses and inbound messages as a receiver sees them.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use dakghar_graph_sim::{
    InboundMessage, SimConfig, StatusEvent, StatusKind, StatusPlan, WebhookDelivery, WebhookError,
};
use serde_json::{Value, json};

use crate::receiver::{Post, Receiver, items, until};
use crate::sender::{PNID, SECRET, accepted, client, idle, post, prompt, start, text};

fn assert_signed(post: &Post, secret: &str) {
    let signature = post.signature.as_deref().unwrap().strip_prefix("sha256=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hex::decode(signature).unwrap();
    hmac::verify(&key, &post.body, &signature).expect("signed over the raw bytes");
}

fn states(statuses: &[Value]) -> Vec<&str> {
    statuses
        .iter()
        .map(|status| status["status"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn statuses_follow_in_order_signed_and_echo_our_data() {
    let receiver = Receiver::start().await;
    let sim = start(prompt(&receiver)).await;
    let wamid = accepted(&sim, &text("নমস্কার", "v1.ডাক/1 😀")).await;
    idle(&sim).await;
    let statuses = receiver.statuses();
    assert_eq!(states(&statuses), ["sent", "delivered", "read"]);
    for status in &statuses {
        assert_eq!(status["id"], wamid.as_str());
        assert_eq!(status["biz_opaque_callback_data"], "v1.ডাক/1 😀");
        assert_eq!(status["recipient_id"], "8801711000000");
        assert!(status["recipient_user_id"].as_str().unwrap().starts_with("BD."));
        assert!(status["timestamp"].as_str().unwrap().parse::<i64>().unwrap() > 1_700_000_000);
    }
    for post in receiver.posts() {
        assert_signed(&post, SECRET);
        assert!(post.body.is_ascii());
        let raw = std::str::from_utf8(&post.body).unwrap();
        assert!(raw.contains(r"v1.\u09a1\u09be\u0995\/1 \ud83d\ude00"), "{raw}");
        let value = &post.json()["entry"][0]["changes"][0]["value"];
        assert_eq!(
            value["metadata"],
            json!({"phone_number_id": PNID, "display_phone_number": "15552242922"})
        );
        assert_eq!(value["contacts"][0]["wa_id"], "8801711000000");
    }
    assert_eq!(sim.stats().webhook_events_delivered, 3);
}

#[tokio::test]
async fn a_post_is_repeated_unchanged_until_it_is_answered_with_200() {
    let receiver = Receiver::start().await;
    receiver.answer_next(&[500, 404, 302, 202, 200]);
    let sim = start(prompt(&receiver)).await;
    let inbound = InboundMessage::text(PNID, "8801711000000", "শুভ সকাল/😀");
    sim.send_inbound(inbound).unwrap();
    assert_eq!(sim.pending_webhooks(), 1);
    idle(&sim).await;
    let posts = receiver.posts();
    let answered: Vec<u16> = posts.iter().map(|post| post.answered).collect();
    assert_eq!(answered, [500, 404, 302, 202, 200]);
    for post in &posts {
        assert_signed(post, SECRET);
        assert_eq!(post.body, posts[0].body);
    }
    assert_eq!(sim.stats().webhook_posts_failed, 4);
}

#[tokio::test]
async fn a_post_survives_a_receiver_that_is_away() {
    let receiver = Receiver::start().await;
    // Bound, so that nobody else takes the port, but not listening: connections are refused.
    let away = tokio::net::TcpSocket::new_v4().unwrap();
    away.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", away.local_addr().unwrap());
    let sim = start(SimConfig {
        webhook_url: Some(url),
        ..prompt(&receiver)
    })
    .await;
    sim.send_inbound(InboundMessage::text(PNID, "8801711000000", "hi"))
        .unwrap();
    until(|| sim.stats().webhook_posts_failed >= 2).await;
    sim.set_webhook_url(&receiver.url);
    idle(&sim).await;
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_up_and_tried_again() {
    let receiver = Receiver::start().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let delivery = WebhookDelivery {
        timeout_ms: 2_000,
        retry_initial_ms: 5,
        ..WebhookDelivery::default()
    };
    let sim = start(SimConfig {
        webhook_url: Some(format!("http://{}/", silent.local_addr().unwrap())),
        delivery,
        ..prompt(&receiver)
    })
    .await;
    accepted(&sim, &text("hi", "x")).await;
    // Accepted by the kernel, answered by nobody.
    until(|| sim.stats().webhook_posts_failed >= 1).await;
    sim.set_webhook_url(&receiver.url);
    idle(&sim).await;
    assert_eq!(receiver.statuses().len(), 3);
}

#[tokio::test]
async fn every_status_comes_twice_when_duplicates_are_certain() {
    let receiver = Receiver::start().await;
    let statuses = StatusPlan {
        duplicate_probability: 1.0,
        ..StatusPlan::immediate()
    };
    let sim = start(SimConfig {
        statuses,
        ..prompt(&receiver)
    })
    .await;
    accepted(&sim, &text("hi", "x")).await;
    idle(&sim).await;
    let seen = receiver.statuses();
    let mut seen = states(&seen);
    seen.sort_unstable();
    assert_eq!(seen, ["delivered", "delivered", "read", "read", "sent", "sent"]);
}

#[tokio::test]
async fn shuffled_statuses_are_complete_but_out_of_order() {
    let receiver = Receiver::start().await;
    let statuses = StatusPlan {
        shuffle: true,
        ..StatusPlan::immediate()
    };
    let sim = start(SimConfig {
        statuses,
        seed: 11,
        ..prompt(&receiver)
    })
    .await;
    for at in 0..30 {
        accepted(&sim, &text("hi", &format!("m{at}"))).await;
    }
    idle(&sim).await;
    let statuses = receiver.statuses();
    assert_eq!(statuses.len(), 90);
    let is_out_of_order = (0..30).any(|at| {
        let of_message: Vec<Value> = statuses
            .iter()
            .filter(|status| status["biz_opaque_callback_data"] == format!("m{at}"))
            .cloned()
            .collect();
        assert_eq!(states(&of_message).iter().collect::<BTreeSet<_>>().len(), 3);
        states(&of_message) != ["sent", "delivered", "read"]
    });
    assert!(is_out_of_order);
}

#[tokio::test]
async fn one_post_reports_several_numbers_and_wabas() {
    let receiver = Receiver::start().await;
    let sim = start(SimConfig {
        delivery: WebhookDelivery {
            concurrency: 1,
            ..prompt(&receiver).delivery
        },
        ..prompt(&receiver)
    })
    .await;
    // While the only slot waits for this answer, all that follows becomes one batch.
    let held = receiver.hold().await;
    sim.send_inbound(InboundMessage::text(PNID, "8801711000000", "hi"))
        .unwrap();
    receiver.wait_for(1).await;
    for number in ["111", "222", "333"] {
        let url = format!("{}/v25.0/{number}/messages", sim.base_url());
        let request = client().post(url).bearer_auth("t").json(&text("hi", number));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    drop(held);
    idle(&sim).await;
    let posts = receiver.posts();
    assert_eq!(posts.len(), 2);
    let body = posts[1].json();
    let entries = body["entry"].as_array().unwrap();
    assert_eq!(entries.len(), 3);
    for (entry, number) in entries.iter().zip(["111", "222", "333"]) {
        assert_eq!(entry["id"], format!("9{number}"));
        let value = &entry["changes"][0]["value"];
        assert_eq!(value["metadata"]["phone_number_id"], number);
        assert_eq!(
            states(value["statuses"].as_array().unwrap()),
            ["sent", "delivered", "read"]
        );
    }
}

#[tokio::test]
async fn a_post_holds_no_more_than_the_batch_size() {
    let receiver = Receiver::start().await;
    let sim = start(SimConfig {
        statuses: StatusPlan {
            batch_max: 2,
            ..StatusPlan::immediate()
        },
        ..prompt(&receiver)
    })
    .await;
    for at in 0..5 {
        accepted(&sim, &text("hi", &format!("m{at}"))).await;
    }
    idle(&sim).await;
    assert_eq!(receiver.statuses().len(), 15);
    for post in receiver.posts() {
        assert!(items(&post.json(), "statuses").len() <= 2);
    }
}

#[tokio::test]
async fn inbound_messages_carry_contact_and_what_was_left_out() {
    let receiver = Receiver::start().await;
    let sim = start(prompt(&receiver)).await;
    let wamid = sim
        .send_inbound(InboundMessage::text(PNID, "+880 1711-000000", "নমস্কার 😀"))
        .unwrap();
    idle(&sim).await;
    let message = &receiver.messages()[0];
    assert_eq!(message["id"], wamid.as_str());
    assert_eq!(message["from"], "8801711000000");
    assert_eq!(message["text"]["body"], "নমস্কার 😀");
    let value = receiver.posts()[0].json()["entry"][0]["changes"][0]["value"].clone();
    assert_eq!(value["contacts"][0]["wa_id"], "8801711000000");
    assert_eq!(value["contacts"][0]["user_id"], message["from_user_id"]);

    let hidden = InboundMessage {
        from: None,
        from_user_id: Some("US.2".to_owned()),
        ..InboundMessage::text(PNID, "1", "hidden")
    };
    sim.send_inbound(hidden).unwrap();
    let button = json!({"id": "wamid.A3", "type": "button", "button": {"payload": "STOP", "text": "Stop"}});
    let id = sim
        .send_inbound(InboundMessage::of(PNID, "8801711000000", button))
        .unwrap();
    assert_eq!(id, "wamid.A3");
    let system = json!({"type": "system", "system": {"type": "user_changed_number", "body": "x"}});
    sim.send_inbound(InboundMessage::of(PNID, "8801711000000", system))
        .unwrap();
    idle(&sim).await;
    let messages = receiver.messages();
    let hidden = messages
        .iter()
        .find(|message| message["from_user_id"] == "US.2")
        .unwrap();
    assert!(hidden.get("from").is_none());
    assert_eq!(messages.len(), 4);

    let invalid = sim.send_inbound(InboundMessage::of(PNID, "8801711000000", json!({})));
    assert!(matches!(invalid, Err(WebhookError::InvalidMessage(_))), "{invalid:?}");
}

#[tokio::test]
async fn raw_posts_are_signed_and_left_as_they_are() {
    let receiver = Receiver::start().await;
    let sim = start(prompt(&receiver)).await;
    let body = r#"{"object":"whatsapp_business_account" , "entry":[{"id":"0","changes":[]}], "é":1}"#;
    receiver.answer_next(&[503]);
    assert_eq!(sim.post_webhook_raw(body.into()).await.unwrap(), 503);
    assert_eq!(sim.post_webhook_raw(body.into()).await.unwrap(), 200);
    let posts = receiver.posts();
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[1].body, body.as_bytes());
    assert_signed(&posts[1], SECRET);

    sim.set_app_secret(Some("next"));
    sim.post_webhook_raw(body.into()).await.unwrap();
    sim.set_app_secret(None);
    sim.post_webhook_raw(body.into()).await.unwrap();
    let posts = receiver.posts();
    assert_signed(&posts[2], "next");
    assert_eq!(posts[3].signature, None);
}

#[tokio::test]
async fn single_statuses_can_be_made_up() {
    let receiver = Receiver::start().await;
    let sim = start(prompt(&receiver)).await;
    sim.send_status(StatusEvent {
        phone_number_id: PNID.to_owned(),
        wamid: "wamid.OLD".to_owned(),
        status: StatusKind::Failed,
        recipient_id: Some("8801711000000".to_owned()),
        recipient_user_id: None,
        biz_opaque_callback_data: Some("v1.old".to_owned()),
        timestamp: Some(1_760_000_000),
        error_code: Some(131_049),
    })
    .unwrap();
    idle(&sim).await;
    let status = &receiver.statuses()[0];
    assert_eq!(status["timestamp"], "1760000000");
    assert_eq!(status["errors"][0]["code"], 131_049);
}

#[tokio::test]
async fn without_a_url_nothing_is_planned() {
    let receiver = Receiver::start().await;
    let sim = start(SimConfig {
        webhook_url: None,
        ..prompt(&receiver)
    })
    .await;
    accepted(&sim, &text("hi", "x")).await;
    assert_eq!(sim.pending_webhooks(), 0);
    let error = sim.send_inbound(InboundMessage::text(PNID, "8801711000000", "hi"));
    assert!(matches!(error, Err(WebhookError::NoUrl)));
    sim.set_webhook_url(&receiver.url);
    accepted(&sim, &text("hi", "y")).await;
    idle(&sim).await;
    assert_eq!(receiver.statuses().len(), 3);
    sim.set_statuses(StatusPlan::none());
    accepted(&sim, &text("hi", "z")).await;
    assert_eq!(sim.pending_webhooks(), 0);
}

#[tokio::test]
async fn sends_are_refused_while_too_many_webhooks_are_pending() {
    let receiver = Receiver::start().await;
    let sim = start(SimConfig {
        statuses: StatusPlan {
            sent_ms: Some(3_600_000),
            ..StatusPlan::default()
        },
        delivery: WebhookDelivery {
            pending_max: 1,
            ..WebhookDelivery::default()
        },
        ..prompt(&receiver)
    })
    .await;
    accepted(&sim, &text("hi", "x")).await;
    let (status, body) = post(&sim, &text("hi", "y")).await;
    assert_eq!((status, &body["error"]["code"]), (500, &json!(131_016)));
}
