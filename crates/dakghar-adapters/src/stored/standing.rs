//! The standing of a number at Meta, as both stores keep it: one text, JSON.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dakghar_core::domain::ids::WabaId;
use dakghar_core::domain::standing::{AccountStop, HistoryImport, Refused, Seen, SeenNumber, Standing, WebhooksGo};
use dakghar_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StandingFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<SeenFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checked_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rests_until: Option<i64>,
    #[serde(default)]
    is_asked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop: Option<StopFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    news_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subscribed_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<HistoryFields>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HistoryFields {
    phase: u32,
    progress: u32,
    messages: u64,
    began_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    declined_at: Option<i64>,
    /// The bits of the chunks that were counted, in base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    chunks: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StopFields {
    event: String,
    since: i64,
    #[serde(default)]
    is_over: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusedFields {
    code: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subcode: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeenFields {
    number: NumberFields,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    review: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhooks: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<RefusedFields>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NumberFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quality: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    messaging_limit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    throughput: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_on_app: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    has_pin: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waba_id: Option<String>,
}

/// Returns the text of what is known; `None` if that is nothing.
pub(crate) fn text_of(standing: &Standing) -> Option<String> {
    if standing.is_empty() {
        return None;
    }
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let fields = StandingFields {
        seen: standing.seen.as_ref().map(seen_fields),
        checked_at: millis(standing.checked_at),
        rests_until: millis(standing.rests_until),
        is_asked: standing.is_asked,
        stop: standing.stop.as_ref().map(|stop| StopFields {
            event: stop.event.to_string(),
            since: stop.since.as_millis(),
            is_over: stop.is_over,
        }),
        news_at: millis(standing.news_at),
        subscribed_at: millis(standing.subscribed_at),
        history: standing.history.as_ref().map(history_fields),
    };
    Some(serde_json::to_string(&fields).expect("texts and numbers become JSON"))
}

/// Reads the text; `None` if it cannot be understood.
pub(crate) fn parse(text: &str) -> Option<Standing> {
    let fields: StandingFields = serde_json::from_str(text).ok()?;
    Some(Standing {
        seen: match fields.seen {
            Some(seen) => Some(read_seen(seen)?),
            None => None,
        },
        checked_at: fields.checked_at.map(Timestamp::from_millis),
        rests_until: fields.rests_until.map(Timestamp::from_millis),
        is_asked: fields.is_asked,
        stop: fields.stop.map(|stop| AccountStop {
            event: stop.event.into(),
            since: Timestamp::from_millis(stop.since),
            is_over: stop.is_over,
        }),
        news_at: fields.news_at.map(Timestamp::from_millis),
        subscribed_at: fields.subscribed_at.map(Timestamp::from_millis),
        history: match fields.history {
            Some(history) => Some(read_history(history)?),
            None => None,
        },
    })
}

fn history_fields(history: &HistoryImport) -> HistoryFields {
    HistoryFields {
        phase: history.phase,
        progress: history.progress,
        messages: history.messages,
        began_at: history.began_at.as_millis(),
        finished_at: history.finished_at.map(Timestamp::as_millis),
        declined_at: history.declined_at.map(Timestamp::as_millis),
        chunks: STANDARD.encode(&history.chunks),
    }
}

fn read_history(fields: HistoryFields) -> Option<HistoryImport> {
    let chunks = STANDARD.decode(fields.chunks).ok()?;
    Some(HistoryImport {
        phase: fields.phase,
        progress: fields.progress,
        messages: fields.messages,
        began_at: Timestamp::from_millis(fields.began_at),
        finished_at: fields.finished_at.map(Timestamp::from_millis),
        declined_at: fields.declined_at.map(Timestamp::from_millis),
        chunks,
    })
}

fn owned(text: Option<&Arc<str>>) -> Option<String> {
    text.map(ToString::to_string)
}

fn seen_fields(seen: &Seen) -> SeenFields {
    let number = &seen.number;
    SeenFields {
        number: NumberFields {
            display: owned(number.display.as_ref()),
            name: owned(number.name.as_ref()),
            name_status: owned(number.name_status.as_ref()),
            status: owned(number.status.as_ref()),
            quality: owned(number.quality.as_ref()),
            messaging_limit: owned(number.messaging_limit.as_ref()),
            throughput: owned(number.throughput.as_ref()),
            is_on_app: number.is_on_app,
            has_pin: number.has_pin,
            mode: owned(number.mode.as_ref()),
            health: owned(number.health.as_ref()),
            webhook_url: owned(number.webhook_url.as_ref()),
            waba_id: number.waba_id.as_ref().map(WabaId::to_string),
        },
        review: owned(seen.review.as_ref()),
        webhooks: seen.webhooks.map(|go| go.as_str().to_owned()),
        webhook_url: owned(seen.webhook_url.as_ref()),
        refused: seen.refused.map(|refused| RefusedFields {
            code: refused.code,
            subcode: refused.subcode,
        }),
    }
}

fn read_seen(fields: SeenFields) -> Option<Seen> {
    let number = fields.number;
    Some(Seen {
        number: SeenNumber {
            display: number.display.map(Into::into),
            name: number.name.map(Into::into),
            name_status: number.name_status.map(Into::into),
            status: number.status.map(Into::into),
            quality: number.quality.map(Into::into),
            messaging_limit: number.messaging_limit.map(Into::into),
            throughput: number.throughput.map(Into::into),
            is_on_app: number.is_on_app,
            has_pin: number.has_pin,
            mode: number.mode.map(Into::into),
            health: number.health.map(Into::into),
            webhook_url: number.webhook_url.map(Into::into),
            waba_id: match number.waba_id {
                Some(id) => Some(WabaId::parse(&id).ok()?),
                None => None,
            },
        },
        review: fields.review.map(Into::into),
        webhooks: match fields.webhooks {
            Some(name) => Some(WebhooksGo::parse(&name)?),
            None => None,
        },
        webhook_url: fields.webhook_url.map(Into::into),
        refused: fields.refused.map(|refused| Refused {
            code: refused.code,
            subcode: refused.subcode,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_earlier_release_knows_no_date_of_news() {
        let standing = parse(r#"{"isAsked":true,"stop":{"event":"DISABLED_UPDATE","since":5}}"#).expect("read");
        assert_eq!((standing.is_asked, standing.news_at), (true, None));
        let stop = standing.stop.expect("a stop");
        assert_eq!((stop.since.as_millis(), stop.is_over), (5, false));
    }
}
