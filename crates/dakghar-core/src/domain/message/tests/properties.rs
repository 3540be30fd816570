//! Properties: the merge of evidence under any order, and the whole machine under any interleaving.

use proptest::prelude::*;

use super::*;

fn evidence_strategy() -> impl Strategy<Value = Evidence> {
    (
        prop::sample::select(EvidenceStatus::ALL.to_vec()),
        1..=2u32,
        prop::bool::ANY,
    )
        .prop_map(|(kind, attempt, named)| Evidence {
            status: kind,
            wamid: wamid(&format!("wamid.{attempt}")),
            attempt: named.then_some(attempt),
            reported_at: None,
            error: None,
            by_webhook: true,
            participant: None,
        })
}

/// Returns the status that evidence about the second call leads to, written down independently of the merge.
fn expected(base: Status, current_attempt: u32, evidence: &[Evidence]) -> Status {
    let counted = evidence
        .iter()
        .filter(|e| e.status != EvidenceStatus::Failed || e.attempt == Some(current_attempt));
    counted
        .map(|e| e.status.status())
        .chain([base])
        .max_by_key(|status| status.rank())
        .expect("not empty")
}

proptest! {
    /// Any permutation, with repetitions, ends in the same status.
    #[test]
    fn the_merge_commutes(
        evidence in prop::collection::vec(evidence_strategy(), 0..8),
        seed in any::<prop::sample::Index>(),
        order in any::<u64>(),
    ) {
        let named: Vec<_> = evidence.into_iter().map(|mut e| { e.attempt = e.attempt.or(Some(2)); e }).collect();
        let base = || {
            let mut message = sending(START);
            message.delivery.attempt = 2;
            message
        };
        let mut shuffled = named.clone();
        if !shuffled.is_empty() {
            shuffled.push(named[seed.index(named.len())].clone());
            let mut state = order;
            for i in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let j = usize::try_from(state >> 33).expect("31 bits") % (i + 1);
                shuffled.swap(i, j);
            }
        }
        let (mut one, mut other) = (base(), base());
        for e in &named { one.merge_evidence(START, e); }
        for e in &shuffled { other.merge_evidence(START, e); }
        prop_assert_eq!(one.delivery.status, other.delivery.status);
        prop_assert_eq!(one.delivery.status, expected(Status::Sending, 2, &named));
        let ids = |message: &Message| { let mut ids = message.delivery.wamids.clone(); ids.sort(); ids };
        prop_assert_eq!(ids(&one), ids(&other));
        for e in &named { prop_assert_eq!(one.merge_evidence(START, e), Merged::Unchanged); }
    }

    /// The protocol's promises hold, whatever worker, reconciler, webhook and client do in whatever order.
    #[test]
    fn the_machine_keeps_its_promises(steps in prop::collection::vec((0..13u8, 0..200u64, 0..100u8), 1..60), policy in 0..3usize) {
        Machine::new(UnknownOutcome::ALL[policy]).run(&steps)?;
    }
}

/// One message, the calls that were made for it, and a worker that may be late.
struct Machine {
    message: Message,
    now: Timestamp,
    /// The epoch and attempt of each call whose outcome a worker still has to report.
    calls: Vec<(u64, u32)>,
    called: Vec<u32>,
}

impl Machine {
    fn new(policy: UnknownOutcome) -> Self {
        let mut message = queued();
        message.accepted.unknown_outcome = policy;
        Self {
            message,
            now: START,
            calls: Vec::new(),
            called: Vec::new(),
        }
    }

    fn run(&mut self, steps: &[(u8, u64, u8)]) -> Result<(), TestCaseError> {
        for (step, seconds, dice) in steps {
            self.now = self.now + Duration::from_secs(*seconds);
            let before = self.message.clone();
            self.step(*step, *dice);
            self.check(&before, *step)?;
        }
        Ok(())
    }

    fn step(&mut self, step: u8, dice: u8) {
        let now = self.now;
        match step {
            0..=2 if self.message.claim(now, &worker(), &timings()).is_ok() => {
                self.calls
                    .push((self.message.delivery.epoch, self.message.delivery.attempt));
                self.called.push(self.message.delivery.attempt);
            }
            3..=5 if !self.calls.is_empty() => self.report(dice),
            6 | 7 if self.message.delivery.wake_at.is_some_and(|at| at <= now) => {
                let around = Surroundings {
                    hold: None,
                    may_probe: false,
                    silence: [Silence::Telling, Silence::Deaf, Silence::Unproven, Silence::NotKnownYet]
                        [(dice % 4) as usize],
                    is_orphaned: false,
                    watched: timings().lease,
                };
                if self.message.wake(now, around, None, &timings()) == Woken::NeedsSlot {
                    self.message.schedule(now, now, None);
                }
            }
            8 | 9 if self.message.delivery.attempt > 0 => {
                let kind = EvidenceStatus::ALL[usize::from(dice) % 5];
                let attempt = u32::from(dice) % self.message.delivery.attempt + 1;
                self.message.merge_evidence(now, &status(kind, Some(attempt)));
            }
            10 => {
                self.message.cancel(now);
            }
            11 if self.message.delivery.status == Status::Queued => {
                self.message.hold(now, HoldReason::CredentialsInvalid);
            }
            12 if self.message.redrive(now, options(dice)).is_ok() => {
                self.message.schedule(now, now, None);
            }
            _ => {}
        }
    }

    fn report(&mut self, dice: u8) {
        let (epoch, _) = self.calls.remove(usize::from(dice) % self.calls.len());
        let outcome = match dice % 8 {
            0 => accepted(),
            1 => refused(131_026, 400),
            2 => refused(2, 503),
            3 => refused(130_429, 429),
            4 => refused(190, 401),
            5 => SendOutcome::NotSent {
                cause: NotSentCause::Host,
                why: "connect".into(),
            },
            6 => SendOutcome::TurnedAway {
                http_status: 403,
                why: "a page".into(),
            },
            _ => SendOutcome::Unknown { why: "timeout".into() },
        };
        let recorded = self
            .message
            .record_outcome(epoch, self.now, &outcome, &SendPolicy::default(), 0.5);
        if recorded.is_ok() && self.message.delivery.status == Status::Queued {
            let slot = self.message.delivery.slot_at.expect("a retry has a slot");
            self.message.schedule(self.now, slot, None);
        }
    }

    fn check(&self, before: &Message, step: u8) -> Result<(), TestCaseError> {
        let message = &self.message;
        // One call for each attempt, and none that was not authorised.
        let mut attempts = self.called.clone();
        attempts.dedup();
        prop_assert_eq!(attempts.len(), self.called.len());
        prop_assert_eq!(message.delivery.attempt as usize, self.called.len());
        prop_assert!(message.delivery.epoch >= before.delivery.epoch);
        // The rank falls only where the protocol says so: a retry, a resend, a redrive.
        if message.delivery.status.rank() < before.delivery.status.rank() {
            let allowed = matches!(before.delivery.status, Status::Sending | Status::InDoubt) || step == 12;
            prop_assert!(
                allowed,
                "{:?} -> {:?} by step {step}",
                before.delivery.status,
                message.delivery.status
            );
        }
        // Every unsettled message has a way forward, and no settled one has.
        let has_way = message.delivery.wake_at.is_some() || message.delivery.slot_at.is_some();
        prop_assert_eq!(
            message.delivery.status.is_unsettled(),
            has_way,
            "{:?}",
            message.delivery.status
        );
        prop_assert_eq!(
            message.delivery.lease.is_some(),
            message.delivery.status == Status::Sending
        );
        // A message that was called for is shown in its conversation, whatever its outcome.
        if message.delivery.attempt > 0 && message.delivery.status != Status::Sending {
            prop_assert_eq!(message.delivery.conversation_id, message.conversation());
        }
        prop_assert!(message.delivery.attempts_counted() <= message.accepted.attempts_max);
        if message.delivery.status == Status::Cancelled && before.delivery.status != Status::Cancelled {
            prop_assert!(!before.delivery.maybe_sent);
        }
        if matches!(before.delivery.status, Status::Delivered | Status::Read) {
            prop_assert!(message.delivery.status.rank() >= before.delivery.status.rank());
        }
        Ok(())
    }
}

fn options(dice: u8) -> RedriveOptions {
    RedriveOptions {
        confirm_duplicate_risk: dice.is_multiple_of(2),
        ignore_expiry: dice.is_multiple_of(3),
    }
}
