//! The headers in which Meta tells how much of its allowances for calls is used, on answers that we make in Meta's place.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use dakghar_core::domain::WabaId;
use dakghar_core::domain::allowance::{AllowancesUsed, Usage};
use serde_json::{Map, Value, json};

const OF_ACCOUNTS: HeaderName = HeaderName::from_static("x-business-use-case-usage");
const OF_APP: HeaderName = HeaderName::from_static("x-app-usage");

/// Adds the headers for what is known.
pub(super) fn show(headers: &mut HeaderMap, used: &AllowancesUsed) {
    let accounts: Map<String, Value> = used.accounts.iter().map(of_account).collect();
    if !accounts.is_empty() {
        headers.insert(OF_ACCOUNTS, value(&Value::Object(accounts)));
    }
    if let Some(usage) = &used.app {
        headers.insert(OF_APP, value(&shares(usage)));
    }
}

fn of_account((account, usage): &(WabaId, Usage)) -> (String, Value) {
    let mut shares = shares(usage);
    shares["type"] = "whatsapp".into();
    let minutes = usage.regained_after.as_ref().map_or(0, minutes);
    shares["estimated_time_to_regain_access"] = minutes.into();
    (account.to_string(), json!([shares]))
}

fn shares(usage: &Usage) -> Value {
    json!({"call_count": usage.calls, "total_cputime": usage.cpu_time, "total_time": usage.time})
}

/// Meta's unit. What has begun counts, so that nobody comes back too early.
const fn minutes(duration: &Duration) -> u64 {
    duration.as_secs().div_ceil(60)
}

fn value(json: &Value) -> HeaderValue {
    HeaderValue::try_from(json.to_string()).expect("names and numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_are_those_of_meta() {
        let mut headers = HeaderMap::new();
        show(&mut headers, &AllowancesUsed::default());
        assert!(headers.is_empty(), "nothing is known");
        let usage = Usage {
            calls: 7,
            cpu_time: 101,
            time: 2,
            regained_after: Some(Duration::from_secs(61)),
        };
        let used = AllowancesUsed {
            accounts: vec![(WabaId::parse("777").expect("digits"), usage)],
            app: Some(usage),
        };
        show(&mut headers, &used);
        let read = |name: &str| -> Value { serde_json::from_slice(headers[name].as_bytes()).expect("JSON") };
        assert_eq!(
            read("x-business-use-case-usage"),
            json!({"777": [{"type": "whatsapp", "call_count": 7, "total_cputime": 101, "total_time": 2,
                "estimated_time_to_regain_access": 2}]})
        );
        assert_eq!(
            read("x-app-usage"),
            json!({"call_count": 7, "total_cputime": 101, "total_time": 2})
        );
    }
}
