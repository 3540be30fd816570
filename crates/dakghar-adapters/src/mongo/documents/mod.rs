//! The documents of the collections: one type for each, with explicit conversions from and to the domain.
//!
//! Field names are camelCase, as in the API, so that a person who looks into the database recognises them. A field
//! without a value is absent and never `null`: the partial indexes depend on it. Ids are their text form; times are
//! BSON dates in milliseconds; counters are 64-bit integers.

pub(super) mod audit;
pub(super) mod callback;
pub(super) mod conversation;
pub(super) mod departure;
pub(super) mod endpoint;
pub(super) mod erasure;
pub(super) mod event;
pub(super) mod feed;
pub(super) mod message;
pub(super) mod meta_app;
pub(super) mod migration;
pub(super) mod operator_key;
pub(super) mod opt_out;
pub(super) mod redrive;
pub(super) mod sealed_secrets;
mod secret;
pub(super) mod signup;
pub(super) mod status;
pub(super) mod tenant;

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, RawDocument, RawDocumentBuf};
use dakghar_core::domain::Timestamp;
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use crate::stored::unreadable;

/// The version of the documents' shape that this build writes; it reads this one and those before.
pub(super) const SCHEMA_VERSION: i32 = 1;
const SCHEMA_VERSION_NEXT: i32 = SCHEMA_VERSION + 1;

/// A stored document does not have the shape that this build understands. Never carries a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {id}: {why}")]
pub(super) struct Unreadable {
    what: &'static str,
    id: String,
    why: String,
}

impl Unreadable {
    /// The document `id` of kind `what` has no understandable `field`.
    pub(super) fn field(what: &'static str, id: &str, field: &'static str) -> Self {
        Self {
            what,
            id: id.to_owned(),
            why: format!("the field {field} is not understood"),
        }
    }

    /// The document does not deserialize at all. What the deserializer says about it may quote a value, so it is asked
    /// once more, and only for the field.
    fn shape<'a, T: Deserialize<'a>>(what: &'static str, raw: &RawDocument) -> Self {
        let id = raw.get_str("_id").unwrap_or("(unknown)");
        if let Ok(version @ SCHEMA_VERSION_NEXT..) = raw.get_i32("schemaVersion") {
            return Self::version(what, id, version);
        }
        let error = Document::try_from(raw).ok().and_then(|document| {
            let again = bson::Deserializer::new(Bson::Document(document));
            serde_path_to_error::deserialize::<_, T>(again).err()
        });
        let why = error.map(|error| match &error.inner().message {
            Some(missing) if missing.starts_with("missing field") => missing.clone(),
            _ => format!("the field {} is not understood", error.path()),
        });
        Self {
            what,
            id: id.to_owned(),
            why: why.unwrap_or_else(|| "it does not have the shape of one".to_owned()),
        }
    }

    /// Logs it, once.
    pub(super) fn tell(&self) {
        unreadable::tell(self.what, &self.id, &self.why);
    }

    /// The error for the one who asked for this document. It is not made by `?`: a document that cannot be read must
    /// not fail the batch that reads it.
    pub(super) fn into_store_error(self) -> StoreError {
        StoreError::Unreadable(self.to_string())
    }

    /// The server refuses to change the document, for this reason.
    pub(super) fn unchangeable(what: &'static str, id: &str, why: String) -> Self {
        let id = id.to_owned();
        Self { what, id, why }
    }

    /// The document was written by a later version.
    pub(super) fn version(what: &'static str, id: &str, version: i32) -> Self {
        let why = format!("written as schema version {version}, this build knows up to {SCHEMA_VERSION}");
        Self {
            what,
            id: id.to_owned(),
            why,
        }
    }
}

pub(super) fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millis())
}

pub(super) fn timestamp(date: DateTime) -> Timestamp {
    Timestamp::from_millis(date.timestamp_millis())
}

pub(super) fn binary(bytes: &[u8]) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    }
}

/// A counter as BSON keeps it. Counters are raised one by one, so none ever gets near the bound.
pub(super) fn counter(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Deserializes a document of kind `what`.
pub(super) fn from_raw<'a, T: Deserialize<'a>>(what: &'static str, raw: &'a RawDocument) -> Result<T, Unreadable> {
    bson::deserialize_from_slice(raw.as_bytes()).map_err(|_| Unreadable::shape::<T>(what, raw))
}

/// Serializes a document type.
pub(super) fn to_raw<T: Serialize>(document: &T) -> Result<RawDocumentBuf, StoreError> {
    bson::serialize_to_raw_document_buf(document)
        .map_err(|error| StoreError::Corrupt(format!("a document cannot be written: {error}")))
}
