//! Receivers whose TLS is not what it should be: nothing of a body reaches them.

use std::process::Stdio;

use dakghar_testkit::Port;
use dakghar_testkit::receiver::{Authority, Flaw};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use super::*;

fn believing(authority: &Authority) -> HttpReceivers {
    let config = CallbackConfig {
        rules: development(),
        authorities_pem: Some(authority.pem()),
    };
    receivers_with(config, &Names::leading_to(&[&["127.0.0.1"]]))
}

#[tokio::test]
async fn a_certificate_must_be_valid_and_of_the_host() {
    let authority = Authority::new();
    let receivers = believing(&authority);
    for host in ["127.0.0.1", "localhost"] {
        let receiver = Receiver::start_tls([], authority.acceptor(Flaw::None)).await;
        let url = format!("https://{host}:{}/hook", receiver.port());
        assert_eq!(outcome(&receivers, &url).await, answered(200), "{host}");
        assert_eq!(receiver.requests()[0].body, BODY);
        for flaw in [Flaw::Expired, Flaw::WrongHost, Flaw::SelfSigned] {
            let receiver = Receiver::start_tls([], authority.acceptor(flaw)).await;
            let url = format!("https://{host}:{}/hook", receiver.port());
            assert_eq!(
                outcome(&receivers, &url).await,
                failed(CallbackFailure::Tls),
                "{flaw:?}"
            );
            receiver.until_refused(1).await;
            assert_eq!((receiver.bytes(), receiver.requests().len()), (0, 0), "{flaw:?}");
        }
    }
}

#[tokio::test]
async fn an_authority_that_nobody_named_is_not_believed() {
    let authority = Authority::new();
    let receiver = Receiver::start_tls([], authority.acceptor(Flaw::None)).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    let url = format!("https://127.0.0.1:{}/", receiver.port());
    assert_eq!(outcome(&receivers, &url).await, failed(CallbackFailure::Tls));
    receiver.until_refused(1).await;
    assert_eq!(receiver.bytes(), 0);
}

#[tokio::test]
async fn what_speaks_no_tls_gets_nothing() {
    let receiver = Receiver::start([]).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    let url = format!("https://127.0.0.1:{}/", receiver.port());
    let call = CallbackCall {
        timeout: Duration::from_secs(1),
        ..call(&url)
    };
    // It waits for a request while we wait for its handshake.
    assert_eq!(post(&receivers, call).await.outcome, failed(CallbackFailure::Timeout));
    assert_eq!(receiver.requests(), []);
}

/// rustls has no older versions, so the server is OpenSSL's.
#[tokio::test]
async fn tls_before_1_2_is_no_tls() {
    let authority = Authority::new();
    let (certificate, key) = authority.certificate(Flaw::None);
    let receivers = believing(&authority);
    for (version, expected) in [
        ("-tls1", failed(CallbackFailure::Tls)),
        ("-tls1_1", failed(CallbackFailure::Tls)),
        ("-tls1_2", answered(200)),
        ("-tls1_3", answered(200)),
    ] {
        let port = Port::claim();
        let mut server = Command::new("openssl")
            .args(["s_server", "-www", "-accept", &format!("127.0.0.1:{port}"), version])
            .args(["-cipher", "DEFAULT:@SECLEVEL=0"])
            .arg("-cert")
            .arg(&certificate)
            .arg("-key")
            .arg(&key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("ACCEPT") {
            line.clear();
            assert!(output.read_line(&mut line).await.unwrap() > 0, "openssl ended");
        }
        let url = format!("https://127.0.0.1:{port}/");
        let outcome = outcome(&receivers, &url).await;
        server.kill().await.unwrap();
        let mut text = String::new();
        output.read_to_string(&mut text).await.unwrap();
        assert_eq!(outcome, expected, "{version}: {text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn authorities_that_are_none_are_refused() {
    for pem in [b"".to_vec(), b"canary".to_vec()] {
        let config = CallbackConfig {
            rules: development(),
            authorities_pem: Some(pem),
        };
        let names = Names::leading_to(&[]);
        let refused = HttpReceivers::new(config, names, Arc::new(TestClock::default()))
            .err()
            .unwrap();
        assert!(refused.to_string().contains("PEM") && !refused.to_string().contains("canary"));
    }
}
