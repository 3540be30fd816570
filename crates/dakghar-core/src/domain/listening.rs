//! When Meta's webhooks were received, and what Meta's silence about a call is worth.
//!
//! Every process that takes webhooks keeps a [`Listener`]: the moment until which it is known to have listened, and the
//! end of its latest gap. A crash needs no write, because a listener that is not heard of any more speaks for itself.
//! Only the end of the latest gap matters: what a gap touches of the time from a call until now is decided by that.

use std::sync::Arc;
use std::time::Duration;

use super::time::Timestamp;

/// The time between two signs of life of a listener.
pub const SIGN_EVERY: Duration = Duration::from_secs(5);
/// A listener that gave no sign for this long is taken for dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(15);
/// The time until whoever routes webhooks has noticed that a listener is gone, and sends them to others.
pub const ROUTED_AROUND_AFTER: Duration = Duration::from_secs(60);
/// A webhook that is not answered within this time counts as refused: Meta may have given up by then.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// The most by which the clocks of two processes may differ. All of them follow the store's.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(1);
/// Gaps are remembered for this time beyond the longest doubt.
pub const REMEMBERED_BEYOND_DOUBT: Duration = Duration::from_secs(3600);

/// How far from the silent call another one may lie to say something about it. What loses webhooks on the way is seldom
/// noticed and mended within a minute, so a loss that took this call's status took that of a neighbour too. A number
/// that sends less than one message a minute has no neighbours.
pub const NEAR: Duration = Duration::from_secs(60);
/// A status that came later than this after its call may be a repetition, of which Meta posts the first after about a
/// minute. It then says that webhooks were lost, and not that they arrive.
pub const PROMPT: Duration = Duration::from_secs(30);

/// A time during which webhooks may not have been received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end. It lies ahead where others must first notice that a listener is gone.
    pub until: Timestamp,
}

impl Gap {
    /// Joins two gaps. What lies between them counts as a gap if it is short.
    pub fn join(earlier: Option<Self>, later: Self) -> Self {
        match earlier {
            Some(earlier) if later.from <= earlier.until + DEAD_AFTER => Self {
                from: earlier.from.min(later.from),
                until: earlier.until.max(later.until),
            },
            Some(earlier) if earlier.until > later.until => earlier,
            _ => later,
        }
    }
}

/// A process that takes Meta's webhooks, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The name of the process; different for every start.
    pub process: Arc<str>,
    /// The process is known to have listened until then, but for its gaps.
    pub heard_until: Timestamp,
    /// The latest gap.
    pub gap: Option<Gap>,
    /// True if it stopped in good order, and its last gap is complete.
    pub has_ended: bool,
}

impl Listener {
    /// True if it is taken for alive. A sign from the future comes from a clock that was set back, and counts for
    /// nothing.
    fn lives(&self, now: Timestamp) -> bool {
        !self.has_ended && now <= self.heard_until + DEAD_AFTER && self.heard_until <= now + DEAD_AFTER
    }

    /// Its latest gap, and the one that its death makes.
    fn gap_at(&self, now: Timestamp) -> Option<Gap> {
        if self.has_ended || self.lives(now) {
            return self.gap;
        }
        let death = Gap {
            from: self.heard_until,
            until: self.heard_until + DEAD_AFTER + ROUTED_AROUND_AFTER,
        };
        Some(Gap::join(self.gap, death))
    }
}

/// What all listeners together have heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// The latest gap of all.
    gap: Option<Gap>,
    /// What happened after this is not known of every listener yet.
    known_until: Timestamp,
    /// Gaps before this are forgotten.
    known_since: Timestamp,
}

/// Whether the webhooks of a call could be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Whatever Meta posted was answered.
    Throughout,
    /// A gap touches the time since the call.
    WithGaps,
    /// Some listener has not yet said what it heard.
    NotKnownYet,
}

impl Hearing {
    /// Puts together what the listeners have heard. `remembered` is the age beyond which they are forgotten.
    pub fn of(listeners: &[Listener], now: Timestamp, remembered: Duration) -> Self {
        let living = || listeners.iter().filter(|listener| listener.lives(now));
        let gaps = listeners.iter().filter_map(|listener| listener.gap_at(now));
        let mut gap = gaps.max_by_key(|gap| gap.until);
        if living().next().is_none() {
            let heard_until = listeners.iter().map(|listener| listener.heard_until).max();
            let nobody = Gap {
                from: heard_until.unwrap_or(now).min(now),
                until: now,
            };
            gap = Some(Gap::join(gap, nobody));
        }
        Self {
            gap,
            known_until: living().map(|listener| listener.heard_until).min().unwrap_or(now),
            known_since: now - remembered,
        }
    }

    /// Says whether statuses of a call made at `called_at` could be received, until `until` at least.
    pub fn since(&self, called_at: Timestamp, until: Timestamp) -> Heard {
        let touches = self.gap.is_some_and(|gap| called_at <= gap.until + CLOCK_SKEW_MAX);
        if touches || called_at <= self.known_since {
            Heard::WithGaps
        } else if self.known_until < until {
            Heard::NotKnownYet
        } else {
            Heard::Throughout
        }
    }
}

/// Calls whose statuses are looked for, by the time they were made. Both ends are part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSpan {
    /// The first moment.
    pub from: Timestamp,
    /// The last moment.
    pub until: Timestamp,
}

impl CallSpan {
    /// The calls shortly before this one, and those shortly after it.
    pub fn around(called_at: Timestamp) -> [Self; 2] {
        let moment = Duration::from_millis(1);
        let before = Self {
            from: called_at - NEAR,
            until: called_at - moment,
        };
        let after = Self {
            from: called_at + moment,
            until: called_at + NEAR,
        };
        [before, after]
    }

    /// True if a call made then, of which the first status came then, shows that statuses arrive.
    pub fn is_shown_by(&self, called_at: Option<Timestamp>, status_seen_at: Option<Timestamp>) -> bool {
        let (Some(called_at), Some(seen_at)) = (called_at, status_seen_at) else {
            return false;
        };
        (self.from..=self.until).contains(&called_at) && (called_at..=called_at + PROMPT).contains(&seen_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
    const DAY: Duration = Duration::from_secs(86_400);
    const SECOND: Duration = Duration::from_secs(1);

    fn listener(heard_until: Timestamp) -> Listener {
        Listener {
            process: "one".into(),
            heard_until,
            gap: None,
            has_ended: false,
        }
    }

    fn heard(listeners: &[Listener], called_at: Timestamp) -> Heard {
        Hearing::of(listeners, NOW, DAY).since(called_at, called_at + SECOND)
    }

    #[test]
    fn without_a_living_listener_nothing_was_heard() {
        assert_eq!(heard(&[], NOW - SECOND), Heard::WithGaps);
        assert_eq!(
            heard(&[listener(NOW - DEAD_AFTER - SECOND)], NOW - SECOND),
            Heard::WithGaps
        );
        assert_eq!(
            heard(&[listener(NOW + DEAD_AFTER + SECOND)], NOW - SECOND),
            Heard::WithGaps
        );
        let ended = Listener {
            has_ended: true,
            ..listener(NOW)
        };
        assert_eq!(heard(&[ended], NOW - SECOND), Heard::WithGaps);
        assert_eq!(heard(&[listener(NOW)], NOW - SECOND), Heard::Throughout);
    }

    #[test]
    fn a_gap_counts_for_every_call_before_its_end() {
        let gap = Gap {
            from: NOW - SECOND * 40,
            until: NOW - SECOND * 30,
        };
        let listening = Listener {
            gap: Some(gap),
            ..listener(NOW)
        };
        for (before, expected) in [
            (50, Heard::WithGaps),
            (35, Heard::WithGaps),
            (30, Heard::WithGaps),
            (29, Heard::WithGaps),
            (28, Heard::Throughout),
        ] {
            assert_eq!(
                heard(std::slice::from_ref(&listening), NOW - SECOND * before),
                expected,
                "{before}"
            );
        }
    }

    #[test]
    fn a_death_beside_others_is_a_gap_until_it_was_noticed() {
        let dead = listener(NOW - SECOND * 100);
        let others = [listener(NOW), dead];
        assert_eq!(heard(&others, NOW - SECOND * 120), Heard::WithGaps);
        assert_eq!(heard(&others, NOW - SECOND * 30), Heard::WithGaps);
        assert_eq!(heard(&others, NOW - SECOND * 20), Heard::Throughout);
    }

    #[test]
    fn what_a_listener_has_not_said_yet_is_waited_for() {
        let hearing = Hearing::of(&[listener(NOW), listener(NOW - SECOND * 4)], NOW, DAY);
        assert_eq!(hearing.since(NOW - SECOND * 9, NOW - SECOND * 3), Heard::NotKnownYet);
        assert_eq!(hearing.since(NOW - SECOND * 9, NOW - SECOND * 4), Heard::Throughout);
    }

    #[test]
    fn what_is_forgotten_counts_as_a_gap() {
        assert_eq!(heard(&[listener(NOW)], NOW - DAY), Heard::WithGaps);
    }

    #[test]
    fn gaps_are_joined_and_the_later_one_stays() {
        let gap = |from, until| Gap {
            from: NOW + SECOND * from,
            until: NOW + SECOND * until,
        };
        assert_eq!(Gap::join(None, gap(1, 2)), gap(1, 2));
        assert_eq!(Gap::join(Some(gap(1, 2)), gap(3, 4)), gap(1, 4));
        assert_eq!(Gap::join(Some(gap(1, 2)), gap(30, 31)), gap(30, 31));
        assert_eq!(Gap::join(Some(gap(1, 80)), gap(30, 31)), gap(1, 80));
    }

    #[test]
    fn calls_shortly_before_and_after_show_something_if_their_statuses_were_prompt() {
        let [before, after] = CallSpan::around(NOW);
        let shows =
            |span: CallSpan, called: Timestamp, late: Duration| span.is_shown_by(Some(called), Some(called + late));
        assert!(shows(before, NOW - NEAR, PROMPT) && shows(after, NOW + NEAR, PROMPT));
        assert!(
            !shows(before, NOW, SECOND) && !shows(after, NOW, SECOND),
            "it says nothing of itself"
        );
        assert!(!shows(before, NOW - NEAR - SECOND, SECOND) && !shows(after, NOW + NEAR + SECOND, SECOND));
        assert!(!shows(before, NOW - SECOND, PROMPT + SECOND), "it may be a repetition");
        assert!(!after.is_shown_by(Some(NOW + SECOND), None));
        assert!(
            !after.is_shown_by(Some(NOW + SECOND), Some(NOW)),
            "it is of an earlier call"
        );
    }
}
