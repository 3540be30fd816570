//! The transit engine of a real OpenBao: `make test-kms`.

use std::sync::Arc;
use std::time::Duration;

use dakghar_adapters::keys::{Login, ServiceName, TransitConfig, TransitKeys};
use dakghar_core::domain::ids::{AppId, TenantId};
use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::{DataKey, KeyContext, KeyError, KeyOwner, KeyService};
use dakghar_core::vault::wrapped;
use dakghar_testkit::servers::OpenBao;
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

fn of(id: &TenantId) -> KeyContext<'_> {
    KeyContext { owner: id.into() }
}

fn data_key() -> DataKey {
    DataKey::new(Zeroizing::new([7; 32]))
}

fn keys_by(server: &OpenBao, key: &str, login: Login) -> TransitKeys {
    let name = format!("vault:{}/transit/{key}", server.url());
    let Ok(ServiceName::Transit(name)) = ServiceName::parse(&name) else {
        panic!("{name} names a key");
    };
    TransitKeys::new(TransitConfig {
        name,
        namespace: None,
        login,
        login_mount: None,
        authorities_pem: None,
    })
    .unwrap()
}

fn keys(server: &OpenBao) -> TransitKeys {
    keys_by(server, "dakghar", Login::Token(Secret::new(server.token())))
}

/// What is wrapped for one owner, the server itself unwraps for no other.
#[tokio::test]
#[ignore = "needs OpenBao: make test-kms"]
async fn openbao_unwraps_for_the_owner_alone() {
    let server = OpenBao::start().await;
    let keys = keys(&server);
    let (id, other) = (tenant(1), tenant(2));
    let form = keys.wrap(&data_key(), of(&id)).await.unwrap();
    let opened = keys.unwrap(&form, of(&id)).await.unwrap();
    assert_eq!(opened.as_bytes(), &[7; 32]);
    assert_eq!(keys.key_id_of(&form).unwrap(), keys.key_id());
    assert_eq!(keys.key_id().to_string(), "vault:transit/dakghar");
    assert_ne!(
        form,
        keys.wrap(&data_key(), of(&id)).await.unwrap(),
        "never the same twice"
    );
    let app = AppId::parse("123").unwrap();
    for owner in [KeyOwner::Tenant(&other), KeyOwner::App(&app), KeyOwner::Installation] {
        let opened = keys.unwrap(&form, KeyContext { owner }).await;
        assert!(matches!(opened, Err(KeyError::Unreadable(_))), "{owner}: {opened:?}");
    }
    // A new version of the key in the server opens what the one before it wrapped.
    server.post("transit/keys/dakghar/rotate", &json!({})).await;
    assert_eq!(keys.unwrap(&form, of(&id)).await.unwrap().as_bytes(), &[7; 32]);
}

#[tokio::test]
#[ignore = "needs OpenBao: make test-kms"]
async fn what_openbao_gave_and_was_damaged_is_an_error() {
    let server = OpenBao::start().await;
    let keys = keys(&server);
    let id = tenant(1);
    let form = keys.wrap(&data_key(), of(&id)).await.unwrap();
    for length in 0..form.len() {
        assert!(keys.unwrap(&form[..length], of(&id)).await.is_err(), "{length}");
    }
    let (key, ciphertext) = wrapped::of_service(&form).unwrap();
    for at in 0..ciphertext.len() {
        let mut damaged = ciphertext.to_vec();
        damaged[at] ^= 2;
        let opened = keys.unwrap(&wrapped::by_service(&key, &damaged), of(&id)).await;
        assert!(opened.is_err(), "{at}");
    }
    server.post("transit/keys/other", &json!({})).await;
    let other = keys_by(&server, "other", Login::Token(Secret::new(server.token())));
    let opened = other.unwrap(&form, of(&id)).await;
    assert!(matches!(opened, Err(KeyError::Unreadable(_))), "{opened:?}");
    let renamed = wrapped::by_service(&other.key_id(), ciphertext);
    let opened = other.unwrap(&renamed, of(&id)).await;
    assert!(matches!(opened, Err(KeyError::Unreadable(_))), "{opened:?}");
}

#[tokio::test]
#[ignore = "needs OpenBao: make test-kms"]
async fn what_openbao_does_not_allow_is_no_damage() {
    let server = OpenBao::start().await;
    let id = tenant(1);
    let form = keys(&server).wrap(&data_key(), of(&id)).await.unwrap();
    let stranger = keys_by(&server, "dakghar", Login::Token(Secret::new("s.nobody")));
    let opened = stranger.unwrap(&form, of(&id)).await;
    assert!(matches!(opened, Err(KeyError::Refused(_))), "{opened:?}");
    assert!(matches!(stranger.ping().await, Err(KeyError::Refused(_))));
    let kind = json!({"type": "rsa-2048"});
    server.post("transit/keys/of-another-kind", &kind).await;
    let unfit = keys_by(&server, "of-another-kind", Login::Token(Secret::new(server.token())));
    let wrapped = unfit.wrap(&data_key(), of(&id)).await;
    assert!(
        matches!(wrapped, Err(KeyError::Refused(_))),
        "a key that binds nothing: {wrapped:?}"
    );
}

/// A token that is replaced in its file is found when the one before it is refused; a role logs in again.
#[tokio::test]
#[ignore = "needs OpenBao: make test-kms"]
async fn openbao_is_logged_in_to_again_when_a_token_ends() {
    let server = OpenBao::start().await;
    let policy = r#"path "transit/+/dakghar" { capabilities = ["update"] }"#;
    server
        .post("sys/policies/acl/dakghar", &json!({"policy": policy}))
        .await;
    let id = tenant(1);
    let make = async || {
        let made = json!({"policies": ["dakghar"], "ttl": "1h"});
        let made = server.post("auth/token/create", &made).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let first = make().await;
    std::fs::write(&file, format!("{first}\n")).unwrap();
    let by_file = keys_by(&server, "dakghar", Login::TokenFile(file.clone()));
    let form = by_file.wrap(&data_key(), of(&id)).await.unwrap();
    server.post("auth/token/revoke", &json!({"token": first})).await;
    let opened = by_file.unwrap(&form, of(&id)).await;
    assert!(matches!(opened, Err(KeyError::Refused(_))), "{opened:?}");
    std::fs::write(&file, make().await).unwrap();
    assert!(by_file.unwrap(&form, of(&id)).await.is_ok());

    server.post("sys/auth/approle", &json!({"type": "approle"})).await;
    server
        .post(
            "auth/approle/role/dakghar",
            &json!({"token_policies": ["dakghar"], "token_num_uses": 2}),
        )
        .await;
    let secret = json!({"secret_id": "a-secret-id"});
    server.post("auth/approle/role/dakghar/custom-secret-id", &secret).await;
    server
        .post("auth/approle/role/dakghar/role-id", &json!({"role_id": "a-role-id"}))
        .await;
    let login = |secret: &str| Login::AppRole {
        role_id: "a-role-id".into(),
        secret_id: Secret::new(secret),
    };
    let by_role = keys_by(&server, "dakghar", login("a-secret-id"));
    for _ in 0..7 {
        assert!(by_role.unwrap(&form, of(&id)).await.is_ok());
    }
    let by_wrong_role = keys_by(&server, "dakghar", login("another"));
    let opened = by_wrong_role.unwrap(&form, of(&id)).await;
    assert!(matches!(opened, Err(KeyError::Refused(_))), "{opened:?}");
}

#[tokio::test]
#[ignore = "needs OpenBao: make test-kms"]
async fn an_openbao_that_hangs_or_is_gone_is_away() {
    let mut server = OpenBao::start().await;
    let keys = Arc::new(keys(&server));
    let id = tenant(1);
    let form = keys.wrap(&data_key(), of(&id)).await.unwrap();
    server.signal("STOP");
    let opened = tokio::time::timeout(Duration::from_secs(60), keys.unwrap(&form, of(&id))).await;
    assert!(matches!(opened, Ok(Err(KeyError::Unavailable(_)))), "{opened:?}");
    server.signal("CONT");
    // On a slow machine the first answers may still be late.
    let mut opened = keys.unwrap(&form, of(&id)).await;
    for _ in 0..60 {
        if opened.is_ok() {
            break;
        }
        opened = keys.unwrap(&form, of(&id)).await;
    }
    assert!(opened.is_ok(), "{opened:?}");
    server.kill();
    let opened = keys.unwrap(&form, of(&id)).await;
    assert!(matches!(opened, Err(KeyError::Unavailable(_))), "{opened:?}");
}
