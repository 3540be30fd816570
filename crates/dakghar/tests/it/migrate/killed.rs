//! A migration that is killed again and again, with a server that waits on the target.

use dakghar_testkit::samples::With as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_adapters::sqlite::{SqliteOptions, SqliteSource, SqliteStore};
use dakghar_core::domain::migration::{Kind, Record};
use dakghar_core::domain::{ConversationId, ConversationTouch, Message, Status, TenantId};
use dakghar_core::ports::{ConversationStore, EventStore, MessageStore, MigrationSource, MigrationTarget};
use dakghar_testkit::samples::{at, event, inbound, outbound, person, phone_number_id, wamid, with_key};
use serde_json::json;

use super::{assert_nothing_doubled, migrate, point_at_mongo};
use crate::product::{Backend, Product, Setup, Tenant, eventually, text};

/// Settled messages; enough for many pages.
const SETTLED: usize = 30_000;
const QUEUED: usize = 40;
const KILLS: usize = 8;

/// An embedded installation of one tenant with tens of thousands of messages, stopped.
async fn large_installation() -> (Product, Tenant) {
    let mut product = Product::start(Backend::Embedded).await;
    let number = phone_number_id();
    let tenant = product.tenant(number.as_str(), "EAAG-real").await;
    assert_eq!(product.terminate().await, Some(0));

    let owner = TenantId::parse(&tenant.id).expect("an id");
    let store = SqliteStore::open(&product.data_dir(), &SqliteOptions::default()).expect("nobody uses it");
    let settled = |n: usize| {
        let peer = person(&format!("9190000{:05}", n % 3_000));
        with_key(owner, &format!("key-{n}")).with(|message| {
            message.delivery.status = Status::Delivered;
            message.delivery.conversation_id = Some(ConversationId::of(&owner, &phone_number_id(), &peer));
            message.accepted.peer_id = Some(peer);
            message.delivery.wamid = Some(wamid(&format!("wamid.{n}")));
            message.delivery.wamids = vec![wamid(&format!("wamid.{n}"))];
            message.delivery.attempt = 1;
            message.delivery.version = 3;
        })
    };
    let mut messages: Vec<Message> = (0..QUEUED).map(|_| outbound(owner)).collect();
    messages.extend((0..SETTLED).map(settled));
    for chunk in messages.chunks(5_000) {
        for answer in store.accept(chunk.to_vec()).await {
            answer.expect("accepted");
        }
    }
    let received = (0..500)
        .map(|n| inbound(owner, &format!("wamid.IN{n}")).into())
        .collect();
    for answer in store.receive(received).await {
        answer.expect("received");
    }
    let touches: Vec<ConversationTouch> = messages
        .iter()
        .take(3_000)
        .filter_map(|message| {
            Some(ConversationTouch {
                also: Vec::new(),
                name: None,
                kind: dakghar_core::domain::ConversationKind::Person,
                id: message.delivery.conversation_id?,
                tenant_id: owner,
                phone_number_id: phone_number_id(),
                wa_id: message.accepted.peer_id.clone()?,
                message_id: message.accepted.id,
                at: at(1),
                opens_window: false,
            })
        })
        .collect();
    store.touch(&touches).await.expect("touched");
    let events: Vec<_> = (0..4_500).map(|_| event(owner)).collect();
    store.record(&events).await.expect("recorded");
    store.close().await;
    (product, tenant)
}

fn start(product: &Product, folder: &Path, more: &[&str]) -> Child {
    let mut command = product.command();
    command.arg("migrate").arg("--from-embedded").arg(folder).args(more);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

/// Kills the migration once it has copied this many records more.
async fn kill_after(product: &Product, target: &Arc<MongoStore>, folder: &Path, records: u64) {
    let copied = async || {
        let migration = target.migration().await.expect("the target answers");
        migration.map_or(0, |migration| migration.kinds.iter().map(|kind| kind.copied).sum())
    };
    let enough = copied().await + records;
    let mut process = start(product, folder, &[]);
    let got_there = eventually(async || copied().await >= enough).await;
    process.kill().expect("it is still running");
    process.wait().expect("it ended");
    assert!(got_there, "it does not get on");
}

pub(super) async fn target_of(product: &Product) -> Arc<MongoStore> {
    let uri = product
        .command()
        .get_envs()
        .find(|(name, _)| *name == "MONGO_URI")
        .and_then(|(_, value)| Some(value?.to_str()?.to_owned()))
        .expect("it is set");
    MongoStore::connect(&uri, MongoOptions::default())
        .await
        .expect("the server answers")
}

/// Reads both stores past the program and compares them.
async fn assert_moved(folder: &Path, target: &MongoStore) {
    let source = SqliteSource::open(folder).expect("nobody uses it");
    for kind in Kind::ALL {
        let mut count = 0;
        let mut after = None;
        loop {
            let mut page = source
                .page(kind, after.as_ref(), 2_000)
                .await
                .expect("the source answers");
            for record in &mut page.records {
                if let Record::Message(message) = record {
                    message.arrive_unqueued();
                }
            }
            let stored = target.stored(&page.records).await.expect("the target answers");
            for (record, stored) in page.records.iter().zip(stored) {
                assert_eq!(stored.as_ref(), Some(record));
            }
            count += page.records.len() as u64;
            after = page.end;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(MigrationTarget::count(target, kind).await, Ok(count), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_it_loses_nothing_and_nothing_is_sent_before_its_end() {
    let (source, tenant) = large_installation().await;
    let folder = source.data_dir();
    // This server is there before anything else, on an empty database.
    let mut product = Product::start(Backend::Distributed).await;
    let target = target_of(&product).await;

    let mut dice: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut kills = 0;
    // From then on something is due in the target.
    kill_after(&product, &target, &folder, 5_000).await;
    while kills < KILLS {
        let mut process = start(&product, &folder, &[]);
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(Duration::from_millis(60 + (dice >> 33) % 700)).await;
        if process.try_wait().expect("it can be asked").is_some() {
            break;
        }
        process.kill().expect("it is still running");
        process.wait().expect("it ended");
        kills += 1;
    }
    println!("killed {} times", kills + 1);
    let migration = target
        .migration()
        .await
        .expect("the target answers")
        .expect("it has begun");
    if let Some(obstacle) = migration.obstacle() {
        assert!(
            !folder.join("MIGRATED").exists() || obstacle.contains("copied"),
            "{obstacle}"
        );
        let refuses = async || product.call("GET", "/readyz", None).await.0 == 503;
        assert!(eventually(refuses).await, "half an installation is not ready");
        let (_, not_ready) = product.call("GET", "/readyz", None).await;
        assert!(not_ready.to_string().contains("unfinished migration"), "{not_ready}");
        let second = product
            .command()
            .arg("serve")
            .env("PORT", "0")
            .output()
            .expect("it runs");
        assert_eq!(second.status.code(), Some(1));
        let told = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(
            told.contains("unfinished migration") && told.contains("dakghar migrate"),
            "{told}"
        );
        let looked = async || product.log().contains("sending waits for the store");
        assert!(
            eventually(looked).await,
            "the reconciler has seen what is due:\n{}",
            product.log()
        );
    }
    assert!(
        product.sim.journal().is_empty(),
        "nothing is sent from half an installation"
    );

    let (code, out, err) = migrate(&product, &folder, &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("goes on with the migration"), "{out}");
    // It knows other secrets than those that came, so it ends, and whoever keeps it running starts it again.
    let ended = tokio::time::timeout(Duration::from_secs(60), product.ended()).await;
    assert_eq!(ended.expect("it ends by itself"), Some(1), "{}", product.log());
    product.spawn("serve");
    product.ready().await;
    // Compared at once: the server sends what is queued from now on.
    let all_sent = async || {
        let path = format!("/tenants/{}/messages?status=queued", tenant.id);
        product.get(&path).await["data"] == json!([]) && product.sim.accepted_counts().len() == QUEUED
    };
    assert!(eventually(all_sent).await, "{:#?}", product.sim.stats());
    product.sim.idle().await;
    assert_nothing_doubled(&product);
    assert!(source.sim.journal().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_copied_is_what_was_there() {
    let (source, _) = large_installation().await;
    let folder = source.data_dir();
    let mut elsewhere = Setup::on(Backend::Embedded).start().await;
    elsewhere.terminate().await;
    point_at_mongo(&mut elsewhere).await;
    let target = target_of(&elsewhere).await;
    for _ in 0..3 {
        kill_after(&elsewhere, &target, &folder, 5_000).await;
    }
    let (code, out, err) = migrate(&elsewhere, &folder, &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_moved(&folder, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_that_went_on_meanwhile_starts_over() {
    let (mut source, tenant) = large_installation().await;
    let folder = source.data_dir();
    let mut elsewhere = Setup::on(Backend::Embedded).start().await;
    elsewhere.terminate().await;
    point_at_mongo(&mut elsewhere).await;
    let target = target_of(&elsewhere).await;
    kill_after(&elsewhere, &target, &folder, 5_000).await;

    // The old server may go on: nothing was sent from elsewhere, and nothing will be.
    source.spawn("serve");
    source.ready().await;
    let id = source.send(&tenant, "+919111111111").await;
    source.until_status(&tenant, &id, "delivered").await;
    assert_eq!(source.terminate().await, Some(0));

    let (code, out, err) = migrate(&elsewhere, &folder, &[]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.contains("--start-over"), "{err}");
    let mut process = start(&elsewhere, &folder, &["--start-over"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    process.kill().expect("it is still running");
    process.wait().expect("it ended");
    let (code, out, err) = migrate(&elsewhere, &folder, &["--start-over"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_moved(&folder, &target).await;

    elsewhere.spawn("serve");
    elsewhere.ready().await;
    let path = format!("/tenants/{}/messages/{id}", tenant.id);
    assert_eq!(text(&elsewhere.get(&path).await["status"]), "delivered");
    assert_nothing_doubled(&source);
}
