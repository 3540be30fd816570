//! Signups: asked for with a code of Meta's dialog or by a link, and carried on, step by step, by whichever process has time.
//!
//! The end of a step and the beginning of the next one are one save. What a step does at Meta it looks for first, so a step
//! that a crash has interrupted is taken again and does nothing twice that Meta does not allow to be done twice.
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | making a link and the answer | a link that nobody knows | its time is over one day |
//! | asking and the answer | a signup, of which nobody knows the id | it is carried on; the same code finds it again |
//! | taking it and the step | a lease | its end; a process that sends alone takes it at once |
//! | Meta's exchange of the code and keeping the token | a code that is used, and a token that nobody has | nothing: Meta says so, and it waits for another code |
//! | that exchange and sealing the token, because the key service is away | a token in memory | it is sealed later; if the process ends before, as above |
//! | keeping the token and looking at it | a sealed token | the next process looks at it |
//! | making a PIN and registering | a sealed PIN that no number has | it is registered with that PIN |
//! | subscribing and its save | a subscription | it is looked up, and found |
//! | registering and its save | a registered number, and the PIN that it has | it is looked up, and found |
//! | deregistering and its save | a number without registration | it is deregistered again, which counts once more, and registered |
//! | sharing a credit line and its save | an account that is paid for | it is looked up, and found |
//! | the number in its tenant and the save | a tenant that can send, and a signup that is not done | the tenant is found to have the token |
//! | asking for contacts or history and its save | Meta sends them, and nobody knows the id of the request | it is asked for again, and refused as used: that counts as done |
//! | the number in its tenant and waking what waits | messages that are still held | their timers, and the step that is taken again |

mod app_sync;
mod asked;
mod calls;
mod claims;
mod exchange;
mod keeping;
mod links;
mod remembered;
mod reseal;
mod shown;
mod steps;
mod taken;
mod visits;
mod work;

use std::sync::Arc;

use futures_util::lock::Mutex as AsyncMutex;
use parking_lot::Mutex;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::sending::Outages;
use super::settings::Settings;
use super::signup_settings::SignupSettings;
use super::stale::ROUNDS_MAX;
use super::tenants::Tenants;
use super::tenants::leaving::{check_number_stays, check_stays};
use super::tokens::AppSecrets;
use super::under_way::UnderWay;
use crate::domain::audit::{AuditAction, FieldChanges, Principal};
use crate::domain::ids::{AppId, SignupId};
use crate::domain::page::{Listed, PageLimit};
use crate::domain::signup::{CODE_LIFE, NewCode, NewSignup, RUNNING_SIGNUPS_MAX, Retried, Signup};
use crate::domain::{Actor, ErrorCode, PhoneNumberId, Problem, Secret, Tenant, TenantId, WabaId};
use crate::metrics::Metrics;
use crate::ports::{
    AuditedChange, Carried, Clock, IdGenerator, OnboardingApi, Ports, SignupStore, TenantStore, TokensApi,
};
use crate::vault::{InstallationSecrets, Vault};
use asked::Wishes;
use remembered::{GivenToken, Remembered};

pub use asked::{NewNumberSignup, SignupRetry};
pub use links::NewLink;
pub use shown::ShownSignup;
pub use visits::{DialogReport, Visit, Visitor};

/// Signups that are looked at to see how many are under way: the newest.
const COUNTED_MAX: u32 = 200;

/// Signups of tenants.
pub struct Onboarding {
    store: Arc<dyn SignupStore>,
    tenants: Arc<Tenants>,
    tenant_store: Arc<dyn TenantStore>,
    api: Arc<dyn OnboardingApi>,
    tokens_api: Arc<dyn TokensApi>,
    apps: AppSecrets,
    vault: Arc<Vault>,
    secrets: Arc<InstallationSecrets>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    metrics: Arc<Metrics>,
    outages: Outages,
    settings: SignupSettings,
    process: Arc<str>,
    under_way: UnderWay<SignupId>,
    /// Two signups of one number would each make it a PIN, and register it.
    numbers: UnderWay<PhoneNumberId>,
    /// Signups as they should have been saved.
    unsaved: Mutex<Remembered<Signup>>,
    /// Tokens that could not be sealed.
    given: Mutex<Remembered<GivenToken>>,
    /// Two of them do not look for the same account at the same time.
    connecting: AsyncMutex<()>,
    is_sole_sender: bool,
    ledger: Ledger,
}

impl Onboarding {
    pub(super) fn new(
        ports: &Ports,
        settings: &Settings,
        tenants: Arc<Tenants>,
        apps: AppSecrets,
        outages: Outages,
    ) -> Self {
        Self {
            store: ports.signups.clone(),
            tenants,
            tenant_store: ports.tenants.clone(),
            api: ports.onboarding_api.clone(),
            tokens_api: ports.tokens_api.clone(),
            apps,
            vault: ports.vault.clone(),
            secrets: ports.secrets.clone(),
            clock: ports.clock.clone(),
            ids: ports.ids.clone(),
            metrics: ports.metrics.clone(),
            outages,
            settings: settings.signups.clone(),
            process: settings.worker_id.clone(),
            under_way: UnderWay::default(),
            numbers: UnderWay::default(),
            unsaved: Mutex::default(),
            given: Mutex::default(),
            connecting: AsyncMutex::new(()),
            is_sole_sender: settings.is_sole_sender,
            ledger: Ledger::new(ports),
        }
    }

    /// Begins a signup with a code of Meta's dialog, or returns the one that began with it. A process that sends carries it on.
    /// The flag says if it is new.
    pub async fn begin(
        &self,
        tenant_id: &TenantId,
        new: NewNumberSignup,
        by: &Principal,
    ) -> Result<(Signup, bool), Failure> {
        let wishes = new.check()?;
        let key = self.key_of(&new.code);
        if let Some(known) = self.of_code(tenant_id, &key).await? {
            return Ok((known, false));
        }
        let tenant = self.tenants.stored(tenant_id).await?;
        check_stays(tenant.leaving.as_ref())?;
        check_number_stays(&tenant, wishes.number.as_ref())?;
        // A tenant is not told whose a number is that it has not shown to be its own.
        if by.actor() == Actor::Operator {
            self.check_owners(tenant_id, &wishes).await?;
        }
        self.check_running(tenant_id).await?;
        let app_id = self.app_for(new.app_id.as_deref()).await?;
        let id = self.ids.signup_id();
        let now = self.clock.now();
        let with = self.sealed(&tenant, &id, wishes, Some(&new.code), new.pin.as_ref());
        let new = NewSignup {
            id,
            tenant_id: *tenant_id,
            asked_by: by.who,
            key: key.clone(),
            app_id,
            with: with.await?,
        };
        let signup = Signup::new(new, now);
        let deed = deed(by, AuditAction::SignupBegun, &signup);
        let change = AuditedChange::InsertSignup(Box::new(signup.clone()));
        match self.ledger.carry_out(&change, &deed, Vec::new()).await? {
            Carried::Done => {
                tracing::info!(signup_id = %id, %tenant_id, "a signup began");
                Ok((signup, true))
            }
            // The same code came twice at once.
            _ => match self.of_code(tenant_id, &key).await? {
                Some(known) => Ok((known, false)),
                None => Err(Failure::KeptChanging("signup")),
            },
        }
    }

    /// Returns a signup of the tenant.
    pub async fn find(&self, tenant_id: &TenantId, id: &str) -> Result<Signup, Failure> {
        let missing = || Problem::new(ErrorCode::SignupNotFound, "The tenant has no signup with this id.");
        let id = SignupId::parse(id).map_err(|_| missing())?;
        let found = self.store.find_signup(tenant_id, &id).await?;
        Ok(found.ok_or_else(missing)?.as_of(self.clock.now()))
    }

    /// Returns the newest signups of the tenant, for the operator's shell.
    pub async fn newest(&self, tenant_id: &TenantId, limit: u32) -> Result<Listed<Signup>, Failure> {
        let listed = self.store.list_signups(tenant_id, None, PageLimit::items(limit));
        let (mut listed, now) = (listed.await?, self.clock.now());
        listed.items = listed.items.into_iter().map(|signup| signup.as_of(now)).collect();
        Ok(listed)
    }

    /// Lets a signup go on that has stopped or waits, with what a person brings. One that is under way or done stays as it is.
    pub async fn retry(
        &self,
        tenant_id: &TenantId,
        id: &str,
        retry: SignupRetry,
        by: &Principal,
    ) -> Result<Signup, Failure> {
        let wishes = retry.check()?;
        for _ in 0..ROUNDS_MAX {
            let mut signup = self.find(tenant_id, id).await?;
            let code = self.new_code(&signup, retry.code.as_ref()).await?;
            let was = signup.state.as_str();
            let tenant = self.tenants.stored(tenant_id).await?;
            check_stays(tenant.leaving.as_ref())?;
            if signup.needs_pin() && retry.pin.is_none() && code.is_none() {
                return Err(needs_its_pin().into());
            }
            let with = self.sealed(&tenant, &signup.id, wishes.clone(), code, retry.pin.as_ref());
            let with = with.await?;
            let has_code = with.code.is_some();
            let needs_code = signup.needs_code();
            if !signup.retry(with, self.clock.now()) {
                return Ok(signup);
            }
            if needs_code && !has_code {
                return Err(needs_another_code().into());
            }
            check_number_stays(&tenant, signup.asked_number.as_ref().or(signup.number_id()))?;
            let mut fields = FieldChanges::default();
            fields.shown("state", Some(was), Some(signup.state.as_str()));
            let deed = deed(by, AuditAction::SignupRetried, &signup);
            let change = AuditedChange::SaveSignup(Box::new(signup.clone()));
            if self.ledger.carry_out(&change, &deed, fields.into_vec()).await? == Carried::Done {
                signup.version += 1;
                tracing::info!(signup_id = %signup.id, %tenant_id, step = signup.step.as_str(), "a signup was retried");
                return Ok(signup);
            }
        }
        Err(Failure::KeptChanging("signup"))
    }

    /// The signup of this tenant that began with the code, if there is one.
    async fn of_code(&self, tenant_id: &TenantId, key: &[u8]) -> Result<Option<Signup>, Failure> {
        match self.store.find_signup_of_key(key).await? {
            Some(signup) if signup.tenant_id != *tenant_id => Err(code_is_used().into()),
            found => Ok(found),
        }
    }

    /// The code of a retry, unless the signup began with it and does not need one.
    async fn new_code<'a>(&self, signup: &Signup, code: Option<&'a Secret>) -> Result<Option<&'a Secret>, Failure> {
        let Some(code) = code else { return Ok(None) };
        match self.store.find_signup_of_key(&self.key_of(code)).await? {
            None => Ok(Some(code)),
            Some(known) if known.id == signup.id && !signup.needs_code() => Ok(None),
            Some(_) => Err(code_is_used().into()),
        }
    }

    /// Fails if somebody else has the number or the account that is wished for.
    async fn check_owners(&self, tenant_id: &TenantId, wishes: &Wishes) -> Result<(), Failure> {
        if let Some(number) = &wishes.number
            && self.is_taken(tenant_id, number).await?
        {
            let words = format!("{number} is registered already");
            return Err(Problem::field(ErrorCode::PhoneNumberTaken, "/phoneNumberId", words).into());
        }
        if let Some(account) = &wishes.account
            && self.is_account_taken(tenant_id, account).await?
        {
            let words = format!("another tenant has numbers of {account}");
            return Err(Problem::field(ErrorCode::AccountTaken, "/wabaId", words).into());
        }
        Ok(())
    }

    async fn is_taken(&self, tenant_id: &TenantId, number: &PhoneNumberId) -> Result<bool, Failure> {
        let owners = self.tenant_store.owners_of_numbers(std::slice::from_ref(number));
        let owner = owners.await.pop().unwrap_or(Ok(None))?;
        Ok(owner.is_some_and(|owner| owner != *tenant_id))
    }

    async fn is_account_taken(&self, tenant_id: &TenantId, account: &WabaId) -> Result<bool, Failure> {
        let owners = self.tenant_store.owners_of_waba(account).await?;
        Ok(owners.iter().any(|owner| owner != tenant_id))
    }

    async fn check_running(&self, tenant_id: &TenantId) -> Result<(), Failure> {
        let newest = self.store.list_signups(tenant_id, None, PageLimit::items(COUNTED_MAX));
        let newest = newest.await?.items;
        // Where only contacts or history are missing, the number is connected.
        let is_running = |signup: &&Signup| signup.needs_work() && !signup.step.is_of_app();
        let running = newest.iter().filter(is_running).count();
        if running < RUNNING_SIGNUPS_MAX {
            return Ok(());
        }
        let detail = format!("{RUNNING_SIGNUPS_MAX} signups of the tenant are under way; wait for one.");
        Err(Problem::new(ErrorCode::TooManySignups, detail).into())
    }

    /// The app that the code is for: the one that is named, or the first one of which id and secret are known.
    async fn app_for(&self, asked: Option<&str>) -> Result<AppId, Failure> {
        let known = self.apps.ids().await;
        let found = match asked {
            Some(asked) => known.into_iter().find(|id| id.as_str() == asked),
            None => known.into_iter().next(),
        };
        let detail = "The id and the secret of the app must be known: APP_ID and APP_SECRET, or dakghar app.";
        Ok(found.ok_or_else(|| Problem::new(ErrorCode::AppNotFound, detail))?)
    }

    /// Seals what somebody brings for a signup.
    async fn sealed(
        &self,
        tenant: &Tenant,
        id: &SignupId,
        wishes: Wishes,
        code: Option<&Secret>,
        pin: Option<&Secret>,
    ) -> Result<Retried, Failure> {
        let code = match code {
            Some(code) => Some(NewCode {
                sealed: self.seal(tenant, id, Sealed::Code, code).await?,
                until: self.clock.now() + CODE_LIFE,
            }),
            None => None,
        };
        let sealed_pin = match pin {
            Some(pin) => Some(self.seal(tenant, id, Sealed::Pin, pin).await?),
            None => None,
        };
        Ok(Retried {
            code,
            sealed_pin,
            account: wishes.account,
            number: wishes.number,
            is_on_app: wishes.is_on_app,
        })
    }

    async fn seal(&self, tenant: &Tenant, id: &SignupId, what: Sealed, secret: &Secret) -> Result<Vec<u8>, Failure> {
        let (key, purpose) = (&tenant.wrapped_data_key, what.purpose(id));
        Ok(self.vault.seal(&tenant.id, key, &purpose, secret).await?)
    }

    /// A keyed hash of a code. It is none of an API key, which has another beginning.
    fn key_of(&self, code: &Secret) -> Vec<u8> {
        let text = Secret::new(format!("signup code/{}", code.reveal()));
        self.secrets.hash_api_key(text.reveal())
    }
}

/// What is sealed in a signup. Each opens for its signup and its use only.
#[derive(Clone, Copy)]
enum Sealed {
    Code,
    Token,
    Pin,
}

impl Sealed {
    fn purpose(self, id: &SignupId) -> String {
        let what = match self {
            Self::Code => "code",
            Self::Token => "token",
            Self::Pin => "pin",
        };
        format!("signup/{id}/{what}")
    }
}

fn deed<'a>(by: &'a Principal, action: AuditAction, signup: &Signup) -> Deed<'a> {
    Deed::new(by, action).of(&signup.tenant_id).about("signup", signup.id)
}

fn code_is_used() -> Problem {
    Problem::new(
        ErrorCode::SignupCodeUsed,
        "Let the customer finish the dialog again, and use the new code.",
    )
}

/// Meta locks a number for which it is told wrong PINs.
fn needs_its_pin() -> Problem {
    let message = "is needed: the number has a PIN of its own. Whoever does not know it switches two-step verification off \
        in WhatsApp Manager, and gives any six digits";
    Problem::field(ErrorCode::InvalidField, "/pin", message)
}

fn needs_another_code() -> Problem {
    Problem::new(
        ErrorCode::SignupNeedsCode,
        "Its code is over. Let the customer finish the dialog again, and give the new code.",
    )
}
