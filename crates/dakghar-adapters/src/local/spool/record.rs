//! One outcome in a file: its length, a checksum, and JSON. What a crash has torn shows by either of the first two.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use dakghar_core::domain::ids::{MessageId, MessageKey, TenantId, Wamid};
use dakghar_core::domain::message::{NotSentCause, Receipt, SendOutcome};
use dakghar_core::domain::send_error::clip;
use dakghar_core::domain::{GraphRefusal, Timestamp};
use dakghar_core::ports::SpooledOutcome;
use serde::{Deserialize, Serialize};

const LENGTH_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 8;
/// The longest JSON of one outcome. Texts of errors are clipped, so no outcome comes near it.
const JSON_BYTES_MAX: usize = 64 * 1024;

/// The JSON of every outcome begins so, with the first field of [`Record`].
const JSON_BEGIN: &[u8] = br#"{"tenant":"#;

#[derive(Serialize, Deserialize)]
struct Record {
    tenant: String,
    message: String,
    epoch: u64,
    attempt: u32,
    answered_at_ms: i64,
    outcome: Outcome,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Outcome {
    Accepted {
        wamid: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_status: Option<String>,
    },
    Refused(Refusal),
    TurnedAway {
        http_status: u16,
        why: String,
    },
    NotSent {
        cause: Cause,
        why: String,
    },
    Unknown {
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Refusal {
    http_status: u16,
    code: i64,
    subcode: Option<i64>,
    message: String,
    details: Option<String>,
    is_transient: Option<bool>,
    retry_after_ms: Option<u64>,
    fbtrace_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cause {
    Host,
    Worker,
    Request,
}

/// Appends an outcome to what is about to be written.
pub(super) fn append(bytes: &mut Vec<u8>, spooled: &SpooledOutcome) {
    let json = serde_json::to_vec(&Record::from(spooled)).expect("strings and numbers");
    let length = u32::try_from(json.len()).expect("texts are clipped");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum(&json));
    bytes.extend_from_slice(&json);
}

/// The outcomes in a file, and the bytes that are none.
pub(super) struct Found {
    /// The outcomes that are whole.
    pub(super) outcomes: Vec<SpooledOutcome>,
    /// Bytes between them that are none.
    pub(super) damaged: usize,
    /// Bytes behind the last one.
    pub(super) torn: usize,
}

/// Reads every outcome that is whole. One that is not costs only itself: the next one shows by its checksum where it is.
pub(super) fn read(mut bytes: &[u8]) -> Found {
    let (mut outcomes, mut damaged) = (Vec::new(), 0);
    loop {
        while let Some((spooled, rest)) = read_one(bytes) {
            outcomes.push(spooled);
            bytes = rest;
        }
        let next = (1..bytes.len()).find(|at| begins_here(&bytes[*at..]));
        let Some(next) = next else { break };
        damaged += next;
        bytes = &bytes[next..];
    }
    Found {
        outcomes,
        damaged,
        torn: bytes.len(),
    }
}

/// True if a whole outcome begins here. Most places are ruled out without a checksum.
fn begins_here(bytes: &[u8]) -> bool {
    let json = bytes.get(LENGTH_BYTES + CHECKSUM_BYTES..);
    json.is_some_and(|json| json.starts_with(JSON_BEGIN)) && read_one(bytes).is_some()
}

fn read_one(bytes: &[u8]) -> Option<(SpooledOutcome, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (json, rest) = rest.split_at_checked(length.min(JSON_BYTES_MAX))?;
    if length > JSON_BYTES_MAX || checksum(json) != *sum {
        return None;
    }
    let record: Record = serde_json::from_slice(json).ok()?;
    Some((record.into_spooled()?, rest))
}

fn checksum(json: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = digest(&SHA256, json);
    *digest.as_ref().first_chunk().expect("it has 32 bytes")
}

impl From<&SpooledOutcome> for Record {
    fn from(spooled: &SpooledOutcome) -> Self {
        Self {
            tenant: spooled.key.tenant_id.to_string(),
            message: spooled.key.message_id.to_string(),
            epoch: spooled.epoch,
            attempt: spooled.attempt,
            answered_at_ms: spooled.answered_at.as_millis(),
            outcome: Outcome::from(&spooled.outcome),
        }
    }
}

impl Record {
    fn into_spooled(self) -> Option<SpooledOutcome> {
        Some(SpooledOutcome {
            key: MessageKey {
                tenant_id: TenantId::parse(&self.tenant).ok()?,
                message_id: MessageId::parse(&self.message).ok()?,
            },
            epoch: self.epoch,
            attempt: self.attempt,
            answered_at: Timestamp::from_millis(self.answered_at_ms),
            outcome: self.outcome.into_outcome()?,
        })
    }
}

impl From<&SendOutcome> for Outcome {
    fn from(outcome: &SendOutcome) -> Self {
        let text = |text: &str| clip(text).as_ref().to_owned();
        match outcome {
            // Who the person is stays out of the file; the next answer says it again.
            SendOutcome::Accepted { wamid, receipt, .. } => Self::Accepted {
                wamid: wamid.as_str().to_owned(),
                message_status: receipt.status.as_deref().map(str::to_owned),
            },
            SendOutcome::Refused(refusal) => Self::Refused(Refusal {
                http_status: refusal.http_status,
                code: refusal.code,
                subcode: refusal.subcode,
                message: text(&refusal.message),
                details: refusal.details.as_deref().map(text),
                is_transient: refusal.is_transient,
                retry_after_ms: refusal
                    .retry_after
                    .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
                fbtrace_id: refusal.fbtrace_id.as_deref().map(text),
            }),
            SendOutcome::TurnedAway { http_status, why } => Self::TurnedAway {
                http_status: *http_status,
                why: text(why),
            },
            SendOutcome::NotSent { cause, why } => Self::NotSent {
                cause: match cause {
                    NotSentCause::Host => Cause::Host,
                    NotSentCause::Worker => Cause::Worker,
                    NotSentCause::Request => Cause::Request,
                },
                why: text(why),
            },
            SendOutcome::Unknown { why } => Self::Unknown { why: text(why) },
        }
    }
}

impl Outcome {
    fn into_outcome(self) -> Option<SendOutcome> {
        Some(match self {
            Self::Accepted { wamid, message_status } => SendOutcome::Accepted {
                wamid: Wamid::parse(&wamid).ok()?,
                known_as: Vec::new(),
                receipt: Receipt {
                    status: message_status.map(Into::into),
                    ..Receipt::default()
                },
            },
            Self::Refused(refusal) => SendOutcome::Refused(GraphRefusal {
                http_status: refusal.http_status,
                code: refusal.code,
                subcode: refusal.subcode,
                message: refusal.message.into(),
                details: refusal.details.map(Into::into),
                is_transient: refusal.is_transient,
                retry_after: refusal.retry_after_ms.map(Duration::from_millis),
                fbtrace_id: refusal.fbtrace_id.map(Into::into),
            }),
            Self::TurnedAway { http_status, why } => SendOutcome::TurnedAway {
                http_status,
                why: why.into(),
            },
            Self::NotSent { cause, why } => SendOutcome::NotSent {
                cause: match cause {
                    Cause::Host => NotSentCause::Host,
                    Cause::Worker => NotSentCause::Worker,
                    Cause::Request => NotSentCause::Request,
                },
                why: why.into(),
            },
            Self::Unknown { why } => SendOutcome::Unknown { why: why.into() },
        })
    }
}
