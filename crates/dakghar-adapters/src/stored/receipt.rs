//! The words of Meta's answer on a message, as both stores keep them: one text, JSON.

use dakghar_core::domain::message::Receipt;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wa_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

/// Returns the text of a receipt.
pub(crate) fn text_of(receipt: &Receipt) -> String {
    let owned = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    let fields = ReceiptFields {
        status: owned(&receipt.status),
        wa_id: owned(&receipt.wa_id),
        user_id: owned(&receipt.user_id),
    };
    serde_json::to_string(&fields).expect("texts become JSON")
}

/// Reads the text; `None` if it cannot be understood.
pub(crate) fn parse(text: &str) -> Option<Receipt> {
    let fields: ReceiptFields = serde_json::from_str(text).ok()?;
    Some(Receipt {
        status: fields.status.map(Into::into),
        wa_id: fields.wa_id.map(Into::into),
        user_id: fields.user_id.map(Into::into),
    })
}
