//! The secrets of the installation.

use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::ports::Saved;

use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::sealed_secrets;

/// Covers `InstallationStore::find_secrets`, `InstallationStore::insert_secrets` and `InstallationStore::save_secrets`.
pub async fn secrets_of_the_installation_are_an_error_of_their_own(port: Breakable) {
    let store = &port.stores.installation;
    let all: Vec<SealedSecrets> = (0..MIXED).map(|_| sealed_secrets()).collect();
    for secrets in &all {
        assert_eq!(store.insert_secrets(secrets).await, Ok(Saved::Done));
    }
    let (whole, broken) = thirds(all);
    let records = broken
        .iter()
        .map(|secrets| Record::InstallationSecrets(secrets.name.clone()));
    port.break_all(records).await;
    for secrets in &broken {
        let found = store.find_secrets(&secrets.name).await;
        assert!(is_unreadable(&found), "{found:?}");
        let again = store.insert_secrets(secrets).await;
        assert_eq!(again, Ok(Saved::Stale), "nobody makes others in their place");
    }
    for secrets in &whole {
        assert_eq!(store.find_secrets(&secrets.name).await, Ok(Some(secrets.clone())));
    }
    assert_eq!(store.save_secrets(&whole[0]).await, Ok(Saved::Done));
}
