//! The vault over local keys: what it opens, and everything it must not open.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod openbao;
mod services;

use std::sync::Arc;

use dakghar_adapters::keys::{LocalKeys, generate_master_key};
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::secret::Secret;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{DataKey, KeyContext, KeyOwner, KeyService as _};
use dakghar_core::vault::{
    DatedKey, InstallationSecrets, MasterKey, MasterKeyTooShort, Vault, VaultError, WrappedUnder,
};
use uuid::Uuid;

const PURPOSE: &str = "access_token/111";

fn master_key(letter: char) -> Secret {
    Secret::new(letter.to_string().repeat(32))
}

fn try_vault(master_key: &Secret, previous: Option<&Secret>) -> Result<Vault, MasterKeyTooShort> {
    let master_key = MasterKey::new(master_key)?;
    let previous = previous.map(MasterKey::new).transpose()?;
    Ok(Vault::new(Arc::new(LocalKeys::new(&master_key, previous.as_ref()))))
}

fn vault(letter: char) -> Vault {
    try_vault(&master_key(letter), None).unwrap()
}

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

/// A vault, a tenant's wrapped data key, and a sealed token.
async fn sealed_token() -> (Vault, Vec<u8>, Vec<u8>) {
    let vault = vault('a');
    let wrapped = vault.new_data_key(&tenant(1)).await.unwrap();
    let token = Secret::new("EAAG-canary-token");
    let sealed = vault.seal(&tenant(1), &wrapped, PURPOSE, &token).await.unwrap();
    (vault, wrapped, sealed)
}

async fn reveal(vault: &Vault, number: u128, wrapped: &[u8], purpose: &str, sealed: &[u8]) -> Option<String> {
    match vault.open(&tenant(number), wrapped, purpose, sealed).await {
        Ok(secret) => Some(secret.reveal().to_owned()),
        Err(VaultError::Unreadable(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn opens_what_it_sealed_also_after_a_restart() {
    let (vault, wrapped, sealed) = sealed_token().await;
    for vault in [vault, self::vault('a')] {
        let token = reveal(&vault, 1, &wrapped, PURPOSE, &sealed).await;
        assert_eq!(token.as_deref(), Some("EAAG-canary-token"));
    }
    assert!(!String::from_utf8_lossy(&sealed).contains("canary"));
}

#[tokio::test]
async fn secrets_of_any_length_survive() {
    let vault = vault('a');
    let wrapped = vault.new_data_key(&tenant(1)).await.unwrap();
    for length in [0, 1, 15, 16, 17, 300, 100_000] {
        let secret = Secret::new("é".repeat(length));
        let sealed = vault.seal(&tenant(1), &wrapped, PURPOSE, &secret).await.unwrap();
        let opened = reveal(&vault, 1, &wrapped, PURPOSE, &sealed).await;
        assert_eq!(opened.as_deref(), Some(secret.reveal()), "{length}");
    }
}

#[tokio::test]
async fn nothing_opens_for_another_tenant_purpose_or_installation() {
    let (vault, wrapped, sealed) = sealed_token().await;
    let foreign_wrapped = vault.new_data_key(&tenant(2)).await.unwrap();
    let second_wrapped = vault.new_data_key(&tenant(1)).await.unwrap();
    assert_eq!(
        reveal(&vault, 2, &wrapped, PURPOSE, &sealed).await,
        None,
        "another tenant"
    );
    assert_eq!(
        reveal(&vault, 2, &foreign_wrapped, PURPOSE, &sealed).await,
        None,
        "moved to another tenant"
    );
    assert_eq!(
        reveal(&vault, 1, &foreign_wrapped, PURPOSE, &sealed).await,
        None,
        "another tenant's key"
    );
    assert_eq!(
        reveal(&vault, 1, &second_wrapped, PURPOSE, &sealed).await,
        None,
        "another data key"
    );
    assert_eq!(
        reveal(&vault, 1, &wrapped, "access_token/112", &sealed).await,
        None,
        "another number"
    );
    assert_eq!(reveal(&vault, 1, &wrapped, "", &sealed).await, None, "no purpose");
    assert_eq!(
        reveal(&self::vault('b'), 1, &wrapped, PURPOSE, &sealed).await,
        None,
        "another master key"
    );
    // One kind of ciphertext in the place of the other.
    assert_eq!(
        reveal(&vault, 1, &sealed, PURPOSE, &sealed).await,
        None,
        "a secret as data key"
    );
    assert_eq!(
        reveal(&vault, 1, &wrapped, PURPOSE, &wrapped).await,
        None,
        "a data key as secret"
    );
}

#[tokio::test]
async fn every_flipped_bit_and_every_truncation_is_noticed() {
    let (vault, wrapped, sealed) = sealed_token().await;
    for i in 0..sealed.len() {
        assert_eq!(
            reveal(&vault, 1, &wrapped, PURPOSE, &sealed[..i]).await,
            None,
            "first {i} bytes"
        );
        assert_eq!(
            reveal(&vault, 1, &wrapped, PURPOSE, &sealed[i + 1..]).await,
            None,
            "without {i} bytes"
        );
    }
    for bit in 0..sealed.len() * 8 {
        let mut damaged = sealed.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            reveal(&vault, 1, &wrapped, PURPOSE, &damaged).await,
            None,
            "bit {bit} of the secret"
        );
    }
    for bit in 0..wrapped.len() * 8 {
        let mut damaged = wrapped.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            reveal(&vault, 1, &damaged, PURPOSE, &sealed).await,
            None,
            "bit {bit} of the data key"
        );
    }
    let longer = [sealed.as_slice(), &[0]].concat();
    assert_eq!(
        reveal(&vault, 1, &wrapped, PURPOSE, &longer).await,
        None,
        "one byte more"
    );
}

#[tokio::test]
async fn garbage_of_any_length_is_unreadable() {
    let (vault, wrapped, sealed) = sealed_token().await;
    for length in [0, 1, 11, 12, 16, 17, 28, 29, 44, 45, 46, 77, 500] {
        for fill in [0u8, 1, 2, 0xff] {
            let garbage = vec![fill; length];
            assert_eq!(
                reveal(&vault, 1, &wrapped, PURPOSE, &garbage).await,
                None,
                "{length} × {fill}"
            );
            assert_eq!(
                reveal(&vault, 1, &garbage, PURPOSE, &sealed).await,
                None,
                "{length} × {fill}"
            );
            assert!(
                vault.rewrap_data_key(&tenant(1), &garbage).await.is_err(),
                "{length} × {fill}"
            );
        }
    }
}

#[tokio::test]
async fn the_same_secret_never_looks_the_same_twice() {
    let (vault, wrapped, _) = sealed_token().await;
    let token = Secret::new("same");
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        let sealed = vault.seal(&tenant(1), &wrapped, PURPOSE, &token).await.unwrap();
        assert!(seen.insert(sealed));
    }
    assert_ne!(
        vault.new_data_key(&tenant(1)).await.unwrap(),
        vault.new_data_key(&tenant(1)).await.unwrap()
    );
}

#[tokio::test]
async fn a_changed_master_key_opens_the_old_and_rewraps_it() {
    let (old, wrapped, sealed) = sealed_token().await;
    let changing = try_vault(&master_key('b'), Some(&master_key('a'))).unwrap();
    let checked = changing.check_data_key(&tenant(1), &wrapped).await;
    assert_eq!(checked, Ok(WrappedUnder::Previous));
    assert!(changing.check_data_key(&tenant(2), &wrapped).await.is_err());
    assert!(vault('b').check_data_key(&tenant(1), &wrapped).await.is_err());
    let opened = reveal(&changing, 1, &wrapped, PURPOSE, &sealed).await;
    assert_eq!(opened.as_deref(), Some("EAAG-canary-token"));

    let rewrapped = changing.rewrap_data_key(&tenant(1), &wrapped).await.unwrap().unwrap();
    let checked = changing.check_data_key(&tenant(1), &rewrapped).await;
    assert_eq!(checked, Ok(WrappedUnder::Current));
    assert_eq!(changing.rewrap_data_key(&tenant(1), &rewrapped).await.unwrap(), None);
    assert!(changing.rewrap_data_key(&tenant(2), &wrapped).await.is_err());

    // The secret itself stays as it is; only the key around its key changed.
    let changed = vault('b');
    let opened = reveal(&changed, 1, &rewrapped, PURPOSE, &sealed).await;
    assert_eq!(opened.as_deref(), Some("EAAG-canary-token"));
    assert_eq!(reveal(&changed, 1, &wrapped, PURPOSE, &sealed).await, None);
    assert_eq!(reveal(&old, 1, &rewrapped, PURPOSE, &sealed).await, None);
}

#[test]
fn everything_derived_depends_on_the_master_key_alone() {
    let keys = ['a', 'a', 'b'].map(|letter| MasterKey::new(&master_key(letter)).unwrap());
    assert_eq!(keys[0].check(), keys[1].check());
    assert_ne!(keys[0].check(), keys[2].check());
    let [first, again, other] = keys.each_ref().map(|key| InstallationSecrets::derive(key, None));
    assert_eq!(first.signing_keys().opaque, again.signing_keys().opaque);
    assert_ne!(first.signing_keys().opaque, other.signing_keys().opaque);
    assert_ne!(first.signing_keys().opaque, first.signing_keys().cursor);
    assert_eq!(first.signing_keys().opaque_previous, None);
    assert_eq!(first.hash_api_key("dk_1"), again.hash_api_key("dk_1"));
    assert_ne!(first.hash_api_key("dk_1"), other.hash_api_key("dk_1"));
    assert_ne!(first.hash_api_key("dk_1"), first.hash_api_key("dk_2"));
    assert_eq!(first.hash_api_key("dk_1").len(), 32);

    let changing = InstallationSecrets::derive(&keys[2], Some(&keys[0]));
    let both = [other.hash_api_key("dk_1"), first.hash_api_key("dk_1")];
    assert_eq!(changing.hashes_of_api_key("dk_1"), both);
    assert_eq!(
        changing.signing_keys().opaque_previous,
        Some(first.signing_keys().opaque)
    );
}

#[tokio::test]
async fn secrets_of_the_installation_move_to_another_master_key_as_they_are() {
    let derived = InstallationSecrets::derive(&MasterKey::new(&master_key('a')).unwrap(), None);
    let mut sealed = vault('a').seal_installation(&derived).await.unwrap();
    assert!(
        vault('b').open_installation(&sealed).await.is_err(),
        "another master key"
    );
    let changing = try_vault(&master_key('b'), Some(&master_key('a'))).unwrap();
    let rewrapped = changing.rewrap_data_key(KeyOwner::Installation, &sealed.wrapped_data_key);
    sealed.wrapped_data_key = rewrapped.await.unwrap().unwrap();
    assert!(vault('b').open_installation(&sealed).await.unwrap() == derived);
    assert!(
        vault('a').open_installation(&sealed).await.is_err(),
        "the one before is not needed"
    );
}

#[test]
fn a_short_master_key_is_refused() {
    let good = master_key('a');
    for short in [Secret::new(""), Secret::new("a".repeat(31))] {
        assert!(try_vault(&short, None).is_err());
        assert!(try_vault(&good, Some(&short)).is_err());
    }
    let generated = generate_master_key().unwrap();
    assert!(try_vault(&generated, Some(&good)).is_ok());
    assert_ne!(generated.reveal(), generate_master_key().unwrap().reveal());
}

#[tokio::test]
async fn a_data_key_names_the_key_it_is_wrapped_under() {
    let [a, b] = ['a', 'b'].map(|letter| MasterKey::new(&master_key(letter)).unwrap());
    let (only_a, changing) = (LocalKeys::new(&a, None), LocalKeys::new(&b, Some(&a)));
    let tenant_id = tenant(1);
    let context = KeyContext {
        owner: (&tenant_id).into(),
    };
    let wrapped = only_a.wrap(&DataKey::new([7; 32].into()), context).await.unwrap();
    assert_eq!(changing.key_id_of(&wrapped), Ok(only_a.key_id()));
    assert_ne!(changing.key_id(), only_a.key_id());
    let data_key = changing.unwrap(&wrapped, context).await.unwrap();
    assert_eq!(data_key.as_bytes(), &[7; 32]);

    // Without the key, the name still tells it from damage.
    let only_b = LocalKeys::new(&b, None);
    assert_eq!(only_b.key_id_of(&wrapped), Ok(only_a.key_id()));
    assert!(only_b.unwrap(&wrapped, context).await.is_err());
    assert!(only_b.key_id_of(&wrapped[..20]).is_err());
}

#[tokio::test]
async fn a_data_key_and_the_one_before_it_move_to_another_master_key_together() {
    let (vault, wrapped, before) = sealed_token().await;
    let now = Timestamp::from_millis(1_795_341_600_000);
    let pair = vault.replace_data_key(&tenant(1), &wrapped, now).await.unwrap();
    let after = vault
        .seal(&tenant(1), &pair, PURPOSE, &Secret::new("another token"))
        .await
        .unwrap();
    let moving = try_vault(&master_key('b'), Some(&master_key('a'))).unwrap();
    let checked = moving.check_data_key(&tenant(1), &pair).await;
    assert_eq!(checked, Ok(WrappedUnder::Previous));
    let moved = moving.rewrap_data_key(&tenant(1), &pair).await.unwrap().unwrap();
    // One half that was left behind needs its key.
    let halves = [&moved, &pair].map(|pair| Vault::dated(pair).unwrap());
    let half = DatedKey {
        previous: halves[1].previous,
        ..halves[0]
    }
    .to_bytes();
    assert_eq!(moving.key_id_of(&half), moving.key_id_of(&wrapped));
    assert_eq!(
        moving.check_data_key(&tenant(1), &half).await,
        Ok(WrappedUnder::Previous)
    );

    let last = self::vault('b');
    for (sealed, token) in [(&before, "EAAG-canary-token"), (&after, "another token")] {
        let opened = reveal(&last, 1, &moved, PURPOSE, sealed).await;
        assert_eq!(opened.as_deref(), Some(token));
    }
    assert_eq!(last.rewrap_data_key(&tenant(1), &moved).await, Ok(None));
    assert_eq!(Vault::dated(&moved).unwrap().made_at, Some(now));
}
