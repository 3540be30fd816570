//! Events of accounts are read for what they say of the standing of numbers.

use dakghar_core::domain::ids::AppId;
use dakghar_core::domain::standing::{AccountNews, NewsKind};

use super::*;

fn of_field(field: &str, value: &str) -> Option<AccountNews> {
    let body = format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"1","changes":[{{"field":"{field}","value":{value}}}]}}]}}"#
    );
    other(&body).news
}

#[test]
fn what_stops_an_account_is_told_from_what_ends_that_and_from_what_asks_for_a_look() {
    let restriction = |kind: &str| {
        format!(
            r#"{{"event":"ACCOUNT_RESTRICTION","restriction_info":[{{"restriction_type":"X"}},{{"restriction_type":"{kind}"}}]}}"#
        )
    };
    let ban = |state: &str| format!(r#"{{"event":"DISABLED_UPDATE","ban_info":{{"waba_ban_state":"{state}"}}}}"#);
    for (value, kind) in [
        (
            r#"{"event":"PARTNER_REMOVED","waba_info":{"waba_id":"7"}}"#.to_owned(),
            NewsKind::Stops,
        ),
        (r#"{"event":"PARTNER_APP_UNINSTALLED"}"#.to_owned(), NewsKind::Stops),
        (r#"{"event":"ACCOUNT_DELETED"}"#.to_owned(), NewsKind::Stops),
        (r#"{"event":"ACCOUNT_OFFBOARDED"}"#.to_owned(), NewsKind::Stops),
        (r#"{"event":"ACCOUNT_RECONNECTED"}"#.to_owned(), NewsKind::Restores),
        (r#"{"event":"PARTNER_ADDED"}"#.to_owned(), NewsKind::Restores),
        (ban("DISABLE"), NewsKind::Stops),
        (ban("REINSTATE"), NewsKind::Restores),
        (ban("SCHEDULE_FOR_DISABLE"), NewsKind::Asks),
        (restriction("RESTRICTED_BIZ_INITIATED_MESSAGING"), NewsKind::Stops),
        (restriction("RESTRICTED_ADD_PHONE_NUMBER_ACTION"), NewsKind::Asks),
    ] {
        let news = of_field("account_update", &value).unwrap_or_else(|| panic!("{value}"));
        assert_eq!(news.kind, kind, "{value}");
        assert!(value.contains(&*news.event), "{value}");
    }
    let news = of_field("phone_number_quality_update", r#"{"event":"THROUGHPUT_UPGRADE"}"#);
    assert_eq!(news.map(|news| news.kind), Some(NewsKind::Asks));
}

#[test]
fn an_event_of_a_partner_names_its_app() {
    for (value, app) in [
        (
            r#"{"event":"PARTNER_APP_UNINSTALLED","waba_info":{"waba_id":"7","partner_app_id":"333"}}"#,
            Some("333"),
        ),
        (
            r#"{"event":"PARTNER_APP_INSTALLED","waba_info":{"waba_id":"7","partner_app_id":333}}"#,
            Some("333"),
        ),
        (
            r#"{"event":"PARTNER_APP_UNINSTALLED","partner_app_id":"333"}"#,
            Some("333"),
        ),
        (
            r#"{"event":"PARTNER_REMOVED","waba_info":{"waba_id":"7","partner_app_id":"x"}}"#,
            None,
        ),
        (r#"{"event":"PARTNER_REMOVED","waba_info":{"waba_id":"7"}}"#, None),
    ] {
        let news = of_field("account_update", value).unwrap_or_else(|| panic!("{value}"));
        assert_eq!(news.app.as_ref().map(AppId::as_str), app, "{value}");
    }
}

#[test]
fn what_is_not_understood_says_nothing() {
    for (field, value) in [
        ("account_update", r#"{"event":"AD_ACCOUNT_LINKED"}"#),
        ("account_update", r#"{"event":"DISABLED_UPDATE"}"#),
        ("account_update", r#"{"event":7}"#),
        ("account_update", "{}"),
        ("flows", r#"{"event":"PARTNER_REMOVED"}"#),
    ] {
        assert_eq!(of_field(field, value), None, "{value}");
    }
}
