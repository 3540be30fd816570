//! Redis servers for tests.

use std::path::Path;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Server;
use super::process::{Kind, Process};
use super::shared::shared_port;

/// Databases of the shared server, one per test.
const SHARED_DATABASES: u32 = 4096;

struct RedisKind {
    arguments: Vec<String>,
}

impl Kind for RedisKind {
    const SERVER: Server = Server::Redis;

    fn arguments(&self, port: u16, folder: &Path) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(folder.display().to_string());
        arguments.extend(self.arguments.iter().cloned());
        arguments
    }

    async fn answering_pid(port: u16) -> Option<u32> {
        let info = command(port, "INFO server").await?;
        let pid = info.lines().find_map(|line| line.strip_prefix("process_id:"))?;
        let pid = pid.trim().parse().ok()?;
        command(port, "PING").await?.starts_with("+PONG").then_some(pid)
    }
}

/// A Redis server of one test. Killed when dropped.
pub struct Redis {
    process: Process<RedisKind>,
    _folder: TempDir,
}

impl Redis {
    /// Starts a server that keeps nothing on disk.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with further arguments, such as `["--appendonly", "yes", "--appendfsync", "always"]`.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let folder = TempDir::with_prefix("dakghar-redis-").expect("the temporary folder can be written");
        let kind = RedisKind {
            arguments: arguments.iter().map(ToString::to_string).collect(),
        };
        Self {
            process: Process::start(kind, folder.path(), std::process::id()).await,
            _folder: folder,
        }
    }

    /// A database of its own for one test, on the server that all tests of this run share.
    pub async fn shared() -> SharedRedis {
        let kind = RedisKind {
            arguments: ["--databases", &SHARED_DATABASES.to_string(), "--appendonly", "no"]
                .map(str::to_owned)
                .to_vec(),
        };
        let port = shared_port(kind, async |_| ()).await;
        let reply = command(port, "INCR databases-given").await;
        let given: u32 = reply
            .as_deref()
            .and_then(|reply| reply.strip_prefix(':')?.trim().parse().ok())
            .unwrap_or_else(|| panic!("the shared Redis answers {reply:?}"));
        assert!(given < SHARED_DATABASES, "more tests than databases");
        SharedRedis { port, database: given }
    }

    /// Where it listens, as `redis://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// Asks clients for this password from now on, until a restart.
    pub async fn require_password(&self, password: &str) {
        let reply = command(self.port(), &format!("CONFIG SET requirepass {password}")).await;
        assert_eq!(reply.as_deref(), Some("+OK\r\n"), "the password cannot be set");
    }

    /// The port it listens on; stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// Its present process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where it keeps its data.
    pub fn folder(&self) -> &Path {
        self.process.folder()
    }

    /// Whether it has not ended by itself, nor was killed.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it: connections stay, nothing is answered.
    pub fn stop(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on after [`Redis::stop`].
    pub fn cont(&self) {
        self.process.signal("CONT");
    }

    /// Kills it if it runs and starts it again on the same port and data; returns when it answers.
    pub async fn restart(&mut self) {
        self.process.restart().await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// A database of the shared Redis server that no other test uses.
#[derive(Clone, Debug)]
pub struct SharedRedis {
    port: u16,
    database: u32,
}

impl SharedRedis {
    /// The database as `redis://127.0.0.1:port/number`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/{}", self.port, self.database)
    }

    /// The port of the server.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The number of the database.
    pub const fn database(&self) -> u32 {
        self.database
    }

    /// A key prefix that no other test uses, for what does not keep to a database.
    pub fn prefix(&self) -> String {
        format!("test{}", self.database)
    }
}

/// The first bytes of the answer to an inline command.
pub(super) async fn command(port: u16, line: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream.write_all(format!("{line}\r\n").as_bytes()).await.ok()?;
    let mut reply = vec![0; 4096];
    let length = stream.read(&mut reply).await.ok()?;
    Some(String::from_utf8_lossy(&reply[..length]).into_owned())
}
