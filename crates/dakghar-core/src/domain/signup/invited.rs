//! Signups that begin in the browser of a tenant's customer, on a page of Dakghar's own.
//!
//! A link is a signup that has not begun. It is used once: the browser that begins with it is the only one that it answers
//! from then on. Whatever the browser tells of Meta's dialog before that is kept for the tenant, and the link stays open.

use std::time::Duration;

use super::link::Link;
use super::state::SignupState;
use super::trouble::Trouble;
use super::{NewSignup, Retried, Signup};
use crate::domain::time::Timestamp;

/// The least time between two reports of a browser that are kept.
const REPORTS_APART: Duration = Duration::from_secs(1);

impl Signup {
    /// Makes a signup that waits for somebody to use its link.
    pub fn invited(new: NewSignup, link: Link, now: Timestamp) -> Self {
        Self {
            state: SignupState::Invited,
            link: Some(link),
            ..Self::new(new, now)
        }
    }

    /// The signup as it is at `now`: a link whose time is over has expired, which nobody saves.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        let is_over = self.link.as_ref().is_some_and(|link| link.expires_at <= now);
        if self.state == SignupState::Invited && is_over {
            self.state = SignupState::Expired;
        }
        self
    }

    /// True if its link can be used.
    pub fn is_open_link(&self, now: Timestamp) -> bool {
        let link = self.link.as_ref();
        self.state == SignupState::Invited && link.is_some_and(|link| now < link.expires_at)
    }

    /// True if its link was used by the browser of this hash.
    pub fn is_of_browser(&self, is_same: impl FnOnce(&[u8]) -> bool) -> bool {
        let browser = self.link.as_ref().and_then(|link| link.browser.as_deref());
        browser.is_some_and(is_same)
    }

    /// Begins, with what the browser of this hash brought. Returns false if the link cannot be used.
    pub fn begin_in_browser(&mut self, with: Retried, browser: Vec<u8>, now: Timestamp) -> bool {
        if !self.is_open_link(now) {
            return false;
        }
        let Some(link) = &mut self.link else { return false };
        link.browser = Some(browser);
        self.state = SignupState::Running;
        self.trouble = None;
        if let Some(code) = with.code {
            (self.sealed_code, self.code_until) = (Some(code.sealed), code.until);
        }
        self.sealed_pin = with.sealed_pin;
        (self.asked_account, self.asked_number) = (with.account, with.number);
        self.asked_on_app |= with.is_on_app;
        self.updated_at = now;
        true
    }

    /// Keeps what a browser reports of the dialog. Returns false if there is nothing to keep: the link is not open, or
    /// something was reported a moment ago.
    pub fn report(&mut self, trouble: Trouble, now: Timestamp) -> bool {
        let last = self.trouble.as_ref();
        let is_too_soon = last.is_some_and(|last| now < last.at + REPORTS_APART);
        if !self.is_open_link(now) || is_too_soon {
            return false;
        }
        self.trouble = Some(trouble);
        self.updated_at = now;
        true
    }

    /// Takes its link back. Returns false if it is not open any more.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        if !self.is_open_link(now) {
            return false;
        }
        self.state = SignupState::Cancelled;
        (self.ended_at, self.updated_at) = (Some(now), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::audit::Who;
    use crate::domain::ids::{AppId, SignupId, TenantId};
    use crate::domain::signup::{Language, NewCode, Reason};

    const EXPIRES: i64 = 1_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn invited() -> Signup {
        let new = NewSignup {
            id: SignupId::from_uuid(Uuid::from_u128(1)),
            tenant_id: TenantId::from_uuid(Uuid::from_u128(2)),
            asked_by: Who::Cli,
            key: vec![1],
            app_id: AppId::parse("5").expect("digits"),
            with: Retried::default(),
        };
        let link = Link {
            expires_at: at(EXPIRES),
            return_url: None,
            language: None,
            browser: None,
        };
        Signup::invited(new, link, at(0))
    }

    fn with_code() -> Retried {
        let code = NewCode {
            sealed: vec![7],
            until: at(40),
        };
        Retried {
            code: Some(code),
            ..Retried::default()
        }
    }

    fn abandoned(seconds: i64) -> Trouble {
        Trouble::new(Reason::Abandoned, None, at(seconds))
    }

    #[test]
    fn a_link_waits_and_nobody_works_on_it() {
        let mut signup = invited();
        assert_eq!(signup.state, SignupState::Invited);
        assert!(!signup.needs_work() && signup.due_at().is_none() && !signup.needs_code());
        signup.keep_for(&"w".into(), at(1));
        assert_eq!(signup.lease, None);
        assert!(!signup.retry(with_code(), at(1)), "a retry is no way around the link");
        assert_eq!(signup.state, SignupState::Invited);
    }

    #[test]
    fn it_is_used_once_by_one_browser() {
        let mut signup = invited();
        assert!(signup.report(abandoned(5), at(5)));
        assert!(signup.begin_in_browser(with_code(), vec![9], at(10)));
        assert_eq!((signup.state, signup.trouble.clone()), (SignupState::Running, None));
        assert_eq!((signup.sealed_code.clone(), signup.code_until), (Some(vec![7]), at(40)));
        assert_eq!(signup.due_at(), Some(at(10)));
        assert!(signup.is_of_browser(|browser| browser == [9]));
        assert!(!signup.is_of_browser(|browser| browser == [8]));
        let before = signup.clone();
        assert!(!signup.begin_in_browser(with_code(), vec![8], at(11)));
        assert!(!signup.report(abandoned(11), at(11)) && !signup.cancel(at(11)));
        assert_eq!(signup, before);
        assert_eq!(
            signup.as_of(at(EXPIRES + 1)).state,
            SignupState::Running,
            "what has begun goes on"
        );
    }

    #[test]
    fn the_dialogs_word_on_the_app_comes_with_the_code() {
        for is_on_app in [false, true] {
            let mut signup = invited();
            let with = Retried {
                is_on_app,
                ..with_code()
            };
            assert!(signup.begin_in_browser(with, vec![9], at(10)));
            assert_eq!(signup.asked_on_app, is_on_app);
        }
    }

    #[test]
    fn its_time_is_over_one_day() {
        let mut signup = invited();
        assert!(signup.is_open_link(at(EXPIRES - 1)) && !signup.is_open_link(at(EXPIRES)));
        assert_eq!(signup.clone().as_of(at(EXPIRES - 1)).state, SignupState::Invited);
        assert_eq!(signup.clone().as_of(at(EXPIRES)).state, SignupState::Expired);
        assert!(!signup.begin_in_browser(with_code(), vec![9], at(EXPIRES)));
        assert!(!signup.cancel(at(EXPIRES)) && !signup.report(abandoned(EXPIRES), at(EXPIRES)));
    }

    #[test]
    fn it_can_be_taken_back_while_nobody_has_used_it() {
        let mut signup = invited();
        assert!(signup.cancel(at(7)) && !signup.cancel(at(8)));
        assert_eq!((signup.state, signup.ended_at), (SignupState::Cancelled, Some(at(7))));
        assert!(!signup.begin_in_browser(with_code(), vec![9], at(9)));
        assert_eq!(signup.as_of(at(EXPIRES)).state, SignupState::Cancelled);
    }

    #[test]
    fn reports_are_kept_and_not_one_after_the_other() {
        let mut signup = invited();
        assert!(signup.report(abandoned(5), at(5)));
        assert!(!signup.report(abandoned(5), at(5)), "too soon");
        assert!(signup.report(Trouble::new(Reason::DialogError, Some("no"), at(6)), at(6)));
        assert_eq!(signup.trouble.map(|trouble| trouble.reason), Some(Reason::DialogError));
        assert_eq!(signup.state, SignupState::Invited);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for state in SignupState::ALL {
            assert_eq!(SignupState::parse(state.as_str()), Some(state));
        }
        for language in Language::ALL {
            assert_eq!(Language::parse(language.as_str()), Some(language));
        }
        assert_eq!(Language::parse("EN"), None);
    }
}
