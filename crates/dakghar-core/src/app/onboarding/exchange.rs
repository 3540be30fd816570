//! The exchange of a code for its token, which Meta makes once.

use super::calls::after;
use super::remembered::GivenToken;
use super::taken::{Halt, Taken};
use super::{Onboarding, Sealed};
use crate::domain::signup::{Reason, Signup};
use crate::domain::{Secret, Tenant};
use crate::ports::{AppAccess, NumberCallFailure};

impl Onboarding {
    pub(super) async fn exchange(&self, signup: &mut Signup, tenant: &Tenant) -> Result<Taken, Halt> {
        let token = match self.given_before(signup) {
            Some(token) => token,
            None => match self.token_for_code(signup, tenant).await? {
                Ok(token) => token,
                Err(failure) => return after(signup, failure, self.clock.now()),
            },
        };
        // From here on nobody can get the token again, so nothing stands between it and the save.
        let sealed = self.seal(tenant, &signup.id, Sealed::Token, &token).await;
        match sealed {
            Ok(sealed) => signup.sealed_token = Some(sealed),
            Err(failure) => {
                self.remember(signup, token);
                return Err(failure.into());
            }
        }
        self.given.lock().forget(signup.id);
        signup.forget_code();
        Ok(Taken::done(None))
    }

    async fn token_for_code(
        &self,
        signup: &mut Signup,
        tenant: &Tenant,
    ) -> Result<Result<Secret, NumberCallFailure>, Halt> {
        let now = self.clock.now();
        let code = signup.sealed_code.as_ref().filter(|_| now < signup.code_until);
        let Some(sealed) = code else {
            signup.forget_code();
            return Err(self.stop(Reason::CodeExpired, None));
        };
        let code = self.open(tenant, signup, Sealed::Code, sealed).await?;
        self.apps.look().await;
        let Some(secret) = self.apps.of(&signup.app_id) else {
            signup.forget_code();
            return Err(self.stop(Reason::AppUnknown, None));
        };
        let app = AppAccess {
            id: &signup.app_id,
            secret: &secret,
        };
        Ok(self.api.exchange(app, &code).await)
    }

    /// The token that Meta gave this process for the code, if it could not be sealed then.
    fn given_before(&self, signup: &Signup) -> Option<Secret> {
        let given = self.given.lock();
        let found = given
            .find(signup.id)
            .filter(|given| given.code_until == signup.code_until);
        found.map(|given| given.token.clone())
    }

    /// Keeps a token in memory that cannot be sealed now. Its code is never exchanged again.
    fn remember(&self, signup: &Signup, token: Secret) {
        let code_until = signup.code_until;
        let forgotten = self.given.lock().put(signup.id, GivenToken { token, code_until });
        if let Some(signup_id) = forgotten {
            tracing::warn!(%signup_id, "the token of a signup is lost, because too many wait for the key service");
        }
    }
}
