//! The rules of a tenant for what is sent, as both stores keep them: one text, JSON.

use dakghar_core::domain::sending_rules::{Enforced, SendingRules};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RulesFields {
    enforced: String,
    stop_words: bool,
}

/// Returns the text of the rules; `None` if they are those that every tenant begins with.
pub(crate) fn text_of(rules: &SendingRules) -> Option<String> {
    let fields = RulesFields {
        enforced: rules.enforced.as_str().to_owned(),
        stop_words: rules.stop_words,
    };
    let is_usual = *rules == SendingRules::default();
    (!is_usual).then(|| serde_json::to_string(&fields).expect("texts and numbers"))
}

/// Reads the text; `None` if it cannot be understood.
pub(crate) fn parse(text: &str) -> Option<SendingRules> {
    let fields: RulesFields = serde_json::from_str(text).ok()?;
    Some(SendingRules {
        enforced: Enforced::parse(&fields.enforced)?,
        stop_words: fields.stop_words,
    })
}
