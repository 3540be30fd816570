//! What Dakghar needs from the world, as small traits. Each method is one atomic step of the thing behind it.
//!
//! Ports take batches: what arrived while one commit was being written is the next commit.

pub mod clock;
pub mod graph;
pub mod migration;
pub mod queue;
pub mod store;
pub mod vault;

pub use clock::{Clock, IdGenerator};
pub use graph::{Graph, GraphCall, SignatureCheck, WebhookCodec};
pub use migration::{MigrationSource, MigrationTarget, SourcePage};
pub use queue::{Disposition, Job, Pacer, QueueEntry, QueueError, SendQueue, SlotAsk};
pub use store::{
    Acceptance, EventStore, MessageStore, Received, ReceivedMessage, Save, Saved, StoreError, TenantStore,
};
pub use vault::{KeyVault, VaultError};
