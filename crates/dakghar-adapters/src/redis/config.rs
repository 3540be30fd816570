//! The address of Redis.

use std::fmt;
use std::time::Duration;

use dakghar_core::domain::Secret;
use url::Url;

const PATIENCE: Duration = Duration::from_millis(250);

/// The configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedisConfig {
    /// Not an address of Redis. Never repeats the text, which may hold a password.
    #[error(
        "a Redis URL looks like redis://[user:password@]host[:port][/database], or rediss:// with TLS; several, \
         separated by commas, or ?cluster=true name the nodes of a cluster, which has no databases: {0}"
    )]
    Url(&'static str),
    /// All keys of a queue must be on one node, which the name of an unsplit queue does not ensure.
    #[error("a Redis Cluster needs QUEUE_SHARDS of at least 2: only the names of split queues carry a hash tag")]
    ClusterNeedsShards,
    /// There is no queue, or nobody to take from it.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// A certificate authority is of no use without TLS.
    #[error("a certificate authority for Redis needs an address that starts with rediss://")]
    AuthorityWithoutTls,
    /// The text has no certificate in it.
    #[error("a certificate authority for Redis is a certificate in PEM: -----BEGIN CERTIFICATE-----")]
    NoCertificate,
}

/// The address of Redis: one server, or nodes of a cluster. Printing it never shows user or password.
#[derive(Clone)]
pub struct RedisConfig {
    nodes: Vec<Secret>,
    is_cluster: bool,
    authority_pem: Option<Vec<u8>>,
    patience: Duration,
    shown: String,
}

impl RedisConfig {
    /// A server without password on this host, by name or address.
    pub fn from_host(host: &str, port: u16) -> Result<Self, InvalidRedisConfig> {
        if host.contains(':') && !host.starts_with('[') {
            Self::from_url(&format!("redis://[{host}]:{port}"))
        } else {
            Self::from_url(&format!("redis://{host}:{port}"))
        }
    }

    /// Reads `redis://` and `rediss://` URLs; several, separated by commas, are nodes of a cluster, and so is one with
    /// `?cluster=true`.
    pub fn from_url(text: &str) -> Result<Self, InvalidRedisConfig> {
        let mut nodes = Vec::new();
        let mut shown = Vec::new();
        let mut is_cluster = false;
        for part in text.split(',') {
            let node = Node::parse(part.trim())?;
            is_cluster |= node.is_cluster;
            shown.push(node.shown());
            nodes.push(node);
        }
        is_cluster |= nodes.len() > 1;
        if is_cluster && nodes.iter().any(|node| !node.database().is_empty()) {
            return Err(InvalidRedisConfig::Url("a cluster has no numbered databases"));
        }
        Ok(Self {
            nodes: nodes.into_iter().map(|node| Secret::new(node.url)).collect(),
            is_cluster,
            authority_pem: None,
            patience: PATIENCE,
            shown: shown.join(","),
        })
    }

    /// Trusts this certificate authority, in PEM, instead of the public ones.
    pub fn with_authority(mut self, pem: Vec<u8>) -> Result<Self, InvalidRedisConfig> {
        if !self.reveal_nodes().all(|node| node.starts_with("rediss:")) {
            return Err(InvalidRedisConfig::AuthorityWithoutTls);
        }
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(InvalidRedisConfig::NoCertificate);
        }
        self.authority_pem = Some(pem);
        Ok(self)
    }

    /// Sets how long one answer is waited for, 250 ms unless told otherwise: acceptance waits for it, and can do
    /// without.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// True if these are nodes of a cluster.
    pub const fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    /// Checks that a queue that is split into so many can live there.
    pub const fn check_shards(&self, shards: u16) -> Result<(), InvalidRedisConfig> {
        if shards == 0 {
            return Err(InvalidRedisConfig::Zero("QUEUE_SHARDS"));
        }
        if self.is_cluster && shards < 2 {
            return Err(InvalidRedisConfig::ClusterNeedsShards);
        }
        Ok(())
    }

    /// The full addresses, passwords and all; for connecting only.
    pub(super) fn reveal_nodes(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(Secret::reveal)
    }

    /// The certificate authority to trust instead of the public ones, in PEM.
    pub(super) fn authority_pem(&self) -> Option<&Vec<u8>> {
        self.authority_pem.as_ref()
    }
}

impl fmt::Display for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

struct Node {
    url: Url,
    is_cluster: bool,
}

impl Node {
    fn parse(text: &str) -> Result<Self, InvalidRedisConfig> {
        let mut url = Url::parse(text).map_err(|_| InvalidRedisConfig::Url("it cannot be read"))?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err(InvalidRedisConfig::Url("it starts with something else"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(InvalidRedisConfig::Url("the host is missing"));
        }
        if !url
            .path()
            .trim_start_matches('/')
            .bytes()
            .all(|byte| byte.is_ascii_digit())
        {
            return Err(InvalidRedisConfig::Url("the database is not a number"));
        }
        let is_cluster = url
            .query_pairs()
            .any(|(name, value)| name == "cluster" && value == "true");
        // Our own word; the drivers would not know it.
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != "cluster")
            .map(|(k, v)| (k.into(), v.into()))
            .collect();
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        Ok(Self { url, is_cluster })
    }

    fn database(&self) -> &str {
        self.url.path().trim_start_matches('/')
    }

    fn shown(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let database = match self.database() {
            "" => String::new(),
            database => format!("/{database}"),
        };
        let (scheme, host) = (self.url.scheme(), self.url.host_str().unwrap_or_default());
        format!("{scheme}://{host}{port}{database}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::bullmq::connection_options;
    use super::*;

    #[test]
    fn never_shows_the_password() {
        for url in [
            "rediss://gate:hunter2@cache.example:6390/3",
            "redis://:hunter2@one,redis://:hunter2@two:7001",
        ] {
            let redis = RedisConfig::from_url(url).unwrap();
            let shown = format!("{redis} {redis:?} {:?}", connection_options(&redis));
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(redis.reveal_nodes().all(|node| node.contains("hunter2")));
        }
        let error = RedisConfig::from_url("http://:hunter2@host").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(
            RedisConfig::from_url("rediss://gate:hunter2@cache.example:6390/3")
                .unwrap()
                .to_string(),
            "rediss://cache.example:6390/3"
        );
    }

    #[test]
    fn reads_hosts_and_clusters() {
        assert_eq!(
            RedisConfig::from_host("::1", 6379).unwrap().to_string(),
            "redis://[::1]:6379"
        );
        assert_eq!(
            RedisConfig::from_host("redis", 6379).unwrap().to_string(),
            "redis://redis:6379"
        );
        let one = RedisConfig::from_url("redis://one:7000?cluster=true&protocol=resp3").unwrap();
        assert!(one.is_cluster());
        assert_eq!(
            one.reveal_nodes().collect::<Vec<_>>(),
            ["redis://one:7000?protocol=resp3"]
        );
        assert!(RedisConfig::from_url("redis://one,redis://two").unwrap().is_cluster());
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        for url in [
            "",
            "one:7000",
            "http://one",
            "redis://",
            "redis://one/x",
            "redis://one/1,redis://two/1",
        ] {
            assert!(RedisConfig::from_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_authority_is_a_certificate_and_needs_tls() {
        let with = |url, pem: &str| RedisConfig::from_url(url).unwrap().with_authority(pem.into());
        assert!(with("rediss://one", "-----BEGIN CERTIFICATE-----").is_ok());
        assert_eq!(
            with("redis://one", "-----BEGIN CERTIFICATE-----").unwrap_err(),
            InvalidRedisConfig::AuthorityWithoutTls
        );
        assert_eq!(
            with("rediss://one", "not a certificate").unwrap_err(),
            InvalidRedisConfig::NoCertificate
        );
    }
}
