//! The rules of a tenant for what is sent, as both stores keep them: one text, JSON.

use dakghar_core::domain::quiet_hours::{QuietFor, QuietHours};
use dakghar_core::domain::sending_rules::{Enforced, SendingRules};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RulesFields {
    enforced: String,
    stop_words: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quiet_hours: Option<QuietFields>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuietFields {
    from: String,
    to: String,
    time_zone: String,
    messages: String,
}

/// Returns the text of the rules; `None` if they are those that every tenant begins with.
pub(crate) fn text_of(rules: &SendingRules) -> Option<String> {
    let fields = RulesFields {
        enforced: rules.enforced.as_str().to_owned(),
        stop_words: rules.stop_words,
        quiet_hours: rules.quiet_hours.as_ref().map(|hours| QuietFields {
            from: hours.from(),
            to: hours.to(),
            time_zone: hours.time_zone().to_owned(),
            messages: hours.messages().as_str().to_owned(),
        }),
    };
    let is_usual = *rules == SendingRules::default();
    (!is_usual).then(|| serde_json::to_string(&fields).expect("texts and numbers"))
}

/// Reads the text; `None` if it cannot be understood.
pub(crate) fn parse(text: &str) -> Option<SendingRules> {
    let fields: RulesFields = serde_json::from_str(text).ok()?;
    let quiet_hours = match fields.quiet_hours {
        Some(hours) => Some(Box::new(quiet_hours(&hours)?)),
        None => None,
    };
    Some(SendingRules {
        enforced: Enforced::parse(&fields.enforced)?,
        stop_words: fields.stop_words,
        quiet_hours,
    })
}

fn quiet_hours(fields: &QuietFields) -> Option<QuietHours> {
    let messages = QuietFor::parse(&fields.messages)?;
    QuietHours::parse(&fields.from, &fields.to, &fields.time_zone, messages).ok()
}
