//! The questions to Meta at a check, and the meaning of its answers.

use std::collections::HashMap;
use std::sync::Arc;

use super::NumberChecks;
use crate::app::tenants::token_purpose;
use crate::domain::graph_error::{self, GraphRefusal};
use crate::domain::signup::Subscription;
use crate::domain::standing::{Refused, Seen, SeenNumber, WebhooksGo, webhooks_of};
use crate::domain::{AppId, PhoneNumber, Present, RefusalClass, Tenant, WabaId};
use crate::ports::{Bearer, NumberCallFailure};

/// Meta's codes for a token that does not work, whatever is asked with it. Other refusals of a token may mean that it may send
/// and not read.
const TOKEN_OVER: [i64; 3] = [0, 102, 190];

/// The result of a look at a number.
#[derive(Debug)]
pub(super) enum Looked {
    /// The state.
    Seen {
        seen: Box<Seen>,
        /// True if its account was subscribed again.
        is_subscribed: bool,
    },
    /// Meta does not tell of it.
    Refused(Refused),
    /// Its token does not work: Meta's words.
    Token(Arc<str>),
    /// Meta said nothing of it: why.
    NoAnswer(Arc<str>),
    /// Meta wants fewer calls of the app.
    Throttled(Arc<str>),
    /// Nobody asked: the others took too long. It does not rest, so that it is taken again at once.
    NotYet,
}

/// Accounts, each asked for once.
#[derive(Default)]
pub(super) struct Accounts {
    known: HashMap<WabaId, OfAccount>,
    asked: usize,
}

#[derive(Clone, Default)]
struct OfAccount {
    review: Option<Arc<str>>,
    /// `None` if Meta does not tell.
    subscriptions: Option<Vec<Subscription>>,
}

impl Accounts {
    /// The number of questions to Meta, about anything.
    pub(super) const fn asked(&self) -> usize {
        self.asked
    }
}

impl Looked {
    /// Changes the number by what was found. Returns true if what was held may go out.
    pub(super) fn apply(&self, number: &mut PhoneNumber, at: Present) -> bool {
        match self {
            Self::Seen { seen, is_subscribed } => {
                let is_released = number.take_seen(Seen::clone(seen), at);
                if *is_subscribed {
                    number.standing.subscribed_at = Some(at.wall);
                    // To see that it is as it should be again, and to tell so.
                    number.standing.is_asked = true;
                }
                is_released
            }
            Self::Refused(refused) => {
                let refused = Seen {
                    refused: Some(*refused),
                    ..Seen::default()
                };
                number.take_seen(refused, at)
            }
            Self::Token(_) => {
                number.token_does_not_work(at);
                let standing = &mut number.standing;
                (standing.checked_at, standing.rests_until, standing.is_asked) = (Some(at.wall), None, false);
                false
            }
            Self::NotYet => {
                number.standing.rests_until = None;
                false
            }
            Self::NoAnswer(_) | Self::Throttled(_) => false,
        }
    }

    /// True if it changes something of the number.
    pub(super) const fn says_something(&self) -> bool {
        !matches!(self, Self::NoAnswer(_) | Self::Throttled(_))
    }

    /// Judges a call that did not succeed.
    fn after(failure: NumberCallFailure) -> Self {
        let refusal = match failure {
            NumberCallFailure::NoAnswer(why) => return Self::NoAnswer(why),
            NumberCallFailure::Refused(refusal) => refusal,
        };
        let words = || Arc::from(format!("({}) {}", refusal.code, refusal.message));
        match graph_error::classify(&refusal).class {
            RefusalClass::PaceApp => Self::Throttled(words()),
            class if says_nothing(class) => Self::NoAnswer(words()),
            _ if TOKEN_OVER.contains(&refusal.code) => Self::Token(words()),
            _ => Self::Refused(refused(&refusal)),
        }
    }
}

/// True for a refusal that is about the moment, and not about what was asked for.
const fn says_nothing(class: RefusalClass) -> bool {
    matches!(
        class,
        RefusalClass::Retry { .. } | RefusalClass::PaceNumber | RefusalClass::PacePair | RefusalClass::PaceAccount
    )
}

const fn refused(refusal: &GraphRefusal) -> Refused {
    Refused {
        code: refusal.code,
        subcode: refusal.subcode,
    }
}

impl NumberChecks {
    /// Asks Meta about a number and its account. Where `acts`, an account that lost its subscription may be subscribed again.
    pub(super) async fn look(
        &self,
        tenant: &Tenant,
        number: &PhoneNumber,
        accounts: &mut Accounts,
        acts: bool,
    ) -> Looked {
        let (purpose, key) = (token_purpose(&number.phone_number_id), &tenant.wrapped_data_key);
        let opened = self.vault.open(&tenant.id, key, &purpose, &number.sealed_token).await;
        let token = match opened {
            Ok(token) => token,
            Err(error) => {
                tracing::warn!(
                    tenant_id = %tenant.id, phone_number_id = %number.phone_number_id, %error,
                    "a number cannot be checked: its access token does not open"
                );
                return Looked::NoAnswer("its access token does not open".into());
            }
        };
        let secret = self.apps.of_number(number).await;
        let as_ = Bearer {
            token: &token,
            app_secret: secret.as_ref(),
        };
        accounts.asked += 1;
        let seen = match self.api.standing(as_, &number.phone_number_id).await {
            Ok(seen) => seen,
            Err(failure) => return Looked::after(failure),
        };
        let account = seen.waba_id.clone().or_else(|| number.waba_id.clone());
        let of_account = match &account {
            Some(id) => match self.account(as_, id, accounts).await {
                Ok(of_account) => of_account,
                Err(looked) => return looked,
            },
            None => OfAccount::default(),
        };
        let seen = self.seen(number, seen, of_account).await;
        let is_lost = seen.webhooks == Some(WebhooksGo::Nowhere);
        let acts = acts && self.subscribes_again && !tenant.is_leaving(&number.phone_number_id);
        let may = acts && number.standing.may_subscribe(self.clock.wall());
        let is_subscribed = match account.filter(|_| is_lost && may) {
            Some(account) => self.subscribe(as_, &account, accounts).await,
            None => false,
        };
        Looked::Seen {
            seen: Box::new(seen),
            is_subscribed,
        }
    }

    async fn seen(&self, number: &PhoneNumber, seen: SeenNumber, of_account: OfAccount) -> Seen {
        let known = self.apps.ids().await;
        let of_token = number.token_app().filter(|app| known.contains(app)).cloned();
        let apps: Vec<AppId> = of_token.map_or(known, |app| vec![app]);
        let (webhooks, webhook_url) = match &of_account.subscriptions {
            Some(subscriptions) => webhooks_of(subscriptions, seen.webhook_url.as_ref(), &apps, &self.own_urls),
            None => (None, None),
        };
        Seen {
            number: seen,
            review: of_account.review,
            webhooks,
            webhook_url,
            refused: None,
        }
    }

    /// Reads an account, once. What Meta refuses to tell of it is not known, and changes nothing.
    async fn account(&self, as_: Bearer<'_>, id: &WabaId, accounts: &mut Accounts) -> Result<OfAccount, Looked> {
        if let Some(known) = accounts.known.get(id) {
            return Ok(known.clone());
        }
        accounts.asked += 2;
        let facts = told(self.api.account(as_, id).await)?;
        let subscriptions = told(self.api.subscriptions(as_, id).await)?;
        let of_account = OfAccount {
            review: facts.and_then(|facts| facts.review_status),
            subscriptions,
        };
        accounts.known.insert(id.clone(), of_account.clone());
        Ok(of_account)
    }

    async fn subscribe(&self, as_: Bearer<'_>, account: &WabaId, accounts: &mut Accounts) -> bool {
        accounts.asked += 1;
        let subscribed = self.api.subscribe(as_, account, self.webhook.as_ref()).await;
        match &subscribed {
            Ok(()) => {
                // The other numbers of the account need not do it again.
                accounts.known.remove(account);
                tracing::info!(waba_id = %account, "our app was subscribed again to the webhooks of an account");
            }
            Err(failure) => tracing::warn!(
                waba_id = %account, why = ?failure,
                "our app could not be subscribed again to the webhooks of an account"
            ),
        }
        subscribed.is_ok()
    }
}

/// Returns Meta's answer; `None` if it refused for good. An answer that says nothing ends the look.
fn told<T>(answer: Result<T, NumberCallFailure>) -> Result<Option<T>, Looked> {
    match answer.map_err(Looked::after) {
        Ok(told) => Ok(Some(told)),
        Err(Looked::Refused(_)) => Ok(None),
        Err(looked) => Err(looked),
    }
}
