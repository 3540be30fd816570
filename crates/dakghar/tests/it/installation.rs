//! The secrets of the installation: what hashes API keys and signs is stored, and outlives every master key.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};
use dakghar_adapters::keys::LocalKeys;
use dakghar_core::domain::Secret;
use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::vault::{InstallationSecrets, MasterKey, Vault};
use dakghar_graph_sim::{Fault, FaultRule, Outcome, StatusPlan};
use serde_json::{Value, json};

use crate::kms::Transit;
use crate::product::{Backend, MASTER_KEY, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    nothing_needs_a_master_key_after_its_rotation,
    an_installation_under_a_key_service_needs_no_master_key,
    a_process_whose_store_is_exchanged_ends,
    many_processes_that_start_at_once_have_the_same_secrets,
);

const NEW_KEY: &str = "it-another-master-key-0123456789-0123";

/// Puts these in the place of the stored secrets, past the program; `None` leaves none.
async fn put_secrets(product: &Product, secrets: Option<SealedSecrets>) {
    if product.is_distributed() {
        let stored = product.database().await.collection::<Document>("installation_secrets");
        stored.delete_many(doc! {}).await.expect("deleted");
        if let Some(secrets) = secrets {
            let binary = |bytes| Binary {
                subtype: BinarySubtype::Generic,
                bytes,
            };
            let document = doc! {
                "_id": secrets.name, "schemaVersion": 1, "version": 0_i64,
                "wrappedDataKey": binary(secrets.wrapped_data_key), "sealed": binary(secrets.sealed),
            };
            stored.insert_one(document).await.expect("inserted");
        }
    } else {
        let file = rusqlite::Connection::open(product.data_dir().join("dakghar.sqlite3")).expect("the store");
        file.execute("DELETE FROM installation_secrets", []).expect("deleted");
        if let Some(secrets) = secrets {
            let insert =
                "INSERT INTO installation_secrets (name, wrapped_data_key, sealed, version) VALUES (?, ?, ?, 0)";
            let values = (secrets.name, secrets.wrapped_data_key, secrets.sealed);
            file.execute(insert, values).expect("inserted");
        }
    }
}

/// Makes it an installation of an earlier release, which has the secrets that its master key gives. Nothing must be in it.
pub async fn of_an_earlier_release(product: &mut Product) {
    product.terminate().await;
    let master_key = MasterKey::new(&Secret::new(MASTER_KEY)).expect("long enough");
    let vault = Vault::new(Arc::new(LocalKeys::new(&master_key, None)));
    let derived = InstallationSecrets::derive(&master_key, None);
    let sealed = vault.seal_installation(&derived).await.expect("sealed");
    put_secrets(product, Some(sealed)).await;
    product.spawn("serve");
    product.ready().await;
}

async fn with_key(product: &Product, key: &str, path: &str) -> u16 {
    let asked = product.http.get(product.url(path)).bearer_auth(key).send().await;
    asked.expect("an answer").status().as_u16()
}

/// What was made under the secrets of an installation.
struct Made {
    tenant: Tenant,
    operator_key: String,
    next_page: String,
    in_doubt: String,
    status: Value,
}

async fn make(product: &Product) -> Made {
    let tenant = product.tenant("111", "EAAG-real").await;
    let operator = product
        .post("/operators/keys", json!({"name": "ops", "role": "admin"}))
        .await;
    for _ in 0..2 {
        let id = product.send(&tenant, "+919111111111").await;
        product.until_status(&tenant, &id, "sent").await;
    }
    product
        .sim
        .add_rule(FaultRule::first(1, Fault::ResetAfterBody { accept: true }));
    let in_doubt = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &in_doubt, "in_doubt").await;
    let journal = product.sim.journal();
    let call = journal.last().expect("a call");
    let Outcome::Accepted { wamid } = &call.outcome else {
        panic!("{call:?}")
    };
    let messages = format!("/tenants/{}/messages?limit=1", tenant.id);
    let cursor = text(&product.get(&messages).await["nextCursor"]);
    Made {
        operator_key: text(&operator["key"]),
        next_page: format!("{messages}&cursor={cursor}"),
        status: json!({
            "id": wamid, "status": "delivered", "timestamp": "1760000000", "recipient_id": "919111111111",
            "biz_opaque_callback_data": call.biz_opaque,
        }),
        in_doubt,
        tenant,
    }
}

/// The keys and the cursor are right, as long as the secrets are the same.
async fn assert_known(product: &Product, made: &Made) {
    let own = format!("/tenants/{}/messages", made.tenant.id);
    assert_eq!(
        with_key(product, &made.tenant.api_key, &own).await,
        200,
        "the tenant's key"
    );
    assert_eq!(
        with_key(product, &made.operator_key, "/tenants").await,
        200,
        "the operator's"
    );
    let page = product.get(&made.next_page).await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{page}");
}

/// A status that names the message only by its callback data is believed.
async fn assert_signature_is_known(product: &Product, made: &Made) {
    let metadata = json!({"display_phone_number": "15550783881", "phone_number_id": "111"});
    let value = json!({"messaging_product": "whatsapp", "metadata": metadata, "statuses": [made.status]});
    let change = json!({"field": "messages", "value": value});
    let entry = json!({"id": "9001", "changes": [change]});
    let body = json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string();
    assert_eq!(product.sim.post_webhook_raw(body.into_bytes()).await.unwrap(), 200);
    let message = product.until_status(&made.tenant, &made.in_doubt, "delivered").await;
    assert_eq!(message["attempts"], 1, "{message:#}");
}

/// Of the keys: how many things are under one, which is a present one or not.
async fn installation_is_under(product: &Product, is_present: bool) -> bool {
    let keys = product.get("/operators/secrets").await;
    let keys = keys["keys"].as_array().cloned().unwrap_or_default();
    let under: Vec<&Value> = keys.iter().filter(|key| key["installation"] == true).collect();
    assert_eq!(under.len(), 1, "{keys:?}");
    under[0]["present"] == is_present
}

fn setup(backend: Backend) -> Setup {
    Setup::on(backend)
        .statuses(StatusPlan::none())
        .env("UNKNOWN_OUTCOME_GRACE_MS", 600_000)
}

async fn nothing_needs_a_master_key_after_its_rotation(backend: Backend) {
    let mut product = setup(backend).start().await;
    of_an_earlier_release(&mut product).await;
    let made = make(&product).await;
    // The first start of this release.
    product.terminate().await;
    put_secrets(&product, None).await;
    product.spawn("serve");
    product.ready().await;
    assert_known(&product, &made).await;

    // Another master key alone opens nothing, and makes nothing either.
    product.terminate().await;
    product.set("MASTER_KEY", NEW_KEY);
    let refused = async |product: &Product| {
        let (code, out, err) = product.run(&["serve"]);
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(
            err.contains("the secrets of this installation cannot be opened"),
            "{err}"
        );
        assert!(err.contains("MASTER_KEY_PREVIOUS") && !err.contains(NEW_KEY), "{err}");
    };
    refused(&product).await;
    product.set("MASTER_KEY_PREVIOUS", MASTER_KEY);
    product.spawn("serve");
    product.ready().await;
    assert!(installation_is_under(&product, false).await);
    let (_, doctor, _) = product.run(&["doctor"]);
    assert!(
        doctor.contains("the secrets of the installation are still wrapped"),
        "{doctor}"
    );
    let (code, out, err) = product.run(&["secrets", "status"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("still needed") && !out.contains("take it out"), "{out}");
    assert_known(&product, &made).await;

    let (code, out, err) = product.run(&["secrets", "rotate"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(
        out.contains("nothing is wrapped under MASTER_KEY_PREVIOUS: take it out of the settings"),
        "{out}"
    );
    assert!(installation_is_under(&product, true).await);

    product.set("MASTER_KEY_PREVIOUS", "");
    product.restart().await;
    assert_known(&product, &made).await;
    assert_signature_is_known(&product, &made).await;
    let fresh = product.send(&made.tenant, "+919111111111").await;
    product.until_status(&made.tenant, &fresh, "sent").await;
    let (code, out, err) = product.run(&["doctor"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(!out.contains("still wrapped"), "{out}");
    // Who has the old key only has nothing.
    product.terminate().await;
    product.set("MASTER_KEY", MASTER_KEY);
    let (code, _, err) = product.run(&["serve"]);
    assert_eq!(code, Some(1), "{err}");
}

async fn an_installation_under_a_key_service_needs_no_master_key(backend: Backend) {
    let service = Transit::start().await;
    let mut product = setup(backend).start().await;
    let made = make(&product).await;
    for (name, value) in Transit::settings(service.port) {
        product.set(name, value);
    }
    product.restart().await;
    let (code, out, err) = product.run(&["secrets", "rotate"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(
        out.contains("nothing is wrapped under MASTER_KEY: take it out of the settings"),
        "{out}"
    );
    product.set("MASTER_KEY", "");
    product.restart().await;
    assert!(!product.data_dir().join("master_key").exists(), "none is made");
    assert_known(&product, &made).await;
    assert_signature_is_known(&product, &made).await;
    let fresh = product.send(&made.tenant, "+919111111111").await;
    product.until_status(&made.tenant, &fresh, "sent").await;
}

async fn a_process_whose_store_is_exchanged_ends(backend: Backend) {
    let mut product = setup(backend).start().await;
    let master_key = MasterKey::new(&Secret::new(MASTER_KEY)).expect("long enough");
    let vault = Vault::new(Arc::new(LocalKeys::new(&master_key, None)));
    let others = InstallationSecrets::derive(&master_key, None);
    put_secrets(&product, Some(vault.seal_installation(&others).await.expect("sealed"))).await;
    let code = tokio::time::timeout(Duration::from_secs(60), product.ended()).await;
    assert_eq!(code.expect("it ends by itself"), Some(1));
    assert!(product.log().contains("its store was exchanged"), "{}", product.log());
    product.spawn("serve");
    product.ready().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let own = format!("/tenants/{}/messages", tenant.id);
    assert_eq!(with_key(&product, &tenant.api_key, &own).await, 200);
}

/// Each command makes the secrets, if nobody has, and tells what hashes to another key if it has others.
async fn many_processes_that_start_at_once_have_the_same_secrets(backend: Backend) {
    let mut product = setup(backend).start().await;
    product.terminate().await;
    put_secrets(&product, None).await;
    let mut running: Vec<_> = (0..6)
        .map(|number| {
            let mut command = product.command();
            command.args([
                "key",
                "create",
                "--operator",
                "--role",
                "admin",
                &format!("ops-{number}"),
            ]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("it starts")
        })
        .collect();
    let mut keys = Vec::new();
    for process in running.drain(..) {
        let output = process.wait_with_output().expect("ended");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let key = told.split_whitespace().find(|word| word.starts_with("dko_"));
        keys.push(key.unwrap_or_else(|| panic!("a key: {told}")).to_owned());
    }
    product.spawn("serve");
    product.ready().await;
    for key in &keys {
        let is_right = eventually(async || with_key(&product, key, "/tenants").await == 200).await;
        assert!(is_right, "a key that another process made");
    }
}
