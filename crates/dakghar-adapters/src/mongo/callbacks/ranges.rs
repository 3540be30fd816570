//! Ranges of the ids of what is kept of endpoints: an id begins with that of its endpoint.

use bson::{Bson, Document, doc};
use dakghar_core::domain::ids::EndpointId;
use dakghar_core::ports::ExceptionsAsked;

use crate::mongo::indexes::{BY_ID, EXCEPTION_DEAD};

/// The range of ids of an endpoint's exceptions, and of its logs.
pub(super) fn range_of(endpoint_id: &EndpointId) -> Document {
    doc! { "$gte": format!("{endpoint_id}/"), "$lt": behind(endpoint_id) }
}

/// The bound behind all ids of an endpoint: the character behind the slash.
pub(super) fn behind(endpoint_id: &EndpointId) -> String {
    format!("{endpoint_id}0")
}

/// The filter of exceptions in this state in a range of ids, and the index for it. A search for dead ones passes over
/// those that are open, of which there are few; the other way round there could be many.
pub(super) fn in_state(asked: ExceptionsAsked, ids: Document) -> (Document, &'static str) {
    match asked {
        // An absent field is indexed as null.
        ExceptionsAsked::Open => (doc! { "deadAt": Bson::Null, "_id": ids }, EXCEPTION_DEAD),
        ExceptionsAsked::Dead => (doc! { "_id": ids, "deadAt": { "$exists": true } }, BY_ID),
    }
}
