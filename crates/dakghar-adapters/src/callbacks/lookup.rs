//! Finds the addresses of names, without a thread for each: a name server that never answers holds up nobody else.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;

/// The longest an answer is remembered, whatever it says itself.
const REMEMBERED_MAX: Duration = Duration::from_secs(60);
/// Answers that are remembered.
const REMEMBERED_NAMES_MAX: u64 = 4_096;
/// The wait for a name server, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(3);
const ATTEMPTS: usize = 2;
/// Questions under way at a time. Beyond it names count as not found, so it is more than there are calls.
const QUESTIONS_MAX: usize = 10_000;

/// Finds the addresses of names.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// Returns every address of a name, of both families; none when it is not found.
    async fn addresses(&self, name: &str) -> Vec<IpAddr>;
}

/// Asks the name servers that this machine is set up with, and its file of hosts.
pub struct SystemLookup(Option<TokioResolver>);

impl SystemLookup {
    /// Reads the settings of this machine. Where they cannot be read no name is found, and a log line says so.
    pub fn new() -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            options.timeout = PATIENCE;
            options.attempts = ATTEMPTS;
            options.cache_size = REMEMBERED_NAMES_MAX;
            options.positive_max_ttl = Some(REMEMBERED_MAX);
            options.negative_max_ttl = Some(REMEMBERED_MAX);
            options.max_active_requests = QUESTIONS_MAX;
            builder.build()
        });
        if let Err(error) = &resolver {
            tracing::warn!(%error, "no name of a callback's host will be found: the name servers are not known");
        }
        Self(resolver.ok())
    }
}

impl Default for SystemLookup {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let Some(resolver) = &self.0 else { return Vec::new() };
        // What is wrong with a tenant's name is the tenant's business; it is told that the name was not found.
        resolver
            .lookup_ip(name)
            .await
            .map_or_else(|_| Vec::new(), |found| found.iter().collect())
    }
}
