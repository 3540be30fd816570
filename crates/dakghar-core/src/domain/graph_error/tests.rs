#![allow(
    clippy::unreadable_literal,
    reason = "codes are written as Meta writes them, so that they can be searched for"
)]

use std::time::Duration;

use super::RefusalClass::{Account, Fail, PaceAccount, PaceApp, PaceNumber, PacePair, Token};
use super::*;

const RETRY: RefusalClass = RefusalClass::Retry { after: None };

const fn retry(seconds: u64) -> RefusalClass {
    RefusalClass::Retry {
        after: Some(Duration::from_secs(seconds)),
    }
}

fn refusal(code: i64, subcode: Option<i64>, http_status: u16, is_transient: Option<bool>) -> GraphRefusal {
    GraphRefusal {
        http_status,
        code,
        subcode,
        message: "".into(),
        details: None,
        is_transient,
        retry_after: None,
        fbtrace_id: None,
    }
}

/// The class of each code, written down independently of the table.
const EXPECTED: &[(RefusalClass, &[i64])] = &[
    (Token, &[0, 3, 10, 102, 104, 190, 200, 201, 230, 294, 299, 131005]),
    (
        Account,
        &[
            33, 368, 803, 131031, 131037, 131042, 131044, 131045, 131048, 131064, 133010, 134011, 134102, 139200,
        ],
    ),
    (RETRY, &[1, 2, 131000, 131016]),
    (PaceApp, &[4, 17, 32, 341, 613]),
    (PaceAccount, &[80007]),
    (PaceNumber, &[130429, 131208]),
    (PacePair, &[131056]),
    (RETRY, &[133004, 139102, 139103]),
    (retry(60), &[131057]),
    (retry(300), &[2494100, 133015]),
    (retry(600), &[134101]),
    (retry(3600), &[132069]),
    (
        Fail,
        &[
            100, 130403, 130472, 130497, 131008, 131009, 131020, 131021, 131026, 131030, 131041, 131047, 131049,
            131050, 131051, 131052, 131053, 131055, 131062, 131063, 132000, 132001, 132005, 132007, 132008, 132012,
            132015, 132016, 132018, 132068, 134100, 135000, 136024, 137000,
        ],
    ),
    // Groups, calls, flows, block list.
    (
        Fail,
        &[
            131059, 131201, 131207, 131209, 131214, 131215, 138000, 138001, 138006, 138009, 138012, 138018, 139000,
            139004, 139100, 139101,
        ],
    ),
    // Registration, onboarding, templates, history.
    (
        Fail,
        &[
            133000, 133005, 133006, 133008, 133009, 133016, 147001, 147005, 1752041, 2388012, 2388019, 2388024,
            2388039, 2388040, 2388047, 2388072, 2388073, 2388091, 2388093, 2388103, 2388293, 2388299, 2494055, 2494164,
            2494179, 2593107, 2593108, 2593109, 200005, 200006, 200007,
        ],
    ),
];

const EXPECTED_WITH_SUBCODE: &[(RefusalClass, i64, i64)] = &[
    (Account, 100, 33),
    (Fail, 100, 2388024),
    (Fail, 100, 2494055),
    (Token, 190, 458),
    (Token, 190, 459),
    (Token, 190, 460),
    (Token, 190, 463),
    (Token, 190, 464),
    (Token, 190, 467),
    (Token, 190, 492),
    (Token, 190, 1),
    (PaceNumber, 130429, 2494055),
];

fn every_expectation() -> impl Iterator<Item = (RefusalClass, i64, Option<i64>)> {
    let plain = EXPECTED
        .iter()
        .flat_map(|(class, codes)| codes.iter().map(|code| (*class, *code, None)));
    plain.chain(
        EXPECTED_WITH_SUBCODE
            .iter()
            .map(|(class, code, subcode)| (*class, *code, Some(*subcode))),
    )
}

#[test]
fn every_code_comes_to_its_class_whatever_the_http_status() {
    for (class, code, subcode) in every_expectation() {
        for http_status in [200, 400, 401, 403, 404, 429, 500] {
            let verdict = classify(&refusal(code, subcode, http_status, None));
            assert_eq!(verdict.class, class, "{code}/{subcode:?} with HTTP {http_status}");
            assert!(verdict.is_known, "{code}/{subcode:?}");
        }
    }
}

#[test]
fn every_row_is_reached_by_an_expectation() {
    let mut reached = vec![false; TABLE.len()];
    for (_, code, subcode) in every_expectation() {
        let row = TABLE.iter().position(|row| row.covers(code, subcode));
        reached[row.expect("every expected code is in the table")] = true;
    }
    for (row, reached) in TABLE.iter().zip(reached) {
        assert!(reached, "no expectation reaches {:?}/{:?}", row.codes, row.subcode);
    }
}

#[test]
fn every_row_explains_itself_in_one_sentence_and_an_advice() {
    for row in TABLE {
        for text in [row.meaning, row.advice] {
            assert!((10..=140).contains(&text.len()), "{text}");
            assert!(text.ends_with('.'), "{text}");
        }
    }
}

#[test]
fn a_failure_of_metas_own_is_an_answer_and_tried_again() {
    for code in [1, 2, 131000, 131016, -1, 999_999] {
        for http_status in [500, 502, 503] {
            for is_transient in [None, Some(false), Some(true)] {
                let verdict = classify(&refusal(code, None, http_status, is_transient));
                assert_eq!(verdict.class, RETRY, "{code} with HTTP {http_status}");
            }
        }
    }
}

#[test]
fn a_code_of_the_account_is_known_without_an_answer() {
    for code in [131042, 131031, 368, 131048] {
        assert!(is_of_account(code, None), "{code}");
    }
    assert!(is_of_account(100, Some(33)) && !is_of_account(100, None));
    for code in [131047, 190, 130429, 131000, 999_999] {
        assert!(!is_of_account(code, None), "{code}");
    }
}

#[test]
fn a_hint_or_a_status_never_makes_a_known_refusal_retryable() {
    for code in [3, 100, 131026, 131047, 131049] {
        let certain = classify(&refusal(code, None, 400, None)).class;
        assert_eq!(classify(&refusal(code, None, 503, Some(true))).class, certain, "{code}");
    }
}

#[test]
fn unknown_codes_are_judged_by_the_hint_and_then_by_the_status() {
    for (http_status, is_transient, class) in [
        (400, Some(true), RETRY),
        (401, Some(true), RETRY),
        (500, None, RETRY),
        (502, Some(false), RETRY),
        (503, None, RETRY),
        (429, None, PaceNumber),
        (401, None, Token),
        (400, None, RETRY),
        (403, Some(false), Fail),
        (404, None, RETRY),
        (200, None, RETRY),
    ] {
        for code in [-1, 5, 300, 131999, i64::MAX] {
            let verdict = classify(&refusal(code, None, http_status, is_transient));
            assert_eq!(
                verdict.class, class,
                "{code} with HTTP {http_status} and {is_transient:?}"
            );
            assert!(!verdict.is_known, "{code}");
        }
    }
}

#[test]
fn a_code_is_described_with_and_without_its_subcode() {
    let (meaning, advice) = describe(131047, None).expect("in the table");
    assert!(meaning.contains("24 hours") && advice.contains("template"));
    assert_eq!(describe(131047, Some(7)), describe(131047, None));
    assert!(describe(190, None).is_some_and(|(meaning, _)| meaning == "The access token is not valid."));
    assert!(describe(190, Some(463)).is_some_and(|(meaning, _)| meaning == "The access token has run out."));
    assert!(describe(100, Some(33)).is_some_and(|(_, advice)| advice.starts_with("Compare the phone number id")));
    assert_ne!(describe(100, Some(33)), describe(100, None));
    assert_eq!(describe(131999, None), None);
}

#[test]
fn a_missing_proof_of_the_app_is_no_fault_of_the_message() {
    let missing = GraphRefusal {
        message: "API calls from the server require an appsecret_proof argument".into(),
        ..refusal(100, None, 400, Some(false))
    };
    assert_eq!(classify(&missing).class, RefusalClass::Token);
    assert_eq!(
        classify(&refusal(100, None, 400, Some(false))).class,
        RefusalClass::Fail
    );
}
