//! The settings of the server: its address, and who may use it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use dakghar_core::domain::Secret;
use dakghar_server::http::GraphAnswer;
use ipnet::IpNet;

use super::environment::Environment;
use super::https::{is_spoken, read_addr};
use super::reader::Reader;
use super::variable::{Kind, Variable, table};

table! {
    "Server" {
        PORT: Kind::Integer { min: 0, max: 65_535 }, "3000", "The TCP port to listen on; 0 takes a free one.";
        BIND_ADDR: Kind::Text, "", "The IP address to listen on. Default: 127.0.0.1 in development, 0.0.0.0 in production or when both ADMIN_API_KEY and APP_SECRET are set.";
        APP_ENV: Kind::OneOf(&["development", "production"]), "development", "In production every secret must be set and every request needs an API key.";
        ADMIN_API_KEY: Kind::Secret, "", "The operator's key: guards registration and every route across tenants. At least 16 characters.";
        TRUSTED_PROXIES: Kind::Text, "", "Proxies whose X-Forwarded-For is believed, as addresses or networks (CIDR) with commas between. Limits by address then count the clients behind them.";
        CONNECTIONS_PER_ADDRESS_MAX: Kind::Integer { min: 1, max: 10_000 }, "1000", "The most connections of one address (of IPv6: of one /64), and requests under way of one client behind a trusted proxy. Further ones are refused.";
        WRONG_KEYS_PER_MINUTE_MAX: Kind::Integer { min: 1, max: 10_000 }, "30", "The most wrong API keys that one address may present in a minute. Beyond it keys are refused unseen, but for those that were right before; others wait for a try that is at most 5 seconds away.";
        FEED_READERS_PER_TENANT_MAX: Kind::Integer { min: 1, max: 5_000 }, "20", "The most live readers of one tenant's feed at a process: requests that wait for entries, and streams. Further ones are refused.";
        FEED_READERS_MAX: Kind::Integer { min: 1, max: 100_000 }, "5000", "The most live readers of all feeds at a process. Further ones are refused.";
        GRAPH_ANSWER: Kind::OneOf(&["wait", "queue"]), "wait", "What answers a message that is sent in Meta's form: Meta's own answer, waited for through the queue, or at once an id that stands for it. The header x-dakghar-answer of a request says it for that one.";
        GRAPH_WAIT_MS: Kind::Integer { min: 100, max: 15_000 }, "4000", "How long such an answer waits for Meta's, in milliseconds; then it has the id that stands for it. Keep it below the patience of your clients, which for many is 5 seconds: one that gives up may send the message again.";
        METRICS_ADDR: Kind::Text, "127.0.0.1:9464", "Where /metrics is served for Prometheus: address and port (0 takes a free one), or off. Whoever reaches it may read it, so keep it in a network of your own. Where nobody set it and the port is taken, a free one is used.";
        METRICS_TENANTS: Kind::Integer { min: 0, max: 100 }, "0", "How many tenants have series of their own in /metrics: the busiest of the last minutes, by their id. All others are counted together. 0: no metric names a tenant.";
        HEALTH_ADDR: Kind::Text, "", "Where /healthz and /readyz are answered in plain HTTP: address and port, such as 0.0.0.0:9465. They are then answered nowhere else, and a worker listens there instead of on PORT. Not set, they are answered on PORT.";
        PUBLIC_URL: Kind::Text, "", "The URL under which Meta and browsers reach this server: shown in hints, onboarding links begin with it, and no callback may go to its host.";
    }
}

const ADMIN_KEY_CHARS_MIN: usize = 16;

/// The address of the server, and who may use it.
#[derive(Clone, Debug)]
pub struct Server {
    /// The TCP port; 0 takes a free one.
    pub port: u16,
    /// The address to listen on.
    pub bind_addr: IpAddr,
    /// True if keys and secrets are required.
    pub is_production: bool,
    /// The operator's key.
    pub admin_api_key: Option<Secret>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The most connections of one address.
    pub connections_per_address_max: usize,
    /// The most wrong keys that one address may present in a minute.
    pub wrong_keys_per_minute_max: u32,
    /// The most live readers of one tenant's feed.
    pub feed_readers_per_tenant_max: usize,
    /// The most live readers of all feeds.
    pub feed_readers_max: usize,
    /// The answer to a message that is sent in Meta's form.
    pub graph_answer: GraphAnswer,
    /// The longest wait of such an answer for Meta's.
    pub graph_wait: Duration,
    /// Where metrics are served.
    pub metrics: MetricsAddr,
    /// How many tenants are shown in metrics by themselves.
    pub metrics_tenants: usize,
    /// Where health checks are answered, if not on the port of the API.
    pub health_addr: Option<SocketAddr>,
    /// The URL under which Meta and browsers reach this server.
    pub public_url: Option<String>,
}

/// Where health is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthAddr {
    /// The address.
    pub addr: SocketAddr,
    /// True if HTTPS is spoken there.
    pub tls: bool,
}

/// Returns where a process with these settings answers health checks, as somebody on the same machine reaches it. Judges no
/// other setting, so that a check needs no secrets.
pub fn health_addr(environment: &Environment) -> Result<HealthAddr, Vec<String>> {
    let mut reader = Reader::new(environment);
    let apart = read_addr(&mut reader, &HEALTH_ADDR);
    let bound = apart.unwrap_or_else(|| {
        let port: u16 = reader.integer(&PORT);
        // Where it is not set, both of its defaults are reached through loopback.
        SocketAddr::new(read_bind_addr(&mut reader, false), port)
    });
    let name = if reader.is_set(&HEALTH_ADDR) {
        "HEALTH_ADDR"
    } else {
        "PORT"
    };
    // A text that is no number was reported already.
    let is_free = apart.map_or_else(|| reader.text(&PORT).as_deref() == Some("0"), |addr| addr.port() == 0);
    reader.require(
        !is_free,
        &format!("{name} has port 0, so nobody knows the port that the process has taken: set it to the one that its log names"),
    );
    let tls = apart.is_none() && is_spoken(&reader);
    reader.finish(HealthAddr {
        addr: reached(bound),
        tls,
    })
}

/// An address to listen on is not always one to connect to.
fn reached(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// Where metrics are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsAddr {
    /// Nowhere.
    Off,
    /// At the default address or, where another process has it, on a free port.
    Default(SocketAddr),
    /// At the address that the operator chose, or not at all.
    Chosen(SocketAddr),
}

impl Server {
    /// Reads the section. Without a check of signatures the server is for this machine only, unless it is told otherwise.
    pub(super) fn read(reader: &mut Reader<'_>, checks_signatures: bool) -> Self {
        let is_production = reader.text(&APP_ENV).as_deref() == Some("production");
        let admin_api_key = reader.secret(&ADMIN_API_KEY);
        Self {
            port: reader.integer(&PORT),
            bind_addr: read_bind_addr(reader, is_production || (admin_api_key.is_some() && checks_signatures)),
            is_production,
            admin_api_key,
            trusted_proxies: read_networks(reader, &TRUSTED_PROXIES),
            connections_per_address_max: reader.integer(&CONNECTIONS_PER_ADDRESS_MAX),
            wrong_keys_per_minute_max: reader.integer(&WRONG_KEYS_PER_MINUTE_MAX),
            feed_readers_per_tenant_max: reader.integer(&FEED_READERS_PER_TENANT_MAX),
            feed_readers_max: reader.integer(&FEED_READERS_MAX),
            graph_answer: read_graph_answer(reader),
            graph_wait: reader.millis(&GRAPH_WAIT_MS),
            metrics: read_metrics_addr(reader),
            metrics_tenants: reader.integer(&METRICS_TENANTS),
            health_addr: read_addr(reader, &HEALTH_ADDR),
            public_url: reader.text(&PUBLIC_URL),
        }
    }

    /// Requires the settings that must be set.
    pub(super) fn require(&self, reader: &mut Reader<'_>) {
        reader.require(
            !self.is_production || self.admin_api_key.is_some(),
            "ADMIN_API_KEY is required in production",
        );
    }

    /// Checks the values.
    pub(super) fn check(&self, reader: &mut Reader<'_>) {
        let Some(key) = self.admin_api_key.as_ref().map(Secret::reveal) else {
            return;
        };
        reader.require(
            key.len() >= ADMIN_KEY_CHARS_MIN,
            "ADMIN_API_KEY must have at least 16 characters",
        );
        reader.require(
            key.bytes().all(|byte| byte.is_ascii_graphic()),
            "ADMIN_API_KEY must consist of ASCII letters, digits and signs, because a header carries it",
        );
    }

    /// Adds the warnings for the operator.
    pub(super) fn warn(&self, warnings: &mut Vec<String>) {
        if self.admin_api_key.is_some() {
            return;
        }
        warnings.push("ADMIN_API_KEY is not set: requests without a key are allowed (development).".into());
        if !self.bind_addr.is_loopback() {
            warnings.push(format!(
                "Without ADMIN_API_KEY, everybody who reaches {} may do everything.",
                self.bind_addr
            ));
        }
    }
}

/// Addresses and networks with commas between.
pub(super) fn read_networks(reader: &mut Reader<'_>, variable: &Variable) -> Vec<IpNet> {
    let Some(text) = reader.text(variable) else {
        return Vec::new();
    };
    let parse = |part: &str| {
        part.parse()
            .ok()
            .or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from))
    };
    let networks: Option<Vec<IpNet>> = text.split(',').map(str::trim).map(parse).collect();
    networks.unwrap_or_else(|| {
        let name = variable.name;
        reader.problem(format!(
            "{name} must be addresses or networks with commas between, such as 10.0.0.0/8"
        ));
        Vec::new()
    })
}

/// The reader has reported what is none of the words.
fn read_graph_answer(reader: &mut Reader<'_>) -> GraphAnswer {
    let text = reader.text(&GRAPH_ANSWER);
    let answer = text.as_deref().and_then(GraphAnswer::parse);
    answer.unwrap_or(GraphAnswer::Wait)
}

fn read_metrics_addr(reader: &mut Reader<'_>) -> MetricsAddr {
    let text = reader.text(&METRICS_ADDR).unwrap_or_default();
    if text == "off" {
        return MetricsAddr::Off;
    }
    match text.parse() {
        Ok(addr) if reader.is_set(&METRICS_ADDR) => MetricsAddr::Chosen(addr),
        Ok(addr) => MetricsAddr::Default(addr),
        Err(_) => {
            reader.problem("METRICS_ADDR must be an IP address and a port, such as 127.0.0.1:9464, or off");
            MetricsAddr::Off
        }
    }
}

fn read_bind_addr(reader: &mut Reader<'_>, is_guarded: bool) -> IpAddr {
    let default = if is_guarded {
        IpAddr::from([0, 0, 0, 0])
    } else {
        IpAddr::from([127, 0, 0, 1])
    };
    match reader.text(&BIND_ADDR).map(|text| text.parse()) {
        None => default,
        Some(Ok(addr)) => addr,
        Some(Err(_)) => {
            reader.problem("BIND_ADDR must be an IP address, such as 127.0.0.1 or ::");
            default
        }
    }
}
