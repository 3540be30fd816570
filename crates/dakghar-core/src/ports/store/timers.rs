//! The timers of messages.

use async_trait::async_trait;

use super::super::queue::QueueEntry;
use super::StoreError;
use crate::domain::ids::{PhoneNumberId, TenantId};
use crate::domain::message::{Message, Status};
use crate::domain::time::Timestamp;

/// The bytes of records at which [`TimerStore::due`] and [`TimerStore::ahead`] end, though there are more.
pub const DUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Outbound messages by their timer.
#[async_trait]
pub trait TimerStore: Send + Sync {
    /// Returns outbound messages whose timer is at or before `until`, the most overdue first. With `status`, only
    /// those. It ends with the message by which they have [`DUE_BYTES_MAX`], as a page does.
    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError>;

    /// Returns queued messages that were put into the queue and whose timer is at or before `until`, the most overdue
    /// first, without their content.
    async fn released(&self, until: Timestamp, limit: u32) -> Result<Vec<QueueEntry>, StoreError>;

    /// Returns outbound messages that are not settled, whose last change is after `of` and whose slot or timer is
    /// too: a process whose clock was ahead changed them. In no order, and within [`DUE_BYTES_MAX`] as well.
    async fn ahead(&self, of: Timestamp, limit: u32) -> Result<Vec<Message>, StoreError>;

    /// Sets the timer of the tenant's held messages (of one number, if named) to `at`, the present. That is a change at
    /// that time, unless the last one was later: by whose clock a timer is wrong must still show. Returns how many.
    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError>;
}
