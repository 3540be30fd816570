//! The body of a post: updates in Meta's envelope, grouped by WABA and business number.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::escape::to_escaped_json;
use super::event::{Event, Outgoing, StatusKind};
use crate::graph::codes::face_of;
use crate::number::Number;

#[derive(Serialize)]
struct Envelope<'a> {
    object: &'static str,
    entry: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    changes: Vec<Change<'a>>,
}

#[derive(Serialize)]
struct Change<'a> {
    value: ChangeValue<'a>,
    field: &'static str,
}

#[derive(Serialize)]
struct ChangeValue<'a> {
    messaging_product: &'static str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<Contact<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<Status<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<&'a Value>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    display_phone_number: &'a str,
    phone_number_id: &'a str,
}

#[derive(Serialize, PartialEq)]
#[serde(untagged)]
enum Contact<'a> {
    OfStatus {
        #[serde(skip_serializing_if = "Option::is_none")]
        wa_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<&'a str>,
    },
    OfMessage(&'a Value),
}

#[expect(clippy::struct_field_names, reason = "Meta's names")]
#[derive(Serialize)]
struct Status<'a> {
    id: &'a str,
    status: StatusKind,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_opaque_callback_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pricing: Option<Pricing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<[StatusError; 1]>,
}

#[expect(clippy::struct_field_names, reason = "Meta's names")]
#[derive(Serialize)]
struct Pricing {
    billable: bool,
    pricing_model: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    category: &'static str,
}

#[derive(Serialize)]
struct StatusError {
    code: u32,
    title: Cow<'static, str>,
    message: Cow<'static, str>,
    error_data: ErrorData,
    href: &'static str,
}

#[derive(Serialize)]
struct ErrorData {
    details: Cow<'static, str>,
}

/// The bytes of a post that reports these updates, in this order within each number.
pub(super) fn encode(events: &[Event]) -> Vec<u8> {
    let mut envelope = Envelope {
        object: "whatsapp_business_account",
        entry: Vec::new(),
    };
    for event in events {
        let change = change_for(&mut envelope.entry, event);
        match event {
            Event::Status {
                message,
                kind,
                timestamp_seconds,
                error_code,
            } => {
                // Accompanies sent, delivered and read, but not failed.
                if *kind != StatusKind::Failed && message.group_id.is_none() {
                    push_once(&mut change.contacts, contact_of(message));
                }
                let status = status_of(message, *kind, *timestamp_seconds, *error_code);
                change.statuses.push(status);
            }
            Event::Inbound { contact, message, .. } => {
                if let Some(contact) = contact {
                    push_once(&mut change.contacts, Contact::OfMessage(contact));
                }
                change.messages.push(message);
            }
        }
    }
    to_escaped_json(&envelope)
}

fn push_once<'a>(contacts: &mut Vec<Contact<'a>>, contact: Contact<'a>) {
    // The statuses of one message often stand together; a full search would be quadratic.
    if contacts.last() != Some(&contact) {
        contacts.push(contact);
    }
}

/// The last change of this number that reports the same kind of update, or a fresh one.
fn change_for<'e, 'a>(entries: &'e mut Vec<Entry<'a>>, event: &'a Event) -> &'e mut ChangeValue<'a> {
    let number: &'a Number = event.number();
    let is_inbound = matches!(event, Event::Inbound { .. });
    let entry_at = entries
        .iter()
        .rposition(|entry| entry.id == number.waba_id)
        .unwrap_or_else(|| {
            entries.push(Entry {
                id: &number.waba_id,
                changes: Vec::new(),
            });
            entries.len() - 1
        });
    let changes = &mut entries[entry_at].changes;
    let change_at = changes
        .iter()
        .rposition(|change| {
            change.value.metadata.phone_number_id == number.phone_number_id
                && change.value.statuses.is_empty() == is_inbound
        })
        .unwrap_or_else(|| {
            changes.push(Change {
                value: ChangeValue {
                    messaging_product: "whatsapp",
                    metadata: Metadata {
                        display_phone_number: &number.display_phone_number,
                        phone_number_id: &number.phone_number_id,
                    },
                    contacts: Vec::new(),
                    statuses: Vec::new(),
                    messages: Vec::new(),
                },
                field: "messages",
            });
            changes.len() - 1
        });
    &mut changes[change_at].value
}

fn contact_of(message: &Outgoing) -> Contact<'_> {
    Contact::OfStatus {
        wa_id: message.wa_id.as_deref(),
        user_id: message.user_id.as_deref(),
    }
}

fn status_of(message: &Outgoing, kind: StatusKind, timestamp_seconds: i64, error_code: Option<u32>) -> Status<'_> {
    let is_failed_phone = kind == StatusKind::Failed && message.wa_id.is_some();
    Status {
        id: &message.wamid,
        status: kind,
        timestamp: timestamp_seconds.to_string(),
        recipient_type: message.group_id.as_ref().map(|_| "group"),
        recipient_id: message.group_id.as_deref().or(message.wa_id.as_deref()),
        recipient_user_id: message.user_id.as_deref().filter(|_| !is_failed_phone),
        biz_opaque_callback_data: message.biz_opaque.as_deref(),
        pricing: (kind == StatusKind::Sent).then_some(Pricing {
            billable: true,
            pricing_model: "PMP",
            kind: "regular",
            category: message.category,
        }),
        errors: error_code.map(|code| {
            let title = Cow::Borrowed(face_of(code).title);
            [StatusError {
                code,
                title: title.clone(),
                message: title,
                error_data: ErrorData {
                    details: Cow::Owned(format!("Simulated failure with code {code}.")),
                },
                href: "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
            }]
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn status(phone_number_id: &str, wamid: &str, kind: StatusKind) -> Event {
        Event::Status {
            message: Arc::new(Outgoing {
                wamid: wamid.to_owned(),
                number: Arc::new(Number {
                    phone_number_id: phone_number_id.to_owned(),
                    waba_id: format!("w{}", &phone_number_id[..1]),
                    display_phone_number: "15550783881".to_owned(),
                }),
                wa_id: Some("16505551234".to_owned()),
                user_id: Some("US.1".to_owned()),
                group_id: None,
                biz_opaque: Some("v1.a.1".to_owned()),
                category: "service",
            }),
            kind,
            timestamp_seconds: 1_760_000_100,
            error_code: (kind == StatusKind::Failed).then_some(131_026),
        }
    }

    fn decoded(events: &[Event]) -> Value {
        serde_json::from_slice(&encode(events)).unwrap()
    }

    #[test]
    fn a_sent_status_has_every_field_of_meta() {
        let body = decoded(&[status("11", "wamid.A", StatusKind::Sent)]);
        assert_eq!(
            body,
            json!({"object": "whatsapp_business_account", "entry": [{"id": "w1", "changes": [{
                "field": "messages",
                "value": {
                    "messaging_product": "whatsapp",
                    "metadata": {"display_phone_number": "15550783881", "phone_number_id": "11"},
                    "contacts": [{"wa_id": "16505551234", "user_id": "US.1"}],
                    "statuses": [{"id": "wamid.A", "status": "sent", "timestamp": "1760000100",
                        "recipient_id": "16505551234", "recipient_user_id": "US.1",
                        "biz_opaque_callback_data": "v1.a.1",
                        "pricing": {"billable": true, "pricing_model": "PMP", "type": "regular",
                            "category": "service"}}]}}]}]})
        );
    }

    #[test]
    fn a_failed_status_has_errors_and_no_contact() {
        let body = decoded(&[status("11", "wamid.A", StatusKind::Failed)]);
        let value = &body["entry"][0]["changes"][0]["value"];
        assert!(value.get("contacts").is_none());
        assert_eq!(value["statuses"][0]["errors"][0]["code"], 131_026);
        assert!(value["statuses"][0].get("recipient_user_id").is_none());
    }

    #[test]
    fn groups_by_waba_and_number() {
        let body = decoded(&[
            status("11", "wamid.A", StatusKind::Sent),
            status("22", "wamid.B", StatusKind::Sent),
            status("12", "wamid.C", StatusKind::Sent),
            status("11", "wamid.D", StatusKind::Sent),
        ]);
        assert_eq!(body["entry"].as_array().unwrap().len(), 2);
        let changes = body["entry"][0]["changes"].as_array().unwrap();
        assert_eq!(changes.len(), 2);
        assert_eq!(changes[0]["value"]["statuses"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn inbound_messages_stand_apart_from_statuses() {
        let Event::Status { message, .. } = status("11", "wamid.A", StatusKind::Sent) else {
            unreachable!("a status was made");
        };
        let inbound = Event::Inbound {
            number: Arc::clone(&message.number),
            contact: Some(json!({"wa_id": "16505551234"})),
            message: json!({"id": "wamid.I", "type": "text"}),
        };
        let body = decoded(&[status("11", "wamid.A", StatusKind::Sent), inbound]);
        let changes = body["entry"][0]["changes"].as_array().unwrap();
        assert_eq!(changes.len(), 2);
        assert_eq!(changes[1]["value"]["messages"][0]["id"], "wamid.I");
        assert!(changes[1]["value"].get("statuses").is_none());
    }
}
