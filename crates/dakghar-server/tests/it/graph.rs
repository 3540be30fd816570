//! Messages in Meta's own form: Meta's answers and errors, and ids that stand for a message until Meta has given it one.

mod keys;
mod named;
mod passed;
mod unconfirmed;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Method;
use dakghar_core::domain::message::{Message, Receipt, SendOutcome};
use dakghar_core::domain::{GraphRefusal, Wamid};
use dakghar_core::ports::{Clock as _, MessagesApi, NumberCallFailure, SendCall};
use dakghar_server::worker::run_sender;
use dakghar_testkit::memory::MemoryStore;
use dakghar_testkit::samples;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::harness::{ADMIN_KEY, Answer, Service, Setup, TestTenant, request, with_key};

const NUMBER: &str = "111111111111111";
const PATIENCE: Duration = Duration::from_secs(20);

/// Meta, which answers as it is told, and takes everything when it is told nothing.
#[derive(Default)]
struct Graph {
    outcomes: Mutex<VecDeque<SendOutcome>>,
    seen: Mutex<Vec<Message>>,
}

#[async_trait]
impl MessagesApi for Graph {
    async fn send(&self, call: SendCall<'_>) -> SendOutcome {
        let mut seen = self.seen.lock();
        seen.push(call.message.clone());
        let wamid = Wamid::parse(&format!("wamid.META{}", seen.len())).expect("a wamid");
        self.outcomes.lock().pop_front().unwrap_or(SendOutcome::Accepted {
            wamid,
            known_as: Vec::new(),
            receipt: Receipt::default(),
        })
    }
}

/// A service, Meta behind it, and a tenant.
struct World {
    service: Service,
    graph: Arc<Graph>,
    setup: Setup,
    tenant: TestTenant,
}

impl World {
    async fn new(wait: Duration) -> Self {
        Self::with(wait, Setup::default()).await
    }

    async fn with(wait: Duration, mut setup: Setup) -> Self {
        let graph = Arc::new(Graph::default());
        setup.graph = Some(graph.clone());
        setup.http.graph_wait = wait;
        let mut service = Service::start(setup.clone());
        service.key = setup.http.admin_api_key.as_ref().map(|_| ADMIN_KEY.to_owned());
        let tenant = service.register("Tenant A", NUMBER).await;
        Self {
            service,
            graph,
            setup,
            tenant,
        }
    }

    /// One that sends what it accepts.
    async fn at_work() -> Self {
        let world = Self::new(PATIENCE).await;
        world.work();
        world
    }

    fn work(&self) {
        work(&self.service);
    }

    async fn post(&self, path: &str, body: &Value, headers: &[(&'static str, &str)]) -> Answer {
        let mut request = with_key(request(Method::POST, path, Some(body)), Some(&self.tenant.key));
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("printable"));
        }
        self.service.call_raw(request).await
    }

    async fn send(&self, body: &Value) -> Answer {
        self.post(&messages(NUMBER), body, &[]).await
    }

    async fn queue(&self, body: &Value) -> String {
        let answer = self
            .post(&messages(NUMBER), body, &[("x-dakghar-answer", "queue")])
            .await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        assert_eq!(answer.header("x-dakghar-answer"), Some("queue"));
        id_of(&answer)
    }

    async fn message(&self, id: &str) -> Value {
        let path = format!("/tenants/{}/messages/{id}", self.tenant.id);
        self.service.get(&path).await.json
    }

    async fn until_status(&self, id: &str, status: &str) -> Value {
        let found = async {
            loop {
                let message = self.message(id).await;
                if message["status"] == status {
                    return message;
                }
                self.service.clock.advance(Duration::from_millis(100));
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, found)
            .await
            .unwrap_or_else(|_| panic!("{id} is not {status}"))
    }
}

fn work(service: &Service) {
    let app = &service.app;
    let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
    tokio::spawn(run_sender(app.sending.clone(), app.holding.clone(), tasks, stopping));
    let clock = service.clock.clone();
    tokio::spawn(async move {
        // The time of the pace goes on.
        loop {
            clock.advance(Duration::from_millis(20));
            sleep(Duration::from_millis(5)).await;
        }
    });
}

fn messages(number: &str) -> String {
    format!("/v25.0/{number}/messages")
}

fn hello(to: &str) -> Value {
    json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": to, "type": "text",
        "text": {"body": "hello"}})
}

fn id_of(answer: &Answer) -> String {
    let id = answer.json["messages"][0]["id"].as_str();
    id.unwrap_or_else(|| panic!("an id: {}", answer.text)).to_owned()
}

/// The status, and the code of Meta's of an error.
fn refused(answer: &Answer) -> (u16, i64) {
    let code = answer.json["error"]["code"].as_i64();
    (
        answer.status.as_u16(),
        code.unwrap_or_else(|| panic!("an error: {}", answer.text)),
    )
}

fn refusal(code: i64, http_status: u16) -> GraphRefusal {
    GraphRefusal {
        http_status,
        code,
        subcode: Some(2_494_010),
        message: format!("(#{code}) Message undeliverable").into(),
        details: Some("not on WhatsApp".into()),
        is_transient: None,
        retry_after: None,
        fbtrace_id: Some("AbC".into()),
    }
}

#[tokio::test]
async fn a_message_is_answered_with_metas_own_id_through_the_queue() {
    let world = World::at_work().await;
    let answer = world.send(&hello("+91 91111-11111")).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    assert_eq!(
        answer.json,
        json!({"messaging_product": "whatsapp",
            "contacts": [{"input": "+91 91111-11111", "wa_id": "919111111111"}],
            "messages": [{"id": "wamid.META1"}]})
    );
    assert_eq!(answer.header("x-dakghar-answer"), Some("wait"));
    let id = answer.header("x-dakghar-message-id").expect("ours").to_owned();
    let stored = world.message(&id).await;
    assert_eq!(
        (&stored["wamid"], &stored["status"]),
        (&json!("wamid.META1"), &json!("sent"))
    );
    // Both ids of ours name it.
    assert_eq!(world.message(&format!("wamid.dakghar.{id}")).await["id"], json!(id));
    assert!(
        world.service.app.outcomes.look_wait().is_none(),
        "nobody waits any more"
    );
}

#[tokio::test]
async fn what_meta_refuses_for_good_is_metas_own_error() {
    let world = World::at_work().await;
    let said = SendOutcome::Refused(refusal(131_026, 400));
    world.graph.outcomes.lock().push_back(said);
    let answer = world.send(&hello("+919111111111")).await;
    assert_eq!(answer.status.as_u16(), 400);
    assert_eq!(
        answer.json,
        json!({"error": {"message": "(#131026) Message undeliverable", "type": "OAuthException", "code": 131_026,
            "error_subcode": 2_494_010, "fbtrace_id": "AbC",
            "error_data": {"messaging_product": "whatsapp", "details": "not on WhatsApp"}}})
    );
    let id = answer.header("x-dakghar-message-id").expect("ours").to_owned();
    assert_eq!(world.message(&id).await["status"], "failed");
}

#[tokio::test]
async fn what_nobody_knows_is_a_success_under_the_gateway_id_and_never_an_error() {
    let world = World::at_work().await;
    let unknown = SendOutcome::Unknown {
        why: "no answer in time".into(),
    };
    // Held until the tenant gives another token; then it is sent.
    let token = SendOutcome::Refused(refusal(190, 401));
    for (outcome, status) in [(unknown, "in_doubt"), (token, "held")] {
        world.graph.outcomes.lock().push_back(outcome);
        let answer = world.send(&hello("+919111111111")).await;
        assert_eq!(answer.status.as_u16(), 200, "{status}: {}", answer.text);
        let id = id_of(&answer);
        assert_eq!(
            id,
            format!("wamid.dakghar.{}", answer.header("x-dakghar-message-id").expect("ours"))
        );
        assert_eq!(answer.header("x-dakghar-answer"), Some("queue"));
        assert_eq!(world.message(&id).await["status"], status);
    }
}

#[tokio::test]
async fn a_wait_that_ends_is_a_success_and_the_message_goes_its_way() {
    let world = World::new(Duration::from_millis(50)).await;
    let answer = world.send(&hello("+919111111111")).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let id = id_of(&answer);
    assert_eq!(world.message(&id).await["status"], "queued");
    world.work();
    assert_eq!(world.until_status(&id, "sent").await["wamid"], "wamid.META1");
    // A refusal that leads to another attempt is none that the client is told.
    world
        .graph
        .outcomes
        .lock()
        .push_back(SendOutcome::Refused(refusal(131_000, 500)));
    let retried = world.send(&hello("+919111111111")).await;
    assert_eq!(
        (retried.status.as_u16(), id_of(&retried).starts_with("wamid.dakghar.")),
        (200, true)
    );
}

#[tokio::test]
async fn who_need_not_wait_is_answered_at_once() {
    let world = World::new(Duration::from_secs(3600)).await;
    let id = world.queue(&hello("+919111111111")).await;
    assert!(id.starts_with("wamid.dakghar.msg_"), "{id}");
    let path = format!("/tenants/{}/pause", world.tenant.id);
    world.service.call(request(Method::POST, &path, None)).await;
    let paused = timeout(PATIENCE, world.send(&hello("+919111111111")))
        .await
        .expect("at once");
    assert_eq!(world.message(&id_of(&paused)).await["status"], "held");
    let (path, body) = (messages(NUMBER), hello("+919111111111"));
    let wrong = world.post(&path, &body, &[("x-dakghar-answer", "soon")]).await;
    assert_eq!(refused(&wrong), (400, 100));
}

#[tokio::test]
async fn a_client_that_leaves_changes_nothing() {
    let world = World::new(PATIENCE).await;
    let body = hello("+919111111111");
    let leaving = timeout(Duration::from_millis(200), world.send(&body)).await;
    assert!(leaving.is_err(), "it waited");
    assert!(world.service.app.outcomes.look_wait().is_none(), "its place is free");
    world.work();
    let list = world
        .service
        .get(&format!("/tenants/{}/messages", world.tenant.id))
        .await;
    let id = list.json["data"][0]["id"].as_str().expect("a message").to_owned();
    world.until_status(&id, "sent").await;
    assert_eq!(world.graph.seen.lock().len(), 1);
}

#[tokio::test]
async fn what_another_process_records_is_found_by_one_look() {
    let store = MemoryStore::new();
    let setup = || Setup {
        beside: Some((store.clone(), store.clone())),
        ..Setup::default()
    };
    let world = World::with(PATIENCE, setup()).await;
    let elsewhere = Service::start(Setup {
        graph: Some(world.graph.clone()),
        ..setup()
    });
    work(&elsewhere);
    let body = hello("+919111111111");
    let sending = world.send(&body);
    let helping = async {
        loop {
            // The time of the next look comes as that of the pace does, and the queue is filled from the store.
            world.service.clock.set(elsewhere.clock.now());
            elsewhere.app.reconciling.refill_queue().await.expect("no outage");
            sleep(Duration::from_millis(5)).await;
        }
    };
    let answer = tokio::select! {
        answer = sending => answer,
        () = helping => unreachable!("it does not end"),
    };
    assert_eq!(id_of(&answer), "wamid.META1");
}

#[tokio::test]
async fn a_key_for_repetitions_is_honoured() {
    let world = World::at_work().await;
    let key = [("idempotency-key", "order-1")];
    let first = world.post(&messages(NUMBER), &hello("+919111111111"), &key).await;
    let again = world.post(&messages(NUMBER), &hello("+919111111111"), &key).await;
    let replayed = |answer: &Answer| answer.header("idempotency-replayed").map(str::to_owned);
    assert_eq!((replayed(&first), replayed(&again).as_deref()), (None, Some("true")));
    assert_eq!(
        (id_of(&first), id_of(&again)),
        ("wamid.META1".into(), "wamid.META1".into())
    );
    let other = world.post(&messages(NUMBER), &hello("+919222222222"), &key).await;
    assert_eq!(refused(&other), (400, 100));
    assert_eq!(other.header("x-dakghar-code"), Some("idempotency_key_conflict"));
    assert_eq!(world.graph.seen.lock().len(), 1);
}

#[tokio::test]
async fn what_a_person_does_not_want_is_refused_with_metas_codes_for_that() {
    let world = World::at_work().await;
    let below = |what: &str| format!("/tenants/{}/{what}", world.tenant.id);
    let closed = json!({"to": "+919111111111", "type": "text", "text": {"body": "hello"}, "requireOpenWindow": true});
    let refusal = world.send(&closed).await;
    assert_eq!(refused(&refusal), (400, 131_047), "{}", refusal.text);
    assert_eq!(refusal.header("x-dakghar-code"), Some("window_closed"));
    let rules = json!({"optOuts": {"enforce": "all"}});
    assert_eq!(
        world.service.put(&below("sending-rules"), &rules).await.status.as_u16(),
        200
    );
    let opt_out = json!({"person": "+919111111111", "scope": "all"});
    assert_eq!(
        world.service.put(&below("opt-outs"), &opt_out).await.status.as_u16(),
        200
    );
    let refusal = world.send(&hello("+919111111111")).await;
    assert_eq!(refused(&refusal), (400, 131_050), "{}", refusal.text);
    assert_eq!(refusal.header("x-dakghar-code"), Some("opted_out"));
    assert_eq!(refusal.json["error"]["is_transient"], json!(false));
    assert!(world.graph.seen.lock().is_empty());
}

#[tokio::test]
async fn templates_go_to_the_endpoint_for_marketing_and_nothing_else_does() {
    let world = World::at_work().await;
    let path = format!("/v25.0/{NUMBER}/marketing_messages");
    assert_eq!(
        refused(&world.post(&path, &hello("+919111111111"), &[]).await),
        (400, 131_009)
    );
    let template = |more: Value| {
        let mut body = json!({"messaging_product": "whatsapp", "to": "+919111111111", "type": "template",
            "template": {"name": "sale", "language": {"code": "en"}}});
        let members = body.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        body
    };
    for (more, expected) in [
        (json!({}), r#"{"product_policy":"CLOUD_API_FALLBACK"}"#),
        (json!({"product_policy": "STRICT"}), r#"{"product_policy":"STRICT"}"#),
        (
            json!({"ttl_seconds": 60}),
            r#"{"product_policy":"CLOUD_API_FALLBACK","ttl_seconds":60}"#,
        ),
    ] {
        let answer = world.post(&path, &template(more), &[]).await;
        assert_eq!(
            answer.json["messages"][0]["message_status"], "accepted",
            "{}",
            answer.text
        );
        let seen = world.graph.seen.lock().last().cloned().expect("a call");
        assert_eq!(seen.accepted.content.envelope.as_deref(), Some(expected));
    }
    // The same key at the two endpoints is not the same request.
    let key = [("idempotency-key", "sale-1")];
    world.post(&path, &template(json!({})), &key).await;
    let plain = world.post(&messages(NUMBER), &template(json!({})), &key).await;
    assert_eq!(plain.header("x-dakghar-code"), Some("idempotency_key_conflict"));
}

#[tokio::test]
async fn read_marks_go_to_meta_at_once_also_by_our_own_ids() {
    let world = World::new(PATIENCE).await;
    let received = samples::inbound(samples::tenant_id(), "wamid.received");
    let received = world.service.store_message(&world.tenant, received).await;
    let mark = |id: &str| json!({"messaging_product": "whatsapp", "status": "read", "message_id": id});
    for id in ["wamid.x".to_owned(), format!("wamid.dakghar.{received}")] {
        let answer = world.send(&mark(&id)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text.as_str()),
            (200, r#"{"success":true}"#),
            "{id}"
        );
    }
    let asked = world.setup.numbers.asked();
    assert!(
        asked[0].contains("wamid.x") && asked[1].contains("wamid.received"),
        "{asked:?}"
    );
    let sent = world.queue(&hello("+919111111111")).await;
    assert_eq!(refused(&world.send(&mark(&sent)).await), (400, 131_009));
    let nothing = "wamid.dakghar.msg_00000000000000000000000009";
    assert_eq!(refused(&world.send(&mark(nothing)).await), (400, 100));
    world
        .setup
        .numbers
        .fail(NumberCallFailure::Refused(refusal(131_009, 400)));
    let refusal = world.send(&mark("wamid.x")).await;
    assert_eq!(refused(&refusal), (400, 131_009));
    assert_eq!(refusal.json["error"]["error_data"]["details"], "not on WhatsApp");
    world
        .setup
        .numbers
        .fail(NumberCallFailure::NoAnswer("no answer".into()));
    assert_eq!(refused(&world.send(&mark("wamid.x")).await), (503, 2));
}
