//! One update, before it is put into a body.

use serde_json::{Value, json};

use crate::number::Number;
use crate::webhook::to_escaped_json;

/// What a body is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// An element of a list in the value of `messages`, and the contact beside it.
    Element {
        list: &'static str,
        element: Value,
        contact: Option<Value>,
    },
    /// A change of its own.
    Change {
        field: &'static str,
        value: Value,
        /// Whether Meta tells the time of its entry.
        is_timed: bool,
    },
    /// A change in an entry of the dashboard's test button.
    Sample { value: Value },
}

impl Part {
    /// The bytes of it as Meta writes them.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Element { element, contact, .. } => {
                to_escaped_json(element).len() + contact.as_ref().map_or(0, |contact| to_escaped_json(contact).len())
            }
            Self::Change { value, .. } | Self::Sample { value } => to_escaped_json(value).len(),
        }
    }
}

/// How a value names a number.
pub(super) fn metadata_of(number: &Number) -> Value {
    json!({"display_phone_number": number.display_phone_number, "phone_number_id": number.phone_number_id})
}
