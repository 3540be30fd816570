//! Messages that a person sends to a business number.

use serde_json::{Map, Value, json};

use super::post::WebhookError;
use crate::number::{phone_digits, user_id_of};
use crate::wamid::{Direction, WamidFactory};

/// An inbound message of any type.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundMessage {
    /// The business number that receives it.
    pub phone_number_id: String,
    /// The person's phone number; `None` if the person hides it.
    pub from: Option<String>,
    /// The person's business-scoped user id; made from the phone number if absent.
    pub from_user_id: Option<String>,
    /// The name in the person's profile.
    pub profile_name: Option<String>,
    /// An element of `messages[]`: at least `type` and the object of that name. `id`, `timestamp`,
    /// `from` and `from_user_id` are filled in where they are absent.
    pub message: Value,
}

impl InboundMessage {
    /// A text message.
    pub fn text(phone_number_id: &str, from: &str, body: &str) -> Self {
        let message = json!({"type": "text", "text": {"body": body}});
        Self::of(phone_number_id, from, message)
    }

    /// A message given as an element of `messages[]`.
    pub fn of(phone_number_id: &str, from: &str, message: Value) -> Self {
        Self {
            phone_number_id: phone_number_id.to_owned(),
            from: Some(from.to_owned()),
            from_user_id: None,
            profile_name: Some("Simulated Person".to_owned()),
            message,
        }
    }

    /// Fills in what is absent.
    pub(super) fn complete(self, wamids: &WamidFactory, now_seconds: i64) -> Result<CompleteInbound, WebhookError> {
        let invalid = |why: &str| WebhookError::InvalidMessage(why.to_owned());
        let Value::Object(mut message) = self.message else {
            return Err(invalid("message must be an object"));
        };
        if !message.get("type").is_some_and(Value::is_string) {
            return Err(invalid("message.type must be a string"));
        }
        let wa_id = match self.from.as_deref() {
            Some(from) => Some(phone_digits(from).ok_or_else(|| invalid("from must be a phone number"))?),
            None => None,
        };
        let user_id = self.from_user_id.or_else(|| wa_id.as_deref().map(user_id_of));
        let party = wa_id.as_deref().or(user_id.as_deref()).unwrap_or_default();
        let message_id = match message.get("id") {
            Some(Value::String(id)) => id.clone(),
            Some(_) => return Err(invalid("message.id must be a string")),
            None => wamids.next(Direction::Inbound, party),
        };
        let mut fill = |key: &str, value: Option<String>| {
            if let Some(value) = value
                && !message.contains_key(key)
            {
                message.insert(key.to_owned(), Value::String(value));
            }
        };
        fill("id", Some(message_id.clone()));
        fill("timestamp", Some(now_seconds.to_string()));
        fill("from", wa_id.clone());
        fill("from_user_id", user_id.clone());
        // Meta sends no contact with a system message.
        let is_system = message.get("type").and_then(Value::as_str) == Some("system");
        let contact = (!is_system).then(|| contact_of(wa_id, user_id, self.profile_name));
        Ok(CompleteInbound {
            wamid: message_id,
            contact,
            message: Value::Object(message),
        })
    }
}

/// An inbound message with everything that Meta would tell about it.
pub(super) struct CompleteInbound {
    pub(super) wamid: String,
    pub(super) contact: Option<Value>,
    pub(super) message: Value,
}

fn contact_of(wa_id: Option<String>, user_id: Option<String>, name: Option<String>) -> Value {
    let mut contact = Map::new();
    if let Some(name) = name {
        contact.insert("profile".to_owned(), json!({ "name": name }));
    }
    if let Some(wa_id) = wa_id {
        contact.insert("wa_id".to_owned(), Value::String(wa_id));
    }
    if let Some(user_id) = user_id {
        contact.insert("user_id".to_owned(), Value::String(user_id));
    }
    Value::Object(contact)
}
