//! The headers in which Meta tells how much of its allowances for calls is used.

use std::collections::HashMap;
use std::time::Duration;

use dakghar_core::domain::WabaId;
use dakghar_core::domain::allowance::{AllowancesUsed, Usage};
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::http::header_text;

/// Names an array of allowances for each account.
const OF_ACCOUNTS: &str = "x-business-use-case-usage";
const OF_APP: &str = "x-app-usage";
/// The kind of allowance that is for messages. Others are for managing the account.
const MESSAGES: &str = "whatsapp";
/// The most of such a header that is read.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Accounts that are read of one answer.
const ACCOUNTS_MAX: usize = 16;

/// Shares in percent, as Meta counts them: whole numbers mostly, and above 100 when too much was used.
#[derive(Deserialize)]
struct Shares {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    call_count: f64,
    #[serde(default)]
    total_cputime: f64,
    #[serde(default)]
    total_time: f64,
    /// Minutes.
    #[serde(default)]
    estimated_time_to_regain_access: f64,
}

impl Shares {
    fn usage(&self) -> Usage {
        let minutes = self.estimated_time_to_regain_access;
        Usage {
            calls: percent(self.call_count),
            cpu_time: percent(self.total_cputime),
            time: percent(self.total_time),
            regained_after: (minutes > 0.0).then(|| Duration::from_secs_f64(minutes.min(1_440.0) * 60.0)),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is within these bounds"
)]
fn percent(share: f64) -> u32 {
    share.clamp(0.0, 1_000.0) as u32
}

/// Reads what the headers tell. What is not understood tells nothing.
pub(super) fn read(headers: &HeaderMap) -> AllowancesUsed {
    AllowancesUsed {
        accounts: of_accounts(headers).unwrap_or_default(),
        app: text(headers, OF_APP)
            .and_then(|text| serde_json::from_str::<Shares>(text).ok())
            .map(|shares| shares.usage()),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    header_text(headers, name).filter(|text| text.len() <= HEADER_BYTES_MAX)
}

fn of_accounts(headers: &HeaderMap) -> Option<Vec<(WabaId, Usage)>> {
    let accounts: HashMap<String, Vec<Shares>> = serde_json::from_str(text(headers, OF_ACCOUNTS)?).ok()?;
    let of_account = |(account, shares): (String, Vec<Shares>)| {
        let for_messages = shares.iter().filter(|shares| shares.kind.as_deref() == Some(MESSAGES));
        // The one of which the most is used binds.
        let usage = for_messages
            .map(Shares::usage)
            .max_by_key(|usage| (usage.regained_after, usage.percent()))?;
        Some((WabaId::parse(&account).ok()?, usage))
    };
    Some(accounts.into_iter().take(ACCOUNTS_MAX).filter_map(of_account).collect())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn read_of(name: &'static str, value: &str) -> AllowancesUsed {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("a header"));
        read(&headers)
    }

    #[test]
    fn the_largest_share_of_the_allowance_for_messages_counts() {
        let used = read_of(
            OF_ACCOUNTS,
            r#"{"102290129340398":[{"type":"whatsapp_business_management","call_count":100,"total_cputime":1,
                "total_time":1,"estimated_time_to_regain_access":19},{"type":"whatsapp","call_count":3,
                "total_cputime":91,"total_time":2,"estimated_time_to_regain_access":0}]}"#
                .replace('\n', "")
                .as_str(),
        );
        let account = WabaId::parse("102290129340398").expect("an id");
        let usage = Usage {
            calls: 3,
            cpu_time: 91,
            time: 2,
            regained_after: None,
        };
        assert_eq!(used.accounts, [(account, usage)]);
        let used = read_of(OF_APP, r#"{"call_count":28,"total_time":25.6,"total_cputime":101}"#);
        assert_eq!(used.app.map(|usage| usage.percent()), Some(101));
    }

    #[test]
    fn the_time_until_calls_are_taken_again_is_in_minutes() {
        let used = read_of(
            OF_ACCOUNTS,
            r#"{"1":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":3}]}"#,
        );
        assert_eq!(used.accounts[0].1.regained_after, Some(Duration::from_secs(180)));
    }

    #[test]
    fn nonsense_tells_nothing() {
        for value in [
            "",
            "null",
            "[]",
            r#"{"1":{}}"#,
            r#"{"1":[{"type":"whatsapp","call_count":"9"}]}"#,
            r#"{"not an id":[{"type":"whatsapp","call_count":99}]}"#,
            r#"{"1":[{"call_count":99}]}"#,
        ] {
            assert_eq!(read_of(OF_ACCOUNTS, value), AllowancesUsed::default(), "{value}");
        }
        let absurd = read_of(
            OF_APP,
            r#"{"call_count":1e300,"estimated_time_to_regain_access":1e300}"#,
        );
        let usage = absurd.app.expect("a usage");
        assert_eq!(
            (usage.percent(), usage.regained_after),
            (1_000, Some(Duration::from_secs(86_400)))
        );
        assert_eq!(read_of(OF_APP, &"9".repeat(9_000)), AllowancesUsed::default());
    }
}
