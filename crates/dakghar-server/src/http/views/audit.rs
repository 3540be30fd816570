//! Records of the audit log.

use dakghar_core::app::AuditEntryAt;
use dakghar_core::domain::audit::{AuditObject, FieldChange, Who};
use serde::Serialize;
use utoipa::ToSchema;

/// A record of the audit log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditRecord)]
pub(in crate::http) struct AuditRecordView {
    /// Its number: records have no gaps.
    number: u64,
    /// Its id.
    #[schema(example = "aud_01kb1xn6ab0000000000000001")]
    id: String,
    /// When it happened.
    #[schema(format = DateTime)]
    at: String,
    /// What was done.
    #[schema(example = "tenant.key.revoked")]
    action: String,
    /// Who did it.
    by: AuditActorView,
    /// The tenant that it was done to.
    tenant_id: Option<String>,
    /// The things that it was done to.
    objects: Vec<AuditObjectView>,
    /// What was changed.
    changes: Vec<AuditChangeView>,
    /// How many things there were, where that matters.
    count: Option<u64>,
    /// The id of the request.
    request_id: Option<String>,
    /// The hash of the record, in hexadecimal.
    hash: String,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditActor)]
struct AuditActorView {
    /// `tenant`, `operator`, `settings` (the key of the settings), `cli`, `system` or, in development, `anonymous`.
    kind: &'static str,
    /// The key that was used.
    key_id: Option<String>,
    /// The name that the key had.
    name: Option<String>,
    /// The client's address.
    address: Option<String>,
}

/// A thing that something was done to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditObject)]
struct AuditObjectView {
    /// What it is.
    #[schema(example = "key")]
    kind: String,
    /// Its id.
    id: String,
}

/// A change of a setting.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditChange)]
struct AuditChangeView {
    /// Its name.
    #[schema(example = "limits.retentionDays")]
    field: String,
    /// Its value before, if that may be shown and there was one.
    before: Option<String>,
    /// Its value now, if that may be shown and there is one.
    after: Option<String>,
}

impl From<&AuditEntryAt> for AuditRecordView {
    fn from(at: &AuditEntryAt) -> Self {
        let entry = &at.entry;
        let by = &entry.by;
        Self {
            number: at.link.number,
            id: entry.id.to_string(),
            at: entry.at.to_string(),
            action: entry.action.clone(),
            by: AuditActorView {
                kind: by.who.kind(),
                key_id: by.who.key().map(|id| id.to_string()),
                name: by.name.as_deref().map(str::to_owned),
                address: by.address.map(|address| address.to_string()),
            },
            tenant_id: entry.tenant_id.map(|id| id.to_string()),
            objects: entry.objects.iter().map(AuditObjectView::from).collect(),
            changes: entry.fields.iter().map(AuditChangeView::from).collect(),
            count: entry.count,
            request_id: by.request_id.as_deref().map(str::to_owned),
            hash: at.link.hash_text(),
        }
    }
}

impl AuditRecordView {
    /// The same for its tenant, who does not learn which operator it was and from where.
    pub(in crate::http) fn for_tenant(at: &AuditEntryAt) -> Self {
        let mut view = Self::from(at);
        if !matches!(at.entry.by.who, Who::Tenant(_)) {
            view.by = AuditActorView {
                kind: "operator",
                key_id: None,
                name: None,
                address: None,
            };
            view.request_id = None;
        }
        view
    }
}

impl From<&AuditObject> for AuditObjectView {
    fn from(object: &AuditObject) -> Self {
        Self {
            kind: object.kind.clone(),
            id: object.id.clone(),
        }
    }
}

impl From<&FieldChange> for AuditChangeView {
    fn from(change: &FieldChange) -> Self {
        Self {
            field: change.field.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
        }
    }
}
