//! The audit log: a shell lists, exports and verifies it, what was done to it past the program shows, and a kill
//! leaves no change without its record.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::digest;
use bson::{Document, doc};
use futures_util::future::join_all;
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_shell_lists_exports_and_verifies_the_log,
    what_is_done_to_the_log_past_the_program_is_found,
    messages_go_out_and_come_in_without_the_log,
    a_kill_leaves_no_change_without_its_record,
);

/// The records of the store, past the program.
enum Store {
    File(rusqlite::Connection),
    Database(mongodb::Database),
}

impl Store {
    async fn of(product: &Product) -> Self {
        if product.is_distributed() {
            return Self::Database(product.database().await);
        }
        let file = rusqlite::Connection::open(product.data_dir().join("dakghar.sqlite3")).expect("the store");
        file.busy_timeout(Duration::from_secs(5)).expect("a wait");
        Self::File(file)
    }

    /// Puts another text into a record; answers the one that was there.
    async fn edit(&self, number: u32, becomes: &str) -> String {
        match self {
            Self::File(file) => {
                let select = "SELECT text FROM audit WHERE number = ?";
                let before = file.query_row(select, [number], |row| row.get(0)).expect("a record");
                file.execute("UPDATE audit SET text = ? WHERE number = ?", (becomes, number))
                    .expect("edited");
                before
            }
            Self::Database(database) => {
                let one = doc! { "_id": format!("{number:020}") };
                let edit = doc! { "$set": { "text": becomes } };
                let records = database.collection::<Document>("audit");
                let before = records.find_one_and_update(one, edit).await.expect("edited");
                before.expect("a record").get_str("text").expect("a text").to_owned()
            }
        }
    }

    /// Takes a record out.
    async fn take_out(&self, number: u32) {
        match self {
            Self::File(file) => {
                let taken = file.execute("DELETE FROM audit WHERE number = ?", [number]);
                assert_eq!(taken, Ok(1));
            }
            Self::Database(database) => {
                let one = doc! { "_id": format!("{number:020}") };
                let taken = database.collection::<Document>("audit").delete_one(one).await;
                assert_eq!(taken.expect("taken").deleted_count, 1);
            }
        }
    }

    /// Makes what is known of the end of the chain unreadable.
    async fn damage_the_end(&self) {
        match self {
            Self::File(file) => {
                let damaged = file.execute("UPDATE audit_chain SET head_hash = x'00'", []);
                assert_eq!(damaged, Ok(1));
            }
            Self::Database(database) => {
                let damage = doc! { "$set": { "headHash": "not a hash" } };
                let damaged = database
                    .collection::<Document>("audit_chain")
                    .update_one(doc! {}, damage)
                    .await;
                assert_eq!(damaged.expect("damaged").modified_count, 1);
            }
        }
    }
}

fn verify(product: &Product) -> (Option<i32>, String) {
    let (code, told, noted) = product.run(&["audit", "verify"]);
    (code, told + &noted)
}

/// Checks an export by the recipe that the guide gives to those who have no program. Returns the records.
fn chain_of(export: &str) -> Vec<Value> {
    let lines: Vec<Value> = export
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let records: Vec<Value> = lines
        .iter()
        .filter(|line| line["kind"] == "record")
        .map(|line| line["data"].clone())
        .collect();
    let mut previous = "0".repeat(64);
    for (record, number) in records.iter().zip(1_u64..) {
        let found = (&record["number"], &record["previous"]);
        assert_eq!(found, (&json!(number), &json!(previous)));
        let mut hashed = b"dakghar audit record 1\n".to_vec();
        hashed.extend(number.to_be_bytes());
        hashed.extend(hex::decode(&previous).expect("hexadecimal"));
        hashed.extend(text(&record["text"]).bytes());
        previous = hex::encode(digest::digest(&digest::SHA256, &hashed));
        assert_eq!(record["hash"], previous);
    }
    assert_eq!(lines[0]["data"]["upTo"]["hash"], previous, "{export}");
    assert_eq!(lines.last().expect("a line")["kind"], "end");
    records
}

async fn make_key(product: &Product, tenant: &Tenant, name: &str) -> Option<String> {
    let asked = product.http.post(product.url(&format!("/tenants/{}/keys", tenant.id)));
    let body = json!({"name": name, "scopes": ["send"]});
    let answer = asked
        .bearer_auth(product.setting("ADMIN_API_KEY"))
        .json(&body)
        .send()
        .await
        .ok()?;
    if answer.status() != 201 {
        return None;
    }
    let made: Value = answer.json().await.ok()?;
    Some(text(&made["keyId"]))
}

async fn a_shell_lists_exports_and_verifies_the_log(backend: Backend) {
    let product = Product::start(backend).await;
    let (a, b) = (
        product.tenant("111", "EAAG-a").await,
        product.tenant("222", "EAAG-b").await,
    );
    let key = make_key(&product, &a, "till").await.expect("a key");
    assert_eq!(product.run(&["hold"]).0, Some(0));
    assert_eq!(product.run(&["release"]).0, Some(0));

    let (code, all, noted) = product.run(&["audit", "list"]);
    assert_eq!(code, Some(0), "{noted}");
    let actions = ["tenant.registered", "tenant.key.made", "hold.begun", "hold.released"];
    assert!(actions.iter().all(|action| all.contains(action)), "{all}");
    assert_eq!(all.lines().count(), 6, "a heading, and a line for each: {all}");
    let listed = |arguments: &[&str]| product.run(&[&["audit", "list"], arguments].concat()).1;
    let of_a = listed(&["--tenant", &a.id]);
    assert!(of_a.contains(&key) && !of_a.contains(&b.id), "{of_a}");
    let by_shell = listed(&["--actor", "cli"]);
    assert!(
        by_shell.contains("hold.begun") && !by_shell.contains("tenant."),
        "{by_shell}"
    );
    assert_eq!(
        listed(&["--action", "tenant.registered", "--limit", "1"])
            .lines()
            .count(),
        2
    );
    assert_eq!(listed(&["--since", "2100-01-01T00:00:00Z"]).trim(), "no records");
    assert_eq!(product.run(&["audit", "list", "--since", "yesterday"]).0, Some(1));

    let (code, export, _) = product.run(&["audit", "export"]);
    assert_eq!(code, Some(0));
    let records = chain_of(&export);
    assert_eq!(records.len(), 5);
    let last = &records[4];
    let (code, told) = verify(&product);
    assert!(
        code == Some(0) && told.contains("5 records are whole") && told.contains(&text(&last["hash"])),
        "{told}"
    );
    let (_, doctor, _) = product.run(&["doctor"]);
    assert!(doctor.contains("the audit log is whole: 5 records"), "{doctor}");
}

/// The shell, the doctor and the next worker say at which number it shows.
async fn assert_is_found(product: &mut Product, number: u32) {
    let (code, told) = verify(product);
    assert!(
        code == Some(1) && told.contains("is not whole") && told.contains(&number.to_string()),
        "{told}"
    );
    let (code, doctor, _) = product.run(&["doctor"]);
    assert!(
        code == Some(1) && doctor.contains("the audit log is not whole"),
        "{doctor}"
    );
    product.terminate().await;
    let before = product.log().len();
    product.spawn("serve");
    product.ready().await;
    let told = eventually(async || product.log()[before..].contains("the audit log is not whole")).await;
    assert!(told, "the worker says nothing");
}

async fn what_is_done_to_the_log_past_the_program_is_found(backend: Backend) {
    let mut product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-a").await;
    for n in 0..6 {
        make_key(&product, &tenant, &format!("key {n}")).await.expect("a key");
    }
    let store = Store::of(&product).await;
    assert_eq!(verify(&product).0, Some(0));

    let before = store.edit(3, "{}").await;
    assert_is_found(&mut product, 3).await;
    store.edit(3, &before).await;
    assert_eq!(verify(&product).0, Some(0), "what was put back is whole");
    // Another's text is a whole text, but not of this number.
    let other = store.edit(4, &before).await;
    assert_is_found(&mut product, 4).await;
    store.edit(4, &other).await;
    // The end is cut off.
    store.take_out(7).await;
    assert_is_found(&mut product, 7).await;
    store.take_out(5).await;
    assert_is_found(&mut product, 5).await;
}

async fn messages_go_out_and_come_in_without_the_log(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-a").await;
    Store::of(&product).await.damage_the_end().await;
    let refused = product
        .call(
            "POST",
            &format!("/tenants/{}/keys", tenant.id),
            Some(json!({"name": "till", "scopes": ["send"]})),
        )
        .await;
    assert_eq!(refused.0 / 100, 5, "what cannot be recorded is refused: {refused:?}");
    let keys = product.get(&format!("/tenants/{}/keys", tenant.id)).await;
    assert_eq!(keys["data"].as_array().map(Vec::len), Some(1), "and not done: {keys}");
    let messages = format!("/tenants/{}/messages", tenant.id);
    let shown = product.call("GET", &messages, None).await;
    assert_eq!(
        shown.0 / 100,
        5,
        "a reading that cannot be recorded is refused: {shown:?}"
    );
    let own = async |path: &str| {
        let asked = product.http.get(product.url(path)).bearer_auth(&tenant.api_key);
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "a tenant reads its own");
        answer.json::<Value>().await.expect("JSON")
    };
    own(&messages).await;
    let id = product.send(&tenant, "+919111111111").await;
    let reached = eventually(async || own(&format!("{messages}/{id}")).await["status"] == "delivered").await;
    assert!(reached, "the message goes out, and its statuses come in");
}

/// Registers a tenant after a kill: a transaction that it has left behind is in the way of every change for some seconds.
async fn tenant_after_kill(product: &Product, number: &str) -> Tenant {
    let body = json!({"name": "Tenant A", "phoneNumberId": number, "accessToken": "EAAG-a"});
    let mut registered = Value::Null;
    let is_registered = eventually(async || {
        let (status, answer) = product.call("POST", "/tenants/register", Some(body.clone())).await;
        assert!(matches!(status, 201 | 503), "{answer}");
        registered = answer;
        status == 201
    });
    assert!(is_registered.await, "{registered}");
    Tenant {
        id: text(&registered["tenantId"]),
        api_key: text(&registered["apiKey"]),
    }
}

async fn a_kill_leaves_no_change_without_its_record(backend: Backend) {
    const KILLS: usize = 8;
    let mut product = Product::start(backend).await;
    let mut lost = 0;
    for kill in 0..KILLS {
        let tenant = tenant_after_kill(&product, &format!("11{kill}")).await;
        let until_kill = Duration::from_millis(rand::rng().random_range(5..60));
        let names: Vec<String> = (0..8).map(|n| format!("key {n}")).collect();
        let made = {
            let making = join_all(names.iter().map(|name| make_key(&product, &tenant, name)));
            let mut making = std::pin::pin!(making);
            match tokio::time::timeout(until_kill, &mut making).await {
                Ok(made) => made,
                Err(_) => {
                    product.signal_process(0, "KILL");
                    making.await
                }
            }
        };
        product.restart().await;
        let stored = keys_of(&product, &tenant).await;
        assert_eq!(
            stored,
            recorded_keys_of(&product, &tenant).await,
            "keys, and records of them"
        );
        let promised: BTreeSet<String> = made.into_iter().flatten().collect();
        assert!(promised.is_subset(&stored), "what was answered is there");
        lost += names.len() - promised.len();
    }
    assert!(lost > 0, "each kill came too late");
    let (code, told) = verify(&product);
    assert_eq!(code, Some(0), "{told}");
}

/// The keys that a tenant was given after its first one.
async fn keys_of(product: &Product, tenant: &Tenant) -> BTreeSet<String> {
    let keys = product.get(&format!("/tenants/{}/keys", tenant.id)).await;
    let keys = keys["data"].as_array().expect("keys").iter();
    let later = keys.filter(|key| text(&key["name"]).starts_with("key "));
    later.map(|key| text(&key["keyId"])).collect()
}

/// The keys that were made for a tenant, by the records.
async fn recorded_keys_of(product: &Product, tenant: &Tenant) -> BTreeSet<String> {
    let path = format!("/audit?tenantId={}&action=tenant.key.made&limit=200", tenant.id);
    let page = product.get(&path).await;
    let records = page["data"].as_array().expect("a page").iter();
    let objects = records.flat_map(|record| record["objects"].as_array().expect("objects"));
    objects.map(|object| text(&object["id"])).collect()
}
