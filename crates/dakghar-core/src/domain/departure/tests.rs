use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::domain::graph_error::GraphRefusal;
use crate::domain::ids::WabaId;

const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);

fn number(id: &str, account: Option<&str>) -> DepartingNumber {
    DepartingNumber {
        id: PhoneNumberId::parse(id).expect("digits"),
        waba_id: account.map(|id| WabaId::parse(id).expect("digits")),
        simulated: false,
    }
}

fn wishes(required: &[DepartureStep]) -> DepartureWishes<'_> {
    DepartureWishes {
        queued: QueuedWish::Send { until: NOW + SEND_FOR },
        deregister: true,
        revoke: true,
        skip_export: false,
        keep_data: false,
        required,
    }
}

fn departure(numbers: &[DepartingNumber], is_whole: bool, wishes: DepartureWishes<'_>) -> Departure {
    let new = NewDeparture {
        id: DepartureId::from_uuid(Uuid::from_u128(7)),
        tenant_id: TenantId::from_uuid(Uuid::from_u128(1)),
        asked_by: Who::Cli,
        numbers,
        is_whole,
        wishes,
    };
    Departure::new(&new, NOW)
}

fn shown(departure: &Departure) -> Vec<String> {
    let shown = |record: &StepRecord| {
        let about = record.about.as_deref().unwrap_or("-");
        format!("{} {about} {}", record.step.as_str(), record.state.as_str())
    };
    departure.steps.iter().map(shown).collect()
}

fn at(departure: &Departure) -> DepartureStep {
    departure.current().expect("a step").step
}

fn until(departure: &mut Departure, step: DepartureStep) {
    while at(departure) != step {
        departure.pass(StepState::Done, None, NOW);
    }
}

#[test]
fn each_account_and_each_number_has_its_steps_in_their_order() {
    let numbers = [
        number("501", Some("900")),
        number("502", Some("900")),
        number("503", None),
    ];
    let planned = shown(&departure(&numbers, true, wishes(&[])));
    let expected = [
        "accept - pending",
        "queued - pending",
        "override 900 pending",
        "override - skipped",
        "unsubscribe 900 pending",
        "unsubscribe - skipped",
        "deregister 501 pending",
        "deregister 502 pending",
        "deregister 503 pending",
        "revoke 501 pending",
        "revoke 502 pending",
        "revoke 503 pending",
        "export - pending",
        "remove - pending",
    ];
    assert_eq!(planned, expected);
    let simulated = DepartingNumber {
        simulated: true,
        ..number("504", Some("901"))
    };
    let with = DepartureWishes {
        deregister: false,
        keep_data: true,
        ..wishes(&[])
    };
    let of_number = departure(&[simulated], false, with);
    assert_eq!(of_number.numbers.as_ref().map(Vec::len), Some(1));
    assert!(
        shown(&of_number)[2..].iter().all(|step| step.ends_with("- skipped")),
        "{of_number:?}"
    );
}

#[test]
fn it_is_done_behind_its_last_step() {
    let mut departure = departure(&[number("501", Some("900"))], true, wishes(&[]));
    until(&mut departure, DepartureStep::Remove);
    assert!(departure.is_open() && departure.due_at() == Some(NOW));
    departure.pass(StepState::Done, None, NOW);
    assert_eq!((departure.state, departure.ended_at), (DepartureState::Done, Some(NOW)));
    assert!(!departure.is_open() && departure.due_at().is_none());
    assert!(!departure.retry(false, NOW) && !departure.cancel(NOW));
}

#[test]
fn what_meta_refuses_for_good_is_reported_and_does_not_stop_the_rest_unless_it_is_required() {
    let refused = || StepTrouble::new(DepartureReason::Refused, Some("no"));
    for required in [&[][..], &[DepartureStep::Unsubscribe]] {
        let mut departure = departure(&[number("501", Some("900"))], true, wishes(required));
        until(&mut departure, DepartureStep::Unsubscribe);
        departure.fail(refused(), None, NOW);
        let record = departure
            .steps
            .iter()
            .find(|record| record.step == DepartureStep::Unsubscribe)
            .expect("a step");
        assert_eq!(record.reason, Some(DepartureReason::Refused));
        if required.is_empty() {
            assert_eq!(
                (record.state, departure.state),
                (StepState::Failed, DepartureState::Running)
            );
            assert_eq!(at(&departure), DepartureStep::Deregister);
        } else {
            assert_eq!(
                (record.state, departure.state),
                (StepState::Pending, DepartureState::Stopped)
            );
            assert!(departure.retry(true, NOW));
            assert_eq!(at(&departure), DepartureStep::Deregister, "left out by request");
        }
    }
}

#[test]
fn what_has_no_answer_is_tried_again_and_a_long_wait_is_for_required_steps_only() {
    let no_answer = || StepTrouble::new(DepartureReason::NoAnswer, None);
    let mut departure = departure(
        &[number("501", Some("900"))],
        true,
        wishes(&[DepartureStep::Deregister]),
    );
    until(&mut departure, DepartureStep::Unsubscribe);
    for _ in 1..TRIES_MAX {
        let wait = departure.wait();
        departure.fail(no_answer(), Some(wait), NOW);
        assert_eq!(departure.next_at, Some(NOW + wait));
        assert_eq!(at(&departure), DepartureStep::Unsubscribe);
    }
    departure.fail(no_answer(), Some(departure.wait()), NOW);
    assert_eq!(at(&departure), DepartureStep::Deregister);
    assert_eq!(note_of(&departure, DepartureStep::Unsubscribe), Some(LEFT_OUT));
    let days = Duration::from_hours(72);
    departure.fail(no_answer(), Some(days), NOW);
    assert_eq!(
        (at(&departure), departure.next_at),
        (DepartureStep::Deregister, Some(NOW + days))
    );
    departure.pass(StepState::Done, None, NOW);
    departure.fail(no_answer(), Some(days), NOW);
    assert_eq!(at(&departure), DepartureStep::Export, "revoking is not required");
}

fn note_of(departure: &Departure, step: DepartureStep) -> Option<&str> {
    let mut steps = departure.steps.iter();
    steps.find(|record| record.step == step)?.note.as_deref()
}

#[test]
fn what_stopped_after_its_last_try_does_not_say_that_it_is_tried_again() {
    let mut departure = departure(
        &[number("501", Some("900"))],
        true,
        wishes(&[DepartureStep::Unsubscribe]),
    );
    until(&mut departure, DepartureStep::Unsubscribe);
    for _ in 0..TRIES_MAX {
        assert_eq!(departure.state, DepartureState::Running);
        let trouble = StepTrouble::new(DepartureReason::NoAnswer, Some("timeout"));
        departure.fail(trouble, Some(departure.wait()), NOW);
    }
    assert_eq!(departure.state, DepartureState::Stopped);
    assert_eq!(note_of(&departure, DepartureStep::Unsubscribe), Some(TRIED));
    // What says something else stays.
    let locked = judge(DepartureStep::Deregister, &refusal(133_016, None)).advice;
    let trouble = StepTrouble {
        advice: locked.into(),
        ..StepTrouble::new(DepartureReason::Refused, None)
    };
    assert_eq!(&*trouble.after_the_last_try(true).advice, locked);
}

#[test]
fn it_is_called_off_as_long_as_nothing_was_changed() {
    let mut departure = departure(&[number("501", Some("900"))], true, wishes(&[]));
    until(&mut departure, DepartureStep::Override);
    let mut changed = departure.clone();
    changed.changed_at = Some(NOW);
    assert!(!changed.cancel(NOW));
    assert!(departure.cancel(NOW) && departure.needs_work() && departure.is_open());
    departure.end_cancelled(NOW);
    assert!(!departure.is_open() && departure.ended_at == Some(NOW));
}

#[test]
fn an_export_is_noted_when_it_waits_for_one_and_not_before() {
    let mut departure = departure(&[number("501", Some("900"))], true, wishes(&[]));
    assert!(!departure.exported(NOW));
    until(&mut departure, DepartureStep::Export);
    departure.fail(StepTrouble::new(DepartureReason::ExportNotFetched, None), None, NOW);
    assert_eq!(departure.state, DepartureState::Stopped);
    assert!(departure.exported(NOW) && !departure.exported(NOW));
    assert_eq!(
        (departure.state, departure.exported_at),
        (DepartureState::Running, Some(NOW))
    );
}

#[test]
fn neither_the_end_of_accepting_nor_the_removal_is_left_out() {
    let mut departure = departure(&[], true, wishes(&[]));
    departure.again(DepartureReason::Settling, Duration::from_secs(2), NOW);
    assert!(departure.retry(true, NOW));
    assert_eq!(at(&departure), DepartureStep::Accept);
    until(&mut departure, DepartureStep::Remove);
    departure.fail(StepTrouble::new(DepartureReason::Internal, None), None, NOW);
    assert!(departure.retry(true, NOW));
    assert_eq!(at(&departure), DepartureStep::Remove);
}

fn refusal(code: i64, subcode: Option<i64>) -> GraphRefusal {
    GraphRefusal {
        http_status: 400,
        code,
        subcode,
        message: "no".into(),
        details: None,
        is_transient: None,
        retry_after: None,
        fbtrace_id: None,
    }
}

#[test]
fn a_refusal_means_what_it_means_for_its_step() {
    let next = |step, code| judge(step, &refusal(code, None)).next;
    assert_eq!(next(DepartureStep::Revoke, 190), Next::Pass);
    assert_eq!(next(DepartureStep::Unsubscribe, 190), Next::Fail);
    assert_eq!(next(DepartureStep::Deregister, 133_010), Next::Pass);
    assert_eq!(
        next(DepartureStep::Deregister, 133_016),
        Next::Wait(Duration::from_hours(72))
    );
    assert_eq!(next(DepartureStep::Unsubscribe, 2), Next::Again);
    assert_eq!(next(DepartureStep::Unsubscribe, 200), Next::Fail);
    assert_eq!(
        judge(DepartureStep::Deregister, &refusal(100, Some(33))).next,
        Next::Fail
    );
    let asked = GraphRefusal {
        retry_after: Some(Duration::from_secs(9)),
        ..refusal(133_016, None)
    };
    let waits = judge(DepartureStep::Deregister, &asked).next;
    assert_eq!(waits, Next::Wait(Duration::from_secs(9)));
}
