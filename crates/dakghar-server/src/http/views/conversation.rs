//! Conversations.

use dakghar_core::domain::{Conversation, ConversationKind, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// What a number of the tenant and a person wrote to each other.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Conversation)]
pub(in crate::http) struct ConversationView {
    /// Our id; the same pair always has the same.
    #[schema(example = "cnv_3q8dz0c1v8e9m2k4x7b5n6t0ra")]
    id: String,
    /// The owner.
    tenant_id: String,
    /// The tenant's number.
    phone_number_id: String,
    /// What the other end is: a `person` or a `group`.
    #[schema(schema_with = kinds)]
    kind: &'static str,
    /// The person: digits without `+`, or Meta's id of somebody who hides the number. Of a group Meta's id of it.
    #[schema(example = "919111111111")]
    wa_id: String,
    /// The newest message, in either direction.
    last_message_id: String,
    /// When that was.
    last_message_at: String,
    /// When the person last wrote.
    last_inbound_at: Option<String>,
    /// Until when free-form messages may be sent; `null` when the person never wrote, and for a group.
    customer_service_window_until: Option<String>,
}

impl From<&Conversation> for ConversationView {
    fn from(conversation: &Conversation) -> Self {
        Self {
            id: conversation.id.to_string(),
            tenant_id: conversation.tenant_id.to_string(),
            phone_number_id: conversation.phone_number_id.to_string(),
            kind: conversation.kind.as_str(),
            wa_id: conversation.wa_id.to_string(),
            last_message_id: conversation.last_message_id.to_string(),
            last_message_at: conversation.last_message_at.to_string(),
            last_inbound_at: conversation.last_inbound_at.as_ref().map(Timestamp::to_string),
            customer_service_window_until: conversation
                .customer_service_window_until()
                .as_ref()
                .map(Timestamp::to_string),
        }
    }
}

fn kinds() -> ObjectBuilder {
    let kinds = [ConversationKind::Person, ConversationKind::Group].map(ConversationKind::as_str);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds))
}
