//! The steps of a departure, and what became of each.

use std::sync::Arc;

use super::reason::DepartureReason;
use crate::domain::send_error::SendError;
use crate::domain::time::Timestamp;

/// A step of a departure, in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DepartureStep {
    /// Nothing is accepted any more.
    Accept,
    /// Messages that were accepted before are sent, or cancelled.
    Queued,
    /// The override of the webhook URL of an account is released.
    Override,
    /// The app is unsubscribed from an account.
    Unsubscribe,
    /// A number is deregistered from the Cloud API.
    Deregister,
    /// The access token of a number is revoked.
    Revoke,
    /// The tenant's export was fetched.
    Export,
    /// The tenant, or its numbers, are removed.
    Remove,
}

impl DepartureStep {
    /// All steps, in their order.
    pub const ALL: [Self; 8] = [
        Self::Accept,
        Self::Queued,
        Self::Override,
        Self::Unsubscribe,
        Self::Deregister,
        Self::Revoke,
        Self::Export,
        Self::Remove,
    ];
    /// The steps that Meta takes part in. Only these may fail without stopping the departure.
    pub const OF_META: [Self; 4] = [Self::Override, Self::Unsubscribe, Self::Deregister, Self::Revoke];

    /// The name used in requests, answers and the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Queued => "queued",
            Self::Override => "override",
            Self::Unsubscribe => "unsubscribe",
            Self::Deregister => "deregister",
            Self::Revoke => "revoke",
            Self::Export => "export",
            Self::Remove => "remove",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }

    /// True if Meta takes part in it.
    pub fn is_of_meta(self) -> bool {
        Self::OF_META.contains(&self)
    }
}

/// The outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It is still to be taken, or under way.
    Pending,
    /// It was done, now or before.
    Done,
    /// There was nothing to do, or it is not wished for.
    Skipped,
    /// It failed for good, and the departure went on without it.
    Failed,
}

impl StepState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Done, Self::Skipped, Self::Failed];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// One step for one account or number, or for all that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// Which.
    pub step: DepartureStep,
    /// The account or the number that it is about, if it is about one.
    pub about: Option<Arc<str>>,
    /// True if the departure must not go on without it.
    pub is_required: bool,
    /// Its outcome.
    pub state: StepState,
    /// When it was last looked at.
    pub at: Option<Timestamp>,
    /// Tries that ended without success, and the last one.
    pub tries: u32,
    /// Why it failed, or is not done yet.
    pub reason: Option<DepartureReason>,
    /// Anything else to be said: what was found, why it was skipped, or the advice where it failed.
    pub note: Option<Arc<str>>,
    /// Meta's refusal, or the words of whoever said why.
    pub error: Option<SendError>,
}

impl StepRecord {
    /// A step that is still to be taken.
    pub fn pending(step: DepartureStep, about: Option<&str>, is_required: bool) -> Self {
        Self {
            step,
            about: about.map(Arc::from),
            is_required,
            state: StepState::Pending,
            at: None,
            tries: 0,
            reason: None,
            note: None,
            error: None,
        }
    }

    /// A step that is left out from the start.
    pub fn left_out(step: DepartureStep, why: &str, now: Timestamp) -> Self {
        Self {
            state: StepState::Skipped,
            at: Some(now),
            note: Some(why.into()),
            ..Self::pending(step, None, false)
        }
    }
}
