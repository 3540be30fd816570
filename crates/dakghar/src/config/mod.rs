//! Settings: read once, checked together, all problems reported at once.
//!
//! Each section is a file: its part of the table of variables, a struct, and how that is read and checked.

mod environment;
pub mod keys;
pub mod logging;
mod meta;
mod reader;
mod sending;
mod server;
mod storage;
pub mod variables;

use std::net::IpAddr;
use std::path::PathBuf;

use dakghar_core::domain::Secret;
use dakghar_core::domain::message::SendPolicy;

pub use environment::Environment;
use keys::Keys;
use meta::Meta;
use reader::Reader;
use sending::Sending;
use server::Server;
pub use storage::Backend;
use storage::Storage;

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port.
    pub port: u16,
    /// The address.
    pub bind_addr: IpAddr,
    /// True if keys and secrets are required.
    pub is_production: bool,
    /// The operator's key.
    pub admin_api_key: Option<Secret>,
    /// The URL under which Meta reaches this server.
    pub public_url: Option<String>,
    /// The folder of files: the embedded store and generated secrets.
    pub data_dir: PathBuf,
    /// The kind of store and queue.
    pub backend: Backend,
    /// Present and previous app secret.
    pub app_secrets: Vec<Secret>,
    /// The token of Meta's verification of the webhook URL; generated when absent.
    pub verify_token: Option<Secret>,
    /// The Graph API version, such as `v25.0`.
    pub api_version: String,
    /// The http(s) URL of the Graph API.
    pub graph_base_url: String,
    /// The master key; generated when absent.
    pub master_key: Option<Secret>,
    /// The master key before it.
    pub master_key_previous: Option<Secret>,
    /// Calls to Meta under way at most.
    pub worker_concurrency: u32,
    /// Attempts before a dead letter.
    pub attempts_max: u32,
    /// The waits between attempts and the times of the protocol.
    pub send: SendPolicy,
    /// The warnings for the operator.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads and checks every setting; an error lists everything that is wrong.
    pub fn load(environment: &Environment) -> Result<Self, Vec<String>> {
        let mut reader = Reader::new(environment);
        let sections = Sections::read(&mut reader);
        sections.check(&mut reader);
        reader.finish(sections.into_config())
    }

    /// True if MongoDB and Redis are used.
    pub const fn is_distributed(&self) -> bool {
        matches!(self.backend, Backend::Distributed { .. })
    }
}

/// The sections that make up the settings.
struct Sections {
    server: Server,
    storage: Storage,
    meta: Meta,
    keys: Keys,
    sending: Sending,
}

impl Sections {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            server: Server::read(reader),
            storage: Storage::read(reader),
            meta: Meta::read(reader),
            keys: Keys::read(reader),
            sending: Sending::read(reader),
        }
    }

    /// Reports settings that are missing first, then those that are wrong.
    fn check(&self, reader: &mut Reader<'_>) {
        let is_production = self.server.is_production;
        self.server.require(reader);
        self.meta.require(is_production, reader);
        self.keys.require(is_production, self.storage.is_distributed(), reader);
        self.keys.check(reader);
        self.server.check(reader);
        self.meta.check(reader);
        self.sending.check(reader);
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        self.meta.warn_about_webhook(&mut warnings);
        self.server.warn(&mut warnings);
        self.meta.warn_about_graph(self.server.is_production, &mut warnings);
        warnings
    }

    fn into_config(self) -> Config {
        let warnings = self.warnings();
        let Self {
            server,
            storage,
            meta,
            keys,
            sending,
        } = self;
        Config {
            port: server.port,
            bind_addr: server.bind_addr,
            is_production: server.is_production,
            admin_api_key: server.admin_api_key,
            public_url: server.public_url,
            data_dir: storage.data_dir,
            backend: storage.backend,
            app_secrets: meta.app_secrets,
            verify_token: meta.verify_token,
            api_version: meta.api_version,
            graph_base_url: meta.graph_base_url,
            master_key: keys.master_key,
            master_key_previous: keys.master_key_previous,
            worker_concurrency: sending.worker_concurrency,
            attempts_max: sending.attempts_max,
            send: sending.policy,
            warnings,
        }
    }
}

#[cfg(test)]
mod tests;
