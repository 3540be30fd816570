//! What Meta says of an access token, and when its end is told of.

mod told;

use std::sync::Arc;
use std::time::Duration;

use super::ids::{AppId, WabaId};
use super::time::Timestamp;

pub use told::TokenTold;

/// The scope without which Meta refuses every message.
pub const SEND_SCOPE: &str = "whatsapp_business_messaging";
/// The days before its end at which a token is told of, each once.
pub const WARNED_DAYS: [u32; 3] = [14, 7, 1];
/// A token that ends within this time is renewed, if Meta does that.
pub const RENEWED_BEFORE: Duration = Duration::from_hours(20 * 24);
/// A token is looked at once in this time.
pub const CHECKED_EVERY: Duration = Duration::from_hours(24);
/// The same on its last day, so that renewing it is tried again, and its end is seen.
pub const CHECKED_EVERY_AT_THE_END: Duration = Duration::from_hours(1);
/// Scopes of a token that are kept, and accounts that it is limited to.
pub const NAMES_MAX: usize = 64;
/// Bytes of the name of a scope, or of a kind of token.
pub const NAME_BYTES_MAX: usize = 64;

const DAY: Duration = Duration::from_hours(24);

/// What Meta says of a token that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// The app that it was issued for.
    pub app_id: AppId,
    /// Meta's name of its kind, such as `SYSTEM_USER`.
    pub kind: Option<Arc<str>>,
    /// What it may do, at most [`NAMES_MAX`] scopes.
    pub scopes: Vec<Arc<str>>,
    /// The accounts that it may send for, at most [`NAMES_MAX`]; with none it is not limited.
    pub accounts: Vec<WabaId>,
    /// The time it ends; `None` for one that does not.
    pub expires_at: Option<Timestamp>,
}

/// What Meta says of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenVerdict {
    /// It works.
    Valid(TokenFacts),
    /// It does not work: it has ended, was revoked, or is no token. Meta's words.
    Invalid(Arc<str>),
    /// It is not of the app that asked, and Meta tells it nothing.
    OtherApp,
}

/// What is known of the access token of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownToken {
    /// What Meta said; `None` if it is of no app that is known here.
    pub facts: Option<TokenFacts>,
    /// The time of the last answer.
    pub checked_at: Timestamp,
    /// The least of [`WARNED_DAYS`] that was told of.
    pub warned_days: Option<u32>,
}

impl TokenFacts {
    /// Says why the token cannot send for a number of this account, as far as the account is known.
    pub fn flaw(&self, account: Option<&WabaId>) -> Option<String> {
        if !self.scopes.iter().any(|scope| &**scope == SEND_SCOPE) {
            return Some(format!("the token lacks the permission {SEND_SCOPE}"));
        }
        let account = account.filter(|account| !self.accounts.is_empty() && !self.accounts.contains(account))?;
        Some(format!("the token may not send for the account {account}"))
    }

    /// True if the token ends soon and it is of a kind that Meta renews: of a system user, or of a person.
    pub fn is_to_be_renewed(&self, now: Timestamp) -> bool {
        let is_renewable = matches!(self.kind.as_deref(), Some("SYSTEM_USER" | "USER"));
        is_renewable && self.expires_at.is_some_and(|ends| ends <= now + RENEWED_BEFORE)
    }
}

impl KnownToken {
    /// What Meta said when it was given. If it ends soon, the next look tells of that, and renews it.
    pub const fn given(facts: Option<TokenFacts>, now: Timestamp) -> Self {
        Self {
            facts,
            checked_at: now,
            warned_days: None,
        }
    }

    /// What was learned at this time. It was not told of yet, unless `before` says so of the same end.
    pub fn learned(facts: Option<TokenFacts>, now: Timestamp, before: Option<&Self>) -> Self {
        let ends = |facts: &Option<TokenFacts>| facts.as_ref().and_then(|facts| facts.expires_at);
        let warned = before.filter(|before| ends(&before.facts) == ends(&facts));
        let mut known = Self {
            warned_days: warned.and_then(|before| before.warned_days),
            facts,
            checked_at: now,
        };
        known.warned_days = known.due_warning(now).or(known.warned_days);
        known
    }

    /// The time the token ends, if it does.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.facts.as_ref()?.expires_at
    }

    /// True if Meta is to be asked again.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let is_last_day = self.expires_at().is_some_and(|ends| ends.since(now) <= DAY);
        let every = if is_last_day {
            CHECKED_EVERY_AT_THE_END
        } else {
            CHECKED_EVERY
        };
        self.checked_at + every <= now || self.due_warning(now).is_some()
    }

    /// The least of [`WARNED_DAYS`] that has come and was not told of.
    pub fn due_warning(&self, now: Timestamp) -> Option<u32> {
        let left = self.expires_at()?.since(now);
        let has_come = |days: &&u32| left <= DAY * **days;
        let least = WARNED_DAYS.iter().rev().find(has_come)?;
        self.warned_days.is_none_or(|warned| *least < warned).then_some(*least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_millis(days * 86_400_000)
    }

    fn facts(ends: Option<i64>) -> TokenFacts {
        TokenFacts {
            app_id: AppId::parse("1").expect("digits"),
            kind: Some("SYSTEM_USER".into()),
            scopes: vec![SEND_SCOPE.into()],
            accounts: Vec::new(),
            expires_at: ends.map(at),
        }
    }

    #[test]
    fn each_warning_comes_once_and_the_least_that_has_come_stands_for_all() {
        let mut known = KnownToken::learned(Some(facts(Some(100))), at(0), None);
        let mut told = Vec::new();
        for day in 1..=101 {
            let next = KnownToken::learned(known.facts.clone(), at(day), Some(&known));
            if next.warned_days != known.warned_days {
                told.push((day, next.warned_days));
            }
            known = next;
        }
        assert_eq!(told, [(86, Some(14)), (93, Some(7)), (99, Some(1))]);
        let late = KnownToken::learned(Some(facts(Some(100))), at(97), None);
        assert_eq!(late.warned_days, Some(7));
    }

    #[test]
    fn a_token_with_another_end_is_told_of_anew_and_one_without_end_never() {
        let known = KnownToken::learned(Some(facts(Some(100))), at(99), None);
        assert_eq!(known.warned_days, Some(1));
        let renewed = KnownToken::learned(Some(facts(Some(160))), at(99), Some(&known));
        assert_eq!((renewed.warned_days, renewed.due_warning(at(146))), (None, Some(14)));
        let endless = KnownToken::learned(Some(facts(None)), at(99), Some(&known));
        assert_eq!((endless.warned_days, endless.due_warning(at(9_999))), (None, None));
    }

    #[test]
    fn it_is_looked_at_once_a_day_and_when_a_warning_comes() {
        let known = KnownToken::learned(Some(facts(Some(15))), at(0), None);
        assert!(!known.is_due(Timestamp::from_millis(86_399_999)) && known.is_due(at(1)));
        let soon = KnownToken::learned(Some(facts(Some(14))), Timestamp::from_millis(-1), None);
        assert!(soon.is_due(at(0)));
        let given = KnownToken::given(Some(facts(Some(10))), at(0));
        assert!(given.is_due(at(0)), "nobody was told yet");
        let told = KnownToken::learned(given.facts.clone(), at(0), Some(&given));
        assert_eq!((told.warned_days, told.is_due(at(0))), (Some(14), false));
        let last_day = KnownToken::learned(Some(facts(Some(1))), at(0), None);
        let hour = Timestamp::from_millis(3_600_000);
        assert!(last_day.is_due(hour) && !last_day.is_due(hour - Duration::from_millis(1)));
    }

    #[test]
    fn a_flaw_is_named() {
        let account = |id: &str| WabaId::parse(id).expect("digits");
        let mut facts = facts(None);
        assert_eq!(facts.flaw(Some(&account("7"))), None);
        facts.accounts = vec![account("8")];
        assert_eq!(facts.flaw(None), None);
        assert!(facts.flaw(Some(&account("7"))).expect("another account").contains('7'));
        facts.scopes = vec!["business_management".into()];
        assert!(facts.flaw(None).expect("no permission").contains(SEND_SCOPE));
    }

    #[test]
    fn only_what_meta_renews_is_renewed_and_only_near_its_end() {
        let mut facts = facts(Some(100));
        assert!(!facts.is_to_be_renewed(at(79)) && facts.is_to_be_renewed(at(80)));
        facts.kind = Some("PAGE".into());
        assert!(!facts.is_to_be_renewed(at(99)));
    }
}
