//! The numbers of a tenant.

use super::checks::{check, check_country, check_display_number, check_number, check_rate, check_token};
use super::leaving::check_stays;
use super::new::{NewPhoneNumber, PhoneNumberChanges};
use super::{Tenants, find_number_id, no_such_number, phone_number_taken};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::auto_redrive::Cause;
use crate::domain::pacing::RELEASE_CHECK;
use crate::domain::tenant::SharedTenant;
use crate::domain::{Actor, Country, ErrorCode, PhoneNumberId, Problem, TenantId};

impl Tenants {
    /// Adds a number to the tenant. Without a token of its own it uses the token of the first number.
    pub async fn add_phone_number(
        &self,
        id: &TenantId,
        new: NewPhoneNumber,
        by: &Principal,
    ) -> Result<SharedTenant, Failure> {
        check(&[
            check_number(&new),
            new.access_token
                .as_ref()
                .and_then(|token| check_token(token, "/accessToken")),
        ])?;
        let tenant = self.find(id).await?;
        check_stays(tenant.leaving.as_ref())?;
        let token = match &new.access_token {
            Some(token) => token.clone(),
            None => self.open_token(&tenant, None).await?,
        };
        let mut number = self.seal_number(id, &tenant.wrapped_data_key, &new, &token).await?;
        if tenant.number(Some(&number.phone_number_id)).is_some() {
            return Err(phone_number_taken(&number.phone_number_id).into());
        }
        number.token = self.token_checks.given(&token, &[number.waba_id.clone()]).await?;
        let deed = Deed::new(by, AuditAction::NumberAdded).about("phone_number", &number.phone_number_id);
        let changed = self
            .change_by(id, deed, |tenant| {
                tenant.phone_numbers.push(number.clone());
                let id = self.redrive_id();
                tenant.auto.ends(Cause::Number, &number.phone_number_id, id, self.now());
                Ok(Step::Save)
            })
            .await?;
        self.begin_anew(&number.phone_number_id).await;
        Ok(changed.tenant)
    }

    /// Changes the settings of a number; `None` leaves one as it is. Only the operator may change the pace, and how a
    /// number is written whose account has other tenants: Meta's events name numbers by it.
    pub async fn change_phone_number(
        &self,
        id: &TenantId,
        number: &str,
        changes: PhoneNumberChanges,
        by: &Principal,
    ) -> Result<SharedTenant, Failure> {
        let PhoneNumberChanges {
            messages_per_second,
            display_phone_number,
            default_country,
        } = changes;
        if messages_per_second.is_some() && by.actor() != Actor::Operator {
            return Err(Problem::field(
                ErrorCode::Forbidden,
                "/messagesPerSecond",
                "only the operator changes it",
            )
            .into());
        }
        check(&[
            messages_per_second.and_then(check_rate),
            display_phone_number.as_deref().and_then(check_display_number),
            default_country
                .as_deref()
                .filter(|letters| !letters.is_empty())
                .and_then(check_country),
        ])?;
        let number = find_number_id(number)?;
        if display_phone_number.is_some() && by.actor() != Actor::Operator {
            self.check_account_is_own(id, &number).await?;
        }
        let deed = Deed::new(by, AuditAction::NumberChanged).about("phone_number", &number);
        let tenant = self
            .change_by(id, deed, |tenant| {
                let number = tenant.number_mut(&number).ok_or_else(no_such_number)?;
                number.messages_per_second = messages_per_second.unwrap_or(number.messages_per_second);
                if display_phone_number.is_some() {
                    number.display_phone_number.clone_from(&display_phone_number);
                }
                if let Some(letters) = &default_country {
                    number.default_country = Country::parse(letters);
                }
                Ok(Step::Save)
            })
            .await?
            .tenant;
        if messages_per_second.is_some() {
            self.ports
                .pacer
                .forget_beyond(&number, self.now() + RELEASE_CHECK)
                .await;
        }
        Ok(tenant)
    }

    /// Fails if the account of a number has other tenants.
    async fn check_account_is_own(&self, id: &TenantId, number: &PhoneNumberId) -> Result<(), Failure> {
        let tenant = self.find(id).await?;
        let Some(account) = tenant.number(Some(number)).and_then(|number| number.waba_id.as_ref()) else {
            return Ok(());
        };
        let owners = self.ports.tenants.owners_of_waba(account).await?;
        if owners.iter().all(|owner| owner == id) {
            return Ok(());
        }
        let why = "only the operator changes it: other tenants share the account";
        Err(Problem::field(ErrorCode::Forbidden, "/displayPhoneNumber", why).into())
    }

    /// Removes a number. The last one cannot be removed. Statuses of what was sent from it still find their messages. Messages that wait for the number leave the schedule, and end
    /// by their timers.
    pub async fn remove_phone_number(
        &self,
        id: &TenantId,
        number: &str,
        by: &Principal,
    ) -> Result<SharedTenant, Failure> {
        let number = find_number_id(number)?;
        let deed = Deed::new(by, AuditAction::NumberRemoved).about("phone_number", &number);
        self.change_by(id, deed, |tenant| {
            tenant.number(Some(&number)).ok_or_else(no_such_number)?;
            if tenant.phone_numbers.len() == 1 {
                return Err(Problem::new(ErrorCode::LastPhoneNumber, "Remove the tenant instead."));
            }
            tenant.give_up_number(&number);
            Ok(Step::Save)
        })
        .await
        .map(|changed| changed.tenant)
    }
}
