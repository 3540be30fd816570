//! MongoDB servers for tests: always replica sets, because transactions and majorities need one.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use crate::fault_proxy::FaultProxy;

use super::Server;
use super::mongo_wire::{Document, command};
use super::process::{Kind, Process, WITHOUT_SYNC};
use super::shared::shared_port;

const REPLICA_SET: &str = "rs0";
/// A new primary must be found quickly in tests that kill the old one.
const ELECTION_TIMEOUT_MS: i32 = 2_000;
const PRIMARY_SECONDS_MAX: u64 = 90;

struct MongoKind {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl MongoKind {
    fn new(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(ToString::to_string).collect(),
            environment: vec![("LD_PRELOAD".to_owned(), WITHOUT_SYNC.to_owned())],
        }
    }
}

impl Kind for MongoKind {
    const SERVER: Server = Server::Mongo;

    fn arguments(&self, port: u16, folder: &Path) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "--replSet",
            REPLICA_SET,
            "--bind_ip",
            "127.0.0.1",
            "--nounixsocket",
            "--quiet",
            "--wiredTigerCacheSizeGB",
            "0.5",
            "--oplogSize",
            "128",
            "--setParameter=diagnosticDataCollectionEnabled=false",
            "--port",
            &port.to_string(),
            "--dbpath",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(folder.display().to_string());
        arguments.extend(self.arguments.iter().cloned());
        arguments
    }

    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    async fn answering_pid(port: u16) -> Option<u32> {
        let status = command(port, Document::default().int("serverStatus", 1)).await?;
        u32::try_from(status.long("pid")?).ok()
    }
}

/// One MongoDB server of one test: a replica set of one, or a member of a [`MongoSet`]. Killed when dropped.
pub struct Mongo {
    process: Process<MongoKind>,
    _folder: TempDir,
}

impl Mongo {
    /// Starts a replica set of one and waits until it can be written.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`Mongo::start`], with further arguments.
    pub async fn start_with(arguments: &[&str]) -> Self {
        Self::start_in(&std::env::temp_dir(), arguments).await
    }

    /// As [`Mongo::start_with`], with the data in a folder of its own inside of `parent`.
    pub async fn start_in(parent: &Path, arguments: &[&str]) -> Self {
        let member = Self::start_member(parent, arguments).await;
        initiate(&[member.port()]).await;
        primary_of(&[member.port()]).await;
        member
    }

    /// As [`Mongo::start`], with further variables of its environment.
    pub async fn start_with_environment(environment: &[(String, String)]) -> Self {
        let kind = MongoKind {
            environment: environment.to_vec(),
            ..MongoKind::new(&[])
        };
        let member = Self::start_kind(&std::env::temp_dir(), kind).await;
        initiate(&[member.port()]).await;
        primary_of(&[member.port()]).await;
        member
    }

    /// Starts a replica set and waits until it has a primary.
    pub async fn start_replica_set(members: usize) -> MongoSet {
        let members = Self::start_members(members).await;
        MongoSet::initiate(members, Vec::new()).await
    }

    /// As [`Mongo::start_replica_set`], with a proxy in front of each member, through which the other members and all
    /// clients reach it.
    pub async fn start_replica_set_behind_proxies(members: usize) -> MongoSet {
        let members = Self::start_members(members).await;
        let mut proxies = Vec::with_capacity(members.len());
        for member in &members {
            proxies.push(FaultProxy::start(member.port()).await);
        }
        MongoSet::initiate(members, proxies).await
    }

    /// A database of its own for one test, on the server that all tests of this run share.
    pub async fn shared() -> SharedMongo {
        // Each test of a run has a database of some sixty files: more than may be open at once.
        let kind = MongoKind::new(&["--setParameter=wiredTigerFileHandleCloseIdleTime=20"]);
        let port = shared_port(kind, async |port| {
            initiate(&[port]).await;
            primary_of(&[port]).await;
        })
        .await;
        SharedMongo {
            port,
            database: format!("test_{}", Uuid::now_v7().simple()),
        }
    }

    async fn start_members(count: usize) -> Vec<Self> {
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            members.push(Self::start_member(&std::env::temp_dir(), &[]).await);
        }
        members
    }

    async fn start_member(parent: &Path, arguments: &[&str]) -> Self {
        Self::start_kind(parent, MongoKind::new(arguments)).await
    }

    async fn start_kind(parent: &Path, kind: MongoKind) -> Self {
        let folder = TempDir::with_prefix_in("dakghar-mongod-", parent).expect("the folder can be written");
        Self {
            process: Process::start(kind, folder.path(), std::process::id()).await,
            _folder: folder,
        }
    }

    /// How drivers find it, as a replica set. A proxy in between needs [`direct_uri`] with the proxy's port.
    pub fn uri(&self) -> String {
        set_uri(&[self.port()])
    }

    /// As [`Mongo::uri`], naming a database.
    pub fn uri_of(&self, database: &str) -> String {
        set_uri_of(&[self.port()], database)
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

    /// Lets it go on after [`Mongo::stop`].
    pub fn cont(&self) {
        self.process.signal("CONT");
    }

    /// Kills it if it runs and starts it again on the same port and data; returns when it answers. A replica set of
    /// one can be written shortly after: [`Mongo::writable`] waits for that.
    pub async fn restart(&mut self) {
        self.process.restart().await;
    }

    /// Waits until this server is a primary.
    pub async fn writable(&self) {
        primary_of(&[self.port()]).await;
    }
}

impl Drop for Mongo {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// A replica set of several servers.
pub struct MongoSet {
    /// The servers; a test may kill and restart each.
    pub members: Vec<Mongo>,
    /// The proxies in front of them, in the same order; none, unless they were asked for.
    pub proxies: Vec<FaultProxy>,
}

impl MongoSet {
    async fn initiate(members: Vec<Mongo>, proxies: Vec<FaultProxy>) -> Self {
        let set = Self { members, proxies };
        initiate(&set.known_ports()).await;
        set.primary().await;
        for port in set.ports() {
            until_in_sync(port).await;
        }
        set
    }

    /// How drivers find the set.
    pub fn uri(&self) -> String {
        set_uri(&self.known_ports())
    }

    /// As [`MongoSet::uri`], naming a database.
    pub fn uri_of(&self, database: &str) -> String {
        set_uri_of(&self.known_ports(), database)
    }

    /// Waits until a member is the primary; answers its index in `members`.
    pub async fn primary(&self) -> usize {
        primary_of(&self.ports()).await
    }

    /// As [`MongoSet::primary`], of the members other than this one.
    pub async fn primary_beside(&self, member: usize) -> usize {
        let mut ports = self.ports();
        ports.remove(member);
        let index = primary_of(&ports).await;
        index + usize::from(index >= member)
    }

    /// Cuts a member off from the others, and the others from it. Clients reach all of them as before. Needs the
    /// proxies.
    pub fn isolate(&self, member: usize) {
        let pids: Vec<u32> = self.members.iter().map(Mongo::pid).collect();
        for (index, proxy) in self.proxies.iter().enumerate() {
            if index == member {
                let others: Vec<u32> = pids.iter().copied().filter(|pid| *pid != pids[member]).collect();
                proxy.shut_out(&others);
            } else {
                proxy.shut_out(&[pids[member]]);
            }
        }
    }

    /// Ends [`MongoSet::isolate`].
    pub fn reunite(&self) {
        for proxy in &self.proxies {
            proxy.shut_out(&[]);
        }
    }

    /// Makes the primary step down for `seconds`; another member is elected meanwhile.
    pub async fn step_down(&self, seconds: i32) {
        let port = self.members[self.primary().await].port();
        let step_down = Document::default().int("replSetStepDown", seconds).bool("force", true);
        let reply = command(port, step_down).await;
        assert!(
            reply.is_some_and(|reply| reply.is_ok()),
            "the primary does not step down"
        );
    }

    fn ports(&self) -> Vec<u16> {
        self.members.iter().map(Mongo::port).collect()
    }

    /// Where the members are for each other and for clients.
    fn known_ports(&self) -> Vec<u16> {
        if self.proxies.is_empty() {
            self.ports()
        } else {
            self.proxies.iter().map(FaultProxy::port).collect()
        }
    }
}

/// A database of the shared MongoDB server that no other test uses.
#[derive(Clone, Debug)]
pub struct SharedMongo {
    port: u16,
    database: String,
}

impl SharedMongo {
    /// How drivers find the server. Names no database: see [`SharedMongo::database`].
    pub fn uri(&self) -> String {
        set_uri(&[self.port])
    }

    /// As [`SharedMongo::uri`], naming the database.
    pub fn database_uri(&self) -> String {
        set_uri_of(&[self.port], &self.database)
    }

    /// The port of the server.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }
}

/// The URI of one server on this port, without discovery of its replica set: what a client behind a proxy needs.
pub fn direct_uri(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/?directConnection=true")
}

fn set_uri(ports: &[u16]) -> String {
    set_uri_of(ports, "")
}

fn set_uri_of(ports: &[u16], database: &str) -> String {
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("mongodb://{}/{database}?replicaSet={REPLICA_SET}", hosts.join(","))
}

/// Makes one set of the servers that are known under these ports.
async fn initiate(ports: &[u16]) {
    let members = ports.iter().zip(0..).map(|(port, id)| {
        Document::default()
            .int("_id", id)
            .string("host", &format!("127.0.0.1:{port}"))
    });
    let settings = Document::default().int("electionTimeoutMillis", ELECTION_TIMEOUT_MS);
    let config = Document::default()
        .string("_id", REPLICA_SET)
        .array("members", members)
        .document("settings", settings);
    let reply = command(ports[0], Document::default().document("replSetInitiate", config)).await;
    // Without an answer in time it may have happened: the wait for a primary tells.
    assert!(
        reply.is_none_or(|reply| reply.is_ok()),
        "the replica set cannot be initiated"
    );
}

/// Waits until this member of a set holds what the set holds, so that a majority can acknowledge at once.
async fn until_in_sync(port: u16) {
    for _ in 0..PRIMARY_SECONDS_MAX * 50 {
        let hello = command(port, Document::default().int("hello", 1)).await;
        if hello.is_some_and(|hello| hello.is_true("isWritablePrimary") || hello.is_true("secondary")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a member of the replica set is not in sync after {PRIMARY_SECONDS_MAX} s");
}

/// Waits until one of these servers is the primary; answers which.
async fn primary_of(ports: &[u16]) -> usize {
    for _ in 0..PRIMARY_SECONDS_MAX * 50 {
        for (index, port) in ports.iter().enumerate() {
            let hello = command(*port, Document::default().int("hello", 1)).await;
            if hello.is_some_and(|hello| hello.is_true("isWritablePrimary")) {
                return index;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the replica set found no primary in {PRIMARY_SECONDS_MAX} s");
}
