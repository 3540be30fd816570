use uuid::Uuid;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_763_805_600_000 + seconds * 1_000)
}

fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

fn letter() -> DeadLetter {
    DeadLetter {
        key: MessageKey {
            tenant_id: tenant(1),
            message_id: MessageId::from_uuid(Uuid::from_u128(7)),
        },
        phone_number_id: PhoneNumberId::parse("111").expect("digits"),
        status: Status::Dead,
        reason: Some(DeadReason::AttemptsExhausted),
        code: Some(131_016),
        attempt: 5,
        maybe_sent: false,
        expires_at: None,
        ended_at: at(10),
    }
}

fn redrive(filter: RedriveFilter) -> Redrive {
    let asked = NewRedrive {
        filter,
        confirm_duplicate_risk: false,
        ignore_expiry: false,
        per_second: REDRIVE_PER_SECOND_DEFAULT,
        by: Actor::Operator,
        automatic: None,
    };
    Redrive::new(RedriveId::from_uuid(Uuid::from_u128(1)), Some(tenant(1)), asked, at(20))
}

#[test]
fn every_part_of_a_filter_must_match() {
    let letter = letter();
    let matching = RedriveFilter {
        phone_number_id: Some(letter.phone_number_id.clone()),
        code: Some(131_016),
        reason: Some(DeadReason::AttemptsExhausted),
        status: Some(Status::Dead),
        from: Some(at(10)),
        to: Some(at(11)),
    };
    assert!(RedriveFilter::default().matches(&letter));
    assert!(matching.matches(&letter));
    let others: [fn(&mut RedriveFilter); 6] = [
        |filter| filter.phone_number_id = PhoneNumberId::parse("222").ok(),
        |filter| filter.code = Some(131_026),
        |filter| filter.reason = Some(DeadReason::Poison),
        |filter| filter.status = Some(Status::Expired),
        |filter| filter.from = Some(at(11)),
        |filter| filter.to = Some(at(10)),
    ];
    for (part, change) in others.into_iter().enumerate() {
        let mut filter = matching.clone();
        change(&mut filter);
        assert!(!filter.matches(&letter), "part {part}");
    }
    let without_code = DeadLetter { code: None, ..letter };
    assert!(!matching.matches(&without_code));
}

#[test]
fn a_redrive_leaves_alone_what_died_later_and_what_is_of_another_tenant() {
    let redrive = redrive(RedriveFilter::default());
    let died = |seconds| DeadLetter {
        ended_at: at(seconds),
        ..letter()
    };
    assert!(redrive.is_about(&died(20)), "at the very time");
    assert!(!redrive.is_about(&died(21)));
    let mut of_another = letter();
    of_another.key.tenant_id = tenant(2);
    assert!(!redrive.is_about(&of_another));
    let of_all = Redrive {
        tenant_id: None,
        ..redrive
    };
    assert!(of_all.is_about(&of_another));
}

#[test]
fn what_may_have_arrived_is_left_out_unless_that_is_confirmed() {
    let mut redrive = redrive(RedriveFilter::default());
    let unknown = DeadLetter {
        reason: Some(DeadReason::OutcomeUnknown),
        ..letter()
    };
    let in_doubt_before = DeadLetter {
        maybe_sent: true,
        ..letter()
    };
    let failed_at_the_only_call = DeadLetter {
        status: Status::Failed,
        reason: None,
        attempt: 1,
        maybe_sent: true,
        ..letter()
    };
    let left_out = |redrive: &Redrive, letter: &DeadLetter| redrive.leaves_out(letter, at(20).into());
    assert_eq!(left_out(&redrive, &unknown), Some(LeftOut::MayHaveArrived));
    assert_eq!(left_out(&redrive, &in_doubt_before), Some(LeftOut::MayHaveArrived));
    assert_eq!(left_out(&redrive, &failed_at_the_only_call), None);
    assert_eq!(left_out(&redrive, &letter()), None);
    redrive.asked.confirm_duplicate_risk = true;
    assert_eq!(left_out(&redrive, &unknown), None);
}

#[test]
fn what_has_expired_is_left_out_unless_that_is_to_be_ignored() {
    let mut redrive = redrive(RedriveFilter::default());
    let until = |seconds| DeadLetter {
        expires_at: Some(at(seconds)),
        ..letter()
    };
    let expired = DeadLetter {
        status: Status::Expired,
        reason: None,
        ..letter()
    };
    let left_out = |redrive: &Redrive, letter: &DeadLetter| redrive.leaves_out(letter, at(20).into());
    for letter in [&until(15), &until(20), &expired] {
        assert_eq!(left_out(&redrive, letter), Some(LeftOut::Expired));
    }
    assert_eq!(left_out(&redrive, &until(21)), None);
    // It is the date that counts, and not the time that never runs back.
    let behind = Present {
        now: at(20),
        wall: at(14),
    };
    assert_eq!(redrive.leaves_out(&until(15), behind), None);
    redrive.asked.ignore_expiry = true;
    for letter in [&until(15), &expired] {
        assert_eq!(left_out(&redrive, letter), None);
    }
}

#[test]
fn what_somebody_else_sent_again_first_is_skipped_in_the_end() {
    let mut redrive = redrive(RedriveFilter::default());
    (redrive.total, redrive.total_is_exact) = (600, true);
    redrive.settled = Settled {
        redriven: 200,
        skipped: 60,
        failed: 1,
    };
    redrive.pending.push(letter().key);
    redrive.has_seen_all();
    assert_eq!((redrive.status, redrive.settled.skipped), (RedriveStatus::Running, 60));
    redrive.pending.clear();
    let mut counted_in_part = redrive.clone();
    redrive.has_seen_all();
    assert_eq!((redrive.status, redrive.settled.skipped), (RedriveStatus::Done, 399));
    counted_in_part.total_is_exact = false;
    counted_in_part.has_seen_all();
    assert_eq!(counted_in_part.settled.skipped, 60, "nobody knows how many there were");
}

#[test]
fn a_redrive_that_is_over_stays_over() {
    let mut redrive = redrive(RedriveFilter::default());
    assert_eq!(redrive.pause(at(21)), Ok(true));
    assert_eq!(redrive.pause(at(22)), Ok(false));
    assert!(!redrive.needs_work());
    assert_eq!(redrive.resume(at(23)), Ok(true));
    assert!(redrive.needs_work());
    redrive.pending.push(letter().key);
    assert_eq!(redrive.cancel(at(24)), Ok(true));
    assert!(redrive.needs_work(), "its last batch is still to be counted");
    redrive.settle(Settled::default(), Vec::new(), at(25));
    assert!(!redrive.needs_work());
    assert_eq!(redrive.cancel(at(26)), Ok(false), "twice is fine");
    assert_eq!(redrive.resume(at(27)), Err(RedriveOver));
    assert_eq!((redrive.status, redrive.updated_at), (RedriveStatus::Cancelled, at(25)));
}

#[test]
fn a_batch_is_a_quarter_of_a_second_and_keeps_the_pace() {
    let mut redrive = redrive(RedriveFilter::default());
    for (per_second, batch) in [(1, 1), (4, 1), (5, 2), (50, 13), (1_000, REDRIVE_BATCH_MAX)] {
        redrive.asked.per_second = per_second;
        assert_eq!(redrive.batch(), batch, "{per_second}");
        let batch = u32::try_from(batch).expect("a hundred at most");
        let sent_in_a_second = f64::from(batch) / redrive.pace(redrive.batch()).as_secs_f64();
        assert!(
            (sent_in_a_second - f64::from(per_second)).abs() < 0.01,
            "{sent_in_a_second}"
        );
    }
}

#[test]
fn a_lease_keeps_others_away_until_it_ends_unless_a_wrong_clock_gave_it() {
    let mut redrive = redrive(RedriveFilter::default());
    assert!(!redrive.is_held_by_other("a", at(20)));
    redrive.lease = Some(Lease {
        owner: "a".into(),
        until: at(20) + REDRIVE_LEASE,
    });
    assert!(!redrive.is_held_by_other("a", at(20)));
    assert!(redrive.is_held_by_other("b", at(20)));
    assert!(!redrive.is_held_by_other("b", at(20) + REDRIVE_LEASE));
    assert!(!redrive.is_held_by_other("b", at(19)), "longer than any lease");
}

#[test]
fn a_preview_counts_by_cause_and_number_and_shows_a_few() {
    let redrive = Redrive {
        tenant_id: None,
        ..redrive(RedriveFilter::default())
    };
    let mut preview = RedrivePreview::default();
    for n in 0..7 {
        let mut letter = letter();
        letter.code = Some(if n < 5 { 131_016 } else { 131_000 });
        letter.key.tenant_id = tenant(1 + n % 2);
        preview.add(&redrive, &letter, at(20).into());
    }
    preview.add(
        &redrive,
        &DeadLetter {
            reason: Some(DeadReason::OutcomeUnknown),
            ..letter()
        },
        at(20).into(),
    );
    preview.add(
        &redrive,
        &DeadLetter {
            ended_at: at(21),
            ..letter()
        },
        at(20).into(),
    );
    let expired = DeadLetter {
        expires_at: Some(at(19)),
        ..letter()
    };
    preview.add(&redrive, &expired, at(20).into());
    assert_eq!(
        (preview.redrivable, preview.left_out, preview.expired, preview.total()),
        (7, 1, 1, 9)
    );
    assert_eq!(preview.examples.len(), PREVIEW_EXAMPLES);
    let causes: Vec<_> = preview
        .by_cause()
        .into_iter()
        .map(|cause| (cause.code, cause.count))
        .collect();
    assert_eq!(causes, [(Some(131_016), 5), (Some(131_000), 2)]);
    let numbers: Vec<_> = preview
        .by_number()
        .into_iter()
        .map(|of| (of.tenant_id, of.count))
        .collect();
    assert_eq!(numbers, [(tenant(1), 4), (tenant(2), 3)]);
}

#[test]
fn a_preview_is_bounded_however_many_groups_there_are() {
    let redrive = redrive(RedriveFilter::default());
    let mut preview = RedrivePreview::default();
    for code in 0..20_000 {
        preview.add(
            &redrive,
            &DeadLetter {
                code: Some(code),
                ..letter()
            },
            at(20).into(),
        );
    }
    assert_eq!(preview.redrivable, 20_000);
    assert_eq!(preview.by_cause().len(), PREVIEW_GROUPS_MAX);
    assert_eq!(preview.causes.len(), 10_000);
}
