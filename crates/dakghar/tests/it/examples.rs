//! The examples for tenants' developers: the receivers take each callback once and forged ones never, and the bots answer.

mod guide;

use dakghar_graph_sim::{InboundMessage, StatusPlan};
use dakghar_testkit::receiver::standard_signature;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends};
use crate::programs::{Program, are_installed};

on_both_backends!(
    receivers_take_each_callback_once_and_forged_ones_never,
    what_bots_noted_is_answered_once_though_they_are_killed,
);

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const RECEIVERS: [&str; 2] = [
    "examples/receivers/python/receiver.py",
    "examples/receivers/nodejs/receiver.js",
];
const BOTS: [&str; 2] = ["examples/receivers/python/bot.py", "examples/receivers/nodejs/bot.js"];

async fn start(backend: Backend) -> Product {
    Setup::on(backend).statuses(StatusPlan::none()).start().await
}

/// An endpoint in the order of conversations, with the secret that the programs know.
async fn endpoint(product: &Product, tenant: &Tenant, program: &Program) {
    let body = json!({"url": program.url(), "secret": SECRET, "order": "conversation"});
    product.post(&format!("/tenants/{}/endpoints", tenant.id), body).await;
}

fn seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Posts a body under an id, signed by this secret with the time of now; answers the status.
async fn post_signed(program: &Program, id: &str, body: &str, headers: &[(&str, &str)], secret: &str) -> u16 {
    let at = seconds().to_string();
    let signature = standard_signature(secret, id, &at, body.as_bytes());
    let mut all = vec![
        ("webhook-id", id),
        ("webhook-timestamp", &at),
        ("webhook-signature", &signature),
    ];
    all.extend(headers);
    post(program, body, &all).await
}

async fn post(program: &Program, body: &str, headers: &[(&str, &str)]) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(program.url()).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer").status().as_u16()
}

fn event(id: &str, text: &str) -> Value {
    let data = json!({
        "type": "text", "from": "919111111111", "groupId": null, "phoneNumberId": "111", "wamid": format!("wamid.{id}"),
        "content": {"body": text},
    });
    json!({"id": id, "type": "message.received", "data": data})
}

async fn receivers_take_each_callback_once_and_forged_ones_never(backend: Backend) {
    if !are_installed() {
        return;
    }
    let product = start(backend).await;
    let tenant = product.tenant("111", "EAAG-a").await;
    for script in RECEIVERS {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("callbacks").display().to_string();
        let environment = [("WEBHOOK_SECRET", SECRET), ("DATA_FILE", &*file)];
        let mut program = Program::start(script, &environment).await;
        endpoint(&product, &tenant, &program).await;
        // One thing of each: the conversation in its order, whatever else is under way.
        let texts: Vec<String> = (0..5).map(|n| format!("{script} {n}")).collect();
        for text in &texts {
            let wrote = InboundMessage::text("111", "+919111111111", text);
            product.sim.send_inbound(wrote).unwrap();
            product.sim.idle().await;
        }
        program.until(&texts[4]).await;
        let came: Vec<String> = program
            .lines()
            .into_iter()
            .filter(|line| line.contains(script))
            .collect();
        assert_eq!(came.len(), texts.len(), "each once: {came:#?}");
        for (line, text) in came.iter().zip(&texts) {
            assert!(
                line.ends_with(&format!("message.received 919111111111: {text}")),
                "{came:#?}"
            );
        }

        // Spaced as no parser writes it, with a number that one would write in another way.
        let sent = r#"{ "id": "ent_a", "type": "message.sent", "n": 1.50, "data": {} }"#;
        assert_eq!(post_signed(&program, "ent_a", sent, &[], SECRET).await, 204);
        assert_eq!(
            post_signed(&program, "ent_a", sent, &[], SECRET).await,
            204,
            "it comes again"
        );
        let replay = [("x-dakghar-replay", "true")];
        let replayed = event("ent_b", "again").to_string();
        for id in ["ent_a", "ent_b"] {
            let body = if id == "ent_a" { sent } else { &replayed };
            assert_eq!(post_signed(&program, id, body, &replay, SECRET).await, 204);
        }
        let test = json!({"id": "ent_t", "type": "endpoint.test", "data": null}).to_string();
        assert_eq!(post_signed(&program, "ent_t", &test, &[], SECRET).await, 204);
        let (mut erased, mut revoked) = (event("ent_d", ""), event("ent_e", ""));
        erased["data"] = json!(null);
        revoked["data"]["content"] = json!(null);
        let batch =
            json!({"type": "batch", "data": [event("ent_a", "x"), erased, revoked, event("ent_c", "in a batch")]});
        let batch = batch.to_string();
        assert_eq!(post_signed(&program, "ent_of_both", &batch, &[], SECRET).await, 204);
        forged_are_refused(&program, sent).await;

        // What it noted it still knows after a crash.
        program.until("in a batch").await;
        program.restart(&environment).await;
        assert_eq!(post_signed(&program, "ent_a", sent, &[], SECRET).await, 204);
        let last = event("ent_z", "last").to_string();
        assert_eq!(post_signed(&program, "ent_z", &last, &[], SECRET).await, 204);
        program.until("ent_z").await;
        let counts = [
            "ent_a ",
            "ent_b message.received (replay)",
            "ent_c",
            "ent_d",
            "ent_e",
            "ent_t",
            "forged",
        ];
        assert_eq!(
            counts.map(|part| program.count(part)),
            [1, 1, 1, 1, 1, 0, 0],
            "{:#?}",
            program.lines()
        );
    }
}

/// Each of these differs from a right call in one thing.
async fn forged_are_refused(program: &Program, right: &str) {
    let other = "whsec_bmV3IG5ldyBuZXcgbmV3IG5ldyBuZXcgbmV3IQ==";
    let forged = event("ent_f", "forged").to_string();
    assert_eq!(post_signed(program, "ent_f", &forged, &[], other).await, 401);
    let now = seconds().to_string();
    let old = (seconds() - 600).to_string();
    let signed = |id: &str, at: &str, body: &str| standard_signature(SECRET, id, at, body.as_bytes());
    let written_again = serde_json::from_str::<Value>(right).unwrap().to_string();
    let header = signed("ent_f", &now, right);
    // As JSON.stringify and json.dumps would write it.
    let in_node = r#"{"id":"ent_a","type":"message.sent","n":1.5,"data":{}}"#;
    let in_python = r#"{"id": "ent_a", "type": "message.sent", "n": 1.5, "data": {}}"#;
    for (what, body, id, at, signature) in [
        (
            "signed as Node.js writes it",
            right,
            "ent_f",
            &now,
            &signed("ent_f", &now, in_node),
        ),
        (
            "signed as Python writes it",
            right,
            "ent_f",
            &now,
            &signed("ent_f", &now, in_python),
        ),
        (
            "the body as a parser writes it",
            &*written_again,
            "ent_f",
            &now,
            &header,
        ),
        ("another body", &*forged, "ent_f", &now, &header),
        ("another id", right, "ent_g", &now, &header),
        ("too old", right, "ent_f", &old, &signed("ent_f", &old, right)),
        ("no time", right, "ent_f", &"now".to_owned(), &header),
        ("no signature", right, "ent_f", &now, &String::new()),
        ("nonsense", right, "ent_f", &now, &"v1 a,b,c".to_owned()),
    ] {
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", at),
            ("webhook-signature", signature),
        ];
        assert_eq!(post(program, body, &headers).await, 401, "{what}");
    }
    assert_eq!(post(program, right, &[]).await, 401, "no headers");
}

fn answers(product: &Product, text: &str) -> Vec<Value> {
    let journal = product.sim.journal();
    let bodies = journal.into_iter().map(|call| call.body);
    bodies.filter(|body| body["text"]["body"] == text).collect()
}

async fn what_bots_noted_is_answered_once_though_they_are_killed(backend: Backend) {
    if !are_installed() {
        return;
    }
    let product = start(backend).await;
    let tenant = product.tenant("111", "EAAG-a").await;
    for script in BOTS {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("callbacks").display().to_string();
        let url = product.url("");
        // Nobody listens there, so it cannot answer what it has noted.
        let mut environment = [
            ("WEBHOOK_SECRET", SECRET),
            ("DATA_FILE", &*file),
            ("API_KEY", &*tenant.api_key),
            ("DAKGHAR_URL", "http://127.0.0.1:1"),
        ];
        let mut bot = Program::start(script, &environment).await;
        let language = script.rsplit('.').next().unwrap();
        let noted = |n: u32| {
            let mut event = event(&format!("ent_{language}_{n}"), &format!("{n} {script}"));
            event["tenantId"] = json!(tenant.id);
            event
        };
        for n in 0..3 {
            let (id, body) = (format!("ent_{language}_{n}"), noted(n).to_string());
            assert_eq!(post_signed(&bot, &id, &body, &[], SECRET).await, 204);
        }
        environment[3].1 = &*url;
        bot.restart(&environment).await;
        bot.until(&format!(": 2 {script}")).await;
        let said: Vec<_> = bot
            .lines()
            .iter()
            .filter_map(|line| Some(line.split(": ").nth(1)?.to_owned()))
            .collect();
        let in_order = (0..3).all(|n| said[n].starts_with(&format!("{n} {script} -> msg_")));
        assert!(in_order && said.len() == 3, "{said:#?}");

        // It forgot that it had answered, as after a crash at the worst moment: the key of its answer says so.
        let other_file = dir.path().join("other").display().to_string();
        environment[1].1 = &*other_file;
        bot.restart(&environment).await;
        let (id, body) = (format!("ent_{language}_1"), noted(1).to_string());
        assert_eq!(post_signed(&bot, &id, &body, &[], SECRET).await, 204);
        assert!(eventually(async || bot.count(&format!(": 1 {script}")) == 2).await);

        // And through the whole of it: a person writes, Meta posts, the bot is called, its answer is at Meta.
        endpoint(&product, &tenant, &bot).await;
        let through = format!("through {script}");
        let wamid = product
            .sim
            .send_inbound(InboundMessage::text("111", "+919111111112", &through));
        let answer = format!("You wrote: {through}");
        let came = eventually(async || !answers(&product, &answer).is_empty()).await;
        assert!(came, "{:#?}", bot.lines());
        let answered = answers(&product, &answer).remove(0);
        assert_eq!(answered["to"], "+919111111112");
        assert_eq!(answered["context"]["message_id"], wamid.unwrap());

        // What is replayed is not answered; and nothing was answered twice.
        let replay = [("x-dakghar-replay", "true")];
        let old = noted(7).to_string();
        assert_eq!(post_signed(&bot, "ent_old", &old, &replay, SECRET).await, 204);
        let last = format!("last {script}");
        product
            .sim
            .send_inbound(InboundMessage::text("111", "+919111111112", &last))
            .unwrap();
        assert!(eventually(async || !answers(&product, &format!("You wrote: {last}")).is_empty()).await);
        let texts = [0, 1, 2, 7].map(|n| format!("You wrote: {n} {script}"));
        let are_there = async || texts[..3].iter().all(|text| !answers(&product, text).is_empty());
        assert!(eventually(are_there).await);
        assert_eq!(texts.map(|text| answers(&product, &text).len()), [1, 1, 1, 0]);
        assert_eq!(answers(&product, &format!("You wrote: {through}")).len(), 1);
    }
}
