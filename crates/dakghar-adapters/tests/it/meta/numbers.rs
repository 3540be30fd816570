//! Calls about a number, and the endpoint for marketing messages, at the simulated Meta.

use std::sync::Arc;
use std::time::Duration;

use dakghar_adapters::meta::{GraphConfig, GraphHttp, MetaNumbers};
use dakghar_core::domain::PhoneNumberId;
use dakghar_core::domain::message::SendOutcome;
use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::{
    NoAnswer, NumberAsk, NumberCall, NumberCallFailure, NumbersApi as _, PassedAnswer, PassedCall, PassedMethod,
    PassedRequest,
};
use dakghar_graph_sim::{Endpoint, GraphSim, Outcome, SimConfig};
use dakghar_testkit::TestClock;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::peer::{Act, Peer, answer};
use super::{OPAQUE, client, message, send_as};

async fn ask(sim: &GraphSim, token: &str, ask: NumberAsk<'_>) -> Result<Value, NumberCallFailure> {
    let http = GraphHttp::new(GraphConfig::new(format!("http://{}", sim.addr()), "v25.0")).unwrap();
    let numbers = MetaNumbers::new(Arc::new(http), Arc::new(TestClock::default()));
    let call = NumberCall {
        number: &PhoneNumberId::parse("111").unwrap(),
        token: &Secret::new(token),
        app_secret: None,
        ask,
        timeout: Duration::from_secs(5),
        used: &Mutex::default(),
    };
    let answer = numbers.ask(call).await?;
    Ok(serde_json::from_str(&answer).unwrap())
}

#[tokio::test]
async fn a_read_mark_reaches_meta_and_a_wrong_one_is_refused() {
    let sim = GraphSim::start(SimConfig::default()).await.unwrap();
    for typing in [false, true] {
        let mark = NumberAsk::MarkRead {
            wamid: "wamid.x",
            typing,
        };
        assert_eq!(ask(&sim, "token", mark).await.unwrap(), json!({"success": true}));
    }
    let journal = sim.journal();
    assert!(journal.iter().all(|entry| entry.outcome == Outcome::Marked));
    assert_eq!(journal[1].body["typing_indicator"], json!({"type": "text"}));
    let empty = NumberAsk::MarkRead {
        wamid: "",
        typing: false,
    };
    match ask(&sim, "token", empty).await {
        Err(NumberCallFailure::Refused(refusal)) => assert_eq!(refusal.code, 131_009),
        other => panic!("{other:?}"),
    }
    let simulated = NumberAsk::MarkRead {
        wamid: "wamid.x",
        typing: false,
    };
    assert_eq!(
        ask(&sim, "mock_token", simulated).await.unwrap(),
        json!({"success": true})
    );
    assert_eq!(sim.journal().len(), 3, "a token that is a mock one calls nobody");
}

#[tokio::test]
async fn people_are_blocked_listed_and_unblocked() {
    let sim = GraphSim::start(SimConfig::default()).await.unwrap();
    let people = ["+919111111111".to_owned(), "+919222222222".to_owned()];
    let blocked = ask(&sim, "token", NumberAsk::Block(&people)).await.unwrap();
    assert_eq!(blocked["block_users"]["added_users"][1]["wa_id"], "919222222222");
    ask(&sim, "token", NumberAsk::Unblock(&people[..1])).await.unwrap();
    let page = NumberAsk::Blocked { limit: 10, after: None };
    let list = ask(&sim, "token", page).await.unwrap();
    assert_eq!(list["data"][0]["wa_id"], "919222222222");
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let behind = NumberAsk::Blocked {
        limit: 10,
        after: list["paging"]["cursors"]["after"].as_str(),
    };
    assert_eq!(ask(&sim, "token", behind).await.unwrap()["data"], json!([]));
}

#[tokio::test]
async fn a_profile_is_changed_and_shown() {
    let sim = GraphSim::start(SimConfig::default()).await.unwrap();
    let change = NumberAsk::ChangeProfile(r#"{"about":"Books","websites":["https://example.com"]}"#);
    assert_eq!(ask(&sim, "token", change).await.unwrap(), json!({"success": true}));
    let profile = ask(&sim, "token", NumberAsk::Profile).await.unwrap();
    assert_eq!(profile["data"][0]["about"], "Books");
    let long = format!(r#"{{"about":"{}"}}"#, "x".repeat(140));
    let refused = ask(&sim, "token", NumberAsk::ChangeProfile(&long)).await;
    assert!(matches!(refused, Err(NumberCallFailure::Refused(_))), "{refused:?}");
    drop(sim);
    let gone = GraphSim::start(SimConfig::default()).await.unwrap();
    let away = gone.addr();
    drop(gone);
    let http = GraphHttp::new(GraphConfig::new(format!("http://{away}"), "v25.0")).unwrap();
    let numbers = MetaNumbers::new(Arc::new(http), Arc::new(TestClock::default()));
    let call = NumberCall {
        number: &PhoneNumberId::parse("111").unwrap(),
        token: &Secret::new("token"),
        app_secret: None,
        ask: NumberAsk::Profile,
        timeout: Duration::from_millis(500),
        used: &Mutex::default(),
    };
    assert!(matches!(numbers.ask(call).await, Err(NumberCallFailure::NoAnswer(_))));
}

#[tokio::test]
async fn a_template_with_an_option_of_marketing_goes_to_the_endpoint_for_that() {
    let sim = GraphSim::start(SimConfig::default()).await.unwrap();
    let client = client(&format!("http://{}", sim.addr()));
    for envelope in [
        None,
        Some(r#"{"product_policy":"STRICT"}"#),
        Some(r#"{"message_activity_sharing":true}"#),
    ] {
        let mut message = message();
        message.accepted.content.kind = "template".into();
        message.accepted.content.body = r#"{"name":"offer","language":{"code":"en_US"}}"#.into();
        message.accepted.content.envelope = envelope.map(Into::into);
        let outcome = send_as(&client, &message, OPAQUE, Duration::from_secs(5)).await;
        assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{outcome:?}");
    }
    let endpoints: Vec<_> = sim.journal().into_iter().map(|entry| entry.endpoint).collect();
    assert_eq!(
        endpoints,
        [Endpoint::Messages, Endpoint::Marketing, Endpoint::Marketing]
    );
}

#[tokio::test]
async fn calls_at_once_have_the_proof_of_the_apps_secret_until_meta_refuses_it() {
    const SECRET: &str = "the app's secret";
    let config = SimConfig {
        app_secret: Some(SECRET.into()),
        ..SimConfig::default()
    };
    let sim = GraphSim::start(config).await.unwrap();
    sim.require_proof(true);
    let marked = async |secret: Option<&str>| {
        let http = GraphHttp::new(GraphConfig::new(format!("http://{}", sim.addr()), "v25.0")).unwrap();
        let numbers = MetaNumbers::new(Arc::new(http), Arc::new(TestClock::default()));
        let secret = secret.map(Secret::new);
        let mark = NumberAsk::MarkRead {
            wamid: "wamid.x",
            typing: false,
        };
        let call = NumberCall {
            number: &PhoneNumberId::parse("111").unwrap(),
            token: &Secret::new("token"),
            app_secret: secret.as_ref(),
            ask: mark,
            timeout: Duration::from_secs(5),
            used: &Mutex::default(),
        };
        numbers.ask(call).await.is_ok()
    };
    assert!(marked(Some(SECRET)).await);
    assert!(!marked(None).await, "the app requires one");
    sim.require_proof(false);
    assert!(marked(Some("an old secret")).await, "it is made again without a proof");
}

async fn pass(base_url: &str) -> Result<PassedAnswer, NoAnswer> {
    let http = GraphHttp::new(GraphConfig::new(base_url, "v25.0")).unwrap();
    let numbers = MetaNumbers::new(Arc::new(http), Arc::new(TestClock::default()));
    let request = PassedRequest {
        method: PassedMethod::Get,
        path: "111/whatsapp_business_profile".into(),
        parameters: Vec::new(),
        body: None,
    };
    let call = PassedCall {
        request,
        token: &Secret::new("token"),
        app_secret: None,
        timeout: Duration::from_secs(5),
    };
    numbers.pass(call).await
}

#[tokio::test]
async fn what_is_passed_on_and_not_answered_was_not_done_or_may_have_been() {
    let page = "<html><body>x</body></html>";
    let large = format!(r#"{{"data":"{}"}}"#, "x".repeat(4 * 1024 * 1024));
    for (act, expected) in [
        (Act::Close, "lost"),
        (Act::Answer(answer("502 Bad Gateway", "", page)), "lost"),
        (Act::Answer(answer("408 Request Timeout", "", page)), "lost"),
        (Act::Answer(answer("200 OK", "", page)), "lost"),
        (Act::Answer(answer("403 Forbidden", "", page)), "not done"),
        (Act::Answer(answer("200 OK", "", &large)), "too large"),
    ] {
        let peer = Peer::start([act]).await;
        let found = match pass(&peer.base_url).await {
            Ok(answer) => panic!("{expected}: {}", answer.status),
            Err(NoAnswer::NotDone(_)) => "not done",
            Err(NoAnswer::Lost(_)) => "lost",
            Err(NoAnswer::TooLarge(_)) => "too large",
        };
        assert_eq!(found, expected);
        assert_eq!(peer.requests().len(), 1, "{expected}");
    }
    let nobody = pass("http://127.0.0.1:1").await;
    assert!(matches!(nobody, Err(NoAnswer::NotDone(_))), "{nobody:?}");
    let peer = Peer::start([Act::Answer(answer("400 Bad Request", "", r#"{"error":{"code":100}}"#))]).await;
    assert_eq!(pass(&peer.base_url).await.map(|answer| answer.status), Ok(400));
}

#[tokio::test]
async fn what_is_passed_on_tells_of_allowances_and_of_the_refusal() {
    let usage = r#"{"777":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":3}]}"#;
    let headers = format!("x-business-use-case-usage: {usage}\r\nx-app-usage: {{\"call_count\":28}}\r\n");
    let error = r#"{"error":{"message":"(#80007) Rate limit","code":80007}}"#;
    let peer = Peer::start([
        Act::Answer(answer("400 Bad Request", &headers, error)),
        Act::Answer(answer("200 OK", "", r#"{"data":[]}"#)),
    ])
    .await;
    let refused = pass(&peer.base_url).await.unwrap();
    assert_eq!(refused.refusal.map(|refusal| refusal.code), Some(80_007));
    assert_eq!(refused.used.app.map(|usage| usage.calls), Some(28));
    let (account, used) = &refused.used.accounts[0];
    assert_eq!((account.as_str(), used.percent()), ("777", 100));
    assert_eq!(used.regained_after, Some(Duration::from_mins(3)));
    assert_eq!(&*refused.headers[0].1, usage, "it passes as it is, too");
    let done = pass(&peer.base_url).await.unwrap();
    assert!(done.refusal.is_none() && done.used.is_empty());
}

#[tokio::test]
async fn an_answer_to_a_read_mark_tells_of_allowances() {
    let headers = "x-app-usage: {\"call_count\":95}\r\n";
    let peer = Peer::start([Act::Answer(answer("200 OK", headers, r#"{"success":true}"#))]).await;
    let http = GraphHttp::new(GraphConfig::new(peer.base_url.as_str(), "v25.0")).unwrap();
    let numbers = MetaNumbers::new(Arc::new(http), Arc::new(TestClock::default()));
    let used = Mutex::default();
    let call = NumberCall {
        number: &PhoneNumberId::parse("111").unwrap(),
        token: &Secret::new("token"),
        app_secret: None,
        ask: NumberAsk::MarkRead {
            wamid: "wamid.x",
            typing: false,
        },
        timeout: Duration::from_secs(5),
        used: &used,
    };
    numbers.ask(call).await.unwrap();
    assert_eq!(used.into_inner().app.map(|usage| usage.calls), Some(95));
}
