//! The steps of a signup. Each looks at Meta before it changes anything there, and returns what became of it.

use super::calls::{after, no_answer};
use super::taken::{Halt, Taken};
use super::{Onboarding, Sealed};
use crate::app::failure::Failure;
use crate::app::tenants::ConnectedNumber;
use crate::app::tenants::leaving::check_stays;
use crate::domain::access_token::{KnownToken, SEND_SCOPE, TokenFacts, TokenVerdict};
use crate::domain::audit::Principal;
use crate::domain::signup::{NumberFacts, PIN_DIGITS, PROFILE_BYTES_MAX, Reason, Signup, SignupStep};
use crate::domain::{ErrorCode, PhoneNumberId, Secret, Tenant, WabaId};
use crate::ports::{AppAccess, AppSync, Bearer, CreditShare};

/// The scope without which Meta does not let us register a number.
const MANAGE_SCOPE: &str = "whatsapp_business_management";
/// The currency of an account that names none.
const CURRENCY_DEFAULT: &str = "USD";
/// Ids of accounts or numbers that are named to a person who has to choose.
const NAMED_MAX: usize = 10;

/// Said where the dialog told of a number of the app.
const NOT_ON_APP: &str =
    "the dialog told of the WhatsApp Business app, and Meta says that the number is not used with it";

/// Who the token of a signup is for, and the means to use it.
struct Keys {
    token: Secret,
    app_secret: Option<Secret>,
}

impl Keys {
    const fn bearer(&self) -> Bearer<'_> {
        Bearer {
            token: &self.token,
            app_secret: self.app_secret.as_ref(),
        }
    }
}

impl Onboarding {
    /// Takes the step that the signup is at.
    pub(super) async fn take(&self, signup: &mut Signup) -> Result<Taken, Halt> {
        let tenant = match self.tenants.stored(&signup.tenant_id).await {
            Ok(tenant) => tenant,
            Err(Failure::Refused(_)) => return Err(self.stop(Reason::TenantGone, None)),
            Err(failure) => return Err(failure.into()),
        };
        if check_stays(tenant.leaving.as_ref()).is_err() {
            return Err(self.stop(Reason::TenantGone, None));
        }
        if signup.step == SignupStep::Exchange {
            return self.exchange(signup, &tenant).await;
        }
        // It was free when the account was read, and that may be long ago.
        if matches!(signup.step, SignupStep::Register | SignupStep::Tenant) {
            self.check_claim(signup, &tenant).await?;
        }
        let keys = self.keys(signup, &tenant).await?;
        match signup.step {
            SignupStep::Exchange | SignupStep::Token => self.check_token(signup, &keys).await,
            SignupStep::Account => self.read_account(signup, &keys).await,
            SignupStep::Subscribe => self.subscribe(signup, &keys).await,
            SignupStep::Register => self.register(signup, &tenant, &keys).await,
            SignupStep::Facts => self.read_facts(signup, &keys).await,
            SignupStep::Credit => self.share_credit(signup, &keys).await,
            SignupStep::Tenant => self.connect(signup, &tenant, keys).await,
            SignupStep::Contacts => self.ask_app(signup, &tenant, keys.bearer(), AppSync::Contacts).await,
            SignupStep::History => self.ask_app(signup, &tenant, keys.bearer(), AppSync::History).await,
        }
    }

    async fn check_token(&self, signup: &mut Signup, keys: &Keys) -> Result<Taken, Halt> {
        let Some(secret) = &keys.app_secret else {
            return Err(self.stop(Reason::AppUnknown, None));
        };
        let app = AppAccess {
            id: &signup.app_id,
            secret,
        };
        let facts = match self.tokens_api.inspect(app, &keys.token).await {
            Ok(TokenVerdict::Valid(facts)) => facts,
            Ok(TokenVerdict::Invalid(why)) => {
                signup.forget_token();
                return Err(self.stop(Reason::TokenInvalid, Some(&why)));
            }
            Ok(TokenVerdict::OtherApp) => {
                signup.forget_token();
                return Err(self.stop(Reason::TokenOfOtherApp, None));
            }
            Err(why) => return Err(no_answer(signup, &why.0, self.clock.now())),
        };
        if facts.app_id != signup.app_id {
            signup.forget_token();
            let words = format!("it is of the app {}", facts.app_id);
            return Err(self.stop(Reason::TokenOfOtherApp, Some(&words)));
        }
        if let Some(lacking) = lacking_scope(&facts) {
            // A token has the permissions that it was made with, so only another code helps.
            signup.forget_token();
            return Err(self.stop(Reason::ScopeMissing, Some(&format!("it lacks {lacking}"))));
        }
        let account = self.account_of(signup, &facts)?;
        if self.is_account_taken(&signup.tenant_id, &account).await? {
            return Err(self.stop(Reason::AccountTaken, Some(&account.to_string())));
        }
        signup.waba_id = Some(account);
        signup.token = Some(KnownToken::given(Some(facts), self.clock.wall()));
        Ok(Taken::done(None))
    }

    /// The account that the token is for. What the client named counts only if the token allows it.
    fn account_of(&self, signup: &Signup, facts: &TokenFacts) -> Result<WabaId, Halt> {
        let shared = &facts.accounts;
        match (&signup.asked_account, shared.as_slice()) {
            (Some(asked), shared) if shared.contains(asked) => Ok(asked.clone()),
            (None, [only]) => Ok(only.clone()),
            (Some(_), shared) => Err(self.stop(Reason::AccountNotShared, named("it is for", shared).as_deref())),
            (None, []) => Err(self.stop(Reason::AccountNotShared, None)),
            (None, several) => Err(self.stop(Reason::ManyAccounts, named("it is for", several).as_deref())),
        }
    }

    async fn read_account(&self, signup: &mut Signup, keys: &Keys) -> Result<Taken, Halt> {
        let account = self.account_id(signup)?;
        let facts = match self.api.account(keys.bearer(), &account).await {
            Ok(facts) => facts,
            Err(failure) => return after(signup, failure, self.clock.now()),
        };
        let numbers = match self.api.numbers(keys.bearer(), &account).await {
            Ok(numbers) => numbers,
            Err(failure) => return after(signup, failure, self.clock.now()),
        };
        let number = self.number_of(signup, numbers).await?;
        if self.is_taken(&signup.tenant_id, &number.id).await? {
            return Err(self.stop(Reason::NumberTaken, Some(number.id.as_str())));
        }
        let is_hint_wrong = signup.asked_on_app && signup.word_on_app(&number) == Some(false);
        signup.account = Some(facts);
        signup.learn(number);
        Ok(Taken::done(is_hint_wrong.then_some(NOT_ON_APP)))
    }

    /// The number that is meant: the one that the client named, or the only one that nobody has.
    async fn number_of(&self, signup: &Signup, mut numbers: Vec<NumberFacts>) -> Result<NumberFacts, Halt> {
        let ids: Vec<PhoneNumberId> = numbers.iter().map(|number| number.id.clone()).collect();
        let there = named("it has", &ids);
        if let Some(asked) = &signup.asked_number {
            let found = numbers.into_iter().find(|number| number.id == *asked);
            return found.ok_or_else(|| self.stop(Reason::NumberNotThere, there.as_deref()));
        }
        if numbers.len() > 1 {
            let mut owners = self.tenant_store.owners_of_numbers(&ids).await.into_iter();
            numbers.retain(|_| !matches!(owners.next(), Some(Ok(Some(_)))));
        }
        if numbers.len() > 1 && signup.asked_on_app {
            numbers.retain(|number| signup.word_on_app(number) == Some(true));
        }
        match numbers.len() {
            1 => Ok(numbers.remove(0)),
            0 if ids.is_empty() => Err(self.stop(Reason::NoNumber, None)),
            _ => Err(self.stop(Reason::ManyNumbers, there.as_deref())),
        }
    }

    async fn subscribe(&self, signup: &mut Signup, keys: &Keys) -> Result<Taken, Halt> {
        let account = self.account_id(signup)?;
        let wanted = self.settings.webhook.as_ref();
        let known = match self.api.subscriptions(keys.bearer(), &account).await {
            Ok(known) => known,
            Err(failure) => return after(signup, failure, self.clock.now()),
        };
        let own = known.iter().find(|known| known.app_id == signup.app_id);
        if own.is_some_and(|own| own.override_url.as_deref() == wanted.map(|wanted| &*wanted.url)) {
            return Ok(Taken::done(Some("the app was subscribed before")));
        }
        match self.api.subscribe(keys.bearer(), &account, wanted).await {
            Ok(()) => Ok(Taken::done(None)),
            Err(failure) => after(signup, failure, self.clock.now()),
        }
    }

    async fn register(&self, signup: &mut Signup, tenant: &Tenant, keys: &Keys) -> Result<Taken, Halt> {
        let id = self.number_id(signup)?;
        let facts = match self.api.number(keys.bearer(), &id).await {
            Ok(facts) => facts,
            Err(failure) => return after(signup, failure, self.clock.now()),
        };
        let is_registered = facts.is_registered();
        signup.learn(facts);
        if signup.is_on_app() {
            return Ok(Taken::skipped("the number is used with the WhatsApp Business app"));
        }
        if is_registered && !signup.deregisters_first {
            return Ok(Taken::done(Some("the number was registered before")));
        }
        let pin = self.pin(signup, tenant).await?;
        if signup.deregisters_first {
            if let Err(failure) = self.api.deregister(keys.bearer(), &id).await {
                return after(signup, failure, self.clock.now());
            }
            signup.deregisters_first = false;
            self.keep(signup).await?;
        }
        match self.api.register(keys.bearer(), &id, &pin).await {
            Ok(()) => Ok(Taken::done(None)),
            Err(failure) => after(signup, failure, self.clock.now()),
        }
    }

    /// The PIN to register with. One that is made is kept before anybody hears of it: it is the number's from then on.
    async fn pin(&self, signup: &mut Signup, tenant: &Tenant) -> Result<Secret, Halt> {
        if let Some(sealed) = &signup.sealed_pin {
            return self.open(tenant, signup, Sealed::Pin, sealed).await;
        }
        let pin = new_pin(self.ids.secret_bytes());
        signup.sealed_pin = Some(self.seal(tenant, &signup.id, Sealed::Pin, &pin).await?);
        signup.pin_is_made = true;
        self.keep(signup).await?;
        Ok(pin)
    }

    async fn read_facts(&self, signup: &mut Signup, keys: &Keys) -> Result<Taken, Halt> {
        let id = self.number_id(signup)?;
        match self.api.number(keys.bearer(), &id).await {
            Ok(facts) => signup.learn(facts),
            Err(failure) => return after(signup, failure, self.clock.now()),
        }
        match self.api.profile(keys.bearer(), &id).await {
            Ok(profile) => signup.profile = Some(profile).filter(|profile| profile.len() <= PROFILE_BYTES_MAX),
            Err(failure) => return after(signup, failure, self.clock.now()),
        }
        Ok(Taken::done(None))
    }

    async fn share_credit(&self, signup: &mut Signup, keys: &Keys) -> Result<Taken, Halt> {
        let Some(line) = &self.settings.credit else {
            return Ok(Taken::skipped("no credit line is configured"));
        };
        let id = self.account_id(signup)?;
        let account = match self.api.account(keys.bearer(), &id).await {
            Ok(account) => account,
            Err(failure) => return after(signup, failure, self.clock.now()),
        };
        let has_funding = account.has_funding;
        let currency = account.currency.clone();
        signup.account = Some(account);
        if has_funding {
            return Ok(Taken::done(Some("the account is paid for already")));
        }
        let share = CreditShare {
            line: &line.id,
            account: &id,
            currency: currency.as_deref().unwrap_or(CURRENCY_DEFAULT),
        };
        let as_operator = Bearer {
            token: &line.token,
            app_secret: None,
        };
        match self.api.share_credit(as_operator, share).await {
            Ok(()) => Ok(Taken::done(None)),
            Err(failure) => after(signup, failure, self.clock.now()),
        }
    }

    async fn connect(&self, signup: &Signup, tenant: &Tenant, keys: Keys) -> Result<Taken, Halt> {
        let id = self.number_id(signup)?;
        let pin = match &signup.sealed_pin {
            Some(sealed) => Some(self.open(tenant, signup, Sealed::Pin, sealed).await?),
            None => None,
        };
        let facts = signup.number.as_ref();
        let number = ConnectedNumber {
            waba_id: self.account_id(signup)?,
            display: facts.and_then(|facts| facts.display.clone()),
            is_on_app: signup.is_on_app(),
            messages_per_second: facts.and_then(NumberFacts::messages_per_second),
            token: keys.token,
            known: signup.token.clone(),
            pin,
            id,
        };
        let by = Principal::only(signup.asked_by);
        // It was free when the token was looked at, and that may be long ago.
        let _alone = self.connecting.lock().await;
        if self.is_account_taken(&signup.tenant_id, &number.waba_id).await? {
            return Err(self.stop(Reason::AccountTaken, Some(number.waba_id.as_str())));
        }
        match self.tenants.connect_number(&signup.tenant_id, number, &by).await {
            Ok(true) => Ok(Taken::done(None)),
            Ok(false) => Ok(Taken::done(Some("the tenant had the number with this token"))),
            Err(Failure::Refused(problem)) => Err(match problem.code {
                ErrorCode::PhoneNumberTaken => self.stop(Reason::NumberTaken, None),
                ErrorCode::TenantNotFound | ErrorCode::TenantLeaving => self.stop(Reason::TenantGone, None),
                _ => self.stop(Reason::Internal, Some(&problem.detail)),
            }),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Opens the token, and finds the secret that proves our calls.
    async fn keys(&self, signup: &Signup, tenant: &Tenant) -> Result<Keys, Halt> {
        let Some(sealed) = &signup.sealed_token else {
            return Err(self.stop(Reason::TokenInvalid, None));
        };
        let token = self.open(tenant, signup, Sealed::Token, sealed).await?;
        self.apps.look().await;
        Ok(Keys {
            token,
            app_secret: self.apps.of(&signup.app_id),
        })
    }
}

fn lacking_scope(facts: &TokenFacts) -> Option<&'static str> {
    [MANAGE_SCOPE, SEND_SCOPE]
        .into_iter()
        .find(|wanted| facts.scopes.iter().all(|scope| &**scope != *wanted))
}

fn named(words: &str, ids: &[impl ToString]) -> Option<String> {
    let ids: Vec<String> = ids.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    (!ids.is_empty()).then(|| format!("{words} {}", ids.join(", ")))
}

/// Six digits of random bytes.
fn new_pin(bytes: [u8; 32]) -> Secret {
    let digits = bytes.iter().take(PIN_DIGITS * 2).collect::<Vec<_>>();
    let digits = digits.chunks(2).map(|pair| {
        let number = u16::from(*pair[0]) * 256 + u16::from(*pair[1]);
        char::from(b'0' + u8::try_from(number % 10).expect("one digit"))
    });
    Secret::new(digits.collect::<String>())
}
