//! Answers of Meta's that are changed on their way: links to further pages lead here, and a list of numbers has those of the
//! tenant only. Everything else passes as it came.

use dakghar_core::domain::Tenant;
use serde_json::Value;

use super::allowed;

/// Where further pages are asked for: `https://host/v25.0/111/message_templates`.
pub(super) struct Here(pub(super) String);

/// Returns the answer as the client is to see it; `None` if nothing of it is changed.
pub(super) fn changed(body: &str, here: &Here, numbers_of: Option<&Tenant>) -> Option<String> {
    let has_links = body.contains("\"paging\"");
    if !has_links && numbers_of.is_none() {
        return None;
    }
    let mut answer: Value = serde_json::from_str(body).ok()?;
    if let Some(tenant) = numbers_of
        && let Some(numbers) = answer.get_mut("data").and_then(Value::as_array_mut)
    {
        numbers.retain(|number| is_number_of(tenant, number));
    }
    if let Some(paging) = answer.get_mut("paging").and_then(Value::as_object_mut) {
        for name in ["next", "previous"] {
            if let Some(link) = paging.get_mut(name) {
                *link = link.as_str().map_or(Value::Null, |text| here.link(text).into());
            }
        }
    }
    Some(answer.to_string())
}

fn is_number_of(tenant: &Tenant, number: &Value) -> bool {
    let id = number.get("id").and_then(Value::as_str).unwrap_or_default();
    tenant
        .phone_numbers
        .iter()
        .any(|own| own.phone_number_id.as_str() == id)
}

/// True if the answer describes media, and nothing else that the token may see.
pub(super) fn is_media(body: &str, id: &str) -> bool {
    let Ok(answer) = serde_json::from_str::<Value>(body) else {
        return false;
    };
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    text("id") == Some(id) && text("mime_type").is_some() && text("url").is_some()
}

impl Here {
    /// The same page here: the parameters of Meta's link that pass, as Meta escaped them.
    fn link(&self, of_meta: &str) -> String {
        let query = of_meta.split_once('?').map_or("", |(_, query)| query);
        let kept = query.split('&').filter(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            allowed::passes(name) && !value.is_empty()
        });
        let kept: Vec<&str> = kept.collect();
        format!("{}?{}", self.0, kept.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_pages_are_asked_for_here_and_without_a_token() {
        let here = Here("https://gateway/v25.0/777/message_templates".into());
        let body = r#"{"data":[{"id":"1"}],"paging":{"cursors":{"after":"QVE="},
            "next":"https://graph.facebook.com/v25.0/777/message_templates?access_token=EAAG&pretty=0&limit=25&after=QVE%3D"}}"#;
        let changed: Value = serde_json::from_str(&changed(body, &here, None).expect("changed")).expect("JSON");
        assert_eq!(
            changed["paging"]["next"],
            "https://gateway/v25.0/777/message_templates?limit=25&after=QVE%3D"
        );
        assert_eq!(changed["paging"]["cursors"]["after"], "QVE=");
        assert_eq!(super::changed(r#"{"data":[]}"#, &here, None), None);
    }

    #[test]
    fn only_media_is_media() {
        let media = r#"{"messaging_product":"whatsapp","url":"https://x","mime_type":"image/png","id":"7"}"#;
        assert!(is_media(media, "7"));
        assert!(!is_media(media, "8"));
        assert!(!is_media(r#"{"id":"7","display_phone_number":"+1"}"#, "7"));
    }
}
