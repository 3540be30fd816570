//! Every fault that a signup can meet, at the step where it occurs: what the signup says of it, how it goes on, and that nothing is
//! done twice at Meta.
//!
//! Each of the [`rows`] is a signup of a tenant, with an account and a number of its own. A rule of the simulated Meta lets the one
//! call fail until the signup has said so. Then the rule is taken away, and the signup goes on as its row says.

mod rows;

use std::time::Duration;

use dakghar_graph_sim::{NewCode, RuleId};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::product::{Backend, Product, eventually, on_both_backends, text};
use crate::signups::{add_account, done, setup};
use rows::{Row, Then};

on_both_backends!(
    every_refusal_is_told_and_a_retry_finishes_and_nothing_is_done_twice,
    what_fails_around_a_call_passes_by_itself_and_nothing_is_done_twice,
    a_call_that_hangs_is_given_up_and_what_it_did_is_found,
);

/// Signups that are under way at a time.
const AT_ONCE: usize = 10;
/// The wait between two looks at each of them.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The PIN that a number has, in the customer's memory.
const PIN: &str = "123456";
/// Meta's word that a number must be deregistered first.
const HALF_DEREGISTERED: u32 = 133_000;

async fn every_refusal_is_told_and_a_retry_finishes_and_nothing_is_done_twice(backend: Backend) {
    walk_all(backend, &rows::refusals()).await;
}

async fn what_fails_around_a_call_passes_by_itself_and_nothing_is_done_twice(backend: Backend) {
    walk_all(backend, &rows::around()).await;
}

async fn a_call_that_hangs_is_given_up_and_what_it_did_is_found(backend: Backend) {
    walk_all(backend, &rows::hanging()).await;
}

async fn walk_all(backend: Backend, rows: &[Row]) {
    // One step is optional, so that both ways are walked.
    let product = setup(backend).env("SIGNUP_OPTIONAL_STEPS", "facts").start().await;
    let walks = rows.iter().enumerate().map(|(n, row)| walk(&product, n, row));
    let walks = stream::iter(walks).buffer_unordered(AT_ONCE);
    let walked = walks.collect::<Vec<()>>().await;
    assert_eq!(walked.len(), rows.len());
}

async fn walk(product: &Product, n: usize, row: &Row) {
    let mut signup = Signup::begin(product, n, row).await;
    if let Some(state) = row.then.state() {
        signup.is_told(state).await;
        product.sim.remove_rule(signup.rule);
        signup.gets_what_it_needs().await;
    }
    signup.ends().await;
}

/// A signup that meets a fault.
struct Signup<'a> {
    product: &'a Product,
    row: &'a Row,
    path: String,
    waba_id: String,
    number: String,
    /// The codes of the dialog that it was given.
    codes: Vec<String>,
    rule: RuleId,
}

impl<'a> Signup<'a> {
    async fn begin(product: &'a Product, n: usize, row: &'a Row) -> Self {
        let name = format!("{} {n}", row.call);
        let registered = product.post("/tenants/register", json!({"name": name})).await;
        let (waba_id, number) = (format!("70{n:03}"), format!("60{n:03}"));
        add_account(product, &waba_id, &number);
        let code = product.sim.give_code(NewCode::for_accounts(&[&waba_id]));
        let about = match row.call {
            "exchange" => &code,
            "number" | "register" | "profile" => &number,
            _ => &waba_id,
        };
        let rule = product.sim.add_rule(row.rule(about));
        let path = format!("/tenants/{}/signups", text(&registered["tenantId"]));
        let begun = product.post(&path, json!({"code": code, "wabaId": waba_id})).await;
        Self {
            product,
            row,
            path: format!("{path}/{}", text(&begun["signupId"])),
            waba_id,
            number,
            codes: vec![code],
            rule,
        }
    }

    async fn until(&self, states: &[&str]) -> Value {
        let mut signup = Value::Null;
        let is_there = eventually(async || {
            tokio::time::sleep(LOOK_EVERY).await;
            signup = self.product.get(&self.path).await;
            states.iter().any(|state| signup["state"] == *state)
        })
        .await;
        assert!(is_there, "{:?} is never {states:?}: {signup:#}", self.row);
        signup
    }

    /// Waits until it says that it does not go on: where, why, and what to do.
    async fn is_told(&self, state: &str) {
        let row = self.row;
        let signup = self.until(&[state, "done"]).await;
        assert_eq!(signup["state"], state, "{row:?}: {signup:#}");
        let step = match row.then {
            // Whose account it is is asked with that token.
            Then::LosesToken => "credit",
            _ => row.step(),
        };
        assert_eq!(signup["step"], step, "{row:?}: {signup:#}");
        let advice = signup["advice"].as_str().unwrap_or_default();
        assert!(advice.len() > 20, "{row:?}: {signup:#}");
        assert_eq!(signup["needsCode"], row.then.needs_code(), "{row:?}: {signup:#}");
        self.says_why(&signup);
        match row.then {
            Then::Waits(seconds) => assert_eq!(wait_of(&signup), seconds, "{row:?}: {signup:#}"),
            Then::NeedsPin => assert!(advice.contains("retry with pin"), "{advice}"),
            Then::NeedsCode | Then::UsedUp | Then::LosesToken => {
                assert!(advice.contains("code"), "{row:?}: {advice}");
            }
            _ => {}
        }
    }

    fn says_why(&self, signup: &Value) {
        let row = self.row;
        let (reason, error) = (&signup["reason"], &signup["error"]);
        let words = error["message"].as_str().unwrap_or_default();
        match row.refusal() {
            _ if row.then == Then::LosesToken => assert_eq!(reason, "token_invalid", "{signup:#}"),
            Some((100, _)) if row.call == "debug_token" => assert_eq!(reason, "token_of_other_app", "{signup:#}"),
            // The answer says nothing of the token, and its code is told in words.
            Some((code, _)) if row.call == "debug_token" => {
                assert_eq!(reason, "no_answer", "{row:?}: {signup:#}");
                assert!(words.contains(&format!("({code})")), "{row:?}: {signup:#}");
            }
            Some((code, subcode)) => {
                assert_eq!(reason, "meta_refused", "{row:?}: {signup:#}");
                let told = (&error["code"], &error["subcode"]);
                assert_eq!(told, (&json!(code), &json!(subcode)), "{row:?}: {signup:#}");
                assert!(error["fbtraceId"].is_string(), "{row:?}: {signup:#}");
            }
            None => {
                assert_eq!(reason, "no_answer", "{row:?}: {signup:#}");
                assert!(!words.is_empty(), "{row:?}: {signup:#}");
            }
        }
    }

    /// Does what the advice says.
    async fn gets_what_it_needs(&mut self) {
        match self.row.then {
            Then::Stops | Then::Waits(_) => self.retry(json!({})).await,
            Then::NeedsPin => self.retry(json!({"pin": PIN})).await,
            Then::NeedsCode | Then::UsedUp | Then::LosesToken => {
                let retry = format!("{}/retry", self.path);
                let (status, refused) = self.product.call("POST", &retry, Some(json!({}))).await;
                let wanted = json!("signup_needs_code");
                assert_eq!((status, &refused["code"]), (409, &wanted), "{:?}", self.row);
                let code = self.product.sim.give_code(NewCode::for_accounts(&[&self.waba_id]));
                self.codes.push(code.clone());
                self.retry(json!({"code": code})).await;
            }
            Then::GoesOn | Then::Heals | Then::Passes | Then::LeftOut => {}
        }
    }

    async fn retry(&self, body: Value) {
        self.product.post(&format!("{}/retry", self.path), body).await;
    }

    /// Waits until it is done, and looks at what it says of the step, and at what Meta was asked to do.
    async fn ends(&self) {
        let row = self.row;
        let signup = self.until(&["done", "stopped"]).await;
        assert_eq!(signup["state"], "done", "{row:?}: {signup:#}");
        assert_eq!(signup["phoneNumberId"], self.number.as_str(), "{row:?}: {signup:#}");
        let steps = signup["steps"].as_array().expect("a list");
        let record = steps.iter().find(|record| record["step"] == row.step());
        let record = record.unwrap_or_else(|| panic!("{row:?}: {signup:#}"));
        let outcome = if row.then == Then::LeftOut { "failed" } else { "done" };
        assert_eq!(record["outcome"], outcome, "{row:?}: {signup:#}");
        match row.then {
            Then::GoesOn | Then::Heals => assert!(record["tries"].as_u64() >= Some(2), "{row:?}: {signup:#}"),
            Then::Passes => assert!(record["note"].is_string(), "{row:?}: {signup:#}"),
            Then::LeftOut => {
                let code = row.refusal().map(|(code, _)| code);
                assert_eq!(record["error"]["code"], json!(code), "{row:?}: {signup:#}");
                assert!(record["note"].is_string(), "{row:?}: {signup:#}");
            }
            Then::NeedsPin => {
                let pin = self.product.sim.registration(&self.number).pin;
                assert_eq!(pin.as_deref(), Some(PIN), "the customer's own PIN");
            }
            _ => {}
        }
        self.is_done_once();
    }

    fn is_done_once(&self) {
        let row = self.row;
        let is_left_out = |call: &str| row.call == call && matches!(row.then, Then::Passes | Then::LeftOut);
        let is_deregistered = row.refusal().is_some_and(|(code, _)| code == HALF_DEREGISTERED);
        let expected = [
            ("subscribe", &self.waba_id, 1),
            ("register", &self.number, usize::from(!is_left_out("register"))),
            ("deregister", &self.number, usize::from(is_deregistered)),
            ("credit", &self.waba_id, 1),
        ];
        for (call, about, times) in expected {
            assert_eq!(done(self.product, call, about), times, "{call} of {row:?}");
        }
        let (last, before) = self.codes.split_last().expect("a code");
        assert_eq!(done(self.product, "exchange", last), 1, "{row:?}");
        let was_exchanged = row.call != "exchange" || row.then == Then::UsedUp;
        for code in before {
            assert_eq!(
                done(self.product, "exchange", code),
                usize::from(was_exchanged),
                "{row:?}"
            );
        }
    }
}

/// The seconds from the refusal to the next try.
fn wait_of(signup: &Value) -> i64 {
    let at = |name: &str| {
        let at: jiff::Timestamp = text(&signup[name]).parse().expect("a time");
        at.as_millisecond()
    };
    (at("nextAt") - at("updatedAt")) / 1_000
}
