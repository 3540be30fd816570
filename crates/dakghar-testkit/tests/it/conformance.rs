//! The ports in memory pass the suites, and the suites name every case they have.
#![expect(clippy::unused_async, reason = "a suite awaits its factory")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dakghar_core::ports::{OutcomeSpool, Pacer};
use dakghar_testkit::WallClock;
use dakghar_testkit::conformance::{
    NewsUnderTest, QueueUnderTest, SourceUnderTest, SpoolUnderTest, Stores, TargetUnderTest,
};
use dakghar_testkit::memory::{MemoryDisk, MemoryQueue, MemorySpool, MemoryStore};

async fn stores() -> (Stores, ()) {
    (Stores::of(MemoryStore::new()), ())
}

async fn source() -> (SourceUnderTest, ()) {
    let store = MemoryStore::new();
    let under_test = SourceUnderTest {
        stores: Stores::of(store.clone()),
        open: Box::new(move || store.clone()),
    };
    (under_test, ())
}

async fn target() -> (TargetUnderTest, ()) {
    let store = MemoryStore::new();
    let under_test = TargetUnderTest {
        target: store.clone(),
        stores: Stores::of(store),
    };
    (under_test, ())
}

async fn queue() -> (QueueUnderTest, ()) {
    let queue = MemoryQueue::new(Arc::new(WallClock));
    (QueueUnderTest { queue, messages: None }, ())
}

async fn pacer() -> (Arc<dyn Pacer>, ()) {
    (Arc::new(dakghar_testkit::memory::MemoryPacer::default()), ())
}

async fn quota() -> (Arc<dyn dakghar_core::ports::TenantQuota>, ()) {
    (
        Arc::new(dakghar_testkit::memory::MemoryQuota::new(Arc::new(WallClock))),
        (),
    )
}

async fn spool() -> (SpoolUnderTest, ()) {
    let (disk, starts) = (Arc::<MemoryDisk>::default(), AtomicU32::new(0));
    let start = move || {
        let part = starts.fetch_add(1, Ordering::Relaxed).to_string();
        Arc::new(MemorySpool::start(disk.clone(), &part)) as Arc<dyn OutcomeSpool>
    };
    (SpoolUnderTest { start: Box::new(start) }, ())
}

async fn news() -> (NewsUnderTest, ()) {
    let store = MemoryStore::new();
    let under_test = NewsUnderTest {
        stores: Stores::of(store.clone()),
        news: store,
    };
    (under_test, ())
}

async fn stores_with_arrivals() -> (Stores, ()) {
    let store = MemoryStore::with_arrivals();
    (Stores::of(store.clone()).with_arrivals(store), ())
}

mod of_many_writers {
    dakghar_testkit::feed_store_suite!(super::super::stores_with_arrivals);
    dakghar_testkit::arrival_store_suite!(super::super::stores_with_arrivals);
}

dakghar_testkit::message_store_suite!(stores);
dakghar_testkit::timer_store_suite!(stores);
dakghar_testkit::conversation_store_suite!(stores);
dakghar_testkit::list_store_suite!(stores);
dakghar_testkit::tenant_store_suite!(stores);
dakghar_testkit::status_store_suite!(stores);
dakghar_testkit::event_store_suite!(stores);
dakghar_testkit::feed_store_suite!(stores);
dakghar_testkit::redrive_store_suite!(stores);
dakghar_testkit::app_store_suite!(stores);
dakghar_testkit::operator_store_suite!(stores);
dakghar_testkit::installation_store_suite!(stores);
dakghar_testkit::audit_store_suite!(stores);
dakghar_testkit::callback_store_suite!(stores);
dakghar_testkit::endpoint_store_suite!(stores);
dakghar_testkit::listener_store_suite!(stores);
dakghar_testkit::hold_store_suite!(stores);
dakghar_testkit::store_health_suite!(stores);
dakghar_testkit::feed_news_suite!(news);
dakghar_testkit::erasure_suite!(stores);
dakghar_testkit::person_erasure_suite!(stores);
dakghar_testkit::opt_out_suite!(stores);
dakghar_testkit::signup_suite!(stores);
dakghar_testkit::departure_suite!(stores);
dakghar_testkit::queue_suite!(queue);
dakghar_testkit::pacer_suite!(pacer);
dakghar_testkit::pair_lines_suite!(pacer);
dakghar_testkit::quota_suite!(quota);
dakghar_testkit::outcome_spool_suite!(spool);
dakghar_testkit::migration_source_suite!(source);
dakghar_testkit::migration_target_suite!(target);

/// All source text below a folder.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                std::fs::read_to_string(path).unwrap()
            }
        })
        .collect()
}

#[test]
fn every_case_is_named_in_its_suite() {
    let text = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance"));
    let cases: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next())
        .collect();
    assert!(cases.len() > 100, "{cases:?}");
    // What the tests of adapters use of the suite of the audit log.
    let helpers = ["all", "check", "note"];
    for case in cases.into_iter().filter(|case| !helpers.contains(case)) {
        let listed = text.lines().filter(|line| line.trim() == case).count();
        assert_eq!(listed, 1, "{case}");
    }
}
