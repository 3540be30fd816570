//! Statements of the `update` command that many documents share: one plan for all of them, and, where they need it, a
//! value of its own for each.
//!
//! The server spends more of an update on planning its statement than on writing the document.

use bson::{RawArrayBuf, RawDocumentBuf, raw::cstr, rawdoc};
use dakghar_core::domain::TenantId;

/// Documents in one statement: the server looks for each of them in the whole of it.
pub(super) const SHARING_MAX: usize = 128;

/// The documents of one statement.
#[derive(Default)]
pub(super) struct Sharing {
    ids: RawArrayBuf,
    tenants: Vec<TenantId>,
    values: RawArrayBuf,
}

impl Sharing {
    /// Adds a document. A statement names a document once.
    pub(super) fn add(&mut self, id: String, tenant_id: &TenantId) {
        self.ids.push(id);
        self.tenants.push(*tenant_id);
    }

    /// Adds a document and its own value; every document of the statement must have one then.
    pub(super) fn add_with_value(&mut self, id: String, tenant_id: &TenantId, value: RawDocumentBuf) {
        self.add(id, tenant_id);
        self.values.push(value);
    }

    /// Finds the documents, each only if it belongs to the tenant it was added for.
    pub(super) fn filter(&self) -> RawDocumentBuf {
        let mut filter = rawdoc! { "_id": { "$in": self.ids.clone() } };
        match self.tenants.as_slice() {
            // Comparing with a constant is cheaper than looking into the list for every document.
            [only, others @ ..] if others.iter().all(|other| other == only) => {
                filter.append(cstr!("tenantId"), only.to_string());
            }
            tenants => {
                let tenants = tenants.iter().map(TenantId::to_string).collect();
                filter.append(cstr!("$expr"), rawdoc! { "$eq": ["$tenantId", self.own(&tenants)] });
            }
        }
        filter
    }

    /// In a pipeline: the value of the document at hand.
    pub(super) fn own_value(&self) -> RawDocumentBuf {
        self.own(&self.values)
    }

    fn own(&self, list: &RawArrayBuf) -> RawDocumentBuf {
        rawdoc! {
            "$arrayElemAt": [
                { "$literal": list.clone() },
                { "$indexOfArray": [{ "$literal": self.ids.clone() }, "$_id"] },
            ],
        }
    }
}
