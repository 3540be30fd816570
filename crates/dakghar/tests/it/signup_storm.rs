//! A hundred signups at once, while the processes that carry them on are killed at random: all of them finish, and nothing is done
//! twice at Meta.
//!
//! The clients do what real ones do. Who gets no answer asks again. Where the code of a signup was over before it was exchanged, or
//! was used by a process that died before it kept the token, the customer finishes the dialog again, and the signup is retried with
//! the new code. Codes live for as long as Meta's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dakghar_graph_sim::{Fault, FaultRule, Match};
use dakghar_testkit::Port;
use futures_util::future::{join, join_all};
use rand::RngExt as _;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::{Value, json};

use crate::chaos::dice;
use crate::product::{ADMIN_KEY, Backend, Product, Tenant, eventually, on_both_backends, text};
use crate::signups::{add_account, sends_from, setup};

on_both_backends!(a_hundred_signups_at_once_are_killed_at_random_and_all_finish);

const SIGNUPS: usize = 100;
/// Signups whose number sends a message at the end.
const SENDING: usize = 5;
/// Kills that must have come while signups were under way.
const KILLS_MIN: usize = 8;
/// Kills after which a hundred signups are left in peace.
const KILLS_MAX: usize = 20;
/// A machine that finishes a hundred signups before so many kills gets another hundred, at most so often.
const STORMS_MAX: usize = 4;
/// Calls to Meta between two kills, at most.
const CALLS_BETWEEN: usize = 40;
/// The time between two kills where little happens, since what a dead process was at is left alone for a while.
const CALM_MS: std::ops::RangeInclusive<u64> = 300..=2_000;
/// The time from what Meta does to its answer, in which a kill leaves behind something that nobody knows of.
const ANSWER_MS: u64 = 150;
/// The wait of a client between two looks: a hundred ask at once.
const LOOK_EVERY: Duration = Duration::from_millis(700);
/// Workers of a distributed installation.
const WORKERS: usize = 2;

/// A process of the installation, and the port that it answers on.
struct Node {
    role: &'static str,
    port: u16,
    /// The port is nobody else's while the process is down.
    _claim: Option<Port>,
}

/// An installation, whose processes are in the order in which it has them.
async fn start(backend: Backend) -> (Product, Vec<Node>) {
    let role = if backend == Backend::Embedded { "serve" } else { "api" };
    let mut product = setup(backend).role(role).start().await;
    let mut nodes = vec![Node {
        role,
        port: product.port.number(),
        _claim: None,
    }];
    if backend != Backend::Embedded {
        for _ in 0..WORKERS {
            let claim = Port::claim();
            product.spawn_on("worker", claim.number());
            product.ready_on(claim.number()).await;
            nodes.push(Node {
                role: "worker",
                port: claim.number(),
                _claim: Some(claim),
            });
        }
    }
    (product, nodes)
}

/// Somebody who connects a number. All that it has is the API, which may be away, and Meta's dialog.
struct Client {
    http: reqwest::Client,
    api: String,
    meta: String,
    tenant: Tenant,
    waba_id: String,
    number: String,
}

impl Client {
    async fn of(product: &Product, n: usize) -> Self {
        let body = json!({"name": format!("Tenant {n}")});
        let registered = product.post("/tenants/register", body).await;
        let (waba_id, number) = (format!("70{n:03}"), format!("60{n:03}"));
        add_account(product, &waba_id, &number);
        Self {
            http: product.http.clone(),
            api: product.url(""),
            meta: product.sim.base_url(),
            tenant: Tenant {
                id: text(&registered["tenantId"]),
                api_key: text(&registered["apiKey"]),
            },
            waba_id,
            number,
        }
    }

    /// Finishes the dialog.
    async fn code(&self) -> String {
        let finish = self.http.post(format!("{}/_sim/codes", self.meta));
        let finished = finish.json(&json!({"waba_ids": [self.waba_id]})).send().await;
        let answer = finished.expect("an answer").text().await.expect("a body");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        text(&answer["code"])
    }

    /// Asks once. `None` if there is no answer, or one that says that the product cannot work now.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let url = format!("{}{path}", self.api);
        let mut request = self.http.request(method, url).bearer_auth(ADMIN_KEY);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let is_passing = status >= 500 || (status == 409 && body["code"] == "conflict");
        (!is_passing).then_some((status, body))
    }

    /// Posts a code until it is taken, and returns where the signup is. The same code again is the same signup.
    async fn begin(&self) -> String {
        let path = format!("/tenants/{}/signups", self.tenant.id);
        let body = json!({"code": self.code().await, "wabaId": self.waba_id});
        let mut begun = Value::Null;
        let is_taken = eventually(async || {
            let Some((status, answer)) = self.ask(Method::POST, &path, Some(&body)).await else {
                return false;
            };
            assert!(matches!(status, 200 | 202), "{status} {answer}");
            begun = answer;
            true
        })
        .await;
        assert!(is_taken, "{path} takes no code");
        format!("{path}/{}", text(&begun["signupId"]))
    }

    /// Connects the number, and returns the signup.
    async fn connect(&self) -> Value {
        let path = self.begin().await;
        let mut signup = Value::Null;
        // On a slow machine it takes long until everybody has had a turn.
        for _ in 0..2 {
            let is_done = eventually(async || {
                tokio::time::sleep(LOOK_EVERY).await;
                if let Some((status, answer)) = self.ask(Method::GET, &path, None).await {
                    assert_eq!(status, 200, "{answer}");
                    signup = answer;
                    if signup["state"] == "stopped" {
                        self.brings_another_code(&path, &signup).await;
                    }
                }
                signup["state"] == "done"
            })
            .await;
            if is_done {
                return signup;
            }
        }
        panic!("{path}: {signup:#}")
    }

    /// Only a code can get lost. Without an answer the next look tells what became of the retry.
    async fn brings_another_code(&self, path: &str, signup: &Value) {
        let told = (&signup["step"], &signup["needsCode"]);
        assert_eq!(told, (&json!("exchange"), &json!(true)), "{signup:#}");
        let body = json!({"code": self.code().await});
        let retried = self.ask(Method::POST, &format!("{path}/retry"), Some(&body)).await;
        if let Some((status, answer)) = retried {
            assert_eq!(status, 200, "{answer}");
        }
    }
}

/// Meta does at once what a signup asks it to do, and takes its time with the answer.
fn answer_late(product: &Product) {
    for call in ["exchange", "subscribe", "register", "credit"] {
        let when = Match {
            call: Some(call.to_owned()),
            ..Match::default()
        };
        let late = FaultRule::always(Fault::Slow { ms: ANSWER_MS });
        product.sim.add_rule(late.when(when));
    }
}

/// Kills a process at a random moment and starts it again, until so many accounts are connected. Returns how many were killed.
async fn kill_at_random(product: &mut Product, nodes: &mut Vec<Node>, dice: &mut StdRng, accounts: usize) -> usize {
    for kills in 0..KILLS_MAX {
        let calls = product.sim.onboarding_journal().len() + dice.random_range(1..=CALLS_BETWEEN);
        let at_last = Instant::now() + Duration::from_millis(dice.random_range(CALM_MS));
        let moment = eventually(async || product.sim.onboarding_journal().len() >= calls || Instant::now() > at_last);
        assert!(moment.await);
        if connected(product) >= accounts {
            return kills;
        }
        let victim = dice.random_range(0..nodes.len());
        product.kill_process(victim).await;
        let node = nodes.remove(victim);
        product.spawn_on(node.role, node.port);
        product.ready_on(node.port).await;
        nodes.push(node);
    }
    KILLS_MAX
}

/// The accounts that have come to the last call that Meta answers for a signup.
fn connected(product: &Product) -> usize {
    let effects = effects(product);
    effects.keys().filter(|(call, _)| *call == "credit").count()
}

/// How often Meta did what a call asked for, by the call and what it was about.
fn effects(product: &Product) -> BTreeMap<(&'static str, String), usize> {
    let mut effects = BTreeMap::new();
    for entry in product.sim.onboarding_journal() {
        if entry.is_done {
            *effects.entry((entry.call, entry.about)).or_default() += 1;
        }
    }
    effects
}

/// Every number is connected, and nothing was done twice.
fn audit(product: &Product, ended: &[(Client, Value)]) {
    let effects = effects(product);
    let times = |call: &'static str, about: &str| effects.get(&(call, about.to_owned())).copied().unwrap_or_default();
    for (client, signup) in ended {
        assert_eq!(signup["phoneNumberId"], client.number.as_str(), "{signup:#}");
        for (call, about) in [
            ("subscribe", &client.waba_id),
            ("register", &client.number),
            ("credit", &client.waba_id),
        ] {
            assert_eq!(times(call, about), 1, "{call} {about}");
        }
    }
    let exchanged: Vec<_> = effects.iter().filter(|((call, _), _)| *call == "exchange").collect();
    assert!(exchanged.len() >= ended.len(), "{} codes", exchanged.len());
    for ((_, code), times) in exchanged {
        assert_eq!(*times, 1, "{code}");
    }
}

async fn a_hundred_signups_at_once_are_killed_at_random_and_all_finish(backend: Backend) {
    let (mut dice, seed) = dice();
    let (mut product, mut nodes) = start(backend).await;
    answer_late(&product);
    let mut ended = Vec::new();
    let mut kills = 0;
    for _ in 0..STORMS_MAX {
        let mut clients = Vec::new();
        for n in 0..SIGNUPS {
            clients.push(Client::of(&product, ended.len() + n).await);
        }
        let accounts = ended.len() + SIGNUPS;
        let connecting = join_all(clients.iter().map(Client::connect));
        let killing = kill_at_random(&mut product, &mut nodes, &mut dice, accounts);
        let (signups, killed) = join(connecting, killing).await;
        ended.extend(clients.into_iter().zip(signups));
        kills += killed;
        if kills >= KILLS_MIN {
            break;
        }
    }
    println!("{} signups, {kills} kills; seed {seed}", ended.len());
    assert!(kills >= KILLS_MIN, "{kills} kills came in time");
    audit(&product, &ended);
    for (client, _) in ended.iter().step_by(ended.len() / SENDING) {
        sends_from(&product, &client.tenant, &client.number).await;
    }
}
