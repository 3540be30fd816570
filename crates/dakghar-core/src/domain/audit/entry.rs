//! The content of a record, and its text. The text is hashed, so it is kept as it was written.

use serde::{Deserialize, Serialize};

use super::action::AuditAction;
use super::fields::FieldChange;
use super::principal::{Principal, Who};
use crate::domain::ids::{AuditId, TenantId};
use crate::domain::time::Timestamp;

/// The most things that a record names. More are counted.
pub const AUDIT_OBJECTS_MAX: usize = 20;

/// A thing that a record is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditObject {
    /// What it is: `key`, `endpoint`, `message`, `route` …
    pub kind: String,
    /// Its id.
    pub id: String,
}

impl AuditObject {
    /// Names a thing.
    #[expect(clippy::needless_pass_by_value, reason = "ids are small, and most are copied")]
    pub fn new(kind: &str, id: impl ToString) -> Self {
        Self {
            kind: kind.to_owned(),
            id: id.to_string(),
        }
    }
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id, by which it is found after an answer that was lost.
    pub id: AuditId,
    /// When it happened, by the store's clock.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: Principal,
    /// What was done: the name of an [`AuditAction`], or one of a later version.
    pub action: String,
    /// The tenant that it was done to.
    pub tenant_id: Option<TenantId>,
    /// The things that it was done to, [`AUDIT_OBJECTS_MAX`] at most.
    pub objects: Vec<AuditObject>,
    /// What was changed.
    pub fields: Vec<FieldChange>,
    /// How many things there were, where that matters: those of a page that was read.
    pub count: Option<u64>,
}

impl AuditEntry {
    /// Says that somebody did something, and nothing else yet.
    pub fn new(id: AuditId, at: Timestamp, by: &Principal, action: AuditAction) -> Self {
        Self {
            id,
            at,
            by: by.clone(),
            action: action.as_str().to_owned(),
            tenant_id: None,
            objects: Vec::new(),
            fields: Vec::new(),
            count: None,
        }
    }

    /// Writes it down. The members have an order, and texts have one form: the same entry has always the same text.
    pub fn text(&self) -> String {
        let key = self.by.who.key().map(|id| id.to_string());
        let text = Text {
            v: 1,
            id: self.id.to_string(),
            at: self.at.as_millis(),
            kind: self.by.who.kind().to_owned(),
            key,
            name: self.by.name.as_deref().map(str::to_owned),
            address: self.by.address.map(|address| address.to_string()),
            request: self.by.request_id.as_deref().map(str::to_owned),
            action: self.action.clone(),
            tenant: self.tenant_id.map(|id| id.to_string()),
            objects: self.objects.clone(),
            fields: self.fields.iter().map(FieldText::of).collect(),
            count: self.count,
        };
        serde_json::to_string(&text).expect("texts and numbers")
    }

    /// Reads what [`AuditEntry::text`] wrote. `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text: Text = serde_json::from_str(text).ok()?;
        Some(Self {
            id: AuditId::parse(&text.id).ok()?,
            at: Timestamp::from_millis(text.at),
            by: Principal {
                who: Who::parse(&text.kind, text.key.as_deref())?,
                name: text.name.map(Into::into),
                address: match text.address {
                    Some(address) => Some(address.parse().ok()?),
                    None => None,
                },
                request_id: text.request.map(Into::into),
            },
            action: text.action,
            tenant_id: match text.tenant {
                Some(id) => Some(TenantId::parse(&id).ok()?),
                None => None,
            },
            objects: text.objects,
            fields: text.fields.into_iter().map(FieldText::into_change).collect(),
            count: text.count,
        })
    }
}

/// The form of the text. A member is added behind the others, and only with another `v` is one changed.
#[derive(Serialize, Deserialize)]
struct Text {
    v: u32,
    id: String,
    /// In milliseconds since the Unix epoch.
    at: i64,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    objects: Vec<AuditObject>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct FieldText {
    field: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl FieldText {
    fn of(change: &FieldChange) -> Self {
        Self {
            field: change.field.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
        }
    }

    fn into_change(self) -> FieldChange {
        FieldChange {
            field: self.field,
            before: self.before,
            after: self.after,
        }
    }
}
