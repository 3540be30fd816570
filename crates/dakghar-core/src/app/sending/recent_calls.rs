//! A few messages that this process sent lately, for each number. They are used to see whether statuses arrive.
//!
//! A message in doubt is compared with messages that were called shortly before and after it. The store searches for
//! those only near it in the order of acceptance, but a backlog after an outage is sent in another order.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::listening::CallSpan;
use crate::domain::{MessageKey, PhoneNumberId, Timestamp};

/// Messages remembered for each number, and the time between two. Together they cover a minute, for statuses take a
/// while.
const PER_NUMBER_MAX: usize = 16;
const SPACING: Duration = Duration::from_secs(4);
/// A number that sends nothing for this long is dropped, once there are this many numbers.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
const NUMBERS_BEFORE_FORGETTING: usize = 1_000;

#[derive(Clone, Copy)]
struct Call {
    called_at: Timestamp,
    key: MessageKey,
}

/// The messages that this process sent lately.
#[derive(Default)]
pub(in crate::app) struct RecentCalls {
    by_number: Mutex<HashMap<PhoneNumberId, VecDeque<Call>>>,
}

impl RecentCalls {
    /// Remembers a message that Meta accepted, unless another one was remembered just before.
    pub(in crate::app) fn remember(&self, number: &PhoneNumberId, called_at: Timestamp, key: MessageKey) {
        let mut by_number = self.by_number.lock();
        if let Some(calls) = by_number.get_mut(number) {
            if calls.back().is_some_and(|last| called_at < last.called_at + SPACING) {
                return;
            }
            if calls.len() == PER_NUMBER_MAX {
                calls.pop_front();
            }
            calls.push_back(Call { called_at, key });
            return;
        }
        if by_number.len() >= NUMBERS_BEFORE_FORGETTING {
            by_number.retain(|_, calls| {
                calls
                    .back()
                    .is_some_and(|last| called_at < last.called_at + FORGOTTEN_AFTER)
            });
        }
        by_number.insert(number.clone(), VecDeque::from([Call { called_at, key }]));
    }

    /// Returns the remembered messages of the number that were called in this time.
    pub(in crate::app) fn within(&self, number: &PhoneNumberId, span: CallSpan) -> Vec<MessageKey> {
        let by_number = self.by_number.lock();
        let calls = by_number.get(number).into_iter().flatten();
        calls
            .filter(|call| (span.from..=span.until).contains(&call.called_at))
            .map(|call| call.key)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MessageId, TenantId};
    use uuid::Uuid;

    fn key(n: u128) -> MessageKey {
        MessageKey {
            tenant_id: TenantId::from_uuid(Uuid::from_u128(1)),
            message_id: MessageId::from_uuid(Uuid::from_u128(n)),
        }
    }

    fn number(n: usize) -> PhoneNumberId {
        PhoneNumberId::parse(&n.to_string()).expect("digits")
    }

    #[test]
    fn what_was_called_later_is_found_for_a_while() {
        let calls = RecentCalls::default();
        let start = Timestamp::from_millis(1_000_000);
        for n in 0..200_u32 {
            calls.remember(&number(1), start + Duration::from_secs(1) * n, key(n.into()));
        }
        let within = |n, from, until| {
            let at = |seconds| start + Duration::from_secs(seconds);
            let span = CallSpan {
                from: at(from),
                until: at(until),
            };
            calls.within(&number(n), span)
        };
        assert_eq!(within(1, 0, 1_000).len(), PER_NUMBER_MAX);
        assert_eq!(within(1, 190, 1_000), [key(192), key(196)]);
        assert_eq!(within(1, 180, 188), [key(180), key(184), key(188)]);
        assert_eq!(within(2, 0, 1_000), []);
    }

    #[test]
    fn numbers_that_send_nothing_are_forgotten() {
        let calls = RecentCalls::default();
        let start = Timestamp::from_millis(1_000_000);
        for n in 0..NUMBERS_BEFORE_FORGETTING {
            calls.remember(&number(n), start, key(1));
        }
        calls.remember(&number(NUMBERS_BEFORE_FORGETTING), start + FORGOTTEN_AFTER, key(2));
        assert_eq!(calls.by_number.lock().len(), 1);
    }
}
