//! One person is erased through the whole product, whatever is killed: afterwards nothing that is stored holds them, and
//! everybody else is still there.

use std::time::Duration;

use dakghar_core::domain::Timestamp;
use dakghar_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    an_erased_person_is_nowhere,
    what_a_receiver_answers_after_an_erasure_began_is_not_kept,
    the_shell_erases_a_person_and_exports_a_tenant,
);

const NUMBER: &str = "8801755512345";
const USER: &str = "BD.13491208655302741918";
const NAME: &str = "name-canary-81f3";
const TEXT: &str = "text-canary-55d0";
const CANARIES: [&str; 4] = [NUMBER, USER, NAME, TEXT];
const OTHER: &str = "919222222222";

async fn post(product: &Product, field: &str, value: Value) {
    let body = json!({"object": "whatsapp_business_account", "entry": [
        {"id": "9001", "time": 1_760_000_000, "changes": [{"field": field, "value": value}]}]});
    let answer = product.sim.post_webhook_raw(body.to_string().into_bytes()).await;
    assert_eq!(answer.expect("an answer"), 200);
}

fn value(number: &str, messages: Value) -> Value {
    json!({"messaging_product": "whatsapp", "messages": messages,
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": number},
        "contacts": [{"wa_id": NUMBER, "user_id": USER, "profile": {"name": NAME}}]})
}

/// Everything that the product keeps of a person, and a little of another one.
async fn fill(product: &Product, tenant: &Tenant) -> [String; 2] {
    let written = json!([{"from": NUMBER, "from_user_id": USER, "id": "wamid.E1", "timestamp": "1760000010",
        "type": "text", "text": {"body": TEXT}}]);
    post(product, "messages", value("111", written)).await;
    let edited = json!([{"from": NUMBER, "id": "wamid.E2", "timestamp": "1760000020", "type": "edit",
        "edit": {"original_message_id": "wamid.E1", "message": {"type": "text", "text": {"body": TEXT}}}}]);
    post(product, "messages", value("111", edited)).await;
    let in_group = json!([{"from": NUMBER, "group_id": "group-7", "id": "wamid.E3", "timestamp": "1760000030",
        "type": "text", "text": {"body": TEXT}}]);
    post(product, "messages", value("111", in_group)).await;
    let preference = json!({"metadata": {"phone_number_id": "111"}, "user_preferences": [
        {"wa_id": NUMBER, "user_id": USER, "detail": TEXT, "category": "marketing_messages", "value": "stop"}]});
    post(product, "user_preferences", preference).await;
    // Of a number that no tenant has.
    let strange = json!([{"from": NUMBER, "id": "wamid.E4", "timestamp": "1760000040", "type": "text",
        "text": {"body": TEXT}}]);
    post(product, "messages", value("999", strange)).await;
    let others = json!([{"from": OTHER, "id": "wamid.O1", "timestamp": "1760000050", "type": "text",
        "text": {"body": "of somebody else"}}]);
    let mut others = value("111", others);
    others["contacts"] = json!([{"wa_id": OTHER, "profile": {"name": "Asha"}}]);
    post(product, "messages", others).await;

    let path = format!("/tenants/{}/send", tenant.id);
    let send = async |to: &str, more: Value| {
        let mut body = json!({"to": format!("+{to}"), "text": TEXT});
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        text(&product.post(&path, body).await["messageId"])
    };
    let sent = send(
        NUMBER,
        json!({"idempotency_key": format!("order-{NUMBER}"), "metadata": {"who": NAME}}),
    )
    .await;
    product.until_status(tenant, &sent, "delivered").await;
    let waits = send(NUMBER, json!({"sendAt": in_a_day()})).await;
    assert_eq!(product.message(tenant, &waits).await["status"], "queued");
    let body = json!({"to": format!("+{OTHER}"), "text": "of somebody else"});
    let other = text(&product.post(&path, body).await["messageId"]);
    product.until_status(tenant, &other, "delivered").await;
    [sent, other]
}

fn in_a_day() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_millis()).expect("a time");
    Timestamp::from_millis(now + 86_400_000).to_string()
}

/// Waits until the erasure is done.
async fn until_done(product: &Product, path: &str) -> Value {
    assert!(
        eventually(async || {
            let (status, erasure) = product.call("GET", path, None).await;
            status == 200 && erasure["status"] == "done"
        })
        .await,
        "{}",
        product.get(path).await
    );
    product.get(path).await
}

/// What Redis holds, as one text.
fn redis_text(product: &Product) -> String {
    const ALL: &str = "local out = {} \
        for _, key in ipairs(redis.call('KEYS', '*')) do \
            local kind = redis.call('TYPE', key).ok \
            local value = '' \
            if kind == 'string' then value = redis.call('GET', key) \
            elseif kind == 'hash' then value = redis.call('HGETALL', key) \
            elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1) \
            elseif kind == 'set' then value = redis.call('SMEMBERS', key) \
            elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1) \
            elseif kind == 'stream' then value = redis.call('XRANGE', key, '-', '+') end \
            out[#out + 1] = key .. ' ' .. cjson.encode(value) \
        end return table.concat(out, '\\n')";
    product.redis(&["EVAL", ALL, "0"])
}

/// The names of the canaries that are in some bytes.
fn found(bytes: &[u8]) -> Vec<&'static str> {
    let is_in = |text: &&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    CANARIES.into_iter().filter(is_in).collect()
}

/// The files of the folder and those below it.
fn files(folder: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        bytes.extend(if path.is_dir() {
            files(&path)
        } else {
            std::fs::read(path).unwrap_or_default()
        });
    }
    bytes
}

async fn an_erased_person_is_nowhere(backend: Backend) {
    let mut product = Setup::on(backend).env("CALLBACK_TIMEOUT_MS", 2_000).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let said = format!("no: {NUMBER} {NAME} {TEXT}");
    let refusing = Receiver::start((0..200).map(|_| Reply::answer(500, "", said.as_bytes()))).await;
    let endpoints = format!("/tenants/{}/endpoints", tenant.id);
    let made = product.post(&endpoints, json!({"url": refusing.url()})).await;
    let [sent, other] = fill(&product, &tenant).await;
    let attempts = format!("{endpoints}/{}/attempts", text(&made["endpointId"]));
    product.until_count(&attempts, 1).await;
    assert_eq!(
        found(&product.stored_bytes().await),
        CANARIES,
        "what was read is not the store"
    );
    assert!(product.get(&attempts).await.to_string().contains(NAME));
    // What it says later would be kept anew.
    refusing.recover();

    let path = format!("/tenants/{}/erasures", tenant.id);
    let begun = product
        .post(&path, json!({"person": format!("+{NUMBER}"), "unrouted": true}))
        .await;
    let one = format!("{path}/{}", text(&begun["id"]));
    for _ in 0..3 {
        product.restart().await;
    }
    let done = until_done(&product, &one).await;
    assert_eq!(done["needsVacuum"], false, "{done}");

    let people = product.get(&format!("/tenants/{}/people", tenant.id)).await;
    assert_eq!(people["data"].as_array().map(Vec::len), Some(1), "{people}");
    let (status, _) = product
        .call("GET", &format!("/tenants/{}/messages/{sent}", tenant.id), None)
        .await;
    assert_eq!(status, 404);
    assert_eq!(product.message(&tenant, &other).await["status"], "delivered");
    for path in [
        path.as_str(),
        &one,
        &attempts,
        "/unrouted",
        &format!("/tenants/{}/feed?after=0", tenant.id),
    ] {
        assert_eq!(
            found(product.get(path).await.to_string().as_bytes()),
            Vec::<&str>::new(),
            "{path}"
        );
    }
    product.terminate().await;
    let stored = [product.stored_bytes().await, files(&product.data_dir())].concat();
    assert!(stored.windows(16).any(|window| window == b"of somebody else"));
    assert_eq!(found(&stored), Vec::<&str>::new());
    assert_eq!(found(product.log().as_bytes()), Vec::<&str>::new());
    if product.is_distributed() {
        let redis = redis_text(&product);
        assert!(!redis.is_empty(), "what was read is not Redis");
        assert_eq!(found(redis.as_bytes()), Vec::<&str>::new());
    }
}

async fn what_a_receiver_answers_after_an_erasure_began_is_not_kept(backend: Backend) {
    let product = Setup::on(backend).env("CALLBACK_TIMEOUT_MS", 3_000).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let said = format!("no: {NUMBER} {NAME} {TEXT}");
    let Reply::Bytes(said) = Reply::answer(500, "", said.as_bytes()) else {
        unreachable!("an answer is bytes")
    };
    let takes = Duration::from_millis(2_000) / u32::try_from(said.len()).expect("small");
    let refusing = Receiver::start([Reply::Slow(said, takes)]).await;
    let endpoints = format!("/tenants/{}/endpoints", tenant.id);
    let made = product.post(&endpoints, json!({"url": refusing.url()})).await;
    let written = json!([{"from": NUMBER, "from_user_id": USER, "id": "wamid.E1", "timestamp": "1760000010",
        "type": "text", "text": {"body": TEXT}}]);
    post(&product, "messages", value("111", written)).await;
    refusing.until_requests(1).await;

    let path = format!("/tenants/{}/erasures", tenant.id);
    let begun = product.post(&path, json!({"person": format!("+{NUMBER}")})).await;
    until_done(&product, &format!("{path}/{}", text(&begun["id"]))).await;
    let attempts = format!("{endpoints}/{}/attempts", text(&made["endpointId"]));
    let attempts = product.get(&attempts).await;
    assert!(
        !attempts["data"].as_array().expect("a list").is_empty(),
        "it was called"
    );
    assert_eq!(
        found(attempts.to_string().as_bytes()),
        Vec::<&str>::new(),
        "{attempts:#}"
    );
    assert_eq!(found(&product.stored_bytes().await), Vec::<&str>::new());
}

async fn the_shell_erases_a_person_and_exports_a_tenant(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let [_, other] = fill(&product, &tenant).await;
    let export = || {
        let (status, out, errors) = product.run(&["tenant", "export", &tenant.id]);
        assert_eq!(status, Some(0), "{errors}");
        let lines = out
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"));
        let lines: Vec<Value> = lines.collect();
        assert_eq!(lines.last().expect("a line")["kind"], "end", "{out}");
        (out, lines)
    };
    let (before, _) = export();
    assert_eq!(found(before.as_bytes()), CANARIES);
    assert!(!before.contains("EAAG-real"), "the token is exported");

    let owner = ["--tenant", &tenant.id];
    let (status, _, errors) = product.run(&["erase", "person", owner[0], owner[1], "nobody at all"]);
    assert!(
        status.is_some_and(|status| status != 0),
        "what is no id of a person is refused"
    );
    assert!(!errors.contains("panicked"), "{errors}");
    let number = format!("+{NUMBER}");
    let (status, out, errors) = product.run(&["erase", "person", owner[0], owner[1], &number]);
    assert_eq!(status, Some(0), "{out}{errors}");
    assert!(!out.contains(NUMBER) && !errors.contains(NUMBER), "{out}{errors}");
    let id = out.split_whitespace().find(|word| word.starts_with("ers_"));
    let id = id.expect("the id of the erasure").to_owned();
    let (status, listed, _) = product.run(&["erase", "list", owner[0], owner[1]]);
    assert_eq!(status, Some(0));
    assert!(listed.contains(&id) && listed.contains("done"), "{listed}");
    let (status, watched, _) = product.run(&["erase", "watch", owner[0], owner[1], &id]);
    assert_eq!(status, Some(0), "{watched}");

    let (after, lines) = export();
    assert_eq!(found(after.as_bytes()), Vec::<&str>::new());
    let messages = lines.iter().filter(|line| line["kind"] == "message");
    let left: Vec<&Value> = messages.map(|line| &line["data"]["id"]).collect();
    assert!(left.contains(&&json!(other)), "{left:?}");
}
