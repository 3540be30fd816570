//! Settings: read once, checked together, all problems reported at once.
//!
//! Each section is a file: its part of the table of variables, a struct, and how that is read and checked.

mod audit;
mod callbacks;
mod environment;
mod https;
pub mod keys;
pub mod logging;
mod meta;
mod numbers;
mod reader;
mod sending;
mod server;
mod signups;
mod storage;
mod tenant_limits;
mod traces;
mod variable;
pub mod variables;
mod vault;

use callbacks::Callbacks;
use dakghar_core::app::{CheckSettings, SignupSettings};
use dakghar_core::domain::TenantLimits;
pub use environment::Environment;
use https::Https;
pub use https::TlsFiles;
use keys::Keys;
use meta::Meta;
use reader::Reader;
use sending::Sending;
use server::Server;
pub use server::{HealthAddr, MetricsAddr, health_addr};
pub use storage::Backend;
use storage::Storage;
use traces::Traces;

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of the server, and who may use it.
    pub server: Server,
    /// HTTPS in this process.
    pub https: Https,
    /// The store and the queue.
    pub storage: Storage,
    /// Meta's webhook and the Graph API.
    pub meta: Meta,
    /// The keys that data is sealed with.
    pub keys: Keys,
    /// The limits and the times of sending.
    pub sending: Sending,
    /// Where callbacks may go.
    pub callbacks: Callbacks,
    /// Where traces go, if there are any.
    pub traces: Option<Traces>,
    /// The limits of a tenant for which the operator set no other.
    pub tenant_limits: TenantLimits,
    /// The way in which numbers are connected.
    pub signups: SignupSettings,
    /// The way in which numbers are checked at Meta.
    pub checks: CheckSettings,
    /// The days that records of the audit log are kept; 0 is for ever.
    pub audit_days: u32,
}

impl Config {
    /// Reads and checks every setting; an error lists everything that is wrong.
    pub fn load(environment: &Environment) -> Result<Self, Vec<String>> {
        let mut reader = Reader::new(environment);
        let meta = Meta::read(&mut reader);
        let server = Server::read(&mut reader, !meta.app_secrets.is_empty());
        let others = signups::Others {
            verify_token: meta.verify_token.as_ref(),
            public_url: server.public_url.as_deref(),
            api_version: &meta.api_version,
            is_production: server.is_production,
        };
        let signups = signups::read(&mut reader, &others);
        let checks = numbers::read(&mut reader, server.public_url.as_deref());
        let config = Self {
            signups,
            checks,
            callbacks: Callbacks::read(&mut reader, &server),
            server,
            https: Https::read(&mut reader),
            storage: Storage::read(&mut reader),
            meta,
            keys: Keys::read(&mut reader),
            sending: Sending::read(&mut reader),
            tenant_limits: tenant_limits::read(&mut reader),
            audit_days: audit::read(&mut reader),
            traces: Traces::read(&mut reader),
        };
        config.check(&mut reader);
        reader.finish(config)
    }

    /// Reports settings that are missing first, then those that are wrong.
    fn check(&self, reader: &mut Reader<'_>) {
        let is_production = self.server.is_production;
        self.server.require(reader);
        self.meta.require(is_production, reader);
        self.keys.require(is_production, self.is_distributed(), reader);
        self.keys.check(reader);
        self.server.check(reader);
        self.https.check(reader);
        self.meta.check(reader);
        self.sending.check(reader);
    }

    /// True if MongoDB and Redis are used.
    pub const fn is_distributed(&self) -> bool {
        matches!(self.storage.backend, Backend::Distributed { .. })
    }

    /// True if webhooks that nobody signed are taken: only on this machine, and only while there is no app secret.
    pub fn takes_unsigned_webhooks(&self) -> bool {
        self.meta.app_secrets.is_empty() && self.server.bind_addr.is_loopback()
    }

    /// The warnings for the operator.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        self.meta.warn_about_webhook(&self.server, &mut warnings);
        self.server.warn(&mut warnings);
        self.meta.warn_about_graph(self.server.is_production, &mut warnings);
        self.callbacks.warn(self.server.is_production, &mut warnings);
        signups::warn(&self.signups, &mut warnings);
        warnings
    }
}

#[cfg(test)]
mod tests;
