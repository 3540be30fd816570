//! One process of an installation, with its own ways to the servers.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dakghar_testkit::Port;
use dakghar_testkit::fault_proxy::FaultProxy;
use dakghar_testkit::servers::{Redis, direct_uri};

use super::installation::{DATABASE, Store};
use crate::product::eventually;

/// One process of an installation.
pub struct Node {
    pub role: &'static str,
    pub port: Port,
    /// The process's own ways to the servers, if the row asked for them.
    pub mongo: Option<FaultProxy>,
    pub redis: Option<FaultProxy>,
    pub environment: BTreeMap<String, String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Node {
    /// A process that is not started yet.
    pub async fn new(role: &'static str, log: PathBuf, store: &Store, redis: Option<&Redis>, is_proxied: bool) -> Self {
        let port = Port::claim();
        let mut node = Self {
            role,
            environment: BTreeMap::from([
                ("PORT".to_owned(), port.to_string()),
                // All clients of a row have one address.
                ("CONNECTIONS_PER_ADDRESS_MAX".to_owned(), "10000".to_owned()),
            ]),
            port,
            mongo: None,
            redis: None,
            log,
            child: None,
        };
        let mut mongo_uri = match store {
            Store::Embedded => None,
            Store::One(mongo) => Some(mongo.uri_of(DATABASE)),
            Store::Set(set) => Some(set.uri_of(DATABASE)),
        };
        let mut redis_port = redis.map(Redis::port);
        if is_proxied {
            if let Store::One(mongo) = store {
                let proxy = FaultProxy::start(mongo.port()).await;
                mongo_uri = Some(direct_uri(proxy.port()).replace("/?", &format!("/{DATABASE}?")));
                node.mongo = Some(proxy);
            }
            if let Some(redis) = redis {
                let proxy = FaultProxy::start(redis.port()).await;
                redis_port = Some(proxy.port());
                node.redis = Some(proxy);
            }
        }
        if let (Some(uri), Some(port)) = (mongo_uri, redis_port) {
            node.environment.insert("MONGO_URI".to_owned(), uri);
            node.environment
                .insert("REDIS_URL".to_owned(), format!("redis://127.0.0.1:{port}"));
        }
        node
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The proxy in front of this process's MongoDB.
    pub fn mongo(&self) -> &FaultProxy {
        self.mongo.as_ref().expect("the installation is proxied")
    }

    /// The proxy in front of this process's Redis.
    pub fn redis(&self) -> &FaultProxy {
        self.redis.as_ref().expect("the installation is proxied")
    }

    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.expect("a log file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_dakghar"));
        command
            .arg(self.role)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.log.parent().expect("a folder"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        self.child = Some(command.spawn().expect("the program starts"));
    }

    /// Waits until the process says that it is ready.
    pub async fn ready(&self, http: &reqwest::Client) {
        let url = self.url("/readyz");
        let is_ready = async || http.get(&url).send().await.is_ok_and(|answer| answer.status() == 200);
        assert!(eventually(is_ready).await, "{} does not become ready", self.role);
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; answers the exit code and how long the end took.
    pub async fn terminate(&mut self) -> (Option<i32>, Duration) {
        let mut child = self.child.take().expect("a running process");
        let begun = Instant::now();
        send_signal("TERM", child.id());
        let ended = tokio::task::spawn_blocking(move || child.wait());
        let status = ended.await.expect("joined").expect("ended");
        (status.code(), begun.elapsed())
    }

    /// Stops it: connections stay, nothing is done.
    pub fn stop(&self) {
        send_signal("STOP", self.pid());
    }

    /// Lets it go on after [`Node::stop`].
    pub fn cont(&self) {
        send_signal("CONT", self.pid());
    }

    /// Whether it was started and not killed since.
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running process").id()
    }

    /// Where the process logs.
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// Everything the process has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn send_signal(name: &str, pid: u32) {
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()), "cannot send SIG{name}");
}
