//! The pace of every number.
//!
//! The pacer is not the source of truth. A lost slot is reserved again, and the gate keeps the rate meanwhile.

use async_trait::async_trait;

use super::pair_lines::PairLines;
use super::queue::QueueError;
use crate::domain::ids::PhoneNumberId;
use crate::domain::pacing::{Admission, Priority};
use crate::domain::time::Timestamp;

/// A request for one slot.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotAsk {
    /// The number.
    pub phone_number_id: PhoneNumberId,
    /// The level of the number: what Meta allows it, in messages a second.
    pub level: f64,
    /// The lane.
    pub priority: Priority,
    /// The earliest time for the slot.
    pub not_before: Timestamp,
}

/// The pace of every number, shared by all processes of an installation.
#[async_trait]
pub trait Pacer: PairLines {
    /// Reserves slots. Returns them in the order asked.
    async fn reserve(&self, asks: &[SlotAsk]) -> Result<Vec<Timestamp>, QueueError>;

    /// Gives back slots that were not needed. Best effort.
    async fn refund(&self, asks: &[SlotAsk]);

    /// Asks to call now, in the order given; `not_before` of each is the present time.
    async fn admit(&self, asks: &[SlotAsk]) -> Result<Vec<Admission>, QueueError>;

    /// Lets nothing of this number go before `until`, because Meta asked it to slow down at `now`, and has it use less of
    /// its level afterwards. Best effort.
    async fn pause_until(&self, phone_number_id: &PhoneNumberId, now: Timestamp, until: Timestamp);

    /// Forgets what is reserved for the number beyond `limit`: slots at a rate that was changed, or of a tenant that the
    /// number has left. Best effort.
    async fn forget_beyond(&self, phone_number_id: &PhoneNumberId, limit: Timestamp);
}
