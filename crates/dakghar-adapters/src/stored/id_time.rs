//! Searching by time without an index on it: ids sort by the time they were made, so a range of times is a range of
//! ids.
//!
//! A message whose id tells another time than it was created at is marked when it is stored, and the marked ones are
//! searched beside the others. There are none unless a clock jumped, or messages came from elsewhere.

use dakghar_core::domain::ids::MessageId;
use dakghar_core::domain::message::Message;
use dakghar_core::domain::page::MessageQuery;
use dakghar_core::domain::time::Timestamp;
use uuid::Uuid;

/// The distance that the time inside an id may have from the message's `created_at`, in milliseconds, before it is
/// marked. Searches look only this far beyond the range they were asked for.
const TOLERANCE_MS: i64 = 10_000;

/// True when the id does not say when the message was created: made by a clock that was off, or no `UUIDv7` at all.
pub(crate) fn is_off(message: &Message) -> bool {
    let uuid = message.accepted.id.as_uuid();
    let id_ms = i64::try_from(uuid.as_u128() >> 80).unwrap_or(i64::MAX);
    uuid.get_version_num() != 7 || id_ms.abs_diff(message.accepted.created_at.as_millis()) > TOLERANCE_MS.unsigned_abs()
}

/// Ids from (included) and to (excluded) which the messages of a time range lie, the marked ones apart.
pub(crate) struct IdRange {
    pub(crate) from: Option<MessageId>,
    pub(crate) to: Option<MessageId>,
}

/// The range that a query is about; `None` when it asks for no time.
pub(crate) fn id_range(query: &MessageQuery) -> Option<IdRange> {
    if query.since.is_none() && query.until.is_none() {
        return None;
    }
    Some(IdRange {
        from: query
            .since
            .and_then(|since| first_id_at(since.as_millis().saturating_sub(TOLERANCE_MS))),
        to: query
            .until
            .and_then(|until| first_id_at(until.as_millis().saturating_add(TOLERANCE_MS + 1))),
    })
}

/// Greater than every id of a message that was created at this time or before, unless it is marked.
pub(crate) fn behind_ids_until(time: Timestamp) -> String {
    let id = first_id_at(time.as_millis().saturating_add(TOLERANCE_MS + 1));
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// The smallest id of this time; `None` when ids cannot tell such a time, so that it bounds nothing.
fn first_id_at(ms: i64) -> Option<MessageId> {
    let ms = u128::try_from(Timestamp::from_millis(ms).as_millis())
        .ok()
        .filter(|ms| *ms < 1 << 48)?;
    Some(MessageId::from_uuid(Uuid::from_u128(ms << 80)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dakghar_testkit::samples::{self, With as _};
    use std::time::Duration;

    #[test]
    fn an_id_of_another_time_is_off() {
        let message = samples::outbound(samples::tenant_id());
        assert!(!is_off(&message));
        for off in [TOLERANCE_MS + 1, -TOLERANCE_MS - 1] {
            let created_at = Timestamp::from_millis(message.accepted.created_at.as_millis() + off);
            assert!(is_off(
                &message.clone().with(|message| message.accepted.created_at = created_at)
            ));
        }
        let id = MessageId::from_uuid(Uuid::from_u128(5));
        assert!(is_off(&message.with(|message| message.accepted.id = id)));
    }

    #[test]
    fn a_range_holds_every_id_that_is_not_off() {
        let message = samples::outbound(samples::tenant_id());
        let made = message.accepted.id.as_uuid().as_u128() >> 80;
        let made = Timestamp::from_millis(i64::try_from(made).expect("48 bits"));
        let tolerance = Duration::from_millis(TOLERANCE_MS.unsigned_abs());
        let range = |since, until| {
            id_range(&MessageQuery {
                since,
                until,
                ..MessageQuery::default()
            })
        };
        assert!(range(None, None).is_none());
        let whole = range(
            Some(made + tolerance),
            Some(made - tolerance + Duration::from_millis(1)),
        );
        let IdRange { from, to } = whole.expect("a range");
        assert!(from <= Some(message.accepted.id) && Some(message.accepted.id) < to);
        let beside = range(Some(made + tolerance + Duration::from_millis(1)), None).expect("a range");
        assert!(beside.from > Some(message.accepted.id) && beside.to.is_none());
        let unbounded = range(Some(Timestamp::from_millis(-1)), Some(Timestamp::from_millis(i64::MAX)));
        assert!(unbounded.is_some_and(|range| range.from.is_none() && range.to.is_none()));
    }
}
