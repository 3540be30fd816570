//! The time by which leases are measured goes on while the machine is suspended.

use std::process::Command;
use std::time::{Duration, Instant};

use dakghar_adapters::local::SystemClock;
use dakghar_core::ports::Clock as _;

/// A suspended machine, for one process: the monotonic clock stands still, and the time since the boot goes on.
const SUSPEND: &str = r"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *time) {
    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW || id == CLOCK_MONOTONIC_COARSE) {
        time->tv_sec = 1000;
        time->tv_nsec = 0;
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, id, time);
}
";
/// Set in the process that is suspended.
const IS_SUSPENDED: &str = "DAKGHAR_TEST_IS_SUSPENDED";

#[test]
fn a_lease_is_measured_by_a_clock_that_goes_on_in_suspend() {
    if std::env::var_os(IS_SUSPENDED).is_some() {
        let (clock, stands_still) = (SystemClock::start(), Instant::now());
        let before = clock.uptime();
        // Not a sleep: how that counts its time is not what this is about.
        while clock.uptime() < before + Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        assert_eq!(stands_still.elapsed(), Duration::ZERO, "the preload is in place");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (source, library) = (folder.path().join("suspend.c"), folder.path().join("suspend.so"));
    std::fs::write(&source, SUSPEND).expect("written");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(&source);
    assert!(compiler.status().expect("a C compiler").success());
    let this = std::env::current_exe().expect("this test");
    let mut suspended = Command::new("timeout")
        .arg("60")
        .arg(this)
        .args([
            "--exact",
            "uptime::a_lease_is_measured_by_a_clock_that_goes_on_in_suspend",
        ])
        .env("LD_PRELOAD", &library)
        .env(IS_SUSPENDED, "1")
        .spawn()
        .expect("it starts");
    assert!(
        suspended.wait().expect("it ends").success(),
        "the time stands still in suspend"
    );
}
