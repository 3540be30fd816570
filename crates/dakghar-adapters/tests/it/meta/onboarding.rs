//! Connecting numbers, against the simulated Meta and stranger peers.

use dakghar_adapters::meta::MetaOnboarding;
use dakghar_core::domain::ids::{AppId, PhoneNumberId, WabaId};
use dakghar_core::ports::{
    AppAccess, AppSync, Bearer, CreditShare, NumberCallFailure, OnboardingApi as _, WebhookOverride,
};
use dakghar_graph_sim::{Account, Drift, Fault, FaultRule, GraphSim, Match, NewCode, Number, Registration, SimConfig};
use dakghar_testkit::TestClock;
use serde_json::json;

use super::*;

const APP_SECRET: &str = "app-secret-canary";

fn onboarding(base_url: &str) -> MetaOnboarding {
    let http = GraphHttp::new(GraphConfig {
        connect_timeout: Duration::from_secs(1),
        http2_connections: 1,
        ..GraphConfig::new(base_url, "v25.0")
    });
    MetaOnboarding::new(Arc::new(http.unwrap()), Arc::new(TestClock::default()))
}

/// A simulator that wants proofs, with an account that nobody pays for and three new numbers in it.
async fn sim() -> GraphSim {
    let config = SimConfig {
        app_secret: Some(APP_SECRET.to_owned()),
        ..SimConfig::default()
    };
    let sim = GraphSim::start(config).await.expect("it starts");
    sim.require_proof(true);
    for id in ["501", "502", "503"] {
        sim.set_number(Number {
            waba_id: "900".to_owned(),
            ..Number::derived(id)
        });
        sim.set_registration(Registration::new(id));
    }
    sim.set_account(Account {
        waba_id: "900".to_owned(),
        currency: "BDT".to_owned(),
        is_paid_for: false,
    });
    sim
}

async fn exchange(meta: &MetaOnboarding, code: &str) -> Result<Secret, NumberCallFailure> {
    let (id, secret) = (AppId::parse("222").unwrap(), Secret::new(APP_SECRET));
    let app = AppAccess {
        id: &id,
        secret: &secret,
    };
    meta.exchange(app, &Secret::new(code)).await
}

fn code_of<T: std::fmt::Debug>(result: Result<T, NumberCallFailure>) -> (i64, Option<i64>) {
    match result {
        Err(NumberCallFailure::Refused(refusal)) => (refusal.code, refusal.subcode),
        other => panic!("it is not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_number_is_connected_call_by_call() {
    let sim = sim().await;
    let meta = onboarding(&sim.base_url());
    let code = sim.give_code(NewCode::for_accounts(&["900"]));
    let token = exchange(&meta, &code).await.expect("a token");
    assert_eq!(code_of(exchange(&meta, &code).await), (100, Some(36_009)));
    let secret = Secret::new(APP_SECRET);
    let as_ = Bearer {
        token: &token,
        app_secret: Some(&secret),
    };
    let (waba, number) = (WabaId::parse("900").unwrap(), PhoneNumberId::parse("502").unwrap());

    let account = meta.account(as_, &waba).await.expect("an account");
    assert_eq!((account.currency.as_deref(), account.has_funding), (Some("BDT"), false));
    let numbers = meta.numbers(as_, &waba).await.expect("numbers");
    let ids: Vec<_> = numbers.iter().map(|number| number.id.as_str()).collect();
    assert_eq!(ids, ["501", "502", "503"]);
    assert_eq!(meta.subscriptions(as_, &waba).await, Ok(Vec::new()));
    let at = WebhookOverride {
        url: "https://example.com/hook".into(),
        verify_token: Secret::new("verify-canary"),
    };
    for (wanted, expected) in [(Some(&at), Some("https://example.com/hook")), (None, None)] {
        meta.subscribe(as_, &waba, wanted).await.expect("subscribed");
        let known = meta.subscriptions(as_, &waba).await.expect("subscriptions");
        assert_eq!((known.len(), known[0].app_id.as_str()), (1, "222"));
        assert_eq!(known[0].override_url.as_deref(), expected);
    }
    assert!(!meta.number(as_, &number).await.expect("a number").is_registered());
    meta.register(as_, &number, &Secret::new("123456"))
        .await
        .expect("registered");
    assert!(meta.number(as_, &number).await.expect("a number").is_registered());
    let wrong = meta.register(as_, &number, &Secret::new("654321")).await;
    assert_eq!(code_of(wrong).0, 133_005);
    meta.deregister(as_, &number).await.expect("deregistered");
    assert_eq!(
        &*meta.profile(as_, &number).await.expect("a profile"),
        r#"{"messaging_product":"whatsapp"}"#
    );
    let share = CreditShare {
        line: "77",
        account: &waba,
        currency: "BDT",
    };
    meta.share_credit(as_, share).await.expect("shared");
    assert!(meta.account(as_, &waba).await.expect("an account").has_funding);

    let without = Bearer {
        app_secret: None,
        ..as_
    };
    assert_eq!(code_of(meta.account(without, &waba).await).0, 100, "the proof is sent");
    let foreign = WabaId::parse("901").unwrap();
    assert_eq!(code_of(meta.numbers(as_, &foreign).await), (100, Some(33)));
}

#[tokio::test]
async fn what_says_nothing_is_no_answer_and_hides_what_was_asked() {
    let sim = sim().await;
    let meta = onboarding(&sim.base_url());
    let when = Match {
        call: Some("exchange".to_owned()),
        ..Match::default()
    };
    for fault in [
        Fault::HtmlBadGateway,
        Fault::EmptyBody,
        Fault::BadJson,
        Fault::ResetAfterBody { accept: true },
    ] {
        sim.add_rule(FaultRule::first(1, fault.clone()).when(when.clone()).times(1));
        let code = sim.give_code(NewCode {
            code: Some("code-canary".to_owned()),
            ..NewCode::for_accounts(&["900"])
        });
        let failure = exchange(&meta, &code).await.expect_err("no token");
        assert!(
            matches!(failure, NumberCallFailure::NoAnswer(_)),
            "{fault:?}: {failure:?}"
        );
        let shown = format!("{failure:?}");
        assert!(!shown.contains("canary") && !shown.contains("127.0.0.1"), "{shown}");
    }
}

#[tokio::test]
async fn what_may_drift_of_a_number_is_read_in_one_call_and_without_what_meta_does_not_know() {
    let sim = GraphSim::start(SimConfig::default()).await.expect("it starts");
    let meta = onboarding(&sim.base_url());
    // A token is taken out of every answer that quotes it, so one letter would spoil the answer.
    let (token, id) = (Secret::new("EAAG-token"), PhoneNumberId::parse("501").unwrap());
    let as_ = Bearer {
        token: &token,
        app_secret: None,
    };
    sim.drift(Drift::of_number(
        "501",
        json!({"quality_rating": "RED", "webhook_configuration": {"phone_number": "https://others.example"}}),
    ));
    let seen = meta.standing(as_, &id).await.expect("a number");
    assert_eq!(
        (seen.status.as_deref(), seen.quality.as_deref()),
        (Some("CONNECTED"), Some("RED"))
    );
    assert_eq!((seen.has_pin, seen.is_on_app), (Some(true), Some(false)));
    assert_eq!(seen.health.as_deref(), Some("AVAILABLE"));
    assert_eq!(seen.waba_id.as_ref().map(WabaId::as_str), Some("9501"));
    assert_eq!(seen.webhook_url.as_deref(), Some("https://others.example"));
    assert_eq!(sim.onboarding_journal().len(), 1, "one call");

    // An app or a version that does not know one of the fields.
    let when = || Match {
        call: Some("number".to_owned()),
        ..Match::default()
    };
    sim.add_rule(FaultRule::first(1, Fault::graph_error(100)).when(when()));
    let seen = meta.standing(as_, &id).await.expect("what everybody knows");
    assert_eq!((seen.quality.as_deref(), seen.health), (Some("RED"), None));
    for (fault, code) in [(Fault::graph_error(190), 190), (Fault::graph_error(4), 4)] {
        sim.add_rule(FaultRule::first(1, fault).when(when()));
        assert_eq!(code_of(meta.standing(as_, &id).await).0, code);
    }
}

#[tokio::test]
async fn what_the_app_has_is_asked_for_once_and_the_id_of_the_request_is_read() {
    let sim = sim().await;
    sim.set_registration(Registration::on_biz_app("502"));
    let meta = onboarding(&sim.base_url());
    let code = sim.give_code(NewCode::for_accounts(&["900"]));
    let token = exchange(&meta, &code).await.expect("a token");
    let secret = Secret::new(APP_SECRET);
    let as_ = Bearer {
        token: &token,
        app_secret: Some(&secret),
    };
    let number = PhoneNumberId::parse("502").unwrap();
    let is_on_app = meta.number(as_, &number).await.expect("a number").is_on_app;
    assert_eq!(is_on_app, Some(true));
    for what in [AppSync::Contacts, AppSync::History] {
        let id = meta.sync_app(as_, &number, what).await.expect("asked");
        assert!(id.is_some_and(|id| id.starts_with("simulated-request-")));
        assert_eq!(code_of(meta.sync_app(as_, &number, what).await), (2_593_107, None));
    }
    let other = PhoneNumberId::parse("503").unwrap();
    assert_eq!(code_of(meta.sync_app(as_, &other, AppSync::History).await).0, 100);
    let pin = Secret::new("123456");
    assert_eq!(code_of(meta.register(as_, &number, &pin).await).0, 100);
}

#[tokio::test]
async fn what_was_set_up_is_taken_back_and_a_token_works_until_then() {
    let sim = sim().await;
    let meta = onboarding(&sim.base_url());
    let code = sim.give_code(NewCode::for_accounts(&["900"]));
    let token = exchange(&meta, &code).await.expect("a token");
    let secret = Secret::new(APP_SECRET);
    let as_ = Bearer {
        token: &token,
        app_secret: Some(&secret),
    };
    let account = WabaId::parse("900").unwrap();
    meta.subscribe(as_, &account, None).await.expect("subscribed");
    for _ in 0..2 {
        meta.unsubscribe(as_, &account).await.expect("unsubscribed");
        assert_eq!(meta.subscriptions(as_, &account).await.expect("a list"), []);
    }
    meta.revoke(as_).await.expect("revoked");
    assert_eq!(code_of(meta.revoke(as_).await), (190, None));
    assert_eq!(code_of(meta.account(as_, &account).await).0, 190);
}

#[tokio::test]
async fn an_account_is_read_to_its_end() {
    let sim = sim().await;
    for id in 1_000..1_250 {
        sim.set_number(Number {
            waba_id: "900".to_owned(),
            ..Number::derived(&id.to_string())
        });
    }
    let meta = onboarding(&sim.base_url());
    let code = sim.give_code(NewCode::for_accounts(&["900"]));
    let token = exchange(&meta, &code).await.expect("a token");
    let secret = Secret::new(APP_SECRET);
    let as_ = Bearer {
        token: &token,
        app_secret: Some(&secret),
    };
    let account = WabaId::parse("900").unwrap();
    let numbers = meta.numbers(as_, &account).await.expect("numbers");
    let mut ids: Vec<_> = numbers.iter().map(|number| number.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((numbers.len(), ids.len()), (253, 253));
    let journal = sim.onboarding_journal();
    let pages = journal.iter().filter(|call| call.call == "numbers").count();
    assert_eq!(pages, 3);
}

/// Asks a Meta that answers with this, whatever it is asked.
async fn asked(what: &str, body: &str) -> Result<(), NumberCallFailure> {
    let peer = Peer::start([Act::Answer(answer("200 OK", "", body))]).await;
    let meta = onboarding(&peer.base_url);
    // A token is taken out of every answer that quotes it, so one letter would spoil the answer.
    let token = Secret::new("EAAG-token");
    let as_ = Bearer {
        token: &token,
        app_secret: None,
    };
    let (account, number) = (WabaId::parse("900").unwrap(), PhoneNumberId::parse("501").unwrap());
    let share = CreditShare {
        line: "77",
        account: &account,
        currency: "BDT",
    };
    match what {
        "account" => meta.account(as_, &account).await.map(drop),
        "numbers" => meta.numbers(as_, &account).await.map(drop),
        "number" => meta.number(as_, &number).await.map(drop),
        "standing" => meta.standing(as_, &number).await.map(drop),
        "profile" => meta.profile(as_, &number).await.map(drop),
        "subscriptions" => meta.subscriptions(as_, &account).await.map(drop),
        "subscribe" => meta.subscribe(as_, &account, None).await,
        "unsubscribe" => meta.unsubscribe(as_, &account).await,
        "register" => meta.register(as_, &number, &Secret::new("123456")).await,
        "deregister" => meta.deregister(as_, &number).await,
        "revoke" => meta.revoke(as_).await,
        "credit" => meta.share_credit(as_, share).await,
        "sync" => meta.sync_app(as_, &number, AppSync::History).await.map(drop),
        _ => panic!("{what}"),
    }
}

#[tokio::test]
async fn an_answer_without_what_was_asked_for_is_none() {
    let no_list: [&str; 7] = [
        "{}",
        r#"{"data":null}"#,
        r#"{"data":"x"}"#,
        r#"{"data":[1]}"#,
        r#"{"data":[[]]}"#,
        r#"{"data":["x"]}"#,
        r#"{"data":[{"id":"5"},null]}"#,
    ];
    let of_other: [&str; 3] = ["{}", r#"{"id":"777"}"#, r#"{"data":[]}"#];
    let unsaid: [&str; 4] = ["{}", r#"{"success":false}"#, r#"{"success":null}"#, r#"{"data":[]}"#];
    let readings = [
        ("account", &of_other[..]),
        ("number", &of_other[..]),
        ("standing", &of_other[..]),
        ("numbers", &no_list[..]),
        ("subscriptions", &no_list[..]),
        ("profile", &no_list[..6]),
    ];
    let changes = [
        "subscribe",
        "unsubscribe",
        "register",
        "deregister",
        "revoke",
        "credit",
        "sync",
    ];
    let all = readings.into_iter().chain(changes.map(|change| (change, &unsaid[..])));
    for (what, bodies) in all {
        for body in bodies {
            let failure = asked(what, body).await.expect_err(body);
            assert!(
                matches!(failure, NumberCallFailure::NoAnswer(_)),
                "{what} {body}: {failure:?}"
            );
        }
    }
    for (what, body) in [
        ("numbers", r#"{"data":[]}"#),
        ("subscriptions", r#"{"data":[]}"#),
        ("profile", r#"{"data":[]}"#),
        ("credit", r#"{"allocation_config_id":"7900"}"#),
        ("sync", r#"{"request_id":"r-1"}"#),
        ("sync", r#"{"success":true}"#),
    ] {
        assert_eq!(asked(what, body).await, Ok(()), "{what} {body}");
    }
}

#[tokio::test]
async fn a_cursor_that_stands_still_ends_the_reading() {
    let page = r#"{"data":[{"id":"501"}],"paging":{"cursors":{"after":"c"},"next":"https://x"}}"#;
    let peer = Peer::start((0..3).map(|_| Act::Answer(answer("200 OK", "", page)))).await;
    let meta = onboarding(&peer.base_url);
    let token = Secret::new("EAAG-token");
    let as_ = Bearer {
        token: &token,
        app_secret: None,
    };
    let read = meta.numbers(as_, &WabaId::parse("900").unwrap()).await;
    assert!(matches!(read, Err(NumberCallFailure::NoAnswer(_))), "{read:?}");
    assert_eq!(peer.requests().len(), 2);
}
