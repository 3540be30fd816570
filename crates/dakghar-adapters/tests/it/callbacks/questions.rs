//! Questions to receivers, which are guarded as calls are.

use dakghar_core::ports::{ReceiverQuery, ReceiverText};

use super::*;

fn query(url: &str) -> ReceiverQuery {
    ReceiverQuery {
        url: call(url).url,
        pairs: vec![
            ("hub.mode", Secret::new("subscribe")),
            ("hub.verify_token", Secret::new("a b&c=\u{995}")),
        ],
        timeout: PATIENCE,
    }
}

async fn answer_to(reply: Reply) -> Result<ReceiverText, CallbackFailure> {
    let receiver = Receiver::start([reply]).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    let answer = receivers.get(query(&receiver.url())).await;
    assert_eq!(receiver.requests().len(), 1);
    answer
}

fn text(status: u16, text: &str) -> ReceiverText {
    ReceiverText {
        status,
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn it_is_a_get_with_the_pairs_behind_the_query_of_the_url() {
    let receiver = Receiver::start([Reply::answer(200, "", b"said")]).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    let answer = receivers.get(query(&format!("{}?shop=7", receiver.url()))).await;
    assert_eq!(answer, Ok(text(200, "said")));
    let [request] = &receiver.requests()[..] else {
        panic!("one request")
    };
    let line = request.head.lines().next();
    let expected = "GET /hook?shop=7&hub.mode=subscribe&hub.verify_token=a+b%26c%3D%E0%A6%95 HTTP/1.1";
    assert_eq!((line, &*request.body), (Some(expected), &b""[..]));
}

#[tokio::test]
async fn a_redirect_of_a_question_is_not_followed() {
    let private = Receiver::start([]).await;
    for status in [301, 302, 303, 307, 308] {
        for target in [&*private.url(), "http://169.254.169.254/latest/meta-data/"] {
            assert_eq!(answer_to(Reply::redirect(status, target)).await, Ok(text(status, "")));
        }
    }
    assert_eq!(private.connections(), 0);
}

#[tokio::test]
async fn a_forbidden_address_is_not_asked() {
    let receiver = Receiver::start([]).await;
    let rules = CallbackRules {
        allows_http: true,
        ports: vec![receiver.port()],
        ..CallbackRules::default()
    };
    // The name is public when the URL is saved; the literal ones are those of other settings.
    let receivers = receivers(rules, &Names::leading_to(&[&["127.0.0.1"]]));
    for host in [
        "rebound.example",
        "127.0.0.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ] {
        let answer = receivers
            .get(query(&format!("http://{host}:{}/", receiver.port())))
            .await;
        assert_eq!(answer, Err(CallbackFailure::Blocked), "{host}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn an_answer_to_a_question_has_bounds() {
    let answer = answer_to(Reply::endless_body(200)).await;
    assert_eq!(answer, Ok(text(200, &"x".repeat(1_024))));
    assert_eq!(
        answer_to(Reply::large_header(16 * 1024)).await,
        Err(CallbackFailure::Protocol)
    );
    assert_eq!(answer_to(Reply::Close).await, Err(CallbackFailure::Protocol));
    let receiver = Receiver::start([Reply::Silence]).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    let query = ReceiverQuery {
        timeout: Duration::from_millis(500),
        ..query(&receiver.url())
    };
    assert_eq!(receivers.get(query).await, Err(CallbackFailure::Timeout));
}
