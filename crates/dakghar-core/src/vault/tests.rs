//! Fixed values: everything that was sealed, hashed or signed before must stay readable for ever.

use async_trait::async_trait;
use futures_executor::block_on;
use uuid::Uuid;

use super::*;
use crate::domain::TenantId;
use crate::ports::KeyId;

const MASTER_KEY: &str = "a fixed master key, for vectors!";
const PREVIOUS_MASTER_KEY: &str = "the master key that was before it";
const PURPOSE: &str = "access_token/111";

/// A data key that the first release wrapped under the present master key, and a token it sealed under that data key.
const WRAPPED: &str = "01868760784a8edcbf1d857204e493e4dacb89db289be7f77df27c8a42e948157671e90837a1c6813dcfa1ccaa7f3b264206e4e1245cf226efec77e7d4292b949228419ab2da47539c855d20a8";
const SEALED: &str = "010d1528624412d59fa14b2548aacaee1cf25ea492b5107d95cb6288e8a70f926f71496b9eec22540b2674e14a52029c861a50640e000b15f660a2eb8fa8";

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn master_key(text: &str) -> MasterKey {
    MasterKey::new(&Secret::new(text)).unwrap()
}

fn tenant_id() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(7))
}

/// Wraps nothing: the wrapped form of a data key is the key itself.
struct Unwrapped;

#[async_trait]
impl KeyService for Unwrapped {
    fn key_id(&self) -> KeyId {
        KeyId::new("present")
    }

    fn key_id_of(&self, _wrapped: &[u8]) -> Result<KeyId, KeyError> {
        Ok(KeyId::new("another"))
    }

    async fn wrap(&self, data_key: &DataKey, _: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        Ok(data_key.as_bytes().to_vec())
    }

    async fn unwrap(&self, wrapped: &[u8], _: KeyContext<'_>) -> Result<DataKey, KeyError> {
        let bytes = wrapped.try_into().map_err(|_| KeyError::Unreadable("not a key"))?;
        Ok(DataKey::new(Zeroizing::new(bytes)))
    }
}

/// The key service is away.
struct Away;

#[async_trait]
impl KeyService for Away {
    fn key_id(&self) -> KeyId {
        KeyId::new("present")
    }

    fn key_id_of(&self, _: &[u8]) -> Result<KeyId, KeyError> {
        Ok(self.key_id())
    }

    async fn wrap(&self, _: &DataKey, _: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        Err(KeyError::Unavailable("away".into()))
    }

    async fn unwrap(&self, _: &[u8], _: KeyContext<'_>) -> Result<DataKey, KeyError> {
        Err(KeyError::Unavailable("away".into()))
    }
}

fn vault(keys: impl KeyService + 'static) -> Vault {
    Vault::new(Arc::new(keys))
}

/// The secrets that both master keys give.
fn derived() -> InstallationSecrets {
    InstallationSecrets::derive(&master_key(MASTER_KEY), Some(&master_key(PREVIOUS_MASTER_KEY)))
}

/// The data key of the fixed values, unwrapped as the first release wrapped it.
fn data_key() -> Zeroizing<Vec<u8>> {
    let wrapping = SealingKey::derive(master_key(MASTER_KEY).root(), "data keys", "data keys mark");
    let tenant = tenant_id().to_string();
    wrapping
        .open(&[tenant.as_bytes(), b"data_key"], &bytes(WRAPPED))
        .unwrap()
}

#[test]
fn a_secret_sealed_by_the_first_release_opens() {
    let token = block_on(vault(Unwrapped).open(&tenant_id(), &data_key(), PURPOSE, &bytes(SEALED))).unwrap();
    assert_eq!(token.reveal(), "EAAG-canary-token");
}

#[test]
fn everything_derived_is_as_in_the_first_release() {
    assert_eq!(master_key(MASTER_KEY).check().as_slice(), bytes("da85979220185a75"));
    let previous = master_key(PREVIOUS_MASTER_KEY).check();
    assert_eq!(previous.as_slice(), bytes("7fb3514cc57ae5b2"));
    assert_is_as_in_the_first_release(&derived());
}

fn assert_is_as_in_the_first_release(secrets: &InstallationSecrets) {
    let hashes = [
        "1f11956b60271f5ac901ef0a44f21b521973a7de825bb6f426c3306c5b9380f1",
        "37333e4911a336955912142d89dd9a3c99868c082015b93a944ea59d7f2cf404",
    ];
    assert_eq!(secrets.hash_api_key("dk_test_1"), bytes(hashes[0]));
    assert_eq!(secrets.hashes_of_api_key("dk_test_1"), hashes.map(bytes));
    let keys = secrets.signing_keys();
    assert_eq!(
        keys.opaque.as_slice(),
        bytes("e561266d338b77c29c09d451d789c71662d89ef893db1409061b59e3c56b0117")
    );
    assert_eq!(
        keys.opaque_previous.unwrap().as_slice(),
        bytes("5972a06418826d8cdba04569ea2742ac0b3f551761c699de36f58715c53c2ca3")
    );
    assert_eq!(
        keys.cursor.as_slice(),
        bytes("a87a026ae6a9cca66ee9f554f85d3c660ea2dbdc86160450321d683e3b04c08c")
    );
}

/// What was stored stays readable for ever, too.
#[test]
fn secrets_of_the_installation_that_were_stored_are_what_they_were() {
    const TEXT: &str = "5JX7CCcF7ggB-lElCrm4hSvWIF3IT-kAZ0H6ij2K-8nlYSZtM4t3wpwJ1FHXiccWYtie-JPbFAkGG1njxWsBF6h6Amrmqcymbun1VPhdPGYOotvchhYEUDIdaD47BMCM.uCE6rSM1Y0_Cnm5rTNSN_YFXJUHHrCvchp79rwA2VZhZcqBkGIJtjNugRWnqJ0KsCz9VF2HGmd429YcVxTwso7fhurGfhfYZsYVE686A-A5r-UdElUvqSog0iMeguLyn";
    assert_eq!(derived().to_text().reveal(), TEXT);
    let stored = InstallationSecrets::parse(&Secret::new(TEXT)).unwrap();
    assert_is_as_in_the_first_release(&stored);
    let (only, _) = TEXT.split_once('.').unwrap();
    let only = InstallationSecrets::parse(&Secret::new(only)).unwrap();
    assert!(only == InstallationSecrets::derive(&master_key(MASTER_KEY), None));
    for wrong in [
        "",
        ".",
        &TEXT[1..],
        &format!("{TEXT}."),
        &format!("{TEXT}.{TEXT}"),
        &TEXT.replace('.', ""),
    ] {
        assert!(InstallationSecrets::parse(&Secret::new(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn secrets_of_the_installation_open_for_it_alone() {
    let vault = vault(Unwrapped);
    let [sealed, other] = [(); 2].map(|()| block_on(vault.seal_installation(&derived())).unwrap());
    assert!(block_on(vault.open_installation(&sealed)).unwrap() == derived());
    let exchanged = SealedSecrets {
        sealed: other.sealed,
        ..sealed.clone()
    };
    assert!(
        block_on(vault.open_installation(&exchanged)).is_err(),
        "another data key"
    );
    // What belongs to a tenant is not taken for them, though it has their form and their purpose.
    let (tenant, text) = (tenant_id(), derived().to_text());
    let forged = vault.seal(&tenant, &sealed.wrapped_data_key, OF_INSTALLATION, &text);
    let forged = SealedSecrets {
        sealed: block_on(forged).unwrap(),
        ..sealed.clone()
    };
    assert!(block_on(vault.open_installation(&forged)).is_err(), "a tenant's");
    assert!(InstallationSecrets::random().unwrap() != InstallationSecrets::random().unwrap());
}

#[test]
fn an_unreachable_key_service_is_not_a_damaged_secret() {
    let vault = vault(Away);
    let away = VaultError::Unavailable("away".into());
    assert_eq!(block_on(vault.new_data_key(&tenant_id())).unwrap_err(), away);
    let opened = block_on(vault.open(&tenant_id(), &bytes(WRAPPED), PURPOSE, &bytes(SEALED)));
    assert_eq!(opened.unwrap_err(), away);
    assert_eq!(away.to_string(), "the key service is not available: away");
}

#[test]
fn an_unreadable_data_key_makes_the_secret_unreadable() {
    let opened = block_on(vault(Unwrapped).open(&tenant_id(), b"short", PURPOSE, &bytes(SEALED)));
    assert_eq!(
        opened.unwrap_err().to_string(),
        "the secret cannot be opened: not a key"
    );
}

#[test]
fn a_data_key_under_another_key_is_wrapped_again() {
    let key = data_key();
    let rewrapped = block_on(vault(Unwrapped).rewrap_data_key(&tenant_id(), &key)).unwrap();
    assert_eq!(rewrapped.as_deref(), Some(key.as_slice()));
    let current = block_on(vault(Away).rewrap_data_key(&tenant_id(), &key));
    assert_eq!(current, Ok(None));
}

/// The mark on what was sealed is derived with the key, so a mark that was exchanged names a key that does not fit.
#[test]
fn nothing_opens_under_two_keys() {
    let key_of = |text: &str| SealingKey::derive(master_key(text).root(), "a use", "the mark of a use");
    let (one, other) = (key_of(MASTER_KEY), key_of(PREVIOUS_MASTER_KEY));
    assert_ne!(one.mark(), other.mark());
    let bound = [b"a tenant".as_slice()];
    let sealed = one.seal(&bound, b"a token").unwrap();
    assert_eq!(&*one.open(&bound, &sealed).unwrap(), b"a token");
    assert!(other.open(&bound, &sealed).is_err());
    let mut renamed = sealed.clone();
    let mark = 1..1 + sealing::MARK_BYTES;
    renamed[mark].copy_from_slice(&other.mark());
    assert!(other.open(&bound, &renamed).is_err(), "it opens under another key");
    assert!(one.open(&bound, &renamed).is_err(), "it does not name its key");
}

/// Made by another program, from the form that `sealing` describes.
#[test]
fn what_is_sealed_now_has_the_form_that_is_described() {
    const SEALED_NOW: &str = "037b4d280d86a90390f7baf7cc8e11ff680102030405060708090a0b0c0d0e0f101112131415161718191a1b1c58d31cf698a27e5679652f34b547f3b1dd4a478c81789d";
    let key = SealingKey::derive(master_key(MASTER_KEY).root(), "a use", "the mark of a use");
    let bound = [b"a tenant".as_slice()];
    let random = std::array::from_fn(|index| u8::try_from(index + 1).unwrap());
    let sealed = key.seal_with(&random, &bound, b"a token").unwrap();
    assert_eq!(sealed, bytes(SEALED_NOW));
    assert_eq!(&*key.open(&bound, &sealed).unwrap(), b"a token");
}

/// A salt of its own gives each sealing a key of its own, so nobody needs to count sealings.
#[test]
fn no_two_sealings_share_a_key() {
    let key = SealingKey::derive(master_key(MASTER_KEY).root(), "a use", "the mark of a use");
    let seal = |salt: u8| {
        let mut random = [7; 28];
        random[15] = salt;
        key.seal_with(&random, &[], &[0; 16]).unwrap()
    };
    let (one, other) = (seal(1), seal(2));
    // Under one key the same nonce would give the same stream, which zeros show as it is.
    assert_ne!(one[45..61], other[45..61]);
    let drawn: std::collections::HashSet<Vec<u8>> = (0..1_000)
        .map(|_| key.seal(&[], b"").unwrap()[17..33].to_vec())
        .collect();
    assert_eq!(drawn.len(), 1_000, "salts are drawn anew");
}

#[test]
fn what_was_cut_off_or_changed_does_not_open() {
    let key = SealingKey::derive(master_key(MASTER_KEY).root(), "a use", "the mark of a use");
    let sealed = key.seal(&[b"x"], b"a token").unwrap();
    for length in 0..sealed.len() {
        assert!(key.open(&[b"x"], &sealed[..length]).is_err(), "{length}");
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(key.open(&[b"x"], &changed).is_err(), "byte {at}");
    }
    // Of the form of the first release it is neither.
    let mut first = sealed.clone();
    first[0] = 1;
    assert!(key.open(&[b"x"], &first).is_err());
}

#[test]
fn keys_are_not_shown() {
    let key = DataKey::new(Zeroizing::new([0xab; DATA_KEY_BYTES]));
    assert_eq!(format!("{key:?}"), "***");
}
