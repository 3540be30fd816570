//! Redrives of dead letters, and what one would do.

use dakghar_core::domain::auto_redrive::Cause;
use dakghar_core::domain::message::{DeadLetter, DeadReason, Status};
use dakghar_core::domain::redrive::{CauseCount, NumberCount, Redrive, RedriveFilter, RedrivePreview, RedriveStatus};
use dakghar_core::domain::{PhoneNumberId, TenantId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::{names, or_null};

/// A redrive: a job that sends dead letters again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Redrive)]
pub(in crate::http) struct RedriveView {
    /// Its id, which the timelines of its messages name.
    #[schema(example = "rdr_01kamt5c8x7v3b9q2w4e6r8t0y")]
    id: String,
    /// The tenant whose dead letters it is about; `null` for those of all tenants.
    tenant_id: Option<String>,
    /// Which dead letters.
    filter: RedriveFilterView,
    /// Also those that may have been delivered.
    confirm_duplicate_risk: bool,
    /// Also those whose `expiresAt` was over.
    ignore_expiry: bool,
    /// Messages a second; one that began by itself keeps the `perMinute` of its tenant.
    per_second: u32,
    /// The cause that has ended, of one that began by itself: then only dead letters of that cause; else `null`.
    #[schema(schema_with = causes)]
    cause: Option<&'static str>,
    /// Where it stands.
    #[schema(schema_with = redrive_statuses)]
    status: &'static str,
    /// The dead letters that matched when it was begun.
    total: u64,
    /// False when there were more than could be counted in time.
    total_is_exact: bool,
    /// Messages that it has sent again.
    redriven: u64,
    /// Messages that it left as they are: those that may have been delivered, unless that was confirmed, those whose
    /// `expiresAt` was over, unless that was to be ignored, and those that somebody else sent again or removed first.
    skipped: u64,
    /// Messages that cannot be read.
    failed: u64,
    /// When it was begun. It leaves alone what ended later.
    created_at: String,
    /// The time of its last change.
    updated_at: String,
}

/// The filter of a redrive.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RedriveFilter)]
pub(in crate::http) struct RedriveFilterView {
    /// Only of this number.
    phone_number_id: Option<String>,
    /// Only with this code of Meta's.
    code: Option<i64>,
    /// Only given up for this reason.
    #[schema(schema_with = dead_reasons)]
    reason: Option<&'static str>,
    /// Only with this status.
    #[schema(schema_with = dead_statuses)]
    status: Option<&'static str>,
    /// Only those that ended at or after this.
    from: Option<String>,
    /// Only those that ended before this.
    to: Option<String>,
}

/// What a redrive would do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RedrivePreview)]
pub(in crate::http) struct RedrivePreviewView {
    /// Dead letters that would be sent again.
    redrivable: u64,
    /// Dead letters that match and would be left out, because they may have been delivered and
    /// `confirmDuplicateRisk` is not given.
    left_out: u64,
    /// Dead letters that match and would be left out, because they ended as `expired` or their `expiresAt` is over, and
    /// `ignoreExpiry` is not given.
    expired: u64,
    /// Of those that would be sent again, how many are of a number that their tenant does not have any more: they would
    /// end as `dead` (`number_removed`) again.
    number_removed: u64,
    /// False when there are more than could be counted in time: the numbers are then the least.
    complete: bool,
    /// Those that would be sent again, by how they ended: the 50 most frequent ways.
    by_cause: Vec<CauseCountView>,
    /// Those that would be sent again, by number: the 50 most frequent ones.
    by_phone_number: Vec<NumberCountView>,
    /// Some of those that would be sent again.
    examples: Vec<DeadLetterView>,
}

/// Dead letters that ended in the same way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeadLettersByCause)]
pub(in crate::http) struct CauseCountView {
    /// Their status.
    #[schema(schema_with = dead_statuses)]
    status: &'static str,
    /// Why they were given up.
    #[schema(schema_with = dead_reasons)]
    reason: Option<&'static str>,
    /// Meta's code.
    code: Option<i64>,
    /// How many.
    count: u64,
}

/// Dead letters of one number.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeadLettersByPhoneNumber)]
pub(in crate::http) struct NumberCountView {
    /// The tenant that sent them.
    tenant_id: String,
    /// Their number.
    phone_number_id: String,
    /// How many.
    count: u64,
    /// True when the tenant does not have the number any more.
    removed: bool,
}

/// A dead letter without its content.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeadLetter)]
pub(in crate::http) struct DeadLetterView {
    /// The message.
    id: String,
    /// Its owner.
    tenant_id: String,
    /// Its number.
    phone_number_id: String,
    /// Its status.
    #[schema(schema_with = dead_statuses)]
    status: &'static str,
    /// Why it was given up.
    #[schema(schema_with = dead_reasons)]
    reason: Option<&'static str>,
    /// Meta's code.
    code: Option<i64>,
    /// When it ended.
    ended_at: String,
}

fn redrive_statuses() -> ObjectBuilder {
    names(RedriveStatus::ALL.map(RedriveStatus::as_str))
}

/// The reasons for which messages are given up, or `null`.
pub(in crate::http) fn dead_reasons() -> ObjectBuilder {
    or_null(DeadReason::ALL.map(DeadReason::as_str))
}

/// The statuses of dead letters, or `null`.
pub(in crate::http) fn dead_statuses() -> ObjectBuilder {
    or_null([Status::Dead, Status::Failed, Status::Expired].map(Status::as_str))
}

impl From<&Redrive> for RedriveView {
    fn from(redrive: &Redrive) -> Self {
        Self {
            id: redrive.id.to_string(),
            tenant_id: redrive.tenant_id.as_ref().map(TenantId::to_string),
            filter: RedriveFilterView::from(&redrive.asked.filter),
            confirm_duplicate_risk: redrive.asked.confirm_duplicate_risk,
            ignore_expiry: redrive.asked.ignore_expiry,
            per_second: redrive.asked.per_second,
            cause: redrive.asked.automatic.map(|automatic| automatic.cause.as_str()),
            status: redrive.status.as_str(),
            total: redrive.total,
            total_is_exact: redrive.total_is_exact,
            redriven: redrive.settled.redriven,
            skipped: redrive.settled.skipped,
            failed: redrive.settled.failed,
            created_at: redrive.created_at.to_string(),
            updated_at: redrive.updated_at.to_string(),
        }
    }
}

impl From<&RedriveFilter> for RedriveFilterView {
    fn from(filter: &RedriveFilter) -> Self {
        Self {
            phone_number_id: filter.phone_number_id.as_ref().map(PhoneNumberId::to_string),
            code: filter.code,
            reason: filter.reason.map(DeadReason::as_str),
            status: filter.status.map(Status::as_str),
            from: filter.from.as_ref().map(Timestamp::to_string),
            to: filter.to.as_ref().map(Timestamp::to_string),
        }
    }
}

impl From<&RedrivePreview> for RedrivePreviewView {
    fn from(preview: &RedrivePreview) -> Self {
        Self {
            redrivable: preview.redrivable,
            left_out: preview.left_out,
            expired: preview.expired,
            number_removed: preview.number_removed(),
            complete: preview.is_complete,
            by_cause: preview.by_cause().iter().map(CauseCountView::from).collect(),
            by_phone_number: preview.by_number().iter().map(NumberCountView::from).collect(),
            examples: preview.examples.iter().map(DeadLetterView::from).collect(),
        }
    }
}

impl From<&CauseCount> for CauseCountView {
    fn from(cause: &CauseCount) -> Self {
        Self {
            status: cause.status.as_str(),
            reason: cause.reason.map(DeadReason::as_str),
            code: cause.code,
            count: cause.count,
        }
    }
}

impl From<&NumberCount> for NumberCountView {
    fn from(number: &NumberCount) -> Self {
        Self {
            tenant_id: number.tenant_id.to_string(),
            phone_number_id: number.phone_number_id.to_string(),
            count: number.count,
            removed: number.is_removed,
        }
    }
}

impl From<&DeadLetter> for DeadLetterView {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            id: letter.key.message_id.to_string(),
            tenant_id: letter.key.tenant_id.to_string(),
            phone_number_id: letter.phone_number_id.to_string(),
            status: letter.status.as_str(),
            reason: letter.reason.map(DeadReason::as_str),
            code: letter.code,
            ended_at: letter.ended_at.to_string(),
        }
    }
}

/// The causes of dead letters that end, for the document.
fn causes() -> ObjectBuilder {
    or_null(Cause::ALL.map(Cause::as_str))
}
