//! The limits of a tenant for which the operator set no other.

use dakghar_core::domain::message::LetterClass;
use dakghar_core::domain::{TenantLimit, TenantLimits};

use super::reader::Reader;
use super::variable::{Kind, Variable, table};

table! {
    "Limits of a tenant" {
        REQUESTS_PER_SECOND: Kind::Integer { min: 0, max: 100_000 }, "0", "The most API requests of a tenant in a second, over all processes, where the operator set no other for it; 0 is no limit.";
        MESSAGES_WAITING: Kind::Integer { min: 0, max: 1_000_000 }, "0", "The most messages of a tenant that are accepted and not settled, over all processes, where the operator set no other for it; 0 is no limit. Further ones are refused until some are sent.";
        CALLS_UNDER_WAY: Kind::Integer { min: 0, max: 100_000 }, "0", "The most calls to Meta of a tenant under way, over all processes, where the operator set no other for it; with 0 it may have three quarters of each process's WORKER_CONCURRENCY, and half when those are scarce.";
        RETENTION_DAYS: Kind::Integer { min: 0, max: 36_500 }, "0", "The days that settled messages with their idempotency keys, conversations without messages and webhook events are kept, where the operator set no other number for the tenant: 30 or more, or 0 (for ever). What is older is erased.";
        FAILED_DAYS: Kind::Integer { min: 0, max: 36_500 }, "0", "The days that dead letters are kept which Meta refused or reported as failed, where the operator set no other number for the tenant: 30 or more, or 0 (as long as other messages, RETENTION_DAYS).";
        EXPIRED_DAYS: Kind::Integer { min: 0, max: 36_500 }, "0", "The same for dead letters that expired before a call.";
        UNKNOWN_DAYS: Kind::Integer { min: 0, max: 36_500 }, "0", "The same for dead letters that may have been delivered, of which nobody knows.";
        GIVEN_UP_DAYS: Kind::Integer { min: 0, max: 36_500 }, "0", "The same for dead letters that Dakghar gave up: every attempt was refused, preparing them crashed the worker, or their number is gone.";
        CONTENT_DAYS: Kind::Integer { min: 0, max: 36_500 }, "0", "The days that the contents of settled messages are kept, and events that tell what people wrote, where the operator set no other number for the tenant: 7 or more, or 0 (as long as the message). The message itself stays, without what it said.";
        FEED_DAYS: Kind::Integer { min: 0, max: 36_500 }, "0", "The days that entries of the feed are kept, where the operator set no other number for the tenant: 7 or more, or 0 (as long as other messages, RETENTION_DAYS).";
    }
}

/// Reads the section.
pub(super) fn read(reader: &mut Reader<'_>) -> TenantLimits {
    let mut limits = TenantLimits::default();
    for limit in TenantLimit::ALL {
        let variable = match limit {
            TenantLimit::RequestsPerSecond => &REQUESTS_PER_SECOND,
            TenantLimit::MessagesWaiting => &MESSAGES_WAITING,
            TenantLimit::CallsUnderWay => &CALLS_UNDER_WAY,
            TenantLimit::RetentionDays => &RETENTION_DAYS,
            TenantLimit::Letters(LetterClass::Failed) => &FAILED_DAYS,
            TenantLimit::Letters(LetterClass::Expired) => &EXPIRED_DAYS,
            TenantLimit::Letters(LetterClass::Unknown) => &UNKNOWN_DAYS,
            TenantLimit::Letters(LetterClass::GivenUp) => &GIVEN_UP_DAYS,
            TenantLimit::ContentDays => &CONTENT_DAYS,
            TenantLimit::FeedDays => &FEED_DAYS,
        };
        let number = reader.integer(variable);
        let (name, min) = (variable.name, limit.min());
        if number != 0 && number < min {
            reader.problem(format!("{name} must be 0 or at least {min}"));
        }
        limits.set(limit, Some(number));
    }
    limits
}
