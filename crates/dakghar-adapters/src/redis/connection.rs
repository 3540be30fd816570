//! A connection of our own to Redis, beside those of the `bullmq` crate, and its errors in plain words.
//!
//! It does not reconnect: whoever owns it decides when it is no longer to be trusted. That is the point of having it,
//! since connections that repair themselves never notice a peer that went silent.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, TlsCertificates, Value};

use super::config::RedisConfig;

/// The time that opening a connection may take, TLS and login included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Opens a connection whose commands give up after `response_timeout`.
    pub(super) async fn open(redis: &RedisConfig, response_timeout: Duration) -> Result<Self, RedisError> {
        let authority = authority(redis);
        let opening = async {
            if redis.is_cluster() {
                let mut builder = ClusterClient::builder(redis.reveal_nodes())
                    .connection_timeout(OPEN_TIMEOUT)
                    .response_timeout(response_timeout);
                if let Some(authority) = authority {
                    builder = builder.certs(authority);
                }
                return builder.build()?.get_async_connection().await.map(Self::Cluster);
            }
            let url = redis.reveal_nodes().next().expect("a configuration has a node");
            let client = client(url, authority)?;
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(OPEN_TIMEOUT))
                .set_response_timeout(Some(response_timeout));
            client
                .get_multiplexed_async_connection_with_config(&config)
                .await
                .map(Self::Single)
        };
        let timed_out = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        tokio::time::timeout(OPEN_TIMEOUT, opening).await.map_err(timed_out)?
    }
}

/// Opens a connection that listens to channels. Every node of a cluster has the messages of all, so one that can be reached
/// is enough.
pub(super) async fn open_pubsub(redis: &RedisConfig) -> Result<PubSub, RedisError> {
    let mut latest = RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    for url in redis.reveal_nodes() {
        let client = client(url, authority(redis))?;
        match tokio::time::timeout(OPEN_TIMEOUT, client.get_async_pubsub()).await {
            Ok(Ok(channel)) => return Ok(channel),
            Ok(Err(error)) => latest = error,
            Err(_) => {}
        }
    }
    Err(latest)
}

fn authority(redis: &RedisConfig) -> Option<TlsCertificates> {
    redis.authority_pem().map(|pem| TlsCertificates {
        client_tls: None,
        root_cert: Some(pem.clone()),
    })
}

fn client(url: &str, authority: Option<TlsCertificates>) -> Result<Client, RedisError> {
    match authority {
        Some(authority) => Client::build_with_tls(url, authority),
        None => Client::open(url),
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// True if the connection itself may be at fault, so that another one might do better. An error of a script or a full
/// memory is nobody's connection's fault.
pub(super) fn is_of_the_connection(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => !matches!(
            kind,
            redis::ServerErrorKind::ResponseError
                | redis::ServerErrorKind::NoPerm
                | redis::ServerErrorKind::BusyLoading
                | redis::ServerErrorKind::NoScript
        ),
        ErrorKind::Extension => false,
        _ => true,
    }
}

/// Says what is wrong, for an operator. The error's own text may quote the URL, so only parts of it are used.
pub(super) fn in_words(redis: &RedisConfig, error: &RedisError) -> String {
    let problem = match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            "refuses the user name or password".to_owned()
        }
        (_, Some("READONLY")) => "is a read-only replica; the address must lead to the primary".to_owned(),
        (_, Some("LOADING")) => "is still loading its data".to_owned(),
        (_, Some("OOM")) => "is full: its maxmemory is reached".to_owned(),
        (_, Some("NOPERM")) => "does not allow this user what the queue needs".to_owned(),
        (_, Some(code)) => format!("answers with {code}: {}", error.detail().unwrap_or("no detail")),
        _ if error.is_timeout() => "does not answer in time".to_owned(),
        _ if error.is_connection_refusal() => "refuses the connection: nothing listens there".to_owned(),
        _ => format!("cannot be reached: {}", error.category()),
    };
    format!("Redis at {redis} {problem}")
}
