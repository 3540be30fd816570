//! The group commits: every durable step of the hot paths goes through one of them.

pub(super) mod accept;
mod backlogs;
pub(super) mod enqueue;
pub(super) mod merge;
pub(super) mod receive;
mod save;

use std::sync::Arc;

use crate::domain::ConversationTouch;
use crate::group_commit::{BoxFuture, GroupCommit, Limits};
use crate::ports::{Acceptance, Ports, StoreError};

use super::failure::Failure;
use super::messages::SaveCommit;
use accept::AcceptCommit;
use backlogs::Backlogs;
use enqueue::Enqueue;
use merge::{EvidenceBatch, Merge};
use receive::{Inbound, Stored};

/// Accepted messages on their way into the store.
pub(super) type Accepts = GroupCommit<AcceptCommit, Result<Acceptance, StoreError>>;
/// Stored messages on their way into the queue.
pub(super) type Enqueues = GroupCommit<Enqueue, ()>;
/// Evidence on its way to its messages.
pub(super) type Merges = GroupCommit<EvidenceBatch, Result<Vec<Merge>, Failure>>;
/// The parts of webhooks on their way into the store.
pub(super) type Receives = GroupCommit<Inbound, Result<Stored, Failure>>;
/// Conversations to be moved forward.
pub(super) type Touches = GroupCommit<Vec<ConversationTouch>, Result<(), StoreError>>;

/// The entrances of the group commits. Cheap to clone.
#[derive(Clone)]
pub(super) struct Commits {
    pub(super) accept: Accepts,
    pub(super) save: SaveCommit,
    pub(super) receive: Receives,
    pub(super) merge: Merges,
    pub(super) touch: Touches,
    pub(super) enqueue: Enqueues,
}

impl Commits {
    /// The entrances, and the futures that carry the commits.
    pub(super) fn new(ports: &Ports, limits: Limits) -> (Self, Vec<BoxFuture<()>>) {
        let backlogs = Arc::new(Backlogs::default());
        let (enqueue, enqueuing) = {
            let (ports, backlogs) = (ports.clone(), backlogs.clone());
            GroupCommit::new(limits, move |batch| {
                enqueue::commit(ports.clone(), backlogs.clone(), batch)
            })
        };
        let (accept, accepting) = {
            let (ports, enqueue) = (ports.clone(), enqueue.clone());
            GroupCommit::new(limits, move |batch| {
                accept::commit(ports.clone(), backlogs.clone(), enqueue.clone(), batch)
            })
        };
        let (save, saving) = {
            let messages = ports.messages.clone();
            GroupCommit::new(limits, move |batch| save::commit(messages.clone(), batch))
        };
        let (receive, receiving) = {
            let ports = ports.clone();
            GroupCommit::new(limits, move |batch| receive::commit(ports.clone(), batch))
        };
        let (merge, merging) = {
            let ports = ports.clone();
            GroupCommit::new(limits, move |batch| merge::commit(ports.clone(), batch))
        };
        let (touch, touching) = {
            let conversations = ports.conversations.clone();
            GroupCommit::new(limits, move |batch: Vec<Vec<ConversationTouch>>| {
                let conversations = conversations.clone();
                async move { vec![conversations.touch(&batch.concat()).await; batch.len()] }
            })
        };
        let running = vec![accepting, saving, receiving, merging, touching, enqueuing];
        let commits = Self {
            accept,
            save,
            receive,
            merge,
            touch,
            enqueue,
        };
        (commits, running)
    }
}
