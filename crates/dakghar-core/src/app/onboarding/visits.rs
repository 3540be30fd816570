//! The browsers of customers, on the page of a link: what they see of it, and what they bring.
//!
//! Whoever has a link may open its page. The page gives the browser a random cookie and a `state`, a keyed hash over the
//! secret of the link and the cookie. Only what brings both may change anything, so no other site can, and no code of
//! somebody else's gets into a link. Once a browser has begun, the link answers to no other one.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::links::text_of_link;
use super::{NewNumberSignup, Onboarding, SignupRetry, code_is_used, deed};
use crate::app::failure::Failure;
use crate::app::stale::ROUNDS_MAX;
use crate::app::tenants::leaving::check_stays;
use crate::domain::audit::{AuditAction, FieldChanges, Principal};
use crate::domain::ids::SignupConfigId;
use crate::domain::send_error::{SendError, clip};
use crate::domain::signup::{Reason, Signup, SignupState, Trouble};
use crate::domain::{ErrorCode, Problem};
use crate::ports::{AuditedChange, Carried, Saved};

/// The letters of 32 random bytes in base64url: secrets of links, and cookies.
const TOKEN_CHARS: usize = 43;
/// The name under which the audit log knows whoever used a link.
const BY_LINK: &str = "whoever opened the onboarding link";

/// A browser that has opened the page of a link, and brings something.
#[derive(Clone, Debug)]
pub struct Visitor<'a> {
    /// The secret of the link.
    pub secret: &'a str,
    /// Its cookie.
    pub cookie: &'a str,
    /// The state that the page was given.
    pub state: &'a str,
    /// Its address.
    pub address: Option<IpAddr>,
    /// The id of its request.
    pub request_id: Option<Arc<str>>,
}

/// A look at a link, by a browser.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The signup that the link leads to.
    pub signup: Signup,
    /// The name of the tenant.
    pub tenant_name: String,
    /// The login configuration that the dialog runs with; `None` if the app has lost it.
    pub config_id: Option<SignupConfigId>,
    /// True if it was this browser that used the link.
    pub is_own: bool,
}

/// A browser's word on Meta's dialog, when it brings no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialogReport {
    /// It was left, at this step of Meta's.
    Abandoned(Option<String>),
    /// It told of an error, with this code and these words.
    Error(Option<String>, Option<String>),
    /// It did not open.
    Blocked,
}

impl Onboarding {
    /// Makes the cookie of a browser that has none.
    pub fn new_cookie(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.ids.secret_bytes())
    }

    /// True if it can be a cookie of ours.
    pub fn is_cookie(text: &str) -> bool {
        is_token(text)
    }

    /// The state of the page of this link in the browser with this cookie.
    pub fn state_for(&self, secret: &str, cookie: &str) -> String {
        let text = text_of_state(secret, cookie);
        URL_SAFE_NO_PAD.encode(self.secrets.hash_api_key(&text))
    }

    /// Looks at a link, for the browser with this cookie. `None` if there is no such link.
    pub async fn visit(&self, secret: &str, cookie: Option<&str>) -> Result<Option<Visit>, Failure> {
        let Some(signup) = self.of_link(secret).await? else {
            return Ok(None);
        };
        let tenant = match self.tenants.find(&signup.tenant_id).await {
            Ok(tenant) => tenant,
            Err(Failure::Refused(_)) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let is_own = cookie.is_some_and(|cookie| self.is_own(&signup, secret, cookie));
        self.apps.look().await;
        let config_id = self.config_of(&signup.app_id);
        if config_id.is_none() && signup.state == SignupState::Invited {
            tracing::warn!(signup_id = %signup.id, app_id = %signup.app_id,
                "a link cannot be used, because its app has no login configuration any more");
        }
        Ok(Some(Visit {
            config_id,
            signup: signup.as_of(self.clock.now()),
            tenant_name: tenant.name.clone(),
            is_own,
        }))
    }

    /// Begins the signup of a link with a code that Meta's dialog gave to the browser. The same browser may ask again, and what it
    /// brings then counts if the signup needs another code.
    pub async fn begin_by_link(&self, visitor: &Visitor<'_>, new: &NewNumberSignup) -> Result<Signup, Failure> {
        let wishes = new.check()?;
        for _ in 0..ROUNDS_MAX {
            let mut signup = self.for_visitor(visitor).await?;
            if self.is_own(&signup, visitor.secret, visitor.cookie) {
                return self.take_another_code(visitor, signup, new).await;
            }
            if !signup.is_open_link(self.clock.now()) {
                return Err(link_is_over().into());
            }
            if self.store.find_signup_of_key(&self.key_of(&new.code)).await?.is_some() {
                return Err(code_is_used().into());
            }
            self.check_running(&signup.tenant_id).await?;
            let tenant = self.tenants.stored(&signup.tenant_id).await?;
            // Nobody would work on it, and the code would be lost.
            if check_stays(tenant.leaving.as_ref()).is_err() {
                return Err(link_is_over().into());
            }
            let with = self.sealed(&tenant, &signup.id, wishes.clone(), Some(&new.code), new.pin.as_ref());
            let with = with.await?;
            let browser = self
                .secrets
                .hash_api_key(&text_of_browser(visitor.secret, visitor.cookie));
            let was = signup.state.as_str();
            if !signup.begin_in_browser(with, browser, self.clock.now()) {
                return Err(link_is_over().into());
            }
            let mut fields = FieldChanges::default();
            fields.shown("state", Some(was), Some(signup.state.as_str()));
            let by = visitor.principal(&signup);
            let deed = deed(&by, AuditAction::SignupBegun, &signup);
            let change = AuditedChange::SaveSignup(Box::new(signup.clone()));
            if self.ledger.carry_out(&change, &deed, fields.into_vec()).await? == Carried::Done {
                signup.version += 1;
                tracing::info!(signup_id = %signup.id, tenant_id = %signup.tenant_id, "a signup began by its link");
                return Ok(signup);
            }
        }
        Err(Failure::KeptChanging("signup"))
    }

    /// Another tab of the browser may not know yet that the first code was of no use.
    async fn take_another_code(
        &self,
        visitor: &Visitor<'_>,
        signup: Signup,
        new: &NewNumberSignup,
    ) -> Result<Signup, Failure> {
        if signup.state != SignupState::Stopped || !signup.needs_code() {
            return Ok(signup);
        }
        let retry = SignupRetry {
            code: Some(new.code.clone()),
            waba_id: new.waba_id.clone(),
            phone_number_id: new.phone_number_id.clone(),
            pin: new.pin.clone(),
            event: new.event.clone(),
        };
        let (by, id) = (visitor.principal(&signup), signup.id.to_string());
        self.retry(&signup.tenant_id, &id, retry, &by).await
    }

    /// Lets the signup of a link go on that has stopped, with what the browser that began it brings.
    pub async fn retry_by_link(&self, visitor: &Visitor<'_>, retry: SignupRetry) -> Result<Signup, Failure> {
        let signup = self.for_visitor(visitor).await?;
        if !self.is_own(&signup, visitor.secret, visitor.cookie) {
            return Err(link_is_over().into());
        }
        if signup.state != SignupState::Stopped {
            return Ok(signup);
        }
        let (by, id) = (visitor.principal(&signup), signup.id.to_string());
        self.retry(&signup.tenant_id, &id, retry, &by).await
    }

    /// Keeps what a browser tells of the dialog, for the tenant. The link stays as it is.
    pub async fn report_by_link(&self, visitor: &Visitor<'_>, report: &DialogReport) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            let mut signup = self.for_visitor(visitor).await?;
            let now = self.clock.now();
            let mut trouble = Trouble::new(report.reason(), None, now);
            trouble.error = report.words();
            if !signup.report(trouble, now) || self.store.save_signup(&signup).await? == Saved::Done {
                return Ok(());
            }
        }
        Err(Failure::KeptChanging("signup"))
    }

    /// The signup of the link, if the visitor has its page open.
    async fn for_visitor(&self, visitor: &Visitor<'_>) -> Result<Signup, Failure> {
        let missing = || Problem::new(ErrorCode::LinkNotFound, "No link is like this.");
        let signup = self.of_link(visitor.secret).await?.ok_or_else(missing)?;
        let expected = text_of_state(visitor.secret, visitor.cookie);
        let given = URL_SAFE_NO_PAD.decode(visitor.state).unwrap_or_default();
        if !is_token(visitor.cookie) || !self.is_hash(&expected, &given) {
            let detail = "Open the link again in this browser, with cookies allowed.";
            return Err(Problem::new(ErrorCode::ForeignBrowser, detail).into());
        }
        Ok(signup)
    }

    async fn of_link(&self, secret: &str) -> Result<Option<Signup>, Failure> {
        if !is_token(secret) || self.page().is_none() {
            return Ok(None);
        }
        for key in self.secrets.hashes_of_api_key(&text_of_link(secret)) {
            if let Some(found) = self.store.find_signup_of_key(&key).await? {
                return Ok(Some(found).filter(|signup| signup.link.is_some()));
            }
        }
        Ok(None)
    }

    fn is_own(&self, signup: &Signup, secret: &str, cookie: &str) -> bool {
        let text = text_of_browser(secret, cookie);
        is_token(cookie) && signup.is_of_browser(|browser| self.is_hash(&text, browser))
    }

    /// True if this is a keyed hash of the text, under the present or the previous secrets.
    fn is_hash(&self, text: &str, given: &[u8]) -> bool {
        let hashes = self.secrets.hashes_of_api_key(text);
        hashes
            .iter()
            .any(|hash| constant_time::verify_slices_are_equal(hash, given).is_ok())
    }
}

impl Visitor<'_> {
    /// A customer has no key: what they do is done as whoever made the link.
    fn principal(&self, signup: &Signup) -> Principal {
        Principal {
            who: signup.asked_by,
            name: Some(BY_LINK.into()),
            address: self.address,
            request_id: self.request_id.clone(),
        }
    }
}

impl DialogReport {
    const fn reason(&self) -> Reason {
        match self {
            Self::Abandoned(_) => Reason::Abandoned,
            Self::Error(..) => Reason::DialogError,
            Self::Blocked => Reason::DialogBlocked,
        }
    }

    /// The words besides, as far as they can be shown. A browser may write anything.
    fn words(&self) -> Option<SendError> {
        match self {
            Self::Abandoned(Some(step)) => Some(SendError {
                message: clip(&format!("at the step {}", printable(step))),
                ..SendError::default()
            }),
            Self::Error(code, message) => {
                let code = code.as_deref().map(printable).unwrap_or_default();
                let message = message.as_deref().map(printable).unwrap_or_default();
                let number = code.parse().ok();
                let shown = if number.is_none() { code } else { String::new() };
                Some(SendError {
                    code: number,
                    message: clip(format!("{shown} {message}").trim()),
                    ..SendError::default()
                })
            }
            Self::Abandoned(None) | Self::Blocked => None,
        }
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn is_token(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() == TOKEN_CHARS && text.bytes().all(is_letter)
}

fn text_of_state(secret: &str, cookie: &str) -> String {
    format!("onboarding state/{secret}/{cookie}")
}

fn text_of_browser(secret: &str, cookie: &str) -> String {
    format!("onboarding browser/{secret}/{cookie}")
}

fn link_is_over() -> Problem {
    let detail = "It was used, or its time is over, or it was taken back. Ask for a new one.";
    Problem::new(ErrorCode::LinkOver, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(report: &DialogReport) -> (Option<i64>, String) {
        let words = report.words().expect("it says something");
        (words.code, words.message.to_string())
    }

    #[test]
    fn what_a_browser_says_is_kept_as_far_as_it_can_be_shown() {
        let step = DialogReport::Abandoned(Some("PHONE\n\u{1b}[31m_SETUP".to_owned()));
        assert_eq!(said(&step), (None, "at the step PHONE[31m_SETUP".to_owned()));
        let error = |code: &str, message: &str| DialogReport::Error(Some(code.to_owned()), Some(message.to_owned()));
        assert_eq!(said(&error("200", "no\0 rights")), (Some(200), "no rights".to_owned()));
        assert_eq!(said(&error("E_1", "no")), (None, "E_1 no".to_owned()));
        let long = said(&error("1", &"অ".repeat(9_000))).1;
        assert_eq!(long.chars().count(), 500);
        assert!(DialogReport::Blocked.words().is_none() && DialogReport::Abandoned(None).words().is_none());
    }

    #[test]
    fn only_what_can_be_a_token_is_looked_up() {
        assert!(is_token(&"aZ09-_x".repeat(7)[..43]));
        for wrong in ["", "abc", &"a".repeat(44), &"/".repeat(43), &"é".repeat(43)] {
            assert!(!is_token(wrong), "{wrong}");
        }
    }
}
