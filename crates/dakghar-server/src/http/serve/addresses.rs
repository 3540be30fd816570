//! Connections by the address of their client, each address at most its share of them.
//!
//! Behind a trusted proxy all connections come from one address. There the requests under way are counted instead, by
//! the address that the proxy names.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Request};
use axum::response::Response;
use dakghar_core::domain::{ErrorCode, Problem};
use dakghar_core::metrics::{Limit, Metrics};
use hyper::body::Incoming;
use ipnet::IpNet;
use parking_lot::Mutex;

use crate::http::client_addr::{ClientAddr, counted, forwarded, is_trusted};
use crate::http::config::HttpConfig;
use crate::http::ingest::Webhook;
use crate::http::problem;

/// The time after which a refused client may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The connections, and requests behind proxies, of each address.
pub(super) struct Addresses {
    max: usize,
    trusted: Vec<IpNet>,
    counts: Mutex<HashMap<IpAddr, Count>>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Count {
    places: usize,
    refused: u64,
}

impl Addresses {
    pub(super) fn new(config: &HttpConfig, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            max: config.connections_per_address_max,
            trusted: config.trusted_proxies.clone(),
            counts: Mutex::new(HashMap::new()),
            metrics,
        })
    }

    /// Counts a new connection. Returns `None` when its address has too many: it is to be closed.
    pub(super) fn connect(self: &Arc<Self>, peer: IpAddr) -> Option<Peer> {
        if is_trusted(peer, &self.trusted) {
            let addresses = Arc::clone(self);
            return Some(Peer::Proxy { addr: peer, addresses });
        }
        self.enter(peer, Limit::ConnectionsPerAddress).map(Peer::Client)
    }

    fn enter(self: &Arc<Self>, client: IpAddr, limit: Limit) -> Option<Place> {
        let addr = counted(client);
        let mut counts = self.counts.lock();
        let count = counts.entry(addr).or_default();
        if count.places < self.max {
            count.places += 1;
            drop(counts);
            let addresses = Arc::clone(self);
            return Some(Place {
                client,
                addr,
                addresses,
            });
        }
        count.refused += 1;
        let refused = count.refused;
        drop(counts);
        self.metrics.refused.of(limit).inc();
        // One line when it begins, and then ever fewer: a flood must not become a flood of lines.
        if refused.is_power_of_two() {
            tracing::warn!(%addr, refused, max = self.max, "too many connections of one address; further ones are closed");
        }
        None
    }
}

/// A place that an address has taken; free again when this is dropped.
pub(super) struct Place {
    /// The whole address.
    client: IpAddr,
    /// The address that it is counted by.
    addr: IpAddr,
    addresses: Arc<Addresses>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts.lock();
        if let Some(count) = counts.get_mut(&self.addr) {
            count.places -= 1;
            if count.places == 0 {
                counts.remove(&self.addr);
            }
        }
    }
}

/// The other end of a connection.
pub(super) enum Peer {
    /// A client; the connection has its place.
    Client(Place),
    /// A trusted proxy. Its clients are counted request by request.
    Proxy {
        /// The proxy's own address, for requests that name no other.
        addr: IpAddr,
        addresses: Arc<Addresses>,
    },
}

impl Peer {
    /// Notes whose request it is, and counts it if it came through a proxy. The request is under way until the place is
    /// dropped. Returns the answer instead when its client has too many.
    pub(super) fn admit(&self, request: &mut Request<Incoming>) -> Result<Option<Place>, Box<Response>> {
        let (addr, place) = match self {
            Self::Client(place) => (place.client, None),
            Self::Proxy { addr, addresses } => match forwarded(request.headers(), &addresses.trusted) {
                // The proxy itself, such as its health check.
                None => (*addr, None),
                Some(client) => {
                    let place = addresses.enter(client, Limit::RequestsPerClient).ok_or_else(|| {
                        Webhook::of(request, &addresses.metrics).answered(Some(ErrorCode::Overloaded));
                        Box::new(refusal(request))
                    })?;
                    (client, Some(place))
                }
            },
        };
        request.extensions_mut().insert(ClientAddr(addr));
        Ok(place)
    }
}

fn refusal(request: &Request<Incoming>) -> Response {
    let detail = "This address has too many requests under way.";
    let problem = Problem::new(ErrorCode::Overloaded, detail).retry_after(RETRY_AFTER);
    problem::answer(&problem, "-", request.version(), HeaderMap::new())
}
