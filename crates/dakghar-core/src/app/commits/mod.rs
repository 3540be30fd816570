//! The group commits: every durable step of the hot paths goes through one of them.

pub(super) mod accept;
mod backlogs;
pub(super) mod enqueue;
mod entering;
pub(super) mod merge;
pub(super) mod receive;
mod repeating;
mod save;
pub(super) mod spool;
pub(super) mod touch;
mod weights;

use std::sync::Arc;

use super::callbacks::Advances;
use super::messages::SaveCommit;
use super::settings::BULK_ITEMS_MAX;
use crate::group_commit::{BoxFuture, GroupCommit, Limits};
use crate::ports::Ports;
use accept::Accepts;
use backlogs::Backlogs;
use enqueue::Enqueues;
use merge::Merges;
use receive::Receives;
use repeating::Repeats;
use spool::Spools;
use touch::Touches;

/// The entrances of the group commits. Cheap to clone.
#[derive(Clone)]
pub(super) struct Commits {
    pub(super) accept: Accepts,
    pub(super) save: SaveCommit,
    pub(super) receive: Receives,
    pub(super) merge: Merges,
    pub(super) touch: Touches,
    pub(super) enqueue: Enqueues,
    pub(super) spool: Option<Spools>,
    pub(super) advance: Advances,
}

/// Accepting, and repeating what was not confirmed.
fn accepting(
    ports: &Ports,
    limits: &Limits,
    backlogs: Arc<Backlogs>,
    enqueue: &Enqueues,
) -> (Accepts, [BoxFuture<()>; 2]) {
    let (repeats, repeating) = Repeats::new(ports, enqueue);
    let limits = Limits {
        // What a client gives at once is one commit in any case; this is room for others beside it.
        batch_max: limits.batch_max.max(BULK_ITEMS_MAX),
        ..limits.clone()
    };
    let (ports, enqueue) = (ports.clone(), enqueue.clone());
    let (accepts, accepting) = GroupCommit::new(limits, move |batch| {
        accept::commit(ports.clone(), backlogs.clone(), enqueue.clone(), repeats.clone(), batch)
    });
    (Accepts(accepts), [accepting, repeating])
}

impl Commits {
    /// Makes the entrances, and the futures that run the commits.
    pub(super) fn new(ports: &Ports, limits: &Limits) -> (Self, Vec<BoxFuture<()>>) {
        let backlogs = Arc::new(Backlogs::default());
        let (enqueue, enqueuing) = {
            let (ports, backlogs) = (ports.clone(), backlogs.clone());
            GroupCommit::new(limits.clone(), move |batch| {
                enqueue::commit(ports.clone(), backlogs.clone(), batch)
            })
        };
        let (accept, accepting) = accepting(ports, limits, backlogs, &enqueue);
        let (save, saving) = {
            let messages = ports.messages.clone();
            GroupCommit::new(limits.clone(), move |batch| save::commit(messages.clone(), batch))
        };
        let (receive, receiving) = {
            let ports = ports.clone();
            GroupCommit::new(limits.clone(), move |batch| receive::commit(ports.clone(), batch))
        };
        let (merge, merging) = {
            let ports = ports.clone();
            GroupCommit::new(limits.clone(), move |batch| merge::commit(ports.clone(), batch))
        };
        let (touch, touching) = {
            let conversations = ports.conversations.clone();
            GroupCommit::new(limits.clone(), move |batch| touch::commit(conversations.clone(), batch))
        };
        let (advance, advancing) = {
            let callbacks = ports.callbacks.clone();
            GroupCommit::new(limits.clone(), move |batch| save::advance(callbacks.clone(), batch))
        };
        let (spool, spooling) = ports
            .spool
            .clone()
            .map(|spool| {
                // One file takes one write at a time.
                let limits = Limits {
                    commits_max: 1,
                    ..limits.clone()
                };
                GroupCommit::new(limits, move |batch| spool::commit(spool.clone(), batch))
            })
            .unzip();
        let mut running = vec![saving, receiving, merging, touching, enqueuing, advancing];
        running.extend(accepting);
        running.extend(spooling);
        let commits = Self {
            accept,
            save,
            receive,
            merge,
            touch,
            enqueue,
            spool,
            advance,
        };
        (commits, running)
    }
}
