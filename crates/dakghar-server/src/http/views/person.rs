//! People.

use dakghar_core::domain::{Person, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Somebody who wrote to the tenant or was written to, whatever numbers and ids Meta names them by.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Person)]
pub(in crate::http) struct PersonView {
    /// Our id. When two people turn out to be one, they have the older id, and the other leads to it.
    #[schema(example = "per_3q8dz0c1v8e9m2k4x7b5n6t0ra")]
    id: String,
    /// All numbers (digits without `+`) and ids under which Meta named the person.
    #[schema(example = json!(["919111111111", "IN.1349"]))]
    ids: Vec<String>,
    /// The name in their profile, as Meta told it last.
    name: Option<String>,
    /// Their username, as Meta told it last.
    username: Option<String>,
    /// When the first message with them was, in either direction; `null` if that is older than such times are known.
    first_seen_at: Option<String>,
    /// When the last message with them was, in either direction.
    last_seen_at: String,
    /// The conversations, one for each number of the tenant, the one with the newest message first.
    conversation_ids: Vec<String>,
}

impl From<&Person> for PersonView {
    fn from(person: &Person) -> Self {
        let name = person.name.as_ref();
        Self {
            id: person.id.to_string(),
            ids: person.ids.iter().map(ToString::to_string).collect(),
            name: name.and_then(|name| name.name.as_deref().map(str::to_owned)),
            username: name.and_then(|name| name.username.as_deref().map(str::to_owned)),
            first_seen_at: person.first_seen_at.as_ref().map(Timestamp::to_string),
            last_seen_at: person.last_seen_at.to_string(),
            conversation_ids: person.conversations.iter().map(ToString::to_string).collect(),
        }
    }
}
