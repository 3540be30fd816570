//! One server for all tests of a run. The runner starts each test in a process of its own, so whoever comes first
//! starts the server, and it ends with the runner.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use super::process::{Kind, Process};
use super::variable;

/// The port of the shared server of this kind. Starts it if nobody did, and lets `prepare` finish the first start.
pub(super) async fn shared_port<K: Kind>(kind: K, prepare: impl AsyncFnOnce(u16)) -> u16 {
    let owner = owner();
    let folder = folder::<K>(owner);
    std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
    // Held until the end of this function; the system lets go of it should the test die.
    let lock = File::create(folder.join("lock")).expect("the temporary folder can be written");
    while let Err(error) = lock.try_lock() {
        assert!(
            matches!(error, TryLockError::WouldBlock),
            "cannot lock {}: {error}",
            folder.display()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let port_file = folder.join("port");
    if let Some(port) = std::fs::read_to_string(&port_file)
        .ok()
        .and_then(|text| text.parse().ok())
    {
        return port;
    }
    let process = Process::start(kind, &folder, owner).await;
    prepare(process.port()).await;
    std::fs::write(&port_file, process.port().to_string()).expect("the temporary folder can be written");
    process.port()
}

/// Whose end ends the server: the test runner's, or without one that of this process.
fn owner() -> u32 {
    if variable("NEXTEST").is_some() {
        std::os::unix::process::parent_id()
    } else {
        std::process::id()
    }
}

fn folder<K: Kind>(owner: u32) -> PathBuf {
    std::env::temp_dir().join(format!("dakghar-shared-{}-{owner}", K::SERVER.program()))
}
