//! Access tokens, as the simulated Meta and stranger peers tell of them; and the proof of an app's secret.

use dakghar_adapters::meta::MetaTokens;
use dakghar_core::domain::access_token::{NAMES_MAX, TokenVerdict};
use dakghar_core::domain::ids::{AppId, WabaId};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{AppAccess, TokensApi as _};
use dakghar_graph_sim::{GraphSim, Outcome, SimConfig, Token};
use parking_lot::Mutex;
use serde_json::json;

use super::*;

const APP_SECRET: &str = "app-secret-canary";

fn tokens(base_url: &str) -> MetaTokens {
    let http = GraphHttp::new(GraphConfig {
        connect_timeout: Duration::from_secs(1),
        http2_connections: 1,
        ..GraphConfig::new(base_url, "v25.0")
    });
    MetaTokens::new(Arc::new(http.unwrap()))
}

async fn sim() -> GraphSim {
    let config = SimConfig {
        app_secret: Some(APP_SECRET.to_owned()),
        ..SimConfig::default()
    };
    GraphSim::start(config).await.expect("it starts")
}

async fn inspect(tokens: &MetaTokens, secret: &str, token: &str) -> Result<TokenVerdict, String> {
    let (id, secret) = (AppId::parse("222").unwrap(), Secret::new(secret));
    let app = AppAccess {
        id: &id,
        secret: &secret,
    };
    let verdict = tokens.inspect(app, &Secret::new(token)).await;
    let shown = format!("{verdict:?}");
    for hidden in ["canary", "127.0.0.1", "http:"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    verdict.map_err(|why| why.to_string())
}

#[tokio::test]
async fn meta_says_what_a_token_is() {
    let sim = sim().await;
    let tokens = tokens(&sim.base_url());
    sim.set_token(Token {
        app_id: Some("222".into()),
        kind: "USER".into(),
        expires_at: 4_000_000_000,
        scopes: vec!["whatsapp_business_messaging".into()],
        waba_ids: vec!["7".into(), "8".into()],
        ..Token::plain("EAAG-canary-known")
    });
    let verdict = inspect(&tokens, APP_SECRET, "EAAG-canary-known").await;
    let TokenVerdict::Valid(facts) = verdict.expect("an answer") else {
        panic!("it works");
    };
    assert_eq!((facts.app_id.as_str(), facts.kind.as_deref()), ("222", Some("USER")));
    assert_eq!(facts.expires_at, Some(Timestamp::from_millis(4_000_000_000_000)));
    assert_eq!(facts.scopes, [Arc::<str>::from("whatsapp_business_messaging")]);
    let accounts: Vec<_> = facts.accounts.iter().map(WabaId::as_str).collect();
    assert_eq!(accounts, ["7", "8"]);

    let Ok(TokenVerdict::Valid(facts)) = inspect(&tokens, APP_SECRET, "EAAG-canary-new").await else {
        panic!("a token without a description works");
    };
    assert_eq!((facts.expires_at, facts.accounts.len()), (None, 0));
    assert!(
        inspect(&tokens, "wrong", "EAAG-canary-new")
            .await
            .unwrap_err()
            .contains("190")
    );
    for (token, expected) in [
        (
            Token {
                is_valid: false,
                ..Token::plain("EAAG-canary-a")
            },
            "Invalid",
        ),
        (
            Token {
                expires_at: 1,
                ..Token::plain("EAAG-canary-b")
            },
            "Invalid",
        ),
        (
            Token {
                app_id: Some("333".into()),
                ..Token::plain("EAAG-canary-c")
            },
            "OtherApp",
        ),
    ] {
        sim.set_token(token.clone());
        let verdict = inspect(&tokens, APP_SECRET, &token.token).await.expect("an answer");
        assert!(format!("{verdict:?}").starts_with(expected), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_token_is_renewed_and_the_old_one_works_on() {
    let sim = sim().await;
    let tokens = tokens(&sim.base_url());
    sim.set_token(Token {
        expires_at: 4_000_000_000,
        ..Token::plain("EAAG-canary-old")
    });
    let id = AppId::parse("222").unwrap();
    let renewed = async |secret: &str, token: &str| {
        let secret = Secret::new(secret);
        let app = AppAccess {
            id: &id,
            secret: &secret,
        };
        tokens.renew(app, &Secret::new(token)).await
    };
    let new = renewed(APP_SECRET, "EAAG-canary-old")
        .await
        .expect("an answer")
        .expect("a token");
    for token in ["EAAG-canary-old", new.reveal()] {
        assert!(matches!(
            inspect(&tokens, APP_SECRET, token).await,
            Ok(TokenVerdict::Valid(_))
        ));
    }
    sim.set_token(Token {
        is_valid: false,
        ..Token::plain("EAAG-canary-old")
    });
    for (secret, token) in [(APP_SECRET, "EAAG-canary-old"), ("wrong", new.reveal())] {
        assert!(renewed(secret, token).await.expect("an answer").is_none());
    }
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_no_verdict() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"data":{}}"#,
        r#"{"data":[]}"#,
        r#"{"data":{"is_valid":true}}"#,
        r#"{"data":{"is_valid":true,"app_id":"x y"}}"#,
        r#"{"error":{"message":"temporarily","code":2}}"#,
    ] {
        let peer = Peer::start([Act::Answer(answer("200 OK", "", body))]).await;
        let verdict = inspect(&tokens(&peer.base_url), APP_SECRET, "EAAG-canary").await;
        assert!(verdict.is_err(), "{body}: {verdict:?}");
    }
    let page = Peer::start([Act::Answer(answer("502 Bad Gateway", "", "<html>"))]).await;
    assert!(
        inspect(&tokens(&page.base_url), APP_SECRET, "EAAG-canary")
            .await
            .is_err()
    );
    assert!(
        inspect(&tokens("http://127.0.0.1:1"), APP_SECRET, "EAAG-canary")
            .await
            .is_err()
    );
}

/// `inspect` looks that nothing of it is shown.
#[tokio::test]
async fn a_token_that_meta_repeats_is_not_shown() {
    let repeated = "Malformed access token EAAG-canary of 222|the-app-secret-of-222";
    let refused = json!({"error": {"message": repeated, "code": 190}}).to_string();
    let invalid = json!({"data": {"is_valid": false, "error": {"message": repeated, "code": 190}}}).to_string();
    for (status, body) in [
        ("400 Bad Request", &refused),
        ("200 OK", &refused),
        ("200 OK", &invalid),
    ] {
        let peer = Peer::start([Act::Answer(answer(status, "", body))]).await;
        let verdict = inspect(&tokens(&peer.base_url), "the-app-secret-of-222", "EAAG-canary").await;
        let shown = format!("{verdict:?}");
        assert!(
            shown.contains("Malformed access token *** of ***") && !shown.contains("the-app-secret"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_send_that_is_refused_repeats_no_token() {
    let words = format!("Malformed access token {TOKEN}");
    let body = json!({"error": {"message": words, "code": 190, "error_data": {"details": words}}});
    let peer = Peer::start([Act::Answer(answer("401 Unauthorized", "", &body.to_string()))]).await;
    let client = client(&peer.base_url);
    let SendOutcome::Refused(refusal) = send_with(&client, APP_SECRET).await else {
        panic!("it is refused");
    };
    assert_eq!(&*refusal.message, "Malformed access token ***");
    assert_eq!(refusal.details.as_deref(), Some("Malformed access token ***"));
}

#[tokio::test]
async fn long_lists_are_cut_where_that_excludes_nothing() {
    let many: Vec<String> = (0..=NAMES_MAX).map(|n| n.to_string()).collect();
    let body = json!({"data": {"is_valid": true, "app_id": 222, "scopes": many, "type": "x".repeat(100),
        "granular_scopes": [{"scope": "whatsapp_business_messaging", "target_ids": many}]}});
    let peer = Peer::start([Act::Answer(answer("200 OK", "", &body.to_string()))]).await;
    let verdict = inspect(&tokens(&peer.base_url), APP_SECRET, "EAAG-canary").await;
    let Ok(TokenVerdict::Valid(facts)) = verdict else {
        panic!("it works: {verdict:?}");
    };
    assert_eq!(
        (facts.scopes.len(), facts.accounts.len(), facts.kind),
        (NAMES_MAX, 0, None)
    );
}

async fn send_with(client: &MetaMessages, secret: &str) -> SendOutcome {
    let call = SendCall {
        message: &message(),
        token: &Secret::new(TOKEN),
        app_secret: Some(&Secret::new(secret)),
        opaque: OPAQUE,
        timeout: Duration::from_secs(30),
        used: &Mutex::default(),
    };
    client.send(call).await
}

#[tokio::test]
async fn a_call_proves_the_apps_secret_and_goes_without_where_meta_knows_another() {
    let sim = sim().await;
    sim.require_proof(true);
    let client = client(&sim.base_url());
    assert!(matches!(
        send_with(&client, APP_SECRET).await,
        SendOutcome::Accepted { .. }
    ));
    let refused = send(&client).await;
    assert!(matches!(refused, SendOutcome::Refused(_)), "{refused:?}");

    sim.require_proof(false);
    sim.clear_journal();
    for _ in 0..3 {
        assert!(matches!(send_with(&client, "old").await, SendOutcome::Accepted { .. }));
    }
    let refused = |entry: &dakghar_graph_sim::JournalEntry| matches!(entry.outcome, Outcome::Refused { .. });
    let journal = sim.journal();
    assert_eq!(
        journal.iter().filter(|entry| refused(entry)).count(),
        1,
        "it is tried once, not each time"
    );
    assert_eq!(journal.len(), 4);
}
