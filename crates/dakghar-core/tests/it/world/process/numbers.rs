//! The numbers of tenants.

use dakghar_core::app::{NewPhoneNumber, PhoneNumberChanges};
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::{Actor, Problem, TenantId};

use super::Process;
use super::by::principal;

impl Process {
    pub async fn add_number(&self, tenant: &TenantId, number: &str) -> Result<(), Problem> {
        let new = NewPhoneNumber {
            phone_number_id: number.into(),
            ..NewPhoneNumber::default()
        };
        let added = self.app.tenants.add_phone_number(tenant, new, Principal::CLI).await;
        Ok(added.map(drop)?)
    }

    /// Says how many messages a second a number may send.
    pub async fn pace_number(&self, tenant: &TenantId, number: &str, per_second: u32) -> Result<(), Problem> {
        let changes = PhoneNumberChanges {
            messages_per_second: Some(per_second),
            ..PhoneNumberChanges::default()
        };
        let tenants = &self.app.tenants;
        let changed = tenants
            .change_phone_number(tenant, number, changes, Principal::CLI)
            .await;
        Ok(changed.map(drop)?)
    }

    /// Says how a number is written.
    pub async fn write_number(&self, tenant: &TenantId, number: &str, text: &str, by: Actor) -> Result<(), Problem> {
        let changes = PhoneNumberChanges {
            display_phone_number: Some(text.into()),
            ..PhoneNumberChanges::default()
        };
        let changed = self
            .app
            .tenants
            .change_phone_number(tenant, number, changes, principal(by));
        Ok(changed.await.map(drop)?)
    }

    pub async fn remove_number(&self, tenant: &TenantId, number: &str) -> Result<(), Problem> {
        let removed = self.app.tenants.remove_phone_number(tenant, number, Principal::CLI);
        Ok(removed.await.map(drop)?)
    }
}
