//! The steps of a departure that take back what was set up at Meta. Each looks at Meta before it changes anything there.

use super::Departing;
use super::calls::{after, no_answer};
use super::taken::{Halt, Taken};
use crate::domain::access_token::TokenVerdict;
use crate::domain::departure::{Departure, DepartureStep};
use crate::domain::ids::AppId;
use crate::domain::page::PageLimit;
use crate::domain::signup::Subscription;
use crate::domain::{PhoneNumber, Secret, Tenant, WabaId};
use crate::ports::{AppAccess, Bearer};

/// Accounts of one token that are looked at, at most.
const ACCOUNTS_MAX: usize = 50;

const NO_NUMBER: &str = "the tenant does not have the number any more";
const NOT_SUBSCRIBED: &str = "the app was not subscribed";
const IS_SERVED: &str = "other numbers of the account are served here";

/// The token of a number, and the means to use it.
struct Keys {
    token: Secret,
    /// The app that it is of, as far as Meta said so.
    app_id: Option<AppId>,
    app_secret: Option<Secret>,
}

impl Keys {
    const fn bearer(&self) -> Bearer<'_> {
        Bearer {
            token: &self.token,
            app_secret: self.app_secret.as_ref(),
        }
    }

    /// Our subscription. Of an unknown app it is the only one that there is.
    fn own<'a>(&self, known: &'a [Subscription]) -> Option<&'a Subscription> {
        match (&self.app_id, known) {
            (Some(id), known) => known.iter().find(|known| known.app_id == *id),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

impl Departing {
    /// Takes one of the steps of an account, which begin with a look at its subscriptions.
    pub(super) async fn leave_account(
        &self,
        departure: &mut Departure,
        step: DepartureStep,
        tenant: &Tenant,
        account: &str,
    ) -> Result<Taken, Halt> {
        let Some((account, keys)) = self.keys_of_account(departure, tenant, account).await? else {
            return Ok(Taken::skipped(NO_NUMBER));
        };
        if self.is_served(departure, &account).await? {
            return Ok(Taken::skipped(IS_SERVED));
        }
        let known = match self.api.subscriptions(keys.bearer(), &account).await {
            Ok(known) => known,
            Err(failure) => return after(departure, step, &failure),
        };
        if step == DepartureStep::Override {
            self.release_override(departure, &account, &keys, &known).await
        } else {
            self.unsubscribe(departure, &account, &keys, &known).await
        }
    }

    async fn release_override(
        &self,
        departure: &mut Departure,
        account: &WabaId,
        keys: &Keys,
        known: &[Subscription],
    ) -> Result<Taken, Halt> {
        let url = keys.own(known).and_then(|own| own.override_url.as_deref());
        match url {
            None => return Ok(Taken::skipped("there is no override")),
            Some(url) if self.webhook_url.as_deref() != Some(url) => {
                return Ok(Taken::skipped("the override is not the one that signups set"));
            }
            Some(_) => {}
        }
        self.note_change(departure).await?;
        // A subscription that names no URL is one at the app's own.
        match self.api.subscribe(keys.bearer(), account, None).await {
            Ok(()) => Ok(Taken::done(None)),
            Err(failure) => after(departure, DepartureStep::Override, &failure),
        }
    }

    async fn unsubscribe(
        &self,
        departure: &mut Departure,
        account: &WabaId,
        keys: &Keys,
        known: &[Subscription],
    ) -> Result<Taken, Halt> {
        // Of an unknown app, Meta knows which one the token is of.
        let is_there = match keys.app_id {
            Some(_) => keys.own(known).is_some(),
            None => !known.is_empty(),
        };
        if !is_there {
            return Ok(Taken::done(Some(NOT_SUBSCRIBED)));
        }
        self.note_change(departure).await?;
        match self.api.unsubscribe(keys.bearer(), account).await {
            Ok(()) => Ok(Taken::done(None)),
            Err(failure) => after(departure, DepartureStep::Unsubscribe, &failure),
        }
    }

    pub(super) async fn deregister(
        &self,
        departure: &mut Departure,
        tenant: &Tenant,
        number: &str,
    ) -> Result<Taken, Halt> {
        let Some(number) = number_of(tenant, number) else {
            return Ok(Taken::skipped(NO_NUMBER));
        };
        let keys = self.keys(tenant, number).await?;
        let id = &number.phone_number_id;
        let facts = match self.api.number(keys.bearer(), id).await {
            Ok(facts) => facts,
            Err(failure) => return after(departure, DepartureStep::Deregister, &failure),
        };
        if facts.is_on_app {
            return Ok(Taken::skipped("the number is used with the WhatsApp Business app"));
        }
        if !facts.is_registered() {
            return Ok(Taken::done(Some("the number was not registered")));
        }
        self.note_change(departure).await?;
        match self.api.deregister(keys.bearer(), id).await {
            Ok(()) => Ok(Taken::done(None)),
            Err(failure) => after(departure, DepartureStep::Deregister, &failure),
        }
    }

    pub(super) async fn revoke(&self, departure: &mut Departure, tenant: &Tenant, number: &str) -> Result<Taken, Halt> {
        let Some(number) = number_of(tenant, number) else {
            return Ok(Taken::skipped(NO_NUMBER));
        };
        let keys = self.keys(tenant, number).await?;
        if self.is_used_by_others(departure, tenant, number, &keys).await? {
            return Ok(Taken::skipped(
                "other numbers are served with the token, or with its accounts",
            ));
        }
        if let (Some(id), Some(secret)) = (&keys.app_id, &keys.app_secret) {
            match self.tokens_api.inspect(AppAccess { id, secret }, &keys.token).await {
                Ok(TokenVerdict::Invalid(_)) => return Ok(Taken::done(Some("the token did not work any more"))),
                Ok(_) => {}
                Err(why) => return Err(no_answer(departure, &why.0)),
            }
        }
        self.note_change(departure).await?;
        match self.api.revoke(keys.bearer()).await {
            Ok(()) => Ok(Taken::done(None)),
            Err(failure) => after(departure, DepartureStep::Revoke, &failure),
        }
    }

    /// True if a number that stays needs what would be revoked.
    async fn is_used_by_others(
        &self,
        departure: &mut Departure,
        tenant: &Tenant,
        number: &PhoneNumber,
        keys: &Keys,
    ) -> Result<bool, Halt> {
        let leaving = departure.leaving();
        let stays = |other: &&PhoneNumber| !other.simulated && !leaving.has(&other.phone_number_id);
        for other in tenant.phone_numbers.iter().filter(stays) {
            let token = self.tenants.open_token(tenant, Some(&other.phone_number_id)).await?;
            if token.reveal() == keys.token.reveal() {
                return Ok(true);
            }
        }
        let facts = number.token.as_ref().and_then(|known| known.facts.as_ref());
        let accounts = facts.map(|facts| &*facts.accounts).unwrap_or_default();
        for account in accounts.iter().take(ACCOUNTS_MAX) {
            if self.is_served(departure, account).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// True if a tenant here has a number of the account that is not leaving, or may still be called off.
    async fn is_served(&self, departure: &mut Departure, account: &WabaId) -> Result<bool, Halt> {
        let owners = self.tenant_store.owners_of_waba(account).await?;
        let mut leaving_too = Vec::new();
        for found in self.tenant_store.find_all(&owners).await {
            let Some(tenant) = found?.filter(|tenant| tenant.removed_at.is_none()) else {
                continue;
            };
            let of_account = |number: &&PhoneNumber| number.waba_id.as_ref() == Some(account);
            let mut numbers = tenant.phone_numbers.iter().filter(of_account);
            if numbers.any(|number| !tenant.is_leaving(&number.phone_number_id)) {
                return Ok(true);
            }
            if tenant.id != departure.tenant_id {
                leaving_too.push(tenant.id);
            }
        }
        if leaving_too.is_empty() {
            return Ok(false);
        }
        // Of two that leave at once each finds that the other cannot stay, or the later one does.
        self.note_change(departure).await?;
        for tenant_id in leaving_too {
            let newest = self
                .store
                .list_departures(&tenant_id, None, PageLimit::items(1))
                .await?;
            if newest.items.iter().any(Departure::may_be_cancelled) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The account, and the token of a number of it that leaves.
    async fn keys_of_account(
        &self,
        departure: &Departure,
        tenant: &Tenant,
        account: &str,
    ) -> Result<Option<(WabaId, Keys)>, Halt> {
        let leaving = departure.leaving();
        let mut numbers = tenant.phone_numbers.iter();
        let found = numbers.find(|number| {
            let is_of_account = number.waba_id.as_ref().is_some_and(|id| id.as_str() == account);
            is_of_account && !number.simulated && leaving.has(&number.phone_number_id)
        });
        let Some((number, id)) = found.and_then(|number| Some((number, number.waba_id.clone()?))) else {
            return Ok(None);
        };
        Ok(Some((id, self.keys(tenant, number).await?)))
    }

    /// Opens the token of a number, and finds the secret that proves our calls.
    async fn keys(&self, tenant: &Tenant, number: &PhoneNumber) -> Result<Keys, Halt> {
        Ok(Keys {
            token: self.tenants.open_token(tenant, Some(&number.phone_number_id)).await?,
            app_id: number.token_app().cloned(),
            app_secret: self.apps.of_number(number).await,
        })
    }
}

fn number_of<'a>(tenant: &'a Tenant, id: &str) -> Option<&'a PhoneNumber> {
    let mut numbers = tenant.phone_numbers.iter();
    numbers.find(|number| number.phone_number_id.as_str() == id)
}
