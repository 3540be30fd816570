//! The suite of [`InstallationStore`](dakghar_core::ports::InstallationStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::ports::Saved;

use super::stores::Stores;
use crate::samples::sealed_secrets;

/// Runs the suite of `InstallationStore`: `installation_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! installation_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, installation:
            secrets_of_the_installation_are_stored_as_they_are
            of_many_first_secrets_one_is_stored
            only_the_present_version_of_secrets_is_saved_over
            of_many_saves_of_secrets_at_once_one_is_done
        }
    };
}

async fn find(stores: &Stores, name: &str) -> Option<SealedSecrets> {
    stores.installation.find_secrets(name).await.expect("the store answers")
}

pub async fn secrets_of_the_installation_are_stored_as_they_are(stores: Stores) {
    let (one, other) = (sealed_secrets(), sealed_secrets());
    assert_eq!(find(&stores, &one.name).await, None);
    for secrets in [&one, &other] {
        assert_eq!(stores.installation.insert_secrets(secrets).await, Ok(Saved::Done));
    }
    assert_eq!(find(&stores, &one.name).await, Some(one));
    assert_eq!(find(&stores, &other.name).await, Some(other));
}

pub async fn of_many_first_secrets_one_is_stored(stores: Stores) {
    let name = sealed_secrets().name;
    let made: Vec<_> = (0..10)
        .map(|_| SealedSecrets {
            name: name.clone(),
            ..sealed_secrets()
        })
        .collect();
    let inserts = made.iter().map(|secrets| stores.installation.insert_secrets(secrets));
    let inserted = futures_util::future::join_all(inserts).await;
    let done: Vec<_> = (0..10).filter(|index| inserted[*index] == Ok(Saved::Done)).collect();
    assert_eq!(done.len(), 1, "{inserted:?}");
    assert_eq!(
        inserted
            .iter()
            .filter(|inserted| **inserted == Ok(Saved::Stale))
            .count(),
        9
    );
    assert_eq!(find(&stores, &name).await.as_ref(), made.get(done[0]));
}

pub async fn only_the_present_version_of_secrets_is_saved_over(stores: Stores) {
    let secrets = sealed_secrets();
    let saved = stores.installation.save_secrets(&secrets).await;
    assert_eq!(saved, Ok(Saved::Stale), "there are none");
    assert_eq!(stores.installation.insert_secrets(&secrets).await, Ok(Saved::Done));
    let mut moved = SealedSecrets {
        wrapped_data_key: vec![1; 300],
        sealed: vec![2; 300],
        ..secrets.clone()
    };
    assert_eq!(stores.installation.save_secrets(&moved).await, Ok(Saved::Done));
    assert_eq!(stores.installation.save_secrets(&secrets).await, Ok(Saved::Stale));
    moved.version = 1;
    assert_eq!(find(&stores, &secrets.name).await, Some(moved.clone()));
    assert_eq!(stores.installation.save_secrets(&moved).await, Ok(Saved::Done));
}

pub async fn of_many_saves_of_secrets_at_once_one_is_done(stores: Stores) {
    let secrets = sealed_secrets();
    assert_eq!(stores.installation.insert_secrets(&secrets).await, Ok(Saved::Done));
    let saves = (0..10).map(|_| stores.installation.save_secrets(&secrets));
    let saved = futures_util::future::join_all(saves).await;
    let done = saved.iter().filter(|saved| **saved == Ok(Saved::Done)).count();
    assert_eq!(done, 1, "{saved:?}");
}
