//! Departures as clients ask for them.

use crate::domain::departure::{
    DEPARTING_NUMBERS_MAX, DepartingNumber, DepartureStep, DepartureWishes, QueuedWish, SEND_FOR, SEND_FOR_MAX,
};
use crate::domain::time::Present;
use crate::domain::{ErrorCode, FieldError, PhoneNumber, PhoneNumberId, Problem, Tenant, Timestamp};

/// A departure that is wished for, as a client describes it.
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
#[derive(Clone, Debug, Default)]
pub struct NewTenantDeparture {
    /// The numbers that leave; the tenant as a whole when absent.
    pub phone_number_ids: Option<Vec<String>>,
    /// True if what was accepted before is cancelled, and not sent.
    pub cancel_queued: bool,
    /// The date until which it is sent.
    pub send_until: Option<Timestamp>,
    /// True if numbers are deregistered.
    pub deregister: bool,
    /// True if access tokens are revoked.
    pub revoke_token: bool,
    /// True if nobody needs the export.
    pub skip_export: bool,
    /// True if the tenant stays with its data.
    pub keep_data: bool,
    /// The steps of Meta's without which it does not go on.
    pub required: Vec<DepartureStep>,
}

impl NewTenantDeparture {
    /// The wishes. A date is meant as the length of time until then.
    pub(super) fn wishes(&self, present: Present) -> Result<DepartureWishes<'_>, Problem> {
        Ok(DepartureWishes {
            queued: self.queued(present)?,
            deregister: self.deregister,
            revoke: self.revoke_token,
            skip_export: self.skip_export,
            keep_data: self.keep_data,
            required: &self.required,
        })
    }

    fn queued(&self, present: Present) -> Result<QueuedWish, Problem> {
        let refused = |message: &str| Problem::field(ErrorCode::InvalidField, "/sendUntil", message);
        match self.send_until {
            Some(_) if self.cancel_queued => Err(refused("must be absent if what is queued is cancelled")),
            _ if self.cancel_queued => Ok(QueuedWish::Cancel),
            None => Ok(QueuedWish::Send {
                until: present.now + SEND_FOR,
            }),
            Some(until) if until <= present.wall => Err(refused("must not be over")),
            Some(until) if until > present.wall + SEND_FOR_MAX => Err(refused("must be within 30 days")),
            Some(until) => Ok(QueuedWish::Send {
                until: present.now + until.since(present.wall),
            }),
        }
    }

    /// The numbers that leave. Says everything that is wrong with their ids at once.
    pub(super) fn numbers(&self, tenant: &Tenant) -> Result<Vec<DepartingNumber>, Problem> {
        let Some(asked) = &self.phone_number_ids else {
            return bounded(tenant.phone_numbers.iter().map(departing).collect());
        };
        if asked.is_empty() {
            let message = "must name a number; leave it out for the tenant as a whole";
            return Err(Problem::field(ErrorCode::InvalidField, "/phoneNumberIds", message));
        }
        let mut numbers: Vec<DepartingNumber> = Vec::new();
        let mut errors = Vec::new();
        for (place, text) in asked.iter().enumerate() {
            let id = PhoneNumberId::parse(text).ok();
            match id.and_then(|id| tenant.number(Some(&id))) {
                Some(number) if numbers.iter().any(|known| known.id == number.phone_number_id) => {}
                Some(number) => numbers.push(departing(number)),
                None => errors.push(FieldError {
                    pointer: format!("/phoneNumberIds/{place}"),
                    message: "the tenant has no such phone number id".to_owned(),
                }),
            }
        }
        if !errors.is_empty() {
            return Err(Problem::fields(ErrorCode::PhoneNumberNotFound, errors));
        }
        if numbers.len() == tenant.phone_numbers.len() {
            let detail = "These are all numbers of the tenant: let it leave as a whole.";
            return Err(Problem::new(ErrorCode::LastPhoneNumber, detail));
        }
        bounded(numbers)
    }
}

fn bounded(numbers: Vec<DepartingNumber>) -> Result<Vec<DepartingNumber>, Problem> {
    if numbers.len() <= DEPARTING_NUMBERS_MAX {
        return Ok(numbers);
    }
    let message = format!("{DEPARTING_NUMBERS_MAX} numbers may leave at a time; let some of them leave first");
    Err(Problem::field(ErrorCode::InvalidField, "/phoneNumberIds", message))
}

fn departing(number: &PhoneNumber) -> DepartingNumber {
    DepartingNumber {
        id: number.phone_number_id.clone(),
        waba_id: number.waba_id.clone(),
        simulated: number.simulated,
    }
}
