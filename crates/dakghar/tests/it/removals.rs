//! The removal of a tenant is interrupted by a kill, and goes on behind the next start.

use std::time::Duration;

use bson::{Document, doc};
use serde_json::json;

use crate::product::{ADMIN_KEY, Backend, Product, Tenant, eventually, on_both_backends};

on_both_backends!(a_start_does_not_wait_for_an_interrupted_removal);

/// Enough for many commits.
const MESSAGES: u64 = 30_000;

fn file(product: &Product) -> rusqlite::Connection {
    rusqlite::Connection::open(product.data_dir().join("dakghar.sqlite3")).expect("the file of the store")
}

/// Puts so many copies of the tenant's only message beside it, past the program, which does not run.
async fn copy(product: &Product) {
    if product.is_distributed() {
        let messages = product.database().await.collection::<Document>("messages");
        let first = messages.find_one(doc! {}).await.expect("an answer").expect("a message");
        let copies = (1..MESSAGES).map(|n| {
            let mut copy = first.clone();
            copy.insert("_id", format!("msg_{n:026}"));
            copy
        });
        messages.insert_many(copies).await.expect("inserted");
        return;
    }
    let file = file(product);
    let mut columns = file.prepare("SELECT name FROM pragma_table_info('messages') WHERE name NOT IN ('seq', 'id')");
    let columns: Vec<String> = columns
        .as_mut()
        .expect("a statement")
        .query_map([], |row| row.get(0))
        .expect("columns")
        .collect::<Result<_, _>>()
        .expect("names");
    let columns = columns.join(", ");
    let copies = format!(
        "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < {MESSAGES})
         INSERT INTO messages (id, {columns}) SELECT printf('msg_%026d', n), {columns} FROM messages, counted"
    );
    file.execute(&copies, []).expect("inserted");
}

/// The messages that are left in the store.
async fn left(product: &Product) -> u64 {
    if product.is_distributed() {
        let messages = product.database().await.collection::<Document>("messages");
        return messages.count_documents(doc! {}).await.expect("an answer");
    }
    let count = file(product).query_row("SELECT count(*) FROM messages", [], |row| row.get::<_, i64>(0));
    count.expect("a count").try_into().expect("no less than none")
}

/// Lets no removal go on in an embedded store, whose removals may be over before a slow machine has asked how far they are.
fn hold_removals(product: &Product) {
    if !product.is_distributed() {
        let hold = "CREATE TRIGGER held BEFORE DELETE ON messages BEGIN SELECT RAISE(ABORT, 'held by a test'); END";
        file(product).execute_batch(hold).expect("a trigger");
    }
}

fn release_removals(product: &Product) {
    if !product.is_distributed() {
        let file = file(product);
        file.busy_timeout(Duration::from_secs(10))
            .expect("a patient connection");
        file.execute_batch("DROP TRIGGER held").expect("no trigger");
    }
}

async fn a_start_does_not_wait_for_an_interrupted_removal(backend: Backend) {
    let mut product = Product::start(backend).await;
    let tenant = product.fast_tenant("111").await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;
    assert_eq!(product.terminate().await, Some(0));
    copy(&product).await;
    assert_eq!(left(&product).await, MESSAGES);
    product.spawn("serve");
    product.ready().await;

    let own = format!("/tenants/{}", tenant.id);
    let removal = product.http.delete(product.url(&own)).bearer_auth(ADMIN_KEY);
    let removal = tokio::spawn(removal.send());
    assert!(eventually(async || left(&product).await < MESSAGES).await);
    product.kill();
    assert!(
        removal.await.expect("no panic").is_err(),
        "it was killed before its end"
    );
    let at_the_kill = left(&product).await;
    assert!(at_the_kill > 0, "nothing was left");

    hold_removals(&product);
    product.spawn("serve");
    product.ready().await;
    let at_the_start = left(&product).await;
    assert!(at_the_start > 0, "of {at_the_kill}: the start has waited");
    is_gone(&product, &tenant).await;
    release_removals(&product);
    let other = product.fast_tenant("222").await;
    let id = product.send(&other, "+919111111111").await;
    product.until_status(&other, &id, "delivered").await;

    // It goes on by itself.
    assert!(
        eventually(async || left(&product).await == 1).await,
        "{}",
        left(&product).await
    );
    // Its number is free as soon as nothing else of it is there.
    let body = json!({"name": "Next", "phoneNumberId": "111", "accessToken": "EAAG-real"});
    let is_removed = async || product.call("POST", "/tenants/register", Some(body.clone())).await.0 == 201;
    assert!(eventually(is_removed).await);
}

/// Nobody can use a tenant of which the removal has begun.
async fn is_gone(product: &Product, tenant: &Tenant) {
    for path in ["", "/messages"] {
        let (status, problem) = product
            .call("GET", &format!("/tenants/{}{path}", tenant.id), None)
            .await;
        assert_eq!(status, 404, "{problem}");
    }
}
