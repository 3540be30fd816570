//! The collections of the audit log.

use bson::RawDocumentBuf;
use mongodb::{Collection, Database};

use crate::mongo::collections::{AUDIT, AUDIT_CHAIN};

/// The audit log in the database.
#[derive(Debug)]
pub(in crate::mongo) struct AuditLog {
    pub(in crate::mongo) records: Collection<RawDocumentBuf>,
    /// Where the chain of them begins and ends.
    pub(in crate::mongo) chain: Collection<RawDocumentBuf>,
    /// The turn of one change of this process.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl AuditLog {
    pub(in crate::mongo) fn of(database: &Database) -> Self {
        Self {
            records: database.collection(AUDIT),
            chain: database.collection(AUDIT_CHAIN),
            turn: tokio::sync::Mutex::default(),
        }
    }
}
