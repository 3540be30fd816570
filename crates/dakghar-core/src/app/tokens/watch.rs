//! Looks at every access token once a day.
//!
//! A pass walks all tenants. What it learns is saved with the tenant, together with the event that the token ends soon, so
//! each warning is told once, whoever walks. A token that was renewed and not saved, because of a crash between the two,
//! costs nothing: the old one is valid until its end, and the next pass renews it again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::given::{Looked, TokenChecks};
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::app::tenants::{Tenants, token_purpose};
use crate::domain::access_token::{KnownToken, TokenFacts, WARNED_DAYS};
use crate::domain::page::PageLimit;
use crate::domain::{PhoneNumber, PhoneNumberId, Secret, Tenant, TenantId, Timestamp};
use crate::metrics::{Metrics, TokenEnds};
use crate::ports::{Clock, Ports, TenantStore};
use crate::vault::Vault;

/// Tenants that are read at once.
const TENANTS: u32 = 100;
const DAY: Duration = Duration::from_hours(24);

/// Looks at access tokens.
pub struct TokenWatch {
    checks: TokenChecks,
    tenants: Arc<Tenants>,
    store: Arc<dyn TenantStore>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

/// Where a pass is.
#[derive(Debug, Default)]
pub struct TokenPass {
    /// Tenants with a token to look at.
    due: VecDeque<TenantId>,
    /// The last tenant that was read.
    last: Option<TenantId>,
    has_all: bool,
    /// Tokens that end within each of [`WARNED_DAYS`].
    ending: [i64; WARNED_DAYS.len()],
}

/// A step of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenStep {
    /// How often Meta was asked.
    pub asked: usize,
    /// True if the pass is through.
    pub is_through: bool,
}

/// A token, and the numbers that have it.
struct Shared {
    token: Secret,
    numbers: Vec<PhoneNumberId>,
}

impl TokenWatch {
    pub(in crate::app) fn new(ports: &Ports, tenants: Arc<Tenants>, checks: TokenChecks) -> Self {
        Self {
            checks,
            tenants,
            store: ports.tenants.clone(),
            vault: ports.vault.clone(),
            clock: ports.clock.clone(),
            metrics: ports.metrics.clone(),
        }
    }

    /// Does the next step of a pass: reads some tenants, or looks at the tokens of one. After an error it is done again.
    pub async fn step(&self, pass: &mut TokenPass) -> Result<TokenStep, Failure> {
        let mut asked = 0;
        if let Some(id) = pass.due.front().copied() {
            asked = self.look_at(&id).await?;
            pass.due.pop_front();
        } else if !pass.has_all {
            self.read_tenants(pass).await?;
        }
        let is_through = pass.due.is_empty() && pass.has_all;
        if is_through {
            let within = [TokenEnds::Fortnight, TokenEnds::Week, TokenEnds::Day];
            for (ends, count) in within.into_iter().zip(pass.ending) {
                self.metrics.tokens_ending.of(ends).set(count);
            }
        }
        Ok(TokenStep { asked, is_through })
    }

    async fn read_tenants(&self, pass: &mut TokenPass) -> Result<(), Failure> {
        if !self.checks.has_apps().await {
            pass.has_all = true;
            return Ok(());
        }
        let listed = self.store.list(pass.last, PageLimit::items(TENANTS)).await?;
        let now = self.clock.wall();
        for tenant in listed.items.iter().filter(|tenant| tenant.removed_at.is_none()) {
            for ends in tenant.phone_numbers.iter().filter_map(ends_at) {
                for (count, days) in pass.ending.iter_mut().zip(WARNED_DAYS) {
                    *count += i64::from(ends.since(now) <= DAY * days);
                }
            }
            if tenant.phone_numbers.iter().any(|number| is_due(number, now)) {
                pass.due.push_back(tenant.id);
            }
        }
        pass.last = listed.next;
        pass.has_all = listed.next.is_none();
        Ok(())
    }

    /// Looks at the tokens of a tenant. Returns how often Meta was asked.
    async fn look_at(&self, id: &TenantId) -> Result<usize, Failure> {
        let tenant = match self.tenants.stored(id).await {
            Ok(tenant) => tenant,
            // It was removed meanwhile, or cannot be read.
            Err(Failure::Refused(_)) => return Ok(0),
            Err(failure) => return Err(failure),
        };
        let mut asked = 0;
        for Shared { token, numbers } in self.tokens_of(&tenant).await {
            asked += 1;
            match self.checks.look(&token).await {
                Looked::Valid(facts) => {
                    let renewed = self.renewed(&facts, &token).await;
                    self.keep(&tenant, &numbers, Some(facts), renewed).await?;
                }
                Looked::NoApp => self.keep(&tenant, &numbers, None, None).await?,
                Looked::Invalid(why) => self.hold(&tenant, &numbers, &why).await?,
                Looked::Unknown(why) => {
                    tracing::debug!(tenant_id = %id, %why, "an access token could not be looked at yet");
                }
            }
        }
        Ok(asked)
    }

    /// The tokens of a tenant that are due, each once.
    async fn tokens_of(&self, tenant: &Tenant) -> Vec<Shared> {
        let now = self.clock.wall();
        let mut found: Vec<Shared> = Vec::new();
        for number in tenant.phone_numbers.iter().filter(|number| is_due(number, now)) {
            let id = &number.phone_number_id;
            let (purpose, key) = (token_purpose(id), &tenant.wrapped_data_key);
            let opened = self.vault.open(&tenant.id, key, &purpose, &number.sealed_token).await;
            match opened {
                Ok(token) => match found.iter_mut().find(|known| known.token.reveal() == token.reveal()) {
                    Some(known) => known.numbers.push(id.clone()),
                    None => found.push(Shared {
                        token,
                        numbers: vec![id.clone()],
                    }),
                },
                Err(error) => {
                    tracing::warn!(tenant_id = %tenant.id, phone_number_id = %id, %error, "an access token cannot be looked at");
                }
            }
        }
        found
    }

    /// A token in place of one that ends soon, with what Meta says of it.
    async fn renewed(&self, facts: &TokenFacts, token: &Secret) -> Option<(Secret, TokenFacts)> {
        if !facts.is_to_be_renewed(self.clock.wall()) {
            return None;
        }
        let renewed = self.checks.renew(facts, token).await?;
        match self.checks.look(&renewed).await {
            Looked::Valid(of_renewed) if of_renewed.expires_at.is_none_or(|ends| facts.expires_at < Some(ends)) => {
                Some((renewed, of_renewed))
            }
            _ => None,
        }
    }

    /// Saves what was learned of a token, and the one in its place.
    async fn keep(
        &self,
        tenant: &Tenant,
        numbers: &[PhoneNumberId],
        facts: Option<TokenFacts>,
        renewed: Option<(Secret, TokenFacts)>,
    ) -> Result<(), Failure> {
        let now = self.clock.wall();
        let mut sealed = Vec::with_capacity(numbers.len());
        for number in numbers {
            let seal = async |(token, _): &(Secret, TokenFacts)| {
                let (purpose, key) = (token_purpose(number), &tenant.wrapped_data_key);
                self.vault.seal(&tenant.id, key, &purpose, token).await
            };
            sealed.push(match &renewed {
                Some(renewed) => Some(seal(renewed).await?),
                None => None,
            });
        }
        let facts = renewed.as_ref().map_or(facts, |(_, facts)| Some(facts.clone()));
        let change = |number: &mut PhoneNumber| {
            number.token = Some(KnownToken::learned(facts.clone(), now, number.token.as_ref()));
            let place = numbers.iter().position(|id| *id == number.phone_number_id);
            if let Some(sealed) = place.and_then(|place| sealed[place].clone()) {
                number.sealed_token = sealed;
                number.token_refusals = 0;
            }
        };
        self.change_numbers(tenant, numbers, change).await?;
        if renewed.is_some() {
            self.metrics.tokens_renewed.inc();
            tracing::info!(tenant_id = %tenant.id, numbers = numbers.len(), "an access token was renewed");
        } else if let Some(days) = facts.and_then(|facts| KnownToken::learned(Some(facts), now, None).warned_days) {
            tracing::warn!(tenant_id = %tenant.id, numbers = numbers.len(), days, "an access token ends soon");
        }
        Ok(())
    }

    /// Puts the numbers of a token on hold that Meta says does not work.
    async fn hold(&self, tenant: &Tenant, numbers: &[PhoneNumberId], why: &str) -> Result<(), Failure> {
        let at = self.clock.present();
        let change = |number: &mut PhoneNumber| number.token_does_not_work(at);
        self.change_numbers(tenant, numbers, change).await?;
        tracing::warn!(tenant_id = %tenant.id, numbers = numbers.len(), why, "an access token does not work; its numbers are on hold");
        Ok(())
    }

    /// Changes those of the numbers that still have the token that was looked at.
    async fn change_numbers(
        &self,
        seen: &Tenant,
        numbers: &[PhoneNumberId],
        change: impl Fn(&mut PhoneNumber) + Send + Sync,
    ) -> Result<(), Failure> {
        let changed = self.tenants.change_if_there(&seen.id, |tenant| {
            let mut step = Step::Leave;
            for id in numbers {
                let was = seen.number(Some(id)).map(|number| &number.sealed_token);
                let number = tenant.number_mut(id);
                if let Some(number) = number.filter(|number| Some(&number.sealed_token) == was) {
                    change(number);
                    step = Step::Save;
                }
            }
            Ok(step)
        });
        changed.await?;
        Ok(())
    }
}

fn ends_at(number: &PhoneNumber) -> Option<Timestamp> {
    number.token.as_ref().and_then(KnownToken::expires_at)
}

fn is_due(number: &PhoneNumber, now: Timestamp) -> bool {
    !number.simulated && number.token.as_ref().is_none_or(|known| known.is_due(now))
}
