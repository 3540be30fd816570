//! A token that somebody gives is looked at before it is believed.

use std::sync::Arc;

use super::apps::AppSecrets;
use crate::domain::access_token::{KnownToken, TokenFacts, TokenVerdict};
use crate::domain::{ErrorCode, Problem, Secret, WabaId};
use crate::metrics::{Metrics, TokenChecked};
use crate::ports::{AppAccess, Clock, Ports, TokensApi};

/// What became of a look at a token.
pub(in crate::app) enum Looked {
    /// It works.
    Valid(TokenFacts),
    /// It does not: Meta's words.
    Invalid(Arc<str>),
    /// It is of no app that is known here; or none is.
    NoApp,
    /// Meta gave no answer: why.
    Unknown(Arc<str>),
}

/// Looks at tokens, as the app that they are of.
#[derive(Clone)]
pub(in crate::app) struct TokenChecks {
    api: Arc<dyn TokensApi>,
    apps: AppSecrets,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl TokenChecks {
    pub(in crate::app) fn new(ports: &Ports, apps: AppSecrets) -> Self {
        Self {
            api: ports.tokens_api.clone(),
            apps,
            clock: ports.clock.clone(),
            metrics: ports.metrics.clone(),
        }
    }

    /// True if there is an app as which Meta may be asked.
    pub(super) async fn has_apps(&self) -> bool {
        !self.apps.all().await.is_empty()
    }

    /// Asks Meta about a token, as one app after the other until it is told.
    pub(in crate::app) async fn look(&self, token: &Secret) -> Looked {
        let apps = self.apps.all().await;
        if apps.is_empty() {
            return Looked::NoApp;
        }
        let mut looked = Looked::NoApp;
        for (id, secret) in apps {
            let app = AppAccess {
                id: &id,
                secret: &secret,
            };
            looked = match self.api.inspect(app, token).await {
                Ok(TokenVerdict::OtherApp) => continue,
                Ok(TokenVerdict::Valid(facts)) => Looked::Valid(facts),
                Ok(TokenVerdict::Invalid(why)) => Looked::Invalid(why),
                Err(unknown) => Looked::Unknown(unknown.0),
            };
            break;
        }
        let result = match &looked {
            Looked::Valid(_) => TokenChecked::Valid,
            Looked::Invalid(_) => TokenChecked::Invalid,
            Looked::NoApp => TokenChecked::OtherApp,
            Looked::Unknown(_) => TokenChecked::NoAnswer,
        };
        self.metrics.token_checks.of(result).inc();
        looked
    }

    /// Asks for a token that lasts longer. `None` if Meta refuses, or gives no answer.
    pub(super) async fn renew(&self, facts: &TokenFacts, token: &Secret) -> Option<Secret> {
        let secret = self.apps.of(&facts.app_id)?;
        let app = AppAccess {
            id: &facts.app_id,
            secret: &secret,
        };
        match self.api.renew(app, token).await {
            Ok(renewed) => renewed,
            Err(why) => {
                tracing::debug!(%why, "an access token could not be renewed yet");
                None
            }
        }
    }

    /// Looks at a token that is given for numbers of these accounts.
    ///
    /// # Errors
    /// Meta says that it does not work, or that it may not send for them. Without an answer it is believed, and looked at
    /// later.
    pub(in crate::app) async fn given(
        &self,
        token: &Secret,
        accounts: &[Option<WabaId>],
    ) -> Result<Option<KnownToken>, Problem> {
        if token.is_mock_token() {
            return Ok(None);
        }
        let now = self.clock.wall();
        match self.look(token).await {
            Looked::Valid(facts) => match accounts.iter().find_map(|account| facts.flaw(account.as_ref())) {
                Some(flaw) => Err(refused(flaw)),
                None => Ok(Some(KnownToken::given(Some(facts), now))),
            },
            Looked::Invalid(why) => Err(refused(format!("Meta says that the token does not work: {why}"))),
            Looked::NoApp => Ok(None),
            Looked::Unknown(why) => {
                tracing::warn!(%why, "an access token is taken without a look at it");
                Ok(None)
            }
        }
    }
}

fn refused(why: String) -> Problem {
    Problem::field(ErrorCode::AccessTokenRefused, "/accessToken", why)
}
