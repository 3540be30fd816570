//! Messages, tenants and events with sensible fields.
//!
//! Everything is plain data, so a test names what matters to it and takes the rest from here:
//! `outbound(tenant_id).with(|message| message.delivery.status = Status::Held)`. Each sample has a new id, greater than
//! those before it, and a time of its own.

mod audit;
mod callback;
mod departure;
mod endpoint;
mod erasure;
mod event;
mod installation;
mod message;
mod meta_app;
mod opt_out;
mod redrive;
mod signup;
mod status;
mod tenant;

use std::time::Duration;

use dakghar_core::domain::{IdempotencyKey, PhoneNumberId, TenantId, Timestamp, WaId, WabaId, Wamid};
use dakghar_core::ports::IdGenerator;

use crate::clock::START;
use crate::ids::SequentialIds;

pub use audit::{audit_entry, audit_entry_full};
pub use callback::{
    attempt_log, callback_exception, callback_exception_full, callback_progress, callback_progress_full,
};
pub use departure::{departure, departure_full, departure_over};
pub use endpoint::{endpoint, endpoint_full};
pub use erasure::erasure;
pub use event::{amendment, event, event_bare};
pub use installation::sealed_secrets;
pub use message::{With, echo, inbound, inbound_bare, outbound, outbound_full, saves, send_error_full, with_key};
pub use meta_app::{meta_app, meta_app_full};
pub use opt_out::{mark, opt_out, taken_back};
pub use redrive::redrive;
pub use signup::{signup, signup_full, signup_invited};
pub use status::{status_record, status_record_full};
pub use tenant::{
    api_key, key_full, known_token_full, number, number_full, operator_key, standing_full, tenant, tenant_full,
    tenant_with_numbers,
};

static IDS: SequentialIds = SequentialIds::new();

/// A new tenant id.
pub fn tenant_id() -> TenantId {
    IDS.tenant_id()
}

/// A point in time `ms` milliseconds after the time of tests begins.
pub fn at(ms: u64) -> Timestamp {
    START + Duration::from_millis(ms)
}

/// The business number that samples use unless told otherwise.
pub fn phone_number_id() -> PhoneNumberId {
    phone("111111111111111")
}

/// A business number, from digits.
pub fn phone(digits: &str) -> PhoneNumberId {
    PhoneNumberId::parse(digits).expect("digits")
}

/// An account at Meta, from digits.
pub fn waba(digits: &str) -> WabaId {
    WabaId::parse(digits).expect("digits")
}

/// A person, from digits.
pub fn person(digits: &str) -> WaId {
    WaId::parse(digits).expect("printable")
}

/// A wamid.
pub fn wamid(text: &str) -> Wamid {
    Wamid::parse(text).expect("printable")
}

/// An idempotency key.
pub fn idempotency_key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).expect("printable")
}
