//! Keys of operators.

use dakghar_core::domain::operator_key::{OperatorKey, Role};
use dakghar_core::ports::Saved;

use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::{at, operator_key};

/// Keys of which every one but each third is broken then.
async fn mixed_keys(port: &Breakable) -> (Vec<OperatorKey>, Vec<OperatorKey>) {
    let keys: Vec<OperatorKey> = (0..MIXED).map(|_| operator_key(Role::Admin)).collect();
    for key in &keys {
        assert_eq!(port.stores.operators.insert_operator_key(key).await, Ok(Saved::Done));
    }
    let (whole, broken) = thirds(keys);
    port.break_all(broken.iter().map(|key| Record::OperatorKey(key.key.id)))
        .await;
    (whole, broken)
}

/// Covers `OperatorStore::operator_keys` and `OperatorStore::find_operator_key`.
pub async fn the_list_of_operators_leaves_it_out(port: Breakable) {
    let (mut whole, broken) = mixed_keys(&port).await;
    whole.sort_by_key(|key| key.key.id);
    assert_eq!(port.stores.operators.operator_keys().await, Ok(whole));
    for key in &broken {
        let found = port.stores.operators.find_operator_key(&key.key.id).await;
        assert!(is_unreadable(&found), "{found:?}");
    }
}

/// Covers `OperatorStore::insert_operator_key`, `OperatorStore::save_operator_key` and `OperatorStore::note_operator_use`.
pub async fn keys_of_operators_beside_it_are_saved(port: Breakable) {
    let (whole, broken) = mixed_keys(&port).await;
    let operators = &port.stores.operators;
    assert_eq!(operators.save_operator_key(&whole[0]).await, Ok(Saved::Done));
    assert_eq!(operators.note_operator_use(&whole[0].key.id, at(5)).await, Ok(()));
    let new = operator_key(Role::Admin);
    assert_eq!(operators.insert_operator_key(&new).await, Ok(Saved::Done));
    let again = operators.insert_operator_key(&broken[0]).await;
    assert_eq!(again, Ok(Saved::Stale), "its id is still its own");
}

/// Covers `OperatorStore::remove_operator_key`.
pub async fn a_broken_key_of_an_operator_is_revoked(port: Breakable) {
    let (_, broken) = mixed_keys(&port).await;
    let operators = &port.stores.operators;
    assert_eq!(operators.remove_operator_key(&broken[0].key.id).await, Ok(true));
    assert_eq!(operators.find_operator_key(&broken[0].key.id).await, Ok(None));
}
