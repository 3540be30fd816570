//! Events of an account that say something of the standing of its numbers.

use dakghar_core::domain::ids::AppId;
use dakghar_core::domain::standing::{AccountNews, NewsKind};

use super::super::lenient_json::{Fields, elements};

/// The field that tells what becomes of an account.
const ACCOUNT: &str = "account_update";
/// The longest name of an event that is kept.
const EVENT_BYTES_MAX: usize = 64;
/// Fields that tell of a change which a check shows.
const CHANGES: [&str; 6] = [
    "account_alerts",
    "account_review_update",
    "business_capability_update",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
];
/// Restrictions under which an account may not send.
const NO_MESSAGING: [&str; 2] = [
    "RESTRICTED_BIZ_INITIATED_MESSAGING",
    "RESTRICTED_CUSTOMER_INITIATED_MESSAGING",
];

/// Reads what a change of this field says; `None` if it says nothing of the standing of numbers.
pub(super) fn of(field: &str, value: &Fields<'_>) -> Option<AccountNews> {
    if CHANGES.contains(&field) {
        return Some(AccountNews {
            kind: NewsKind::Asks,
            event: field.into(),
            app: None,
        });
    }
    let event = value.text("event").filter(|_| field == ACCOUNT)?;
    let kind = match &*event {
        "PARTNER_REMOVED" | "PARTNER_APP_UNINSTALLED" | "ACCOUNT_DELETED" | "ACCOUNT_OFFBOARDED" => NewsKind::Stops,
        "PARTNER_ADDED" | "PARTNER_APP_INSTALLED" | "ACCOUNT_RECONNECTED" => NewsKind::Restores,
        "DISABLED_UPDATE" => match value.object("ban_info")?.text("waba_ban_state")?.as_ref() {
            "DISABLE" => NewsKind::Stops,
            "REINSTATE" => NewsKind::Restores,
            _ => NewsKind::Asks,
        },
        "ACCOUNT_RESTRICTION" if restricts_messaging(value) => NewsKind::Stops,
        "ACCOUNT_RESTRICTION" | "ACCOUNT_VIOLATION" => NewsKind::Asks,
        _ => return None,
    };
    (event.len() <= EVENT_BYTES_MAX).then(|| AccountNews {
        kind,
        event: (*event).into(),
        app: named_app(value),
    })
}

/// The app that an event of a partner is about. It may be of others who share the account.
fn named_app(value: &Fields<'_>) -> Option<AppId> {
    let of_account = value.object("waba_info").and_then(|info| info.text("partner_app_id"));
    AppId::parse(&of_account.or_else(|| value.text("partner_app_id"))?).ok()
}

fn restricts_messaging(value: &Fields<'_>) -> bool {
    let listed = value.get("restriction_info").and_then(elements).unwrap_or_default();
    let kinds = listed.into_iter().filter_map(Fields::of);
    kinds
        .filter_map(|info| info.text("restriction_type").map(|kind| NO_MESSAGING.contains(&&*kind)))
        .any(|stops| stops)
}
