//! Everything that Meta posts, by name and mixed, as a receiver sees it.

use std::collections::BTreeSet;

use dakghar_graph_sim::{GraphSim, Kind, Mixture, Number};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::receiver::{Post, Receiver, items};
use crate::sender::{PNID, accepted, client, idle, prompt, start, text};

async fn call(sim: &GraphSim, path: &str, body: Value) -> (StatusCode, Value) {
    let request = client().post(format!("{}{path}", sim.base_url())).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

fn fields(posts: &[Post]) -> BTreeSet<String> {
    let changes = |post: &Post| -> Vec<String> {
        let body = post.json();
        let entries = body["entry"].as_array().unwrap().iter();
        entries
            .flat_map(|entry| entry["changes"].as_array().unwrap())
            .map(|change| change["field"].as_str().unwrap().to_owned())
            .collect()
    };
    posts.iter().flat_map(changes).collect()
}

#[tokio::test]
async fn each_kind_is_sent_by_name_and_signed() {
    let receiver = Receiver::start().await;
    let sim = start(prompt(&receiver)).await;
    let listed = client()
        .get(format!("{}/_sim/kinds", sim.base_url()))
        .send()
        .await
        .unwrap();
    let listed: Value = listed.json().await.unwrap();
    let listed = listed["data"].as_array().unwrap().clone();
    assert_eq!(listed.len(), Kind::all().len());
    let mut seen = 0;
    for kind in listed {
        let (name, field) = (kind["name"].as_str().unwrap(), kind["field"].as_str().unwrap());
        let body = json!({"phone_number_id": PNID, "seed": 1});
        let (status, answer) = call(&sim, &format!("/_sim/kinds/{name}"), body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{name}: {answer}");
        idle(&sim).await;
        let posts = receiver.posts().split_off(seen);
        seen += posts.len();
        assert_eq!(json!(posts.len()), answer["bodies"], "{name}");
        assert_eq!(fields(&posts), BTreeSet::from([field.to_owned()]), "{name}");
        assert!(
            posts
                .iter()
                .all(|post| post.signature.is_some() && post.body.is_ascii()),
            "{name}"
        );
    }
    let (status, _) = call(&sim, "/_sim/kinds/nonsense", json!({"phone_number_id": PNID})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_mixture_over_several_numbers_is_posted_and_equal_for_a_seed() {
    let bodies_of = async |seed: u64| {
        let receiver = Receiver::start().await;
        receiver.answer_next(&[503]);
        let sim = start(prompt(&receiver)).await;
        for (pnid, waba) in [("111", "9001"), ("222", "9002")] {
            sim.set_number(Number {
                waba_id: waba.to_owned(),
                ..Number::derived(pnid)
            });
        }
        let mixture = json!({"seed": seed, "bodies": 60, "now_seconds": 1_795_000_000, "day_ms": 1});
        let (status, answer) = call(&sim, "/_sim/mixture", mixture).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        idle(&sim).await;
        let mut taken: Vec<_> = receiver
            .posts()
            .into_iter()
            .filter(|post| post.answered == 200)
            .collect();
        assert_eq!(json!(taken.len()), answer["bodies"]);
        let every_field: BTreeSet<String> = Kind::all().iter().map(|kind| kind.field.to_owned()).collect();
        assert_eq!(fields(&taken), every_field);
        taken.sort_by(|a, b| a.body.cmp(&b.body));
        taken.into_iter().map(|post| post.body).collect::<Vec<_>>()
    };
    let first = bodies_of(3).await;
    assert_eq!(first, bodies_of(3).await);
    assert_ne!(first, bodies_of(4).await);
}

#[tokio::test]
async fn statuses_of_a_mixture_are_of_messages_that_were_sent() {
    let receiver = Receiver::start().await;
    let sim = start(prompt(&receiver)).await;
    let wamid = accepted(&sim, &text("hi", "data")).await;
    idle(&sim).await;
    let before = receiver.posts().len();
    sim.send_mixture(&Mixture {
        kinds: vec!["status_read".to_owned(), "status_failed".to_owned()],
        bodies: 5,
        ..Mixture::default()
    })
    .unwrap();
    idle(&sim).await;
    let posts = receiver.posts().split_off(before);
    let statuses: Vec<Value> = posts.iter().flat_map(|post| items(&post.json(), "statuses")).collect();
    assert!(statuses.len() >= 5);
    for status in statuses {
        assert_eq!(status["id"], wamid.as_str());
        assert_eq!(status["biz_opaque_callback_data"], "data");
    }
}

#[tokio::test]
async fn a_mixture_that_cannot_be_made_is_refused() {
    let receiver = Receiver::start().await;
    let sim = start(prompt(&receiver)).await;
    for (bad, hint) in [
        (json!({}), "no number"),
        (json!({"kinds": ["nonsense"]}), "nonsense"),
        (json!({"mixed": 2}), "mixed"),
        (json!({"colour": "red"}), "colour"),
        (json!({"phone_number_ids": ["1"], "large": 1, "bodies": 1000}), "256 MB"),
    ] {
        let (status, error) = call(&sim, "/_sim/mixture", bad).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(error["error"].as_str().unwrap().contains(hint), "{error}");
    }
    assert_eq!(sim.pending_webhooks(), 0);
}
