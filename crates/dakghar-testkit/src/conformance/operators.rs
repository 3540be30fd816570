//! The suite of [`OperatorStore`](dakghar_core::ports::OperatorStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::time::Duration;

use dakghar_core::domain::operator_key::{OperatorKey, Role};
use dakghar_core::ports::Saved;

use super::stores::Stores;
use crate::samples::{at, key_full, operator_key};

/// Runs the suite of `OperatorStore`: `operator_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! operator_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, operators:
            a_key_of_an_operator_is_stored_as_it_is
            an_id_of_a_key_is_given_once
            only_the_present_version_of_a_key_is_saved_over
            of_many_rotations_at_once_one_is_done
            a_revoked_key_of_an_operator_is_gone
            the_latest_use_counts_and_makes_no_version
        }
    };
}

async fn insert(stores: &Stores, keys: &[OperatorKey]) {
    for key in keys {
        assert_eq!(stores.operators.insert_operator_key(key).await, Ok(Saved::Done));
    }
}

async fn all(stores: &Stores) -> Vec<OperatorKey> {
    stores.operators.operator_keys().await.expect("the store answers")
}

pub async fn a_key_of_an_operator_is_stored_as_it_is(stores: Stores) {
    assert_eq!(all(&stores).await, []);
    let mut full = operator_key(Role::Admin);
    full.key = key_full();
    let keys = [operator_key(Role::Onboarding), full, operator_key(Role::Admin)];
    assert_eq!(stores.operators.find_operator_key(&keys[0].key.id).await, Ok(None));
    insert(&stores, &[keys[2].clone(), keys[0].clone(), keys[1].clone()]).await;
    for key in &keys {
        assert_eq!(
            stores.operators.find_operator_key(&key.key.id).await,
            Ok(Some(key.clone()))
        );
    }
    let mut expected = keys.to_vec();
    expected.sort_by_key(|key| key.key.id);
    assert_eq!(all(&stores).await, expected);
}

pub async fn an_id_of_a_key_is_given_once(stores: Stores) {
    let key = operator_key(Role::Onboarding);
    insert(&stores, std::slice::from_ref(&key)).await;
    let mut other = operator_key(Role::Admin);
    other.key.id = key.key.id;
    assert_eq!(stores.operators.insert_operator_key(&other).await, Ok(Saved::Stale));
    assert_eq!(all(&stores).await, [key]);
}

pub async fn only_the_present_version_of_a_key_is_saved_over(stores: Stores) {
    let key = operator_key(Role::Admin);
    assert_eq!(
        stores.operators.save_operator_key(&key).await,
        Ok(Saved::Stale),
        "there is none"
    );
    insert(&stores, std::slice::from_ref(&key)).await;
    let mut rotated = key.clone();
    let secret = operator_key(Role::Admin).key.secrets.remove(0);
    assert_eq!(rotated.key.rotate(secret, at(9), Duration::from_secs(60)), Ok(()));
    assert_eq!(stores.operators.save_operator_key(&rotated).await, Ok(Saved::Done));
    assert_eq!(stores.operators.save_operator_key(&key).await, Ok(Saved::Stale));
    rotated.version = 1;
    assert_eq!(all(&stores).await, [rotated.clone()]);
    assert_eq!(stores.operators.save_operator_key(&rotated).await, Ok(Saved::Done));
}

pub async fn of_many_rotations_at_once_one_is_done(stores: Stores) {
    let key = operator_key(Role::Admin);
    insert(&stores, std::slice::from_ref(&key)).await;
    let saves = (0..10).map(|_| stores.operators.save_operator_key(&key));
    let saved = futures_util::future::join_all(saves).await;
    let done = saved.iter().filter(|saved| **saved == Ok(Saved::Done)).count();
    assert_eq!(done, 1, "{saved:?}");
}

pub async fn a_revoked_key_of_an_operator_is_gone(stores: Stores) {
    let mut keys = [operator_key(Role::Admin), operator_key(Role::Admin)];
    keys.sort_by_key(|key| key.key.id);
    insert(&stores, &keys).await;
    assert_eq!(stores.operators.remove_operator_key(&keys[0].key.id).await, Ok(true));
    assert_eq!(stores.operators.remove_operator_key(&keys[0].key.id).await, Ok(false));
    assert_eq!(stores.operators.save_operator_key(&keys[0]).await, Ok(Saved::Stale));
    assert_eq!(all(&stores).await, [keys[1].clone()]);
}

pub async fn the_latest_use_counts_and_makes_no_version(stores: Stores) {
    let mut key = operator_key(Role::Admin);
    let other = operator_key(Role::Onboarding);
    insert(&stores, &[key.clone(), other.clone()]).await;
    let unknown = operator_key(Role::Admin).key.id;
    for (id, ms) in [(key.key.id, 20), (key.key.id, 10), (unknown, 30)] {
        assert_eq!(stores.operators.note_operator_use(&id, at(ms)).await, Ok(()));
    }
    key.key.last_used_at = Some(at(20));
    let mut expected = vec![key.clone(), other];
    expected.sort_by_key(|key| key.key.id);
    assert_eq!(all(&stores).await, expected);
    assert_eq!(stores.operators.save_operator_key(&key).await, Ok(Saved::Done));
    key.version = 1;
    let found = stores.operators.find_operator_key(&key.key.id).await;
    assert_eq!(found, Ok(Some(key)));
}
