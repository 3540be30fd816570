use std::time::Duration;

use dakghar_core::domain::graph_error::GraphRefusal;
use dakghar_core::domain::ids::WaId;
use dakghar_testkit::clock::START;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName};

use super::*;

fn judge_bytes(status: StatusCode, headers: HeaderMap, body: &[u8]) -> SendOutcome {
    let answer = GraphAnswer {
        status,
        headers,
        body: body.to_vec(),
    };
    judge(&answer, START)
}

fn judged(status: u16, headers: &[(&str, &str)], body: &str) -> SendOutcome {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    judge_bytes(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes())
}

fn refused(status: u16, headers: &[(&str, &str)], body: &str) -> GraphRefusal {
    match judged(status, headers, body) {
        SendOutcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_success_with_a_message_id_is_an_acceptance() {
    for (body, known_as) in [
        (
            r#"{"messaging_product":"whatsapp","contacts":[{"input":"+1","wa_id":"1"}],"messages":[{"id":"wamid.A"}]}"#,
            &["1"][..],
        ),
        (
            r#"{"contacts":[{"input":"US.1","wa_id":"+1","user_id":"US.1"}],"messages":[{"id":"wamid.A"}]}"#,
            &["1", "US.1"],
        ),
        (
            r#"{"messages":[{"id":"wamid.A","message_status":"held_for_quality_assessment"}]}"#,
            &[],
        ),
        (r#"{"messages":{"id":"wamid.A"},"new":[{"deep":{}}]}"#, &[]),
        (r#" {"messages" : [ {"id":"wamid.A"}, {"id":"wamid.B"} ] } "#, &[]),
        (
            r#"{"contacts":[{"wa_id":"1"},{"wa_id":"2"}],"messages":[{"id":"wamid.A"}]}"#,
            &[],
        ),
        (r#"{"contacts":[{"wa_id":""}],"messages":[{"id":"wamid.A"}]}"#, &[]),
    ] {
        let wamid = Wamid::parse("wamid.A").unwrap();
        let ids: Vec<WaId> = known_as.iter().map(|id| WaId::parse(id).unwrap()).collect();
        match judged(200, &[], body) {
            SendOutcome::Accepted {
                wamid: given, known_as, ..
            } => assert_eq!((given, known_as), (wamid, ids), "{body}"),
            other => panic!("{body}\n{other:?}"),
        }
    }
}

#[test]
fn anything_else_leaves_the_outcome_unknown() {
    let long = format!(r#"{{"messages":[{{"id":"wamid.{}"}}]}}"#, "x".repeat(251));
    for (status, body) in [
        (200, ""),
        (200, "OK"),
        (200, "{"),
        (200, "[]"),
        (200, "{}"),
        (200, r#"{"messages":[]}"#),
        (200, r#"{"messages":"wamid.A"}"#),
        (200, r#"{"messages":[{"id":null}]}"#),
        (200, r#"{"messages":[{"id":""}]}"#),
        (200, r#"{"messages":[{"id":"with space"}]}"#),
        (200, r#"{"messages":[{"id":"wamid.A"}]"#),
        (200, r#"{"success":true}"#),
        (200, &long),
        (201, "<html>"),
        (302, ""),
        (408, "<html><body>Request Timeout</body></html>"),
        (499, ""),
        (503, "<html><body>Service Unavailable</body></html>"),
        (504, "<html><body>Gateway Timeout</body></html>"),
        (500, r#"{"messages":[{"id":"wamid.A"}]}"#),
        (502, "<html><body>Bad Gateway</body></html>"),
        (500, r#"{"error":"internal"}"#),
        (500, r#"{"error":null}"#),
        (500, r#"{"error":{"message":"no code"}}"#),
    ] {
        let outcome = judged(status, &[], body);
        let SendOutcome::Unknown { why } = outcome else {
            panic!("{status} {body}: {outcome:?}");
        };
        assert!(why.len() < 80, "{why}");
    }
}

#[test]
fn a_refusal_of_something_in_between_is_no_doubt() {
    for (status, body) in [
        (400, "<html><body>Bad Request</body></html>"),
        (403, "<html><body>Forbidden</body></html>"),
        (403, r#"{"message":"Forbidden"}"#),
        (404, "Not Found"),
        (407, ""),
        (413, "<html><body>Request Entity Too Large</body></html>"),
        (429, ""),
        (511, "<html><body>Log in to this network</body></html>"),
        (400, r#"{"error":{"message":"no code"}}"#),
        (400, r#"{"error":{"code":"abc"}}"#),
    ] {
        let SendOutcome::TurnedAway { http_status, why } = judged(status, &[], body) else {
            panic!("{status} {body}");
        };
        assert_eq!(http_status, status);
        assert!(why.len() < 80, "{why}");
    }
}

#[test]
fn a_body_that_is_not_utf8_leaves_the_outcome_unknown() {
    let outcome = judge_bytes(StatusCode::OK, HeaderMap::new(), b"{\"messages\":[{\"id\":\"\xff\"}]}");
    assert!(matches!(outcome, SendOutcome::Unknown { .. }));
}

#[test]
fn an_error_of_metas_is_a_refusal_with_everything_in_it() {
    let body = r#"{"error":{"message":"(#130429) Rate limit hit","type":"OAuthException","code":130429,
        "error_data":{"messaging_product":"whatsapp","details":"Throughput reached."},
        "error_subcode":2494055,"is_transient":false,"fbtrace_id":"Az8"}}"#;
    let expected = GraphRefusal {
        http_status: 429,
        code: 130_429,
        subcode: Some(2_494_055),
        message: "(#130429) Rate limit hit".into(),
        details: Some("Throughput reached.".into()),
        is_transient: Some(false),
        retry_after: Some(Duration::from_secs(7)),
        fbtrace_id: Some("Az8".into()),
    };
    assert_eq!(refused(429, &[("retry-after", "7")], body), expected);
}

#[test]
fn a_refusal_counts_in_any_status_and_any_shape() {
    for (status, body, details) in [
        (200, r#"{"error":{"code":100}}"#, None),
        (503, r#"{"error":{"code":"100","message":null}}"#, None),
        (400, r#"{"error":{"code":100,"error_data":"plain"}}"#, Some("plain")),
        (400, r#"{"error":{"code":100,"error_data":""}}"#, None),
        (400, r#"{"error":{"code":100,"error_data":{"details":12}}}"#, Some("12")),
        (400, r#"{"error":{"code":100,"error_data":["odd"]}}"#, None),
        (
            400,
            r#"{"error":{"code":100,"is_transient":"yes","error_subcode":{}}}"#,
            None,
        ),
    ] {
        let refusal = refused(status, &[], body);
        assert_eq!((refusal.code, refusal.http_status), (100, status), "{body}");
        assert_eq!(refusal.details.as_deref(), details, "{body}");
        assert_eq!((refusal.is_transient, refusal.subcode), (None, None), "{body}");
    }
}

#[test]
fn a_trace_id_in_a_header_is_better_than_none() {
    let body = r#"{"error":{"code":2}}"#;
    let headers = [("x-fb-request-id", "req"), ("x-fb-trace-id", "trace")];
    assert_eq!(refused(500, &headers, body).fbtrace_id.as_deref(), Some("trace"));
    assert_eq!(refused(500, &headers[..1], body).fbtrace_id.as_deref(), Some("req"));
    assert_eq!(refused(500, &[], body).fbtrace_id, None);
}

#[test]
fn the_wait_may_be_given_in_seconds_or_as_a_date() {
    let now = ("date", "Sun, 22 Nov 2026 10:00:00 GMT");
    for (asked, expected) in [
        ("0", Some(0)),
        ("120", Some(120)),
        (" 5 ", Some(5)),
        ("Sun, 22 Nov 2026 10:01:30 GMT", Some(90)),
        ("Sun, 22 Nov 2026 09:00:00 GMT", Some(0)),
        ("99999999999", Some(86_400)),
        ("Sun, 22 Nov 2126 10:00:00 GMT", Some(86_400)),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ] {
        let refusal = refused(429, &[now, ("retry-after", asked)], r#"{"error":{"code":4}}"#);
        assert_eq!(refusal.retry_after, expected.map(Duration::from_secs), "{asked}");
    }
}

#[test]
fn a_date_is_judged_by_our_clock_where_the_answer_has_none() {
    // `START` is 10:00:00 on that day.
    let asked = ("retry-after", "Sun, 22 Nov 2026 10:01:30 GMT");
    let refusal = refused(429, &[asked], r#"{"error":{"code":4}}"#);
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(90)));
}

#[test]
fn what_an_acceptance_says_beside_the_id_is_kept_as_far_as_it_is_short() {
    let receipt = |body: &str| match judged(200, &[], body) {
        SendOutcome::Accepted { receipt, .. } => receipt,
        other => panic!("{body}\n{other:?}"),
    };
    let said = receipt(
        r#"{"contacts":[{"input":"+5541987654321","wa_id":"+554187654321","user_id":"BR.1"}],
            "messages":[{"id":"wamid.A","message_status":"held_for_quality_assessment"}]}"#,
    );
    assert_eq!(said.status.as_deref(), Some("held_for_quality_assessment"));
    assert_eq!(
        (said.wa_id.as_deref(), said.user_id.as_deref()),
        (Some("554187654321"), Some("BR.1"))
    );
    let long = "x".repeat(161);
    for body in [
        r#"{"messages":[{"id":"wamid.A"}]}"#.to_owned(),
        format!(r#"{{"messages":[{{"id":"wamid.A","message_status":"{long}"}}]}}"#),
        r#"{"contacts":[{"wa_id":"1"},{"wa_id":"2"}],"messages":[{"id":"wamid.A","message_status":""}]}"#.to_owned(),
    ] {
        assert_eq!(receipt(&body), Receipt::default(), "{body}");
    }
}
