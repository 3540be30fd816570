//! What Meta tells of media.

use serde_json::{Value, json};

use super::error::GraphError;
use crate::state::State;

/// Tells of media of a number; `None` if the request names no number, and so is about something else.
pub(super) fn describe(state: &State, id: &str, query: Option<&str>) -> Option<Result<Value, GraphError>> {
    let number = query?;
    let has = state.businesses.of(number, |business| business.media.contains(id));
    Some(if has {
        Ok(
            json!({"messaging_product": "whatsapp", "url": format!("https://lookaside.fbsbx.com/{id}"),
            "mime_type": "image/png", "sha256": "00", "file_size": 1, "id": id}),
        )
    } else {
        Err(GraphError::no_such_object(id))
    })
}
