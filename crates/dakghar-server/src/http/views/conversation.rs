//! Conversations.

use dakghar_core::app::KnownConversation;
use dakghar_core::domain::{ConversationKind, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::names;

/// What a number of the tenant and a person, or a group, wrote to each other. A person is one, whatever numbers and ids Meta
/// names them by: messages under any of them are in this conversation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Conversation)]
pub(in crate::http) struct ConversationView {
    /// Our id; the same pair always has the same. When two turn out to be one, it has the older id, and the other leads to it.
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
    /// All numbers and ids under which Meta named the person.
    ids: Vec<String>,
    /// The person; `null` for a group.
    #[schema(example = "per_3q8dz0c1v8e9m2k4x7b5n6t0ra")]
    person_id: Option<String>,
    /// The name in the person's profile, as Meta told it last.
    name: Option<String>,
    /// The person's username, as Meta told it last.
    username: Option<String>,
    /// The newest message, in either direction.
    last_message_id: String,
    /// When that was.
    last_message_at: String,
    /// When the person last wrote or called.
    last_inbound_at: Option<String>,
    /// Until when free-form messages may be sent; `null` when the person never wrote or called, and for a
    /// group. The 24 hours count from Meta's time of the message or call, however late it is reported.
    customer_service_window_until: Option<String>,
}

impl From<&KnownConversation> for ConversationView {
    fn from(known: &KnownConversation) -> Self {
        let conversation = &known.conversation;
        let name = conversation.name.as_ref();
        Self {
            id: conversation.id.to_string(),
            tenant_id: conversation.tenant_id.to_string(),
            phone_number_id: conversation.phone_number_id.to_string(),
            kind: conversation.kind.as_str(),
            wa_id: conversation.wa_id.to_string(),
            ids: conversation.ids().map(ToString::to_string).collect(),
            person_id: known.person_id.as_ref().map(ToString::to_string),
            name: name.and_then(|name| name.name.as_deref().map(str::to_owned)),
            username: name.and_then(|name| name.username.as_deref().map(str::to_owned)),
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
    names([ConversationKind::Person, ConversationKind::Group].map(ConversationKind::as_str))
}
