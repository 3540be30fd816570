//! A record of the audit log, and where the chain of them begins and ends, as documents.

use std::borrow::Cow;

use bson::{Binary, DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::audit::{AuditChain, AuditRecord, ChainLink};
use dakghar_core::domain::ids::{AuditId, TenantId};
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::{SCHEMA_VERSION, Unreadable, binary, counter, date, from_raw, timestamp, to_raw};

const WHAT: &str = "audit record";
const CHAIN: &str = "audit chain";

/// The id is the number as a text that sorts as the number does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordFields<'a> {
    #[serde(rename = "_id")]
    id: Cow<'a, str>,
    schema_version: i32,
    entry_id: Cow<'a, str>,
    at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_id: Option<Cow<'a, str>>,
    actor: Cow<'a, str>,
    action: Cow<'a, str>,
    text: Cow<'a, str>,
    previous: Binary,
    hash: Binary,
}

/// A record as a document.
pub(in crate::mongo) fn encode(record: &AuditRecord) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&RecordFields {
        id: record.place().into(),
        schema_version: SCHEMA_VERSION,
        entry_id: record.id.to_string().into(),
        at: date(record.at),
        tenant_id: record.tenant_id.map(|id| id.to_string().into()),
        actor: record.actor.as_str().into(),
        action: record.action.as_str().into(),
        text: record.text.as_str().into(),
        previous: binary(&record.previous),
        hash: binary(&record.hash),
    })
}

/// Reads a record.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<AuditRecord, Unreadable> {
    let fields: RecordFields<'_> = from_raw(WHAT, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(WHAT, &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(WHAT, &fields.id, field);
    let tenant_id = fields.tenant_id.as_deref().map(TenantId::parse).transpose();
    Ok(AuditRecord {
        number: fields.id.parse().map_err(|_| wrong("_id"))?,
        id: AuditId::parse(&fields.entry_id).map_err(|_| wrong("entryId"))?,
        at: timestamp(fields.at),
        tenant_id: tenant_id.map_err(|_| wrong("tenantId"))?,
        actor: fields.actor.to_string(),
        action: fields.action.to_string(),
        text: fields.text.to_string(),
        previous: hash(&fields.previous).ok_or_else(|| wrong("previous"))?,
        hash: hash(&fields.hash).ok_or_else(|| wrong("hash"))?,
    })
}

fn hash(binary: &Binary) -> Option<[u8; 32]> {
    binary.bytes.as_slice().try_into().ok()
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChainFields<'a> {
    #[serde(rename = "_id")]
    id: Cow<'a, str>,
    schema_version: i32,
    anchor_number: i64,
    anchor_hash: Binary,
    head_number: i64,
    head_hash: Binary,
}

/// The chain as a document.
pub(in crate::mongo) fn encode_chain(chain: &AuditChain) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&ChainFields {
        id: AuditChain::ID.into(),
        schema_version: SCHEMA_VERSION,
        anchor_number: counter(chain.anchor.number),
        anchor_hash: binary(&chain.anchor.hash),
        head_number: counter(chain.head.number),
        head_hash: binary(&chain.head.hash),
    })
}

/// Reads the chain.
pub(in crate::mongo) fn decode_chain(raw: &RawDocument) -> Result<AuditChain, Unreadable> {
    let fields: ChainFields<'_> = from_raw(CHAIN, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(CHAIN, &fields.id, fields.schema_version));
    }
    let link = |number: i64, bytes: &Binary, field: &'static str| {
        let wrong = || Unreadable::field(CHAIN, &fields.id, field);
        Ok(ChainLink {
            number: u64::try_from(number).map_err(|_| wrong())?,
            hash: hash(bytes).ok_or_else(wrong)?,
        })
    };
    Ok(AuditChain {
        anchor: link(fields.anchor_number, &fields.anchor_hash, "anchor")?,
        head: link(fields.head_number, &fields.head_hash, "head")?,
    })
}
