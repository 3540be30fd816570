//! An installation that a row can break anywhere: its processes, its servers, and the network between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bson::{Document, doc};
use dakghar_graph_sim::{GraphSim, JournalMode, SimConfig, StatusPlan};
use dakghar_testkit::receiver::Receiver;
use dakghar_testkit::servers::{Mongo, MongoSet, Redis};
use serde_json::json;
use tokio::sync::OnceCell;

use super::callbacks;
use super::node::Node;
use crate::product::{ADMIN_KEY, APP_SECRET, MASTER_KEY, Tenant, repetition, tail, text};

/// The database of every installation here; each has a server of its own.
pub const DATABASE: &str = "chaos";
/// Tenants with one number each.
const TENANTS: usize = 4;
/// The grace of a doubt, where a row does not set it.
const GRACE_MS: u64 = 15_000;
/// How long a client waits for an answer: longer than a process needs to find out that its store is away.
const CLIENT_PATIENCE: Duration = Duration::from_secs(8);
/// So many that the pace of a number never is what a row waits for.
const MESSAGES_PER_SECOND: u32 = 2_000;

/// Where messages are kept.
pub enum Store {
    Embedded,
    One(Box<Mongo>),
    Set(Box<MongoSet>),
}

/// How a row wants its installation.
pub struct Setup {
    roles: Vec<&'static str>,
    is_embedded: bool,
    is_proxied: bool,
    is_hurried: bool,
    store: Option<Store>,
    redis: Option<Redis>,
    environment: Vec<(&'static str, String)>,
    statuses: StatusPlan,
}

impl Setup {
    /// One process that keeps everything in a file.
    pub fn embedded() -> Self {
        Self {
            is_embedded: true,
            ..Self::of(&["serve"])
        }
    }

    /// Processes on MongoDB and Redis.
    pub fn of(roles: &[&'static str]) -> Self {
        Self {
            roles: roles.to_vec(),
            is_embedded: false,
            is_proxied: false,
            is_hurried: false,
            store: None,
            redis: None,
            environment: Vec::new(),
            statuses: StatusPlan {
                sent_ms: Some(50),
                delivered_ms: Some(150),
                read_ms: None,
                ..StatusPlan::default()
            },
        }
    }

    /// Each process reaches MongoDB and Redis through proxies of its own.
    pub fn proxied(mut self) -> Self {
        self.is_proxied = true;
        self
    }

    /// Messages that wait for a job that was lost wait for seconds, not for a minute.
    pub fn hurried(mut self) -> Self {
        self.is_hurried = true;
        self
    }

    pub fn env(mut self, name: &'static str, value: impl ToString) -> Self {
        self.environment.push((name, value.to_string()));
        self
    }

    pub fn statuses(mut self, statuses: StatusPlan) -> Self {
        self.statuses = statuses;
        self
    }

    pub fn store(mut self, store: Store) -> Self {
        self.store = Some(store);
        self
    }

    pub fn redis(mut self, redis: Redis) -> Self {
        self.redis = Some(redis);
        self
    }

    pub async fn start(self) -> Installation {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (store, redis) = if self.is_embedded {
            (Store::Embedded, None)
        } else {
            let store = match self.store {
                Some(store) => store,
                None => Store::One(Box::new(Mongo::start().await)),
            };
            let redis = match self.redis {
                Some(redis) => redis,
                None => Redis::start().await,
            };
            (store, Some(redis))
        };
        let mut nodes = Vec::new();
        for (index, role) in self.roles.iter().enumerate() {
            let log = dir.path().join(format!("{role}-{index}.log"));
            nodes.push(Node::new(role, log, &store, redis.as_ref(), self.is_proxied).await);
        }
        let sim = GraphSim::start(SimConfig {
            app_secret: Some(APP_SECRET.to_owned()),
            webhook_url: Some(format!("http://127.0.0.1:{}/whatsapp/webhook", nodes[0].port)),
            statuses: self.statuses,
            latency_ms: 20,
            // The file has it all; the memory of the test need not.
            journal: JournalMode::Counts,
            journal_file: Some(dir.path().join("journal.jsonl")),
            delivery: repetition(&self.environment, Some(GRACE_MS)),
            ..SimConfig::default()
        })
        .await
        .expect("the simulated Meta starts");
        let environment = environment(&sim, dir.path(), self.environment);
        for node in &mut nodes {
            node.environment.extend(environment.clone());
            node.start();
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(CLIENT_PATIENCE)
            .build()
            .expect("a client");
        let mut installation = Installation {
            sim,
            http,
            nodes,
            store,
            redis,
            tenants: Vec::new(),
            receivers: Vec::new(),
            is_hurried: self.is_hurried,
            client: OnceCell::new(),
            dir,
        };
        installation.ready().await;
        for number in 0..TENANTS {
            let (tenant, receiver) = installation.register(number).await;
            installation.tenants.push(tenant);
            installation.receivers.push(receiver);
        }
        installation
    }
}

/// Settings of all processes. Calls and leases are short, so that rows are.
fn environment(sim: &GraphSim, dir: &Path, own: Vec<(&'static str, String)>) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<String, String> = [
        ("DATA_DIR", dir.join("data").display().to_string()),
        ("GRAPH_BASE_URL", sim.base_url()),
        ("APP_SECRET", APP_SECRET.to_owned()),
        ("ADMIN_API_KEY", ADMIN_KEY.to_owned()),
        ("BIND_ADDR", "127.0.0.1".to_owned()),
        ("VERIFY_TOKEN", "it-verify-token".to_owned()),
        ("MASTER_KEY", MASTER_KEY.to_owned()),
        ("RETRY_BASE_MS", "20".to_owned()),
        ("RETRY_CAP_MS", "200".to_owned()),
        ("SEND_TIMEOUT_MS", "2000".to_owned()),
        ("SEND_LEASE_MS", "4500".to_owned()),
        ("UNKNOWN_OUTCOME_GRACE_MS", GRACE_MS.to_string()),
        ("UNKNOWN_OUTCOME_MAX_MS", "60000".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    environment.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    environment
}

/// The parts of one installation.
pub struct Installation {
    pub sim: GraphSim,
    pub http: reqwest::Client,
    pub nodes: Vec<Node>,
    pub tenants: Vec<Tenant>,
    /// The software of the tenants, in the same order.
    pub receivers: Vec<Receiver>,
    pub store: Store,
    redis: Option<Redis>,
    is_hurried: bool,
    client: OnceCell<mongodb::Client>,
    dir: tempfile::TempDir,
}

impl Installation {
    /// Waits until every process says that it is ready.
    pub async fn ready(&self) {
        for node in &self.nodes {
            node.ready(&self.http).await;
        }
    }

    /// As [`Installation::ready`], but for one that is stopped.
    pub async fn ready_but(&self, stopped: usize) {
        for (_, node) in self.nodes.iter().enumerate().filter(|(index, _)| *index != stopped) {
            node.ready(&self.http).await;
        }
    }

    /// The processes that serve the API.
    pub fn apis(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.role != "worker")
    }

    /// The first process of this role.
    pub fn node(&mut self, role: &str) -> &mut Node {
        let found = self.nodes.iter_mut().find(|node| node.role == role);
        found.expect("the installation has such a process")
    }

    pub fn mongo(&mut self) -> &mut Mongo {
        match &mut self.store {
            Store::One(mongo) => mongo,
            _ => panic!("this installation has no MongoDB server of its own"),
        }
    }

    pub fn set(&mut self) -> &mut MongoSet {
        match &mut self.store {
            Store::Set(set) => set,
            _ => panic!("this installation has no replica set"),
        }
    }

    pub fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("this installation has a Redis server")
    }

    /// One command to Redis, past all proxies.
    pub async fn redis_command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let port = self
            .redis
            .as_ref()
            .expect("this installation has a Redis server")
            .port();
        redis_command(port, words).await
    }

    /// The database, past the proxies of the processes; `None` for an embedded installation.
    pub async fn database(&self) -> Option<mongodb::Database> {
        let uri = match &self.store {
            Store::Embedded => return None,
            Store::One(mongo) => mongo.uri(),
            Store::Set(set) => set.uri(),
        };
        let client = async || mongodb::Client::with_uri_str(uri).await.expect("a usable URI");
        Some(self.client.get_or_init(client).await.database(DATABASE))
    }

    /// Gives every number this pace. Answers the numbers.
    pub async fn set_pace(&self, per_second: u32) -> Vec<String> {
        let api = self.apis().next().expect("an API");
        let mut numbers = Vec::new();
        for tenant in &self.tenants {
            let own = format!("/tenants/{}", tenant.id);
            let number = text(&self.get(&own).await["phoneNumbers"][0]["phoneNumberId"]);
            let request = self.http.patch(api.url(&format!("{own}/phone-numbers/{number}")));
            let body = json!({"messagesPerSecond": per_second});
            let answer = request.bearer_auth(ADMIN_KEY).json(&body).send().await;
            assert_eq!(answer.expect("an answer").status(), 200);
            numbers.push(number);
        }
        // Processes read it at most a second later.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        numbers
    }

    /// Lets a minute pass for messages whose job may be lost, if the row is in a hurry.
    pub async fn hurry(&self) {
        let Some(database) = self.database().await.filter(|_| self.is_hurried) else {
            return;
        };
        let now = bson::DateTime::now();
        // A second old: the jobs of younger ones are on their way.
        let before = bson::DateTime::from_millis(now.timestamp_millis() - 1_000);
        let waiting = doc! { "status": "queued", "enqueuedAt": { "$lt": before }, "wakeAt": { "$gt": now } };
        // Whoever read it before has to read it again.
        let sooner = doc! { "$set": { "wakeAt": now }, "$inc": { "version": 1_i64 } };
        // A server that is on its way back is asked again.
        let _ = database
            .collection::<Document>("messages")
            .update_many(waiting, sooner)
            .await;
    }

    /// What the simulated Meta wrote down.
    pub fn journal(&self) -> PathBuf {
        self.dir.path().join("journal.jsonl")
    }

    /// A call with the operator's key to the first API; whatever it answers.
    pub async fn ask(&self, path: &str) -> reqwest::Response {
        let url = self.apis().next().expect("an API").url(path);
        let request = self.http.get(url).bearer_auth(ADMIN_KEY);
        request.send().await.expect("an answer")
    }

    /// As [`Installation::ask`], for an answer that is JSON.
    pub async fn get(&self, path: &str) -> serde_json::Value {
        self.ask(path).await.json().await.expect("JSON")
    }

    /// A call with the operator's key, and nothing to say, to the first API.
    pub async fn post(&self, path: &str) {
        let url = self.apis().next().expect("an API").url(path);
        let request = self.http.post(url).bearer_auth(ADMIN_KEY).json(&json!({}));
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    async fn register(&self, number: usize) -> (Tenant, Receiver) {
        let api = self.apis().next().expect("an API");
        let phone_number_id = format!("11{number}");
        let body =
            json!({"name": format!("Tenant {number}"), "phoneNumberId": phone_number_id, "accessToken": "EAAG-real"});
        let request = self.http.post(api.url("/tenants/register")).bearer_auth(ADMIN_KEY);
        let answer = request.json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 201);
        let answer: serde_json::Value = answer.json().await.expect("JSON");
        let tenant = Tenant {
            id: text(&answer["tenantId"]),
            api_key: text(&answer["apiKey"]),
        };
        let url = api.url(&format!("/tenants/{}/phone-numbers/{phone_number_id}", tenant.id));
        let request = self.http.patch(url).bearer_auth(ADMIN_KEY);
        let body = json!({"messagesPerSecond": MESSAGES_PER_SECOND});
        let answer = request.json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let receiver = Receiver::start([]).await;
        let url = api.url(&format!("/tenants/{}/endpoints", tenant.id));
        let request = self.http.post(url).bearer_auth(ADMIN_KEY);
        let answer = request
            .json(&callbacks::endpoint(&receiver))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 201);
        (tenant, receiver)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
        let kept = std::env::var_os("CHAOS_LOGS").map(PathBuf::from);
        for node in &mut self.nodes {
            node.kill();
            if let Some(folder) = &kept {
                std::fs::create_dir_all(folder).expect("CHAOS_LOGS can be a folder");
                let copied = std::fs::copy(node.log_file(), folder.join(format!("{}-{}.log", node.role, node.port)));
                copied.expect("the log can be copied");
            }
            if std::thread::panicking() {
                eprintln!("--- the log of {} ---\n{}", node.role, tail(&node.log()));
            }
        }
    }
}

/// One command to a Redis server, past all proxies.
pub async fn redis_command<T: redis::FromRedisValue>(port: u16, words: &[&str]) -> T {
    let client = redis::Client::open(("127.0.0.1", port)).expect("an address");
    let patient = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let connection = client.get_multiplexed_async_connection_with_config(&patient).await;
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    let answer = command.query_async(&mut connection.expect("Redis answers")).await;
    answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
}
