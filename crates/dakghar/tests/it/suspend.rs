//! The machine of a worker is suspended: the worker stands still and so does its monotonic clock, by a library that is
//! loaded before others.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use dakghar_testkit::Port;
use dakghar_testkit::fault_proxy::{FaultProxy, Hold};
use dakghar_testkit::servers::direct_uri;
use serde_json::json;

use crate::product::{Backend, Product, Setup, text};

/// The monotonic clock shows less by so many nanoseconds as the file says that `SUSPENDED_FOR` names. The clock that
/// counts the time since the boot is left alone.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long suspended_for(void) {
    const char *path = getenv("SUSPENDED_FOR");
    char text[32] = {0};
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    return length > 0 ? atoll(text) : 0;
}

int clock_gettime(clockid_t id, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, id, time);
    if (result == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW || id == CLOCK_MONOTONIC_COARSE)) {
        long long shown = time->tv_sec * 1000000000LL + time->tv_nsec - suspended_for();
        time->tv_sec = shown / 1000000000LL;
        time->tv_nsec = shown % 1000000000LL;
    }
    return result;
}
"#;
/// What a claim has on its way to MongoDB, and no other command of a worker.
const CLAIM: &[u8] = b"\x02status\0\x08\0\0\0sending\0";

fn library(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("suspend.c"), folder.join("suspend.so"));
    std::fs::write(&source, LIBRARY).expect("a file");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(&source);
    assert!(compiler.status().expect("a C compiler").success());
    library
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_suspended_after_its_claim_does_not_call() {
    let folder = tempfile::tempdir().unwrap();
    let suspended_for = folder.path().join("suspended-for");
    let mut product = Setup::on(Backend::Fragile)
        .role("api")
        .env("UNKNOWN_OUTCOME_GRACE_MS", 500)
        .env("SEND_TIMEOUT_MS", 2_000)
        .env("SEND_LEASE_MS", 3_000)
        .start()
        .await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let straight = product.setting("MONGO_URI").to_owned();
    let proxy = FaultProxy::start(product.servers().0.port()).await;
    product.set("MONGO_URI", direct_uri(proxy.port()).replace("/?", "/dakghar?"));
    product.set("LD_PRELOAD", library(folder.path()).display());
    product.set("SUSPENDED_FOR", suspended_for.display());
    spawn_worker(&mut product).await;

    proxy.trap(CLAIM, Hold::Reply);
    let path = format!("/tenants/{}/send", tenant.id);
    let body = json!({"to": "+919111111111", "text": "hello", "unknownOutcome": "resend"});
    let id = text(&product.post(&path, body).await["messageId"]);
    proxy.until_caught(1).await;
    // Processes, by position: the API, the one that is suspended, the other one.
    product.signal_process(1, "STOP");
    let begun = Instant::now();

    product.set("MONGO_URI", straight);
    product.set("LD_PRELOAD", "");
    spawn_worker(&mut product).await;
    product.until_status(&tenant, &id, "delivered").await;
    assert_eq!(product.sim.journal().len(), 1, "the other one took it over");
    assert_eq!(product.terminate_process(2).await, Some(0), "{}", product.log());

    let suspended = begun.elapsed().as_nanos().to_string();
    std::fs::write(&suspended_for, suspended).expect("a file");
    proxy.release();
    product.signal_process(1, "CONT");
    // It goes on where it was; what it does next comes after.
    let next = product.send(&tenant, "+919111111112").await;
    product.until_status(&tenant, &next, "delivered").await;
    let calls = product.sim.journal();
    assert_eq!(calls.len(), 2, "it called although its lease was over: {calls:#?}");
    assert_eq!(product.message(&tenant, &id).await["status"], "delivered");
}

async fn spawn_worker(product: &mut Product) {
    let port = Port::claim();
    product.spawn_on("worker", port.number());
    product.ready_on(port.number()).await;
}
