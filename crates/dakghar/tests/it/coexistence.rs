//! Numbers that stay in the WhatsApp Business app, through the whole product: connected without a registration, asked once each
//! for contacts and history, which storms no endpoint; then an echo, and the end of the connection.

use dakghar_graph_sim::{Account, AppPlan, Fault, FaultRule, Match, NewCode, Number, Registration, StatusPlan};
use dakghar_testkit::receiver::Receiver;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_number_of_the_app_is_connected_with_its_history_and_no_endpoint_is_stormed,
    a_process_that_dies_while_it_asks_asks_once,
    a_history_that_is_not_shared_and_one_asked_for_too_late_are_told,
);

const WABA: &str = "900";
const NUMBER: &str = "501";
const MESSAGES: u32 = 1_000;

/// A product, a tenant without a number, and a number of the app at Meta.
async fn with_number(backend: Backend) -> (Product, Tenant) {
    let setup = Setup::on(backend).env("APP_ID", "4242").statuses(StatusPlan::none());
    let product = setup.start().await;
    product.sim.set_number(Number {
        waba_id: WABA.to_owned(),
        ..Number::derived(NUMBER)
    });
    product.sim.set_registration(Registration::on_biz_app(NUMBER));
    product.sim.set_account(Account {
        waba_id: WABA.to_owned(),
        currency: "BDT".to_owned(),
        is_paid_for: true,
    });
    let registered = product.post("/tenants/register", json!({"name": "Shop"})).await;
    let tenant = Tenant {
        id: text(&registered["tenantId"]),
        api_key: text(&registered["apiKey"]),
    };
    (product, tenant)
}

async fn begin(product: &Product, tenant: &Tenant) -> String {
    let code = product.sim.give_code(NewCode::for_accounts(&[WABA]));
    let path = format!("/tenants/{}/signups", tenant.id);
    let body = json!({"code": code, "wabaId": WABA, "event": "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING"});
    let begun = product.post(&path, body).await;
    format!("{path}/{}", text(&begun["signupId"]))
}

async fn until_done(product: &Product, path: &str) -> Value {
    let is_done = eventually(async || product.get(path).await["state"] == "done");
    assert!(is_done.await, "{}", product.get(path).await);
    product.get(path).await
}

fn step(signup: &Value, name: &str) -> Value {
    let steps = signup["steps"].as_array().cloned().unwrap_or_default();
    let found = steps.into_iter().find(|step| step["step"] == name);
    found.unwrap_or_else(|| panic!("no step {name}: {signup}"))
}

/// The times that Meta did this call.
fn done(product: &Product, call: &str) -> usize {
    let journal = product.sim.onboarding_journal();
    let done = journal.iter().filter(|entry| entry.call == call && entry.is_done);
    done.count()
}

async fn number(product: &Product, tenant: &Tenant) -> Value {
    product.get(&format!("/tenants/{}", tenant.id)).await["phoneNumbers"][0].clone()
}

/// The kinds of everything in the feed of the tenant, in its order.
async fn kinds(product: &Product, tenant: &Tenant) -> Vec<String> {
    let (mut kinds, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let path = format!("/tenants/{}/feed?after={after}&limit=200", tenant.id);
        let page = product.get(&path).await;
        let entries = page["data"].as_array().cloned().unwrap_or_default();
        if entries.is_empty() {
            return kinds;
        }
        after = text(&page["nextCursor"]);
        kinds.extend(entries.iter().map(|entry| text(&entry["kind"])));
    }
}

async fn a_number_of_the_app_is_connected_with_its_history_and_no_endpoint_is_stormed(backend: Backend) {
    let (product, tenant) = with_number(backend).await;
    product.sim.set_app_plan(AppPlan {
        messages: MESSAGES,
        people: 20,
        chunk: 50,
        ..AppPlan::default()
    });
    let receiver = Receiver::start([]).await;
    let endpoint = json!({"url": receiver.url(), "perSecond": 1_000});
    product
        .post(&format!("/tenants/{}/endpoints", tenant.id), endpoint)
        .await;

    let path = begin(&product, &tenant).await;
    let signup = until_done(&product, &path).await;
    assert_eq!(step(&signup, "register")["outcome"], "skipped", "{signup}");
    for name in ["contacts", "history"] {
        assert!(step(&signup, name)["requestId"].is_string(), "{signup}");
        assert_eq!(done(&product, name), 1);
    }
    assert_eq!(done(&product, "register"), 0);
    let is_whole = eventually(async || product.get(&path).await["history"]["finishedAt"].is_string());
    assert!(is_whole.await, "{}", product.get(&path).await);
    let is_counted = eventually(async || product.get(&path).await["history"]["messages"] == MESSAGES);
    assert!(is_counted.await, "{}", product.get(&path).await);
    product.sim.idle().await;
    let shown = number(&product, &tenant).await;
    assert_eq!(
        (&shown["isOnBusinessApp"], &shown["messagesPerSecond"]),
        (&json!(true), &json!(20)),
        "{shown}"
    );
    let history = kinds(&product, &tenant).await;
    let count = history.iter().filter(|kind| *kind == "message.history").count();
    assert_eq!(count, MESSAGES as usize);
    let conversations = product
        .get(&format!("/tenants/{}/conversations?limit=100", tenant.id))
        .await;
    let conversations = conversations["data"].as_array().cloned().unwrap_or_default();
    assert_eq!(conversations.len(), 20);
    let opened = conversations
        .iter()
        .filter(|one| !one["customerServiceWindowUntil"].is_null());
    assert_eq!(opened.count(), 0, "a history opens no window");

    // What is typed in the app is the first thing that the endpoint hears of messages.
    product
        .sim
        .type_in_app(NUMBER, "16505551234", "typed in the app")
        .expect("planned");
    let heard = eventually(async || {
        receiver
            .requests()
            .iter()
            .any(|request| is_of(&request.body, "message.echo"))
    });
    assert!(heard.await);
    let requests = receiver.requests();
    for kind in ["message.history", "meta.history"] {
        assert!(!requests.iter().any(|request| is_of(&request.body, kind)), "{kind}");
    }

    // The app is disconnected: nothing is sent into the void.
    product.sim.change_app(NUMBER, "PARTNER_REMOVED").expect("planned");
    let is_held = eventually(async || !number(&product, &tenant).await["hold"].is_null());
    assert!(is_held.await, "{}", number(&product, &tenant).await);
}

fn is_of(body: &[u8], kind: &str) -> bool {
    String::from_utf8_lossy(body).contains(&format!("\"{kind}\""))
}

async fn a_process_that_dies_while_it_asks_asks_once(backend: Backend) {
    for call in ["contacts", "history"] {
        let (mut product, tenant) = with_number(backend).await;
        let when = Match {
            call: Some(call.to_owned()),
            ..Match::default()
        };
        product
            .sim
            .add_rule(FaultRule::first(1, Fault::Slow { ms: 60_000 }).when(when));
        let path = begin(&product, &tenant).await;
        assert!(eventually(async || done(&product, call) == 1).await);
        product.restart().await;
        let signup = until_done(&product, &path).await;
        assert_eq!(step(&signup, call)["outcome"], "done", "{signup}");
        let note = text(&step(&signup, call)["note"]);
        assert!(note.contains("asked for it before"), "{signup}");
        assert_eq!((done(&product, "contacts"), done(&product, "history")), (1, 1));
    }
}

async fn a_history_that_is_not_shared_and_one_asked_for_too_late_are_told(backend: Backend) {
    let (product, tenant) = with_number(backend).await;
    product.sim.set_app_plan(AppPlan {
        is_declined: true,
        ..AppPlan::default()
    });
    let path = begin(&product, &tenant).await;
    until_done(&product, &path).await;
    let is_told = eventually(async || product.get(&path).await["history"]["declinedAt"].is_string());
    assert!(is_told.await, "{}", product.get(&path).await);

    product.sim.set_registration(Registration {
        connected_seconds_ago: 2 * 86_400,
        ..Registration::on_biz_app(NUMBER)
    });
    let signup = until_done(&product, &begin(&product, &tenant).await).await;
    for name in ["contacts", "history"] {
        let step = step(&signup, name);
        assert_eq!(
            (&step["outcome"], &step["error"]["code"]),
            (&json!("failed"), &json!(2_593_108))
        );
    }
    let path = format!("/tenants/{}/send", tenant.id);
    let sent = product
        .post(
            &path,
            json!({"to": "+919111111111", "text": "it can send", "from": NUMBER}),
        )
        .await;
    product.until_status(&tenant, &text(&sent["messageId"]), "sent").await;
}
