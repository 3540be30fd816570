//! Moving an installation from one store to another: the records to move, and the progress of a move.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest;

use super::audit::AuditRecord;
use super::callback::{CallbackException, CallbackProgress};
use super::conversation::Conversation;
use super::endpoint::Endpoint;
use super::feed::PlacedEntry;
use super::installation::SealedSecrets;
use super::message::{Message, StatusRecord};
use super::meta_app::MetaApp;
use super::operator_key::OperatorKey;
use super::opt_out::OptOut;
use super::page::Paged as _;
use super::tenant::Tenant;
use super::time::Timestamp;
use super::webhook::WebhookEvent;

/// The kinds of records in an installation, in the order in which they are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Tenants with their numbers and sealed tokens.
    Tenants,
    /// Conversations.
    Conversations,
    /// Messages in both directions, with their idempotency keys.
    Messages,
    /// Meta's reports on messages.
    Statuses,
    /// Webhook events, routed and unrouted.
    Events,
    /// Apps at Meta with their sealed secrets.
    Apps,
    /// Keys of operators.
    OperatorKeys,
    /// Secrets of the installation, sealed.
    InstallationSecrets,
    /// Endpoints of tenants with their sealed secrets.
    Endpoints,
    /// The progress of endpoints.
    Progress,
    /// Entries that endpoints have not taken.
    Exceptions,
    /// Entries of feeds, with their places.
    Feed,
    /// What people said about being written to.
    OptOuts,
    /// Records of the audit log. The chain that they make follows from them.
    Audit,
}

impl Kind {
    /// Every kind, in its order.
    pub const ALL: [Self; 14] = [
        Self::Tenants,
        Self::Conversations,
        Self::Messages,
        Self::Statuses,
        Self::Events,
        Self::Apps,
        Self::OperatorKeys,
        Self::InstallationSecrets,
        Self::Endpoints,
        Self::Progress,
        Self::Exceptions,
        Self::Feed,
        Self::OptOuts,
        Self::Audit,
    ];

    /// The name used in texts for people, and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenants => "tenants",
            Self::Conversations => "conversations",
            Self::Messages => "messages",
            Self::Statuses => "statuses",
            Self::Events => "events",
            Self::Apps => "apps",
            Self::OperatorKeys => "operator_keys",
            Self::InstallationSecrets => "installation_secrets",
            Self::Endpoints => "endpoints",
            Self::Progress => "callback_progress",
            Self::Exceptions => "callback_exceptions",
            Self::Feed => "feed",
            Self::OptOuts => "opt_outs",
            Self::Audit => "audit",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One record to move.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A tenant.
    Tenant(Box<Tenant>),
    /// A conversation.
    Conversation(Conversation),
    /// A message.
    Message(Box<Message>),
    /// A report on a message.
    Status(StatusRecord),
    /// An event.
    Event(WebhookEvent),
    /// An app.
    App(MetaApp),
    /// A key of an operator.
    OperatorKey(Box<OperatorKey>),
    /// Secrets of the installation.
    InstallationSecrets(SealedSecrets),
    /// An endpoint.
    Endpoint(Box<Endpoint>),
    /// The progress of an endpoint.
    Progress(Box<CallbackProgress>),
    /// An entry that an endpoint has not taken.
    Exception(Box<CallbackException>),
    /// An entry of a feed.
    Entry(PlacedEntry),
    /// What a person said.
    OptOut(OptOut),
    /// A record of the audit log.
    Audit(Box<AuditRecord>),
}

impl Record {
    /// Returns its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Tenant(_) => Kind::Tenants,
            Self::Conversation(_) => Kind::Conversations,
            Self::Message(_) => Kind::Messages,
            Self::Status(_) => Kind::Statuses,
            Self::Event(_) => Kind::Events,
            Self::App(_) => Kind::Apps,
            Self::OperatorKey(_) => Kind::OperatorKeys,
            Self::InstallationSecrets(_) => Kind::InstallationSecrets,
            Self::Endpoint(_) => Kind::Endpoints,
            Self::Progress(_) => Kind::Progress,
            Self::Exception(_) => Kind::Exceptions,
            Self::Entry(_) => Kind::Feed,
            Self::OptOut(_) => Kind::OptOuts,
            Self::Audit(_) => Kind::Audit,
        }
    }

    /// Returns its id as text, unique among its kind in every store.
    pub fn id(&self) -> String {
        match self {
            Self::Tenant(tenant) => tenant.id.to_string(),
            Self::Conversation(conversation) => conversation.id.to_string(),
            Self::Message(message) => message.accepted.id.to_string(),
            Self::Status(status) => status.id(),
            Self::Event(event) => event.id.to_string(),
            Self::App(app) => app.id.to_string(),
            Self::OperatorKey(key) => key.key.id.to_string(),
            Self::InstallationSecrets(secrets) => secrets.name.clone(),
            Self::Endpoint(endpoint) => endpoint.id.to_string(),
            Self::Progress(progress) => progress.endpoint_id.to_string(),
            Self::Exception(exception) => exception.id(),
            Self::Entry(placed) => placed.id(),
            Self::OptOut(said) => said.id(),
            Self::Audit(record) => record.place(),
        }
    }

    /// Returns about how many bytes of memory it takes, for pages of bounded size.
    pub fn bytes(&self) -> usize {
        const FIXED: usize = 1_024;
        FIXED
            + match self {
                Self::Tenant(_)
                | Self::Conversation(_)
                | Self::App(_)
                | Self::OperatorKey(_)
                | Self::InstallationSecrets(_)
                | Self::OptOut(_)
                | Self::Entry(_) => 0,
                Self::Audit(record) => record.text.len(),
                Self::Endpoint(endpoint) => endpoint.bytes(),
                Self::Progress(progress) => size_of_val(&*progress.waiting),
                Self::Exception(exception) => exception.bytes(),
                Self::Message(message) => {
                    let content = &message.accepted.content;
                    content.body.len() + content.envelope.as_deref().map_or(0, str::len)
                }
                Self::Status(status) => status.raw.len() + status.frame.as_deref().map_or(0, str::len),
                Self::Event(event) => event.raw.len(),
            }
    }
}

/// A checksum over records in their order: SHA-256 of every field of each, as both stores read it back.
///
/// The sum runs over the `Debug` form, which names every field, so a field added later is never forgotten. It is only
/// ever compared with another sum of the same run.
pub struct Checksum(digest::Context);

impl Checksum {
    /// Makes a sum over nothing.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Adds one record.
    pub fn add(&mut self, record: &Record) {
        writeln!(self, "{record:?}").expect("adding to a sum does not fail");
    }

    /// Returns the sum.
    pub fn finish(self) -> [u8; 32] {
        let digest = self.0.finish();
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Checksum {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// A place in the source. Only the source can interpret it, and the source does not change during a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(pub String);

/// The progress of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindProgress {
    /// The kind.
    pub kind: Kind,
    /// The number in the source.
    pub total: u64,
    /// The number that is durable in the target.
    pub copied: u64,
    /// The place at which copying goes on; `None` is the beginning.
    pub place: Option<Place>,
    /// The sum over all of them, once they were compared.
    pub checksum: Option<[u8; 32]>,
}

/// The stage of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The records that an earlier try left in the target are being erased.
    Clearing,
    /// Being copied or compared. Nothing may be sent from the target.
    Copying,
    /// Everything was copied and compared; the source does not start any more.
    Finished,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 3] = [Self::Clearing, Self::Copying, Self::Finished];

    /// The name used in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clearing => "clearing",
            Self::Copying => "copying",
            Self::Finished => "finished",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
}

/// The record of a migration, kept in the target from the first step on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Random. The source remembers it when it retires, so that it is not moved to two places.
    pub id: String,
    /// The location of the source, for people.
    pub origin: String,
    /// The source's state when the copying began. Only a source in this state may go on.
    pub source_state: [u8; 32],
    /// Its stage.
    pub stage: Stage,
    /// The progress of each kind, in the order of [`Kind::ALL`].
    pub kinds: Vec<KindProgress>,
    /// The time it began.
    pub started_at: Timestamp,
    /// The time it was finished.
    pub finished_at: Option<Timestamp>,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

impl Migration {
    /// Returns the reason the target must not be used, if there is one.
    pub fn obstacle(&self) -> Option<String> {
        if self.stage == Stage::Finished {
            return None;
        }
        let copied: u64 = self.kinds.iter().map(|progress| progress.copied).sum();
        let total: u64 = self.kinds.iter().map(|progress| progress.total).sum();
        Some(format!(
            "this database holds an unfinished migration of {} ({copied} of {total} records copied, begun {}): run \
             `dakghar migrate` again to finish it. Until then nothing may be sent from here, because the embedded \
             installation may still send the same messages",
            self.origin, self.started_at
        ))
    }
}

/// The record that a source keeps after its installation has moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retirement {
    /// The migration that moved it: [`Migration::id`].
    pub migration_id: String,
    /// The location of its installation now, for people.
    pub successor: String,
    /// The time it was left.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Priority;
    use crate::domain::message::tests::queued;

    fn sum(records: &[Record]) -> [u8; 32] {
        let mut checksum = Checksum::new();
        for record in records {
            checksum.add(record);
        }
        checksum.finish()
    }

    fn message(at: i64) -> Message {
        let mut message = queued();
        message.accepted.created_at = Timestamp::from_millis(at);
        message
    }

    #[test]
    fn a_sum_depends_on_every_field_and_on_the_order() {
        let one = Record::Message(Box::new(message(1)));
        let two = Record::Message(Box::new(message(2)));
        assert_eq!(sum(&[one.clone(), two.clone()]), sum(&[one.clone(), two.clone()]));
        assert_ne!(sum(&[one.clone(), two.clone()]), sum(&[two, one.clone()]));
        let mut changed = message(1);
        changed.accepted.priority = Priority::Low;
        assert_ne!(sum(&[one]), sum(&[Record::Message(Box::new(changed))]));
        assert_ne!(sum(&[]), [0; 32]);
    }
}
