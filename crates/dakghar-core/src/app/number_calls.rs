//! Calls about a number that a client makes at once: read marks, blocked people, the profile. Nothing of them is stored, queued
//! or tried again: a read mark that comes late is worth nothing, and everything else the client sees at once.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::allowances::{Allowances, CallResult};
use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::passing::Passing;
use super::tenants::{Tenants, token_purpose};
use super::tokens::AppSecrets;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::tenant::SharedTenant;
use crate::domain::{Direction, ErrorCode, MessageKey, PhoneNumberId, Problem, TenantId, Wamid};
use crate::ports::{NumberAsk, NumberCall, NumberCallFailure, Ports};

/// The time that such a call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most people that are blocked with one call.
pub const BLOCKED_AT_ONCE_MAX: usize = 100;

/// Calls Meta for numbers of tenants.
pub struct NumberCalls {
    ports: Ports,
    tenants: Arc<Tenants>,
    ledger: Ledger,
    app_secrets: AppSecrets,
    passing: Passing,
    allowances: Arc<Allowances>,
}

impl NumberCalls {
    pub(in crate::app) fn new(
        ports: Ports,
        tenants: Arc<Tenants>,
        app_secrets: AppSecrets,
        allowances: Arc<Allowances>,
    ) -> Self {
        let ledger = Ledger::new(&ports);
        let passing = Passing::new(ports.clone(), app_secrets.clone(), allowances.clone());
        Self {
            ports,
            tenants,
            ledger,
            app_secrets,
            passing,
            allowances,
        }
    }

    /// Passing requests on to Meta as they are.
    pub const fn passing(&self) -> &Passing {
        &self.passing
    }

    /// Asks Meta about a number of the tenant, or about its default one. Returns Meta's answer, a JSON object.
    ///
    /// # Errors
    /// The tenant has no such number, Meta refuses (`meta_refused`), or gives no answer (`meta_unavailable`).
    pub async fn ask(&self, id: &TenantId, number: Option<&str>, ask: NumberAsk<'_>) -> Result<Arc<str>, Failure> {
        let tenant = self.tenants.find(id).await?;
        let number = number
            .map(|text| PhoneNumberId::parse(text).map_err(|_| no_such_number()))
            .transpose()?;
        self.ask_for(&tenant, number.as_ref(), ask).await
    }

    /// As [`NumberCalls::ask`], for what changes something at Meta: it is recorded who asked for it, before Meta is asked.
    ///
    /// # Errors
    /// Those of [`NumberCalls::ask`], and what cannot be recorded is not asked.
    pub async fn change(
        &self,
        id: &TenantId,
        number: &str,
        ask: NumberAsk<'_>,
        by: &Principal,
    ) -> Result<Arc<str>, Failure> {
        let tenant = self.tenants.find(id).await?;
        let number = PhoneNumberId::parse(number).map_err(|_| no_such_number())?;
        tenant.number(Some(&number)).ok_or_else(no_such_number)?;
        if let Some((action, people)) = recorded(&ask) {
            let deed = Deed::new(by, action)
                .of(id)
                .about("phone_number", &number)
                .counting(people);
            self.ledger.note(&deed).await?;
        }
        self.ask_for(&tenant, Some(&number), ask).await
    }

    /// Marks a message of a person as read, by our id of it.
    ///
    /// # Errors
    /// The tenant has no such message, or nobody wrote it to the tenant; otherwise as [`NumberCalls::ask`].
    pub async fn mark_read(&self, key: MessageKey, typing: bool) -> Result<Arc<str>, Failure> {
        let tenant = self.tenants.find(&key.tenant_id).await?;
        let found = self.ports.messages.load(&[key]).await.into_iter().next().transpose()?;
        let gone = || Problem::new(ErrorCode::MessageNotFound, "The tenant has no such message.");
        let message = found.flatten().ok_or_else(gone)?;
        let wamid = message.delivery.wamid.as_ref().map(Wamid::as_str);
        let (Direction::Inbound, Some(wamid)) = (message.accepted.direction, wamid) else {
            let detail = "Only a message that a person wrote can be marked as read.";
            return Err(Problem::new(ErrorCode::NotInbound, detail).into());
        };
        let number = &message.accepted.phone_number_id;
        self.ask_for(&tenant, Some(number), NumberAsk::MarkRead { wamid, typing })
            .await
    }

    async fn ask_for(
        &self,
        tenant: &SharedTenant,
        number: Option<&PhoneNumberId>,
        ask: NumberAsk<'_>,
    ) -> Result<Arc<str>, Failure> {
        let number = tenant.number(number).ok_or_else(no_such_number)?;
        let purpose = token_purpose(&number.phone_number_id);
        let vault = &self.ports.vault;
        let token = vault
            .open(&tenant.id, &tenant.wrapped_data_key, &purpose, &number.sealed_token)
            .await?;
        let app_secret = self.app_secrets.of_number(number).await;
        let used = Mutex::default();
        let call = NumberCall {
            number: &number.phone_number_id,
            token: &token,
            app_secret: app_secret.as_ref(),
            ask,
            timeout: TIMEOUT,
            used: &used,
        };
        let answer = self.ports.numbers_api.ask(call).await;
        let refusal = match &answer {
            Err(NumberCallFailure::Refused(refusal)) => Some(refusal),
            Ok(_) | Err(NumberCallFailure::NoAnswer(_)) => None,
        };
        let result = CallResult::of_other(refusal);
        self.allowances.note(&tenant.id, number, result, &used.into_inner());
        answer.map_err(failure_of)
    }
}

/// The action that is recorded of a call, and its number of people; `None` of a call that changes nothing that lasts.
const fn recorded(ask: &NumberAsk<'_>) -> Option<(AuditAction, Option<u64>)> {
    match ask {
        NumberAsk::Block(people) => Some((AuditAction::PeopleBlocked, Some(people.len() as u64))),
        NumberAsk::Unblock(people) => Some((AuditAction::PeopleUnblocked, Some(people.len() as u64))),
        NumberAsk::ChangeProfile(_) => Some((AuditAction::ProfileChanged, None)),
        NumberAsk::MarkRead { .. } | NumberAsk::Blocked { .. } | NumberAsk::Profile => None,
    }
}

fn no_such_number() -> Problem {
    Problem::new(
        ErrorCode::PhoneNumberNotFound,
        "The tenant has no such phone number id.",
    )
}

fn failure_of(failure: NumberCallFailure) -> Failure {
    match failure {
        NumberCallFailure::Refused(refusal) => Failure::MetaRefused(Box::new(refusal)),
        NumberCallFailure::NoAnswer(why) => {
            Problem::new(ErrorCode::MetaUnavailable, format!("Meta did not answer: {why}.")).into()
        }
    }
}
