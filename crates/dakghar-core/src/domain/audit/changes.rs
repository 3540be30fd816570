//! The differences between two versions of a record, for the log. The lists of fields here are the lists of what may be shown.

use super::fields::{FieldChange, FieldChanges};
use crate::domain::api_key::ApiKey;
use crate::domain::endpoint::Endpoint;
use crate::domain::hold::Hold;
use crate::domain::leaving::Leaving;
use crate::domain::limits::TenantLimit;
use crate::domain::meta_app::MetaApp;
use crate::domain::scopes::Scope;
use crate::domain::sending_rules::Enforced;
use crate::domain::tenant::{PhoneNumber, Tenant};

/// Returns the changes of a tenant. Names, URLs, tokens and how numbers are written are named, and not shown.
pub fn tenant_changes(before: Option<&Tenant>, after: &Tenant) -> Vec<FieldChange> {
    let mut changes = FieldChanges::default();
    let was = |is_changed: fn(&Tenant, &Tenant) -> bool| before.is_some_and(|before| is_changed(before, after));
    changes.named("name", was(|before, after| before.name != after.name));
    changes.named(
        "callbackUrl",
        was(|before, after| before.callback_url != after.callback_url),
    );
    changes.named(
        "dataKey",
        was(|before, after| before.wrapped_data_key != after.wrapped_data_key),
    );
    changes.named(
        "autoRedrive",
        was(|before, after| before.auto.policy != after.auto.policy),
    );
    let enforced = |tenant: &Tenant| {
        Some(tenant.rules.enforced)
            .filter(|choice| *choice != Enforced::None)
            .map(Enforced::as_str)
    };
    changes.shown("optOuts.enforce", before.and_then(enforced), enforced(after));
    let words = |tenant: &Tenant| (!tenant.rules.stop_words).then_some("false");
    changes.shown("optOuts.stopWords", before.and_then(words), words(after));
    let reason = |tenant: &Tenant| hold_reason(tenant.hold);
    changes.shown("hold", before.and_then(reason), reason(after));
    let removed = |tenant: &Tenant| tenant.removed_at.is_some().then_some("true");
    changes.shown("removed", before.and_then(removed), removed(after));
    let leaving = |tenant: &Tenant| tenant.leaving.as_ref().map(Leaving::to_text);
    changes.shown("leaving", before.and_then(leaving), leaving(after));
    for limit in TenantLimit::ALL {
        let field = format!("limits.{}", limit.as_str());
        let of_before = before.and_then(|before| before.limits.of(limit));
        changes.shown(field, of_before, after.limits.of(limit));
    }
    numbers(&mut changes, before, after);
    keys(&mut changes, before.map_or(&[], |before| &before.keys), &after.keys);
    changes.into_vec()
}

fn hold_reason(hold: Option<Hold>) -> Option<&'static str> {
    hold.map(|hold| hold.reason.as_str())
}

fn numbers(changes: &mut FieldChanges, before: Option<&Tenant>, after: &Tenant) {
    let ids = |tenant: &Tenant| {
        let ids = tenant
            .phone_numbers
            .iter()
            .map(|number| number.phone_number_id.as_str());
        Some(ids.collect::<Vec<_>>().join(" "))
    };
    changes.shown("phoneNumbers", before.and_then(ids), ids(after));
    for number in &after.phone_numbers {
        if let Some(was) = before.and_then(|before| before.number(Some(&number.phone_number_id))) {
            of_number(changes, was, number);
        }
    }
}

fn of_number(changes: &mut FieldChanges, before: &PhoneNumber, after: &PhoneNumber) {
    let field = |name: &str| format!("phoneNumbers.{}.{name}", after.phone_number_id);
    changes.named(field("accessToken"), before.sealed_token != after.sealed_token);
    changes.named(field("pin"), before.sealed_pin != after.sealed_pin);
    changes.named(
        field("displayPhoneNumber"),
        before.display_phone_number != after.display_phone_number,
    );
    let pace = |number: &PhoneNumber| Some(number.messages_per_second);
    changes.shown(field("messagesPerSecond"), pace(before), pace(after));
    changes.shown(field("hold"), hold_reason(before.hold), hold_reason(after.hold));
}

fn keys(changes: &mut FieldChanges, before: &[ApiKey], after: &[ApiKey]) {
    let ids = |keys: &[ApiKey]| {
        let ids: Vec<String> = keys.iter().map(|key| key.id.to_string()).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    };
    changes.shown("keys", ids(before), ids(after));
    for key in after {
        let was = before.iter().find(|was| was.id == key.id);
        of_key(changes, &format!("keys.{}.", key.id), was, key);
    }
}

/// Returns the changes of a key.
pub fn key_changes(before: Option<&ApiKey>, after: &ApiKey) -> Vec<FieldChange> {
    let mut changes = FieldChanges::default();
    of_key(&mut changes, "", before, after);
    changes.into_vec()
}

fn of_key(changes: &mut FieldChanges, under: &str, before: Option<&ApiKey>, after: &ApiKey) {
    let scopes = |key: &ApiKey| {
        let names: Vec<&str> = key.scopes.iter().map(Scope::as_str).collect();
        Some(names.join(" "))
    };
    changes.shown(format!("{under}scopes"), before.and_then(scopes), scopes(after));
    let expires_at = |key: &ApiKey| key.expires_at;
    changes.shown(
        format!("{under}expiresAt"),
        before.and_then(expires_at),
        expires_at(after),
    );
    let networks = |key: &ApiKey| {
        let networks: Vec<String> = key.networks.iter().map(ToString::to_string).collect();
        (!networks.is_empty()).then(|| networks.join(" "))
    };
    changes.shown(format!("{under}addresses"), before.and_then(networks), networks(after));
    let is_rotated = before.is_some_and(|before| before.secrets != after.secrets);
    changes.named(format!("{under}secret"), is_rotated);
}

/// Returns the changes of an app. Its configuration is no secret: every page that runs the dialog names it.
pub fn app_changes(before: &MetaApp, after: &MetaApp) -> Vec<FieldChange> {
    let mut changes = FieldChanges::default();
    changes.named("name", before.name != after.name);
    let config = |app: &MetaApp| app.signup_config_id.clone();
    changes.shown("signupConfigId", config(before), config(after));
    changes.named("secret", before.secrets != after.secrets);
    changes.named("dataKey", before.wrapped_data_key != after.wrapped_data_key);
    changes.into_vec()
}

/// Returns the changes of an endpoint. Its URL and its headers are named, and not shown: either may hold a secret.
pub fn endpoint_changes(before: &Endpoint, after: &Endpoint) -> Vec<FieldChange> {
    let mut changes = FieldChanges::default();
    changes.named("url", before.url != after.url);
    changes.named("events", before.filter.kinds != after.filter.kinds);
    changes.named(
        "phoneNumberIds",
        before.filter.phone_number_ids != after.filter.phone_number_ids,
    );
    let is_other = before.header_names != after.header_names || before.sealed_headers != after.sealed_headers;
    changes.named("headers", is_other);
    changes.named("secret", before.secrets != after.secrets);
    changes.named("verifyToken", before.sealed_verify_token != after.sealed_verify_token);
    changes.shown("order", Some(before.order.as_str()), Some(after.order.as_str()));
    changes.shown("batchMax", Some(before.batch_max), Some(after.batch_max));
    changes.shown("perSecond", Some(before.per_second), Some(after.per_second));
    changes.shown("concurrency", Some(before.concurrency), Some(after.concurrency));
    changes.shown("state", Some(before.state.as_str()), Some(after.state.as_str()));
    let latest = |endpoint: &Endpoint| endpoint.replays.first().map(|replay| replay.id);
    changes.shown("replay", latest(before), latest(after));
    let is_cancelled = |endpoint: &Endpoint| endpoint.replays.first().map(|replay| replay.is_cancelled);
    if latest(before) == latest(after) {
        changes.shown("replay.cancelled", is_cancelled(before), is_cancelled(after));
    }
    changes.into_vec()
}
