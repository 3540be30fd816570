//! The disk under MongoDB is full, broken or slow, as far as this machine lets a test make one: F13 to F15.

use std::time::Duration;

use dakghar_testkit::servers::Mongo;

use super::{begin, count, refusals, start};
use crate::chaos::installation::{Setup, Store};
use crate::chaos::report::Row;
use crate::chaos::{seconds, sleep_s};
use crate::faulty_disk::{SmallDisk, slow_down_fsync, spoil_fsync};

#[tokio::test(flavor = "multi_thread")]
async fn f13_the_disk_is_full() {
    let row = Row::new("F13", "disk of MongoDB full");
    let disk = match SmallDisk::mount(600) {
        Ok(disk) => disk,
        Err(reason) => return row.cannot(&reason),
    };
    let mongo = Mongo::start_in(disk.path(), &[]).await;
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).store(Store::One(Box::new(mongo)))).await;
    disk.fill();
    sleep_s(15).await;
    let readiness = installation.get("/readyz").await;
    assert_eq!(readiness["status"], "not_ready", "{readiness}");
    let refused = load.counts().refusals;
    disk.free();
    // A mongod that cannot write its journal ends itself.
    let has_ended = !installation.mongo().is_running();
    installation.mongo().restart().await;
    installation.mongo().writable().await;
    let (verdict, loaded) = count(&installation, load).await;
    let what = if has_ended {
        "mongod ended itself"
    } else {
        "mongod went on"
    };
    let figure = format!("{what}; refused {refused:?}; {}", refusals(&loaded));
    row.finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f14_fsync_fails() {
    let row = Row::new("F14", "fsync of mongod fails");
    let (mut installation, load) = start().await;
    let strace = match spoil_fsync(installation.mongo().pid()) {
        Ok(strace) => strace,
        Err(reason) => return row.cannot(&reason),
    };
    sleep_s(5).await;
    let has_ended = !installation.mongo().is_running();
    drop(strace);
    installation.mongo().restart().await;
    installation.mongo().writable().await;
    let (verdict, loaded) = count(&installation, load).await;
    assert!(has_ended, "mongod goes on after a failed fsync");
    let figure = format!("mongod ended itself; {}", refusals(&loaded));
    row.finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_fsync_is_slow() {
    let row = Row::new("F15", "fsync of mongod takes 500 ms");
    let (mut installation, load) = start().await;
    let strace = match slow_down_fsync(installation.mongo().pid(), Duration::from_millis(500)) {
        Ok(strace) => strace,
        Err(reason) => return row.cannot(&reason),
    };
    load.forget_latencies();
    let before = load.promised();
    tokio::time::sleep(seconds(20)).await;
    let (accepted, latencies) = (load.promised() - before, load.latencies());
    drop(strace);
    let (verdict, loaded) = count(&installation, load).await;
    let figure = format!(
        "{accepted} accepted meanwhile, p50 {:.1?}, p99 {:.1?}; {}",
        latencies.percentile(50),
        latencies.percentile(99),
        refusals(&loaded)
    );
    row.finish(&verdict, &figure);
}
