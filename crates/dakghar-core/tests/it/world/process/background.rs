//! Loops that nobody waits for: the places of entries, the replay of spooled outcomes, and the taking back of messages.

use std::time::Duration;

use super::{BUSY_WAIT, FAILURE_WAIT, Process};

const REPLAY_EVERY: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(500);

impl Process {
    pub(super) async fn run_sequencing(self) {
        while self.app.sequencing.is_needed() {
            let wait = match self.app.sequencing.step().await {
                Ok(done) if done.has_more => BUSY_WAIT,
                Ok(_) => LOOK,
                Err(_) => FAILURE_WAIT,
            };
            self.sleep(wait).await;
        }
    }

    pub(super) async fn run_withdrawals(self) {
        let withdrawing = self.app.accepting.withdrawing().clone();
        loop {
            withdrawing.begun().await;
            while withdrawing.is_waiting() {
                self.sleep(LOOK).await;
                // An error is another reason to look again.
                let _ = withdrawing.look().await;
            }
        }
    }

    pub(super) async fn run_replay(self) {
        loop {
            // An error is another reason to look again.
            let _ = self.app.sending.replay_spooled().await;
            self.sleep(REPLAY_EVERY).await;
        }
    }
}
