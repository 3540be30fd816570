//! Signups through the whole product: from the code of a dialog to a message that is sent, whatever is killed on the way; and the
//! faults of every step.

use dakghar_graph_sim::{Account, Fault, FaultRule, Match, NewCode, Number, Registration};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_code_becomes_a_number_that_sends_though_the_process_is_killed_on_the_way,
    every_step_that_fails_says_so_and_a_retry_finishes_and_nothing_is_done_twice,
    many_signups_at_once_are_killed_at_random_and_all_finish,
    the_shell_lists_shows_and_retries,
    the_shell_makes_links_and_takes_them_back,
);

const WABA: &str = "900";
const NUMBER: &str = "501";

/// An installation that connects numbers, and shares its credit line with their accounts.
pub fn setup(backend: Backend) -> Setup {
    Setup::on(backend)
        .env("APP_ID", "4242")
        .env("SIGNUP_CREDIT_LINE", "77")
        .env("SIGNUP_CREDIT_TOKEN", "EAAG-partner-canary")
        .env("SIGNUP_CONFIG_ID", "7007")
        .env("PUBLIC_URL", "https://gateway.example.com")
}

/// A product, a tenant with a first number, and an account with a new one at Meta.
async fn with_account(backend: Backend) -> (Product, Tenant) {
    let product = setup(backend).start().await;
    let tenant = product.tenant("111", "EAAG-first-canary").await;
    add_account(&product, WABA, NUMBER);
    (product, tenant)
}

/// An account that nobody pays for, with a number that is not registered.
pub fn add_account(product: &Product, waba_id: &str, number: &str) {
    product.sim.set_number(Number {
        waba_id: waba_id.to_owned(),
        ..Number::derived(number)
    });
    product.sim.set_registration(Registration::new(number));
    product.sim.set_account(Account {
        waba_id: waba_id.to_owned(),
        currency: "BDT".to_owned(),
        is_paid_for: false,
    });
}

async fn begin(product: &Product, tenant: &Tenant, waba_id: &str) -> String {
    let code = product.sim.give_code(NewCode::for_accounts(&[waba_id]));
    let path = format!("/tenants/{}/signups", tenant.id);
    let begun = product.post(&path, json!({"code": code, "wabaId": waba_id})).await;
    format!("{path}/{}", text(&begun["signupId"]))
}

async fn until(product: &Product, path: &str, states: &[&str]) -> Value {
    let is_there = eventually(async || {
        let (status, signup) = product.call("GET", path, None).await;
        status == 200 && states.iter().any(|state| signup["state"] == *state)
    });
    assert!(is_there.await, "{}", product.get(path).await);
    product.get(path).await
}

/// How often Meta did what this call asks for.
pub fn done(product: &Product, call: &str, about: &str) -> usize {
    let journal = product.sim.onboarding_journal();
    let done = journal.iter().filter(|entry| entry.call == call && entry.is_done);
    done.filter(|entry| about.is_empty() || entry.about == about).count()
}

fn assert_done_once(product: &Product) {
    for (call, about) in [
        ("exchange", ""),
        ("subscribe", WABA),
        ("register", NUMBER),
        ("credit", WABA),
    ] {
        assert_eq!(
            done(product, call, about),
            1,
            "{call}: {:#?}",
            product.sim.onboarding_journal()
        );
    }
}

/// Sends a message from the number, and waits until it has arrived.
pub async fn sends_from(product: &Product, tenant: &Tenant, number: &str) {
    let path = format!("/tenants/{}/send", tenant.id);
    let body = json!({"to": "+919111111111", "text": "the first", "from": number});
    let sent = text(&product.post(&path, body).await["messageId"]);
    let message = product.until_status(tenant, &sent, "delivered").await;
    assert_eq!(message["from"], number, "{message}");
}

async fn a_code_becomes_a_number_that_sends_though_the_process_is_killed_on_the_way(backend: Backend) {
    let (mut product, tenant) = with_account(backend).await;
    // Meta takes its time with the registration, and the process dies meanwhile.
    let register = Match {
        call: Some("register".to_owned()),
        ..Match::default()
    };
    product
        .sim
        .add_rule(FaultRule::first(1, Fault::Slow { ms: 60_000 }).when(register));
    let path = begin(&product, &tenant, WABA).await;
    assert!(eventually(async || done(&product, "register", NUMBER) == 1).await);
    product.restart().await;

    let signup = until(&product, &path, &["done", "stopped"]).await;
    assert_eq!(signup["state"], "done", "{signup}");
    assert_done_once(&product);
    assert_eq!(signup["number"]["status"], "CONNECTED", "{signup}");
    sends_from(&product, &tenant, NUMBER).await;
    let tenant_now = product.get(&format!("/tenants/{}", tenant.id)).await;
    let number = &tenant_now["phoneNumbers"][1];
    assert_eq!(
        (&number["phoneNumberId"], &number["wabaId"]),
        (&json!(NUMBER), &json!(WABA))
    );

    // Nothing of what is secret is anywhere.
    let pin = product.sim.registration(NUMBER).pin.expect("it has one");
    let shown = product.get(&path).await.to_string() + &tenant_now.to_string();
    let log = product.log();
    let stored = product.stored_bytes().await;
    for secret in [
        "AQ-simulated-code",
        "EAA-simulated-business-token",
        "EAAG-partner-canary",
    ] {
        assert!(!log.contains(secret) && !shown.contains(secret), "{secret}");
        let is_stored = stored.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_stored, "{secret} is in the store");
    }
    assert!(!shown.contains(&format!("\"{pin}\"")), "the PIN is shown");
}

async fn every_step_that_fails_says_so_and_a_retry_finishes_and_nothing_is_done_twice(backend: Backend) {
    let (product, tenant) = with_account(backend).await;
    let stops = [
        ("account", 3),
        ("numbers", 104),
        ("subscriptions", 3),
        ("subscribe", 104),
        ("register", 133_006),
        ("register", 2_388_091),
    ];
    let waits = [
        ("register", 133_008),
        ("register", 133_009),
        ("register", 133_015),
        ("register", 133_016),
    ];
    for (call, code) in stops.into_iter().chain(waits) {
        let when = Match {
            call: Some(call.to_owned()),
            ..Match::default()
        };
        product
            .sim
            .add_rule(FaultRule::first(1, Fault::graph_error(code)).when(when).times(1));
    }
    let path = begin(&product, &tenant, WABA).await;
    let retry = format!("{path}/retry");
    for (n, (call, code)) in stops.into_iter().chain(waits).enumerate() {
        let state = if n < stops.len() { "stopped" } else { "waiting" };
        let is_there = eventually(async || {
            let signup = product.get(&path).await;
            signup["state"] == state && signup["error"]["code"] == code
        });
        let is_there = is_there.await;
        let signup = product.get(&path).await;
        assert!(is_there, "{call} {code}: {signup}");
        assert!(
            signup["advice"].as_str().is_some_and(|advice| advice.len() > 20),
            "{signup}"
        );
        assert!(signup["error"]["fbtraceId"].is_string(), "{signup}");
        let (status, answer) = product.call("POST", &retry, Some(json!({}))).await;
        assert_eq!(status, 200, "{answer}");
    }
    until(&product, &path, &["done"]).await;
    assert_done_once(&product);
    sends_from(&product, &tenant, NUMBER).await;
}

async fn many_signups_at_once_are_killed_at_random_and_all_finish(backend: Backend) {
    const SIGNUPS: usize = 20;
    let (mut product, _) = with_account(backend).await;
    let mut paths = Vec::new();
    for n in 0..SIGNUPS {
        // A tenant that has no number before.
        let registered = product
            .post("/tenants/register", json!({"name": format!("Tenant {n}")}))
            .await;
        let tenant = Tenant {
            id: text(&registered["tenantId"]),
            api_key: text(&registered["apiKey"]),
        };
        let (waba_id, number) = (format!("70{n}"), format!("60{n}"));
        add_account(&product, &waba_id, &number);
        let path = begin(&product, &tenant, &waba_id).await;
        paths.push((path, waba_id, number));
        if n % 5 == 4 {
            product.restart().await;
        }
    }
    for (path, waba_id, number) in &paths {
        let mut signup = until(&product, path, &["done", "stopped"]).await;
        if signup["state"] == "stopped" {
            // Killed between Meta's exchange and keeping the token.
            assert_eq!(signup["step"], "exchange", "{signup}");
            assert_eq!(signup["needsCode"], true, "{signup}");
            let code = product.sim.give_code(NewCode::for_accounts(&[waba_id]));
            product.post(&format!("{path}/retry"), json!({"code": code})).await;
            signup = until(&product, path, &["done"]).await;
        }
        assert_eq!(signup["phoneNumberId"], number.as_str(), "{signup}");
        for (call, about) in [("subscribe", waba_id), ("register", number), ("credit", waba_id)] {
            assert_eq!(done(&product, call, about), 1, "{call} {about}");
        }
    }
}

async fn the_shell_lists_shows_and_retries(backend: Backend) {
    let (product, tenant) = with_account(backend).await;
    product.sim.set_registration(Registration {
        pin: Some("123456".to_owned()),
        ..Registration::new(NUMBER)
    });
    let path = begin(&product, &tenant, WABA).await;
    until(&product, &path, &["stopped"]).await;
    let id = path.rsplit('/').next().expect("an id");
    let of = ["--tenant", tenant.id.as_str()];
    let (code, listed, errors) = product.run(&["signup", "list", of[0], of[1]]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        listed.contains(id) && listed.contains("stopped") && listed.contains("register"),
        "{listed}"
    );
    let (code, shown, errors) = product.run(&["signup", "show", of[0], of[1], id]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        shown.contains("(133005)") && shown.contains("retry with pin"),
        "{shown}"
    );
    let (code, retried, errors) = product.run(&["signup", "retry", of[0], of[1], id, "--pin", "123456"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(retried.contains("running"), "{retried}");
    until(&product, &path, &["done"]).await;
    assert_done_once(&product);
}

async fn the_shell_makes_links_and_takes_them_back(backend: Backend) {
    let (product, tenant) = with_account(backend).await;
    let of = ["--tenant", tenant.id.as_str()];
    let more = [
        "--expires-in",
        "600",
        "--language",
        "bn",
        "--return-url",
        "https://shop.example.com/",
    ];
    let (code, made, errors) = product.run(&[&["signup", "invite"][..], &of[..], &more[..]].concat());
    assert_eq!(code, Some(0), "{errors}");
    let url = made
        .split_whitespace()
        .find(|word| word.starts_with("https://gateway.example.com/onboard/"));
    assert!(url.is_some(), "{made}");
    let id = made
        .split_whitespace()
        .find(|word| word.starts_with("sgn_"))
        .expect("an id");
    let path = format!("/tenants/{}/signups/{id}", tenant.id);
    let invited = product.get(&path).await;
    assert_eq!(
        (&invited["state"], &invited["link"]["language"]),
        (&json!("invited"), &json!("bn"))
    );
    assert_eq!(invited["askedBy"], "cli");
    let (code, cancelled, errors) = product.run(&["signup", "cancel", of[0], of[1], id]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(cancelled.contains("cancelled"), "{cancelled}");
    assert_eq!(product.get(&path).await["state"], "cancelled");
}
