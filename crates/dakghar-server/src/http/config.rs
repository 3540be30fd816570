//! The settings of the HTTP edge.

use std::time::Duration;

use axum::http::HeaderValue;
use dakghar_core::domain::Secret;
use ipnet::IpNet;

use super::tls::Tls;

/// Settings and limits of the HTTP edge.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// The operator's key. While it is absent outside production, requests without a key are allowed.
    pub admin_api_key: Option<Secret>,
    /// True if every request to the API needs a key, whatever else is set.
    pub production: bool,
    /// The most bytes of a request body on the API.
    pub body_bytes_max: usize,
    /// The most bytes of a body of many messages.
    pub bulk_body_bytes_max: usize,
    /// The most bytes of a webhook's body. Meta posts up to 3 MB.
    pub webhook_body_bytes_max: usize,
    /// The most bytes of all bodies on the API that are arriving or being carried out; a tenant may have half of them.
    pub bodies_bytes_max: usize,
    /// The same of webhooks. A quarter is kept for bodies of at most 64 KiB; one address may have half of them, one from
    /// which no webhook was verified yet the size of one body, and a 64th in small ones.
    pub webhooks_bytes_max: usize,
    /// The most bytes of all list pages that are being built or read by their client; a tenant may have half of them.
    pub pages_bytes_max: usize,
    /// The most connections of one address, and requests under way of one client behind a trusted proxy.
    pub connections_per_address_max: usize,
    /// The most wrong keys that one address may present in a minute.
    pub wrong_keys_per_minute_max: u32,
    /// The most readers of feeds that wait or stream at a time.
    pub live_readers_max: usize,
    /// The same of one tenant.
    pub live_readers_per_tenant_max: usize,
    /// The wait between two signs of life on a stream on which nothing happens: shorter than the patience of usual proxies.
    pub live_heartbeat: Duration,
    /// How long a stream lasts. Then its client connects again, and shows its key again.
    pub live_stream_max: Duration,
    /// The answer to a message that is sent in Meta's form, where its client does not say.
    pub graph_answer: GraphAnswer,
    /// The longest time that such an answer waits for Meta's; less than `drain_timeout`.
    pub graph_wait: Duration,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The time to the first byte of a connection, and from there for the head of a request; enforced with a tolerance
    /// of half of it.
    pub header_read_timeout: Duration,
    /// The time the body of a request may take.
    pub body_read_timeout: Duration,
    /// The time a connection may be without a request.
    pub idle_timeout: Duration,
    /// The time requests under way may take to end at a shutdown; then their connections are cut.
    pub drain_timeout: Duration,
    /// The most connections at a time; further ones wait in the listener's backlog.
    pub connections_max: usize,
    /// The TLS that a listener speaks; plain HTTP without.
    pub tls: Option<Tls>,
    /// The value of `Strict-Transport-Security` in every answer, if there is to be one.
    pub hsts: Option<HeaderValue>,
    /// True if the health checks are answered on a port of their own, and nowhere else.
    pub health_apart: bool,
    /// The version that the service reports.
    pub version: &'static str,
}

/// The answer to a message that is sent in Meta's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphAnswer {
    /// Meta's own, if it comes in time.
    Wait,
    /// The gateway id of the message, at once.
    Queue,
}

impl GraphAnswer {
    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "wait" => Some(Self::Wait),
            "queue" => Some(Self::Queue),
            _ => None,
        }
    }
}

/// Returns the value of `Strict-Transport-Security` for so many seconds.
pub fn max_age(seconds: u64) -> HeaderValue {
    HeaderValue::try_from(format!("max-age={seconds}")).expect("letters and digits")
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            admin_api_key: None,
            production: false,
            body_bytes_max: 256 * 1024,
            bulk_body_bytes_max: 4 * 1024 * 1024,
            webhook_body_bytes_max: 4 * 1024 * 1024,
            bodies_bytes_max: 32 * 1024 * 1024,
            webhooks_bytes_max: 32 * 1024 * 1024,
            pages_bytes_max: 96 * 1024 * 1024,
            connections_per_address_max: 1_000,
            wrong_keys_per_minute_max: 30,
            live_readers_max: 5_000,
            live_readers_per_tenant_max: 20,
            live_heartbeat: Duration::from_secs(15),
            live_stream_max: Duration::from_mins(10),
            graph_answer: GraphAnswer::Wait,
            graph_wait: Duration::from_secs(4),
            trusted_proxies: Vec::new(),
            header_read_timeout: Duration::from_secs(10),
            body_read_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(20),
            connections_max: 10_000,
            tls: None,
            hsts: None,
            health_apart: false,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
