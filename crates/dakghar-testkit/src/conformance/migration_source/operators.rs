//! What operators have: their keys, and apps at Meta.

use dakghar_core::domain::migration::Record;
use dakghar_core::domain::{Role, TenantId};
use dakghar_core::ports::Saved;

use super::SourceUnderTest;
use crate::samples::{meta_app, meta_app_full, operator_key, opt_out, taken_back, tenant_id};

/// A key for each role.
pub(super) async fn fill_operators(under_test: &SourceUnderTest) -> Vec<Record> {
    let keys = Role::ALL.map(operator_key);
    for key in &keys {
        let inserted = under_test.stores.operators.insert_operator_key(key).await;
        assert_eq!(inserted, Ok(Saved::Done));
    }
    keys.map(|key| Record::OperatorKey(Box::new(key))).to_vec()
}

/// What people said, taken back or not.
pub(super) async fn fill_opt_outs(under_test: &SourceUnderTest, owner: TenantId) -> Vec<Record> {
    let first = opt_out(owner, "1", 5);
    let said = [
        taken_back(&opt_out(owner, "2", 5), 6),
        first,
        opt_out(tenant_id(), "1", 7),
    ];
    let noted = under_test.stores.opt_outs.note_opt_outs(&said).await;
    noted.expect("the store answers");
    said.map(Record::OptOut).to_vec()
}

/// Apps with one secret and with two.
pub(super) async fn fill_apps(under_test: &SourceUnderTest) -> Vec<Record> {
    let apps = [meta_app(), meta_app_full(), meta_app()];
    for app in &apps {
        let inserted = under_test.stores.apps.insert_app(app).await;
        assert_eq!(inserted, Ok(Saved::Done));
    }
    apps.map(Record::App).to_vec()
}
