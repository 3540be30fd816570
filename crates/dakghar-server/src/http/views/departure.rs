//! Departures.

use dakghar_core::domain::Timestamp;
use dakghar_core::domain::audit::Who;
use dakghar_core::domain::departure::{
    Departure, DepartureReason, DepartureState, DepartureStep, QueuedWish, StepRecord, StepState,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use super::error::ErrorView;
use super::{names, or_null};

/// A departure: how a tenant, or some of its numbers, leave, where that is, and why it does not go on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Departure)]
pub(in crate::http) struct DepartureView {
    /// Its id.
    #[schema(example = "dep_01kamt5c8x7v3b9q2w4e6r8t0y")]
    departure_id: String,
    /// The tenant.
    tenant_id: String,
    /// The numbers that leave; `null` is the tenant as a whole.
    phone_number_ids: Option<Vec<String>>,
    /// `running`; `waiting`, and it goes on by itself at `nextAt`; `stopped`, until a retry or until the export is fetched;
    /// `cancelling`, `cancelled`: it was called off; or `done`.
    #[schema(schema_with = departure_states)]
    state: &'static str,
    /// The step that it is at; `null` if it is over.
    #[schema(schema_with = steps_or_null)]
    step: Option<&'static str>,
    /// Why that step is not done yet.
    #[schema(schema_with = departure_reasons)]
    reason: Option<&'static str>,
    /// The advice for it.
    advice: Option<String>,
    /// Meta's answer, if that is why.
    error: Option<ErrorView>,
    /// When it goes on by itself.
    #[schema(format = DateTime)]
    next_at: Option<String>,
    /// When sending what was accepted before ends; `null` if that is cancelled.
    #[schema(format = DateTime)]
    send_until: Option<String>,
    /// Messages that it cancelled.
    cancelled: u64,
    /// When the export was fetched.
    #[schema(format = DateTime)]
    exported_at: Option<String>,
    /// Since when it cannot be called off any more.
    #[schema(format = DateTime)]
    changed_at: Option<String>,
    /// All its steps, in their order.
    steps: Vec<DepartureStepView>,
    /// The kind of who asked for it: as in the audit log.
    #[schema(example = "operator")]
    asked_by: &'static str,
    /// The key that was used for that.
    key_id: Option<String>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// The time of its last change.
    #[schema(format = DateTime)]
    updated_at: String,
    /// When it was over.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

/// A step of a departure, for one account or number, or for all that leaves.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DepartureStep)]
pub(in crate::http) struct DepartureStepView {
    /// Which.
    #[schema(schema_with = steps)]
    step: &'static str,
    /// The account (of `override` and `unsubscribe`) or the number (of `deregister` and `revoke`) that it is about.
    about: Option<String>,
    /// True if the departure does not go on without it.
    required: bool,
    /// `pending`, `done`, `skipped`, or `failed`: then the departure went on without it.
    #[schema(schema_with = step_states)]
    outcome: &'static str,
    /// When it was last looked at.
    #[schema(format = DateTime)]
    at: Option<String>,
    /// The number of its tries.
    tries: u32,
    /// Why it failed, or is not done yet.
    #[schema(schema_with = departure_reasons)]
    reason: Option<&'static str>,
    /// Anything else to be said: what was found, why it was skipped, or the advice.
    note: Option<String>,
    /// Meta's refusal.
    error: Option<ErrorView>,
}

impl From<&Departure> for DepartureView {
    fn from(departure: &Departure) -> Self {
        let current = departure.current();
        let time = |at: &Option<Timestamp>| at.as_ref().map(Timestamp::to_string);
        let ids = departure.numbers.as_ref();
        Self {
            departure_id: departure.id.to_string(),
            tenant_id: departure.tenant_id.to_string(),
            phone_number_ids: ids.map(|ids| ids.iter().map(ToString::to_string).collect()),
            state: state_of(departure),
            step: current.map(|record| record.step.as_str()),
            reason: current.and_then(|record| record.reason).map(DepartureReason::as_str),
            advice: current.and_then(|record| record.note.as_deref()).map(str::to_owned),
            error: current.and_then(|record| record.error.as_ref()).map(ErrorView::from),
            next_at: time(&departure.next_at),
            send_until: match departure.queued {
                QueuedWish::Send { until } => Some(until.to_string()),
                QueuedWish::Cancel => None,
            },
            cancelled: departure.cancelled,
            exported_at: time(&departure.exported_at),
            changed_at: time(&departure.changed_at),
            steps: departure.steps.iter().map(DepartureStepView::from).collect(),
            asked_by: departure.asked_by.kind(),
            key_id: Who::key(&departure.asked_by).map(|id| id.to_string()),
            created_at: departure.created_at.to_string(),
            updated_at: departure.updated_at.to_string(),
            ended_at: time(&departure.ended_at),
        }
    }
}

impl From<&StepRecord> for DepartureStepView {
    fn from(record: &StepRecord) -> Self {
        Self {
            step: record.step.as_str(),
            about: record.about.as_deref().map(str::to_owned),
            required: record.is_required,
            outcome: record.state.as_str(),
            at: record.at.as_ref().map(Timestamp::to_string),
            tries: record.tries,
            reason: record.reason.map(DepartureReason::as_str),
            note: record.note.as_deref().map(str::to_owned),
            error: record.error.as_ref().map(ErrorView::from),
        }
    }
}

const WAITING: &str = "waiting";

fn state_of(departure: &Departure) -> &'static str {
    match departure.state {
        DepartureState::Running if departure.next_at.is_some() => WAITING,
        state => state.as_str(),
    }
}

fn departure_states() -> ObjectBuilder {
    let [running, stopped, cancelling, cancelled, done] = DepartureState::ALL.map(DepartureState::as_str);
    names([running, WAITING, stopped, cancelling, cancelled, done])
}

fn steps() -> ObjectBuilder {
    names(DepartureStep::ALL.map(DepartureStep::as_str))
}

fn steps_or_null() -> ObjectBuilder {
    or_null(DepartureStep::ALL.map(DepartureStep::as_str))
}

fn step_states() -> ObjectBuilder {
    names(StepState::ALL.map(StepState::as_str))
}

fn departure_reasons() -> ObjectBuilder {
    let values = DepartureReason::ALL
        .iter()
        .map(|reason| serde_json::Value::from(reason.as_str()));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values.chain([serde_json::Value::Null])))
}
