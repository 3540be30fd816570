//! New data keys while everything runs, with a command that is killed again and again.

use std::process::Stdio;

use dakghar_testkit::receiver::{Receiver, standard_signature};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Tenant, eventually, on_both_backends, text};

on_both_backends!(new_data_keys_lose_no_secret_whenever_the_command_is_killed);

/// Three steps.
const TENANTS: usize = 45;
const KILLS: usize = 4;
/// The fewest seconds for which an old data key may stay.
const KEEP: &str = "15";

async fn data_keys(product: &Product) -> Value {
    let body = json!({"dataKeys": true});
    let mut all = (0, 0, 0);
    let mut after = Value::Null;
    loop {
        let mut body = body.clone();
        body["after"] = after;
        let (status, step) = product.call("POST", "/operators/secrets/rotate", Some(body)).await;
        assert_eq!(status, 200, "{step}");
        assert_eq!(step["failed"], json!([]), "{step}");
        let count = |name: &str| step[name].as_u64().expect("a count");
        all = (
            all.0 + count("replaced"),
            all.1 + count("dropped"),
            all.2 + count("kept"),
        );
        if step["next"].is_null() {
            return json!({"replaced": all.0, "dropped": all.1, "kept": all.2});
        }
        after = step["next"].clone();
    }
}

/// Makes the tenants and apps a week older, in the store: their first data keys are as old as they are.
async fn let_a_week_pass(product: &Product) {
    const WEEK_MS: i64 = 7 * 86_400_000;
    if !product.is_distributed() {
        let file = rusqlite::Connection::open(product.data_dir().join("dakghar.sqlite3")).expect("the store");
        for table in ["tenants", "apps"] {
            let sql = format!("UPDATE {table} SET created_at = created_at - {WEEK_MS}");
            assert!(file.execute(&sql, []).expect("it runs") > 0);
        }
        return;
    }
    let database = product.database().await;
    for name in ["tenants", "apps"] {
        let older = bson::doc! { "$set": { "createdAt": { "$subtract": ["$createdAt", WEEK_MS] } } };
        let collection = database.collection::<bson::Document>(name);
        let updated = collection
            .update_many(bson::doc! {}, vec![older])
            .await
            .expect("it runs");
        assert!(updated.modified_count > 0);
    }
}

/// The data keys that are to be replaced.
fn due(product: &Product) -> usize {
    let (code, out, err) = product.run(&["secrets", "rotate", "--data-keys", "--dry-run"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("data keys would be replaced"), "{out}");
    let count = out.split(' ').next().and_then(|count| count.parse().ok());
    count.unwrap_or_else(|| panic!("a count: {out}"))
}

/// A message of the tenant goes out, and its endpoint hears of it: with its header, and signed by its secret.
async fn assert_works(product: &Product, tenant: &Tenant, receiver: &Receiver, secret: &str) {
    let heard = receiver.requests().len();
    let id = product.send(tenant, "+919111111111").await;
    let message = product.until_status(tenant, &id, "delivered").await;
    assert_eq!(message["attempts"], 1, "{message:#}");
    assert!(
        eventually(async || receiver.requests().len() > heard).await,
        "no callback"
    );
    let request = receiver.requests().pop().expect("one came");
    assert_eq!(request.header("x-own"), Some("ours"));
    let event: Value = serde_json::from_slice(&request.body).expect("JSON");
    let stamp = request.header("webhook-timestamp").expect("a time");
    let signature = standard_signature(secret, event["id"].as_str().expect("an id"), stamp, &request.body);
    assert_eq!(request.header("webhook-signature"), Some(signature.as_str()));
}

async fn new_data_keys_lose_no_secret_whenever_the_command_is_killed(backend: Backend) {
    let mut product = Product::start(backend).await;
    let registering = (0..TENANTS).map(|number| {
        let (product, number) = (&product, 104_000 + number);
        async move { product.tenant(&number.to_string(), "EAAG-real").await }
    });
    let tenants: Vec<Tenant> = stream::iter(registering).buffered(4).collect().await;
    let app = json!({"appId": "77", "name": "app", "secret": "0123456789abcdef0123456789abcdef"});
    product.post("/apps", app).await;
    let (first, receiver) = (&tenants[0], Receiver::start([]).await);
    let endpoint = json!({"url": receiver.url(), "headers": {"x-own": "ours"}});
    let made = product
        .post(&format!("/tenants/{}/endpoints", first.id), endpoint)
        .await;
    let secret = text(&made["secret"]);
    assert_works(&product, first, &receiver, &secret).await;

    let rotate = ["secrets", "rotate", "--data-keys", "--keep-old-seconds", KEEP];
    assert_eq!(due(&product), 1, "only the installation's has no date");
    let_a_week_pass(&product).await;
    assert_eq!(due(&product), TENANTS + 2, "the app's and the installation's, too");
    let killed = async {
        for _ in 0..KILLS {
            let before = due(&product);
            let mut command = product.command();
            // So slowly that it cannot come to its end before it is killed.
            command.args(rotate).args(["--per-second", "2"]);
            let mut running = command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts");
            // The app and the installation come first, and keep no old one.
            let goes_on = eventually(async || before == 0 || due(&product) < before.min(TENANTS)).await;
            running.kill().expect("killed");
            running.wait().expect("ended");
            assert!(goes_on, "it replaces nothing of {before}");
            let (_, out, _) = product.run(&["secrets", "status"]);
            assert!(out.contains("have an old data key beside the present one"), "{out}");
        }
    };
    let used = async {
        for _ in 0..KILLS {
            assert_works(&product, first, &receiver, &secret).await;
        }
    };
    futures_util::join!(killed, used);

    let mut running = product.command();
    running.args(rotate).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = running.spawn().expect("it starts");
    while running.try_wait().expect("a child").is_none() {
        assert_works(&product, first, &receiver, &secret).await;
    }
    let ended = running.wait_with_output().expect("an output");
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(
        ended.status.success(),
        "{out}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert!(out.contains("old ones let go"), "{out}");
    assert_works(&product, first, &receiver, &secret).await;

    // Whoever starts now knows the new data keys only; the same command finds nothing to do.
    product.restart().await;
    assert_works(&product, first, &receiver, &secret).await;
    for tenant in &tenants {
        let id = product.send(tenant, "+919111111111").await;
        product.until_status(tenant, &id, "delivered").await;
    }
    let (code, out, err) = product.run(&rotate);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains("0 data keys were replaced, and 0 old ones let go"),
        "{out}"
    );
    assert_eq!(
        data_keys(&product).await,
        json!({"replaced": 0, "dropped": 0, "kept": 0})
    );
    let (code, out, err) = product.run(&["doctor"]);
    assert_eq!(code, Some(0), "{out}{err}");
}
