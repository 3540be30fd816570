//! The secrets of an installation: who makes them, which ones, and who takes those of another.

use std::sync::Arc;

use dakghar_core::app::{Failure, Installation, NoSecrets};
use dakghar_core::domain::installation::{INSTALLATION_SECRETS, SealedSecrets};
use dakghar_core::domain::{Role, Secret};
use dakghar_core::ports::{InstallationStore as _, OperatorStore as _, Saved, StoreError, TenantStore as _};
use dakghar_core::vault::{InstallationSecrets, MasterKey, VaultError};
use dakghar_testkit::memory::{MemoryStore, installation_secrets, vault};
use dakghar_testkit::samples::{operator_key, sealed_secrets, tenant};

async fn open(
    store: &Arc<MemoryStore>,
    derived: Option<&InstallationSecrets>,
) -> Result<InstallationSecrets, NoSecrets> {
    let installation = Installation {
        secrets: &**store,
        tenants: &**store,
        operators: &**store,
        vault: &vault(),
    };
    installation.open(derived).await
}

async fn hash(store: &Arc<MemoryStore>) -> Vec<u8> {
    let opened = open(store, Some(&installation_secrets())).await;
    opened.unwrap_or_else(|error| panic!("{error}")).hash_api_key("dk_1")
}

#[tokio::test]
async fn a_new_installation_has_new_secrets_which_no_master_key_gives() {
    let (one, other) = (MemoryStore::new(), MemoryStore::new());
    let made = hash(&one).await;
    assert_eq!(hash(&one).await, made, "every start has the same");
    assert_ne!(hash(&other).await, made);
    assert_ne!(installation_secrets().hash_api_key("dk_1"), made);
    // Without a master key there is no difference.
    assert!(open(&MemoryStore::new(), None).await.is_ok());
}

#[tokio::test]
async fn who_may_have_a_key_keeps_it() {
    let of_tenants = MemoryStore::new();
    of_tenants.insert(&tenant()).await.unwrap();
    let of_operators = MemoryStore::new();
    let key = operator_key(Role::Support);
    assert_eq!(of_operators.insert_operator_key(&key).await, Ok(Saved::Done));
    for store in [of_tenants, of_operators] {
        let without = open(&store, None).await;
        assert!(matches!(without, Err(NoSecrets::NoMasterKey)), "it would be new ones");
        assert_eq!(
            store.find_secrets(INSTALLATION_SECRETS).await,
            Ok(None),
            "nothing was made"
        );
        let made = hash(&store).await;
        assert_eq!(made, installation_secrets().hash_api_key("dk_1"));
        // The next start has another master key, or none.
        let other = MasterKey::new(&Secret::new("another master key, of more than 32 bytes")).unwrap();
        let other = InstallationSecrets::derive(&other, None);
        for derived in [Some(&other), None] {
            let opened = open(&store, derived).await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(opened.hash_api_key("dk_1"), made);
        }
    }
}

#[tokio::test]
async fn what_does_not_open_is_left_as_it_is() {
    let store = MemoryStore::new();
    let stored = SealedSecrets {
        name: INSTALLATION_SECRETS.to_owned(),
        ..sealed_secrets()
    };
    assert_eq!(store.insert_secrets(&stored).await, Ok(Saved::Done));
    let refused = open(&store, Some(&installation_secrets())).await;
    assert!(matches!(refused, Err(NoSecrets::Closed(VaultError::Unreadable(_)))));
    assert_eq!(store.find_secrets(INSTALLATION_SECRETS).await, Ok(Some(stored)));
}

#[tokio::test]
async fn a_store_that_does_not_answer_ends_the_start() {
    let store = MemoryStore::new();
    let away = StoreError::Unavailable("away".into());
    store.fail_with(Some(away.clone()));
    let refused = open(&store, None).await;
    assert!(matches!(refused, Err(NoSecrets::Failed(Failure::Store(error))) if error == away));
}
