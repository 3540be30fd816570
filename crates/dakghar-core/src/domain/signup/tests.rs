use std::collections::HashSet;

use uuid::Uuid;

use super::*;
use crate::domain::graph_error::GraphRefusal;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn signup() -> Signup {
    let new = NewSignup {
        id: SignupId::from_uuid(Uuid::from_u128(1)),
        tenant_id: TenantId::from_uuid(Uuid::from_u128(2)),
        asked_by: Who::Cli,
        key: vec![1],
        app_id: AppId::parse("5").expect("digits"),
        with: Retried {
            code: Some(code()),
            ..Retried::default()
        },
    };
    Signup::new(new, at(0))
}

fn code() -> NewCode {
    NewCode {
        sealed: vec![7],
        until: at(30),
    }
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

fn on_app() -> NumberFacts {
    NumberFacts {
        is_on_app: Some(true),
        ..NumberFacts::only(PhoneNumberId::parse("501").expect("digits"))
    }
}

fn trouble() -> Trouble {
    Trouble::new(Reason::NoAnswer, None, at(1))
}

fn is_bare(signup: &Signup) -> bool {
    signup.sealed_code.is_none() && signup.sealed_token.is_none() && signup.sealed_pin.is_none()
}

#[test]
fn it_goes_from_step_to_step_and_keeps_nothing_sealed_at_the_end() {
    let mut signup = signup();
    (signup.sealed_token, signup.sealed_pin) = (Some(vec![1]), Some(vec![2]));
    signup.number = Some(on_app());
    for step in SignupStep::ALL {
        assert_eq!((signup.step, signup.state), (step, SignupState::Running));
        assert_eq!(SignupStep::parse(step.as_str()), Some(step));
        signup.pass(StepEnd::Done, None, None, at(1));
    }
    assert_eq!((signup.state, signup.ended_at), (SignupState::Done, Some(at(1))));
    assert!(is_bare(&signup) && !signup.needs_work() && signup.due_at().is_none());
    let taken: Vec<SignupStep> = signup.records.iter().map(|record| record.step).collect();
    assert_eq!(taken, SignupStep::ALL);
    assert!(!signup.retry(Retried::default(), at(2)), "what is done is done");
}

#[test]
fn a_step_is_tried_again_ever_later_and_then_waits_for_a_person() {
    let mut signup = signup();
    signup.pass(StepEnd::Done, None, None, at(0));
    let mut waits = Vec::new();
    while signup.state == SignupState::Running {
        let wait = signup.wait();
        signup.fail(trouble(), Some(wait), false, at(10));
        waits.extend(signup.next_at.map(|at_| at_.since(at(10)).as_secs()));
    }
    assert_eq!(waits, [1, 3, 10, 30, 120, 600, 600]);
    assert_eq!((signup.tries, signup.step), (TRIES_MAX, SignupStep::Token));
    assert!(signup.trouble.is_some());
}

/// The advice after the last try of a step that was tried again as long as this was said.
fn advice_at_the_end(step: SignupStep, advice: &str) -> Arc<str> {
    let mut signup = Signup { step, ..signup() };
    while signup.state == SignupState::Running {
        let told = Trouble {
            advice: advice.into(),
            ..trouble()
        };
        signup.fail(told, Some(signup.wait()), false, at(10));
        let told = signup.trouble.as_ref().expect("it failed");
        let is_same = &*told.advice == advice;
        assert!(
            is_same || signup.state == SignupState::Stopped,
            "it is true as long as it waits"
        );
    }
    signup.trouble.expect("it stopped").advice
}

#[test]
fn what_stopped_after_its_last_try_does_not_say_that_it_is_tried_again() {
    let passing = [1, 2, 4, 80_007, 130_429, 131_000, 131_016, 2_494_100];
    let rows = CODES.iter().map(|row| *row.codes.start());
    let mut all: Vec<(SignupStep, &str)> = vec![(SignupStep::Token, Reason::NoAnswer.advice())];
    for code in passing.into_iter().chain(rows) {
        for step in [SignupStep::Exchange, SignupStep::Register] {
            let verdict = judge(step, &refusal(code, None));
            if matches!(verdict.next, Next::Again | Next::Wait(_) | Next::Deregister) {
                all.push((step, verdict.advice));
            }
        }
    }
    assert!(all.len() > 10, "{all:?}");
    for (step, advice) in all {
        let told = advice_at_the_end(step, advice);
        assert!(
            !told.contains("Nothing to do") && !told.contains("tried again"),
            "{told}"
        );
        if step == SignupStep::Exchange {
            assert!(told.contains("retry with the new code"), "{told}");
        } else {
            assert!(told.contains("Retry it later"), "{told}");
        }
    }
    let mut left_out = signup();
    left_out.step = SignupStep::Facts;
    while left_out.step == SignupStep::Facts {
        left_out.fail(trouble(), Some(left_out.wait()), true, at(1));
    }
    let note = left_out.records[0].note.as_deref().expect("it says why");
    assert!(note.contains("left out"), "{note}");
}

#[test]
fn what_is_optional_fails_with_a_note_and_goes_on() {
    let mut signup = signup();
    signup.step = SignupStep::Facts;
    signup.fail(trouble(), Some(Duration::from_secs(1)), true, at(1));
    assert_eq!(
        (signup.step, signup.due_at()),
        (SignupStep::Facts, Some(at(2))),
        "it is tried first"
    );
    signup.fail(trouble(), None, true, at(2));
    assert_eq!((signup.step, signup.state), (SignupStep::Credit, SignupState::Running));
    let record = &signup.records[0];
    assert_eq!((record.end, record.tries), (StepEnd::Failed, 2));
    assert_eq!(record.note.as_deref(), Some(Reason::NoAnswer.advice()));
}

#[test]
fn another_code_begins_again_and_what_was_done_is_not_told_twice() {
    let mut signup = signup();
    signup.forget_code();
    signup.sealed_token = Some(vec![3]);
    for _ in 0..4 {
        signup.pass(StepEnd::Done, None, None, at(1));
    }
    signup.forget_token();
    signup.fail(trouble(), None, false, at(2));
    assert!(signup.needs_code() && signup.due_at().is_none());
    let with = Retried {
        code: Some(code()),
        ..Retried::default()
    };
    assert!(signup.retry(with, at(3)));
    assert_eq!((signup.step, signup.tries), (SignupStep::Exchange, 0));
    assert!(!signup.needs_code() && signup.trouble.is_none());
    for _ in 0..2 {
        signup.pass(StepEnd::Done, None, None, at(4));
    }
    assert_eq!(signup.records.len(), 4);
}

#[test]
fn a_retry_takes_up_what_a_person_brings_and_ends_a_wait() {
    let mut signup = signup();
    assert!(!signup.retry(Retried::default(), at(1)), "it is under way");
    signup.step = SignupStep::Register;
    signup.fail(trouble(), Some(Duration::from_secs(600)), false, at(1));
    assert!(signup.retry(Retried::default(), at(2)));
    assert_eq!(signup.due_at(), Some(at(2)));
    signup.fail(trouble(), None, false, at(3));
    signup.pin_is_made = true;
    let with = Retried {
        sealed_pin: Some(vec![9]),
        ..Retried::default()
    };
    assert!(signup.retry(with, at(4)));
    assert_eq!((signup.step, signup.pin_is_made), (SignupStep::Register, false));
    assert_eq!(signup.sealed_pin, Some(vec![9]));
    signup.fail(trouble(), None, false, at(5));
    let number = PhoneNumberId::parse("111").ok();
    let with = Retried {
        number: number.clone(),
        ..Retried::default()
    };
    assert!(signup.retry(with, at(6)));
    assert_eq!(
        (signup.step, signup.asked_number),
        (SignupStep::Token, number),
        "it is looked for again"
    );
}

#[test]
fn a_lease_keeps_others_away_until_its_end() {
    let mut signup = signup();
    signup.keep_for(&"a".into(), at(0));
    assert!(signup.is_held_by_other("b", at(9)) && !signup.is_held_by_other("a", at(9)));
    assert!(
        !signup.is_held_by_other("b", at(10)),
        "a code lives for thirty seconds only"
    );
    signup.step = SignupStep::Register;
    signup.keep_for(&"a".into(), at(0));
    assert!(signup.is_held_by_other("b", at(29)) && !signup.is_held_by_other("b", at(30)));
    signup.lease.as_mut().expect("a lease").until = at(9_999);
    assert!(!signup.is_held_by_other("b", at(1)), "no lease lasts so long");
    signup.fail(trouble(), Some(Duration::from_secs(5)), false, at(1));
    signup.keep_for(&"a".into(), at(1));
    assert!(signup.lease.is_none(), "nobody works on what waits");
}

#[test]
fn every_code_of_registering_and_onboarding_has_its_advice() {
    let single = [
        133_000, 133_005, 133_006, 133_008, 133_009, 133_015, 133_016, 1_752_041, 2_388_012, 2_388_019, 2_388_024,
        2_388_039, 2_388_040, 2_388_047, 2_388_072, 2_388_073, 2_388_293, 2_388_299, 2_388_091, 2_388_093, 2_388_103,
        2_593_107, 2_593_108, 2_593_109,
    ];
    let ranges = (147_001..=147_005)
        .chain(2_494_164..=2_494_179)
        .chain(200_005..=200_007);
    for code in single.into_iter().chain(ranges) {
        let row = CODES
            .iter()
            .find(|row| row.codes.contains(&code) && row.subcode.is_none());
        let row = row.unwrap_or_else(|| panic!("{code} has no row"));
        assert!(row.advice.len() > 20 && row.advice.ends_with('.'), "{code}");
        assert_ne!(row.codes, 2_494_000..=2_494_999, "{code} has a row of its own");
        assert_eq!(judge(SignupStep::Register, &refusal(code, None)).advice, row.advice);
    }
    let advice: HashSet<&str> = CODES.iter().map(|row| row.advice).collect();
    assert!(advice.len() + 3 >= CODES.len(), "each says something of its own");
}

#[test]
fn codes_lead_where_their_table_says() {
    let next = |code| judge(SignupStep::Register, &refusal(code, None)).next;
    let wait = |seconds| Next::Wait(Duration::from_secs(seconds));
    for (code, expected) in [
        (133_000, Next::Deregister),
        (133_005, Next::NewPin),
        (133_006, Next::Stop),
        (133_008, wait(3_600)),
        (133_009, wait(300)),
        (133_015, wait(300)),
        (133_016, wait(72 * 3_600)),
        (2_388_012, Next::Pass),
        (2_593_107, Next::Pass),
        (2_593_108, Next::Stop),
        (190, Next::NewCode),
        (0, Next::NewCode),
        (104, Next::Stop),
        (131_000, Next::Again),
        (4, wait(60)),
        (2_494_100, wait(300)),
        (2_494_101, Next::Stop),
        (131_031, Next::Stop),
    ] {
        assert_eq!(next(code), expected, "{code}");
    }
    for (code, asked, longer) in [
        (133_009, 7, 300),
        (133_009, 7_200, 7_200),
        (133_016, 86_400, 72 * 3_600),
    ] {
        let asked = GraphRefusal {
            retry_after: Some(Duration::from_secs(asked)),
            ..refusal(code, None)
        };
        assert_eq!(judge(SignupStep::Register, &asked).next, wait(longer), "{code}");
    }
}

#[test]
fn a_token_goes_when_only_another_one_helps_but_not_from_a_step_that_is_left_out() {
    let refused = |code| Trouble {
        reason: Reason::Refused,
        advice: "no".into(),
        error: Some(refusal(code, None).to_send_error()),
        at: at(1),
    };
    for (step, trouble, optional, needs_code) in [
        (SignupStep::Account, refused(10), false, true),
        (SignupStep::Register, refused(131_005), false, true),
        (SignupStep::Register, refused(299), false, true),
        (
            SignupStep::Tenant,
            Trouble::new(Reason::Overtaken, None, at(1)),
            false,
            true,
        ),
        (SignupStep::Facts, refused(10), true, false),
        (SignupStep::Credit, refused(200), false, false),
        (SignupStep::Register, refused(133_006), false, false),
    ] {
        let mut signup = signup();
        signup.forget_code();
        (signup.sealed_token, signup.step) = (Some(vec![1]), step);
        signup.fail(trouble, None, optional, at(1));
        assert_eq!(signup.needs_code(), needs_code, "{step:?}");
    }
}

#[test]
fn a_number_is_of_a_signup_that_has_given_it_to_the_tenant() {
    let number = PhoneNumberId::parse("501").expect("digits");
    let mut signup = signup();
    signup.number = Some(on_app());
    assert_eq!((signup.exchanged_at(), signup.has_connected(&number)), (None, false));
    signup.pass(StepEnd::Done, None, None, at(3));
    assert_eq!(signup.exchanged_at(), Some(at(3)));
    signup.step = SignupStep::Tenant;
    assert!(!signup.has_connected(&number));
    signup.pass(StepEnd::Done, None, None, at(4));
    assert!(signup.has_connected(&number), "contacts and history may come later");
    let other = PhoneNumberId::parse("502").expect("digits");
    assert!(!signup.has_connected(&other));
}

#[test]
fn a_word_on_the_app_holds_for_its_number_until_meta_says_another_one() {
    let mut signup = signup();
    let says = |id: &str, is_on_app| NumberFacts {
        is_on_app,
        ..NumberFacts::only(PhoneNumberId::parse(id).expect("digits"))
    };
    for (id, word, is_on_app) in [
        ("501", None, false),
        ("501", Some(true), true),
        ("501", None, true),
        ("502", None, false),
        ("502", Some(true), true),
        ("502", Some(false), false),
        ("502", None, false),
    ] {
        signup.learn(says(id, word));
        assert_eq!(signup.is_on_app(), is_on_app, "{id} {word:?}");
    }
}

#[test]
fn a_code_that_is_refused_needs_another_one_but_not_when_meta_only_failed() {
    let next = |code, subcode| judge(SignupStep::Exchange, &refusal(code, subcode)).next;
    assert_eq!(next(100, Some(36007)), Next::NewCode);
    assert_eq!(next(100, Some(36009)), Next::NewCode);
    assert_eq!(next(100, None), Next::NewCode);
    assert_eq!(next(4, None), Next::NewCode, "nobody can wait with a code");
    assert_eq!(next(2, None), Next::Again);
    let used = judge(SignupStep::Exchange, &refusal(100, Some(36009)));
    assert!(used.advice.contains("used before"));
    for code in [100, 190, 4, 80_007, 131_057] {
        let verdict = judge(SignupStep::Exchange, &refusal(code, None));
        assert!(
            verdict.advice.contains("retry with the new code"),
            "{code}: {}",
            verdict.advice
        );
    }
}

#[test]
fn a_credit_line_that_may_not_be_shared_is_the_operators_matter() {
    for code in [0, 10, 190, 200] {
        let verdict = judge(SignupStep::Credit, &refusal(code, None));
        assert_eq!(verdict.next, Next::Stop, "{code}");
        assert!(
            verdict.advice.contains("SIGNUP_CREDIT_TOKEN"),
            "{code}: {}",
            verdict.advice
        );
    }
    let busy = judge(SignupStep::Credit, &refusal(2, None));
    assert_eq!(busy.next, Next::Again);
}

#[test]
fn where_meta_refuses_the_app_the_advice_is_about_the_app() {
    let secret = GraphRefusal {
        message: "Error validating client secret.".into(),
        ..refusal(1, None)
    };
    for (refusal, next) in [
        (refusal(190, None), Next::NewCode),
        (refusal(101, None), Next::NewCode),
        (refusal(1, None), Next::Again),
        (secret.clone(), Next::NewCode),
        (
            GraphRefusal {
                code: 100,
                ..secret.clone()
            },
            Next::NewCode,
        ),
    ] {
        let verdict = judge(SignupStep::Exchange, &refusal);
        assert_eq!(verdict.next, next, "{refusal:?}");
        for named in ["APP_ID and APP_SECRET", "dakghar app", "login configuration"] {
            assert!(verdict.advice.contains(named), "{named}: {}", verdict.advice);
        }
    }
    for (step, code) in [(SignupStep::Account, 190), (SignupStep::Exchange, 100)] {
        let verdict = judge(step, &refusal(code, Some(36009)));
        assert!(!verdict.advice.contains("APP_SECRET"), "{}", verdict.advice);
    }
}

#[test]
fn reasons_have_names_of_words_and_advice() {
    let names: HashSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
    for reason in Reason::ALL {
        assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
        assert!(
            reason.advice().len() > 20 && reason.advice().ends_with('.'),
            "{reason:?}"
        );
    }
}

#[test]
fn throughput_is_what_meta_says() {
    let mut number = NumberFacts::only(PhoneNumberId::parse("1").expect("digits"));
    assert_eq!((number.messages_per_second(), number.is_registered()), (None, false));
    number.throughput = Some("HIGH".into());
    assert_eq!(number.messages_per_second(), Some(1_000));
    number.is_on_app = Some(true);
    assert_eq!(number.messages_per_second(), Some(20));
    (number.platform, number.status) = (Some("CLOUD_API".into()), Some("CONNECTED".into()));
    assert!(number.is_registered());
}

#[test]
fn only_a_number_of_the_app_is_asked_for_what_the_app_has() {
    let mut signup = signup();
    signup.step = SignupStep::Tenant;
    signup.pass(StepEnd::Done, None, None, at(1));
    assert_eq!((signup.step, signup.state), (SignupStep::Tenant, SignupState::Done));
}

#[test]
fn what_the_app_has_is_asked_for_as_long_as_meta_takes_it() {
    let mut signup = signup();
    signup.number = Some(on_app());
    signup.pass(StepEnd::Done, None, None, at(5));
    signup.step = SignupStep::Contacts;
    let (mut now, mut tries) = (at(5), 0);
    while signup.step == SignupStep::Contacts {
        signup.fail(trouble(), Some(signup.wait()), true, now);
        (now, tries) = (signup.next_at.unwrap_or(now), tries + 1);
        assert!(now < at(5) + APP_SYNC_LIFE);
    }
    assert!(tries > TRIES_MAX, "an hour without Meta is not the end of it");
    let last = signup.records.last().expect("a record");
    assert_eq!((last.step, last.end), (SignupStep::Contacts, StepEnd::Failed));
    assert_eq!((signup.step, signup.state), (SignupStep::History, SignupState::Running));
}

#[test]
fn the_id_of_a_request_is_kept_until_the_dialog_is_finished_again() {
    let mut signup = signup();
    (signup.number, signup.step) = (Some(on_app()), SignupStep::Contacts);
    signup.pass(StepEnd::Done, None, None, at(1));
    signup.note_request(SignupStep::Contacts, "r1".into());
    assert_eq!(signup.request_of(SignupStep::Contacts).as_deref(), Some("r1"));
    assert_eq!(signup.request_of(SignupStep::History), None);
    signup.fail(trouble(), Some(Duration::from_secs(1)), true, at(2));
    let again = Retried {
        number: Some(PhoneNumberId::parse("501").expect("digits")),
        ..Retried::default()
    };
    assert!(signup.retry(again, at(3)));
    assert_eq!(signup.request_of(SignupStep::Contacts).as_deref(), Some("r1"));
    signup.fail(trouble(), None, false, at(4));
    let with_code = Retried {
        code: Some(code()),
        is_on_app: true,
        ..Retried::default()
    };
    assert!(signup.retry(with_code, at(5)) && signup.asked_on_app);
    assert_eq!(signup.request_of(SignupStep::Contacts), None, "Meta can be asked again");
}
