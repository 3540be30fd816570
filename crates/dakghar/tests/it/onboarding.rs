//! The onboarding page in a real browser: from a link to the first message sent and the reply to it received, whatever the
//! customer, the browser and Meta's dialog do. Screenshots are below the target folder, in `tmp/onboarding`.

use std::path::{Path, PathBuf};

use dakghar_graph_sim::{
    Account, DialogMessage, DialogPlan, Fault, FaultRule, InboundMessage, Match, Number, Registration,
};
use dakghar_testkit::servers::skip_without;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_link_becomes_a_number_that_sends_and_receives,
    a_customer_stumbles_and_still_arrives,
);

const WABA: &str = "900";
const NUMBER: &str = "501";
const CUSTOMER: &str = "+8801711000001";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/onboarding")
}

/// The browser, if it is there with what drives it; says so if not, and panics in CI.
fn chromium() -> Option<PathBuf> {
    let found = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];
    let found = found.into_iter().map(PathBuf::from).find(|path| path.is_file());
    if found.is_none() || !folder().join("node_modules/playwright-core/package.json").is_file() {
        skip_without("Chromium, or playwright-core of npm");
        return None;
    }
    found
}

/// A customer with a browser of this width, whose owner speaks this language.
struct Customer<'a> {
    product: &'a Product,
    chromium: PathBuf,
    width: u32,
    locale: &'static str,
}

impl Customer<'_> {
    /// Does one scenario of `browser.mjs`, and returns what the customer saw.
    async fn does(&self, scenario: &str, link: &Value, more: &Value) -> Value {
        let mut asked = json!({
            "scenario": scenario, "url": link["url"], "number": NUMBER, "pin": "123456",
            "width": self.width, "locale": self.locale, "chromium": self.chromium,
            "shots": Path::new(env!("CARGO_TARGET_TMPDIR")).join("onboarding"),
        });
        for (name, value) in more.as_object().expect("an object") {
            asked[name] = value.clone();
        }
        let output = Command::new("node")
            .args(["browser.mjs", &asked.to_string()])
            .current_dir(folder())
            .kill_on_drop(true)
            .output();
        let output = output.await.expect("node runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let seen: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{errors}"));
        assert_eq!(
            seen["problems"],
            json!([]),
            "{scenario}: {seen}\n{}",
            self.product.log()
        );
        seen
    }
}

/// A product with the page, whose SDK and dialog are simulated, and a tenant without a number.
async fn with_page(backend: Backend) -> (Product, Tenant) {
    let mut product = Setup::on(backend).env("APP_ID", "4242").start().await;
    product.set("PUBLIC_URL", product.url(""));
    product.set("SIGNUP_CONFIG_ID", "7007");
    product.set("SIGNUP_SDK_URL", format!("{}/_sim/sdk.js", product.sim.base_url()));
    product.restart().await;
    let registered = product.post("/tenants/register", json!({"name": "Dhaka Books"})).await;
    let tenant = Tenant {
        id: text(&registered["tenantId"]),
        api_key: text(&registered["apiKey"]),
    };
    add_number(&product, Registration::new(NUMBER));
    product.sim.set_account(Account {
        waba_id: WABA.to_owned(),
        currency: "BDT".to_owned(),
        is_paid_for: true,
    });
    (product, tenant)
}

fn add_number(product: &Product, registration: Registration) {
    product.sim.set_number(Number {
        waba_id: WABA.to_owned(),
        ..Number::derived(NUMBER)
    });
    product.sim.set_registration(registration);
}

async fn link(product: &Product, tenant: &Tenant, body: Value) -> Value {
    product
        .post(&format!("/tenants/{}/onboarding-links", tenant.id), body)
        .await
}

async fn signup(product: &Product, tenant: &Tenant, link: &Value) -> Value {
    let id = text(&link["signupId"]);
    product.get(&format!("/tenants/{}/signups/{id}", tenant.id)).await
}

fn when(call: &str) -> Match {
    Match {
        call: Some(call.to_owned()),
        ..Match::default()
    }
}

/// Sends the first message from the number, and receives the reply to it.
async fn talks(product: &Product, tenant: &Tenant, reply: &str) {
    let path = format!("/tenants/{}/send", tenant.id);
    let body = json!({"to": CUSTOMER, "text": "আপনার অর্ডার পাঠানো হয়েছে", "from": NUMBER});
    let sent = text(&product.post(&path, body).await["messageId"]);
    product.until_status(tenant, &sent, "delivered").await;
    let inbound = InboundMessage::text(NUMBER, CUSTOMER, reply);
    product.sim.send_inbound(inbound).expect("it is sent");
    let messages = format!("/tenants/{}/messages?direction=inbound", tenant.id);
    let has_come = async || product.get(&messages).await["data"][0]["content"]["body"] == json!(reply);
    assert!(eventually(has_come).await, "{}", product.get(&messages).await);
}

async fn a_link_becomes_a_number_that_sends_and_receives(backend: Backend) {
    let Some(chromium) = chromium() else { return };
    let (product, tenant) = with_page(backend).await;
    for (n, (width, locale)) in [(360, "bn-BD"), (1_280, "en-US")].into_iter().enumerate() {
        let customer = Customer {
            product: &product,
            chromium: chromium.clone(),
            width,
            locale,
        };
        // One after the other, the number is connected anew; the dialog's message comes late, or not at all.
        add_number(&product, Registration::new(NUMBER));
        product.sim.set_dialog(DialogPlan {
            message: [DialogMessage::After, DialogMessage::Lost][n],
            ..DialogPlan::default()
        });
        let returns = format!("{}/docs?order=1", product.url(""));
        let link = link(&product, &tenant, json!({"returnUrl": returns})).await;
        // Where the customer is led back to is no page of this test.
        let more = json!({"returns": true, "expected": ["Content Security Policy"]});
        let seen = customer.does("connects", &link, &more).await;
        let language = &locale[..2];
        assert_eq!(
            (&seen["language"], &seen["steps"]),
            (&json!(language), &json!(5)),
            "{seen}"
        );
        assert_eq!(seen["focused"], "H1", "{seen}");
        assert!(text(&seen["start"]).contains("Dhaka Books"), "{seen}");
        let id = text(&link["signupId"]);
        assert_eq!(seen["return"], format!("{returns}&signupId={id}&state=done"), "{seen}");
        assert_eq!(seen["came"], seen["return"]);
        let done = signup(&product, &tenant, &link).await;
        assert_eq!(
            (&done["state"], &done["phoneNumberId"]),
            (&json!("done"), &json!(NUMBER)),
            "{done}"
        );
        assert_eq!(seen["number"], done["number"]["displayPhoneNumber"]);
        talks(&product, &tenant, &format!("ধন্যবাদ 🙏 {width}")).await;
        let again = customer.does("notice", &link, &json!({"expected": ["403"]})).await;
        assert_eq!(again["notice"], "used", "{again}");
    }
    // The secret of a link is nowhere.
    let link = link(&product, &tenant, json!({})).await;
    let url = text(&link["url"]);
    let secret = url.rsplit('/').next().expect("a secret");
    let stored = product.stored_bytes().await;
    assert!(!product.log().contains(secret));
    assert!(!stored.windows(secret.len()).any(|window| window == secret.as_bytes()));
}

async fn a_customer_stumbles_and_still_arrives(backend: Backend) {
    let Some(chromium) = chromium() else { return };
    let (product, tenant) = with_page(backend).await;
    for (width, locale) in [(360, "en-US"), (1_280, "bn-BD")] {
        let customer = Customer {
            product: &product,
            chromium: chromium.clone(),
            width,
            locale,
        };
        add_number(&product, Registration::new(NUMBER));
        let stumbling = link(&product, &tenant, json!({})).await;
        let seen = customer.does("stumbles", &stumbling, &json!({})).await;
        assert_eq!(seen["forged"], false, "{seen}");
        assert_eq!(seen["closed"], seen["abandoned"], "{seen}");
        assert_ne!(seen["error"], seen["abandoned"], "{seen}");
        assert_eq!(signup(&product, &tenant, &stumbling).await["state"], "done");

        // The browser blocks the window, and the tenant learns of it.
        let blocked = link(&product, &tenant, json!({})).await;
        customer.does("blocked", &blocked, &json!({})).await;
        let told = async || signup(&product, &tenant, &blocked).await["reason"] == "dialog_blocked";
        assert!(eventually(told).await, "{}", signup(&product, &tenant, &blocked).await);

        product
            .sim
            .add_rule(FaultRule::first(1, Fault::HtmlBadGateway).when(when("sdk")));
        let without = link(&product, &tenant, json!({})).await;
        customer
            .does("without", &without, &json!({"expected": ["502", "CORS", "ERR_FAILED"]}))
            .await;

        // The registration takes its time, and the customer reloads the page meanwhile.
        add_number(&product, Registration::new(NUMBER));
        product.sim.add_rule(
            FaultRule::first(1, Fault::Slow { ms: 12_000 })
                .when(when("register"))
                .times(1),
        );
        let reloading = link(&product, &tenant, json!({})).await;
        let seen = customer
            .does("reloads", &reloading, &json!({"expected": ["403"]}))
            .await;
        assert_eq!(seen["stranger"], json!([403, "used"]), "{seen}");

        add_number(
            &product,
            Registration {
                pin: Some("123456".to_owned()),
                ..Registration::new(NUMBER)
            },
        );
        let with_pin = link(&product, &tenant, json!({})).await;
        let expected = json!({"expected": ["ERR_INTERNET_DISCONNECTED"]});
        let seen = customer.does("pin", &with_pin, &expected).await;
        assert_eq!(seen["wrong"], true, "{seen}");

        let cancelled = link(&product, &tenant, json!({})).await;
        let path = format!("/tenants/{}/signups/{}/cancel", tenant.id, text(&cancelled["signupId"]));
        product.post(&path, json!({})).await;
        let seen = customer.does("notice", &cancelled, &json!({"expected": ["410"]})).await;
        assert_eq!(seen["notice"], "cancelled", "{seen}");
    }
}
