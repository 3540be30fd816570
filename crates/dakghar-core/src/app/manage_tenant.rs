//! Changes a tenant: its numbers, its tokens, and whether it may send.

use std::sync::Arc;

use aws_lc_rs::constant_time;

use super::App;
use super::register_tenant::{
    NewPhoneNumber, check, check_display_number, check_number, check_rate, check_token, parse_phone_number_id,
    phone_number_taken, token_purpose,
};
use crate::domain::tenant::SharedTenant;
use crate::domain::{Actor, ErrorCode, Hold, HoldReason, PhoneNumberId, Problem, Secret, Tenant, TenantId};
use crate::ports::store::TenantSaved;

/// How often a change is tried again when somebody else changed the tenant at the same time.
const STALE_ROUNDS_MAX: usize = 8;

impl App {
    /// The tenant as the hot paths see it: at most [`super::Settings::directory_ttl`] old.
    pub async fn tenant(&self, id: &TenantId) -> Result<SharedTenant, Problem> {
        self.directory().find(id).await?.ok_or_else(no_such_tenant)
    }

    /// Whether `key` is the tenant's own, also if it was made under the previous master key. Takes the same time for every
    /// wrong key.
    pub fn is_api_key_of(&self, tenant: &Tenant, key: &str) -> bool {
        let vault = &self.ports().vault;
        let is_kept = |hash: Vec<u8>| constant_time::verify_slices_are_equal(&hash, &tenant.api_key_hash).is_ok();
        is_kept(vault.hash_api_key(key)) || vault.previous_hash_api_key(key).is_some_and(is_kept)
    }

    /// Gives the tenant another number. Without a token of its own it uses that of the first number.
    pub async fn add_phone_number(&self, id: &TenantId, new: NewPhoneNumber) -> Result<SharedTenant, Problem> {
        check(&[
            check_number(&new),
            new.access_token
                .as_ref()
                .and_then(|token| check_token(token, "/accessToken")),
        ])?;
        let tenant = self.tenant(id).await?;
        let token = match &new.access_token {
            Some(token) => token.clone(),
            None => self.open_token(&tenant, None).await?,
        };
        let number = self.seal_number(id, &tenant.wrapped_data_key, &new, &token).await?;
        if tenant.number(Some(&number.phone_number_id)).is_some() {
            return Err(phone_number_taken(&number.phone_number_id));
        }
        self.change_tenant(id, |tenant| {
            tenant.phone_numbers.push(number.clone());
            Ok(())
        })
        .await
    }

    /// Changes what can be changed of a number; `None` leaves as is. The pace is the operator's to change.
    pub async fn change_phone_number(
        &self,
        id: &TenantId,
        number: &str,
        messages_per_second: Option<u32>,
        display_phone_number: Option<String>,
        by: Actor,
    ) -> Result<SharedTenant, Problem> {
        if messages_per_second.is_some() && by != Actor::Operator {
            return Err(Problem::field(
                ErrorCode::Forbidden,
                "/messagesPerSecond",
                "only the operator changes it",
            ));
        }
        check(&[
            messages_per_second.and_then(check_rate),
            display_phone_number.as_deref().and_then(check_display_number),
        ])?;
        let number = find_number_id(number)?;
        let tenant = self
            .change_tenant(id, |tenant| {
                let number = tenant.number_mut(&number).ok_or_else(no_such_number)?;
                number.messages_per_second = messages_per_second.unwrap_or(number.messages_per_second);
                if display_phone_number.is_some() {
                    number.display_phone_number.clone_from(&display_phone_number);
                }
                Ok(())
            })
            .await?;
        if messages_per_second.is_some() {
            self.ports().pacer.rate_changed(&number, self.now()).await;
        }
        Ok(tenant)
    }

    /// Takes a number away. The last one stays; messages that wait for the number are dropped from the schedule and
    /// end by their timers.
    pub async fn remove_phone_number(&self, id: &TenantId, number: &str) -> Result<SharedTenant, Problem> {
        let number = find_number_id(number)?;
        self.change_tenant(id, |tenant| {
            tenant.number(Some(&number)).ok_or_else(no_such_number)?;
            if tenant.phone_numbers.len() == 1 {
                return Err(Problem::new(ErrorCode::LastPhoneNumber, "Remove the tenant instead."));
            }
            tenant.phone_numbers.retain(|kept| kept.phone_number_id != number);
            Ok(())
        })
        .await
    }

    /// Replaces the access token of one number, or of all. Ends the holds that the old one caused.
    pub async fn replace_token(
        &self,
        id: &TenantId,
        number: Option<&str>,
        token: &Secret,
    ) -> Result<SharedTenant, Problem> {
        check(&[check_token(token, "/accessToken")])?;
        let only = number.map(find_number_id).transpose()?;
        let tenant = self.tenant(id).await?;
        if let Some(only) = &only {
            tenant.number(Some(only)).ok_or_else(no_such_number)?;
        }
        let mut sealed = Vec::new();
        for number in &tenant.phone_numbers {
            if only.as_ref().is_none_or(|only| *only == number.phone_number_id) {
                let purpose = token_purpose(&number.phone_number_id);
                let token = self
                    .ports()
                    .vault
                    .seal(id, &tenant.wrapped_data_key, &purpose, token)
                    .await?;
                sealed.push((number.phone_number_id.clone(), token));
            }
        }
        let tenant = self
            .change_tenant(id, |tenant| {
                for (number, sealed_token) in &sealed {
                    let number = tenant.number_mut(number).ok_or_else(no_such_number)?;
                    number.sealed_token.clone_from(sealed_token);
                    number.simulated = token.is_mock_token();
                    number.token_refusals = 0;
                    number.hold = number.hold.filter(|hold| hold.reason != HoldReason::CredentialsInvalid);
                }
                Ok(())
            })
            .await?;
        self.ports().messages.wake_held(id, only.as_ref(), self.now()).await?;
        Ok(tenant)
    }

    /// Stops sending, for the tenant or one of its numbers. Accepting and receiving go on.
    ///
    /// A pause takes the place of a hold that Meta's refusals began, because that one lets probes out; if the reason is
    /// still there after the pause, the next refusals begin it again. The operator's pause stays when the tenant pauses.
    pub async fn pause(&self, id: &TenantId, number: Option<&str>, by: Actor) -> Result<SharedTenant, Problem> {
        let pause = Hold {
            reason: by.pause(),
            since: self.now(),
            probe_at: None,
        };
        let number = number.map(find_number_id).transpose()?;
        self.change_tenant(id, |tenant| {
            let hold = match &number {
                None => &mut tenant.hold,
                Some(number) => {
                    let number = tenant.number_mut(number).ok_or_else(no_such_number)?;
                    number.token_refusals = 0;
                    &mut number.hold
                }
            };
            if hold.is_none_or(|hold| by.may_end(hold)) {
                *hold = Some(pause);
            }
            Ok(())
        })
        .await
    }

    /// Sends again: ends every hold, whatever its reason, and wakes what was held. Only the operator ends its own pause:
    /// of the tenant as of a number, while a number that it paused stays so when the tenant resumes as a whole.
    pub async fn resume(&self, id: &TenantId, number: Option<&str>, by: Actor) -> Result<SharedTenant, Problem> {
        let number = number.map(find_number_id).transpose()?;
        let tenant = self
            .change_tenant(id, |tenant| {
                let hold = match &number {
                    None => tenant.hold,
                    Some(number) => tenant.number(Some(number)).ok_or_else(no_such_number)?.hold,
                };
                if hold.is_some_and(|hold| !by.may_end(hold)) {
                    return Err(Problem::new(
                        ErrorCode::Forbidden,
                        "The operator paused it; only the admin key ends that.",
                    ));
                }
                if number.is_none() {
                    tenant.hold = None;
                }
                for each in &mut tenant.phone_numbers {
                    let is_meant = number.as_ref().is_none_or(|number| *number == each.phone_number_id);
                    if is_meant && each.hold.is_none_or(|hold| by.may_end(hold)) {
                        each.hold = None;
                        each.token_refusals = 0;
                    }
                }
                Ok(())
            })
            .await?;
        self.ports().messages.wake_held(id, number.as_ref(), self.now()).await?;
        Ok(tenant)
    }

    /// Loads the tenant, applies the change and saves it, again if somebody else saved in between.
    pub(super) async fn change_tenant(
        &self,
        id: &TenantId,
        change: impl Fn(&mut Tenant) -> Result<(), Problem>,
    ) -> Result<SharedTenant, Problem> {
        for _ in 0..STALE_ROUNDS_MAX {
            let found = self.ports().tenants.find(id).await?;
            let mut tenant = found
                .filter(|tenant| tenant.removed_at.is_none())
                .ok_or_else(no_such_tenant)?;
            let before = Arc::new(tenant.clone());
            change(&mut tenant)?;
            tenant.updated_at = self.now();
            match self.ports().tenants.save(&tenant).await? {
                TenantSaved::Done => {
                    self.directory().forget(&before);
                    tenant.version += 1;
                    return Ok(Arc::new(tenant));
                }
                TenantSaved::PhoneNumberTaken(number) => return Err(phone_number_taken(&number)),
                TenantSaved::Stale => {}
            }
        }
        Err(Problem::new(
            ErrorCode::Conflict,
            "The tenant kept changing; please try again.",
        ))
    }

    /// The access token of a number, or of the first one.
    pub(super) async fn open_token(&self, tenant: &Tenant, number: Option<&PhoneNumberId>) -> Result<Secret, Problem> {
        let number = tenant.number(number).ok_or_else(no_such_number)?;
        let purpose = token_purpose(&number.phone_number_id);
        Ok(self
            .ports()
            .vault
            .open(&tenant.id, &tenant.wrapped_data_key, &purpose, &number.sealed_token)
            .await?)
    }
}

pub(super) fn no_such_tenant() -> Problem {
    Problem::new(ErrorCode::TenantNotFound, "No tenant has this id.")
}

fn no_such_number() -> Problem {
    Problem::new(
        ErrorCode::PhoneNumberNotFound,
        "The tenant has no number with this phone number id.",
    )
}

/// A number named in a path: what cannot be an id is simply not found.
fn find_number_id(text: &str) -> Result<PhoneNumberId, Problem> {
    parse_phone_number_id(text).map_err(|_| no_such_number())
}
