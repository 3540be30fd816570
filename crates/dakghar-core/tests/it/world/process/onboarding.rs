//! Signups.

use dakghar_core::app::{
    DialogReport, Failure, MetaAppChanges, NewLink, NewMetaApp, NewNumberSignup, SignupRetry, Visitor,
};
use dakghar_core::domain::signup::Signup;
use dakghar_core::domain::{Actor, Problem, Secret, TenantId};

use super::by::principal;
use super::{FAILURE_WAIT, Process};

/// A signup with this code and nothing else.
pub fn with_code(code: &str) -> NewNumberSignup {
    NewNumberSignup {
        code: Secret::new(code),
        app_id: None,
        waba_id: None,
        phone_number_id: None,
        pin: None,
        event: None,
    }
}

/// A browser with the page of a link open.
#[derive(Clone)]
pub struct Browser {
    pub secret: String,
    pub cookie: String,
    pub state: String,
}

impl Browser {
    fn visitor(&self) -> Visitor<'_> {
        Visitor {
            secret: &self.secret,
            cookie: &self.cookie,
            state: &self.state,
            address: None,
            request_id: None,
        }
    }
}

impl Process {
    /// Opens the page of a link in a new browser.
    pub fn opens(&self, secret: &str) -> Browser {
        let cookie = self.app.onboarding.new_cookie();
        Browser {
            secret: secret.to_owned(),
            state: self.app.onboarding.state_for(secret, &cookie),
            cookie,
        }
    }

    pub async fn begin_by_link(&self, browser: &Browser, code: &str) -> Result<Signup, Problem> {
        let (visitor, new) = (browser.visitor(), with_code(code));
        Ok(self.app.onboarding.begin_by_link(&visitor, &new).await?)
    }

    pub async fn report_by_link(&self, browser: &Browser, report: &DialogReport) -> Result<(), Problem> {
        let visitor = browser.visitor();
        Ok(self.app.onboarding.report_by_link(&visitor, report).await?)
    }

    pub async fn begin_signup(
        &self,
        tenant: &TenantId,
        new: NewNumberSignup,
        by: Actor,
    ) -> Result<(Signup, bool), Problem> {
        Ok(self.app.onboarding.begin(tenant, new, principal(by)).await?)
    }

    pub async fn retry_signup(&self, signup: &Signup, retry: SignupRetry) -> Result<Signup, Problem> {
        let id = signup.id.to_string();
        let retried = self
            .app
            .onboarding
            .retry(&signup.tenant_id, &id, retry, principal(Actor::Operator));
        Ok(retried.await?)
    }

    /// Makes a link, and returns its URL.
    pub async fn invite(&self, tenant: &TenantId, new: NewLink) -> Result<(Signup, String), Problem> {
        let invited = self.app.onboarding.invite(tenant, new, principal(Actor::Operator));
        let (signup, url) = invited.await?;
        Ok((signup, url.reveal().to_owned()))
    }

    pub async fn cancel_signup(&self, signup: &Signup) -> Result<Signup, Problem> {
        let id = signup.id.to_string();
        let cancelled = self
            .app
            .onboarding
            .cancel(&signup.tenant_id, &id, principal(Actor::Operator));
        Ok(cancelled.await?)
    }

    pub async fn find_signup(&self, signup: &Signup) -> Result<Signup, Problem> {
        let id = signup.id.to_string();
        Ok(self.app.onboarding.find(&signup.tenant_id, &id).await?)
    }

    /// Adds an app.
    pub async fn add_app(&self, id: &str, config: Option<&str>) -> Result<(), Problem> {
        let new = NewMetaApp {
            id: id.to_owned(),
            name: "Partner".to_owned(),
            secret: Secret::new("secret-of-the-app"),
            verify_token: None,
            signup_config_id: config.map(str::to_owned),
        };
        self.app.apps.add(new, principal(Actor::Operator)).await?;
        Ok(())
    }

    /// Gives an app another login configuration, or takes its own away.
    pub async fn configure_app(&self, id: &str, config: Option<&str>) -> Result<(), Problem> {
        let changes = MetaAppChanges {
            name: None,
            signup_config_id: Some(config.map(str::to_owned)),
        };
        self.app.apps.change(id, &changes, principal(Actor::Operator)).await?;
        Ok(())
    }

    /// The login configuration that the page of a link runs with.
    pub async fn config_of_link(&self, secret: &str) -> Result<Option<String>, Problem> {
        let visit = self.app.onboarding.visit(secret, None).await?;
        Ok(visit.and_then(|visit| visit.config_id).map(|id| id.to_string()))
    }

    /// Works on signups by itself from now on.
    pub fn works_on_signups(&self) {
        let (codes, others) = (self.clone(), self.clone());
        let exchange = async move {
            loop {
                codes.rest_of(codes.app.onboarding.exchange_codes().await).await;
            }
        };
        let work = async move {
            loop {
                others.rest_of(others.app.onboarding.work().await).await;
            }
        };
        self.shared.wire.executor.spawn(self.life, exchange);
        self.shared.wire.executor.spawn(self.life, work);
    }

    async fn rest_of(&self, done: Result<std::time::Duration, Failure>) {
        let wait = done.unwrap_or(FAILURE_WAIT);
        if !wait.is_zero() {
            self.sleep(wait).await;
        }
    }
}
