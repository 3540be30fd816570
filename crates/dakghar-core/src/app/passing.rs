//! Passes requests of tenants on to Meta. Whose business a request is was judged before; here it gets the token of its number.

use std::sync::Arc;
use std::time::Duration;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::tenants::token_purpose;
use super::tokens::AppSecrets;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::tenant::{PhoneNumber, SharedTenant};
use crate::domain::{ErrorCode, Problem};
use crate::ports::{PassedAnswer, PassedCall, PassedRequest, Ports};

/// The time that such a request may take. An upload is the longest.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Passes requests on.
pub struct Passing {
    ports: Ports,
    ledger: Ledger,
    app_secrets: AppSecrets,
}

impl Passing {
    pub(super) fn new(ports: Ports, app_secrets: AppSecrets) -> Self {
        let ledger = Ledger::new(&ports);
        Self {
            ports,
            ledger,
            app_secrets,
        }
    }

    /// As [`Passing::pass`], for what changes something: it is recorded who asked for it, before Meta is asked.
    ///
    /// # Errors
    /// Those of [`Passing::pass`], and what cannot be recorded is not asked.
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
        self.pass(tenant, number, request).await
    }

    /// Makes the request once, with the token of this number of the tenant. Returns Meta's answer, also if it is an error.
    ///
    /// # Errors
    /// The token cannot be opened, or Meta gives no answer (`meta_unavailable`); then nobody knows whether it was done.
    pub async fn pass(
        &self,
        tenant: &SharedTenant,
        number: &PhoneNumber,
        request: PassedRequest,
    ) -> Result<PassedAnswer, Failure> {
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
        let answer = self.ports.numbers_api.pass(call).await;
        let mut answer = answer.map_err(|why| no_answer(&why))?;
        // Meta puts the token into the links to further pages.
        if answer.body.contains(token.reveal()) {
            answer.body = answer.body.replace(token.reveal(), "").into();
        }
        Ok(answer)
    }
}

fn no_answer(why: &Arc<str>) -> Problem {
    Problem::new(ErrorCode::MetaUnavailable, format!("Meta did not answer: {why}."))
}
