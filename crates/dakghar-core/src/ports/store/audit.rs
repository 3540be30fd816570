//! The audit log, and the changes that are recorded in it.

use async_trait::async_trait;

use super::{EndpointInserted, Save, Saved, StoreError, TenantSaved};
use crate::domain::audit::{AuditChain, AuditEntry, AuditQuery, AuditRecord};
use crate::domain::departure::Departure;
use crate::domain::endpoint::Endpoint;
use crate::domain::erasure::PersonErasure;
use crate::domain::hold::SendingHold;
use crate::domain::ids::{ApiKeyId, AppId, EndpointId, PhoneNumberId, TenantId};
use crate::domain::meta_app::MetaApp;
use crate::domain::operator_key::OperatorKey;
use crate::domain::opt_out::OptOut;
use crate::domain::page::Listed;
use crate::domain::redrive::Redrive;
use crate::domain::signup::Signup;
use crate::domain::tenant::Tenant;
use crate::domain::time::Timestamp;
use crate::domain::webhook::WebhookEvent;

/// A change that is recorded together with itself. Each does what the method of its port does.
#[derive(Clone, Debug)]
pub enum AuditedChange {
    /// None: something was read, or is about to be asked for.
    Nothing,
    /// Stores a new tenant.
    InsertTenant(Box<Tenant>),
    /// Saves a tenant, with what is told of it.
    SaveTenant(Box<Tenant>, Vec<WebhookEvent>),
    /// Stores a new key of an operator.
    InsertOperatorKey(Box<OperatorKey>),
    /// Saves a key of an operator.
    SaveOperatorKey(Box<OperatorKey>),
    /// Deletes a key of an operator.
    RemoveOperatorKey(ApiKeyId),
    /// Stores a new app.
    InsertApp(Box<MetaApp>),
    /// Saves an app.
    SaveApp(Box<MetaApp>),
    /// Deletes an app.
    RemoveApp(AppId),
    /// Stores a new endpoint.
    InsertEndpoint(Box<Endpoint>),
    /// Saves an endpoint.
    SaveEndpoint(Box<Endpoint>),
    /// Deletes an endpoint of this tenant; with a version only if that is the stored one.
    RemoveEndpoint(TenantId, EndpointId, Option<u64>),
    /// Begins the hold of all sending, or ends it.
    KeepSendingHold(Option<SendingHold>),
    /// Stores a new redrive.
    InsertRedrive(Box<Redrive>),
    /// Saves a redrive.
    SaveRedrive(Box<Redrive>),
    /// Stores a new erasure of a person.
    InsertErasure(Box<PersonErasure>),
    /// Keeps what was said of one person.
    NoteOptOuts(Vec<OptOut>),
    /// Stores a new signup.
    InsertSignup(Box<Signup>),
    /// Saves a signup.
    SaveSignup(Box<Signup>),
    /// Stores a new departure.
    InsertDeparture(Box<Departure>),
    /// Saves a departure.
    SaveDeparture(Box<Departure>),
    /// Saves a message, with its entry in the feed.
    SaveMessage(Box<Save>),
}

/// The outcome of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The change and its record are durable, both.
    Done,
    /// Another writer saved first, or there is no such record; of an insert, there is one already. Nothing was changed or
    /// recorded.
    Stale,
    /// This number belongs to another tenant. Nothing was changed or recorded.
    PhoneNumberTaken(PhoneNumberId),
    /// Another endpoint of the tenant has this seat. Nothing was changed or recorded.
    SeatTaken,
}

impl From<TenantSaved> for Carried {
    fn from(saved: TenantSaved) -> Self {
        match saved {
            TenantSaved::Done => Self::Done,
            TenantSaved::Stale => Self::Stale,
            TenantSaved::PhoneNumberTaken(number) => Self::PhoneNumberTaken(number),
        }
    }
}

impl From<Saved> for Carried {
    fn from(saved: Saved) -> Self {
        match saved {
            Saved::Done => Self::Done,
            Saved::Stale => Self::Stale,
        }
    }
}

impl From<EndpointInserted> for Carried {
    fn from(inserted: EndpointInserted) -> Self {
        match inserted {
            EndpointInserted::Done => Self::Done,
            EndpointInserted::Stale => Self::Stale,
            EndpointInserted::SeatTaken => Self::SeatTaken,
        }
    }
}

impl Carried {
    /// Returns what became of a removal, or of an insert that changes nothing where there is one already.
    pub const fn if_done(is_done: bool) -> Self {
        if is_done { Self::Done } else { Self::Stale }
    }
}

/// A record in the order of the chain: its number, and what it is unless it cannot be read.
pub type Walked = (u64, Option<AuditRecord>);

/// The audit log. Whatever process writes, the records make one chain.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Carries out a change and appends its record to the chain, in one transaction: there is neither without the other.
    async fn carry_out(&self, change: &AuditedChange, entry: &AuditEntry) -> Result<Carried, StoreError>;

    /// Returns where the chain begins and ends.
    async fn audit_chain(&self) -> Result<AuditChain, StoreError>;

    /// Returns records, the newest first.
    async fn audit_list(&self, query: &AuditQuery) -> Result<Listed<AuditRecord>, StoreError>;

    /// Returns records behind a number, in the order of the chain, at most `limit`. One that cannot be read is told in its place.
    async fn audit_walk(&self, after: u64, limit: u32) -> Result<Vec<Walked>, StoreError>;

    /// Drops the oldest records, at most `limit`, as far as they are from before this time, and moves the anchor behind them in
    /// the same transaction. Stops at the first that is not, or cannot be read. Returns how many.
    async fn drop_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
