//! An embedded installation moves into MongoDB: the same answers before and after, every queued message sent once,
//! whatever is killed on the way.

mod killed;
mod refused;

use std::collections::BTreeMap;
use std::path::Path;

use dakghar_graph_sim::{Fault, FaultRule, InboundMessage, Match};
use dakghar_testkit::servers::{Mongo, Redis, SharedMongo, SharedRedis};
use serde_json::{Value, json};

use crate::product::{Backend, NOBODY, Product, Setup, Tenant, eventually, text};

/// Points an installation at a new database; what it did before stays in its folder.
async fn point_at_mongo(product: &mut Product) -> (SharedMongo, SharedRedis) {
    let (mongo, redis) = (Mongo::shared().await, Redis::shared().await);
    product.set("MONGO_URI", mongo.database_uri());
    product.set("REDIS_URL", redis.url());
    (mongo, redis)
}

/// Runs `dakghar migrate` with the settings of `product`; answers exit status, standard output and standard error.
fn migrate(product: &Product, folder: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let folder = folder.display().to_string();
    let mut arguments = vec!["migrate", "--from-embedded", &folder];
    arguments.extend(more);
    product.run(&arguments)
}

/// Everything that the API tells about these tenants and across all.
async fn everything(product: &Product, tenants: &[Tenant]) -> BTreeMap<String, Value> {
    let mut lists: Vec<String> = ["/tenants", "/dead-letters", "/unrouted"].map(str::to_owned).to_vec();
    let apps = "/apps".to_owned();
    let mut told = BTreeMap::from([(apps.clone(), product.get(&apps).await)]);
    for tenant in tenants {
        let of_tenant = format!("/tenants/{}", tenant.id);
        told.insert(of_tenant.clone(), product.get(&of_tenant).await);
        lists.extend(["messages", "conversations", "dead-letters", "events"].map(|list| format!("{of_tenant}/{list}")));
    }
    while let Some(list) = lists.pop() {
        let mut path = format!("{list}?limit=4");
        loop {
            let page = product.get(&path).await;
            for item in page["data"].as_array().expect("a list") {
                if list.ends_with("/conversations") {
                    lists.push(format!("{list}/{}/messages", text(&item["id"])));
                } else if list.ends_with("/messages") {
                    let of_tenant = list.split("/conversations").next().expect("a path");
                    let of_tenant = of_tenant.trim_end_matches("/messages");
                    let message = format!("{of_tenant}/messages/{}", text(&item["id"]));
                    told.insert(message.clone(), product.get(&message).await);
                }
            }
            let next = page["nextCursor"].as_str().map(str::to_owned);
            told.insert(path, page);
            let Some(next) = next else { break };
            path = format!("{list}?limit=4&cursor={next}");
        }
    }
    told
}

/// No message was taken by Meta more than once, and no attempt was called more than once.
fn assert_nothing_doubled(product: &Product) {
    let mut taken: BTreeMap<String, u64> = BTreeMap::new();
    for (opaque, count) in product.sim.accepted_counts() {
        let message = opaque.split('.').nth(1).unwrap_or_default().to_owned();
        *taken.entry(message).or_default() += count;
    }
    taken.retain(|_, count| *count > 1);
    assert!(taken.is_empty(), "taken twice: {taken:?}");
    let mut called = product.sim.call_counts();
    called.retain(|_, count| *count > 1);
    assert!(called.is_empty(), "called twice: {called:?}");
}

fn only(to: &str) -> Match {
    Match {
        to: Some(to.to_owned()),
        ..Match::default()
    }
}

async fn send(product: &Product, tenant: &Tenant, body: Value) -> String {
    let answer = product.post(&format!("/tenants/{}/send", tenant.id), body).await;
    text(&answer["messageId"])
}

/// What a busy installation holds when nothing is under way.
async fn live_a_while(product: &Product) -> Vec<Tenant> {
    let account = json!({"name": "ঢাকা বই", "phoneNumberId": "111", "accessToken": "EAAG-real", "wabaId": "9001",
        "displayPhoneNumber": "+880 1711-000000", "callbackUrl": "https://example.com/hook"});
    let answer = product.post("/tenants/register", account).await;
    let busy = Tenant {
        id: text(&answer["tenantId"]),
        api_key: text(&answer["apiKey"]),
    };
    let second = json!({"phoneNumberId": "112", "accessToken": "EAAG-second"});
    product
        .post(&format!("/tenants/{}/phone-numbers", busy.id), second)
        .await;
    let simulated = product.tenant("222", "mock_b").await;
    let paused = product.tenant("333", "EAAG-paused").await;
    let tenants = vec![busy, simulated, paused];

    product
        .post(&format!("/tenants/{}/pause", tenants[2].id), json!({}))
        .await;
    // No process remembers a tenant for longer than a second.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let mut expected = Vec::new();
    for n in 0..9 {
        let body = json!({"to": format!("+91910000000{n}"), "text": format!("parcel {n} 📮"), "metadata": {"n": n},
            "idempotency_key": format!("done-{n}"), "from": if n % 2 == 0 { "111" } else { "112" }});
        expected.push((0, send(product, &tenants[0], body).await, "delivered"));
    }
    product
        .sim
        .add_rule(FaultRule::first(1, Fault::graph_error(131_026)).when(only("+919200000000")));
    let dead = json!({"to": "+919200000000", "text": "nobody there"});
    expected.push((0, send(product, &tenants[0], dead).await, "failed"));
    expected.push((1, product.send(&tenants[1], "+919300000000").await, "delivered"));
    expected.push((2, product.send(&tenants[2], "+919400000000").await, "held"));
    let send_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(20 * 24);
    let later = json!({"to": "+919500000000", "text": "later", "sendAt": send_at.to_string(), "priority": "low"});
    expected.push((0, send(product, &tenants[0], later.clone()).await, "queued"));
    let cancelled = send(product, &tenants[0], later).await;
    let path = format!("/tenants/{}/messages/{cancelled}/cancel", tenants[0].id);
    product.post(&path, json!({})).await;
    expected.push((0, cancelled, "cancelled"));
    for (from, number) in [
        ("919100000000", "111"),
        ("919600000000", "112"),
        ("919700000000", "999"),
    ] {
        let inbound = InboundMessage::text(number, from, "hi");
        product.sim.send_inbound(inbound).expect("planned");
    }
    let events = json!({"object": "whatsapp_business_account", "entry": [
        {"id": "9001", "changes": [{"field": "account_update", "value": {"event": "ACCOUNT_VIOLATION"}}]},
        {"id": "8888", "changes": [{"field": "brand_new_field", "value": {"surprise": true}}]},
    ]});
    let status = product.sim.post_webhook_raw(events.to_string().into_bytes()).await;
    assert_eq!(status.expect("an answer"), 200);
    for (owner, id, status) in expected {
        product.until_status(&tenants[owner], &id, status).await;
    }
    product.until_count("/unrouted", 2).await;
    let inbound = format!("/tenants/{}/messages?direction=inbound", tenants[0].id);
    product.until_count(&inbound, 2).await;
    product.sim.idle().await;
    tenants
}

/// Makes an endpoint that nobody answers at, and waits until it was tried. Returns its id.
async fn failing_endpoint(product: &Product, tenant: &Tenant) -> String {
    let all = format!("/tenants/{}/endpoints", tenant.id);
    let body = json!({"url": NOBODY, "order": "conversation", "startAt": "beginning"});
    let id = text(&product.post(&all, body).await["endpointId"]);
    let is_tried = async || {
        let endpoint = product.get(&format!("{all}/{id}")).await;
        endpoint["progress"]["openExceptions"].as_u64() > Some(2)
    };
    assert!(eventually(is_tried).await, "{}", product.log());
    id
}

/// The progress of an endpoint, and what it has not taken, as the shell tells it.
fn deliveries(product: &Product, tenant: &Tenant, endpoint: &str) -> [String; 2] {
    ["show", "exceptions"].map(|command| {
        let (code, out, err) = product.run(&["endpoint", command, &tenant.id, endpoint]);
        assert_eq!(code, Some(0), "{out}{err}");
        out
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_the_same_and_goes_on_where_it_was() {
    const QUEUED: usize = 25;
    let mut product = Setup::on(Backend::Embedded)
        .env("SEND_TIMEOUT_MS", 12_000)
        .env("SEND_LEASE_MS", 15_000)
        .env("UNKNOWN_OUTCOME_GRACE_MS", 1_000)
        .start()
        .await;
    let mut tenants = live_a_while(&product).await;
    let app = json!({"appId": "900000000000001", "name": "Partner", "secret": "partner-secret-0123456789"});
    product.post("/apps", app).await;
    tenants.push(product.tenant("444", "EAAG-other").await);
    let (busy, other) = (tenants[0].clone(), tenants[3].clone());

    // Two calls that hang take every place there is, so that what comes then stays queued.
    product.terminate().await;
    product.set("WORKER_CONCURRENCY", 2);
    product.restart().await;
    product
        .sim
        .add_rule(FaultRule::always(Fault::TimeoutAfterAccept).when(only("+919800000001")));
    product
        .sim
        .add_rule(FaultRule::always(Fault::TimeoutAfterAccept).when(only("+919800000002")));
    product.sim.clear_webhook_url();
    let body = json!({"to": "+919800000001", "text": "nobody will report on it", "unknownOutcome": "fail"});
    let silent = send(&product, &busy, body).await;
    product.until_status(&busy, &silent, "sending").await;
    product.sim.set_webhook_url(NOBODY);
    let body = json!({"to": "+919800000002", "text": "its status comes late"});
    let reported = send(&product, &other, body).await;
    product.until_status(&other, &reported, "sending").await;
    let mut queued = Vec::new();
    for n in 0..QUEUED {
        let body = json!({"to": format!("+9199000000{n:02}"), "text": format!("waiting {n}"),
            "idempotency_key": format!("waiting-{n}"), "priority": (["high", "normal", "low"][n % 3])});
        queued.push(send(&product, &busy, body).await);
    }
    let endpoint = failing_endpoint(&product, &busy).await;
    let before = everything(&product, &tenants).await;
    product.kill();
    let delivered = deliveries(&product, &busy, &endpoint);

    point_at_mongo(&mut product).await;
    let folder = product.data_dir();
    let (code, out, err) = migrate(&product, &folder, &["--dry-run"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(
        out.contains("nothing was changed") && !folder.join("MIGRATED").exists(),
        "{out}"
    );
    let (code, out, err) = migrate(&product, &folder, &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    for part in ["verified", "MIGRATED", "tenants               4"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(
        err.contains("copying messages: ") && err.contains("(100 %)"),
        "lines and no bar: {err}"
    );

    // An endpoint is where it was, and what it has not taken is still open.
    assert_eq!(deliveries(&product, &busy, &endpoint), delivered);

    // Without a worker nothing moves yet.
    product.spawn("api");
    product.ready().await;
    let after = everything(&product, &tenants).await;
    for (path, told) in &before {
        assert_eq!(after.get(path), Some(told), "{path}");
    }
    assert_eq!(after.len(), before.len());
    for (n, id) in queued.iter().enumerate() {
        let again = json!({"to": format!("+9199000000{n:02}"), "text": format!("waiting {n}"),
            "idempotency_key": format!("waiting-{n}"), "priority": (["high", "normal", "low"][n % 3])});
        let answer = product.post(&format!("/tenants/{}/send", busy.id), again).await;
        assert_eq!((&answer["messageId"], &answer["duplicate"]), (&json!(id), &json!(true)));
    }
    let other_content = json!({"to": "+919100000000", "text": "other", "idempotency_key": "done-0"});
    let path = format!("/tenants/{}/send", busy.id);
    assert_eq!(product.call("POST", &path, Some(other_content)).await.0, 409);
    let own = product.http.get(product.url(&format!("/tenants/{}", busy.id)));
    let own = own.bearer_auth(&busy.api_key).send().await.expect("an answer");
    assert_eq!(own.status(), 200, "the tenant's own key still opens");

    product.sim.clear_rules();
    product.sim.set_webhook_url(&product.url("/whatsapp/webhook"));
    product.set("WORKER_CONCURRENCY", 64);
    product.spawn("worker");
    for id in &queued {
        let message = product.until_status(&busy, id, "delivered").await;
        assert_eq!(message["attempts"], 1, "{message:#}");
    }
    let message = product.until_status(&other, &reported, "delivered").await;
    assert_eq!(message["attempts"], 1, "{message:#}");
    let message = product.until_status(&busy, &silent, "dead").await;
    assert_eq!(
        message["attempts"], 1,
        "its lease ran out, and nobody may call again: {message:#}"
    );
    product
        .post(&format!("/tenants/{}/resume", tenants[2].id), json!({}))
        .await;
    let held = format!("/tenants/{}/messages", tenants[2].id);
    let held = text(&product.get(&held).await["data"][0]["id"]);
    product.until_status(&tenants[2], &held, "delivered").await;
    let later = product
        .get(&format!("/tenants/{}/messages?status=queued", busy.id))
        .await;
    assert_eq!(
        later["data"].as_array().map(Vec::len),
        Some(1),
        "only the one for later: {later:#}"
    );
    assert_nothing_doubled(&product);

    // Once more changes nothing, and the old server does not start by accident.
    let (code, out, err) = migrate(&product, &folder, &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("was finished"), "{out}");
    for role in [&["serve"] as &[&str], &["tenant", "list"], &["doctor"]] {
        let mut old = product.command();
        old.env_remove("MONGO_URI").env("PORT", "0").args(role);
        let old = old.output().expect("it runs");
        assert_eq!(old.status.code(), Some(1), "{role:?}");
        let told = [old.stdout, old.stderr].concat();
        assert!(String::from_utf8_lossy(&told).contains("MIGRATED"), "{role:?}");
    }
}
