//! Receivers whose TLS is not what it should be: nothing of a body reaches them.

use std::process::Stdio;

use dakghar_testkit::Port;
use dakghar_testkit::receiver::{Authority, Flaw};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
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

/// rustls has no older versions, so the server is OpenSSL's. It shows what it reads, and answers nothing.
#[tokio::test]
async fn tls_before_1_2_is_no_tls() {
    let authority = Authority::new();
    let (certificate, key) = authority.certificate(Flaw::None);
    let receivers = believing(&authority);
    for (version, is_enough) in [
        ("-tls1", false),
        ("-tls1_1", false),
        ("-tls1_2", true),
        ("-tls1_3", true),
    ] {
        let port = Port::claim();
        let mut server = Command::new("openssl")
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), version])
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
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let mut text = String::new();
        let until = async |lines: &mut Lines<_>, text: &mut String, word: &str| {
            while !text.contains(word) {
                let line = lines.next_line().await.unwrap();
                *text += &line.unwrap_or_else(|| panic!("openssl ended: {text}"));
            }
        };
        until(&mut lines, &mut text, "ACCEPT").await;
        let url = format!("https://127.0.0.1:{port}/");
        if is_enough {
            // The canary stands at the end of the body, and the body at the end of what is shown.
            let body = [BODY, b"\n".as_slice()].concat();
            let call = CallbackCall { body, ..call(&url) };
            tokio::select! {
                () = until(&mut lines, &mut text, "canary-body") => {}
                answer = receivers.post(call) => panic!("{version}: {answer:?}"),
            }
        } else {
            assert_eq!(
                outcome(&receivers, &url).await,
                failed(CallbackFailure::Tls),
                "{version}"
            );
            server.kill().await.unwrap();
            while let Some(line) = lines.next_line().await.unwrap() {
                text += &line;
            }
            assert!(!text.contains("canary"), "{text}");
        }
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
