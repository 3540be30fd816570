//! Redrives that begin by themselves, as both stores keep them: one text, JSON.

use dakghar_core::domain::auto_redrive::{AutoRedrive, AutoRedriving, Automatic, Cause, CauseEnd};
use dakghar_core::domain::ids::{PhoneNumberId, RedriveId};
use dakghar_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AutoFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<PolicyFields>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failing: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended: Vec<EndFields>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyFields {
    causes: Vec<String>,
    per_minute: u32,
    hours: u32,
    times: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndFields {
    id: String,
    cause: String,
    phone_number_id: String,
    at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AutomaticFields {
    cause: String,
    per_minute: u32,
    times: u32,
}

/// Returns the text of a tenant's part; `None` if there is nothing in it.
pub(crate) fn text_of(auto: &AutoRedriving) -> Option<String> {
    let is_empty = *auto == AutoRedriving::default();
    let policy = auto.policy.as_ref().map(|policy| PolicyFields {
        causes: policy.causes.iter().map(|cause| cause.as_str().to_owned()).collect(),
        per_minute: policy.per_minute,
        hours: policy.hours,
        times: policy.times,
    });
    let ended = auto.ended.iter().map(|end| EndFields {
        id: end.id.to_string(),
        cause: end.cause.as_str().to_owned(),
        phone_number_id: end.phone_number_id.to_string(),
        at: end.at.as_millis(),
    });
    let fields = AutoFields {
        policy,
        failing: auto.failing.iter().map(PhoneNumberId::to_string).collect(),
        ended: ended.collect(),
    };
    (!is_empty).then(|| json(&fields))
}

/// Reads the text of a tenant's part; `None` if it cannot be understood.
pub(crate) fn parse(text: &str) -> Option<AutoRedriving> {
    let fields: AutoFields = serde_json::from_str(text).ok()?;
    let number = |text: &String| PhoneNumberId::parse(text).ok();
    let policy = match fields.policy {
        Some(policy) => Some(AutoRedrive {
            causes: policy
                .causes
                .iter()
                .map(|cause| Cause::parse(cause))
                .collect::<Option<_>>()?,
            per_minute: policy.per_minute,
            hours: policy.hours,
            times: policy.times,
        }),
        None => None,
    };
    let end = |end: &EndFields| {
        Some(CauseEnd {
            id: RedriveId::parse(&end.id).ok()?,
            cause: Cause::parse(&end.cause)?,
            phone_number_id: number(&end.phone_number_id)?,
            at: Timestamp::from_millis(end.at),
        })
    };
    Some(AutoRedriving {
        policy,
        failing: fields.failing.iter().map(number).collect::<Option<_>>()?,
        ended: fields.ended.iter().map(end).collect::<Option<_>>()?,
    })
}

/// Returns the text of a redrive's part.
pub(crate) fn automatic_text(automatic: &Automatic) -> String {
    json(&AutomaticFields {
        cause: automatic.cause.as_str().to_owned(),
        per_minute: automatic.per_minute,
        times: automatic.times,
    })
}

/// Reads the text of a redrive's part; `None` if it cannot be understood.
pub(crate) fn parse_automatic(text: &str) -> Option<Automatic> {
    let fields: AutomaticFields = serde_json::from_str(text).ok()?;
    Some(Automatic {
        cause: Cause::parse(&fields.cause)?,
        per_minute: fields.per_minute,
        times: fields.times,
    })
}

fn json(fields: &impl Serialize) -> String {
    serde_json::to_string(fields).expect("texts and numbers")
}
