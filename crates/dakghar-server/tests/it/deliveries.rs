//! What became of the deliveries to an endpoint, over HTTP: how far it is, its exceptions, the attempts.

use dakghar_core::domain::callback::{Advance, CallbackException, CallbackProgress, ExceptionState, TRIED_FOR};
use dakghar_core::domain::{EndpointId, Place, TenantId};
use dakghar_core::ports::{CallbackStore as _, EventStore as _, Saved};
use dakghar_testkit::samples;
use serde_json::{Value, json};

use crate::harness::{Service, TestTenant};

struct Story {
    service: Service,
    tenant: TestTenant,
    tenant_id: TenantId,
    endpoint_id: EndpointId,
    path: String,
}

impl Story {
    async fn new() -> Self {
        let service = Service::open();
        let tenant = service.register("Tenant A", "111111111111111").await;
        let all = format!("/tenants/{}/endpoints", tenant.id);
        let made = service.post(&all, &json!({"url": "https://example.com/hook"})).await;
        let id = made.json["endpointId"].as_str().expect("an id");
        Self {
            tenant_id: TenantId::parse(&tenant.id).expect("an id"),
            endpoint_id: EndpointId::parse(id).expect("an id"),
            path: format!("{all}/{id}"),
            service,
            tenant,
        }
    }

    /// Writes this down, under the version that the progress names.
    async fn advance(&self, change: impl FnOnce(&mut Advance)) {
        let mut advance = Advance {
            progress: samples::callback_progress(self.endpoint_id, self.tenant_id),
            exceptions: Vec::new(),
            over: Vec::new(),
            attempts: None,
        };
        change(&mut advance);
        assert_eq!(self.service.store.advance(&[advance]).await, [Ok(Saved::Done)]);
    }

    fn exception(&self, place: u64, state: ExceptionState) -> CallbackException {
        CallbackException {
            state,
            ..samples::callback_exception_full(self.endpoint_id, self.tenant_id, Place::new(place))
        }
    }

    async fn get(&self, rest: &str) -> Value {
        let answer = self.service.get(&format!("{}{rest}", self.path)).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        answer.json
    }

    /// A field of all items, over as many pages of this length as there are.
    async fn all(&self, list: &str, limit: usize, field: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        for _ in 0..50 {
            let joint = if list.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{list}{joint}limit={limit}{cursor}")).await;
            let data = page["data"].as_array().expect("a list");
            assert!(data.len() <= limit);
            items.extend(data.iter().map(|item| item[field].clone()));
            let Some(next) = page["nextCursor"].as_str() else {
                return items;
            };
            cursor = format!("&cursor={next}");
        }
        panic!("it does not end: {items:?}")
    }
}

#[tokio::test]
async fn an_endpoint_shows_how_far_it_is() {
    let story = Story::new().await;
    let nothing = json!({
        "place": "0", "behind": 0, "delivered": 0, "failed": 0, "expired": 0, "openExceptions": 0, "dead": 0,
        "waiting": 0,
        "deliveredAt": null, "failedAt": null, "failuresInARow": 0, "notBefore": null, "breaker": null,
    });
    assert_eq!(story.get("").await["progress"], nothing);
    let events = [(); 5].map(|()| samples::event(story.tenant_id));
    story.service.store.record(&events).await.expect("recorded");
    let full = samples::callback_progress_full(story.endpoint_id, story.tenant_id);
    let progress = CallbackProgress {
        after: Place::new(3),
        ..full.clone()
    };
    let dead = story.exception(1, ExceptionState::Dead);
    let open = [2, 3].map(|place| story.exception(place, ExceptionState::Behind));
    story
        .advance(|advance| {
            advance.progress = progress;
            advance.exceptions.push(dead);
            advance.exceptions.extend(open);
        })
        .await;
    let breaker = full.breaker.open.expect("it is open");
    let waiting: u64 = full.waiting.iter().map(|line| line.entries).sum();
    let expected = json!({
        "place": "3", "behind": 2, "delivered": 70, "failed": 15, "expired": 2, "dead": 1,
        "openExceptions": 2 + waiting, "waiting": waiting,
        "deliveredAt": full.delivered_at.expect("set").to_string(), "failedAt": full.failed_at.expect("set").to_string(),
        "failuresInARow": 12, "notBefore": full.not_before.expect("set").to_string(),
        "breaker": {
            "openSince": breaker.since.to_string(), "nextProbeAt": breaker.probe_at.to_string(), "probes": 3,
        },
    });
    assert_eq!(story.get("").await["progress"], expected);
}

#[tokio::test]
async fn exceptions_are_listed_by_state_in_the_order_of_the_feed() {
    let story = Story::new().await;
    let retrying = story.exception(4, ExceptionState::Retrying(samples::at(7) + TRIED_FOR));
    let states = [
        (2, ExceptionState::Behind),
        (9, ExceptionState::Dead),
        (11, ExceptionState::Dead),
        (300, ExceptionState::Behind),
    ];
    let mut all = states.map(|(place, state)| story.exception(place, state)).to_vec();
    all.push(retrying.clone());
    story.advance(|advance| advance.exceptions = all).await;
    for limit in [1, 2, 50] {
        assert_eq!(story.all("/exceptions", limit, "place").await, ["2", "4", "300"]);
        assert_eq!(story.all("/exceptions?state=dead", limit, "place").await, ["9", "11"]);
    }
    let page = story.get("/exceptions?state=open").await;
    let (entry, last) = (&retrying.placed.entry, retrying.last.expect("an attempt"));
    let expected = json!({
        "eventId": entry.id().to_string(), "place": "4", "kind": entry.kind.as_str(), "at": entry.at.to_string(),
        "conversationId": retrying.conversation_id.map(|id| id.to_string()), "state": "retrying", "attempts": 5,
        "since": retrying.since.to_string(), "nextAt": retrying.state.next_at().map(|at| at.to_string()),
        "last": {
            "at": last.at.to_string(), "ms": 30_001, "status": 503, "failure": null, "answer": last.answer,
        },
        "isReplay": true,
    });
    assert_eq!(page["data"][1], expected);
    let refused = story.service.get(&format!("{}/exceptions?state=all", story.path)).await;
    assert_eq!(refused.outcome(), (400, "invalid_filter"));
    // A cursor belongs to its list.
    let page = story.get("/exceptions?limit=1").await;
    let cursor = page["nextCursor"].as_str().expect("a cursor");
    let path = format!("{}/exceptions?state=dead&cursor={cursor}", story.path);
    assert_eq!(story.service.get(&path).await.outcome(), (400, "invalid_cursor"));
}

#[tokio::test]
async fn attempts_are_listed_the_latest_first() {
    let story = Story::new().await;
    for (version, count) in [(0, 3), (1, 1), (2, 4)] {
        let log = samples::attempt_log(story.endpoint_id, story.tenant_id, count);
        story
            .advance(|advance| {
                advance.progress.version = version;
                advance.attempts = Some(log);
            })
            .await;
    }
    let places = ["4", "3", "2", "1", "1", "3", "2", "1"];
    for limit in [1, 2, 3, 5, 50] {
        assert_eq!(story.all("/attempts", limit, "place").await, places, "{limit}");
    }
    let page = story.get("/attempts").await;
    let (failed, taken) = (&page["data"][0], &page["data"][1]);
    assert_eq!(
        [
            &failed["delivered"],
            &failed["status"],
            &failed["failure"],
            &failed["answer"],
            &failed["ms"]
        ],
        [
            &json!(false),
            &Value::Null,
            &json!("timeout"),
            &json!("answer 4"),
            &json!(4)
        ]
    );
    assert_eq!(
        [
            &taken["delivered"],
            &taken["status"],
            &taken["failure"],
            &taken["answer"],
            &taken["isReplay"]
        ],
        [&json!(true), &json!(204), &Value::Null, &Value::Null, &json!(true)]
    );
    assert_eq!(
        (&taken["attempt"], taken["kind"].as_str()),
        (&json!(3), failed["kind"].as_str())
    );
}

#[tokio::test]
async fn the_deliveries_of_an_endpoint_are_its_own_tenants() {
    let story = Story::new().await;
    let dead = story.exception(1, ExceptionState::Dead);
    story.advance(|advance| advance.exceptions.push(dead)).await;
    let other = story.service.register("Tenant B", "222222222222222").await;
    for list in ["exceptions?state=dead", "attempts"] {
        let path = format!("{}/{list}", story.path.replace(&story.tenant.id, &other.id));
        assert_eq!(story.service.get(&path).await.outcome(), (404, "endpoint_not_found"));
    }
}
