//! Work without which the process only looks alive.

use std::process::Command;

use dakghar_adapters::vital::{VITAL_PANIC, vital, vital_thread};

/// Set in the process that panics.
const PANICS: &str = "DAKGHAR_TEST_PANICS";

#[tokio::test]
async fn work_that_ends_returns_what_it_made() {
    assert_eq!(vital("work", async { 7 }).await, 7);
    assert_eq!(vital_thread("work", || 7), 7);
}

#[test]
fn a_process_whose_vital_work_panics_ends() {
    const NAME: &str = "vital::a_process_whose_vital_work_panics_ends";
    match std::env::var(PANICS).as_deref() {
        Ok("thread") => vital_thread("work", || panic!("a canary")),
        Ok(_) => futures_executor(vital("work", async { panic!("a canary") })),
        Err(_) => {}
    }
    for kind in ["thread", "task"] {
        let program = std::env::current_exe().expect("this test");
        let ended = Command::new(program).args(["--exact", NAME]).env(PANICS, kind).output();
        assert_eq!(ended.expect("it ran").status.code(), Some(VITAL_PANIC), "{kind}");
    }
}

fn futures_executor(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(work);
}
