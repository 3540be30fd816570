//! Records of the audit log.

use dakghar_core::domain::audit::{AuditAction, AuditEntry, AuditObject, FieldChange, Principal, Who};
use dakghar_core::domain::ids::AuditId;
use dakghar_core::domain::{Role, TenantId};

use super::{at, operator_key};

/// An entry with as little as possible.
pub fn audit_entry() -> AuditEntry {
    let id = AuditId::from_uuid(*operator_key(Role::Admin).key.id.as_uuid());
    AuditEntry::new(id, at(1), Principal::CLI, AuditAction::HoldBegun)
}

/// An entry with everything.
pub fn audit_entry_full(tenant_id: TenantId) -> AuditEntry {
    let by = Principal {
        who: Who::Operator(operator_key(Role::Admin).key.id),
        name: Some("Asha\u{2019}s \"laptop\"".into()),
        address: Some("2001:db8::7".parse().expect("an address")),
        request_id: Some("req_1".into()),
    };
    AuditEntry {
        tenant_id: Some(tenant_id),
        objects: vec![AuditObject::new("key", "key_1"), AuditObject::new("route", "/x")],
        fields: vec![
            FieldChange {
                field: "limits.retentionDays".to_owned(),
                before: Some("30".to_owned()),
                after: None,
            },
            FieldChange {
                field: "secret".to_owned(),
                before: None,
                after: None,
            },
        ],
        count: Some(u64::MAX),
        ..AuditEntry::new(audit_entry().id, at(2), &by, AuditAction::BodiesRead)
    }
}
