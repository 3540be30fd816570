//! Reads from Meta's answers the facts of accounts that come in lists: numbers, subscriptions, and the cursor of the next page.

use std::sync::Arc;

use dakghar_core::domain::ids::{AppId, PhoneNumberId};
use dakghar_core::domain::signup::{NumberFacts, Subscription};

use super::lenient_json::{Fields, elements, text};

/// Characters of a text of Meta's that are kept.
const TEXT_CHARS_MAX: usize = 128;

/// The elements of Meta's list. `None` if there is no list, or if one of them is not understood: a part of a list is not
/// taken for all of it.
pub(super) fn list_of<T>(fields: &Fields<'_>, read: impl Fn(&Fields<'_>) -> Option<T>) -> Option<Vec<T>> {
    let found = fields.get("data").and_then(elements)?;
    found.into_iter().map(|raw| read(&Fields::of(raw)?)).collect()
}

/// A text of Meta's, as much of it as is kept.
pub(super) fn short(fields: &Fields<'_>, name: &str) -> Option<Arc<str>> {
    let text = fields.text(name)?;
    let end = text
        .char_indices()
        .nth(TEXT_CHARS_MAX)
        .map_or(text.len(), |(end, _)| end);
    (!text.is_empty()).then(|| text[..end].into())
}

/// A yes or a no of Meta's, if it says either.
pub(super) fn flag(fields: &Fields<'_>, name: &str) -> Option<bool> {
    match fields.get(name)?.get() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A number, if it has an id.
pub(super) fn number(fields: &Fields<'_>) -> Option<NumberFacts> {
    let id = PhoneNumberId::parse(&fields.text("id")?).ok()?;
    let limit = "whatsapp_business_manager_messaging_limit";
    Some(NumberFacts {
        id,
        display: short(fields, "display_phone_number").filter(|text| text.chars().count() <= 32),
        verified_name: short(fields, "verified_name"),
        status: short(fields, "status"),
        platform: short(fields, "platform_type"),
        is_on_app: flag(fields, "is_on_biz_app"),
        code_verification: short(fields, "code_verification_status"),
        quality: short(fields, "quality_rating"),
        messaging_limit: short(fields, limit),
        throughput: fields.object("throughput").and_then(|of| short(&of, "level")),
    })
}

/// Meta puts the app into an object of its own.
pub(super) fn subscription(fields: &Fields<'_>) -> Option<Subscription> {
    let app = fields.object("whatsapp_business_api_data");
    let id = app.as_ref().unwrap_or(fields).text("id")?;
    Some(Subscription {
        app_id: AppId::parse(&id).ok()?,
        override_url: fields
            .text("override_callback_uri")
            .filter(|url| !url.is_empty())
            .map(|url| (*url).into()),
    })
}

/// Meta's cursor of the next page, if there is one. The address that it gives has the token in it.
pub(super) fn next_page(fields: &Fields<'_>) -> Option<String> {
    let paging = fields.object("paging")?;
    paging.get("next")?;
    let cursors = paging.object("cursors")?;
    let after = cursors.get("after").and_then(text)?;
    Some(after.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_whatever_of_it_is_there() {
        let fields = Fields::parse(
            r#"{"id":501,"display_phone_number":"+1 555","throughput":{"level":"HIGH"},"is_on_biz_app":true}"#,
        );
        let read = number(&fields.expect("an object")).expect("a number");
        assert_eq!((read.id.as_str(), read.is_on_app), ("501", Some(true)));
        assert_eq!(read.messages_per_second(), Some(20));
        assert_eq!(read.status, None);
        for (said, is_on_app) in [
            (r#","is_on_biz_app":false"#, Some(false)),
            (r#","is_on_biz_app":null"#, None),
            ("", None),
        ] {
            let json = format!(r#"{{"id":501{said}}}"#);
            let read = number(&Fields::parse(&json).expect("an object")).expect("a number");
            assert_eq!(read.is_on_app, is_on_app, "{json}");
        }
        let fields = Fields::parse(r#"{"display_phone_number":"+1 555"}"#).expect("an object");
        assert_eq!(number(&fields), None);
    }

    #[test]
    fn a_subscription_names_its_app_in_either_form() {
        for json in [
            r#"{"whatsapp_business_api_data":{"id":"5","name":"App"},"override_callback_uri":"https://a"}"#,
            r#"{"id":"5","override_callback_uri":"https://a"}"#,
        ] {
            let read = subscription(&Fields::parse(json).expect("an object")).expect("an app");
            assert_eq!(
                (read.app_id.as_str(), read.override_url.as_deref()),
                ("5", Some("https://a"))
            );
        }
    }

    #[test]
    fn the_next_page_is_by_its_cursor_and_only_where_meta_names_one() {
        let of = |json: &str| next_page(&Fields::parse(json).expect("an object"));
        assert_eq!(
            of(r#"{"paging":{"cursors":{"after":"c"},"next":"https://x"}}"#).as_deref(),
            Some("c")
        );
        assert_eq!(of(r#"{"paging":{"cursors":{"after":"c"}}}"#), None);
    }
}
