//! Opens access tokens for calls.

use super::Sending;
use crate::app::tenants::token_purpose;
use crate::domain::Secret;
use crate::domain::message::Message;
use crate::domain::tenant::SharedTenant;
use crate::vault::VaultError;

impl Sending {
    /// Returns the access token of the number that sends the message.
    pub(super) async fn open_token(&self, tenant: &SharedTenant, message: &Message) -> Result<Secret, VaultError> {
        let number = tenant
            .number(Some(&message.accepted.phone_number_id))
            .ok_or(VaultError::Unreadable("the number was removed"))?;
        let purpose = token_purpose(&number.phone_number_id);
        self.ports
            .vault
            .open(&tenant.id, &tenant.wrapped_data_key, &purpose, &number.sealed_token)
            .await
    }
}
