//! The real program as a child process, with a real store and queue behind it and a simulated Meta in front.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dakghar_graph_sim::{AcceptedTokens, Fault, GraphSim, SimConfig, StatusPlan, WebhookDelivery};
use dakghar_testkit::Port;
use dakghar_testkit::servers::{Mongo, Redis, SharedMongo, SharedRedis};
use serde_json::{Value, json};

/// The secret of the simulated Meta's signatures.
pub const APP_SECRET: &str = "it-app-secret-0123456789";
/// The operator's key.
pub const ADMIN_KEY: &str = "it-admin-key-0123456789";
/// The key that wraps the keys of tenants.
pub const MASTER_KEY: &str = "it-master-key-0123456789-0123456789";
/// Where Meta's webhooks reach nobody, until they are to arrive.
pub const NOBODY: &str = "http://127.0.0.1:1/nobody-listens";
/// How long anything that must happen may take before a test gives up on it. Not a measurement.
/// Twice what it takes until the timer of a message whose job was lost comes to its rescue.
const PATIENCE: Duration = Duration::from_mins(2);

/// Which store and queue a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Embedded,
    Distributed,
    /// Distributed, on servers of its own that the test may kill.
    Fragile,
}

/// Runs an async test function on both backends.
macro_rules! on_both_backends {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name($crate::product::Backend::Embedded).await; })*
        }
        mod distributed {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name($crate::product::Backend::Distributed).await; })*
        }
    };
}
pub(crate) use on_both_backends;

/// The servers behind a distributed installation; an embedded one needs none.
enum Servers {
    None,
    Shared(SharedMongo, SharedRedis),
    Own(Box<Mongo>, Box<Redis>),
}

/// One installation.
pub struct Product {
    pub sim: GraphSim,
    pub http: reqwest::Client,
    pub port: Port,
    pub dir: tempfile::TempDir,
    servers: Servers,
    environment: BTreeMap<String, String>,
    processes: Vec<Child>,
}

/// How refused webhooks come again: as in life, later than the grace of a doubt. Where the grace is longer than any test,
/// no doubt ends by it, and they come again soon.
pub fn repetition(environment: &[(&'static str, String)], grace_ms: Option<u64>) -> WebhookDelivery {
    let set = environment
        .iter()
        .rev()
        .find(|(name, _)| *name == "UNKNOWN_OUTCOME_GRACE_MS");
    let grace_ms = set.map(|(_, grace)| grace.parse().expect("a number")).or(grace_ms);
    let first_ms = grace_ms.map_or(1_000, |grace: u64| grace + grace / 4 + 250);
    WebhookDelivery::default().scaled_to(first_ms)
}

/// How a test wants its installation.
pub struct Setup {
    pub backend: Backend,
    pub environment: Vec<(&'static str, String)>,
    /// Variables of a fragile installation's MongoDB server.
    pub server_environment: Vec<(String, String)>,
    pub statuses: StatusPlan,
    pub tokens: AcceptedTokens,
    /// The wait before a refused webhook comes again, if it matters.
    pub repeats_after_ms: Option<u64>,
    /// The authorities that the client believes, in PEM.
    pub authorities: Vec<Vec<u8>>,
    role: &'static str,
}

impl Setup {
    pub fn on(backend: Backend) -> Self {
        Self {
            backend,
            environment: Vec::new(),
            server_environment: Vec::new(),
            statuses: StatusPlan {
                read_ms: None,
                ..StatusPlan::immediate()
            },
            tokens: AcceptedTokens::Any,
            repeats_after_ms: None,
            authorities: Vec::new(),
            role: "serve",
        }
    }

    /// Starts with one process of this role, instead of one that does everything.
    pub fn role(mut self, role: &'static str) -> Self {
        self.role = role;
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

    pub fn tokens(mut self, tokens: &[&str]) -> Self {
        self.tokens = AcceptedTokens::Only(tokens.iter().map(|token| (*token).to_owned()).collect());
        self
    }

    /// The wait before a refused webhook comes again.
    pub fn repeats_after_ms(mut self, wait_ms: u64) -> Self {
        self.repeats_after_ms = Some(wait_ms);
        self
    }

    pub async fn start(self) -> Product {
        let port = Port::claim();
        let dir = tempfile::tempdir().expect("a temporary folder");
        let sim = GraphSim::start(SimConfig {
            app_secret: Some(APP_SECRET.to_owned()),
            webhook_url: Some(format!("http://127.0.0.1:{port}/whatsapp/webhook")),
            statuses: self.statuses,
            accepted_tokens: self.tokens,
            delivery: match self.repeats_after_ms {
                Some(wait_ms) => WebhookDelivery::default().scaled_to(wait_ms),
                None => repetition(&self.environment, None),
            },
            journal_file: Some(dir.path().join("journal.jsonl")),
            ..SimConfig::default()
        })
        .await
        .expect("the simulated Meta starts");
        let servers = match self.backend {
            Backend::Embedded => Servers::None,
            Backend::Distributed => Servers::Shared(Mongo::shared().await, Redis::shared().await),
            Backend::Fragile => {
                let mongo = Mongo::start_with_environment(&self.server_environment).await;
                Servers::Own(Box::new(mongo), Box::new(Redis::start().await))
            }
        };
        let mut environment: BTreeMap<String, String> = [
            ("PORT", port.to_string()),
            ("DATA_DIR", dir.path().join("data").display().to_string()),
            ("GRAPH_BASE_URL", sim.base_url()),
            ("APP_SECRET", APP_SECRET.to_owned()),
            ("ADMIN_API_KEY", ADMIN_KEY.to_owned()),
            ("BIND_ADDR", "127.0.0.1".to_owned()),
            ("VERIFY_TOKEN", "it-verify-token".to_owned()),
            ("MASTER_KEY", MASTER_KEY.to_owned()),
            ("METRICS_ADDR", "127.0.0.1:0".to_owned()),
            ("RETRY_BASE_MS", "20".to_owned()),
            ("RETRY_CAP_MS", "200".to_owned()),
            // Whoever wants numbers to be checked says so.
            ("NUMBER_CHECK_SECONDS", "0".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let addresses = match &servers {
            Servers::None => None,
            Servers::Shared(mongo, redis) => Some((mongo.database_uri(), redis.url())),
            Servers::Own(mongo, redis) => Some((mongo.uri_of("dakghar"), redis.url())),
        };
        if let Some((mongo_uri, redis_url)) = addresses {
            environment.insert("MONGO_URI".to_owned(), mongo_uri);
            environment.insert("REDIS_URL".to_owned(), redis_url);
        }
        environment.extend(
            self.environment
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        let authorities = self
            .authorities
            .iter()
            .map(|pem| reqwest::Certificate::from_pem(pem).expect("PEM"));
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_merge(authorities)
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        let mut product = Product {
            sim,
            http,
            port,
            dir,
            servers,
            environment,
            processes: Vec::new(),
        };
        product.spawn(self.role);
        product.ready().await;
        product
    }
}

impl Product {
    pub async fn start(backend: Backend) -> Self {
        Setup::on(backend).start().await
    }

    /// The program with this installation's settings.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dakghar"));
        command
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Sets a variable for what is started from now on.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.environment.insert(name.to_owned(), value.to_string());
    }

    /// Where the embedded store and generated secrets are.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Everything the program has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The value of a setting that the installation was started with.
    pub fn setting(&self, name: &str) -> &str {
        &self.environment[name]
    }

    /// Starts a process of this role, which may have options behind it.
    pub fn spawn(&mut self, role: &str) {
        self.spawn_on(role, self.port.number());
    }

    /// Starts another process, which answers on a port of its own.
    pub fn spawn_on(&mut self, role: &str, port: u16) {
        let mut command = self.command();
        command.args(role.split(' ')).env("PORT", port.to_string());
        self.spawn_command(command);
    }

    /// Starts a process by this command, which logs like the others.
    pub fn spawn_command(&mut self, mut command: Command) {
        let log = File::options().create(true).append(true).open(self.log_path());
        let log = log.expect("a log file");
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        self.processes.push(command.spawn().expect("the program starts"));
    }

    /// Waits until the API says that it is ready.
    pub async fn ready(&self) {
        match self.environment.get("HEALTH_ADDR") {
            Some(addr) => self.ready_at(&format!("http://{addr}/readyz")).await,
            None => self.ready_on(self.port.number()).await,
        }
    }

    /// Waits until the process on this port says that it is ready.
    pub async fn ready_on(&self, port: u16) {
        self.ready_at(&format!("{}://127.0.0.1:{port}/readyz", self.scheme()))
            .await;
    }

    async fn ready_at(&self, url: &str) {
        let ready = async || {
            self.http
                .get(url)
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        };
        assert!(
            eventually(ready).await,
            "the program did not become ready:\n{}",
            self.log()
        )
    }

    /// The servers of a fragile installation; `None` where they are shared.
    pub fn own_servers(&mut self) -> Option<(&mut Mongo, &mut Redis)> {
        match &mut self.servers {
            Servers::Own(mongo, redis) => Some((mongo, redis)),
            _ => None,
        }
    }

    /// The servers of a fragile installation.
    pub fn servers(&mut self) -> (&mut Mongo, &mut Redis) {
        self.own_servers().expect("servers of its own")
    }

    /// What the Redis server of this installation answers to a command.
    pub fn redis(&self, command: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        client.args(["-u", self.setting("REDIS_URL")]).args(command);
        let output = client.output().expect("redis-cli runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    }

    /// The process that was started last.
    pub fn pid(&self) -> u32 {
        self.processes.last().expect("a process").id()
    }

    /// Waits until that process has ended by itself, and returns its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        exit_code(self.processes.pop().expect("a process")).await
    }

    /// The status of the answer, if there is one.
    pub async fn try_get(&self, path: &str) -> Option<u16> {
        let asked = self.http.get(self.url(path)).bearer_auth(ADMIN_KEY).send().await;
        asked.ok().map(|answer| answer.status().as_u16())
    }

    /// kill -9, to every process of the installation.
    pub fn kill(&mut self) {
        for mut process in self.processes.drain(..) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub async fn restart(&mut self) {
        self.kill();
        self.spawn("serve");
        self.ready().await;
    }

    /// SIGTERM, and the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.terminate_process(self.processes.len() - 1).await
    }

    /// SIGTERM to the process that was started at this position, and its exit code.
    pub async fn terminate_process(&mut self, index: usize) -> Option<i32> {
        self.signal_process(index, "TERM");
        exit_code(self.processes.remove(index)).await
    }

    /// kill -9, to the process that was started at this position.
    pub async fn kill_process(&mut self, index: usize) {
        self.signal_process(index, "KILL");
        exit_code(self.processes.remove(index)).await;
    }

    /// A signal, by its name, to the process that was started at this position.
    pub fn signal_process(&self, index: usize, name: &str) {
        let pid = self.processes[index].id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.expect("kill runs").success(), "cannot send SIG{name}");
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme(), self.port)
    }

    fn scheme(&self) -> &'static str {
        if self.environment.contains_key("TLS_CERT_FILE") {
            "https"
        } else {
            "http"
        }
    }

    /// A call with the operator's key; answers status and body.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, self.url(path));
        if !self.environment["ADMIN_API_KEY"].is_empty() {
            request = request.bearer_auth(ADMIN_KEY);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or(json!(text))
        };
        (status, body)
    }

    /// Asks again while the store is not there, as a client would.
    pub async fn get(&self, path: &str) -> Value {
        let mut answer = self.call("GET", path, None).await;
        eventually(async || {
            if answer.0 == 503 {
                answer = self.call("GET", path, None).await;
            }
            answer.0 != 503
        })
        .await;
        let (status, body) = answer;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call("POST", path, Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Registers a tenant with one number.
    pub async fn tenant(&self, phone_number_id: &str, token: &str) -> Tenant {
        let body = json!({"name": format!("Tenant {phone_number_id}"), "phoneNumberId": phone_number_id, "accessToken": token});
        let answer = self.post("/tenants/register", body).await;
        Tenant {
            id: text(&answer["tenantId"]),
            api_key: text(&answer["apiKey"]),
        }
    }

    /// As [`Product::tenant`], with a number that may send 2,000 messages a second.
    pub async fn fast_tenant(&self, phone_number_id: &str) -> Tenant {
        let tenant = self.tenant(phone_number_id, "EAAG-real").await;
        let path = format!("/tenants/{}/phone-numbers/{phone_number_id}", tenant.id);
        let (status, body) = self
            .call("PATCH", &path, Some(json!({"messagesPerSecond": 2_000})))
            .await;
        assert_eq!(status, 200, "{body}");
        tenant
    }

    /// Sends a text; answers the message's id.
    pub async fn send(&self, tenant: &Tenant, to: &str) -> String {
        let path = format!("/tenants/{}/send", tenant.id);
        text(&self.post(&path, json!({"to": to, "text": "hello"})).await["messageId"])
    }

    pub async fn message(&self, tenant: &Tenant, id: &str) -> Value {
        self.get(&format!("/tenants/{}/messages/{id}", tenant.id)).await
    }

    /// Waits until the message has this status; answers it.
    pub async fn until_status(&self, tenant: &Tenant, id: &str, status: &str) -> Value {
        let reached = eventually(async || self.message(tenant, id).await["status"] == status).await;
        let message = self.message(tenant, id).await;
        assert!(
            reached,
            "{id} did not become {status}: {message:#}\n{}",
            tail(&self.log())
        );
        message
    }

    /// Waits until a list has this many items; answers them.
    pub async fn until_count(&self, path: &str, count: usize) -> Vec<Value> {
        let items = async || self.get(path).await["data"].as_array().cloned().unwrap_or_default();
        let reached = eventually(async || items().await.len() >= count).await;
        let items = items().await;
        assert!(reached, "{path}: {} of {count}", items.len());
        items
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command().args(arguments).output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// Everything that is stored, as bytes: the files of the embedded store, the documents of the distributed one.
    pub async fn stored_bytes(&self) -> Vec<u8> {
        if self.is_distributed() {
            return self.document_bytes().await;
        }
        let files = std::fs::read_dir(self.data_dir()).expect("the folder of the data");
        files
            .flatten()
            .flat_map(|file| std::fs::read(file.path()).unwrap_or_default())
            .collect()
    }

    async fn document_bytes(&self) -> Vec<u8> {
        let database = self.database().await;
        let mut bytes = Vec::new();
        for name in database
            .list_collection_names()
            .await
            .expect("the names of collections")
        {
            let collection = database.collection::<bson::RawDocumentBuf>(&name);
            let mut documents = collection.find(bson::doc! {}).await.expect("a cursor");
            while documents.advance().await.expect("the next document") {
                bytes.extend_from_slice(documents.current().as_bytes());
            }
        }
        bytes
    }

    /// The database of a distributed installation, past it.
    pub async fn database(&self) -> mongodb::Database {
        let client = mongodb::Client::with_uri_str(self.setting("MONGO_URI")).await;
        let client = client.expect("the URI is usable");
        client.default_database().expect("the URI names it")
    }

    pub fn is_distributed(&self) -> bool {
        !matches!(self.servers, Servers::None)
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the program's log ---\n{}", tail(&self.log()));
        }
    }
}

async fn exit_code(mut process: Child) -> Option<i32> {
    let ended = tokio::task::spawn_blocking(move || process.wait()).await;
    ended.expect("joined").expect("ended").code()
}

/// Meta's service is not available for the moment: it refuses, and may be asked again.
pub fn unavailable() -> Fault {
    Fault::GraphError {
        code: 131_016,
        subcode: None,
        http: Some(503),
        is_transient: Some(true),
        details: None,
        retry_after_seconds: None,
    }
}

/// A registered tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: String,
    pub api_key: String,
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not text: {value}")).to_owned()
}

/// The end of a log.
pub fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(6_000);
    let start = (start..text.len())
        .find(|index| text.is_char_boundary(*index))
        .unwrap_or(0);
    &text[start..]
}

/// Asks again and again until the answer is yes, or patience ends.
pub async fn eventually(mut is_so: impl AsyncFnMut() -> bool) -> bool {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if is_so().await {
            return true;
        }
        if tokio::time::Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
