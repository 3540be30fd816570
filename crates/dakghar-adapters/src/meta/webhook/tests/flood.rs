//! Much of something costs no more than its bytes.

use super::*;

/// Something long that stands beside much else must not be kept with each part of it.
#[test]
fn a_flood_is_kept_in_no_more_than_three_times_its_bytes() {
    const MANY: usize = 2_000;
    let long = "x".repeat(200_000);
    let list = |element: &str| vec![element; MANY].join(",");
    let change = r#"{"field":"account_update","value":{"n":1}}"#;
    let body = |entry: &str, changes: &str| {
        format!(r#"{{"object":"whatsapp_business_account","entry":[{{{entry}"time":7,"changes":[{changes}]}}]}}"#)
    };
    let in_value = |first: &str, rest: &str| {
        let value = format!(r#"{{"metadata":{{"phone_number_id":"111","display_phone_number":"{first}"}},{rest}}}"#);
        body("", &format!(r#"{{"field":"messages","value":{value}}}"#))
    };
    let odd = list("[1]");
    let message = list(r#"{"id":"w","from":"1","type":"text","text":{"body":"x"}}"#);
    let status = list(r#"{"id":"w","status":"read"}"#);
    let bodies = [
        body(&format!(r#""id":"{long}","#), &list(change)),
        body(&format!(r#""{long}":1,"#), &list(change)),
        in_value(&long, &format!(r#""messages":[{odd}]"#)),
        in_value(&long, &format!(r#""messages":[{message}]"#)),
        in_value(&long, &format!(r#""statuses":[{status}]"#)),
        in_value(
            "1",
            &format!(r#""contacts":[{{"wa_id":"{long}"}}],"messages":[{message}]"#),
        ),
        in_value(
            "1",
            &format!(r#""messages":[{message}],"statuses":[{status}],"{long}":[{odd}]"#),
        ),
        in_value("1", &format!(r#""errors":[{odd}],"messages":"{long}""#)),
        body("", &format!(r#"{{"field":"{long}","value":[{odd}]}}"#)),
    ];
    for body in bodies {
        let parts = parse(&body);
        let kept: usize = parts.iter().map(|part| kept::kept(part).1).sum();
        let shown: String = body.chars().take(120).collect();
        assert!(kept <= 3 * body.len(), "{kept} of {}: {shown}", body.len());
    }
}
