//! Erasures of people, as both stores keep them: one text, JSON. It names nobody: the person is sealed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dakghar_core::domain::erasure::{ErasureCounts, ErasurePlace, PersonErasure};
use dakghar_core::domain::ids::{ErasureId, TenantId};
use dakghar_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::lease::{LeaseFields, lease, lease_fields};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErasureFields {
    id: String,
    tenant_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_person: Option<String>,
    #[serde(default)]
    with_unrouted: bool,
    place: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// In the order of the places.
    counts: Vec<u64>,
    cancelled: u64,
    waiting: u64,
    met: [u64; 2],
    #[serde(default)]
    needs_vacuum: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseFields>,
    created_at: i64,
    updated_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
}

/// Returns the text of an erasure. Its version is kept beside it.
pub(crate) fn text_of(erasure: &PersonErasure) -> String {
    let counts = ErasurePlace::ALL.iter().map(|place| erasure.counts.of(*place));
    let fields = ErasureFields {
        id: erasure.id.to_string(),
        tenant_id: erasure.tenant_id.to_string(),
        sealed_person: erasure.sealed_person.as_ref().map(|sealed| STANDARD.encode(sealed)),
        with_unrouted: erasure.with_unrouted,
        place: erasure.place.as_str().to_owned(),
        from: erasure.from.clone(),
        counts: counts.collect(),
        cancelled: erasure.cancelled,
        waiting: erasure.waiting,
        met: erasure.met,
        needs_vacuum: erasure.needs_vacuum,
        lease: erasure.lease.as_ref().map(lease_fields),
        created_at: erasure.created_at.as_millis(),
        updated_at: erasure.updated_at.as_millis(),
        ended_at: erasure.ended_at.map(Timestamp::as_millis),
    };
    serde_json::to_string(&fields).expect("texts and numbers become JSON")
}

/// Reads the text of an erasure that is kept under this version; `None` if it cannot be understood.
pub(crate) fn parse(text: &str, version: u64) -> Option<PersonErasure> {
    let fields: ErasureFields = serde_json::from_str(text).ok()?;
    let sealed = fields.sealed_person.map(|sealed| STANDARD.decode(sealed).ok());
    let mut counts = ErasureCounts::default();
    for (place, count) in ErasurePlace::ALL.into_iter().zip(&fields.counts) {
        counts.add(place, *count);
    }
    Some(PersonErasure {
        id: ErasureId::parse(&fields.id).ok()?,
        tenant_id: TenantId::parse(&fields.tenant_id).ok()?,
        sealed_person: match sealed {
            Some(sealed) => Some(sealed?),
            None => None,
        },
        with_unrouted: fields.with_unrouted,
        place: ErasurePlace::parse(&fields.place)?,
        from: fields.from,
        counts,
        cancelled: fields.cancelled,
        waiting: fields.waiting,
        met: fields.met,
        needs_vacuum: fields.needs_vacuum,
        lease: fields.lease.map(lease),
        created_at: Timestamp::from_millis(fields.created_at),
        updated_at: Timestamp::from_millis(fields.updated_at),
        ended_at: fields.ended_at.map(Timestamp::from_millis),
        version,
    })
}
