//! News between processes, through channels of Redis.
//!
//! Redis keeps nothing of it: who does not listen at that moment misses it. So whenever this process has not listened for a
//! while it says that news were missed. A connection that fell silent is found by what the process tells itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::feed::{FeedEnd, News, Place, TakenMessage};
use dakghar_core::domain::{MessageId, MessageKey, TenantId, Wamid};
use dakghar_core::ports::FeedNews;
use futures_util::StreamExt as _;
use redis::RedisError;
use redis::aio::PubSub;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;
use uuid::Uuid;

use super::config::RedisConfig;
use super::connection::{Connection, in_words, open_pubsub};
use crate::told::Told;
use crate::vital::vital;

/// The channel. The version is that of the messages.
const CHANNEL: &str = "dakghar:feed-news:1";
/// The channel on which processes name tenants whose endpoints have changed.
const ENDPOINTS_CHANNEL: &str = "dakghar:endpoint-changes:1";
/// Bytes of one of these tenants: its id.
const TENANT_BYTES: usize = 16;
/// The channel on which processes say that entries have arrived which have no place yet. Its messages are empty.
const ARRIVALS_CHANNEL: &str = "dakghar:feed-arrivals:1";
/// The channel on which processes name messages that Meta has taken while a client waits elsewhere.
const TAKEN_CHANNEL: &str = "dakghar:messages-taken:1";
/// Bytes of one such message before Meta's id: the ids of its tenant and its own, and the length of Meta's.
const TAKEN_HEAD_BYTES: usize = 16 + 16 + 2;
/// Bytes of one feed in a message: the id of its tenant and its last place.
const FEED_BYTES: usize = 16 + 8;
/// Feeds in one message.
const FEEDS_PER_MESSAGE: usize = 500;
/// Between two attempts to connect.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(1);
/// Between two empty messages, which only show that the channel works.
const SIGN_EVERY: Duration = Duration::from_secs(2);
/// A channel of which nothing was heard for so long is dead.
const SILENCE_MAX: Duration = Duration::from_secs(7);

/// A [`FeedNews`] through Redis.
pub struct RedisNews {
    shared: Arc<Shared>,
    _keeper: DropGuard,
}

#[derive(Default)]
struct Shared {
    /// From here to the others.
    going: Told,
    /// From the others to here.
    come: Told,
    listens: AtomicBool,
}

impl RedisNews {
    /// Starts to listen, and to tell. Without Redis both are tried again and again.
    pub fn start(redis: RedisConfig) -> Self {
        let shared = Arc::<Shared>::default();
        let stopped = CancellationToken::new();
        let (listening, telling) = (listen(redis.clone(), shared.clone()), tell(redis, shared.clone()));
        let both = async move { tokio::join!(listening, telling) };
        #[expect(clippy::disallowed_methods, reason = "ends when the port is dropped")]
        tokio::spawn(vital(
            "the news of feeds",
            stopped.clone().run_until_cancelled_owned(both),
        ));
        Self {
            shared,
            _keeper: stopped.drop_guard(),
        }
    }
}

#[async_trait]
impl FeedNews for RedisNews {
    fn tell(&self, ends: &[FeedEnd]) {
        self.shared.going.put(ends);
    }

    /// This process hears it as the others do.
    fn tell_endpoints(&self, tenant_id: &TenantId) {
        self.shared.going.put_endpoints(&[*tenant_id]);
    }

    fn tell_arrived(&self) {
        self.shared.going.put_arrived();
    }

    fn tell_taken(&self, taken: TakenMessage) {
        self.shared.going.put_taken([taken]);
    }

    async fn next(&self) -> News {
        self.shared.come.take().await
    }

    fn is_open(&self) -> bool {
        self.shared.listens.load(Ordering::Relaxed)
    }
}

/// Listens whenever that is possible.
async fn listen(redis: RedisConfig, shared: Arc<Shared>) {
    loop {
        match subscribe(&redis).await {
            Ok(channel) => {
                shared.listens.store(true, Ordering::Relaxed);
                // Earlier news are lost.
                shared.come.miss();
                hear(channel, &shared).await;
                shared.listens.store(false, Ordering::Relaxed);
                debug!("the news of feeds do not come through");
            }
            Err(error) => {
                debug!(error = in_words(&redis, &error), "no connection for the news of feeds");
                sleep(RECONNECT_INTERVAL).await;
            }
        }
    }
}

async fn subscribe(redis: &RedisConfig) -> Result<PubSub, RedisError> {
    let timed_out = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let mut channel = open_pubsub(redis).await?;
    timeout(
        redis.patience(),
        channel.subscribe(&[CHANNEL, ENDPOINTS_CHANNEL, ARRIVALS_CHANNEL, TAKEN_CHANNEL]),
    )
    .await
    .map_err(timed_out)??;
    Ok(channel)
}

/// Passes on what is told, until the channel ends or falls silent.
async fn hear(channel: PubSub, shared: &Shared) {
    let mut messages = channel.into_on_message();
    while let Ok(Some(message)) = timeout(SILENCE_MAX, messages.next()).await {
        if message.get_channel_name() == ENDPOINTS_CHANNEL {
            match decode_tenants(message.get_payload_bytes()) {
                Some(tenants) => shared.come.put_endpoints(&tenants),
                None => shared.come.miss(),
            }
            continue;
        }
        if message.get_channel_name() == ARRIVALS_CHANNEL {
            shared.come.put_arrived();
            continue;
        }
        if message.get_channel_name() == TAKEN_CHANNEL {
            // What cannot be read is found in the store.
            shared.come.put_taken(decode_taken(message.get_payload_bytes()));
            continue;
        }
        match decode(message.get_payload_bytes()) {
            Some(ends) => shared.come.put(&ends),
            // From a newer version, perhaps.
            None => shared.come.miss(),
        }
    }
}

/// Tells whenever that is possible. What cannot be told is lost.
async fn tell(redis: RedisConfig, shared: Arc<Shared>) {
    loop {
        match Connection::open(&redis, redis.patience()).await {
            Ok(connection) => {
                let error = publish(connection, &shared).await;
                debug!(error = in_words(&redis, &error), "news of feeds could not be told");
            }
            Err(_) => sleep(RECONNECT_INTERVAL).await,
        }
    }
}

/// Returns why it cannot go on.
async fn publish(mut connection: Connection, shared: &Shared) -> RedisError {
    let mut signs = interval(SIGN_EVERY);
    loop {
        let (channel, messages) = tokio::select! {
            news = shared.going.take() => match news {
                News::Ends(ends) => (CHANNEL, encode(&ends)),
                News::Endpoints(tenants) => (ENDPOINTS_CHANNEL, encode_tenants(&tenants)),
                News::Arrived => (ARRIVALS_CHANNEL, encode(&[])),
                News::Taken(taken) => (TAKEN_CHANNEL, encode_taken(&taken)),
                // More than a message can name: the others look by themselves.
                News::Missed => continue,
            },
            _ = signs.tick() => (CHANNEL, encode(&[])),
        };
        for message in messages {
            let mut publishing = redis::cmd("PUBLISH");
            publishing.arg(channel).arg(message);
            let told: Result<i64, RedisError> = publishing.query_async(&mut connection).await;
            if let Err(error) = told {
                return error;
            }
        }
    }
}

/// The messages for these feeds; an empty one for none.
fn encode(ends: &[FeedEnd]) -> Vec<Vec<u8>> {
    let message = |ends: &[FeedEnd]| {
        let mut bytes = Vec::with_capacity(ends.len() * FEED_BYTES);
        for end in ends {
            bytes.extend_from_slice(end.tenant_id.as_uuid().as_bytes());
            bytes.extend_from_slice(&end.last.number().to_be_bytes());
        }
        bytes
    };
    if ends.is_empty() {
        return vec![Vec::new()];
    }
    ends.chunks(FEEDS_PER_MESSAGE).map(message).collect()
}

/// Reads a message; `None` if it is none of ours.
fn decode(message: &[u8]) -> Option<Vec<FeedEnd>> {
    let (feeds, rest) = message.as_chunks::<FEED_BYTES>();
    let end = |feed: &[u8; FEED_BYTES]| {
        let (tenant, last) = feed.split_first_chunk::<16>()?;
        Some(FeedEnd {
            tenant_id: TenantId::from_uuid(Uuid::from_bytes(*tenant)),
            last: Place::new(u64::from_be_bytes(*last.first_chunk()?)),
        })
    };
    let is_whole = rest.is_empty() && feeds.len() <= FEEDS_PER_MESSAGE;
    is_whole.then(|| feeds.iter().map(end).collect())?
}

/// The messages that name these tenants.
fn encode_tenants(tenants: &[TenantId]) -> Vec<Vec<u8>> {
    let message = |tenants: &[TenantId]| tenants.iter().flat_map(|id| *id.as_uuid().as_bytes()).collect();
    tenants.chunks(FEEDS_PER_MESSAGE).map(message).collect()
}

/// Reads such a message; `None` if it is none of ours.
fn decode_tenants(message: &[u8]) -> Option<Vec<TenantId>> {
    let (tenants, rest) = message.as_chunks::<TENANT_BYTES>();
    let is_whole = rest.is_empty() && tenants.len() <= FEEDS_PER_MESSAGE;
    let tenant = |id: &[u8; TENANT_BYTES]| TenantId::from_uuid(Uuid::from_bytes(*id));
    is_whole.then(|| tenants.iter().map(tenant).collect())
}

/// The messages that name what Meta has taken.
fn encode_taken(taken: &[TakenMessage]) -> Vec<Vec<u8>> {
    let message = |taken: &[TakenMessage]| {
        let mut bytes = Vec::with_capacity(taken.len() * 2 * TAKEN_HEAD_BYTES);
        for TakenMessage { key, wamid } in taken {
            // A longer one than can be named is found in the store.
            let Ok(length) = u16::try_from(wamid.as_str().len()) else {
                continue;
            };
            bytes.extend_from_slice(key.tenant_id.as_uuid().as_bytes());
            bytes.extend_from_slice(key.message_id.as_uuid().as_bytes());
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(wamid.as_str().as_bytes());
        }
        bytes
    };
    taken.chunks(FEEDS_PER_MESSAGE).map(message).collect()
}

/// Reads such a message, up to where it is none of ours.
fn decode_taken(mut message: &[u8]) -> Vec<TakenMessage> {
    let mut all = Vec::new();
    while let Some((taken, rest)) = decode_one_taken(message) {
        all.push(taken);
        message = rest;
    }
    all
}

fn decode_one_taken(message: &[u8]) -> Option<(TakenMessage, &[u8])> {
    let (tenant, rest) = message.split_first_chunk::<16>()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (wamid, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let key = MessageKey {
        tenant_id: TenantId::from_uuid(Uuid::from_bytes(*tenant)),
        message_id: MessageId::from_uuid(Uuid::from_bytes(*id)),
    };
    let wamid = Wamid::parse(std::str::from_utf8(wamid).ok()?).ok()?;
    Some((TakenMessage { key, wamid }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_meta_has_taken_is_read_as_it_was_written() {
        let taken = |n: u128| TakenMessage {
            key: MessageKey {
                tenant_id: TenantId::from_uuid(Uuid::from_u128(n << 64 | 7)),
                message_id: MessageId::from_uuid(Uuid::from_u128(n)),
            },
            wamid: Wamid::parse(&format!("wamid.{n}==")).expect("a wamid"),
        };
        let all: Vec<TakenMessage> = (0..1_001).map(taken).collect();
        let messages = encode_taken(&all);
        let read: Vec<TakenMessage> = messages.iter().flat_map(|message| decode_taken(message)).collect();
        assert_eq!((messages.len(), read), (3, all.clone()));
        let whole = &encode_taken(&all[..2])[0];
        assert_eq!(
            decode_taken(&whole[..whole.len() - 1]),
            all[..1],
            "one that was cut off"
        );
        assert_eq!(decode_taken(&[0xff; 40]), []);
        assert_eq!(decode_taken(&[]), []);
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let end = |n: u64| FeedEnd {
            tenant_id: TenantId::from_uuid(Uuid::from_u128(u128::from(n) << 64 | 7)),
            last: Place::new(n),
        };
        let ends: Vec<FeedEnd> = (0..1_001).map(end).collect();
        let messages = encode(&ends);
        assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), [12_000, 12_000, 24]);
        let read: Vec<FeedEnd> = messages
            .iter()
            .flat_map(|message| decode(message).expect("ours"))
            .collect();
        assert_eq!(read, ends);
        assert_eq!(encode(&[]), [Vec::<u8>::new()]);
        assert_eq!(decode(&[]), Some(Vec::new()));
        assert_eq!(decode(&[1; 25]), None);
        assert_eq!(decode(&[1; 24 * 501]), None);
        let tenants: Vec<TenantId> = ends.iter().map(|end| end.tenant_id).collect();
        let messages = encode_tenants(&tenants);
        let read: Vec<TenantId> = messages
            .iter()
            .flat_map(|message| decode_tenants(message).expect("ours"))
            .collect();
        assert_eq!((messages.len(), read), (3, tenants));
        assert_eq!(decode_tenants(&[1; 17]), None);
        assert_eq!(decode_tenants(&[1; 16 * 501]), None);
    }
}
