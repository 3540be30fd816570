//! Keys of operators.

use dakghar_core::domain::migration::Record;
use dakghar_core::domain::{OperatorKey, Role};

use super::{TargetUnderTest, VERSION};
use crate::samples::operator_key;

/// A key for each role, each saved before.
pub(super) fn operators() -> Vec<Record> {
    let keys = Role::ALL.map(operator_key).into_iter();
    let saved = keys.map(|key| OperatorKey {
        version: VERSION,
        ..key
    });
    saved.map(|key| Record::OperatorKey(Box::new(key))).collect()
}

pub(super) async fn assert_operator(under_test: &TargetUnderTest, key: &OperatorKey) {
    let found = under_test.stores.operators.find_operator_key(&key.key.id).await;
    assert_eq!(found, Ok(Some(key.clone())));
}
