//! Finding the server, and making the database ready.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bson::doc;
use dakghar_core::ports::StoreError;
use mongodb::error::ErrorKind;
use mongodb::options::{Acknowledgment, ClientOptions, ReadConcern, SelectionCriteria, ServerAddress, WriteConcern};
use mongodb::{Client, Database};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::audit::AuditLog;
use super::collections::{
    APPS, CALLBACK_ATTEMPTS, CALLBACK_EXCEPTIONS, CALLBACK_PROGRESS, CONVERSATIONS, DEPARTURES, ENDPOINTS, ERASURES,
    EVENTS, FEED, FEED_ARRIVALS, FEED_ASIDE, FEED_ATTENDANTS, INSTALLATION_SECRETS, MESSAGES, OPERATOR_KEYS, OPT_OUTS,
    REDRIVES, SIGNUPS, STATUSES, TENANTS,
};
use super::failure::Failure;
use super::options::MongoOptions;
use super::promises::{self, Promises};
use super::{MongoStore, clock, collections, forgotten, indexes};
use crate::vital::vital;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(3);
/// The first wait between two tries to connect; it doubles up to [`RETRY_WAIT_MAX`].
const RETRY_WAIT: Duration = Duration::from_millis(250);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
const APP_NAME: &str = "dakghar";

/// Why no store came of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URI cannot be used. Never quotes it.
    #[error("the MongoDB URI is not usable: {0}")]
    Uri(String),
    /// The server did not answer in time.
    #[error("MongoDB at {hosts} could not be reached in {tries} tries: {why}")]
    Unreachable {
        /// The servers named by the URI.
        hosts: String,
        /// The number of attempts.
        tries: u32,
        /// The last error.
        why: String,
    },
    /// The server keeps everything by itself.
    #[error(
        "MongoDB at {hosts} is not part of a replica set, and has no transactions without one: start it with --replSet, and \
         initiate a set, of which it may be the only member"
    )]
    Alone {
        /// The servers named by the URI.
        hosts: String,
    },
    /// The server answered, but the database could not be made ready.
    #[error("the MongoDB database cannot be prepared: {0}")]
    Prepare(#[from] StoreError),
}

impl MongoStore {
    /// Connects, trying again until `connect_patience` is over, and creates what collections and indexes are missing.
    /// [`StoreHealth::ping`](dakghar_core::ports::StoreHealth::ping) says if they are as they should be.
    pub async fn connect(uri: &str, options: MongoOptions) -> Result<Arc<Self>, ConnectError> {
        let (client, hosts, app_name) = client(uri, &options).await?;
        let database = client.database(&database_name(&client, &options));
        let clock = first_answer(&database, &hosts, &options).await?;

        refuse_alone(&database, &hosts, &options).await?;
        if options.prepare {
            prepare(&database).await?;
        }
        tracing::info!(hosts, database = database.name(), "connected to MongoDB");
        let promises = Arc::new(Promises::new(database.clone(), options.read_timeout));
        let mut followers = vec![keep(clock::follow(clock.clone(), database.clone()))];
        if options.prepare {
            if let Err(error) = promises.look().await {
                tracing::debug!(%error, "not every index is known to be there");
            }
            followers.push(keep(promises::follow(promises.clone())));
            let forgotten = forgotten::follow(database.clone(), app_name, options.write_timeout);
            followers.push(keep(forgotten));
        }
        let store = Arc::new(Self {
            messages: database.collection(MESSAGES),
            conversations: database.collection(CONVERSATIONS),
            statuses: database.collection(STATUSES),
            events: database.collection(EVENTS),
            feed: database.collection(FEED),
            feed_arrivals: database.collection(FEED_ARRIVALS),
            feed_aside: database.collection(FEED_ASIDE),
            feed_attendants: database.collection(FEED_ATTENDANTS),
            redrives: database.collection(REDRIVES),
            erasures: database.collection(ERASURES),
            opt_outs: database.collection(OPT_OUTS),
            signups: database.collection(SIGNUPS),
            departures: database.collection(DEPARTURES),
            apps: database.collection(APPS),
            audit: AuditLog::of(&database),
            operators: database.collection(OPERATOR_KEYS),
            installation: database.collection(INSTALLATION_SECRETS),
            endpoints: database.collection(ENDPOINTS),
            callback_progress: database.collection(CALLBACK_PROGRESS),
            callback_exceptions: database.collection(CALLBACK_EXCEPTIONS),
            callback_attempts: database.collection(CALLBACK_ATTEMPTS),
            tenants: database.collection(TENANTS),
            place: format!("MongoDB at {hosts}, database {}", database.name()),
            database,
            options,
            clock,
            promises,
            announcements: Mutex::default(),
            arrived: Notify::new(),
            conversations_are_new: AtomicBool::new(false),
            messages_repeat: AtomicBool::new(false),
            statuses_repeat: AtomicBool::new(false),
            events_repeat: AtomicBool::new(false),
            _followers: followers,
        });
        if store.options.prepare {
            store.carry_feed().await?;
        }
        Ok(store)
    }
}

/// The database that the URI names, or else the one of the options.
fn database_name(client: &Client, options: &MongoOptions) -> String {
    let named = client.default_database();
    named.map_or_else(|| options.database.clone(), |named| named.name().to_owned())
}

/// Starts a task that ends with what keeps the handle.
#[expect(
    clippy::disallowed_methods,
    reason = "followers are kept by the store, which ends them"
)]
fn keep(follower: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(vital("a follower of the store", follower)))
}

/// The write concern of every write.
pub(super) fn majority(options: &MongoOptions) -> WriteConcern {
    WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .w_timeout(options.write_concern_timeout())
        .build()
}

/// The client, and for people and the server the hosts and the name of the program.
async fn client(uri: &str, options: &MongoOptions) -> Result<(Client, String, String), ConnectError> {
    let mut parsed = ClientOptions::parse(uri).await.map_err(|error| unusable(uri, &error))?;
    let hosts = parsed
        .hosts
        .iter()
        .map(ServerAddress::to_string)
        .collect::<Vec<_>>()
        .join(",");
    let app_name = parsed.app_name.get_or_insert_with(|| APP_NAME.to_owned()).clone();
    parsed.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
    parsed.server_selection_timeout.get_or_insert(SERVER_SELECTION_TIMEOUT);
    parsed.max_pool_size.get_or_insert(options.connections_max);
    parsed.min_pool_size.get_or_insert(options.connections_min);
    // Options that a promise rests on are not left to the URI.
    parsed.write_concern = Some(majority(options));
    parsed.read_concern = Some(ReadConcern::local());
    parsed.selection_criteria = Some(SelectionCriteria::ReadPreference(
        mongodb::options::ReadPreference::Primary,
    ));
    parsed.retry_writes = Some(true);
    parsed.retry_reads = Some(true);
    let client = Client::with_options(parsed).map_err(|error| unusable(uri, &error))?;
    Ok((client, hosts, app_name))
}

/// The driver's explanation can quote parts of the URI, so with a password in it only a general one is given.
fn unusable(uri: &str, error: &mongodb::error::Error) -> ConnectError {
    ConnectError::Uri(match error.kind.as_ref() {
        ErrorKind::DnsResolve { .. } => "its host name cannot be resolved".to_owned(),
        _ if uri.contains('@') => {
            "it cannot be parsed; special characters in user name and password must be percent-encoded".to_owned()
        }
        kind => kind.to_string(),
    })
}

/// Tries until the primary answers with its time.
async fn first_answer(
    database: &Database,
    hosts: &str,
    options: &MongoOptions,
) -> Result<Arc<clock::MongoClock>, ConnectError> {
    #[expect(clippy::disallowed_methods, reason = "measures its patience")]
    let started = Instant::now();
    let mut wait = RETRY_WAIT;
    let mut tries = 0;
    loop {
        tries += 1;
        let failure = match tokio::time::timeout(options.read_timeout, clock::start(database)).await {
            Ok(Ok(clock)) => return Ok(clock),
            Ok(Err(error)) => Failure::Driver(error),
            Err(_) => Failure::TimedOut(options.read_timeout),
        };
        let why = failure.to_store_error().to_string();
        if started.elapsed() + wait > options.connect_patience {
            return Err(ConnectError::Unreachable {
                hosts: hosts.to_owned(),
                tries,
                why,
            });
        }
        let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(hosts, tries, retry_ms, why, "MongoDB cannot be reached, trying again");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_WAIT_MAX);
    }
}

/// A server outside of a replica set has no transactions.
async fn refuse_alone(database: &Database, hosts: &str, options: &MongoOptions) -> Result<(), ConnectError> {
    let hello = database.run_command(doc! { "hello": 1 });
    let hello = match tokio::time::timeout(options.read_timeout, async { hello.await }).await {
        Ok(Ok(hello)) => hello,
        Ok(Err(error)) => return Err(Failure::Driver(error).to_store_error().into()),
        Err(_) => return Err(Failure::TimedOut(options.read_timeout).to_store_error().into()),
    };
    // A router of a sharded cluster says so in `msg`.
    if hello.get_str("setName").is_err() && hello.get_str("msg").is_err() {
        return Err(ConnectError::Alone {
            hosts: hosts.to_owned(),
        });
    }
    Ok(())
}

async fn prepare(database: &Database) -> Result<(), StoreError> {
    let steps = async {
        collections::prepare(database).await?;
        indexes::create_missing(database).await?;
        indexes::drop_retired(database).await
    };
    steps.await.map_err(|error| Failure::Driver(error).to_store_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bad_uri_is_refused_without_quoting_it() {
        for uri in [
            "mongodb://user:s3cr:et/t@host/db",
            "mongodb://user:s3cret@host:port/db",
            "mongodb://user:s3cret@",
        ] {
            let error = MongoStore::connect(uri, MongoOptions::default())
                .await
                .expect_err("the URI is wrong");
            let text = error.to_string();
            assert!(!text.contains("s3cr") && !text.contains("user:"), "{text}");
        }
        let error = MongoStore::connect("http://host", MongoOptions::default())
            .await
            .expect_err("the URI is wrong");
        assert!(matches!(error, ConnectError::Uri(_)), "{error}");
    }
}
