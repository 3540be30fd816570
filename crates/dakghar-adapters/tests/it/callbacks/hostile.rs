//! Receivers that answer too much, too slowly, or something else.

use super::*;

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let private = Receiver::start([]).await;
        let outcome = outcome_of(Reply::redirect(status, &private.url())).await;
        assert_eq!(outcome, answered(status));
        let outcome = outcome_of(Reply::redirect(status, "http://169.254.169.254/latest/meta-data/")).await;
        assert_eq!(outcome, answered(status));
        assert_eq!(private.connections(), 0);
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_and_its_connection_closed() {
    let receiver = Receiver::start([Reply::endless_body(200), Reply::endless_body(500)]).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    assert_eq!(outcome(&receivers, &receiver.url()).await, answered(200));
    let CallbackOutcome::Answered {
        status, failure_body, ..
    } = outcome(&receivers, &receiver.url()).await
    else {
        panic!("no answer");
    };
    assert_eq!((status, failure_body), (500, Some("x".repeat(1_024))));
    assert_eq!(receiver.connections(), 2);
}

/// A call has one time for everything, whatever the receiver does meanwhile.
#[tokio::test]
async fn who_answers_byte_by_byte_or_never_is_left_at_the_end_of_the_time() {
    let pause = Duration::from_millis(20);
    let slow_body = b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n".to_vec();
    for reply in [
        Reply::Silence,
        Reply::Slow(vec![b'H'; 10_000], pause),
        Reply::Slow([slow_body, vec![b'x'; 10_000]].concat(), Duration::from_millis(5)),
        Reply::Endless(Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
    ] {
        let receiver = Receiver::start([reply.clone()]).await;
        let receivers = receivers(development(), &Names::leading_to(&[]));
        let call = CallbackCall {
            timeout: Duration::from_millis(800),
            ..call(&receiver.url())
        };
        let answer = post(&receivers, call).await;
        assert_eq!(answer.outcome, failed(CallbackFailure::Timeout), "{reply:?}");
        assert!(answer.took >= Duration::from_millis(800), "{answer:?}");
        assert_eq!(receiver.requests().len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_decompressed() {
    let CallbackOutcome::Answered { failure_body, .. } = outcome_of(Reply::gzip_bomb(500)).await else {
        panic!("no answer");
    };
    let failure_body = failure_body.unwrap();
    assert!(failure_body.starts_with("\u{1f}\u{fffd}\u{8}"), "{failure_body:?}");
    assert_eq!(outcome_of(Reply::gzip_bomb(200)).await, answered(200));
}

#[tokio::test]
async fn headers_beyond_their_limits_are_a_failure() {
    let too_much = failed(CallbackFailure::Protocol);
    assert_eq!(outcome_of(Reply::many_headers(90)).await, answered(200));
    assert_eq!(outcome_of(Reply::many_headers(101)).await, too_much);
    assert_eq!(outcome_of(Reply::many_headers(100_000)).await, too_much);
    assert_eq!(outcome_of(Reply::large_header(15 * 1024)).await, answered(200));
    assert_eq!(outcome_of(Reply::large_header(16 * 1024)).await, too_much);
    assert_eq!(outcome_of(Reply::large_header(1024 * 1024)).await, too_much);
}

#[tokio::test]
async fn a_broken_answer_is_a_failure() {
    let bytes = |text: &str| Reply::BytesThenClose(text.as_bytes().to_vec());
    for reply in [
        Reply::Close,
        Reply::broken_off(200),
        Reply::broken_off(500),
        bytes("SSH-2.0-OpenSSH_9.2\r\n"),
        bytes("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
        bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
    ] {
        assert_eq!(
            outcome_of(reply.clone()).await,
            failed(CallbackFailure::Protocol),
            "{reply:?}"
        );
    }
}

/// The second answer is no answer to the next call, whoever makes it.
#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_not_taken_for_the_next() {
    let (first, stray) = (Reply::status(200), Reply::status(500));
    let (Reply::Bytes(first), Reply::Bytes(stray)) = (first, stray) else {
        unreachable!()
    };
    let receiver = Receiver::start([Reply::Bytes([first, stray].concat())]).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    assert_eq!(outcome(&receivers, &receiver.url()).await, answered(200));
    assert_eq!(outcome(&receivers, &receiver.url()).await, answered(200));
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn nobody_there_is_a_failure_to_connect() {
    let receiver = Receiver::start([]).await;
    let url = receiver.url();
    let port = dakghar_testkit::Port::claim();
    let receivers = receivers(development(), &Names::leading_to(&[&["127.0.0.1"]]));
    for host in ["127.0.0.1", "receiver.localhost"] {
        let outcome = outcome(&receivers, &format!("http://{host}:{port}/")).await;
        assert_eq!(outcome, failed(CallbackFailure::Connect), "{host}");
    }
    assert_eq!(outcome(&receivers, &url).await, answered(200));
}
