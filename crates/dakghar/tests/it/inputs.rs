//! Input of a kind that nobody means well: requests that two readers understand in two ways, JSON nested without end, keys
//! of blanks. And what of the matrix of bad input only shows on the whole product.

use dakghar_graph_sim::{Outcome, StatusPlan};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::product::{ADMIN_KEY, Backend, Product, Setup, on_both_backends, text};

on_both_backends!(
    a_webhook_nested_thousands_deep_is_kept_whole,
    a_send_nested_deep_is_refused_where_it_is,
    a_key_whose_message_was_refused_is_free,
    a_message_to_the_number_itself_is_refused,
    callback_data_under_another_number_or_with_another_mac_moves_nothing,
);

/// Sends these bytes, and answers everything that comes back until the program closes.
async fn exchange(product: &Product, bytes: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", product.port.number())).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(30), read)
        .await
        .expect("the program closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// How many answers these are.
fn answers(text: &str) -> usize {
    ["HTTP/1.1 2", "HTTP/1.1 4", "HTTP/1.1 5"]
        .map(|status| text.matches(status).count())
        .iter()
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_two_readers_understand_in_two_ways_are_refused() {
    let product = Product::start(Backend::Embedded).await;
    let tenant = product.tenant("111", "EAAG-a").await;
    let send = format!("POST /tenants/{}/send HTTP/1.1", tenant.id);
    let key = format!("Authorization: Bearer {ADMIN_KEY}\r\nContent-Type: application/json");
    let body = r#"{"to":"+919111111111","text":"x"}"#;
    let length = body.len();
    let good = format!("{send}\r\nHost: x\r\n{key}\r\nContent-Length: {length}\r\n\r\n{body}");
    let (lf, none, two) = ("LF alone", "no Host header", "more than one Host");
    let bad = [
        (
            format!(
                "{send}\nHost: x\n{}\nContent-Length: {length}\n\n{body}",
                key.replace("\r\n", "\n")
            ),
            lf,
        ),
        (
            format!("{send}\r\nHost: x\n{key}\r\nContent-Length: {length}\r\n\r\n{body}"),
            lf,
        ),
        (
            format!("{send}\r\nHost: x\r\n{key}\r\nContent-Length: {length}\r\n\n{body}"),
            lf,
        ),
        (format!("\n{good}"), lf),
        (
            format!("{send}\r\n{key}\r\nContent-Length: {length}\r\n\r\n{body}"),
            none,
        ),
        (
            format!("{send}\r\nHost: x\r\nHost: x\r\n{key}\r\nContent-Length: {length}\r\n\r\n{body}"),
            two,
        ),
        (
            format!("{send}\r\nHost: x\r\nhost: y\r\n{key}\r\nContent-Length: {length}\r\n\r\n{body}"),
            two,
        ),
    ];
    for (request, why) in &bad {
        // What comes behind it on the connection is not carried out either.
        let answer = exchange(&product, &format!("{request}{good}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{request:?}: {answer:?}");
        assert!(
            answer.contains(why) && answer.contains("bad_request"),
            "{request:?}: {answer:?}"
        );
        assert_eq!(answers(&answer), 1, "{request:?}: {answer:?}");
    }
    assert_eq!(
        product.get(&format!("/tenants/{}/messages", tenant.id)).await["data"],
        json!([])
    );
    // Behind good ones, in one piece with them: they are carried out, and it is not.
    for (request, why) in &bad {
        let answer = exchange(&product, &format!("{good}{good}{request}{good}")).await;
        assert_eq!(answer.matches("HTTP/1.1 202").count(), 2, "{request:?}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1 400").count(), 1, "{request:?}: {answer:?}");
        assert!(answer.contains(why), "{request:?}: {answer:?}");
    }
    // A body may hold what it likes, also one whose length nobody knows; that one is the last of its connection.
    let lines = format!(
        "{send}\r\nHost: x\r\n{key}\r\nContent-Length: {}\r\n\r\n\n{body}\n",
        length + 2
    );
    let chunked = format!(
        "{send}\r\nHost: x\r\n{key}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n\n{body}\r\n0\r\n\r\n",
        length + 1
    );
    let answer = exchange(&product, &format!("{lines}{lines}{chunked}{good}")).await;
    assert_eq!(answer.matches("HTTP/1.1 202").count(), 3, "{answer:?}");
    assert_eq!(answers(&answer), 3, "{answer:?}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer:?}");
    let old = exchange(&product, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200"), "HTTP/1.0 has no Host header: {old:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_blanks_is_refused() {
    let product = Product::start(Backend::Embedded).await;
    let tenant = product.tenant("111", "EAAG-a").await;
    for (header, value) in [
        ("Authorization", "Bearer"),
        ("Authorization", "Bearer  "),
        ("Authorization", "bearer\t"),
        ("Authorization", ""),
        ("X-Api-Key", ""),
        ("X-Api-Key", "   "),
    ] {
        for path in ["/tenants".to_owned(), format!("/tenants/{}/messages", tenant.id)] {
            let request = product.http.get(product.url(&path)).header(header, value);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{header}: {value:?}");
            let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            assert_eq!(
                (&problem["code"], &problem["detail"]),
                (&json!("unauthenticated"), &json!("The key is blank.")),
                "{header}: {value:?}"
            );
        }
    }
    let mut command = product.command();
    let output = command
        .arg("serve")
        .env("ADMIN_API_KEY", "                    ")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("ADMIN_API_KEY consists of blanks only"), "{said}");
}

async fn a_webhook_nested_thousands_deep_is_kept_whole(backend: Backend) {
    const DEPTH: usize = 20_000;
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let lists = |mark: usize| format!("{}{mark}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    let objects = |mark: usize| format!("{}{mark}{}", r#"{"a":"#.repeat(DEPTH), "}".repeat(DEPTH));
    let entry = |changes: &str| {
        format!(r#"{{"object":"whatsapp_business_account","entry":[{{"id":"9001","changes":{changes}}}]}}"#)
    };
    let value = |fields: &str| {
        entry(&format!(
            r#"[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"111"}},{fields}}}}}]"#
        ))
    };
    // Nobody's, each in a place of its own; the mark says which.
    let unrouted = [
        lists(1),
        objects(2),
        "[".repeat(DEPTH) + "3",
        format!(r#"{{"entry":{}}}"#, lists(4)),
        entry(&lists(5)),
        entry(&format!(r#"[{{"field":"messages","value":{}}}]"#, lists(6))),
        format!(r#"{{"object":{},"entry":[]}}"#, lists(7)),
    ];
    for body in &unrouted {
        assert_eq!(
            product.sim.post_webhook_raw(body.clone().into_bytes()).await.unwrap(),
            200
        );
    }
    let (deep, odd) = (lists(11), objects(12));
    let text_message = format!(
        r#"{{"from":"16505551234","id":"wamid.deep","timestamp":"1760000000","type":"text","text":{{"body":"x","more":{deep}}},"extra":{odd}}}"#
    );
    let body = value(&format!(r#""messages":[{text_message},{{"id":{deep}}},{deep}]"#));
    assert_eq!(product.sim.post_webhook_raw(body.into_bytes()).await.unwrap(), 200);
    let body = value(&format!(
        r#""statuses":[{{"id":"wamid.unknown","status":"failed","errors":[{{"code":1,"error_data":{deep}}}]}},{{"id":{deep},"status":"read"}}],"errors":{odd}"#
    ));
    assert_eq!(product.sim.post_webhook_raw(body.into_bytes()).await.unwrap(), 200);

    // Every answer can be read: what is nested too deep is given as its text.
    let texts = |list: &Value, name: &str| -> Vec<String> {
        let items = list["data"].as_array().expect("a list").iter();
        items
            .map(|item| {
                item[name]
                    .as_str()
                    .map_or_else(|| item[name].to_string(), str::to_owned)
            })
            .collect()
    };
    let kept = texts(&product.get("/unrouted?limit=200").await, "payload");
    for (mark, _) in (1..).zip(&unrouted) {
        let start = format!("{}{mark}", if mark == 2 { r#"{"a":"# } else { "[" });
        assert!(kept.iter().any(|payload| payload.contains(&start)), "{mark}");
    }
    let with = |texts: &[String], part: &str| texts.iter().filter(|text| text.contains(part)).count();
    assert!(with(&kept, &deep) >= 1, "the status of a message that nobody sent");
    let events = texts(
        &product.get(&format!("/tenants/{}/events?limit=200", tenant.id)).await,
        "payload",
    );
    assert_eq!(
        with(&events, &deep) + with(&kept, &deep),
        4,
        "messages and statuses that are none"
    );
    assert_eq!(with(&events, &odd), 1);
    let path = format!("/tenants/{}/messages", tenant.id);
    let list = product.get(&path).await;
    assert_eq!(list["data"][0]["wamid"], "wamid.deep", "the message is one");
    let one = product
        .get(&format!("{path}/{}?raw=true", text(&list["data"][0]["id"])))
        .await;
    assert!(text(&one["content"]).contains(&deep), "as Meta sent it");
    for whole in ["envelope", "raw"] {
        let whole = text(&one[whole]);
        assert!(whole.contains(&deep) && whole.contains(&odd), "as Meta sent it");
    }
    assert_eq!(product.try_get("/tenants").await, Some(200), "and the program lives");
}

async fn a_send_nested_deep_is_refused_where_it_is(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let url = product.url(&format!("/tenants/{}/send", tenant.id));
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
    for (name, value) in [
        ("metadata", nested("[", "]")),
        ("context", nested(r#"{"a":"#, "}")),
        ("text", nested("[", "]")),
        ("unheard_of", nested("[", "]")),
    ] {
        let other = if name == "text" { "" } else { r#""text":"x","# };
        let body = format!(r#"{{"to":"+919111111111",{other}"{name}":{value}}}"#);
        let request = product.http.post(&url).bearer_auth(&tenant.api_key);
        let answer = request
            .header("Content-Type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{name}");
        let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(problem["code"], "too_deep", "{name}");
        let pointer = text(&problem["errors"][0]["pointer"]);
        assert!(pointer.starts_with(&format!("/{name}/")), "{pointer}");
    }
    assert_eq!(product.try_get("/tenants").await, Some(200));
}

async fn a_key_whose_message_was_refused_is_free(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let path = format!("/tenants/{}/send", tenant.id);
    let send = |to: &str| json!({"to": to, "text": "x", "idempotency_key": "order-1"});
    assert_eq!(product.call("POST", &path, Some(send("abc"))).await.0, 422);
    let (status, first) = product.call("POST", &path, Some(send("+919111111111"))).await;
    assert_eq!((status, &first["duplicate"]), (202, &json!(false)), "{first}");
    let (status, again) = product.call("POST", &path, Some(send("+919111111111"))).await;
    assert_eq!((status, &again["messageId"]), (200, &first["messageId"]), "{again}");
    let blank = json!({"to": "+919111111111", "text": "x", "idempotency_key": "  "});
    let (status, refused) = product.call("POST", &path, Some(blank)).await;
    assert_eq!((status, &refused["code"]), (400, &json!("invalid_idempotency_key")));
}

async fn a_message_to_the_number_itself_is_refused(backend: Backend) {
    let product = Product::start(backend).await;
    let registration = json!({"name": "A", "phoneNumberId": "111", "accessToken": "mock_a",
        "displayPhoneNumber": "+1 555-078-3881"});
    let tenant = text(&product.post("/tenants/register", registration).await["tenantId"]);
    let path = format!("/tenants/{tenant}/send");
    for to in ["+15550783881", "1 (555) 078-3881"] {
        let (status, refused) = product.call("POST", &path, Some(json!({"to": to, "text": "x"}))).await;
        assert_eq!(
            (status, &refused["code"], &refused["errors"][0]["pointer"]),
            (422, &json!("invalid_to"), &json!("/to")),
            "{to}: {refused}"
        );
    }
    assert_eq!(
        product
            .call("POST", &path, Some(json!({"to": "+15550783882", "text": "x"})))
            .await
            .0,
        202
    );
}

async fn callback_data_under_another_number_or_with_another_mac_moves_nothing(backend: Backend) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let (a, b) = (
        product.tenant("111", "EAAG-a").await,
        product.tenant("222", "EAAG-b").await,
    );
    let id = product.send(&b, "+919111111111").await;
    product.until_status(&b, &id, "sent").await;
    let journal = product.sim.journal();
    let Outcome::Accepted { wamid } = &journal.last().unwrap().outcome else {
        panic!("{journal:?}")
    };
    let opaque = journal.last().unwrap().biz_opaque.clone().unwrap();
    let (signed, _) = opaque.rsplit_once('.').unwrap();
    let altered = [
        opaque.replace(&b.id, &a.id),
        format!("{signed}.AAAAAAAAAAAAAAAA"),
        opaque.replacen(".1.", ".2.", 1),
    ];
    let status = |number: &str, wamid: &str, opaque: &str| {
        let status = json!({"id": wamid, "status": "read", "timestamp": "1760000000", "recipient_id": "919111111111",
            "biz_opaque_callback_data": opaque});
        let metadata = json!({"display_phone_number": "15550783881", "phone_number_id": number});
        let value = json!({"messaging_product": "whatsapp", "metadata": metadata, "statuses": [status]});
        json!({"object": "whatsapp_business_account",
            "entry": [{"id": "9001", "changes": [{"field": "messages", "value": value}]}]})
    };
    let post = async |body: Value| {
        let posted = product.sim.post_webhook_raw(body.to_string().into_bytes());
        assert_eq!(posted.await.unwrap(), 200);
    };
    // B's own callback data, but about a number of A's.
    post(status("111", "wamid.foreign.0", &opaque)).await;
    for (n, opaque) in (1..).zip(&altered) {
        post(status("222", &format!("wamid.foreign.{n}"), opaque)).await;
    }
    let unrouted = product.until_count("/unrouted", 1 + altered.len()).await;
    assert!(
        unrouted.iter().all(|event| event["reason"] == "unknown_message"),
        "{unrouted:#?}"
    );
    assert_eq!(product.message(&b, &id).await["status"], "sent");
    for of in ["messages", "events"] {
        let seen = product.get(&format!("/tenants/{}/{of}", a.id)).await;
        assert_eq!(seen["data"], json!([]), "{of}");
    }
    // Without a MAC that fits, the wamid says whose it is, under the number that sent it.
    post(status("222", wamid, &altered[0])).await;
    product.until_status(&b, &id, "read").await;
}
