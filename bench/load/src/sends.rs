//! The sends themselves: to whom, with which key, as which tenant. Every message has a recipient and a key of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderValue;
use rand::Rng as _;

use crate::client::{Connection, Proof};
use crate::tenants::{self, TargetArgs};

/// Recipients count up from here; the Graph peer tells messages apart by them.
pub(crate) const RECIPIENT_BASE: u64 = 919_000_000_000;

/// What is sent.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Leave idempotency keys out.
    #[arg(long)]
    without_key: bool,
    /// The number of the first message, where several runs follow each other.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Ask for sending this many milliseconds from now.
    #[arg(long)]
    send_in_ms: Option<u64>,
}

/// Makes sends and counts them.
pub(crate) struct Sends {
    senders: Vec<(String, HeaderValue)>,
    next: AtomicU64,
    first: u64,
    key_prefix: Option<String>,
    send_at: Option<String>,
}

/// One send.
pub(crate) struct Send {
    /// Counts from 0.
    pub(crate) index: u64,
    /// The recipient's digits.
    pub(crate) recipient: u64,
}

impl Sends {
    pub(crate) fn of(args: &SendArgs) -> anyhow::Result<Arc<Self>> {
        let tenants = tenants::load(&args.target.tenants)?;
        let senders = tenants
            .iter()
            .map(|tenant| Ok((tenant.send_path(), tenant.authorization()?)));
        let send_at = args
            .send_in_ms
            .map(|ms| jiff::Timestamp::now() + jiff::SignedDuration::from_millis(ms.cast_signed()));
        Ok(Arc::new(Self {
            senders: senders.collect::<anyhow::Result<_>>()?,
            next: AtomicU64::new(0),
            first: args.first,
            key_prefix: (!args.without_key).then(|| format!("{:016x}", rand::rng().next_u64())),
            send_at: send_at.map(|at| at.to_string()),
        }))
    }

    /// The next one; every caller gets another.
    pub(crate) fn next(&self) -> Send {
        self.at(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The one with this index.
    pub(crate) const fn at(&self, index: u64) -> Send {
        Send {
            index,
            recipient: RECIPIENT_BASE + self.first + index,
        }
    }

    fn body(&self, send: &Send) -> Bytes {
        let Send { index, recipient } = send;
        let mut body =
            format!(r#"{{"to":"+{recipient}","text":"Your parcel {index} is on its way and arrives today.""#);
        if let Some(prefix) = &self.key_prefix {
            let _ = write!(body, r#","idempotency_key":"{prefix}-{index}""#);
        }
        if let Some(at) = &self.send_at {
            let _ = write!(body, r#","sendAt":"{at}""#);
        }
        body.push('}');
        body.into()
    }

    /// Posts it. Anything but 202 is a failure.
    pub(crate) async fn post(&self, connection: &mut Connection, send: &Send) -> Result<(), Failure> {
        let sender = usize::try_from(send.index).unwrap_or(0) % self.senders.len();
        let (path, authorization) = &self.senders[sender];
        match connection
            .post(path, Proof::Bearer(authorization), self.body(send))
            .await
        {
            Ok(answer) if answer.status == 202 => Ok(()),
            Ok(answer) => Err(Failure::Status(answer.status)),
            Err(_) => Err(Failure::Connection),
        }
    }
}

/// Why a request does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// Answered with another status than hoped for.
    Status(u16),
    /// Not answered.
    Connection,
}

/// Failures, counted by kind. A run that has any is not a clean measurement, and the report says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures(BTreeMap<Failure, u64>);

impl Failures {
    pub(crate) fn add(&mut self, failure: Failure) {
        *self.0.entry(failure).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (failure, count) in &other.0 {
            *self.0.entry(*failure).or_default() += count;
        }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let name = |failure: &Failure| match failure {
            Failure::Status(status) => status.to_string(),
            Failure::Connection => "connection".to_owned(),
        };
        self.0
            .iter()
            .map(|(failure, count)| (name(failure), *count))
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .collect()
    }
}

/// Microseconds since the epoch: the clock that this process and the Graph peer share.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970");
    u64::try_from(since.as_micros()).expect("it is before the year 500,000")
}
