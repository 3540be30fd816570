//! Reads from Meta's answer the things of a number that change without anybody here.

use std::sync::Arc;

use dakghar_core::domain::graph_error::GraphRefusal;
use dakghar_core::domain::ids::WabaId;
use dakghar_core::domain::standing::SeenNumber;

use super::facts::flag;
use super::lenient_json::{Fields, elements};

/// The fields of a number that are looked at, all in one call.
pub(super) const FIELDS: &str = "id,display_phone_number,verified_name,name_status,status,quality_rating,\
    whatsapp_business_manager_messaging_limit,throughput,is_on_biz_app,is_pin_enabled,account_mode,health_status,\
    webhook_configuration";
/// Meta's code for a parameter that is wrong, such as the name of a field.
const WRONG_PARAMETER: i64 = 100;
/// Its subcode for an object that the token cannot see.
const NO_OBJECT: i64 = 33;
/// The longest text that is kept, in characters.
const TEXT_CHARS_MAX: usize = 128;
/// The longest URL that is kept, in bytes; Meta takes 200.
const URL_BYTES_MAX: usize = 512;

/// True if Meta may have refused because of a field that it does not know.
pub(super) fn is_of_fields(refusal: &GraphRefusal) -> bool {
    refusal.code == WRONG_PARAMETER && refusal.subcode != Some(NO_OBJECT)
}

/// Reads whatever is there.
pub(super) fn read(fields: &Fields<'_>) -> SeenNumber {
    let health = fields.object("health_status");
    let webhooks = fields.object("webhook_configuration");
    SeenNumber {
        display: text(fields, "display_phone_number"),
        name: text(fields, "verified_name"),
        name_status: text(fields, "name_status"),
        status: text(fields, "status"),
        quality: text(fields, "quality_rating"),
        messaging_limit: text(fields, "whatsapp_business_manager_messaging_limit"),
        throughput: fields.object("throughput").and_then(|of| text(&of, "level")),
        is_on_app: flag(fields, "is_on_biz_app"),
        has_pin: flag(fields, "is_pin_enabled"),
        mode: text(fields, "account_mode"),
        health: health.as_ref().and_then(|of| text(of, "can_send_message")),
        webhook_url: webhooks.as_ref().and_then(|of| url(of, "phone_number")),
        waba_id: health.as_ref().and_then(account),
    }
}

/// The account of the number, which Meta names among those that decide whether it can send.
fn account(health: &Fields<'_>) -> Option<WabaId> {
    let listed = health.get("entities").and_then(elements)?;
    let mut entities = listed.into_iter().filter_map(Fields::of);
    let account = entities.find(|entity| entity.text("entity_type").as_deref() == Some("WABA"))?;
    WabaId::parse(&account.text("id")?).ok()
}

/// A text of Meta's, as much of it as is kept.
fn text(fields: &Fields<'_>, name: &str) -> Option<Arc<str>> {
    let text = fields.text(name)?;
    let end = text
        .char_indices()
        .nth(TEXT_CHARS_MAX)
        .map_or(text.len(), |(end, _)| end);
    (!text.is_empty()).then(|| text[..end].into())
}

fn url(fields: &Fields<'_>, name: &str) -> Option<Arc<str>> {
    let url = fields.text(name)?;
    let is_one = (1..=URL_BYTES_MAX).contains(&url.len());
    is_one.then(|| Arc::from(&*url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_whatever_of_it_is_there() {
        let fields = Fields::parse(
            r#"{"id":"501","verified_name":"Books","name_status":"APPROVED","status":"CONNECTED","quality_rating":"RED",
            "whatsapp_business_manager_messaging_limit":"TIER_2K","throughput":{"level":"HIGH"},"is_on_biz_app":false,
            "is_pin_enabled":true,"account_mode":"LIVE","health_status":{"can_send_message":"LIMITED","entities":[
            {"entity_type":"PHONE_NUMBER","id":"501","can_send_message":"AVAILABLE"},{"entity_type":"WABA","id":900}]},
            "webhook_configuration":{"phone_number":"https://a.example","application":"https://b.example"}}"#,
        );
        let seen = read(&fields.expect("an object"));
        let texts = [
            &seen.name,
            &seen.status,
            &seen.quality,
            &seen.messaging_limit,
            &seen.throughput,
            &seen.health,
        ];
        let texts: Vec<&str> = texts
            .into_iter()
            .map(|text| text.as_deref().expect("it is there"))
            .collect();
        assert_eq!(texts, ["Books", "CONNECTED", "RED", "TIER_2K", "HIGH", "LIMITED"]);
        assert_eq!((seen.is_on_app, seen.has_pin), (Some(false), Some(true)));
        assert_eq!(seen.webhook_url.as_deref(), Some("https://a.example"));
        assert_eq!(seen.waba_id.as_ref().map(WabaId::as_str), Some("900"));
        let odd = Fields::parse(r#"{"id":"501","throughput":7,"health_status":[],"is_pin_enabled":"yes"}"#);
        assert_eq!(read(&odd.expect("an object")), SeenNumber::default());
    }
}
