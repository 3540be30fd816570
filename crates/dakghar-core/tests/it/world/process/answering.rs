//! The ids by which clients are answered, and told of their messages.

use dakghar_core::app::{FeedItem, Outcome};
use dakghar_core::domain::{MessageKey, Problem, TenantId};

use super::Process;

impl Process {
    /// Settles by which id the client of a message knows it, which waits no longer.
    pub async fn settle_id(&self, message: &MessageKey) -> Result<Outcome, Problem> {
        Ok(self.app.changing.settle_id(message).await?)
    }

    /// What Meta would have posted for these entries.
    pub async fn meta_body(&self, tenant: &TenantId, items: &[FeedItem]) -> Result<Option<String>, Problem> {
        Ok(self.app.reading.meta_body(tenant, items).await?)
    }
}
