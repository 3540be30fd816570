//! Passes requests of tenants on to Meta. Whose business a request is was judged before; here it gets the token of its number.

use std::sync::Arc;
use std::time::Duration;

use super::allowances::{Allowances, CallResult};
use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::tenants::token_purpose;
use super::tokens::AppSecrets;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::tenant::{PhoneNumber, SharedTenant};
use crate::domain::{ErrorCode, Problem};
use crate::ports::{NoAnswer, PassedAnswer, PassedCall, PassedRequest, Ports};

/// The time that such a request may take. An upload is the longest.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Passes requests on.
pub struct Passing {
    ports: Ports,
    ledger: Ledger,
    app_secrets: AppSecrets,
    allowances: Arc<Allowances>,
}

impl Passing {
    pub(super) fn new(ports: Ports, app_secrets: AppSecrets, allowances: Arc<Allowances>) -> Self {
        let ledger = Ledger::new(&ports);
        Self {
            ports,
            ledger,
            app_secrets,
            allowances,
        }
    }

    /// As [`Passing::pass`], for what changes something: it is recorded who asked for it, before Meta is asked.
    ///
    /// # Errors
    /// Those of [`Passing::pass`], and what cannot be recorded is not asked. If Meta may have done it and nobody knows, the
    /// problem is another one (`meta_outcome_unknown`): a client that repeats what failed for a while must not repeat this.
    pub async fn change(
        &self,
        tenant: &SharedTenant,
        number: &PhoneNumber,
        request: PassedRequest,
        by: &Principal,
    ) -> Result<PassedAnswer, Failure> {
        let asked = format!("{} {}", request.method.as_str(), request.path);
        let deed = Deed::new(by, AuditAction::PassedToMeta)
            .of(&tenant.id)
            .about("phone_number", &number.phone_number_id)
            .about("meta_path", asked);
        self.ledger.note(&deed).await?;
        let answer = self.call(tenant, number, request).await?;
        answer.map_err(|why| unknown_change(&why).into())
    }

    /// Makes the request once, with the token of this number of the tenant. Returns Meta's answer, also if it is an error.
    /// The request is one that does no harm when a client repeats it.
    ///
    /// # Errors
    /// The token cannot be opened, or Meta gives no answer (`meta_unavailable`) or one that is too large
    /// (`meta_answer_too_large`).
    pub async fn pass(
        &self,
        tenant: &SharedTenant,
        number: &PhoneNumber,
        request: PassedRequest,
    ) -> Result<PassedAnswer, Failure> {
        let answer = self.call(tenant, number, request).await?;
        answer.map_err(|why| no_answer(&why).into())
    }

    async fn call(
        &self,
        tenant: &SharedTenant,
        number: &PhoneNumber,
        request: PassedRequest,
    ) -> Result<Result<PassedAnswer, NoAnswer>, Failure> {
        let purpose = token_purpose(&number.phone_number_id);
        let vault = &self.ports.vault;
        let token = vault
            .open(&tenant.id, &tenant.wrapped_data_key, &purpose, &number.sealed_token)
            .await?;
        let app_secret = self.app_secrets.of_number(number).await;
        let call = PassedCall {
            request,
            token: &token,
            app_secret: app_secret.as_ref(),
            timeout: TIMEOUT,
        };
        let mut answer = self.ports.numbers_api.pass(call).await;
        if let Ok(answer) = &answer {
            let result = CallResult::of_other(answer.refusal.as_ref());
            self.allowances.note(&tenant.id, number, result, &answer.used);
        }
        // Meta puts the token into the links to further pages.
        if let Ok(answer) = &mut answer
            && answer.body.contains(token.reveal())
        {
            answer.body = answer.body.replace(token.reveal(), "").into();
        }
        Ok(answer)
    }
}

fn no_answer(why: &NoAnswer) -> Problem {
    match why {
        NoAnswer::NotDone(why) | NoAnswer::Lost(why) => {
            Problem::new(ErrorCode::MetaUnavailable, format!("Meta did not answer: {why}."))
        }
        NoAnswer::TooLarge(why) => {
            let detail = format!("Ask for less, with limit or fields: {why}.");
            Problem::new(ErrorCode::MetaAnswerTooLarge, detail)
        }
    }
}

/// As [`no_answer`], of a request that changes something: only what was not done is worth another try.
fn unknown_change(why: &NoAnswer) -> Problem {
    match why {
        NoAnswer::NotDone(_) => no_answer(why),
        NoAnswer::Lost(why) | NoAnswer::TooLarge(why) => {
            let detail = format!("Meta may have done it, so look before you ask again: {why}.");
            Problem::new(ErrorCode::MetaOutcomeUnknown, detail)
        }
    }
}
