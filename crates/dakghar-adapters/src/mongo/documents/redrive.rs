//! A redrive as a document.

use std::borrow::Cow;

use bson::{DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::hold::Actor;
use dakghar_core::domain::ids::{MessageId, MessageKey, PhoneNumberId, RedriveId, TenantId};
use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::message::{DeadReason, Status};
use dakghar_core::domain::redrive::{NewRedrive, Redrive, RedriveFilter, RedriveStatus, Settled};
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use crate::stored::auto_redrive;

use super::{SCHEMA_VERSION, Unreadable, counter, date, from_raw, timestamp, to_raw};

const WHAT: &str = "redrive";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedriveFields<'a> {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    /// Absent: the operator's, about all tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    filter: FilterFields<'a>,
    confirm_duplicate_risk: bool,
    #[serde(default)]
    ignore_expiry: bool,
    /// Absent: the operator began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_tenant: Option<bool>,
    /// JSON; absent: somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    automatic: Option<String>,
    per_second: i64,
    status: Cow<'a, str>,
    /// Present while a process must work on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    needs_work: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(default)]
    pending: Vec<KeyFields>,
    total: i64,
    total_is_exact: bool,
    redriven: i64,
    skipped: i64,
    failed: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseFields<'a>>,
    created_at: DateTime,
    updated_at: DateTime,
    version: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterFields<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone_number_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<DateTime>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyFields {
    tenant_id: String,
    message_id: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct LeaseFields<'a> {
    owner: Cow<'a, str>,
    until: DateTime,
}

/// A redrive as a document of this version.
pub(in crate::mongo) fn encode(redrive: &Redrive, version: u64) -> Result<RawDocumentBuf, StoreError> {
    let filter = &redrive.asked.filter;
    let keys = redrive.pending.iter().map(|key| KeyFields {
        tenant_id: key.tenant_id.to_string(),
        message_id: key.message_id.to_string(),
    });
    to_raw(&RedriveFields {
        id: redrive.id.to_string(),
        schema_version: SCHEMA_VERSION,
        tenant_id: redrive.tenant_id.map(|id| id.to_string()),
        filter: FilterFields {
            phone_number_id: filter.phone_number_id.as_ref().map(|id| id.as_str().into()),
            code: filter.code,
            reason: filter.reason.map(|reason| reason.as_str().into()),
            status: filter.status.map(|status| status.as_str().into()),
            from: filter.from.map(date),
            to: filter.to.map(date),
        },
        confirm_duplicate_risk: redrive.asked.confirm_duplicate_risk,
        ignore_expiry: redrive.asked.ignore_expiry,
        by_tenant: (redrive.asked.by == Actor::Tenant).then_some(true),
        automatic: redrive.asked.automatic.as_ref().map(auto_redrive::automatic_text),
        per_second: redrive.asked.per_second.into(),
        status: redrive.status.as_str().into(),
        needs_work: redrive.needs_work().then_some(true),
        before: redrive.before.map(|id| id.to_string()),
        pending: keys.collect(),
        total: counter(redrive.total),
        total_is_exact: redrive.total_is_exact,
        redriven: counter(redrive.settled.redriven),
        skipped: counter(redrive.settled.skipped),
        failed: counter(redrive.settled.failed),
        lease: redrive.lease.as_ref().map(|lease| LeaseFields {
            owner: (&*lease.owner).into(),
            until: date(lease.until),
        }),
        created_at: date(redrive.created_at),
        updated_at: date(redrive.updated_at),
        version: counter(version),
    })
}

/// Reads a redrive.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<Redrive, Unreadable> {
    let fields: RedriveFields<'_> = from_raw(WHAT, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(WHAT, &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(WHAT, &fields.id, field);
    let count = |value: i64, field| u64::try_from(value).map_err(|_| wrong(field));
    let tenant = |id: &str, field| TenantId::parse(id).map_err(|_| wrong(field));
    let message = |id: &str, field| MessageId::parse(id).map_err(|_| wrong(field));
    let keys = fields.pending.iter().map(|key| {
        Ok(MessageKey {
            tenant_id: tenant(&key.tenant_id, "pending.tenantId")?,
            message_id: message(&key.message_id, "pending.messageId")?,
        })
    });
    let pending = keys.collect::<Result<_, _>>()?;
    Ok(Redrive {
        id: RedriveId::parse(&fields.id).map_err(|_| wrong("_id"))?,
        tenant_id: fields
            .tenant_id
            .as_deref()
            .map(|id| tenant(id, "tenantId"))
            .transpose()?,
        asked: NewRedrive {
            filter: filter(&fields.id, &fields.filter)?,
            confirm_duplicate_risk: fields.confirm_duplicate_risk,
            ignore_expiry: fields.ignore_expiry,
            per_second: u32::try_from(fields.per_second).map_err(|_| wrong("perSecond"))?,
            by: if fields.by_tenant == Some(true) {
                Actor::Tenant
            } else {
                Actor::Operator
            },
            automatic: fields
                .automatic
                .as_deref()
                .map(|text| auto_redrive::parse_automatic(text).ok_or_else(|| wrong("automatic")))
                .transpose()?,
        },
        status: RedriveStatus::parse(&fields.status).ok_or_else(|| wrong("status"))?,
        before: fields.before.as_deref().map(|id| message(id, "before")).transpose()?,
        pending,
        total: count(fields.total, "total")?,
        total_is_exact: fields.total_is_exact,
        settled: Settled {
            redriven: count(fields.redriven, "redriven")?,
            skipped: count(fields.skipped, "skipped")?,
            failed: count(fields.failed, "failed")?,
        },
        lease: fields.lease.as_ref().map(|lease| Lease {
            owner: (&*lease.owner).into(),
            until: timestamp(lease.until),
        }),
        created_at: timestamp(fields.created_at),
        updated_at: timestamp(fields.updated_at),
        version: count(fields.version, "version")?,
    })
}

fn filter(id: &str, fields: &FilterFields<'_>) -> Result<RedriveFilter, Unreadable> {
    let wrong = |field: &'static str| Unreadable::field(WHAT, id, field);
    let number = fields.phone_number_id.as_deref().map(PhoneNumberId::parse).transpose();
    let reason = fields
        .reason
        .as_deref()
        .map(|reason| DeadReason::parse(reason).ok_or_else(|| wrong("filter.reason")));
    let status = fields
        .status
        .as_deref()
        .map(|status| Status::parse(status).ok_or_else(|| wrong("filter.status")));
    Ok(RedriveFilter {
        phone_number_id: number.map_err(|_| wrong("filter.phoneNumberId"))?,
        code: fields.code,
        reason: reason.transpose()?,
        status: status.transpose()?,
        from: fields.from.map(timestamp),
        to: fields.to.map(timestamp),
    })
}
