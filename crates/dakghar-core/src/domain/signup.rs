//! Signups: a number of a tenant becomes one that can send, from the code that Meta gives the person who connected it.
//!
//! A signup is a record that any process can go on with. It begins with a code, or waits for one behind a link. It knows the
//! step that it is at, what became of those before, and why it does not go on, with advice. What is secret is sealed in it:
//! the code until it is exchanged or over, the token until the number has it, and the PIN.

mod app;
mod codes;
mod found;
mod invited;
mod link;
mod state;
mod step;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use super::access_token::KnownToken;
use super::audit::Who;
use super::ids::{AppId, PhoneNumberId, SignupId, TenantId, WabaId};
use super::lease::Lease;
use super::page::Paged;
use super::send_error::SendError;
use super::time::Timestamp;

pub use codes::{CODES, CodeRow, Next, Verdict, judge};
pub use found::{AccountFacts, NumberFacts, PROFILE_BYTES_MAX, Subscription};
pub use link::{LINK_LIFE, LINK_LIFE_MAX, LINK_LIFE_MIN, Language, Link, OPEN_LINKS_MAX, RETURN_URL_BYTES_MAX};
pub use state::SignupState;
pub use step::{SignupStep, StepEnd, StepRecord};
pub use trouble::{Reason, Trouble};

/// Signups of one tenant that may be under way at a time.
pub const RUNNING_SIGNUPS_MAX: usize = 20;
/// The time for which a process has a signup to itself after each save: longer than what a step asks of Meta takes.
pub const SIGNUP_LEASE: Duration = Duration::from_secs(30);
/// The same while a code is exchanged, so that another process can still do it.
const EXCHANGE_LEASE: Duration = Duration::from_secs(10);
/// The time in which Meta takes a code, counted from when it was posted here.
pub const CODE_LIFE: Duration = Duration::from_secs(30);
/// Tries of one step before the signup stops and waits for a person.
pub const TRIES_MAX: u32 = 8;
/// The time in which Meta takes a request for what the WhatsApp Business app has, from the dialog on.
pub const APP_SYNC_LIFE: Duration = Duration::from_hours(24);
/// The digits of a PIN.
pub const PIN_DIGITS: usize = 6;
/// The waits before a step is tried again of which Meta said neither yes nor no.
const WAITS: [u64; 6] = [1, 3, 10, 30, 120, 600];

/// A signup, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Signup {
    /// Its id.
    pub id: SignupId,
    /// The tenant that gets the number.
    pub tenant_id: TenantId,
    /// As whom somebody asked for it.
    pub asked_by: Who,
    /// A keyed hash of the code that it began with, or of the secret of its link: the same one is the same signup.
    pub key: Vec<u8>,
    /// The app at Meta that the code is for.
    pub app_id: AppId,
    /// The link that leads to it, if it does not begin with a code.
    pub link: Option<Link>,
    /// Whether it goes on.
    pub state: SignupState,
    /// The step that it is at; the last one when it is done.
    pub step: SignupStep,
    /// Tries of that step that ended without success.
    pub tries: u32,
    /// The steps that are behind it, in their order, each once.
    pub records: Vec<StepRecord>,
    /// Why it stopped, or waits.
    pub trouble: Option<Trouble>,
    /// The code, sealed, until it is exchanged or its time is over.
    pub sealed_code: Option<Vec<u8>>,
    /// When the time of the code is over.
    pub code_until: Timestamp,
    /// The token that Meta gave, sealed, until the number has it.
    pub sealed_token: Option<Vec<u8>>,
    /// What Meta said of it.
    pub token: Option<KnownToken>,
    /// The PIN to register with, sealed, until the number has it.
    pub sealed_pin: Option<Vec<u8>>,
    /// True if Dakghar made the PIN up.
    pub pin_is_made: bool,
    /// True if Meta wants an earlier deregistration to be completed first.
    pub deregisters_first: bool,
    /// The account that the client names: a wish, which the token must allow.
    pub asked_account: Option<WabaId>,
    /// The number that the client names: a wish, which must be in the account.
    pub asked_number: Option<PhoneNumberId>,
    /// True if the dialog told of a number of the WhatsApp Business app: a hint, of which Meta's own word decides.
    pub asked_on_app: bool,
    /// The account.
    pub waba_id: Option<WabaId>,
    /// What Meta said of the account.
    pub account: Option<AccountFacts>,
    /// What Meta said of the number.
    pub number: Option<NumberFacts>,
    /// What people see of the business: Meta's JSON object, at most [`PROFILE_BYTES_MAX`].
    pub profile: Option<Arc<str>>,
    /// Not before this, if it waits.
    pub next_at: Option<Timestamp>,
    /// The process that works on it.
    pub lease: Option<Lease>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// When it was done.
    pub ended_at: Option<Timestamp>,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

/// A code that somebody posted, and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCode {
    /// The code, sealed for this signup.
    pub sealed: Vec<u8>,
    /// When its time is over.
    pub until: Timestamp,
}

/// What a retry brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// Another code in place of one that is over.
    pub code: Option<NewCode>,
    /// The PIN of the number, sealed.
    pub sealed_pin: Option<Vec<u8>>,
    /// The account that is meant.
    pub account: Option<WabaId>,
    /// The number that is meant.
    pub number: Option<PhoneNumberId>,
    /// True if the dialog told of a number of the WhatsApp Business app.
    pub is_on_app: bool,
}

/// A new signup.
#[derive(Clone, Debug)]
pub struct NewSignup {
    /// Its id.
    pub id: SignupId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// As whom somebody asked for it.
    pub asked_by: Who,
    /// The keyed hash of the code, or of the secret of its link.
    pub key: Vec<u8>,
    /// The app.
    pub app_id: AppId,
    /// The code and what else came with it.
    pub with: Retried,
}

impl Signup {
    /// Makes a signup that has done nothing.
    pub fn new(new: NewSignup, now: Timestamp) -> Self {
        let (sealed_code, code_until) = match new.with.code {
            Some(code) => (Some(code.sealed), code.until),
            None => (None, now),
        };
        Self {
            id: new.id,
            tenant_id: new.tenant_id,
            asked_by: new.asked_by,
            key: new.key,
            app_id: new.app_id,
            link: None,
            state: SignupState::Running,
            step: SignupStep::Exchange,
            tries: 0,
            records: Vec::new(),
            trouble: None,
            sealed_code,
            code_until,
            sealed_token: None,
            token: None,
            sealed_pin: new.with.sealed_pin,
            pin_is_made: false,
            deregisters_first: false,
            asked_account: new.with.account,
            asked_number: new.with.number,
            asked_on_app: new.with.is_on_app,
            waba_id: None,
            account: None,
            number: None,
            profile: None,
            next_at: None,
            lease: None,
            created_at: now,
            updated_at: now,
            ended_at: None,
            version: 0,
        }
    }

    /// True if somebody must work on it, now or later.
    pub fn needs_work(&self) -> bool {
        self.state == SignupState::Running
    }

    /// The time from which somebody must work on it, if somebody must.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.needs_work().then(|| self.next_at.unwrap_or(self.updated_at))
    }

    /// True if another process has it.
    pub fn is_held_by_other(&self, owner: &str, now: Timestamp) -> bool {
        let lease = self.lease.as_ref();
        lease.is_some_and(|lease| lease.is_of_other(owner, now, SIGNUP_LEASE))
    }

    /// Gives it to this process for a while, if there is anything left to do.
    pub fn keep_for(&mut self, owner: &Arc<str>, now: Timestamp) {
        let is_at_work = self.needs_work() && self.next_at.is_none();
        self.lease = is_at_work.then(|| Lease::begin(owner, now, self.lease_time()));
    }

    const fn lease_time(&self) -> Duration {
        match self.step {
            SignupStep::Exchange => EXCHANGE_LEASE,
            _ => SIGNUP_LEASE,
        }
    }

    /// True if it cannot go on without another code.
    pub fn needs_code(&self) -> bool {
        self.state.is_under_way() && self.sealed_token.is_none() && self.sealed_code.is_none()
    }

    /// True if it goes on with the number's own PIN.
    pub fn needs_pin(&self) -> bool {
        let error = self.trouble.as_ref().and_then(|trouble| trouble.error.as_ref());
        let wants_pin = error.is_some_and(|error| error.code.is_some_and(|code| codes::wants_pin(code, error.subcode)));
        self.state == SignupState::Stopped && self.step == SignupStep::Register && wants_pin
    }

    /// The number, once it is known which one.
    pub fn number_id(&self) -> Option<&PhoneNumberId> {
        self.number.as_ref().map(|number| &number.id)
    }

    /// Ends the step that it is at, and goes to the next one. After the last it is done, and nothing is sealed in it any more.
    pub fn pass(&mut self, end: StepEnd, note: Option<Arc<str>>, error: Option<SendError>, now: Timestamp) {
        let record = StepRecord {
            step: self.step,
            end,
            at: now,
            tries: self.tries + u32::from(end != StepEnd::Skipped),
            note,
            error,
            request_id: None,
        };
        self.records.retain(|known| known.step != record.step);
        self.records.push(record);
        self.records.sort_by_key(|known| known.step);
        self.tries = 0;
        self.trouble = None;
        self.next_at = None;
        self.updated_at = now;
        match self.step.next(self.is_on_app()) {
            Some(next) => self.step = next,
            None => {
                self.state = SignupState::Done;
                self.ended_at = Some(now);
                self.lease = None;
                (self.sealed_code, self.sealed_token, self.sealed_pin) = (None, None, None);
            }
        }
    }

    /// Notes that the step did not succeed. It is tried again after `wait`; without one, or after [`TRIES_MAX`] tries, the
    /// signup stops, or leaves out a step that is `optional`.
    pub fn fail(&mut self, trouble: Trouble, wait: Option<Duration>, optional: bool, now: Timestamp) {
        let is_last = wait.is_some_and(|wait| !self.may_try_again(now + wait));
        let (wait, trouble) = if is_last {
            (None, trouble.after_the_last_try(self.step, optional))
        } else {
            (wait, trouble)
        };
        if wait.is_none() && optional {
            let Trouble { advice, error, .. } = trouble;
            return self.pass(StepEnd::Failed, Some(advice), error, now);
        }
        self.tries += 1;
        self.trouble = Some(trouble);
        self.next_at = wait.map(|wait| now + wait);
        self.updated_at = now;
        self.lease = None;
        if wait.is_none() {
            self.state = SignupState::Stopped;
        }
    }

    /// True if Meta says that the number is used with the WhatsApp Business app.
    pub fn is_on_app(&self) -> bool {
        self.number.as_ref().is_some_and(|number| number.is_on_app)
    }

    /// True if the present step may be tried again at this time: as long as Meta takes a request of an app, or a few times.
    fn may_try_again(&self, at: Timestamp) -> bool {
        if !self.step.is_of_app() {
            return self.tries + 1 < TRIES_MAX;
        }
        let mut records = self.records.iter();
        let exchanged = records.find(|record| record.step == SignupStep::Exchange);
        let from = exchanged.map_or(self.created_at, |record| record.at);
        at < from + APP_SYNC_LIFE
    }

    /// The wait before the present step is tried again after an answer that said neither yes nor no.
    pub fn wait(&self) -> Duration {
        // A code does not live long.
        let last = if self.step == SignupStep::Exchange {
            1
        } else {
            WAITS.len() - 1
        };
        Duration::from_secs(WAITS[(self.tries as usize).min(last)])
    }

    /// Lets the code go: it is exchanged, or its time is over.
    pub fn forget_code(&mut self) {
        self.sealed_code = None;
    }

    /// Lets the token go: it does not work.
    pub fn forget_token(&mut self) {
        self.sealed_token = None;
        self.token = None;
    }

    /// Goes on where it is, with what a person brought. Returns false if that changes nothing.
    ///
    /// With another code it begins again. What was done at Meta before is looked at again and not done twice.
    pub fn retry(&mut self, with: Retried, now: Timestamp) -> bool {
        let is_waiting = self.needs_work() && self.next_at.is_some();
        if self.state != SignupState::Stopped && !is_waiting {
            return false;
        }
        let Retried {
            code,
            sealed_pin,
            account,
            number,
            is_on_app,
        } = with;
        self.asked_on_app |= is_on_app;
        if account.is_some() || number.is_some() {
            self.asked_account = account.or_else(|| self.asked_account.take());
            self.asked_number = number.or_else(|| self.asked_number.take());
            self.step = self.step.min(SignupStep::Token);
        }
        if let Some(sealed) = sealed_pin {
            (self.sealed_pin, self.pin_is_made) = (Some(sealed), false);
        }
        if let Some(code) = code {
            (self.sealed_code, self.code_until) = (Some(code.sealed), code.until);
            self.forget_token();
            self.step = SignupStep::Exchange;
            // The customer finished the dialog again, so Meta can be asked again.
            self.records.retain(|record| !record.step.is_of_app());
        }
        self.state = SignupState::Running;
        (self.tries, self.trouble, self.next_at, self.lease) = (0, None, None, None);
        self.updated_at = now;
        true
    }
}

impl Paged for Signup {
    type Position = SignupId;

    fn position(&self) -> SignupId {
        self.id
    }

    fn bytes(&self) -> usize {
        const BYTES: usize = 2_048;
        let sealed = [&self.sealed_code, &self.sealed_token, &self.sealed_pin];
        let sealed: usize = sealed.into_iter().flatten().map(Vec::len).sum();
        let link = self.link.as_ref().and_then(|link| link.return_url.as_ref());
        let texts = [link, self.profile.as_ref()];
        BYTES + sealed + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
