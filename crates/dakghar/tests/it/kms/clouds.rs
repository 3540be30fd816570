//! The whole product over AWS (by moto) and GCP (by a server of our own): `make test-kms`.

use dakghar_testkit::gcp_kms::GcpKms;
use dakghar_testkit::servers::Moto;
use serde_json::json;

use super::{Transit, delivered};
use crate::product::{Backend, MASTER_KEY, Product, Setup, Tenant, eventually};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto and the feature kms: make test-kms"]
async fn data_keys_move_between_any_two_services_embedded() {
    Box::pin(data_keys_move_between_any_two_services(Backend::Embedded)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto and the feature kms: make test-kms"]
async fn data_keys_move_between_any_two_services_distributed() {
    Box::pin(data_keys_move_between_any_two_services(Backend::Distributed)).await;
}

/// Moves everything from one key to another, whose setting is named, and starts without the one before.
async fn move_to(product: &mut Product, tenant: &Tenant, settings: [(&str, &str); 3], old: &str) {
    for (name, value) in settings {
        product.set(name, value);
    }
    product.restart().await;
    delivered(product, tenant, 1).await;
    let (code, out, err) = product.run(&["secrets", "rotate"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let unused = format!("nothing is wrapped under {old}: take it out of the settings");
    assert!(out.contains(&unused), "{settings:?}: {out}");
    product.set(old, "");
    product.restart().await;
    delivered(product, tenant, 3).await;
}

async fn data_keys_move_between_any_two_services(backend: Backend) {
    let (moto, gcp, transit) = (Moto::start().await, GcpKms::start().await, Transit::start().await);
    let mut product = Setup::on(backend).start().await;
    let credentials = product.data_dir().with_file_name("gcp.json");
    std::fs::write(&credentials, gcp.credentials()).expect("written");
    for (name, value) in [
        ("AWS_ENDPOINT_URL_KMS", format!("http://127.0.0.1:{}", moto.port())),
        ("AWS_ACCESS_KEY_ID", "it".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "it-secret-access-key".to_owned()),
        ("GCP_KMS_ENDPOINT", format!("http://127.0.0.1:{}", gcp.port())),
        ("GOOGLE_APPLICATION_CREDENTIALS", credentials.display().to_string()),
    ] {
        product.set(name, value);
    }
    let [(_, vault), (_, token)] = Transit::settings(transit.port);
    product.set("VAULT_TOKEN", token);
    let aws = format!("aws:{}", moto.new_key().await);
    let gcp_key = format!("gcp:{}", gcp.key());
    let tenant = product.fast_tenant("111").await;

    let local = ("MASTER_KEY", MASTER_KEY);
    let to_aws = [local, ("KMS", &aws), ("KMS_PREVIOUS", "")];
    move_to(&mut product, &tenant, to_aws, "MASTER_KEY").await;
    let none = ("MASTER_KEY", "");
    let to_gcp = [none, ("KMS", &gcp_key), ("KMS_PREVIOUS", &aws)];
    move_to(&mut product, &tenant, to_gcp, "KMS_PREVIOUS").await;

    let asked = gcp.asked("decrypt");
    delivered(&product, &tenant, 20).await;
    let asked = gcp.asked("decrypt") - asked;
    assert!(asked <= 1, "{asked} calls for the messages of one tenant");
    // A login that ends is made again.
    gcp.end_tokens();
    let registers = async || {
        let number = gcp.asked("token").to_string();
        let body = json!({"name": "x", "phoneNumberId": format!("9{number}"), "accessToken": "EAAG-x"});
        product.call("POST", "/tenants/register", Some(body)).await.0 == 201
    };
    assert!(eventually(registers).await, "{}", product.log());

    let to_vault = [none, ("KMS", &vault), ("KMS_PREVIOUS", &gcp_key)];
    move_to(&mut product, &tenant, to_vault, "KMS_PREVIOUS").await;
    let back = [local, ("KMS", "local"), ("KMS_PREVIOUS", &vault)];
    move_to(&mut product, &tenant, back, "KMS_PREVIOUS").await;
    let log = product.log();
    for secret in ["it-secret-access-key", "it-refresh", "ya29."] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
