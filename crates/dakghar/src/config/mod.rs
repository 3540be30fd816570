//! Settings: read once, checked together, all problems reported at once.

mod environment;
pub mod variables;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use dakghar_adapters::bullmq::RedisConfig;
use dakghar_adapters::graph::{VersionStatus, version_status};
use dakghar_core::domain::Secret;
use dakghar_core::domain::message::{RetryPolicy, SendPolicy, Timings};

pub use environment::Environment;
use variables::{self as var, Kind, Variable};

/// Which store and queue.
#[derive(Clone, Debug)]
pub enum Backend {
    /// One SQLite file, one process.
    Embedded,
    /// MongoDB and BullMQ on Redis, any number of processes.
    Distributed {
        /// The connection string of MongoDB.
        mongo_uri: Secret,
        /// Where Redis is.
        redis: RedisConfig,
        /// Queues the numbers are spread over.
        queue_shards: u16,
    },
}

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port.
    pub port: u16,
    /// The address.
    pub bind_addr: IpAddr,
    /// Whether keys and secrets are required.
    pub is_production: bool,
    /// The operator's key.
    pub admin_api_key: Option<Secret>,
    /// The URL under which Meta reaches this server.
    pub public_url: Option<String>,
    /// Where files are kept.
    pub data_dir: PathBuf,
    /// Which store and queue.
    pub backend: Backend,
    /// Present and previous app secret.
    pub app_secrets: Vec<Secret>,
    /// What Meta sends to verify the webhook URL; generated when absent.
    pub verify_token: Option<Secret>,
    /// The Graph API version.
    pub api_version: String,
    /// Where the Graph API is.
    pub graph_base_url: String,
    /// The master key; generated when absent.
    pub master_key: Option<Secret>,
    /// The master key before it.
    pub master_key_previous: Option<Secret>,
    /// Calls under way at most.
    pub worker_concurrency: u32,
    /// Attempts before a dead letter.
    pub attempts_max: u32,
    /// The waits between attempts and the times of the protocol.
    pub send: SendPolicy,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

const MASTER_KEY_BYTES_MIN: usize = 32;
const ADMIN_KEY_CHARS_MIN: usize = 16;

/// Reads settings and collects what is wrong with them.
struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn text(&mut self, variable: &Variable) -> Option<String> {
        let text = self.environment.get(variable).unwrap_or_else(|problem| {
            self.problems.push(problem);
            None
        })?;
        match variable.kind {
            Kind::OneOf(words) if !words.contains(&text.as_str()) => {
                self.problems
                    .push(format!("{} must be one of: {}", variable.name, words.join(", ")));
                None
            }
            _ => Some(text),
        }
    }

    fn secret(&mut self, variable: &Variable) -> Option<Secret> {
        let text = self.text(variable)?;
        // A line end that slipped in makes every signature and every key a wrong one.
        self.require(
            text.trim() == text && !text.contains(char::is_control),
            &format!(
                "{} must not begin or end with white space, nor contain line ends",
                variable.name
            ),
        );
        Some(Secret::new(text))
    }

    fn integer<T: TryFrom<u64> + Default>(&mut self, variable: &Variable) -> T {
        let Kind::Integer { min, max } = variable.kind else {
            unreachable!("{} is a number", variable.name)
        };
        let text = self.text(variable).unwrap_or_default();
        let parsed = text.parse().ok().filter(|number| (min..=max).contains(number));
        parsed.and_then(|number| T::try_from(number).ok()).unwrap_or_else(|| {
            self.problems
                .push(format!("{} must be a whole number from {min} to {max}", variable.name));
            T::default()
        })
    }

    fn require(&mut self, is_met: bool, problem: &str) {
        if !is_met {
            self.problems.push(problem.to_owned());
        }
    }
}

impl Config {
    /// Reads and checks every setting; an error lists everything that is wrong.
    pub fn load(environment: &Environment) -> Result<Self, Vec<String>> {
        let mut reader = Reader {
            environment,
            problems: Vec::new(),
        };
        let is_production = reader.text(&var::APP_ENV).as_deref() == Some("production");
        let admin_api_key = reader.secret(&var::ADMIN_API_KEY);
        let backend = read_backend(&mut reader);
        let bind_addr = read_bind_addr(&mut reader, is_production || admin_api_key.is_some());
        let mut app_secrets: Vec<Secret> = reader.secret(&var::APP_SECRET).into_iter().collect();
        if !app_secrets.is_empty() {
            app_secrets.extend(reader.secret(&var::APP_SECRET_PREVIOUS));
        }
        let mut config = Self {
            port: reader.integer(&var::PORT),
            bind_addr,
            is_production,
            admin_api_key,
            public_url: reader.text(&var::PUBLIC_URL),
            data_dir: reader.text(&var::DATA_DIR).unwrap_or_default().into(),
            backend,
            app_secrets,
            verify_token: reader.secret(&var::VERIFY_TOKEN),
            api_version: reader.text(&var::WHATSAPP_API_VERSION).unwrap_or_default(),
            graph_base_url: reader.text(&var::GRAPH_BASE_URL).unwrap_or_default(),
            master_key: reader.secret(&var::MASTER_KEY),
            master_key_previous: reader.secret(&var::MASTER_KEY_PREVIOUS),
            worker_concurrency: reader.integer(&var::WORKER_CONCURRENCY),
            attempts_max: reader.integer(&var::SEND_ATTEMPTS_MAX),
            send: read_send_policy(&mut reader),
            warnings: Vec::new(),
        };
        config.check(&mut reader);
        config.warnings = config.find_warnings();
        if reader.problems.is_empty() {
            Ok(config)
        } else {
            Err(reader.problems)
        }
    }

    /// Whether MongoDB and Redis are used.
    pub const fn is_distributed(&self) -> bool {
        matches!(self.backend, Backend::Distributed { .. })
    }

    fn check(&self, reader: &mut Reader<'_>) {
        if self.is_production {
            let required = [
                (self.admin_api_key.is_some(), "ADMIN_API_KEY is required in production"),
                (!self.app_secrets.is_empty(), "APP_SECRET is required in production"),
                (self.verify_token.is_some(), "VERIFY_TOKEN is required in production"),
                (self.master_key.is_some(), "MASTER_KEY is required in production"),
            ];
            for (is_met, problem) in required {
                reader.require(is_met, problem);
            }
        } else if self.is_distributed() {
            reader.require(
                self.master_key.is_some(),
                "MASTER_KEY is required with MONGO_URI, because all processes must share it",
            );
        }
        let long_enough = |key: &Option<Secret>, least| key.as_ref().is_none_or(|key| key.reveal().len() >= least);
        reader.require(
            long_enough(&self.master_key, MASTER_KEY_BYTES_MIN),
            "MASTER_KEY must have at least 32 bytes",
        );
        reader.require(
            long_enough(&self.master_key_previous, MASTER_KEY_BYTES_MIN),
            "MASTER_KEY_PREVIOUS must have at least 32 bytes",
        );
        reader.require(
            long_enough(&self.admin_api_key, ADMIN_KEY_CHARS_MIN),
            "ADMIN_API_KEY must have at least 16 characters",
        );
        let can_be_sent = |key: &Secret| key.reveal().bytes().all(|byte| byte.is_ascii_graphic());
        reader.require(
            self.admin_api_key.as_ref().is_none_or(can_be_sent),
            "ADMIN_API_KEY must consist of ASCII letters, digits and signs, because a header carries it",
        );
        let version = self
            .api_version
            .strip_prefix('v')
            .and_then(|version| version.split_once('.'));
        let is_version =
            version.is_some_and(|(major, minor)| major.parse::<u16>().is_ok() && minor.parse::<u16>().is_ok());
        reader.require(is_version, "WHATSAPP_API_VERSION must look like v25.0");
        let is_url = self.graph_base_url.starts_with("https://") || self.graph_base_url.starts_with("http://");
        reader.require(is_url, "GRAPH_BASE_URL must be an http(s) URL");
        let Timings {
            call_timeout,
            lease,
            lease_margin,
            ..
        } = self.send.timings;
        reader.require(
            lease > call_timeout + lease_margin,
            "SEND_LEASE_MS must exceed SEND_TIMEOUT_MS by more than a ninth of itself, or messages could be sent twice",
        );
        reader.require(
            self.send.retry.base <= self.send.retry.cap,
            "RETRY_BASE_MS must not be greater than RETRY_CAP_MS",
        );
    }

    fn find_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.app_secrets.is_empty() {
            warnings
                .push("APP_SECRET is not set: webhook signatures are not checked. Never run so in production.".into());
        }
        if self.admin_api_key.is_none() {
            warnings.push("ADMIN_API_KEY is not set: requests without a key are allowed (development).".into());
        }
        if self.admin_api_key.is_none() && !self.bind_addr.is_loopback() {
            warnings.push(format!(
                "Without ADMIN_API_KEY, everybody who reaches {} may do everything.",
                self.bind_addr
            ));
        }
        match version_status(&self.api_version, today()) {
            VersionStatus::Current | VersionStatus::Unknown => {}
            VersionStatus::ExpiresSoon(date) => {
                warnings.push(format!(
                    "Graph API {} expires on {date}: set WHATSAPP_API_VERSION to a newer one.",
                    self.api_version
                ));
            }
            VersionStatus::Expired(date) => {
                warnings.push(format!(
                    "Graph API {} expired on {date}; Meta may serve another version instead. Set WHATSAPP_API_VERSION to v25.0 or newer.",
                    self.api_version
                ));
            }
        }
        if self.graph_base_url.starts_with("http://") && self.is_production {
            warnings.push("GRAPH_BASE_URL is not https: access tokens travel in clear text.".into());
        }
        warnings
    }
}

/// The calendar day, UTC.
pub fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn read_send_policy(reader: &mut Reader<'_>) -> SendPolicy {
    let mut millis = |variable| Duration::from_millis(reader.integer(variable));
    let retry = RetryPolicy {
        base: millis(&var::RETRY_BASE_MS),
        cap: millis(&var::RETRY_CAP_MS),
    };
    let lease = millis(&var::SEND_LEASE_MS);
    let grace = millis(&var::UNKNOWN_OUTCOME_GRACE_MS);
    let timings = Timings {
        call_timeout: millis(&var::SEND_TIMEOUT_MS),
        lease,
        lease_margin: lease / 9,
        grace,
        grace_service_error: grace / 2,
        doubt_max: millis(&var::UNKNOWN_OUTCOME_MAX_MS),
    };
    SendPolicy { retry, timings }
}

fn read_backend(reader: &mut Reader<'_>) -> Backend {
    let queue_shards = reader.integer(&var::QUEUE_SHARDS);
    let redis = read_redis(reader, queue_shards);
    match (reader.secret(&var::MONGO_URI), redis) {
        (Some(mongo_uri), Ok(redis)) => Backend::Distributed {
            mongo_uri,
            redis,
            queue_shards,
        },
        (Some(_), Err(problem)) => {
            reader.problems.push(problem);
            Backend::Embedded
        }
        // Redis is not used then, so what is said about it is not judged.
        (None, _) => Backend::Embedded,
    }
}

fn read_redis(reader: &mut Reader<'_>, queue_shards: u16) -> Result<RedisConfig, String> {
    let host = reader.text(&var::REDIS_HOST).unwrap_or_default();
    let port = reader.integer(&var::REDIS_PORT);
    let url = reader.secret(&var::REDIS_URL);
    let authority = reader.text(&var::REDIS_CA_FILE);
    let mut redis = match url {
        Some(url) => RedisConfig::from_url(url.reveal()).map_err(|error| format!("REDIS_URL: {error}"))?,
        None => RedisConfig::from_host(&host, port).map_err(|error| format!("REDIS_HOST: {error}"))?,
    };
    if let Some(path) = authority {
        let pem = std::fs::read(&path).map_err(|error| format!("REDIS_CA_FILE: {path}: {error}"))?;
        redis = redis
            .with_authority(pem)
            .map_err(|error| format!("REDIS_CA_FILE: {error}"))?;
    }
    // A number that could not be read was reported already.
    redis
        .check_shards(queue_shards.max(1))
        .map_err(|error| format!("REDIS_URL: {error}"))?;
    Ok(redis)
}

fn read_bind_addr(reader: &mut Reader<'_>, is_guarded: bool) -> IpAddr {
    let default = if is_guarded {
        IpAddr::from([0, 0, 0, 0])
    } else {
        IpAddr::from([127, 0, 0, 1])
    };
    match reader.text(&var::BIND_ADDR).map(|text| text.parse()) {
        None => default,
        Some(Ok(addr)) => addr,
        Some(Err(_)) => {
            reader
                .problems
                .push("BIND_ADDR must be an IP address, such as 127.0.0.1 or ::".into());
            default
        }
    }
}

#[cfg(test)]
mod tests;
