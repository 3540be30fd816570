//! Entries of feeds as documents: in arrivals, which have no place yet, and in chunks, which have.

use std::borrow::Cow;
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::raw::RawBsonRef;
use bson::{DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::feed::{Arrival, Chunk};
use dakghar_core::domain::feed::{EntryKind, FeedEntry, Partitions, Place, PlacedEntry, Subject, place_id};
use dakghar_core::domain::ids::{PhoneNumberId, TenantId};
use dakghar_core::domain::page::Paged;
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::{SCHEMA_VERSION, Unreadable, counter, date, from_raw, timestamp, to_raw};

/// The most entries that a chunk may have.
pub(in crate::mongo) const LENGTH_MAX: usize = 1_000;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntryFields<'a> {
    kind: Cow<'a, str>,
    subject: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone_number_id: Option<Cow<'a, str>>,
    at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported_at: Option<DateTime>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArrivalFields<'a> {
    #[serde(rename = "_id")]
    id: Cow<'a, str>,
    schema_version: i32,
    tenant_id: Cow<'a, str>,
    /// Of the tenant.
    partition: i32,
    /// While it is only announced: the save of messages that its entries tell of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    save_id: Option<ObjectId>,
    entries: Vec<EntryFields<'a>>,
}

#[derive(Debug, Serialize)]
struct OnlyEntries<'a> {
    entries: Vec<EntryFields<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChunkFields<'a> {
    /// The tenant and the first place: see [`place_id`].
    #[serde(rename = "_id")]
    id: Cow<'a, str>,
    schema_version: i32,
    /// The last place.
    last: i64,
    /// When the last entry was made.
    at: DateTime,
    entries: Vec<EntryFields<'a>>,
}

pub(super) fn entry_fields(entry: &FeedEntry) -> EntryFields<'_> {
    EntryFields {
        kind: entry.kind.as_str().into(),
        subject: entry.subject.to_string().into(),
        phone_number_id: entry.phone_number_id.as_ref().map(|id| id.as_str().into()),
        at: date(entry.at),
        reported_at: entry.reported_at.map(date),
    }
}

/// Entries of one tenant without places as a document, announced for a save if one is given.
pub(in crate::mongo) fn encode_arrival(
    id: &str,
    tenant_id: &TenantId,
    entries: &[&FeedEntry],
    save_id: Option<ObjectId>,
) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&ArrivalFields {
        id: id.into(),
        schema_version: SCHEMA_VERSION,
        tenant_id: tenant_id.to_string().into(),
        partition: i32::try_from(Partitions::partition_of(tenant_id)).unwrap_or_default(),
        save_id,
        entries: entries.iter().map(|entry| entry_fields(entry)).collect(),
    })
}

/// The entries of an arrival as the field that has them.
pub(in crate::mongo) fn encode_entries(entries: &[FeedEntry]) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&OnlyEntries {
        entries: entries.iter().map(entry_fields).collect(),
    })
}

/// Entries at consecutive places as a document.
pub(in crate::mongo) fn encode_chunk(chunk: &Chunk) -> Result<RawDocumentBuf, StoreError> {
    let last = chunk.entries.last();
    let last = last.ok_or_else(|| StoreError::Corrupt("a chunk has an entry".to_owned()))?;
    to_raw(&ChunkFields {
        id: place_id(&chunk.tenant_id, chunk.first).into(),
        schema_version: SCHEMA_VERSION,
        last: counter(chunk.last().number()),
        at: date(last.at),
        entries: chunk.entries.iter().map(entry_fields).collect(),
    })
}

/// One entry as a chunk of its own.
pub(in crate::mongo) fn encode_placed(placed: &PlacedEntry) -> Result<RawDocumentBuf, StoreError> {
    encode_chunk(&Chunk {
        tenant_id: placed.entry.tenant_id,
        first: placed.place,
        entries: vec![placed.entry.clone()],
    })
}

/// Reads an arrival.
pub(in crate::mongo) fn decode_arrival(raw: &RawDocument) -> Result<Arrival, Unreadable> {
    let fields: ArrivalFields<'_> = from_raw("feed arrival", raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("feed arrival", &fields.id, fields.schema_version));
    }
    let wrong = |field| Unreadable::field("feed arrival", &fields.id, field);
    let tenant_id = TenantId::parse(&fields.tenant_id).map_err(|_| wrong("tenantId"))?;
    let entries = fields.entries.iter().map(|entry| decode_entry(tenant_id, entry));
    let entries: Option<Vec<FeedEntry>> = entries.collect();
    Ok(Arrival {
        id: Arc::from(&*fields.id),
        tenant_id,
        entries: entries
            .filter(|entries| !entries.is_empty())
            .ok_or_else(|| wrong("entries"))?,
    })
}

/// Reads a chunk.
pub(in crate::mongo) fn decode_chunk(raw: &RawDocument) -> Result<Chunk, Unreadable> {
    let fields: ChunkFields<'_> = from_raw("feed chunk", raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("feed chunk", &fields.id, fields.schema_version));
    }
    let wrong = |field| Unreadable::field("feed chunk", &fields.id, field);
    let (tenant_id, first) = parse_place_id(&fields.id).ok_or_else(|| wrong("_id"))?;
    let entries = fields.entries.iter().map(|entry| decode_entry(tenant_id, entry));
    let entries: Option<Vec<FeedEntry>> = entries.collect();
    let chunk = Chunk {
        tenant_id,
        first,
        entries: entries
            .filter(|entries| !entries.is_empty())
            .ok_or_else(|| wrong("entries"))?,
    };
    if counter(chunk.last().number()) != fields.last {
        return Err(wrong("last"));
    }
    Ok(chunk)
}

/// The rest of a chunk that cannot be read: see [`decode_left`].
pub(in crate::mongo) struct LeftOfChunk {
    pub(in crate::mongo) chunk: Chunk,
    /// True if nothing was wrong with it.
    pub(in crate::mongo) is_whole: bool,
    /// False if nothing says how many places it had: then it has at least those of its entries.
    pub(in crate::mongo) is_length_known: bool,
}

impl Paged for LeftOfChunk {
    type Position = Place;

    fn position(&self) -> Place {
        self.chunk.position()
    }

    fn bytes(&self) -> usize {
        self.chunk.bytes()
    }
}

/// Reads what is left of a chunk that [`decode_chunk`] cannot read: an entry for each of its places, and where that cannot be
/// read one that says so. `None` if its own place cannot be read: it may be anything.
pub(in crate::mongo) fn decode_left(raw: &RawDocument) -> Option<LeftOfChunk> {
    let (tenant_id, first) = parse_place_id(raw.get_str("_id").ok()?)?;
    let at = raw.get_datetime("at").ok().map(timestamp);
    // A later version may mean something else by the same names.
    let is_known = matches!(raw.get_i32("schemaVersion"), Ok(version) if version <= SCHEMA_VERSION);
    let found = raw.get_array("entries").ok().map(|entries| {
        let entry = |entry: Result<RawBsonRef<'_>, _>| {
            let fields = from_raw("feed entry", entry.ok()?.as_document()?).ok()?;
            decode_entry(tenant_id, &fields).filter(|_| is_known)
        };
        entries.into_iter().take(LENGTH_MAX).map(entry).collect::<Vec<_>>()
    });
    let found = found.unwrap_or_default();
    let stated = decode_last(raw).and_then(|last| usize::try_from(last.number() + 1 - first.number()).ok());
    let length = stated.unwrap_or(found.len()).max(1);
    let is_length_known = stated.is_some_and(|stated| found.is_empty() || found.len() == stated);
    let entries = (0..length.max(found.len())).map(|index| {
        let found = found.get(index).cloned().flatten();
        found.unwrap_or_else(|| FeedEntry::unreadable(tenant_id, first.plus(index as u64), at))
    });
    let entries = entries.collect();
    Some(LeftOfChunk {
        chunk: Chunk {
            tenant_id,
            first,
            entries,
        },
        is_whole: false,
        is_length_known,
    })
}

/// Reads the last place of a chunk; `None` if it cannot be the last one of a chunk with this first place.
pub(in crate::mongo) fn decode_last(raw: &RawDocument) -> Option<Place> {
    let (_, first) = parse_place_id(raw.get_str("_id").ok()?)?;
    let last = u64::try_from(raw.get_i64("last").ok()?).ok()?;
    let length = last.checked_sub(first.number())?;
    (length < LENGTH_MAX as u64).then(|| Place::new(last))
}

/// Reads a chunk of one entry.
pub(in crate::mongo) fn decode_placed(raw: &RawDocument) -> Result<PlacedEntry, Unreadable> {
    let chunk = decode_chunk(raw)?;
    let place = chunk.first;
    let mut entries = chunk.entries.into_iter();
    match (entries.next(), entries.next()) {
        (Some(entry), None) => Ok(PlacedEntry { place, entry }),
        _ => {
            let id = place_id(&chunk.tenant_id, place);
            Err(Unreadable::field("feed chunk", &id, "entries"))
        }
    }
}

pub(super) fn decode_entry(tenant_id: TenantId, fields: &EntryFields<'_>) -> Option<FeedEntry> {
    let number = fields.phone_number_id.as_deref().map(PhoneNumberId::parse);
    Some(FeedEntry {
        tenant_id,
        kind: EntryKind::parse(&fields.kind)?,
        subject: Subject::parse(&fields.subject)?,
        phone_number_id: number.transpose().ok()?,
        at: timestamp(fields.at),
        reported_at: fields.reported_at.map(timestamp),
    })
}

fn parse_place_id(id: &str) -> Option<(TenantId, Place)> {
    let (tenant_id, number) = id.split_once('/')?;
    let place = (
        TenantId::parse(tenant_id).ok()?,
        Place::new(u64::from_str_radix(number, 16).ok()?),
    );
    (place_id(&place.0, place.1) == id).then_some(place)
}
