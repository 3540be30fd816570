//! Records of the audit log.

use dakghar_core::domain::TenantId;
use dakghar_core::domain::audit::ChainLink;
use dakghar_core::domain::audit::{AuditChain, AuditRecord};
use dakghar_core::domain::migration::Record;
use dakghar_core::ports::{AuditedChange, Carried};

use super::TargetUnderTest;
use crate::conformance::audit::whole;
use crate::samples::{audit_entry, audit_entry_full};

/// Records of an installation that has dropped the first six.
pub(super) fn moved(owner: TenantId) -> Vec<Record> {
    let anchor = ChainLink {
        number: 6,
        hash: [6; 32],
    };
    let mut records: Vec<AuditRecord> = Vec::new();
    for entry in [audit_entry(), audit_entry_full(owner), audit_entry()] {
        let end = records.last().map_or(anchor, AuditRecord::link);
        records.push(AuditRecord::behind(&end, &entry));
    }
    records
        .into_iter()
        .map(|record| Record::Audit(Box::new(record)))
        .collect()
}

pub(super) async fn assert_moved(under_test: &TargetUnderTest, record: &AuditRecord) {
    let walked = under_test.stores.audit.audit_walk(record.number - 1, 1).await;
    assert_eq!(walked, Ok(vec![(record.number, Some(record.clone()))]));
}

pub async fn moved_records_of_the_audit_log_make_a_chain_that_goes_on(under_test: TargetUnderTest) {
    let records = moved(crate::samples::tenant_id());
    for portion in [&records[..2], &records[1..]] {
        assert_eq!(under_test.target.put(portion).await, Ok(()));
    }
    let audit = &under_test.stores.audit;
    let carried = audit.carry_out(&AuditedChange::Nothing, &audit_entry()).await;
    assert_eq!(carried, Ok(Carried::Done));
    let AuditChain { anchor, head } = whole(&under_test.stores).await;
    assert_eq!((anchor.number, head.number), (6, 10));
}
