//! The machine of a worker is suspended: its monotonic clock stands still, by a library that is loaded before others.

use std::path::{Path, PathBuf};
use std::process::Command;

use dakghar_testkit::Port;
use dakghar_testkit::fault_proxy::{FaultProxy, Hold};
use dakghar_testkit::servers::direct_uri;
use serde_json::json;

use crate::product::{Backend, Setup, eventually, text};

/// While the file that `SUSPENDED` names exists, the monotonic clock stands still; afterwards it goes on from there.
/// The clock that counts the time since the boot goes on.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long long lost, stopped_at;

static long long nanos(const struct timespec *time) { return time->tv_sec * 1000000000LL + time->tv_nsec; }

int clock_gettime(clockid_t id, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, id, time);
    if (result != 0 || (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_RAW && id != CLOCK_MONOTONIC_COARSE))
        return result;
    const char *file = getenv("SUSPENDED");
    struct timespec monotonic;
    pthread_mutex_lock(&mutex);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &monotonic);
    if (stopped_at == 0 && file != NULL && access(file, F_OK) == 0) {
        stopped_at = nanos(&monotonic);
    } else if (stopped_at != 0 && access(file, F_OK) != 0) {
        lost += nanos(&monotonic) - stopped_at;
        stopped_at = 0;
    }
    long long shown = nanos(time) - lost - (stopped_at == 0 ? 0 : nanos(&monotonic) - stopped_at);
    pthread_mutex_unlock(&mutex);
    time->tv_sec = shown / 1000000000LL;
    time->tv_nsec = shown % 1000000000LL;
    return 0;
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
    let suspended = folder.path().join("suspended");
    let mut product = Setup::on(Backend::Fragile)
        .role("api")
        .env("UNKNOWN_OUTCOME_GRACE_MS", 500)
        .env("SEND_TIMEOUT_MS", 3_500)
        .env("SEND_LEASE_MS", 4_500)
        .start()
        .await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let straight = product.setting("MONGO_URI").to_owned();
    let proxy = FaultProxy::start(product.servers().0.port()).await;
    product.set("MONGO_URI", direct_uri(proxy.port()).replace("/?", "/dakghar?"));
    product.set("LD_PRELOAD", library(folder.path()).display());
    product.set("SUSPENDED", suspended.display());
    let port = Port::claim();
    product.spawn_on("worker", port.number());
    product.ready_on(port.number()).await;

    proxy.trap(CLAIM, Hold::Reply);
    let path = format!("/tenants/{}/send", tenant.id);
    let body = json!({"to": "+919111111111", "text": "hello", "unknownOutcome": "resend"});
    let id = text(&product.post(&path, body).await["messageId"]);
    proxy.until_caught(1).await;
    std::fs::write(&suspended, "").expect("a file");

    product.set("MONGO_URI", straight);
    product.set("LD_PRELOAD", "");
    let other = Port::claim();
    product.spawn_on("worker", other.number());
    product.ready_on(other.number()).await;
    product.until_status(&tenant, &id, "delivered").await;
    assert_eq!(product.sim.journal().len(), 1, "the other one took it over");
    // Processes, by position: the API, the one that is suspended, the other one.
    assert_eq!(product.terminate_process(2).await, Some(0), "{}", product.log());

    std::fs::remove_file(&suspended).expect("removed");
    proxy.release();
    // It goes on where it was; what it does next comes after.
    let next = product.send(&tenant, "+919111111112").await;
    product.until_status(&tenant, &next, "delivered").await;
    let calls = product.sim.journal();
    assert_eq!(calls.len(), 2, "it called although its lease was over: {calls:#?}");
    let is_taken = async || product.message(&tenant, &id).await["status"] == "delivered";
    assert!(eventually(is_taken).await);
}
