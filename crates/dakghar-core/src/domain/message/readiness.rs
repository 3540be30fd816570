//! Since when a message is ready to go out, for measuring.

use super::super::time::Timestamp;
use super::Message;
use super::timeline::TimelineEvent;

impl Message {
    /// Returns since when neither its client nor a hold nor its death kept it from its first call: its acceptance, or the
    /// end of its hold, or its redrive, but not before its `sendAt`. `None` if it was called since: it waits for another
    /// attempt then.
    pub fn ready_at(&self) -> Option<Timestamp> {
        let mut ready_at = Some(self.accepted.created_at);
        for entry in &self.delivery.timeline {
            match entry.event {
                TimelineEvent::Resumed | TimelineEvent::Redriven => ready_at = Some(entry.at),
                TimelineEvent::Attempt | TimelineEvent::InDoubt => ready_at = None,
                _ => {}
            }
        }
        let send_at = self.send_at();
        ready_at.map(|ready_at| send_at.map_or(ready_at, |send_at| send_at.max(ready_at)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::queued;
    use super::super::timeline::TimelineEntry;
    use super::*;

    #[test]
    fn a_hold_and_a_date_are_not_the_gateways_time_and_another_attempt_is_none() {
        let at = Timestamp::from_millis;
        let mut message = queued();
        message.accepted.created_at = at(1_000);
        message.delivery.timeline = vec![TimelineEntry::new(at(1_000), TimelineEvent::Accepted)];
        let mut after = |event, ms: i64| {
            message.delivery.timeline.push(TimelineEntry::new(at(ms), event));
            message.ready_at()
        };
        assert_eq!(after(TimelineEvent::Waiting, 1_500), Some(at(1_000)));
        assert_eq!(after(TimelineEvent::Held, 2_000), Some(at(1_000)));
        assert_eq!(after(TimelineEvent::Resumed, 9_000), Some(at(9_000)));
        assert_eq!(after(TimelineEvent::Attempt, 9_100), None);
        assert_eq!(after(TimelineEvent::Waiting, 9_200), None);
        assert_eq!(after(TimelineEvent::Dead, 9_300), None);
        assert_eq!(after(TimelineEvent::Redriven, 20_000), Some(at(20_000)));
        assert_eq!(after(TimelineEvent::InDoubt, 21_000), None);
        assert_eq!(after(TimelineEvent::Resumed, 22_000), Some(at(22_000)));
        // Its client wants it later than that.
        message.delivery.timeline[0].until = Some(at(30_000));
        assert_eq!(message.ready_at(), Some(at(30_000)));
    }
}
