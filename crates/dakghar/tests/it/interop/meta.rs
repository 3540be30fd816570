//! Software written for Meta's webhook takes the callbacks of the format `meta`, unchanged and with its checks on: pywa's
//! server, and handlers after the guides for Python and Node.js.

use dakghar_graph_sim::{InboundMessage, StatusPlan};
use dakghar_testkit::receiver::hub_signature;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, on_both_backends, text};
use crate::programs::{Program, are_installed};

on_both_backends!(software_for_metas_webhook_takes_our_callbacks);

const HANDLERS: [&str; 3] = [
    "crates/dakghar/tests/it/interop/meta_pywa.py",
    "crates/dakghar/tests/it/interop/meta_handler.py",
    "crates/dakghar/tests/it/interop/meta_handler.js",
];
const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
const VERIFY_TOKEN: &str = "token-of-the-tenant";
const PERSON: &str = "+919111111111";

/// Meta's challenge; answers the status and the body.
async fn challenge(product: &Product, program: &Program, token: &str) -> (u16, String) {
    let query = [
        ("hub.mode", "subscribe"),
        ("hub.verify_token", token),
        ("hub.challenge", "1158201444"),
    ];
    let url = reqwest::Url::parse_with_params(&program.url(), query).unwrap();
    let answer = product.http.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn post(product: &Product, program: &Program, body: &str, signature: Option<&str>) -> u16 {
    let mut request = product.http.post(program.url()).body(body.to_owned());
    if let Some(signature) = signature {
        request = request.header("x-hub-signature-256", signature);
    }
    request.send().await.unwrap().status().as_u16()
}

/// The lines of a kind, parsed.
fn told(program: &Program, kind: &str) -> Vec<Value> {
    let lines = program.lines().into_iter();
    let told = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error}: {line}")));
    told.filter(|line| line["kind"] == kind).collect()
}

async fn send(product: &Product, tenant: &Tenant, own: Value) -> String {
    let body = json!({"to": PERSON, "text": "your order", "bizOpaqueCallbackData": own});
    let id = text(&product.post(&format!("/tenants/{}/send", tenant.id), body).await["messageId"]);
    text(&product.until_status(tenant, &id, "delivered").await["wamid"])
}

async fn software_for_metas_webhook_takes_our_callbacks(backend: Backend) {
    if !are_installed() {
        return;
    }
    let statuses = StatusPlan {
        read_ms: None,
        ..StatusPlan::immediate()
    };
    let product = Setup::on(backend).statuses(statuses).start().await;
    let tenant = product.tenant("111", "EAAG-a").await;
    let environment = [
        ("APP_SECRET", APP_SECRET),
        ("VERIFY_TOKEN", VERIFY_TOKEN),
        ("PHONE_NUMBER_ID", "111"),
    ];
    let mut programs = Vec::new();
    for script in HANDLERS {
        let program = Program::start(script, &environment).await;
        let (status, body) = challenge(&product, &program, VERIFY_TOKEN).await;
        assert_eq!((status, &*body), (200, "1158201444"), "{script}");
        assert_eq!(challenge(&product, &program, "another").await.0, 403, "{script}");
        // Ours: it refuses another token, and knows its own.
        let path = format!("/tenants/{}/endpoints", tenant.id);
        let mut endpoint =
            json!({"url": program.url(), "format": "meta", "secret": APP_SECRET, "verifyToken": "another-one"});
        let (status, refused) = product.call("POST", &path, Some(endpoint.clone())).await;
        assert_eq!(
            (status, &refused["code"]),
            (422, &json!("challenge_failed")),
            "{script}: {refused}"
        );
        endpoint["verifyToken"] = json!(VERIFY_TOKEN);
        product.post(&path, endpoint).await;
        programs.push((script, program));
    }

    let with_own = send(&product, &tenant, json!("order \u{995} 7")).await;
    let without = send(&product, &tenant, json!(null)).await;
    let wrote = product
        .sim
        .send_inbound(InboundMessage::text("111", PERSON, "\u{995} hi \u{1F600}"));
    let pressed = json!({"type": "interactive", "context": {"from": "111", "id": with_own}, "interactive": {
        "type": "button_reply", "button_reply": {"id": "confirm:7", "title": "Confirm"}}});
    let pressed = product.sim.send_inbound(InboundMessage::of("111", PERSON, pressed));
    let (wrote, pressed) = (wrote.unwrap(), pressed.unwrap());
    for (script, program) in &programs {
        for id in [&*wrote, &pressed] {
            program.until(id).await;
        }
        let sender = PERSON.trim_start_matches('+');
        let texts = told(program, "text");
        let name = texts[0]["name"].as_str().filter(|name| !name.is_empty());
        let expected = json!({"kind": "text", "id": wrote, "sender": sender, "name": name.expect("a name"),
            "text": "\u{995} hi \u{1F600}"});
        assert_eq!(texts, [expected], "{script}");
        let expected = json!({"kind": "button", "id": pressed, "sender": sender, "data": "confirm:7",
            "title": "Confirm", "replied": with_own});
        assert_eq!(told(program, "button"), [expected], "{script}");
        for (id, tracker) in [(&with_own, json!("order \u{995} 7")), (&without, Value::Null)] {
            for status in ["sent", "delivered"] {
                let line = json!({"kind": "status", "id": id, "status": status, "tracker": tracker});
                let came = crate::product::eventually(async || told(program, "status").contains(&line)).await;
                assert!(came, "{script}: {line}: {:#?}", program.lines());
            }
        }
        assert_eq!(told(program, "status").len(), 4, "{script}: each once");
        refuses_what_is_not_signed_so(&product, script, program).await;
    }
}

async fn refuses_what_is_not_signed_so(product: &Product, script: &str, program: &Program) {
    let before = program.lines().len();
    let value = json!({"messaging_product": "whatsapp", "metadata": {"display_phone_number": "1", "phone_number_id": "111"},
        "contacts": [{"wa_id": "1", "user_id": "IN.1", "profile": {"name": "A"}}],
        "messages": [{"from": "1", "from_user_id": "IN.1", "id": "wamid.forged", "timestamp": "1760000000", "type": "text", "text": {"body": "f"}}]});
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "900", "time": 1, "changes": [
        {"field": "messages", "value": value}]}]});
    let (plain, spaced) = (body.to_string(), format!("{body:#}"));
    let signature = hub_signature(APP_SECRET, spaced.as_bytes());
    let by_another = hub_signature("another secret", plain.as_bytes());
    for signature in [Some(&*signature), Some(&by_another), Some("sha256=00"), None] {
        let status = post(product, program, &plain, signature).await;
        assert!(matches!(status, 401 | 403), "{script}: {signature:?}: {status}");
    }
    assert_eq!(program.lines().len(), before, "{script}");
    // The check itself is not what refuses.
    assert_eq!(post(product, program, &spaced, Some(&signature)).await, 200, "{script}");
    program.until("wamid.forged").await;
}
