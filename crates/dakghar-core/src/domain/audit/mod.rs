//! The audit log: who changed what in an installation, and who read what people wrote to each other.
//!
//! A record is a text ([`AuditEntry`]) and a link of a chain ([`AuditRecord`]): its number, the hash of the record before it,
//! and its own hash over both and the text. So whoever edits a record, takes one out or puts two in another order breaks the
//! chain at that number, and [`ChainCheck`] finds it. What is cut off at the end is found by the [`AuditChain`], which says
//! where the chain ends. Records hold ids and names of settings, and neither secrets nor what people wrote.

mod action;
mod chain;
mod changes;
mod entry;
mod fields;
mod principal;
mod record;

pub use action::{AuditAction, AuditClass};
pub use chain::{AuditChain, AuditFault, ChainCheck};
pub use changes::{app_changes, endpoint_changes, key_changes, tenant_changes};
pub use entry::{AUDIT_OBJECTS_MAX, AuditEntry, AuditObject};
pub use fields::{FieldChange, FieldChanges};
pub use principal::{Principal, Who};
pub use record::{AuditQuery, AuditRecord, ChainLink, place_of};

/// The least number of days that records of the audit log are kept.
pub const AUDIT_DAYS_MIN: u32 = 90;
