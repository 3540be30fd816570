//! Callbacks through the whole product: what happens reaches the endpoints of its tenant, signed, at least once, and nobody
//! else, whatever is killed.

mod receivers;

use std::collections::{BTreeMap, BTreeSet};

use dakghar_graph_sim::StatusPlan;
use dakghar_testkit::receiver::{ReceivedRequest, Receiver, Reply};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    what_happens_reaches_the_endpoint_of_its_tenant_and_no_other,
    every_event_arrives_under_a_stable_id_whatever_is_killed,
    what_meta_posted_arrives_as_it_was_posted,
    a_paused_endpoint_gets_what_happened_when_it_is_resumed,
    what_was_not_taken_and_every_attempt_can_be_read,
    what_was_delivered_is_delivered_again_whatever_is_killed,
    a_change_of_an_endpoint_counts_for_what_comes_next,
    the_shell_delivers_again_what_failed,
    a_test_shows_what_the_receiver_answers_and_changes_nothing,
    an_endpoint_that_is_made_anew_begins_anew,
);

async fn start(backend: Backend) -> Product {
    Setup::on(backend).statuses(StatusPlan::none()).start().await
}

async fn endpoint(product: &Product, tenant: &Tenant, receiver: &Receiver, more: Value) -> Value {
    let mut body = json!({"url": receiver.url(), "perSecond": 1_000});
    body.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    product.post(&format!("/tenants/{}/endpoints", tenant.id), body).await
}

/// What a person writes to this number.
async fn hears(product: &Product, number: &str, wamid: &str) {
    let body = inbound(number, wamid);
    let posted = product.sim.post_webhook_raw(body.to_string().into_bytes()).await;
    assert_eq!(posted.unwrap(), 200);
}

fn inbound(number: &str, wamid: &str) -> Value {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "900", "time": 1_760_000_000, "changes": [
        {"field": "messages", "value": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "1555", "phone_number_id": number},
            "contacts": [{"wa_id": "919111111111", "profile": {"name": "Asha", "future": [1, 2.50]}}],
            "messages": [{
                "from": "919111111111", "id": wamid, "timestamp": "1760000000", "type": "text",
                "text": {"body": wamid}, "unknown": {"deep": true},
            }],
        }},
    ]}]})
}

fn body(request: &ReceivedRequest) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

async fn until(receiver: &Receiver, count: usize) -> Vec<ReceivedRequest> {
    let came = eventually(async || receiver.requests().len() >= count).await;
    assert!(came, "{} of {count} came", receiver.requests().len());
    receiver.requests()
}

async fn what_happens_reaches_the_endpoint_of_its_tenant_and_no_other(backend: Backend) {
    let product = start(backend).await;
    let (ours, theirs) = (
        product.tenant("111", "EAAG-a").await,
        product.tenant("222", "EAAG-b").await,
    );
    let (here, there) = (Receiver::start([]).await, Receiver::start([]).await);
    let made = endpoint(&product, &ours, &here, json!({"headers": {"x-own": "ours"}})).await;
    endpoint(&product, &theirs, &there, json!({"kinds": ["message.received"]})).await;
    let id = product.send(&ours, "+919111111111").await;
    product.until_status(&ours, &id, "sent").await;
    hears(&product, "111", "wamid.A").await;
    hears(&product, "222", "wamid.B").await;
    let (requests, others) = (until(&here, 2).await, until(&there, 1).await);

    let kinds: BTreeSet<String> = requests.iter().map(|request| text(&body(request)["type"])).collect();
    assert_eq!(kinds, ["message.received", "message.sent"].map(str::to_owned).into());
    for request in &requests {
        let event = body(request);
        assert_eq!(event["tenantId"], ours.id.as_str());
        assert_eq!((&event["attempt"], request.header("x-own")), (&json!(1), Some("ours")));
        assert_eq!(request.header("webhook-id"), event["id"].as_str());
        let (stamp, signature) = (request.header("webhook-timestamp"), request.header("webhook-signature"));
        let expected = dakghar_testkit::receiver::standard_signature(
            &text(&made["secret"]),
            event["id"].as_str().expect("an id"),
            stamp.expect("a time"),
            &request.body,
        );
        assert_eq!(signature, Some(expected.as_str()));
    }
    let [other] = &others[..] else { panic!("{others:#?}") };
    assert_eq!(body(other)["data"]["content"]["body"], "wamid.B");
    assert_eq!(
        (body(other)["tenantId"].as_str(), other.header("x-own")),
        (Some(theirs.id.as_str()), None)
    );
}

async fn every_event_arrives_under_a_stable_id_whatever_is_killed(backend: Backend) {
    let mut product = start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    // Of the first calls some are answered badly, and some not at all.
    let replies = (0..9).map(|n| match n % 3 {
        0 => Reply::status(503),
        1 => Reply::Close,
        _ => Reply::status(200),
    });
    let receiver = Receiver::start(replies).await;
    endpoint(&product, &tenant, &receiver, json!({})).await;
    let mut wamids = BTreeSet::new();
    for round in 0..3 {
        for n in 0..20 {
            let wamid = format!("wamid.{round}.{n}");
            hears(&product, "111", &wamid).await;
            wamids.insert(wamid);
        }
        product.restart().await;
    }
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let is_whole = eventually(async || {
        ids.clear();
        for request in receiver.requests() {
            let event = body(&request);
            let wamid = text(&event["data"]["content"]["body"]);
            ids.entry(wamid).or_default().insert(text(&event["id"]));
        }
        ids.len() == wamids.len()
    });
    assert!(is_whole.await, "{} of {} came", ids.len(), wamids.len());
    assert!(ids.keys().eq(&wamids), "and nothing else");
    assert!(ids.values().all(|ids| ids.len() == 1), "each under one id: {ids:#?}");
    let distinct: BTreeSet<_> = ids.values().flatten().collect();
    assert_eq!(distinct.len(), wamids.len());
}

async fn what_meta_posted_arrives_as_it_was_posted(backend: Backend) {
    let product = start(backend).await;
    let tenant = product.tenant("111", "EAAG-a").await;
    let receiver = Receiver::start([]).await;
    let made = endpoint(
        &product,
        &tenant,
        &receiver,
        json!({"format": "meta", "verifyToken": "token-of-the-tenant"}),
    )
    .await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "sent").await;
    hears(&product, "111", "wamid.A").await;
    let requests = until(&receiver, 2).await;
    let [challenge, request] = &requests[..] else {
        panic!("what became of ours is not Meta's: {requests:#?}")
    };
    assert!(challenge.head.starts_with("GET ") && challenge.head.contains("hub.verify_token=token-of-the-tenant"));
    let (mut got, posted) = (body(request), inbound("111", "wamid.A"));
    got["entry"][0]["time"] = posted["entry"][0]["time"].clone();
    assert_eq!(got, posted);
    let expected = dakghar_testkit::receiver::hub_signature(&text(&made["secret"]), &request.body);
    assert_eq!(request.header("x-hub-signature-256"), Some(expected.as_str()));
}

async fn a_paused_endpoint_gets_what_happened_when_it_is_resumed(backend: Backend) {
    let product = start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let receiver = Receiver::start([]).await;
    let made = endpoint(&product, &tenant, &receiver, json!({})).await;
    hears(&product, "111", "wamid.first").await;
    until(&receiver, 1).await;
    let path = format!("/tenants/{}/endpoints/{}", tenant.id, text(&made["endpointId"]));
    product.post(&format!("{path}/pause"), json!({})).await;
    // Whoever delivers has noticed when it gets no more; a call that began before may still end.
    let mut sent = 0;
    let is_paused = eventually(async || {
        let before = receiver.requests().len();
        sent += 1;
        hears(&product, "111", &format!("wamid.{sent}")).await;
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        receiver.requests().len() == before
    });
    assert!(is_paused.await);
    product.post(&format!("{path}/resume"), json!({})).await;
    let requests = until(&receiver, sent + 1).await;
    let bodies: BTreeSet<String> = requests
        .iter()
        .map(|request| text(&body(request)["data"]["content"]["body"]))
        .collect();
    assert_eq!(bodies.len(), sent + 1, "all of them, those of the pause too");
}

async fn what_was_not_taken_and_every_attempt_can_be_read(backend: Backend) {
    let product = start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let refusal = Reply::answer(503, "retry-after: 600\r\n", b"closed for lunch");
    let receiver = Receiver::start([Reply::status(200), refusal]).await;
    let made = endpoint(&product, &tenant, &receiver, json!({"concurrency": 1})).await;
    let id = text(&made["endpointId"]);
    let path = format!("/tenants/{}/endpoints/{id}", tenant.id);
    for n in 1..=3 {
        hears(&product, "111", &format!("wamid.{n}")).await;
    }
    let mut shown = Value::Null;
    let is_noted = eventually(async || {
        shown = product.get(&path).await["progress"].clone();
        shown["openExceptions"] == 1 && shown["delivered"] == 1 && shown["failed"] == 1
    });
    assert!(is_noted.await, "{shown}");
    assert_eq!(shown["dead"], json!(0), "{shown}");
    assert!(
        shown["notBefore"].is_string() && shown["failedAt"].is_string(),
        "{shown}"
    );
    let attempts = product.get(&format!("{path}/attempts")).await;
    let [failed, taken] = &attempts["data"].as_array().expect("a list")[..] else {
        panic!("{attempts}")
    };
    assert_eq!((&taken["delivered"], &taken["status"]), (&json!(true), &json!(200)));
    assert_eq!(
        (&failed["status"], &failed["answer"]),
        (&json!(503), &json!("closed for lunch"))
    );
    let exceptions = product.get(&format!("{path}/exceptions")).await;
    let [open] = &exceptions["data"].as_array().expect("a list")[..] else {
        panic!("{exceptions}")
    };
    assert_eq!(
        (&open["eventId"], &open["state"]),
        (&failed["eventId"], &json!("retrying"))
    );
    assert_eq!(
        product.get(&format!("{path}/exceptions?state=dead")).await["data"],
        json!([])
    );

    let shell = |arguments: &[&str]| {
        let (code, out, err) = product.run(&[&["endpoint"], arguments, &[&*tenant.id, &*id]].concat());
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
        out
    };
    let lines = |out: &str| -> Vec<Value> {
        let lines = out.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        lines.collect()
    };
    assert_eq!(json!(lines(&shell(&["attempts", "--json"]))), attempts["data"]);
    assert_eq!(json!(lines(&shell(&["exceptions", "--json"]))), exceptions["data"]);
    assert_eq!(shell(&["exceptions", "--state", "dead"]).trim(), "none");
    assert!(shell(&["attempts", "--limit", "1"]).contains("503"));
    let printed: Value = serde_json::from_str(&shell(&["show"])).expect("JSON");
    assert_eq!(printed["progress"]["openExceptions"], json!(1));
}

async fn what_was_delivered_is_delivered_again_whatever_is_killed(backend: Backend) {
    let mut product = start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let receiver = Receiver::start([]).await;
    let made = endpoint(&product, &tenant, &receiver, json!({"perSecond": 40})).await;
    let id = text(&made["endpointId"]);
    let path = format!("/tenants/{}/endpoints/{id}", tenant.id);
    for n in 0..60 {
        hears(&product, "111", &format!("wamid.{n}")).await;
    }
    let first = until(&receiver, 60).await;
    let known: BTreeSet<String> = first.iter().map(|request| text(&body(request)["id"])).collect();
    assert_eq!(known.len(), 60);
    // The place has moved past all of them.
    assert!(eventually(async || product.get(&path).await["progress"]["place"] == "60").await);
    let counted = product
        .post(&format!("{path}/replays"), json!({"from": "1", "dryRun": true}))
        .await;
    assert_eq!(counted, json!({"events": 60, "isExact": true, "waiting": 0}));

    let asked = product.post(&format!("{path}/replays"), json!({"from": "1"})).await;
    let replay = format!("{path}/replays/{}", text(&asked["id"]));
    let replayed = |receiver: &Receiver| -> BTreeSet<String> {
        let requests = receiver.requests();
        let marked = requests
            .iter()
            .filter(|request| request.header("x-dakghar-replay") == Some("true"));
        marked.map(|request| text(&body(request)["id"])).collect()
    };
    // Twice in the middle of it everything is killed; what happens meanwhile arrives, too.
    for round in 1..=2 {
        assert!(eventually(async || replayed(&receiver).len() >= 15 * round).await);
        hears(&product, "111", &format!("wamid.live.{round}")).await;
        product.restart().await;
    }
    let mut shown = Value::Null;
    let is_done = eventually(async || {
        shown = product.get(&replay).await;
        shown["status"] == "done"
    });
    assert!(is_done.await, "{shown}");
    assert_eq!(
        replayed(&receiver),
        known,
        "all of them, under their ids, and nothing else"
    );
    assert_eq!(shown["place"], "60");
    let live = |request: &ReceivedRequest| {
        let content = text(&body(request)["data"]["content"]["body"]);
        content.starts_with("wamid.live") && request.header("x-dakghar-replay").is_none()
    };
    let arrived = eventually(async || receiver.requests().iter().filter(|request| live(request)).count() >= 2);
    assert!(arrived.await);

    // What a paused endpoint is to get again waits until it is resumed.
    product.post(&format!("{path}/pause"), json!({})).await;
    let event = known.first().expect("one");
    let asked = product
        .post(&format!("{path}/replays"), json!({"eventIds": [event]}))
        .await;
    assert_eq!(
        (&asked["status"], &asked["waitingFor"]),
        (&json!("waiting"), &json!("paused"))
    );
    let (status, refused) = product
        .call("POST", &format!("{path}/replays"), Some(json!({"from": "1"})))
        .await;
    assert_eq!((status, &refused["code"]), (409, &json!("replay_running")));
    product.post(&format!("{path}/resume"), json!({})).await;
    let replay = format!("{path}/replays/{}", text(&asked["id"]));
    assert!(eventually(async || product.get(&replay).await["status"] == "done").await);
    assert_eq!(product.get(&replay).await["delivered"], 1);
    assert_eq!(
        product.get(&format!("{path}/replays")).await["data"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

async fn a_test_shows_what_the_receiver_answers_and_changes_nothing(backend: Backend) {
    let setup = Setup::on(backend).statuses(StatusPlan::none());
    let product = setup.env("CALLBACK_TIMEOUT_MS", 2_000).start().await;
    let tenant = product.tenant("111", "mock_a").await;
    let replies = [
        Reply::status(204),
        Reply::answer(503, "", b"not now"),
        Reply::status(200),
        Reply::answer(500, "", b"no"),
        Reply::Silence,
    ];
    let receiver = Receiver::start(replies).await;
    let made = endpoint(&product, &tenant, &receiver, json!({})).await;
    let id = text(&made["endpointId"]);
    let path = format!("/tenants/{}/endpoints/{id}", tenant.id);
    product.post(&format!("{path}/pause"), json!({})).await;
    let test = async || product.call("POST", &format!("{path}/test"), None).await;
    let (status, taken) = test().await;
    assert_eq!(
        (status, &taken["delivered"], &taken["status"], &taken["answer"]),
        (200, &json!(true), &json!(204), &Value::Null)
    );
    let (_, refused) = test().await;
    assert_eq!(
        (&refused["delivered"], &refused["status"], &refused["answer"]),
        (&json!(false), &json!(503), &json!("not now"))
    );
    let [request, _] = &receiver.requests()[..] else {
        panic!("two calls");
    };
    let event = body(request);
    assert_eq!(
        (&event["type"], &event["tenantId"]),
        (&json!("endpoint.test"), &json!(tenant.id))
    );
    assert_eq!(request.header("x-dakghar-test"), Some("true"));
    let expected = dakghar_testkit::receiver::standard_signature(
        &text(&made["secret"]),
        event["id"].as_str().expect("an id"),
        request.header("webhook-timestamp").expect("a time"),
        &request.body,
    );
    assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
    let (code, out, err) = product.run(&["endpoint", "test", &tenant.id, &id]);
    assert!(code == Some(0) && out.contains("delivered: 200"), "{out}{err}");
    let (code, out, err) = product.run(&["endpoint", "test", &tenant.id, &id]);
    assert!(code == Some(1) && err.contains("not delivered: 500"), "{out}{err}");
    // One at a time: the other is told at once.
    let (one, other) = tokio::join!(test(), test());
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429]);
    let silent = if one.0 == 200 { one.1 } else { other.1 };
    assert_eq!(
        (&silent["delivered"], &silent["failure"]),
        (&json!(false), &json!("timeout"))
    );
    let progress = product.get(&path).await["progress"].clone();
    assert_eq!((&progress["delivered"], &progress["failed"]), (&json!(0), &json!(0)));
    let feed = product.get(&format!("/tenants/{}/feed", tenant.id)).await;
    assert_eq!(feed["data"], json!([]));
}

async fn a_change_of_an_endpoint_counts_for_what_comes_next(backend: Backend) {
    let product = start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let (before, after) = (Receiver::start([]).await, Receiver::start([]).await);
    let made = endpoint(&product, &tenant, &before, json!({})).await;
    let path = format!("/tenants/{}/endpoints/{}", tenant.id, text(&made["endpointId"]));
    hears(&product, "111", "wamid.1").await;
    until(&before, 1).await;
    let (status, changed) = product
        .call(
            "PATCH",
            &path,
            Some(json!({"url": after.url(), "headers": {"x-own": "new"}})),
        )
        .await;
    assert_eq!(status, 200, "{changed}");
    // A process learns of it within a second or two.
    let mut sent = 1;
    let arrives = eventually(async || {
        sent += 1;
        hears(&product, "111", &format!("wamid.{sent}")).await;
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        after
            .requests()
            .iter()
            .any(|request| request.header("x-own") == Some("new"))
    });
    assert!(arrives.await, "{sent} were sent");
    let old = before.requests().len();
    hears(&product, "111", "wamid.last").await;
    let is_last = |request: &ReceivedRequest| body(request)["data"]["content"]["body"] == "wamid.last";
    assert!(eventually(async || after.requests().iter().any(is_last)).await);
    assert_eq!(before.requests().len(), old);
}

async fn the_shell_delivers_again_what_failed(backend: Backend) {
    let product = start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let refusal = Reply::answer(503, "retry-after: 0\r\n", b"no");
    let receiver = Receiver::start([refusal]).await;
    let made = endpoint(&product, &tenant, &receiver, json!({"order": "conversation"})).await;
    let id = text(&made["endpointId"]);
    let path = format!("/tenants/{}/endpoints/{id}", tenant.id);
    hears(&product, "111", "wamid.1").await;
    hears(&product, "111", "wamid.2").await;
    assert!(eventually(async || product.get(&path).await["progress"]["place"] == "2").await);
    let run = |arguments: &[&str]| product.run(&[&["endpoint"], arguments].concat());
    let since = ["--failed-since", "2020-01-01T00:00:00Z"];
    let (code, out, err) = run(&[&["replay", &tenant.id, &id, "--dry-run"], &since[..]].concat());
    assert!(
        code == Some(0) && out.contains("would be delivered again"),
        "{out}{err}"
    );
    let (code, out, err) = run(&["replay", &tenant.id, &id, "--from", "1"]);
    assert!(code == Some(0) && out.contains("is done"), "{out}{err}");
    let (code, out, err) = run(&["replays", &tenant.id, &id]);
    assert!(
        code == Some(0) && out.contains("rpl_") && out.contains("done"),
        "{out}{err}"
    );
    let replay = out
        .split_whitespace()
        .find(|word| word.starts_with("rpl_"))
        .expect("its id");
    let (code, _, err) = run(&["cancel-replay", &tenant.id, &id, replay]);
    assert!(code == Some(1) && err.contains("replay_over"), "{err}");
    assert_eq!(run(&["replay", &tenant.id, &id]).0, Some(1), "it must say what");
    // Both arrived in the end.
    let arrived = |receiver: &Receiver| -> BTreeSet<String> {
        let requests = receiver.requests();
        requests
            .iter()
            .map(|request| text(&body(request)["data"]["content"]["body"]))
            .collect()
    };
    assert!(eventually(async || arrived(&receiver).len() == 2 && receiver.requests().len() > 2).await);
}

async fn an_endpoint_that_is_made_anew_begins_anew(backend: Backend) {
    let product = start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let whole = format!("/tenants/{}", tenant.id);
    let delivered = async |id: &str| {
        let endpoint = product.get(&format!("{whole}/endpoints/{id}")).await;
        endpoint["progress"]["delivered"].as_u64().expect("a number")
    };

    // That of the `callbackUrl`.
    let receiver = Receiver::start([]).await;
    let set = async |url: Value| {
        let (status, body) = product.call("PATCH", &whole, Some(json!({"callbackUrl": url}))).await;
        assert_eq!(status, 200, "{body}");
        let listed = product.get(&format!("{whole}/endpoints")).await;
        listed["data"][0]["endpointId"].as_str().map(str::to_owned)
    };
    let first = set(json!(receiver.url())).await.expect("it was made");
    hears(&product, "111", "wamid.A").await;
    until(&receiver, 1).await;
    assert!(eventually(async || delivered(&first).await == 1).await);
    assert_eq!(set(Value::Null).await, None);
    hears(&product, "111", "wamid.B").await;
    let entries = async || {
        let feed = product.get(&format!("{whole}/feed")).await;
        feed["data"].as_array().map_or(0, Vec::len)
    };
    assert!(eventually(async || entries().await == 2).await);
    assert_eq!(set(json!(receiver.url())).await.as_ref(), Some(&first));
    assert_eq!(delivered(&first).await, 0);
    hears(&product, "111", "wamid.C").await;
    let came = until(&receiver, 2).await;
    assert_eq!(body(&came[1])["data"]["content"]["body"], "wamid.C");
    assert!(eventually(async || delivered(&first).await == 1).await);

    // One under a key, as often as it is made from the beginning.
    let receiver = Receiver::start([]).await;
    for round in 1..=3 {
        let made = product
            .http
            .post(product.url(&format!("{whole}/endpoints")))
            .bearer_auth(&tenant.api_key)
            .header("idempotency-key", "order-1")
            .json(&json!({"url": receiver.url(), "startAt": "beginning"}))
            .send()
            .await
            .expect("an answer");
        assert_eq!(made.status().as_u16(), 201);
        let made: Value = made.json().await.expect("JSON");
        let id = text(&made["endpointId"]);
        until(&receiver, 3 * round).await;
        assert!(eventually(async || delivered(&id).await == 3).await, "{round}");
        let (status, _) = product.call("DELETE", &format!("{whole}/endpoints/{id}"), None).await;
        assert_eq!(status, 204);
    }
}
