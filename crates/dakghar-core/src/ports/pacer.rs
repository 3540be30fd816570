//! The pace of every number.
//!
//! It is not the truth. A slot that is lost is reserved again, and the gate keeps the rate meanwhile.

use async_trait::async_trait;

use super::queue::QueueError;
use crate::domain::ids::PhoneNumberId;
use crate::domain::pacing::{Admission, Priority};
use crate::domain::time::Timestamp;

/// One slot asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotAsk {
    /// The number.
    pub phone_number_id: PhoneNumberId,
    /// The planned rate of the number in messages a second.
    pub per_second: f64,
    /// Which lane.
    pub priority: Priority,
    /// Not before this time.
    pub not_before: Timestamp,
}

/// The pace of every number, shared by all processes of an installation.
#[async_trait]
pub trait Pacer: Send + Sync {
    /// Reserves slots, in the order asked.
    async fn reserve(&self, asks: &[SlotAsk]) -> Result<Vec<Timestamp>, QueueError>;

    /// Gives back slots that were not needed. Best effort.
    async fn refund(&self, asks: &[SlotAsk]);

    /// Asks to call now, in the order given; `not_before` of an ask is the present time.
    async fn admit(&self, asks: &[SlotAsk]) -> Result<Vec<Admission>, QueueError>;

    /// Nothing of this number goes before `until`. Best effort.
    async fn pause_until(&self, phone_number_id: &PhoneNumberId, until: Timestamp);

    /// The number's rate was changed: slots reserved at the old one must not bind it longer than a minute.
    async fn rate_changed(&self, phone_number_id: &PhoneNumberId, now: Timestamp);
}
