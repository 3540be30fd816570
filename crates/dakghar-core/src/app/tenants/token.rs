//! The access tokens of a tenant's numbers.

use super::checks::{check, check_token};
use super::{Tenants, find_number_id, no_such_number};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::auto_redrive::Cause;
use crate::domain::tenant::SharedTenant;
use crate::domain::{HoldReason, PhoneNumber, PhoneNumberId, Secret, Tenant, TenantId};

/// Returns the purpose that an access token is sealed for. It opens for no other number.
pub fn token_purpose(phone_number_id: &PhoneNumberId) -> String {
    format!("access_token/{phone_number_id}")
}

/// Returns the purpose that the PIN of a number is sealed for.
pub fn pin_purpose(phone_number_id: &PhoneNumberId) -> String {
    format!("pin/{phone_number_id}")
}

impl Tenants {
    /// Replaces the access token of one number, or of all. Ends the holds that the old token caused.
    pub async fn replace_token(
        &self,
        id: &TenantId,
        number: Option<&str>,
        token: &Secret,
        by: &Principal,
    ) -> Result<SharedTenant, Failure> {
        check(&[check_token(token, "/accessToken")])?;
        let only = number.map(find_number_id).transpose()?;
        let tenant = self.find(id).await?;
        if let Some(only) = &only {
            tenant.number(Some(only)).ok_or_else(no_such_number)?;
        }
        let is_meant = |number: &&PhoneNumber| only.as_ref().is_none_or(|only| *only == number.phone_number_id);
        let accounts: Vec<_> = tenant
            .phone_numbers
            .iter()
            .filter(is_meant)
            .map(|number| number.waba_id.clone())
            .collect();
        let known = self.token_checks.given(token, &accounts).await?;
        let mut sealed = Vec::new();
        for number in tenant.phone_numbers.iter().filter(is_meant) {
            let (purpose, key) = (token_purpose(&number.phone_number_id), &tenant.wrapped_data_key);
            let token = self.ports.vault.seal(id, key, &purpose, token).await?;
            sealed.push((number.phone_number_id.clone(), token));
        }
        let deed = Deed::new(by, AuditAction::TokenReplaced);
        let tenant = self
            .change_by(id, deed, |tenant| {
                for (id, sealed_token) in &sealed {
                    let number = tenant.number_mut(id).ok_or_else(no_such_number)?;
                    number.sealed_token.clone_from(sealed_token);
                    number.simulated = token.is_mock_token();
                    number.token_refusals = 0;
                    number.standing.is_asked = !number.simulated;
                    number.token.clone_from(&known);
                    number.hold = number.hold.filter(|hold| hold.reason != HoldReason::CredentialsInvalid);
                    tenant.auto.ends(Cause::Token, id, self.redrive_id(), self.now());
                }
                Ok(Step::Save)
            })
            .await?
            .tenant;
        self.ports.timers.wake_held(id, only.as_ref(), self.now()).await?;
        Ok(tenant)
    }

    /// Opens the access token of a number, or of the first one.
    pub(in crate::app) async fn open_token(
        &self,
        tenant: &Tenant,
        number: Option<&PhoneNumberId>,
    ) -> Result<Secret, Failure> {
        let number = tenant.number(number).ok_or_else(no_such_number)?;
        let purpose = token_purpose(&number.phone_number_id);
        Ok(self
            .ports
            .vault
            .open(&tenant.id, &tenant.wrapped_data_key, &purpose, &number.sealed_token)
            .await?)
    }
}
