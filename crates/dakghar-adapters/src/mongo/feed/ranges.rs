//! The chunks of one tenant: the range of their ids, and what stands in them.

use bson::{Document, doc};
use dakghar_core::domain::feed::{Chunk, Place, PlacedEntry};
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::page::{Listed, PageFill, PageLimit};

use crate::mongo::documents::feed::LeftOfChunk;

/// The range of ids of a tenant's chunks.
pub(in crate::mongo) fn of_tenant(tenant_id: &TenantId) -> Document {
    doc! { "_id": { "$gte": format!("{tenant_id}/"), "$lt": behind(tenant_id) } }
}

/// The bound behind all ids of a tenant: the character behind the slash.
pub(super) fn behind(tenant_id: &TenantId) -> String {
    format!("{tenant_id}0")
}

/// The first place of a chunk, by its id.
pub(super) fn first_in(id: &str) -> Option<Place> {
    let (_, number) = id.split_once('/')?;
    u64::from_str_radix(number, 16).ok().map(Place::new)
}

/// The chunks, if all of them could be read and each begins where the one before ends, the first at the place behind `after`
/// or before it. Else something between them is not there, or cannot be read.
pub(super) fn in_a_row(found: Vec<LeftOfChunk>, after: Place) -> Option<Vec<Chunk>> {
    let whole = |left: LeftOfChunk| left.is_whole.then_some(left.chunk);
    let chunks: Vec<Chunk> = found.into_iter().map(whole).collect::<Option<_>>()?;
    let mut expected = after.plus(1);
    for (index, chunk) in chunks.iter().enumerate() {
        let follows = chunk.first == expected || (index == 0 && chunk.first < expected);
        if !follows {
            return None;
        }
        expected = chunk.last().plus(1);
    }
    Some(chunks)
}

/// A page of what stands behind `after`. With `is_cut` there may be more than these chunks.
pub(super) fn page_of(chunks: Vec<Chunk>, after: Place, limit: PageLimit, is_cut: bool) -> Listed<PlacedEntry> {
    let mut page = PageFill::new(limit);
    for Chunk { first, entries, .. } in chunks {
        for (entry, index) in entries.into_iter().zip(0..) {
            let place = first.plus(index);
            if place <= after {
                continue;
            }
            if page.is_full() {
                return page.more();
            }
            page.push(PlacedEntry { place, entry });
        }
    }
    if is_cut { page.more() } else { page.end() }
}
