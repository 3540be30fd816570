//! What Meta posted is found again in what it would have posted to each tenant alone: part by part, and nothing more.

mod payloads;

use std::collections::{BTreeMap, BTreeSet};

use dakghar_core::app::FeedItem;
use dakghar_core::domain::opaque::OpaqueSigner;
use dakghar_core::domain::{PhoneNumberId, Status, TenantId, Wamid};
use dakghar_core::ports::Clock as _;
use dakghar_graph_sim::{Mixture, Number, SentMessage};
use dakghar_testkit::samples::{self, With as _};
use serde_json::{Value, json};

use crate::harness::{OPAQUE_KEY, Service, TestTenant};
use payloads::{ACCOUNT, DISPLAY, NUMBER, WAMIDS};

const PATH: &str = "/whatsapp/webhook";
/// What the request of every second message gave.
const OWN: &str = "order \"7\" – éল";
/// Bytes from which on a leaf says whose it is: short ones, such as a count, are the same by chance.
const TELLING: usize = 8;
const PAGE: u32 = 100;

async fn register(service: &Service, number: &Number) -> TestTenant {
    let body = json!({"name": number.phone_number_id, "phoneNumberId": number.phone_number_id, "accessToken": "mock_t",
        "wabaId": number.waba_id, "displayPhoneNumber": number.display_phone_number});
    let answer = service.post("/tenants/register", &body).await;
    let text = |name: &str| answer.json[name].as_str().expect("a string").to_owned();
    TestTenant {
        id: text("tenantId"),
        key: text("apiKey"),
        phone_number_id: text("phoneNumberId"),
    }
}

/// Puts a message into the store that was sent under this id, and returns the callback data that it was sent with.
async fn sent(service: &Service, tenant: &TestTenant, wamid: &str, own: Option<&str>) -> String {
    let number = PhoneNumberId::parse(&tenant.phone_number_id).expect("an id");
    let message = samples::outbound(TenantId::parse(&tenant.id).expect("an id")).with(|message| {
        message.accepted.phone_number_id = number.clone();
        message.accepted.client_opaque = own.map(Into::into);
        message.delivery.status = Status::Sent;
        message.delivery.attempt = 1;
        message.delivery.wamids = vec![Wamid::parse(wamid).expect("an id")];
    });
    let opaque = OpaqueSigner::new(&OPAQUE_KEY, None).sign(&message.key(), &number, 1);
    service.store_message(tenant, message).await;
    opaque
}

async fn post(service: &Service, body: impl Into<axum::body::Body>) {
    let answer = service.post_text(PATH, body).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
}

/// The whole feed of a tenant, so many entries a body.
async fn bodies(service: &Service, tenant: &TestTenant, batch: usize) -> Vec<Value> {
    let tenant_id = TenantId::parse(&tenant.id).expect("an id");
    let (mut items, mut after) = (Vec::<FeedItem>::new(), None);
    loop {
        let page = service
            .app
            .reading
            .feed(&tenant_id, after.as_deref(), PAGE)
            .await
            .expect("a page");
        if page.items.is_empty() {
            break;
        }
        after = Some(page.next.to_string());
        items.extend(page.items);
    }
    let mut bodies = Vec::new();
    for batch in items.chunks(batch) {
        let body = service
            .app
            .reading
            .meta_body(&tenant_id, batch)
            .await
            .expect("the store answers");
        bodies.extend(body.map(|body| serde_json::from_str::<Value>(&body).expect("JSON")));
    }
    bodies
}

/// Every text, number and truth value of a value, with the names that lead to it.
fn leaves(value: &Value, path: &str, into: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| leaves(element, path, into)),
        Value::Object(fields) => {
            for (name, field) in fields {
                leaves(field, &format!("{path}/{name}"), into);
            }
        }
        leaf => drop(into.insert((path.replace("/history/threads", ""), leaf.to_string()))),
    }
}

fn leaves_of(values: &[Value]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for value in values {
        leaves(value, "", &mut found);
    }
    found
}

/// What a tenant's own webhook would have got: its callback data where ours is.
fn as_told_to_the_tenant(value: &mut Value, own: &BTreeMap<String, Option<&str>>) {
    match value {
        Value::Array(elements) => elements
            .iter_mut()
            .for_each(|element| as_told_to_the_tenant(element, own)),
        Value::Object(fields) => {
            let ours = fields.get("biz_opaque_callback_data").and_then(Value::as_str);
            match ours.and_then(|ours| own.get(ours).copied()) {
                Some(Some(text)) => drop(fields.insert("biz_opaque_callback_data".into(), json!(text))),
                Some(None) => drop(fields.remove("biz_opaque_callback_data")),
                None => {}
            }
            fields.values_mut().for_each(|field| as_told_to_the_tenant(field, own));
        }
        _ => {}
    }
}

fn number(phone_number_id: &str, waba_id: &str, display: &str) -> Number {
    Number {
        phone_number_id: phone_number_id.into(),
        waba_id: waba_id.into(),
        display_phone_number: display.into(),
    }
}

/// Each payload alone, received by a tenant that is alone. A path is a path of the same names.
#[tokio::test]
async fn every_leaf_of_a_payload_is_found_under_its_path_and_nothing_else_is() {
    for (at, payload) in payloads::all().into_iter().enumerate() {
        let service = Service::open();
        let tenant = register(&service, &number(NUMBER, ACCOUNT, DISPLAY)).await;
        let mut own = BTreeMap::new();
        let mut text = payload.clone();
        for (n, wamid) in WAMIDS.iter().enumerate() {
            let given = (n % 2 == 0).then_some(OWN);
            let opaque = sent(&service, &tenant, wamid, given).await;
            text = text.replace(&format!("{{ours of {wamid}}}"), &opaque);
            own.insert(opaque, given);
        }
        post(&service, text.clone()).await;
        let mut expected: Value = serde_json::from_str(&text).expect("JSON");
        as_told_to_the_tenant(&mut expected, &own);
        let expected = leaves_of(&[expected]);
        for batch in [1, 100] {
            let bodies = bodies(&service, &tenant, batch).await;
            let found = leaves_of(&bodies);
            let lost: Vec<_> = expected.difference(&found).collect();
            let added: Vec<_> = found.difference(&expected).collect();
            assert!(
                lost.is_empty() && added.is_empty(),
                "payload {at}: lost {lost:?}, added {added:?} of {text}"
            );
            let is_one = bodies.len() == 1;
            assert!(batch == 1 || is_one, "{} bodies", bodies.len());
        }
    }
}

/// The whole elements, as Meta wrote them: by their JSON values.
#[tokio::test]
async fn a_message_and_a_status_are_found_whole_with_their_contact() {
    let service = Service::open();
    let tenant = register(&service, &number(NUMBER, ACCOUNT, DISPLAY)).await;
    sent(&service, &tenant, "wamid.OUT1", None).await;
    let value = json!({"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": DISPLAY, "phone_number_id": NUMBER},
        "contacts": [{"wa_id": "1", "profile": {"name": "One"}}, {"wa_id": "2", "user_id": "US.2"}],
        "messages": [{"id": "wamid.1", "from": "1", "timestamp": "1", "type": "text", "text": {"body": "a"}, "new": [1.5]}],
        "statuses": [{"id": "wamid.OUT1", "status": "read", "timestamp": "2", "recipient_id": "2", "new": {"x": null}}]});
    let entry = json!({"id": ACCOUNT, "time": 7, "changes": [{"field": "messages", "value": value}]});
    post(
        &service,
        json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string(),
    )
    .await;
    let bodies = bodies(&service, &tenant, 10).await;
    let entries = bodies[0]["entry"].as_array().expect("entries");
    assert_eq!(entries.len(), 2);
    for (list, contact) in [("messages", 0), ("statuses", 1)] {
        let mut alone = entry.clone();
        let of_value = alone["changes"][0]["value"].as_object_mut().expect("an object");
        of_value.remove(if list == "messages" { "statuses" } else { "messages" });
        of_value.insert("contacts".into(), json!([value["contacts"][contact]]));
        assert!(entries.contains(&alone), "{alone} in {entries:?}");
    }
}

/// Whose a change is, as Meta's page on webhooks says: its number's, or its account's.
fn owner<'n>(numbers: &'n [Number], account: &Value, value: &Value) -> Vec<&'n str> {
    let named = [
        &value["metadata"]["phone_number_id"],
        &value["phone_number_settings"]["phone_number_id"],
    ];
    let is_named = |number: &&Number| named.iter().any(|id| **id == json!(number.phone_number_id));
    let by_digits = |number: &&Number| value["display_phone_number"] == json!(number.display_phone_number);
    let by_account = |number: &&Number| *account == json!(number.waba_id);
    let found = numbers.iter().find(is_named).or_else(|| numbers.iter().find(by_digits));
    let found = found.or_else(|| numbers.iter().find(by_account));
    found
        .map(|number| number.phone_number_id.as_str())
        .into_iter()
        .collect()
}

/// Texts of a value that tell whose they are.
fn telling(value: &Value) -> BTreeSet<String> {
    let found = leaves_of(std::slice::from_ref(value)).into_iter();
    found
        .map(|(_, leaf)| leaf)
        .filter(|leaf| leaf.len() >= TELLING)
        .collect()
}

/// Everything that Meta posts, at random, for several tenants at once.
#[tokio::test]
async fn of_random_webhooks_each_tenant_gets_its_own_and_nothing_of_another() {
    let service = Service::open();
    let numbers = [
        Number::derived("1111111"),
        Number::derived("2222222"),
        Number::derived("3333333"),
    ];
    let (mut tenants, mut own, mut messages) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for number in &numbers {
        let tenant = register(&service, number).await;
        for n in 0..6 {
            let wamid = format!("wamid.SENT.{}.{n}", number.phone_number_id);
            let given = format!("own-of-{}-{n}", number.phone_number_id);
            let given: Option<&str> = (n % 2 == 0).then(|| &*given.leak());
            let opaque = sent(&service, &tenant, &wamid, given).await;
            own.insert(opaque.clone(), given);
            messages.push(SentMessage {
                phone_number_id: number.phone_number_id.clone(),
                wamid,
                to: format!("1777{}{n}", number.phone_number_id),
                biz_opaque: Some(opaque),
            });
        }
        tenants.insert(number.phone_number_id.as_str(), tenant);
    }
    let mixture = Mixture {
        seed: 3,
        bodies: 60,
        ..Mixture::default()
    };
    let wamids: BTreeSet<String> = messages.iter().map(|message| message.wamid.clone()).collect();
    let mut must: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut may: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let now = service.clock.wall().as_millis() / 1_000;
    for planned in mixture.bodies(numbers.to_vec(), messages, now) {
        let mut body: Value = serde_json::from_slice(&planned.body).expect("JSON");
        as_told_to_the_tenant(&mut body, &own);
        for entry in body["entry"].as_array().expect("entries") {
            for change in entry["changes"].as_array().expect("changes") {
                for name in owner(&numbers, &entry["id"], &change["value"]) {
                    may.entry(name).or_default().extend(telling(entry));
                    let mut sure = change.clone();
                    if let Some(statuses) = sure["value"].get_mut("statuses").and_then(Value::as_array_mut) {
                        // A status of a message that nobody sent is the operator's, with what it says of the person.
                        statuses.retain(|status| status["id"].as_str().is_some_and(|id| wamids.contains(id)));
                        sure["value"]["contacts"].take();
                    }
                    must.entry(name).or_default().extend(telling(&sure));
                }
            }
        }
        post(&service, planned.body.to_vec()).await;
    }
    let all: BTreeSet<String> = may.values().flatten().cloned().collect();
    for (name, tenant) in &tenants {
        let found = bodies(&service, tenant, 7).await;
        assert!(found.len() > 5, "{} bodies", found.len());
        let found: BTreeSet<String> = found.iter().flat_map(|body| telling(&body["entry"])).collect();
        let lost: Vec<_> = must[name].difference(&found).collect();
        assert!(lost.is_empty(), "{name} lost {lost:?}");
        let added: Vec<_> = found.difference(&all).collect();
        assert!(added.is_empty(), "{name} got {added:?}, which Meta did not post");
        let leaked: Vec<_> = found.difference(&may[name]).collect();
        assert!(leaked.is_empty(), "{name} got {leaked:?}");
    }
}
