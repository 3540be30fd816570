//! What people said about being written to.

use dakghar_core::domain::migration::Record;
use dakghar_core::domain::{OptOut, TenantId};

use super::TargetUnderTest;
use crate::samples::{opt_out, taken_back, tenant};

/// Opt-outs, one of which was taken back.
pub(super) fn moved(owner: TenantId) -> Vec<Record> {
    let back = taken_back(&opt_out(owner, "2", 5), 6);
    [opt_out(owner, "1", 5), back, opt_out(tenant().id, "1", 7)]
        .map(Record::OptOut)
        .to_vec()
}

pub(super) async fn assert_moved(under_test: &TargetUnderTest, said: OptOut) {
    let found = under_test
        .stores
        .opt_outs
        .find_opt_outs(&said.tenant_id, &[said.key.mark])
        .await;
    assert_eq!(found, Ok(vec![said]));
}
