//! The timers of messages.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::ids::{PhoneNumberId, TenantId};
use crate::domain::message::{Message, Status};
use crate::domain::time::Timestamp;

/// Outbound messages by their timer.
#[async_trait]
pub trait TimerStore: Send + Sync {
    /// Returns outbound messages whose timer is at or before `until`, the most overdue first. With `status`, only
    /// those.
    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError>;

    /// Returns outbound messages that are not settled, whose last change is after `of` and whose slot or timer is
    /// too: a process whose clock was ahead changed them. In no order.
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
