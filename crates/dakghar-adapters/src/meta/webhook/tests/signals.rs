//! Signals of people are read where they are told, and nowhere else.

use dakghar_core::domain::webhook::{PersonSignal, SignalKind};

use super::*;

fn of_field(field: &str, value: &str) -> Vec<PersonSignal> {
    let body = format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"1","changes":[{{"field":"{field}","value":
        {{"metadata":{{"phone_number_id":"111"}},{value}}}}}]}}]}}"#
    );
    other(&body).signals
}

fn signal(kind: SignalKind, ids: &[&str], seconds: Option<i64>) -> PersonSignal {
    PersonSignal {
        ids: ids.iter().map(|id| WaId::parse(id).expect("an id")).collect(),
        kind,
        at: seconds.map(|seconds| Instant::from_millis(seconds * 1_000)),
    }
}

#[test]
fn a_preference_says_of_whom_and_when_and_which_way() {
    let found = of_field(
        "user_preferences",
        r#""user_preferences":[
        {"wa_id":"16505551234","user_id":"US.1","category":"marketing_messages","value":"stop","timestamp":1760000100},
        {"user_id":"US.2","category":"marketing_messages","value":"resume","timestamp":"1760000101"},
        {"wa_id":"16505550000","category":"marketing_messages","value":"stop"}]"#,
    );
    let expected = [
        signal(
            SignalKind::StopsMarketing,
            &["16505551234", "US.1"],
            Some(1_760_000_100),
        ),
        signal(SignalKind::ResumesMarketing, &["US.2"], Some(1_760_000_101)),
        signal(SignalKind::StopsMarketing, &["16505550000"], None),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_call_of_a_person_is_told_and_one_of_the_business_is_not() {
    let found = of_field(
        "calls",
        r#""calls":[
        {"id":"wacid.1","event":"connect","direction":"USER_INITIATED","from":"16505551234","timestamp":"1760000100"},
        {"id":"wacid.2","event":"connect","direction":"BUSINESS_INITIATED","from":"15550001111","to":"16505551234"},
        {"id":"wacid.3","event":"terminate","status":"COMPLETED","timestamp":"1760000200"},
        {"id":"wacid.4","event":"connect","direction":"USER_INITIATED","from_user_id":"US.1"}]"#,
    );
    let expected = [
        signal(SignalKind::Calls, &["16505551234"], Some(1_760_000_100)),
        signal(SignalKind::Calls, &["US.1"], None),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_understood_tells_nothing_and_is_kept() {
    for (field, value) in [
        ("user_preferences", r#""user_preferences":"stop""#),
        ("user_preferences", r#""user_preferences":[7,null,{}]"#),
        (
            "user_preferences",
            r#""user_preferences":[{"wa_id":"1","category":"other","value":"stop"}]"#,
        ),
        (
            "user_preferences",
            r#""user_preferences":[{"wa_id":"1","category":"marketing_messages","value":"perhaps"}]"#,
        ),
        (
            "user_preferences",
            r#""user_preferences":[{"wa_id":"a b","category":"marketing_messages","value":"stop"}]"#,
        ),
        ("calls", r#""statuses":[{"id":"wacid.1","status":"RINGING"}]"#),
        (
            "account_update",
            r#""user_preferences":[{"wa_id":"1","category":"marketing_messages","value":"stop"}]"#,
        ),
    ] {
        assert_eq!(of_field(field, value), [], "{value}");
    }
}
