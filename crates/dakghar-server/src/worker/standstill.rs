//! Standing still while all sending is held.

use std::time::Duration;

use dakghar_core::app::{Failure, Holding, Outages};
use tokio::time::sleep;

/// The wait between two looks at the hold.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Waits until nothing holds all sending. While nobody can say, it counts as held. Returns whether it had to wait.
pub(super) async fn until_released(holding: &Holding, outages: &Outages) -> bool {
    let mut has_waited = false;
    loop {
        match holding.hold().await {
            Ok(None) => return has_waited,
            Ok(Some(_)) => {}
            Err(error) => {
                let failure = Failure::from(error);
                if !outages.note(&failure) && holding.note_unreadable() {
                    tracing::warn!(%failure, "whether sending is held cannot be read");
                }
            }
        }
        has_waited = true;
        sleep(LOOK_EVERY).await;
    }
}
