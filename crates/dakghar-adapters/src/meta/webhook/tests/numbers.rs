//! Events that name a number.

use super::*;

#[test]
fn an_event_tells_the_digits_of_the_number_it_names() {
    let event = |value: &str| {
        other(&format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"77","changes":[{{"field":"security","value":{value}}}]}}]}}"#
        ))
    };
    let digits = |value: &str| event(value).display_digits;
    let expected = Some("15550783881".into());
    assert_eq!(
        digits(r#"{"display_phone_number":"15550783881","event":"PIN_CHANGED"}"#),
        expected
    );
    assert_eq!(digits(r#"{"display_phone_number":"+1 555 078 3881"}"#), expected);
    assert_eq!(
        digits(r#"{"metadata":{"display_phone_number":"15550783881"}}"#),
        expected
    );
    for nothing in [
        r#"{"event":"PIN_CHANGED"}"#,
        r#"{"display_phone_number":"none"}"#,
        r#"{"display_phone_number":["1"]}"#,
    ] {
        assert_eq!(digits(nothing), None, "{nothing}");
    }
}

#[test]
fn an_alert_about_a_number_names_it() {
    let alert = |kind: &str| {
        let value = format!(r#"{{"entity_type":"{kind}","entity_id":"106540352242922","alert_type":"x"}}"#);
        other(&format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"77","changes":[{{"field":"account_alerts","value":{value}}}]}}]}}"#
        ))
    };
    assert_eq!(
        alert("PHONE_NUMBER").phone_number_id,
        PhoneNumberId::parse("106540352242922").ok()
    );
    assert_eq!(alert("WABA").phone_number_id, None);
}
