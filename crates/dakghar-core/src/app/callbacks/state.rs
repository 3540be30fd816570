//! What a process knows of the deliveries to an endpoint.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::call_pace::CallPace;
use super::deps::Deps;
use super::item::{Item, Line};
use super::opened::Opened;
use super::pending::Pending;
use super::record_bytes::RecordBytes;
use super::replay_run::ReplayRun;
use super::unsaved::Unsaved;
use crate::app::failure::Failure;
use crate::domain::callback::{CallbackProgress, Window};
use crate::domain::endpoint::{DeliveryOrder, Endpoint};
use crate::domain::page::PageLimit;
use crate::domain::{Place, Timestamp};
use crate::ports::ExceptionsAsked;

/// Whether anything is still called here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is.
    Delivers,
    /// The endpoint was disabled from here. Nothing is called until a change of it is told.
    GivenUp,
}

/// The deliveries to one endpoint.
pub struct EndpointRun {
    pub(super) deps: Arc<Deps>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) opened: Arc<Opened>,
    pub(super) progress: CallbackProgress,
    pub(super) window: Window<Item>,
    pub(super) pending: Pending,
    /// Exceptions that are due and were read.
    pub(super) due: VecDeque<Item>,
    /// Conversations of which something is under way, where they are to be in order.
    pub(super) busy: HashSet<Line>,
    pub(super) unsaved: Unsaved,
    pub(super) standing: Standing,
    pub(super) under_way: u32,
    pub(super) record_bytes: RecordBytes,
    /// What was erased before this time since the boot is in no record that waits here.
    pub(super) fresh_at: Duration,
    pub(super) pace: CallPace,
    /// True once the end of the feed was seen, until something comes.
    pub(super) is_at_end: bool,
    /// True if the last call was of an exception: new entries and old ones take turns.
    pub(super) exceptions_had_turn: bool,
    /// The replay that is under way.
    pub(super) replay: Option<ReplayRun>,
    /// True if the last call was of the replay: it and all others take turns.
    pub(super) replay_had_turn: bool,
}

impl EndpointRun {
    /// Reads how far the endpoint is.
    pub(super) async fn load(deps: Arc<Deps>, endpoint: Arc<Endpoint>) -> Result<Self, Failure> {
        let opened = Arc::new(deps.open(&endpoint).await?);
        let mut found = deps.store.progress(&[endpoint.kept_under]).await;
        let now = deps.clock.now();
        let kept = found.pop().unwrap_or(Ok(None))?;
        let mut progress = kept.unwrap_or_else(|| CallbackProgress::new(&endpoint, now));
        // Earlier releases kept that of a `callbackUrl` under the id that the one before had: what is left of it is not this one's.
        progress.after = progress.after.max(endpoint.start);
        ask_if_changed(&mut progress, &endpoint, now);
        let mut pending = Pending::default();
        pending.keep_order(endpoint.order == DeliveryOrder::Conversation, now);
        progress.waiting.retain(|line| line.after >= endpoint.start);
        pending.take_up(&progress.waiting, progress.after);
        let mut unsaved = Unsaved::default();
        let mut after = Place::START;
        loop {
            let limit = PageLimit::items(1_000);
            let listed = deps
                .store
                .exceptions(&endpoint.kept_under, ExceptionsAsked::Open, after, limit)
                .await?;
            for exception in &listed.items {
                let place = exception.placed.place;
                if place > endpoint.start || exception.is_replay {
                    pending.note(exception, now);
                } else {
                    unsaved.exceptions.insert(place, None);
                    unsaved.note(deps.clock.uptime(), 1);
                }
            }
            match listed.next {
                Some(next) => after = next,
                None => break,
            }
        }
        Ok(Self {
            window: Window::new(progress.after),
            record_bytes: RecordBytes::of(&deps.record_bytes),
            fresh_at: deps.clock.uptime(),
            deps,
            endpoint,
            opened,
            progress,
            pending,
            due: VecDeque::new(),
            busy: HashSet::new(),
            unsaved,
            standing: Standing::Delivers,
            under_way: 0,
            pace: CallPace::default(),
            is_at_end: false,
            exceptions_had_turn: false,
            replay: None,
            replay_had_turn: false,
        })
    }
}

/// Has the receiver asked at once, unless a call that failed after the last change of the endpoint has done so.
fn ask_if_changed(progress: &mut CallbackProgress, endpoint: &Endpoint, now: Timestamp) {
    if progress
        .failed_at
        .is_none_or(|failed_at| failed_at < endpoint.updated_at)
    {
        progress.breaker.probe_now(now);
        progress.not_before = None;
    }
}
