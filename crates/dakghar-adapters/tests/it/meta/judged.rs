//! Dakghar and the simulated Meta judge messages alike, each by its own lists.

use std::time::Duration;

use dakghar_core::domain::message::{Message, SendOutcome};
use dakghar_core::domain::send_request::{self, SendRequest};
use dakghar_core::domain::{Problem, Timestamp};
use dakghar_graph_sim::{GraphSim, SimConfig};
use dakghar_testkit::judged::bodies;
use dakghar_testkit::samples::{self, With as _};

use super::{OPAQUE, client, send_as};

/// 2026-11-22T10:00:00Z
const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);

fn parse(body: &str) -> Result<SendRequest, Problem> {
    send_request::parse(body.as_bytes(), &[], NOW, &|_| None)
}

fn message(request: SendRequest) -> Message {
    samples::outbound(samples::tenant_id()).with(|message| {
        message.accepted.peer = Some(request.to.text);
        message.accepted.peer_id = Some(request.to.id);
        message.accepted.content = request.content;
    })
}

#[tokio::test]
async fn what_is_refused_here_meta_would_refuse_and_what_is_accepted_it_takes() {
    let sim = GraphSim::start(SimConfig::default()).await.unwrap();
    let client = client(&format!("http://{}", sim.addr()));
    let send = async |request| send_as(&client, &message(request), OPAQUE, Duration::from_secs(5)).await;
    for judged in bodies() {
        let body = format!(r#"{{"to":"+919111111111",{}}}"#, judged.body);
        let Some((pointer, code)) = judged.refused else {
            let request = parse(&body).unwrap_or_else(|problem| panic!("{body}\n{problem:?}"));
            let outcome = send(request).await;
            assert!(matches!(outcome, SendOutcome::Accepted { .. }), "{body}\n{outcome:?}");
            continue;
        };
        let problem = parse(&body).expect_err(&body);
        assert_eq!(problem.errors[0].pointer, pointer, "{body}\n{problem:?}");
        // As raw it goes to Meta in spite of our checks.
        let raw = parse(&format!(r#"{{"raw":{body}}}"#)).unwrap_or_else(|problem| panic!("{body}\n{problem:?}"));
        match send(raw).await {
            SendOutcome::Refused(refusal) => assert_eq!(refusal.code, code, "{body}\n{refusal:?}"),
            other => panic!("{body}\n{other:?}"),
        }
    }
}
