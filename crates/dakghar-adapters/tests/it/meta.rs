//! The Graph client against a peer that answers, lies, hangs, and breaks connections at every moment.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod judged;
pub(crate) mod log_lines;
mod numbers;
mod onboarding;
mod peer;
mod tokens;

use dakghar_testkit::samples::{self, With as _};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dakghar_adapters::meta::{GraphConfig, GraphHttp, MetaMessages};
use dakghar_core::domain::ids::MessageId;
use dakghar_core::domain::message::{Content, Message, SendOutcome};
use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::{MessagesApi as _, SendCall};
use dakghar_testkit::{Port, TestClock};
use log_lines::LogLines;
use parking_lot::Mutex;
use peer::{Act, Peer, accepted, answer, header};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

const TOKEN: &str = "EAAG-canary-token";
const OPAQUE: &str = "v1.msg_00000000000000000000000001.1.AAAAAAAAAAAAAAAA";

fn message() -> Message {
    samples::outbound(samples::tenant_id()).with(|message| {
        message.accepted.id = MessageId::from_uuid(Uuid::from_u128(1));
        message.accepted.content = Content {
            kind: "text".into(),
            body: r#"{"body":"Hello from tenant A"}"#.into(),
            envelope: None,
            frame: None,
            removed_at: None,
        };
        message.delivery.attempt = 1;
    })
}

fn client(base_url: &str) -> MetaMessages {
    let http = GraphHttp::new(GraphConfig {
        connect_timeout: Duration::from_secs(1),
        http2_connections: 1,
        ..GraphConfig::new(base_url, "v25.0")
    });
    MetaMessages::new(Arc::new(http.unwrap()), Arc::new(TestClock::default()))
}

async fn send_as(client: &MetaMessages, message: &Message, opaque: &str, timeout: Duration) -> SendOutcome {
    let outcome = client
        .send(SendCall {
            message,
            token: &Secret::new(TOKEN),
            app_secret: None,
            opaque,
            timeout,
            used: &Mutex::default(),
        })
        .await;
    // What Meta says of the recipient is kept.
    if matches!(outcome, SendOutcome::Accepted { .. }) {
        return outcome;
    }
    let shown = format!("{outcome:?}");
    for hidden in ["canary", "127.0.0.1", "http:", "9111111111"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    outcome
}

async fn send(client: &MetaMessages) -> SendOutcome {
    send_as(client, &message(), OPAQUE, Duration::from_secs(30)).await
}

/// The body that reaches Meta for a message of this content.
async fn body_sent(message: &Message) -> String {
    let peer = Peer::start([]).await;
    send_as(&client(&peer.base_url), message, OPAQUE, Duration::from_secs(30)).await;
    peer.requests().pop().unwrap().body
}

fn wamid_of(outcome: &SendOutcome) -> &str {
    match outcome {
        SendOutcome::Accepted { wamid, .. } => wamid.as_str(),
        other => panic!("{other:?}"),
    }
}

fn unknown(outcome: &SendOutcome) -> &str {
    match outcome {
        SendOutcome::Unknown { why } => why,
        other => panic!("{other:?}"),
    }
}

fn not_sent(outcome: &SendOutcome) -> &str {
    match outcome {
        SendOutcome::NotSent { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sends_metas_request_and_keeps_the_connection() {
    let peer = Peer::start([Act::Answer(accepted("wamid.A")), Act::Answer(accepted("wamid.B"))]).await;
    let client = client(&peer.base_url);
    assert_eq!(wamid_of(&send(&client).await), "wamid.A");
    assert_eq!(wamid_of(&send(&client).await), "wamid.B");

    let requests = peer.requests();
    assert_eq!((requests.len(), peer.connections()), (2, 1));
    let head = &requests[0].head;
    assert!(
        head.starts_with("POST /v25.0/111111111111111/messages HTTP/1.1\r\n"),
        "{head}"
    );
    assert_eq!(header(head, "authorization"), Some("Bearer EAAG-canary-token"));
    assert_eq!(header(head, "content-type"), Some("application/json"));
    assert_eq!(
        requests[0].body,
        format!(
            r#"{{"messaging_product":"whatsapp","recipient_type":"individual","to":"+919111111111","type":"text","text":{{"body":"Hello from tenant A"}},"biz_opaque_callback_data":"{OPAQUE}"}}"#
        )
    );
}

#[tokio::test]
async fn what_the_client_wrote_is_copied_as_it_is() {
    let body = r#"{ "name":"caf\u00e9", "n":1.0e2, "name":"twice", "deep":[[{}]] }"#;
    let message = message().with(|message| {
        message.accepted.content = Content {
            frame: None,
            kind: "te\"mplate".into(),
            body: body.into(),
            envelope: Some(
                r#"{ "context" : {"message_id":"wamid.X"}, "recipient_type":"group", "future":[1, 2],
                    "to":"+1","type":"x","messaging_product":"y","biz_opaque_callback_data":"theirs","te\"mplate":{} }"#
                    .into(),
            ),
            removed_at: None,
        }
    });
    assert_eq!(
        body_sent(&message).await,
        format!(
            r#"{{"messaging_product":"whatsapp","recipient_type":"group","to":"+919111111111","type":"te\"mplate","te\"mplate":{body},"context":{{"message_id":"wamid.X"}},"future":[1, 2],"biz_opaque_callback_data":"{OPAQUE}"}}"#
        )
    );
}

#[tokio::test]
async fn a_person_without_a_number_is_named_as_recipient() {
    let by_field = message().with(|message| {
        message.accepted.peer = Some("US.13491208655302741918".into());
        message.accepted.content.envelope = Some(r#"{"recipient":"US.13491208655302741918"}"#.into());
    });
    let by_peer = message().with(|message| message.accepted.peer = Some("US.13491208655302741918".into()));
    for message in [by_field, by_peer] {
        let body = body_sent(&message).await;
        assert_eq!(
            body.matches(r#""recipient":"US.13491208655302741918""#).count(),
            1,
            "{body}"
        );
        assert!(!body.contains(r#""to":"#), "{body}");
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_written_is_not_sent() {
    let peer = Peer::start([]).await;
    let client = client(&peer.base_url);
    let nobody = message().with(|message| message.accepted.peer = None);
    let odd = message().with(|message| message.accepted.content.envelope = Some("[1]".into()));
    for message in [nobody, odd] {
        not_sent(&send_as(&client, &message, OPAQUE, Duration::from_secs(30)).await);
    }
    let call = SendCall {
        message: &message(),
        token: &Secret::new("line\nbreak"),
        app_secret: None,
        opaque: OPAQUE,
        timeout: Duration::from_secs(30),
        used: &Mutex::default(),
    };
    assert_eq!(
        not_sent(&client.send(call).await),
        "the access token cannot be sent in a header"
    );
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn a_mock_token_never_calls_anybody() {
    let peer = Peer::start([]).await;
    let message = message().with(|message| message.delivery.attempt = 3);
    let call = SendCall {
        message: &message,
        token: &Secret::new("mock_token_tenant_A"),
        app_secret: None,
        opaque: OPAQUE,
        timeout: Duration::from_secs(30),
        used: &Mutex::default(),
    };
    let outcome = client(&peer.base_url).send(call).await;
    assert_eq!(wamid_of(&outcome), "wamid.mock.00000000000000000000000001.3");
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn refusals_carry_metas_words() {
    let error = r#"{"error":{"message":"(#4) too many calls","code":4,"is_transient":true,"fbtrace_id":"A1"}}"#;
    let peer = Peer::start([Act::Answer(answer("400 Bad Request", "retry-after: 17\r\n", error))]).await;
    let outcome = send(&client(&peer.base_url)).await;
    let SendOutcome::Refused(refusal) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        (refusal.http_status, refusal.code, refusal.is_transient),
        (400, 4, Some(true))
    );
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(17)));
    assert_eq!(refusal.fbtrace_id.as_deref(), Some("A1"));
}

#[tokio::test]
async fn whatever_ends_without_a_verdict_is_unknown_and_was_sent_once() {
    let html = "<html><body>502 Bad Gateway</body></html>";
    let good = accepted("wamid.A");
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"mes\r\n".to_vec();
    let redirect = "location: /v25.0/111111111111111/messages\r\n";
    for (act, expected) in [
        (Act::Close, "the connection broke before an answer"),
        (Act::WriteAndReset(Vec::new()), "the connection broke before an answer"),
        (
            Act::WriteAndReset(b"HTTP/1.1 20".to_vec()),
            "the connection broke before an answer",
        ),
        (
            Act::AnswerAndClose(good[..good.len() - 9].to_vec()),
            "the answer broke off",
        ),
        (
            Act::WriteAndReset(good[..good.len() - 9].to_vec()),
            "the answer broke off",
        ),
        (Act::AnswerAndClose(chunked), "the answer broke off"),
        (
            Act::Answer(b"nonsense\r\n\r\n".to_vec()),
            "the connection broke before an answer",
        ),
        (
            Act::Answer(answer("502 Bad Gateway", "", html)),
            "the answer is not a JSON object (HTTP 502)",
        ),
        (
            Act::Answer(answer("200 OK", "", "")),
            "the answer is not a JSON object (HTTP 200)",
        ),
        (
            Act::Answer(answer("200 OK", "", r#"{"messages":[{"id":"a b"}]}"#)),
            "the answer names an impossible message id (HTTP 200)",
        ),
        (
            Act::Answer(answer("200 OK", "", r#"{"success":true}"#)),
            "the answer is neither an acceptance nor a refusal (HTTP 200)",
        ),
        (
            Act::Answer(answer("307 Temporary Redirect", redirect, "")),
            "the answer is a redirect (HTTP 307)",
        ),
        (
            Act::Answer(answer("308 Permanent Redirect", redirect, "")),
            "the answer is a redirect (HTTP 308)",
        ),
    ] {
        let peer = Peer::start([act]).await;
        assert_eq!(unknown(&send(&client(&peer.base_url)).await), expected);
        assert_eq!(peer.requests().len(), 1, "{expected}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let padding = |bytes: usize| format!(r#"{{"messages":[{{"id":"wamid.A"}}],"x":"{}"}}"#, "x".repeat(bytes));
    let frame = padding(0).len();
    for (bytes, fits) in [
        (256 * 1024 - frame, true),
        (256 * 1024 - frame + 1, false),
        (3_000_000, false),
    ] {
        let peer = Peer::start([Act::Answer(answer("200 OK", "", &padding(bytes)))]).await;
        let outcome = send(&client(&peer.base_url)).await;
        if fits {
            assert_eq!(wamid_of(&outcome), "wamid.A");
        } else {
            assert_eq!(unknown(&outcome), "the answer is larger than 256 KiB");
        }
    }
}

#[tokio::test]
async fn a_silent_peer_is_left_at_the_deadline() {
    let good = accepted("wamid.A");
    let half = good[..good.len() - 9].to_vec();
    let soon = Duration::from_millis(300);
    let peer = Peer::start([Act::Silence, Act::Answer(half)]).await;
    let client = client(&peer.base_url);
    assert_eq!(
        unknown(&send_as(&client, &message(), OPAQUE, soon).await),
        "no answer in time"
    );
    assert_eq!(
        unknown(&send_as(&client, &message(), OPAQUE, soon).await),
        "the answer did not end in time"
    );
    assert_eq!(peer.requests().len(), 2);
}

#[tokio::test]
async fn a_failure_to_connect_proves_that_nothing_was_sent() {
    let closed = Port::claim();
    let refused = send(&client(&format!("http://127.0.0.1:{closed}"))).await;
    assert_eq!(not_sent(&refused), "the Graph API refused the connection");

    // The name is reserved for hosts that do not exist; a resolver may also fail to say so in time.
    not_sent(&send(&client("http://graph.invalid")).await);
}

/// Set where this test program was started once more, as a process that may open few files.
const FEW_FILES: &str = "DAKGHAR_TEST_META_FEW_FILES";

#[tokio::test]
async fn without_a_file_handle_nothing_was_sent() {
    if std::env::var(FEW_FILES).is_err() {
        let this = std::env::current_exe().unwrap();
        let run = "ulimit -n 64 && exec \"$0\" --exact meta::without_a_file_handle_nothing_was_sent --nocapture";
        let mut child = tokio::process::Command::new("sh");
        child.args(["-c", run]).arg(this).env(FEW_FILES, "yes");
        let output = child.output().await.unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{output:?}");
        return;
    }
    // Tasks that end give their handles back at some time, so none ends before the test does.
    let mut kept = Vec::new();
    for host in ["127.0.0.1", "localhost"] {
        let peer = Peer::start([]).await;
        let base_url = peer.base_url.replace("127.0.0.1", host);
        let client = client(&base_url);
        let open = |_| std::fs::File::open("/dev/null").ok();
        let files: Vec<_> = (0..64).map_while(open).collect();
        assert!(files.len() < 64, "the system allows more");
        not_sent(&send(&client).await);
        assert_eq!((peer.connections(), peer.requests().len()), (0, 0), "{host}");
        drop(files);
        wamid_of(&send(&client).await);
        assert_eq!(peer.requests().len(), 1, "{host}");
        kept.push((peer, client));
    }
}

#[tokio::test]
async fn a_failed_tls_handshake_proves_that_nothing_was_sent() {
    // Accepts and never speaks: the deadline of the connection covers TLS.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outcome = send(&client(&format!("https://{}", mute.local_addr().unwrap()))).await;
    assert_eq!(not_sent(&outcome), "no connection to the Graph API in time");

    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    let talking = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap_or(0);
        received
    });
    let outcome = send(&client(&format!("https://{address}"))).await;
    assert_eq!(not_sent(&outcome), "no agreement on TLS with the Graph API");
    let received = talking.await.unwrap();
    assert!(!String::from_utf8_lossy(&received).contains("canary"));
}

/// Of a call whose time is shorter than what a connection usually has, too.
#[tokio::test]
async fn a_connection_that_hangs_sent_nothing_however_short_the_time_of_a_call_is() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://{}", mute.local_addr().unwrap());
    for timeout in [Duration::from_millis(100), Duration::from_secs(3)] {
        let config = GraphConfig::new(base_url.as_str(), "v25.0").for_calls_of(timeout);
        let http = GraphHttp::new(config).unwrap();
        let client = MetaMessages::new(Arc::new(http), Arc::new(TestClock::default()));
        let outcome = send_as(&client, &message(), OPAQUE, timeout).await;
        assert_eq!(
            not_sent(&outcome),
            "no connection to the Graph API in time",
            "{timeout:?}"
        );
    }
    let usual = GraphConfig::new(base_url, "v25.0");
    let long = usual.clone().for_calls_of(Duration::from_secs(30));
    assert_eq!(long.connect_timeout, usual.connect_timeout);
}

/// A host that is there and takes no connection, as one behind a firewall that drops packets: a listener whose queue of
/// connections is full.
#[tokio::test]
async fn a_connection_that_nobody_takes_sent_nothing() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
        assert!(queued.len() < 100, "the queue takes everything");
    }
    for scheme in ["http", "https"] {
        let base_url = format!("{scheme}://{address}");
        let outcome = send(&client(&base_url)).await;
        assert_eq!(not_sent(&outcome), "no connection to the Graph API in time", "{scheme}");
        // Nor if the call has less time than a connection.
        let timeout = Duration::from_millis(300);
        let config = GraphConfig::new(base_url.as_str(), "v25.0").for_calls_of(timeout);
        let hurried = MetaMessages::new(
            Arc::new(GraphHttp::new(config).unwrap()),
            Arc::new(TestClock::default()),
        );
        let outcome = send_as(&hurried, &message(), OPAQUE, timeout).await;
        assert_eq!(not_sent(&outcome), "no connection to the Graph API in time", "{scheme}");
    }
}

/// A kept connection that dies just as the next request goes out on it: the request may have been carried out.
#[tokio::test]
async fn a_reset_under_the_next_request_is_unknown_and_not_repeated() {
    let peer = Peer::start([Act::AnswerThenResetNext(accepted("wamid.A"))]).await;
    let client = client(&peer.base_url);
    assert_eq!(wamid_of(&send(&client).await), "wamid.A");
    assert_eq!(unknown(&send(&client).await), "the connection broke before an answer");
    // One connection: nobody tried the second request again on another.
    assert_eq!((peer.requests().len(), peer.connections()), (1, 1));
}

/// The peer closes every connection right after its answer, while the next requests are already choosing from the
/// pool. Whatever each of them makes of that, none may reach the peer twice, and none that reached it may say that
/// it did not.
#[tokio::test]
async fn closing_connections_never_lead_to_a_second_request() {
    const SENDS: usize = 600;
    let peer = Peer::start((0..SENDS * 2).map(|i| Act::AnswerAndClose(accepted(&format!("wamid.{i}"))))).await;
    let client = client(&peer.base_url);
    let message = message();
    let mut outcomes = Vec::new();
    for round in 0..SENDS / 20 {
        let sends = (0..20).map(|i| {
            let (client, message) = (&client, &message);
            async move {
                let opaque = format!("v1.{round}.{i}");
                let outcome = send_as(client, message, &opaque, Duration::from_secs(30)).await;
                (opaque, outcome)
            }
        });
        outcomes.extend(futures_util::future::join_all(sends).await);
    }

    let mut arrivals: HashMap<String, usize> = HashMap::new();
    for request in peer.requests() {
        let (_, opaque) = request.body.rsplit_once(r#""biz_opaque_callback_data":""#).unwrap();
        *arrivals.entry(opaque.trim_end_matches("\"}").to_owned()).or_default() += 1;
    }
    let mut accepted = 0;
    for (opaque, outcome) in outcomes {
        let arrived = arrivals.get(&opaque).copied().unwrap_or(0);
        assert!(arrived <= 1, "{opaque} arrived {arrived} times");
        match &outcome {
            SendOutcome::Accepted { .. } => {
                assert_eq!(arrived, 1, "{opaque}");
                accepted += 1;
            }
            SendOutcome::NotSent { .. } => assert_eq!(arrived, 0, "{opaque}"),
            SendOutcome::Unknown { .. } => {}
            SendOutcome::Refused(_) | SendOutcome::TurnedAway { .. } => panic!("{outcome:?}"),
        }
    }
    assert!(accepted > 0);
}

#[tokio::test]
async fn another_version_in_the_answer_is_logged_once() {
    let answered = |version: &str| {
        let body = r#"{"messages":[{"id":"wamid.A"}]}"#;
        Act::Answer(answer("200 OK", &format!("facebook-api-version: {version}\r\n"), body))
    };
    let peer = Peer::start([answered("v25.0"), answered("v26.0"), answered("v26.0")]).await;
    let client = client(&peer.base_url);
    let log = LogLines::listen();
    let warnings = || {
        log.lines()
            .into_iter()
            .filter(|line| line.starts_with("WARN dakghar"))
            .collect::<Vec<_>>()
    };
    send(&client).await;
    assert_eq!(warnings(), Vec::<String>::new());
    send(&client).await;
    send(&client).await;
    let [warning] = &warnings()[..] else {
        panic!("{:?}", warnings());
    };
    assert!(
        warning.contains("asked=v25.0") && warning.contains("v26.0"),
        "{warning}"
    );
}

#[tokio::test]
async fn no_log_line_of_any_level_shows_token_number_or_text() {
    let log = LogLines::listen();
    let error = r#"{"error":{"message":"for +919111111111: Hello","code":100}}"#;
    let peer = Peer::start([
        Act::Answer(answer("400 Bad Request", "", error)),
        Act::Answer(accepted("wamid.A")),
        Act::Close,
    ])
    .await;
    let client = client(&peer.base_url);
    client
        .send(SendCall {
            message: &message(),
            token: &Secret::new(TOKEN),
            app_secret: None,
            opaque: OPAQUE,
            timeout: Duration::from_secs(30),
            used: &Mutex::default(),
        })
        .await;
    send(&client).await;
    send(&client).await;
    assert_eq!(peer.requests().len(), 3);
    assert!(!log.lines().is_empty(), "the libraries below are heard");
    for line in log.lines() {
        for hidden in ["canary", "9111111111", "Hello"] {
            assert!(!line.contains(hidden), "{line}");
        }
    }
}
