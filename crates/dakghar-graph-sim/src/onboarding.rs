//! Connecting numbers: codes of the dialog, accounts and who gets their webhooks, registrations with their PINs, and a journal of
//! what was done.
//!
//! An account or a number that nobody described is as one that was connected long ago: paid for, registered, and with webhooks
//! that go to the app that asks.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::registration::Registration;
use crate::token::Token;

/// The life of a code, in milliseconds.
const CODE_LIFE_MS: u64 = 30_000;
/// Registrations and deregistrations of a number within [`TRIES_WITHIN`].
const TRIES_MAX: usize = 10;
const TRIES_WITHIN: Duration = Duration::from_hours(72);
/// Codes, accounts and numbers that are described at most.
const DESCRIBED_MAX: usize = 100_000;
/// Entries of the journal that are kept.
const JOURNAL_MAX: usize = 200_000;

/// A customer finished the dialog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCode {
    /// The code; made up when absent.
    #[serde(default)]
    pub code: Option<String>,
    /// The app that the dialog ran with; any app may exchange it when absent.
    #[serde(default)]
    pub app_id: Option<String>,
    /// The accounts that the customer shared.
    pub waba_ids: Vec<String>,
    /// The scopes of the token; all that are needed when absent.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// How long it lives.
    #[serde(default = "code_life")]
    pub life_ms: u64,
}

const fn code_life() -> u64 {
    CODE_LIFE_MS
}

impl NewCode {
    /// A code for these accounts, as Meta gives one.
    pub fn for_accounts(waba_ids: &[&str]) -> Self {
        Self {
            code: None,
            app_id: None,
            waba_ids: waba_ids.iter().map(|id| (*id).to_owned()).collect(),
            scopes: None,
            life_ms: CODE_LIFE_MS,
        }
    }
}

/// An account, as the control API describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its id.
    pub waba_id: String,
    /// The currency that it is charged in.
    #[serde(default = "usd")]
    pub currency: String,
    /// Whether somebody pays for it.
    #[serde(default)]
    pub is_paid_for: bool,
}

fn usd() -> String {
    "USD".to_owned()
}

/// Something that was asked for while a number was connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnboardingCall {
    /// Counts from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Which call: `exchange`, `subscribe`, `register` …
    pub call: &'static str,
    /// The account or number that it was about; of an exchange the code, of a look at a token its first account.
    pub about: String,
    /// Whether it was done.
    pub is_done: bool,
    /// Meta's code, if it was refused.
    pub code: Option<u32>,
}

/// An app that gets the webhooks of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Subscribed {
    pub(crate) app_id: String,
    pub(crate) override_callback_uri: Option<String>,
}

/// Why a code is not exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeFlaw {
    Unknown,
    OtherApp,
    Over,
    Used,
}

/// Why a number is not registered: Meta's code.
pub(crate) type RegisterFlaw = u32;

#[derive(Debug, Default)]
pub(crate) struct Onboarding(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    codes: HashMap<String, Code>,
    made: u64,
    accounts: BTreeMap<String, Account>,
    subscribed: BTreeMap<String, Vec<Subscribed>>,
    numbers: BTreeMap<String, Registration>,
    tries: HashMap<String, Vec<Instant>>,
    journal: Vec<OnboardingCall>,
    calls: u64,
}

#[derive(Debug)]
struct Code {
    token: Token,
    until: Instant,
    is_used: bool,
}

impl Onboarding {
    /// Makes a code. `None` if too many were made.
    pub(crate) fn add_code(&self, new: NewCode) -> Option<String> {
        let mut inner = self.0.lock();
        inner.made += 1;
        let made = inner.made;
        let code = new.code.unwrap_or_else(|| format!("AQ-simulated-code-{made}"));
        let mut token = Token::plain(&format!("EAA-simulated-business-token-{made}"));
        token.app_id = new.app_id;
        token.waba_ids = new.waba_ids;
        token.scopes = new.scopes.unwrap_or(token.scopes);
        let known = Code {
            token,
            until: clock::now() + Duration::from_millis(new.life_ms),
            is_used: false,
        };
        (inner.codes.len() < DESCRIBED_MAX).then(|| {
            inner.codes.insert(code.clone(), known);
            code
        })
    }

    /// Takes a code, once and in its time.
    pub(crate) fn exchange(&self, code: &str, app_id: &str) -> Result<Token, CodeFlaw> {
        let mut inner = self.0.lock();
        let known = inner.codes.get_mut(code).ok_or(CodeFlaw::Unknown)?;
        if known.token.app_id.as_deref().is_some_and(|of| of != app_id) {
            return Err(CodeFlaw::OtherApp);
        }
        if known.is_used {
            return Err(CodeFlaw::Used);
        }
        if known.until <= clock::now() {
            return Err(CodeFlaw::Over);
        }
        known.is_used = true;
        known.token.app_id = Some(app_id.to_owned());
        Ok(known.token.clone())
    }

    /// Describes an account. Returns false if there is no room.
    pub(crate) fn put_account(&self, account: Account) -> bool {
        let mut inner = self.0.lock();
        let has_room = inner.accounts.len() < DESCRIBED_MAX;
        if has_room {
            inner.accounts.insert(account.waba_id.clone(), account);
        }
        has_room
    }

    pub(crate) fn account(&self, waba_id: &str) -> Account {
        let known = self.0.lock().accounts.get(waba_id).cloned();
        known.unwrap_or_else(|| Account {
            waba_id: waba_id.to_owned(),
            currency: usd(),
            is_paid_for: true,
        })
    }

    pub(crate) fn is_account(&self, waba_id: &str) -> bool {
        self.0.lock().accounts.contains_key(waba_id)
    }

    /// Describes a number. Returns false if there is no room.
    pub(crate) fn put_number(&self, number: Registration) -> bool {
        let mut inner = self.0.lock();
        let has_room = inner.numbers.len() < DESCRIBED_MAX;
        if has_room {
            inner.numbers.insert(number.phone_number_id.clone(), number);
        }
        has_room
    }

    pub(crate) fn number(&self, id: &str) -> Registration {
        let known = self.0.lock().numbers.get(id).cloned();
        known.unwrap_or_else(|| Registration::long_ago(id))
    }

    /// Who gets the webhooks of an account; `None` if nobody said anything of it.
    pub(crate) fn subscribed(&self, waba_id: &str) -> Option<Vec<Subscribed>> {
        let inner = self.0.lock();
        let described = inner.accounts.contains_key(waba_id).then(Vec::new);
        inner.subscribed.get(waba_id).cloned().or(described)
    }

    /// Sets who gets them. Returns false if there is no room.
    pub(crate) fn set_subscribed(&self, waba_id: &str, apps: Vec<Subscribed>) -> bool {
        let mut inner = self.0.lock();
        let has_room = inner.subscribed.len() < DESCRIBED_MAX || inner.subscribed.contains_key(waba_id);
        if has_room {
            inner.subscribed.insert(waba_id.to_owned(), apps);
        }
        has_room
    }

    pub(crate) fn subscribe(&self, waba_id: &str, new: Subscribed) {
        let mut inner = self.0.lock();
        let known = inner.subscribed.entry(waba_id.to_owned()).or_default();
        known.retain(|known| known.app_id != new.app_id);
        known.push(new);
    }

    pub(crate) fn unsubscribe(&self, waba_id: &str, app_id: &str) {
        let mut inner = self.0.lock();
        let known = inner.subscribed.entry(waba_id.to_owned()).or_default();
        known.retain(|known| known.app_id != app_id);
    }

    /// Registers a number, and gives it the PIN if it has none.
    pub(crate) fn register(&self, id: &str, pin: &str) -> Result<(), RegisterFlaw> {
        const EXHAUSTED: u32 = 133_016;
        const NOT_VERIFIED: u32 = 133_006;
        const WRONG_PIN: u32 = 133_005;
        let mut inner = self.0.lock();
        if !inner.tries_again(id) {
            return Err(EXHAUSTED);
        }
        let number = inner.described(id);
        if !number.is_verified {
            return Err(NOT_VERIFIED);
        }
        if *number.pin.get_or_insert_with(|| pin.to_owned()) != *pin {
            return Err(WRONG_PIN);
        }
        number.is_registered = true;
        Ok(())
    }

    pub(crate) fn deregister(&self, id: &str) -> Result<(), RegisterFlaw> {
        const EXHAUSTED: u32 = 133_016;
        let mut inner = self.0.lock();
        if !inner.tries_again(id) {
            return Err(EXHAUSTED);
        }
        inner.described(id).is_registered = false;
        Ok(())
    }

    /// Shares a credit line. Returns false if the account is paid for already.
    pub(crate) fn share_credit(&self, waba_id: &str) -> bool {
        let before = self.account(waba_id);
        let is_new = !before.is_paid_for;
        self.put_account(Account {
            is_paid_for: true,
            ..before
        });
        is_new
    }

    pub(crate) fn note(&self, call: &'static str, about: &str, refused: Option<u32>, is_done: bool) {
        let mut inner = self.0.lock();
        inner.calls += 1;
        let entry = OnboardingCall {
            seq: inner.calls,
            at: clock::timestamp(),
            call,
            about: about.to_owned(),
            is_done,
            code: refused,
        };
        if inner.journal.len() < JOURNAL_MAX {
            inner.journal.push(entry);
        }
    }

    pub(crate) fn journal(&self) -> Vec<OnboardingCall> {
        self.0.lock().journal.clone()
    }

    pub(crate) fn clear_journal(&self) {
        self.0.lock().journal.clear();
    }
}

impl Inner {
    fn described(&mut self, id: &str) -> &mut Registration {
        let number = self.numbers.entry(id.to_owned());
        number.or_insert_with(|| Registration::long_ago(id))
    }

    /// Counts a try; false if there were too many.
    fn tries_again(&mut self, id: &str) -> bool {
        let now = clock::now();
        let tries = self.tries.entry(id.to_owned()).or_default();
        tries.retain(|at| now.duration_since(*at) < TRIES_WITHIN);
        let is_allowed = tries.len() < TRIES_MAX;
        if is_allowed {
            tries.push(now);
        }
        is_allowed
    }
}
