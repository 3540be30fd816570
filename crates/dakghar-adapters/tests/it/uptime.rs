//! The time by which leases are measured goes on while the machine is suspended.

use std::process::Command;
use std::time::{Duration, Instant};

use dakghar_adapters::local::SystemClock;
use dakghar_core::ports::Clock as _;
use dakghar_testkit::suspension::Suspension;

/// Names the folder in the process that is suspended.
const FOLDER: &str = "DAKGHAR_TEST_SUSPENSION";
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_lease_is_measured_by_a_clock_that_goes_on_in_suspend() {
    if std::env::var_os(FOLDER).is_some() {
        return is_suspended();
    }
    let folder = tempfile::tempdir().expect("a folder");
    let suspension = Suspension::prepare(folder.path());
    let mut suspended = Command::new(std::env::current_exe().expect("this test"));
    suspended
        .args([
            "--exact",
            "uptime::a_lease_is_measured_by_a_clock_that_goes_on_in_suspend",
        ])
        .envs(suspension.environment())
        .env(FOLDER, folder.path());
    assert!(suspended.status().expect("it starts").success());
}

/// An hour of suspend passes in no time.
fn is_suspended() {
    let clock = SystemClock::start();
    let (before, stood_still) = (clock.uptime(), Instant::now());
    let path = std::env::var_os("SUSPENDED_FOR").expect("the file");
    let nanoseconds = i64::try_from(HOUR.as_nanos()).expect("less than centuries");
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &nanoseconds.to_ne_bytes()))
        .expect("written");
    assert_eq!(stood_still.elapsed(), Duration::ZERO, "the monotonic clock is replaced");
    assert!(clock.uptime() >= before, "the time since the boot is not");
}
