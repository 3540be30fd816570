//! Registers a tenant, mostly with its first number.

use super::checks::{check, check_name, check_number, check_token, parse_phone_number_id, parse_waba_id};
use super::new::{NewPhoneNumber, NewTenant};
use super::token::token_purpose;
use super::{Tenants, phone_number_taken};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::new_keys::{API_KEY_PREFIX, make_secret};
use crate::domain::SendingRules;
use crate::domain::audit::{AuditAction, Principal, tenant_changes};
use crate::domain::auto_redrive::AutoRedriving;
use crate::domain::standing::Standing;
use crate::domain::tenant::MESSAGES_PER_SECOND_DEFAULT;
use crate::domain::{ApiKey, Country, PhoneNumber, Secret, Tenant, TenantId, TenantLimits};
use crate::ports::{AuditedChange, Carried, Ports};

/// A new tenant, and its API key. The key is shown only this once.
#[derive(Clone, Debug)]
pub struct RegisteredTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// Its key.
    pub api_key: Secret,
    /// The secret of the endpoint of its `callbackUrl`, if that was made.
    pub callback_secret: Option<Secret>,
}

impl Tenants {
    /// Registers a tenant. Its number must not belong to another one. The endpoint of its `callbackUrl` is another record.
    pub(in crate::app) async fn register(&self, new: NewTenant, by: &Principal) -> Result<RegisteredTenant, Failure> {
        let url = new.callback_url.as_deref().map(|url| {
            let parsed = self.callback_rules.parse(url);
            parsed.map_err(|fault| fault.problem("/callbackUrl"))
        });
        let first = new.number.as_ref().map(|number| (number, token_of(number)));
        check(&[
            check_name(&new.name),
            url.as_ref().and_then(|url| url.as_ref().err().cloned()),
            first.as_ref().and_then(|(_, token)| check_token(token, "/accessToken")),
            first.as_ref().and_then(|(number, _)| check_number(number)),
        ])?;
        let known = match &first {
            Some((number, token)) => {
                let account = number.waba_id.as_deref().map(parse_waba_id).transpose()?;
                self.token_checks.given(token, &[account]).await?
            }
            None => None,
        };
        let Ports {
            ids, vault, secrets, ..
        } = &self.ports;
        let id = ids.tenant_id();
        let (api_key, kept) = make_secret(API_KEY_PREFIX, &**ids, secrets);
        let wrapped_data_key = vault.new_data_key(&id).await?;
        let phone_numbers = match &first {
            Some((number, token)) => {
                let number = self.seal_number(&id, &wrapped_data_key, number, token).await?;
                vec![PhoneNumber { token: known, ..number }]
            }
            None => Vec::new(),
        };
        let now = self.now();
        let tenant = Tenant {
            id,
            name: new.name.trim().to_owned(),
            callback_url: url.transpose()?.map(|url| url.as_str().to_owned()),
            keys: vec![ApiKey::first(ids.api_key_id(), kept, now)],
            wrapped_data_key,
            hold: None,
            unknown_outcome: new.unknown_outcome.unwrap_or_default(),
            phone_numbers,
            past_numbers: Vec::new(),
            limits: TenantLimits::default(),
            auto: AutoRedriving::default(),
            rules: SendingRules::default(),
            leaving: None,
            created_at: now,
            updated_at: now,
            removed_at: None,
            version: 0,
        };
        self.insert(&tenant, by).await?;
        Ok(RegisteredTenant {
            tenant,
            api_key,
            callback_secret: None,
        })
    }

    /// Stores a tenant that is new, with the record of who made it.
    async fn insert(&self, tenant: &Tenant, by: &Principal) -> Result<(), Failure> {
        let deed = Deed::new(by, AuditAction::TenantRegistered).of(&tenant.id);
        let change = AuditedChange::InsertTenant(Box::new(tenant.clone()));
        match self
            .ledger
            .carry_out(&change, &deed, tenant_changes(None, tenant))
            .await?
        {
            Carried::Done => {
                tracing::info!(tenant_id = %tenant.id, "tenant registered");
                for number in &tenant.phone_numbers {
                    self.begin_anew(&number.phone_number_id).await;
                }
                Ok(())
            }
            Carried::PhoneNumberTaken(number) => Err(phone_number_taken(&number).into()),
            Carried::Stale | Carried::SeatTaken => Err(Failure::KeptChanging("tenant")),
        }
    }

    /// Makes the number, with its token sealed for this tenant.
    pub(super) async fn seal_number(
        &self,
        tenant_id: &TenantId,
        wrapped_data_key: &[u8],
        new: &NewPhoneNumber,
        token: &Secret,
    ) -> Result<PhoneNumber, Failure> {
        let phone_number_id = parse_phone_number_id(&new.phone_number_id)?;
        let waba_id = new.waba_id.as_deref().map(parse_waba_id).transpose()?;
        let purpose = token_purpose(&phone_number_id);
        let sealed_token = self
            .ports
            .vault
            .seal(tenant_id, wrapped_data_key, &purpose, token)
            .await?;
        Ok(PhoneNumber {
            phone_number_id,
            waba_id,
            waba_is_learned: false,
            display_phone_number: new.display_phone_number.clone(),
            default_country: new.default_country.as_deref().and_then(Country::parse),
            sealed_token,
            simulated: token.is_mock_token(),
            messages_per_second: new.messages_per_second.unwrap_or(MESSAGES_PER_SECOND_DEFAULT),
            hold: None,
            token_refusals: 0,
            token: None,
            sealed_pin: None,
            standing: Standing::of_new(token.is_mock_token()),
        })
    }
}

fn token_of(number: &NewPhoneNumber) -> Secret {
    number.access_token.clone().unwrap_or_else(|| Secret::new(""))
}
