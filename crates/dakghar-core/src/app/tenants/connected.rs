//! Numbers that a signup has connected.

use std::sync::Arc;

use super::leaving::check_stays;
use super::token::{pin_purpose, token_purpose};
use super::{Tenants, no_such_number};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::access_token::KnownToken;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::auto_redrive::Cause;
use crate::domain::standing::Standing;
use crate::domain::tenant::MESSAGES_PER_SECOND_DEFAULT;
use crate::domain::{HoldReason, PhoneNumber, PhoneNumberId, Secret, Tenant, TenantId, WabaId};

/// A number that was connected, with what Meta says of it.
pub(in crate::app) struct ConnectedNumber {
    /// Meta's id of it.
    pub(in crate::app) id: PhoneNumberId,
    /// Its account.
    pub(in crate::app) waba_id: WabaId,
    /// The number as people write it.
    pub(in crate::app) display: Option<Arc<str>>,
    /// True if it is used with the WhatsApp Business app too.
    pub(in crate::app) is_on_app: bool,
    /// Meta's limit for the number, where it is not the usual one.
    pub(in crate::app) messages_per_second: Option<u32>,
    /// Its access token.
    pub(in crate::app) token: Secret,
    /// What Meta says of that.
    pub(in crate::app) known: Option<KnownToken>,
    /// The PIN that it is registered with, if that is known.
    pub(in crate::app) pin: Option<Secret>,
}

impl Tenants {
    /// Gives the tenant a number, or another token to a number that it has. Returns false if it had both.
    pub(in crate::app) async fn connect_number(
        &self,
        id: &TenantId,
        new: ConnectedNumber,
        by: &Principal,
    ) -> Result<bool, Failure> {
        let tenant = self.stored(id).await?;
        check_stays(tenant.leaving.as_ref())?;
        let is_known = tenant.number(Some(&new.id)).is_some();
        let is_connected = is_known && self.has_token(&tenant, &new).await;
        if !is_connected {
            let number = self.connected(&tenant, &new).await?;
            let action = if is_known {
                AuditAction::TokenReplaced
            } else {
                AuditAction::NumberAdded
            };
            self.keep_connected(id, &number, Deed::new(by, action).about("phone_number", &new.id))
                .await?;
        }
        if is_known {
            // What was held because of the old token.
            self.ports.timers.wake_held(id, Some(&new.id), self.now()).await?;
        }
        Ok(!is_connected)
    }

    /// True if the number has this very token. One that does not open is replaced.
    async fn has_token(&self, tenant: &Tenant, new: &ConnectedNumber) -> bool {
        let known = self.open_token(tenant, Some(&new.id)).await;
        known.is_ok_and(|known| known.reveal() == new.token.reveal())
    }

    async fn connected(&self, tenant: &Tenant, new: &ConnectedNumber) -> Result<PhoneNumber, Failure> {
        let (vault, key) = (&self.ports.vault, &tenant.wrapped_data_key);
        let purpose = token_purpose(&new.id);
        let sealed_token = vault.seal(&tenant.id, key, &purpose, &new.token).await?;
        let purpose = pin_purpose(&new.id);
        let sealed_pin = match &new.pin {
            Some(pin) => Some(vault.seal(&tenant.id, key, &purpose, pin).await?),
            None => None,
        };
        Ok(PhoneNumber {
            phone_number_id: new.id.clone(),
            waba_id: Some(new.waba_id.clone()),
            waba_is_learned: false,
            display_phone_number: new.display.as_deref().map(str::to_owned),
            default_country: None,
            sealed_token,
            simulated: false,
            messages_per_second: new.messages_per_second.unwrap_or(MESSAGES_PER_SECOND_DEFAULT),
            hold: None,
            token_refusals: 0,
            token: new.known.clone(),
            sealed_pin,
            standing: Standing::of_connected(new.is_on_app),
        })
    }

    async fn keep_connected(&self, id: &TenantId, new: &PhoneNumber, deed: Deed<'_>) -> Result<(), Failure> {
        let number_id = &new.phone_number_id;
        let mut is_new = false;
        self.change_by(id, deed, |tenant| {
            is_new = tenant.number(Some(number_id)).is_none();
            if is_new {
                tenant.phone_numbers.push(new.clone());
                tenant
                    .auto
                    .ends(Cause::Number, number_id, self.redrive_id(), self.now());
                return Ok(Step::Save);
            }
            let number = tenant.number_mut(number_id).ok_or_else(no_such_number)?;
            number.waba_id.clone_from(&new.waba_id);
            number.waba_is_learned = false;
            if new.display_phone_number.is_some() {
                number.display_phone_number.clone_from(&new.display_phone_number);
            }
            number.sealed_token.clone_from(&new.sealed_token);
            number.simulated = false;
            number.token_refusals = 0;
            number.standing.is_asked = true;
            number.standing.history = None;
            if new.standing.seen.is_some() {
                number.standing.knows_of_app();
                number.messages_per_second = number.messages_per_second.min(new.messages_per_second);
            }
            number.token.clone_from(&new.token);
            if new.sealed_pin.is_some() {
                number.sealed_pin.clone_from(&new.sealed_pin);
            }
            number.hold = number.hold.filter(|hold| hold.reason != HoldReason::CredentialsInvalid);
            tenant.auto.ends(Cause::Token, number_id, self.redrive_id(), self.now());
            Ok(Step::Save)
        })
        .await?;
        if is_new {
            self.begin_anew(number_id).await;
        }
        Ok(())
    }
}
