//! Erasures of people.

use dakghar_core::domain::Timestamp;
use dakghar_core::domain::erasure::{ErasurePlace, PersonErasure};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::names;

/// The erasure of a person: a job that looks for them wherever something of them may be. It names nobody.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Erasure)]
pub(in crate::http) struct ErasureView {
    /// Its id.
    #[schema(example = "ers_01kamt5c8x7v3b9q2w4e6r8t0y")]
    id: String,
    /// The tenant.
    tenant_id: String,
    /// `running`, or `done`: then nothing of the person is found any more that came before it was asked for.
    #[schema(schema_with = erasure_statuses)]
    status: &'static str,
    /// Where it is.
    #[schema(schema_with = erasure_places)]
    place: &'static str,
    /// True when webhooks that belong to no tenant are looked through, too.
    unrouted: bool,
    /// What was deleted or emptied so far. Work that a crash interrupted may not be counted.
    erased: ErasedView,
    /// Messages to the person that were cancelled for it.
    cancelled: u64,
    /// Messages to the person that are on their way to Meta, and that it waits for.
    waiting: u64,
    /// True when the file of the embedded store was too large to be rewritten, so that traces may be left in it until the
    /// operator does that.
    needs_vacuum: bool,
    /// When it was asked for.
    created_at: String,
    /// The time of its last change.
    updated_at: String,
    /// When it was done.
    ended_at: Option<String>,
}

/// What an erasure deleted or emptied, by place.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Erased)]
pub(in crate::http) struct ErasedView {
    /// Messages to and from the person.
    messages: u64,
    /// Messages that the person wrote in groups.
    group_messages: u64,
    /// Meta's reports on messages to groups that name the person.
    reports: u64,
    /// Events that name the person.
    events: u64,
    /// Events of no tenant that name the person.
    unrouted: u64,
    /// Records of conversations.
    conversations: u64,
    /// Records of callbacks from which the answers of receivers were taken, whomever they are about.
    answers: u64,
}

impl From<&PersonErasure> for ErasureView {
    fn from(erasure: &PersonErasure) -> Self {
        let of = |place| erasure.counts.of(place);
        Self {
            id: erasure.id.to_string(),
            tenant_id: erasure.tenant_id.to_string(),
            status: STATUSES[usize::from(!erasure.is_open())],
            place: erasure.place.as_str(),
            unrouted: erasure.with_unrouted,
            erased: ErasedView {
                messages: of(ErasurePlace::Messages),
                group_messages: of(ErasurePlace::GroupMessages),
                reports: of(ErasurePlace::Reports),
                events: of(ErasurePlace::Events),
                unrouted: of(ErasurePlace::Unrouted),
                conversations: of(ErasurePlace::Conversations),
                answers: of(ErasurePlace::Answers),
            },
            cancelled: erasure.cancelled,
            waiting: erasure.waiting,
            needs_vacuum: erasure.needs_vacuum,
            created_at: erasure.created_at.to_string(),
            updated_at: erasure.updated_at.to_string(),
            ended_at: erasure.ended_at.as_ref().map(Timestamp::to_string),
        }
    }
}

const STATUSES: [&str; 2] = ["running", "done"];

fn erasure_statuses() -> ObjectBuilder {
    names(STATUSES)
}

fn erasure_places() -> ObjectBuilder {
    names(ErasurePlace::ALL.map(ErasurePlace::as_str))
}
