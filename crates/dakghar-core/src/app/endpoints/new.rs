//! New endpoints and changes, as clients describe them.

use crate::domain::endpoint::{DeliveryOrder, EndpointFormat};
use crate::domain::{ErrorCode, Problem, Secret, Timestamp};

/// A new endpoint, as a client describes it.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    /// What a call looks like.
    pub format: EndpointFormat,
    /// The rest. Its URL is required.
    pub settings: EndpointChanges,
    /// From where on it gets entries.
    pub start: StartAt,
    /// The secret that calls are signed with; made up when absent.
    pub secret: Option<Secret>,
}

/// What is changed of an endpoint, or said of a new one. `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct EndpointChanges {
    /// The URL.
    pub url: Option<String>,
    /// The kinds of entries; none are all.
    pub kinds: Option<Vec<String>>,
    /// The numbers, by Meta's ids; none are all.
    pub phone_number_ids: Option<Vec<String>>,
    /// The order.
    pub order: Option<DeliveryOrder>,
    /// The most entries in a call.
    pub batch_max: Option<u32>,
    /// The most calls in a second.
    pub per_second: Option<u32>,
    /// The most calls under way.
    pub concurrency: Option<u32>,
    /// The headers that are sent with each call: all of them, by name.
    pub headers: Option<Vec<(String, Secret)>>,
    /// What the challenge of the format `meta` names; `Some(None)` is none.
    pub verify_token: Option<Option<Secret>>,
}

/// From where on an endpoint gets entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// What comes from now on.
    #[default]
    Now,
    /// What is still there.
    Beginning,
    /// What came at this time or later.
    Time(Timestamp),
}

/// The versions that a client may have seen, if it names any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedVersion(Option<Vec<u64>>);

impl ExpectedVersion {
    /// Any version: the last writer wins.
    pub const ANY: Self = Self(None);

    /// One of these.
    pub const fn one_of(versions: Vec<u64>) -> Self {
        Self(Some(versions))
    }

    pub(super) const fn is_named(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn check(&self, version: u64) -> Result<(), Problem> {
        match &self.0 {
            Some(versions) if !versions.contains(&version) => Err(version_conflict(version)),
            _ => Ok(()),
        }
    }
}

pub(super) fn version_conflict(version: u64) -> Problem {
    let detail = format!("The present version is {version}; read it again, and decide anew.");
    Problem::new(ErrorCode::VersionConflict, detail)
}
