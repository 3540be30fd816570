//! What a stored change of a message adds to the counts.

use super::labels::DoubtEnd;
use super::letter_labels::DeadLetter;
use super::table::Metrics;
use crate::domain::message::{Message, Status};

impl Metrics {
    /// Counts that a message became doubtful, was settled, or became a dead letter. To be called once after each save,
    /// with the status before it. `by` is what would have ended a doubt.
    pub fn message_changed(&self, before: Status, message: &Message, by: DoubtEnd) {
        let after = message.delivery.status;
        if before == after {
            return;
        }
        if after == Status::InDoubt {
            self.doubts_begun.inc();
        }
        if before == Status::InDoubt {
            self.doubts_ended.of(by).inc();
        }
        let was_dead_letter = matches!(before, Status::Dead | Status::Failed | Status::Expired);
        if let Some(reason) = DeadLetter::of(&message.delivery).filter(|_| !was_dead_letter) {
            self.dead_letters.of(reason).inc();
            self.tenants.count(&message.accepted.tenant_id, 1, |of| match reason {
                DeadLetter::Failed => _ = of.failed.inc(),
                _ => _ = of.dead.inc(),
            });
        }
    }
}
