//! The listeners beside the main one: health checks on an address of their own, and the one that leads to HTTPS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use dakghar_core::metrics::Metrics;
use dakghar_server::http::{self, Asides, HttpConfig};
use tokio::net::TcpListener;

use super::parts::Parts;
use crate::config::Config;
use crate::lifecycle::{DRAIN_MAX, Lifecycle};
use crate::wiring::vital;

/// The most connections to each of them. Who is led elsewhere or asks about health is done at once.
const CONNECTIONS_MAX: usize = 128;
/// The most of them of one address.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
/// The time to the first byte, and the time without a request.
const WAITS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));

/// Returns the most files that they need.
pub(super) fn files_max(config: &Config) -> usize {
    let listeners = [config.server.health_addr, config.https.redirect_addr];
    listeners.iter().flatten().count() * CONNECTIONS_MAX
}

/// Returns the address of health checks if they have one of their own beside the main listener. A worker listens there
/// alone.
pub(super) fn health_addr(config: &Config, parts: Parts) -> Option<SocketAddr> {
    config.server.health_addr.filter(|_| parts.api)
}

/// Takes the addresses and serves there until the process stops. `https_port` is where the main listener is.
pub(super) async fn start(
    config: &Config,
    parts: Parts,
    https_port: u16,
    lifecycle: &Lifecycle,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Asides> {
    let settings = HttpConfig {
        connections_max: CONNECTIONS_MAX,
        connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
        header_read_timeout: WAITS.0,
        idle_timeout: WAITS.1,
        drain_timeout: DRAIN_MAX,
        admin_api_key: config.server.admin_api_key.clone(),
        production: config.server.is_production,
        trusted_proxies: config.server.trusted_proxies.clone(),
        ..HttpConfig::default()
    };
    let asides = Asides::new(settings.clone(), metrics.clone());
    let mut routers = Vec::new();
    let health = health_addr(config, parts);
    if let Some(addr) = health {
        routers.push((bind(addr, "HEALTH_ADDR").await?, asides.health()));
    }
    if let Some(addr) = config.https.redirect_addr.filter(|_| parts.api) {
        let host = config.server.public_url.as_deref().and_then(https_host);
        let router = asides.redirect(health.is_none(), host.map(str::to_owned), https_port);
        routers.push((bind(addr, "REDIRECT_ADDR").await?, router));
    }
    for (listener, router) in routers {
        let serving = http::serve(
            listener,
            router,
            lifecycle.stopping.clone(),
            settings.clone(),
            metrics.clone(),
        );
        lifecycle.tasks.spawn(vital("a server beside the main one", serving));
    }
    Ok(asides)
}

async fn bind(addr: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(addr).await;
    bound.with_context(|| format!("cannot listen on {addr} ({setting})"))
}

/// Returns the host and port of a URL under https.
fn https_host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    Some(host).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_the_public_url_is_led_to() {
        assert_eq!(https_host("https://x.example/"), Some("x.example"));
        assert_eq!(https_host("https://x.example:8443/a?b"), Some("x.example:8443"));
        assert_eq!(https_host("http://x.example"), None);
        assert_eq!(https_host("https:///a"), None);
    }
}
