//! Callbacks as documents: how far an endpoint is, an entry that it has not taken, and attempts that were noted together.

use std::borrow::Cow;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::callback::{
    Attempt, AttemptLog, CallEnd, CallbackException, CallbackProgress, EndpointBreaker, ExceptionState, LastAttempt,
    OpenBreaker, ReplayProgress, exception_id,
};
use dakghar_core::domain::feed::{EntryKind, Place, PlacedEntry};
use dakghar_core::domain::ids::{AttemptLogId, ConversationId, EndpointId, EntryId, ReplayId, TenantId};
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::feed::{EntryFields, decode_entry, entry_fields};
use super::{SCHEMA_VERSION, Unreadable, counter, date, from_raw, timestamp, to_raw};
use crate::stored::waiting_line::WaitingLineFields;
use crate::stored::whole_millis;

const PROGRESS: &str = "callback progress";
const EXCEPTION: &str = "callback exception";
const LOG: &str = "log of attempts";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProgressFields {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    tenant_id: String,
    after: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<WaitingLineFields>,
    failures: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing_since: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<OpenFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<DateTime>,
    delivered: i64,
    failed: i64,
    expired: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivered_at: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed_at: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay: Option<ReplayFields>,
    updated_at: DateTime,
    version: i64,
    /// The save that left it like this.
    save_id: ObjectId,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenFields {
    since: DateTime,
    probe_at: DateTime,
    probes: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplayFields {
    id: String,
    at: i64,
    delivered: i64,
    failed: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExceptionFields<'a> {
    /// The endpoint and the place: see [`exception_id`](dakghar_core::domain::callback::exception_id).
    #[serde(rename = "_id")]
    id: Cow<'a, str>,
    schema_version: i32,
    tenant_id: Cow<'a, str>,
    #[serde(borrow)]
    entry: EntryFields<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conversation_id: Option<Cow<'a, str>>,
    state: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_at: Option<DateTime>,
    attempts: i64,
    since: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<LastFields<'a>>,
    is_replay: bool,
    /// The last attempt of a dead one, and of no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead_at: Option<DateTime>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LastFields<'a> {
    at: DateTime,
    took_ms: i64,
    end: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogFields<'a> {
    /// The endpoint and the id of the log: see [`log_id`].
    #[serde(rename = "_id")]
    id: Cow<'a, str>,
    schema_version: i32,
    tenant_id: Cow<'a, str>,
    at: DateTime,
    attempts: Vec<AttemptFields<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttemptFields<'a> {
    place: i64,
    entry_id: Cow<'a, str>,
    kind: Cow<'a, str>,
    number: i64,
    at: DateTime,
    took_ms: i64,
    end: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_replay: bool,
}

/// The id of a log of attempts. Those of an endpoint are in the order of their times.
pub(in crate::mongo) fn log_id(endpoint_id: &EndpointId, id: AttemptLogId) -> String {
    format!("{endpoint_id}/{id}")
}

/// The log in the id of a document.
pub(in crate::mongo) fn log_in(id: &str) -> Option<AttemptLogId> {
    AttemptLogId::parse(id.split_once('/')?.1).ok()
}

/// The progress as a document, under this version.
pub(in crate::mongo) fn encode_progress(
    progress: &CallbackProgress,
    version: u64,
    save_id: ObjectId,
) -> Result<RawDocumentBuf, StoreError> {
    let open = |open: OpenBreaker| OpenFields {
        since: date(open.since),
        probe_at: date(open.probe_at),
        probes: open.probes.into(),
    };
    let replay = |replay: &ReplayProgress| ReplayFields {
        id: replay.id.to_string(),
        at: counter(replay.at.number()),
        delivered: counter(replay.delivered),
        failed: counter(replay.failed),
        ended_at: replay.ended_at.map(date),
    };
    to_raw(&ProgressFields {
        id: progress.endpoint_id.to_string(),
        schema_version: SCHEMA_VERSION,
        tenant_id: progress.tenant_id.to_string(),
        after: counter(progress.after.number()),
        waiting: progress.waiting.iter().map(WaitingLineFields::from).collect(),
        failures: progress.breaker.failures.into(),
        failing_since: progress.breaker.failing_since.map(date),
        open: progress.breaker.open.map(open),
        not_before: progress.not_before.map(date),
        delivered: counter(progress.delivered),
        failed: counter(progress.failed),
        expired: counter(progress.expired),
        delivered_at: progress.delivered_at.map(date),
        failed_at: progress.failed_at.map(date),
        replay: progress.replay.as_ref().map(replay),
        updated_at: date(progress.updated_at),
        version: counter(version),
        save_id,
    })
}

/// Reads a progress.
pub(in crate::mongo) fn decode_progress(raw: &RawDocument) -> Result<CallbackProgress, Unreadable> {
    let fields: ProgressFields = from_raw(PROGRESS, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(PROGRESS, &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(PROGRESS, &fields.id, field);
    let small = |value: i64, field| u32::try_from(value).map_err(|_| wrong(field));
    let count = |value: i64, field| u64::try_from(value).map_err(|_| wrong(field));
    let open = |open: &OpenFields| {
        Ok(OpenBreaker {
            since: timestamp(open.since),
            probe_at: timestamp(open.probe_at),
            probes: small(open.probes, "open.probes")?,
        })
    };
    let replay = |replay: &ReplayFields| {
        Ok(ReplayProgress {
            id: ReplayId::parse(&replay.id).map_err(|_| wrong("replay.id"))?,
            at: Place::new(count(replay.at, "replay.at")?),
            delivered: count(replay.delivered, "replay.delivered")?,
            failed: count(replay.failed, "replay.failed")?,
            ended_at: replay.ended_at.map(timestamp),
        })
    };
    let waiting = fields.waiting.iter().map(WaitingLineFields::line);
    let breaker = EndpointBreaker::kept(
        small(fields.failures, "failures")?,
        fields.failing_since.map(timestamp),
        fields.open.as_ref().map(open).transpose()?,
    );
    Ok(CallbackProgress {
        endpoint_id: EndpointId::parse(&fields.id).map_err(|_| wrong("_id"))?,
        tenant_id: TenantId::parse(&fields.tenant_id).map_err(|_| wrong("tenantId"))?,
        after: Place::new(count(fields.after, "after")?),
        waiting: waiting.collect::<Option<_>>().ok_or_else(|| wrong("waiting"))?,
        breaker,
        not_before: fields.not_before.map(timestamp),
        delivered: count(fields.delivered, "delivered")?,
        failed: count(fields.failed, "failed")?,
        expired: count(fields.expired, "expired")?,
        delivered_at: fields.delivered_at.map(timestamp),
        failed_at: fields.failed_at.map(timestamp),
        replay: fields.replay.as_ref().map(replay).transpose()?,
        updated_at: timestamp(fields.updated_at),
        version: count(fields.version, "version")?,
    })
}

/// An exception as a document.
pub(in crate::mongo) fn encode_exception(exception: &CallbackException) -> Result<RawDocumentBuf, StoreError> {
    let entry = &exception.placed.entry;
    let last = |last: &'_ LastAttempt| LastFields {
        at: date(last.at),
        took_ms: whole_millis(last.took),
        end: last.end.stored().into(),
        answer: last.answer.clone().map(Cow::Owned),
    };
    to_raw(&ExceptionFields {
        id: exception.id().into(),
        schema_version: SCHEMA_VERSION,
        tenant_id: entry.tenant_id.to_string().into(),
        entry: entry_fields(entry),
        conversation_id: exception.conversation_id.map(|id| id.to_string().into()),
        state: exception.state.as_str().into(),
        next_at: exception.state.next_at().map(date),
        attempts: exception.attempts.into(),
        since: date(exception.since),
        last: exception.last.as_ref().map(last),
        is_replay: exception.is_replay,
        dead_at: exception.dead_at().map(date),
    })
}

/// Reads an exception.
pub(in crate::mongo) fn decode_exception(raw: &RawDocument) -> Result<CallbackException, Unreadable> {
    let fields: ExceptionFields<'_> = from_raw(EXCEPTION, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(EXCEPTION, &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(EXCEPTION, &fields.id, field);
    let (endpoint_id, place) = parse_exception_id(&fields.id).ok_or_else(|| wrong("_id"))?;
    let tenant_id = TenantId::parse(&fields.tenant_id).map_err(|_| wrong("tenantId"))?;
    let conversation_id = fields.conversation_id.as_deref().map(ConversationId::parse);
    let last = |last: &LastFields<'_>| {
        Ok(LastAttempt {
            at: timestamp(last.at),
            took: took(last.took_ms).ok_or_else(|| wrong("last.tookMs"))?,
            end: CallEnd::parse(&last.end).ok_or_else(|| wrong("last.end"))?,
            answer: last.answer.as_deref().map(str::to_owned),
        })
    };
    let next_at = fields.next_at.map(timestamp);
    Ok(CallbackException {
        endpoint_id,
        placed: PlacedEntry {
            place,
            entry: decode_entry(tenant_id, &fields.entry).ok_or_else(|| wrong("entry"))?,
        },
        conversation_id: conversation_id.transpose().map_err(|_| wrong("conversationId"))?,
        state: ExceptionState::parse(&fields.state, next_at).ok_or_else(|| wrong("state"))?,
        attempts: u32::try_from(fields.attempts).map_err(|_| wrong("attempts"))?,
        since: timestamp(fields.since),
        last: fields.last.as_ref().map(last).transpose()?,
        is_replay: fields.is_replay,
    })
}

/// Attempts that were noted together as a document.
pub(in crate::mongo) fn encode_log(log: &AttemptLog) -> Result<RawDocumentBuf, StoreError> {
    let attempt = |attempt: &Attempt| AttemptFields {
        place: counter(attempt.place.number()),
        entry_id: attempt.entry_id.to_string().into(),
        kind: attempt.kind.as_str().to_owned().into(),
        number: attempt.number.into(),
        at: date(attempt.at),
        took_ms: whole_millis(attempt.took),
        end: attempt.end.stored().into(),
        answer: attempt.answer.clone().map(Cow::Owned),
        is_replay: attempt.is_replay,
    };
    to_raw(&LogFields {
        id: log_id(&log.endpoint_id, log.id).into(),
        schema_version: SCHEMA_VERSION,
        tenant_id: log.tenant_id.to_string().into(),
        at: date(log.at),
        attempts: log.attempts.iter().map(attempt).collect(),
    })
}

/// Reads attempts that were noted together.
pub(in crate::mongo) fn decode_log(raw: &RawDocument) -> Result<AttemptLog, Unreadable> {
    let fields: LogFields<'_> = from_raw(LOG, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(LOG, &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(LOG, &fields.id, field);
    let (endpoint_id, id) = fields.id.split_once('/').ok_or_else(|| wrong("_id"))?;
    let attempts: Option<Vec<Attempt>> = fields.attempts.iter().map(decode_attempt).collect();
    Ok(AttemptLog {
        id: AttemptLogId::parse(id).map_err(|_| wrong("_id"))?,
        tenant_id: TenantId::parse(&fields.tenant_id).map_err(|_| wrong("tenantId"))?,
        endpoint_id: EndpointId::parse(endpoint_id).map_err(|_| wrong("_id"))?,
        at: timestamp(fields.at),
        attempts: attempts.ok_or_else(|| wrong("attempts"))?,
    })
}

fn decode_attempt(fields: &AttemptFields<'_>) -> Option<Attempt> {
    Some(Attempt {
        place: Place::new(u64::try_from(fields.place).ok()?),
        entry_id: EntryId::parse(&fields.entry_id).ok()?,
        kind: EntryKind::parse(&fields.kind)?,
        number: u32::try_from(fields.number).ok()?,
        at: timestamp(fields.at),
        took: took(fields.took_ms)?,
        end: CallEnd::parse(&fields.end)?,
        answer: fields.answer.as_deref().map(str::to_owned),
        is_replay: fields.is_replay,
    })
}

fn took(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

fn parse_exception_id(id: &str) -> Option<(EndpointId, Place)> {
    let (endpoint_id, number) = id.split_once('/')?;
    let (endpoint_id, place) = (
        EndpointId::parse(endpoint_id).ok()?,
        Place::new(u64::from_str_radix(number, 16).ok()?),
    );
    (exception_id(&endpoint_id, place) == id).then_some((endpoint_id, place))
}
