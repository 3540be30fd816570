//! What is passed on to Meta, as a table. What is not in it is not passed: Meta's edges lead from everything to everything,
//! and a token may see more than one tenant.
//!
//! Not in it: whatever moves, stops or removes a number (`register`, `deregister`, `request_code`, `verify_code`), because
//! messages that wait here would fail behind our back; `subscribed_apps`, because it may take our webhooks away; and things
//! that are known by ids of their own, such as flows, because nobody can tell here whose they are.

use axum::http::Method;
use dakghar_core::domain::Scope;
use dakghar_core::ports::PassedMethod;

/// The kind of thing that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A number of the tenant.
    Number,
    /// An account that one of its numbers is of.
    Account,
    /// Media of a number, which a parameter names.
    Media,
}

/// One row: `None` is the thing itself.
type Row = (Of, Option<&'static str>, PassedMethod, Scope);

const GET: PassedMethod = PassedMethod::Get;
const POST: PassedMethod = PassedMethod::Post;
const DELETE: PassedMethod = PassedMethod::Delete;

/// Everything that is passed on.
pub(super) const TABLE: [Row; 19] = [
    (Of::Number, None, GET, Scope::Read),
    (Of::Number, Some("media"), POST, Scope::Send),
    (Of::Number, Some("whatsapp_business_profile"), GET, Scope::Read),
    (Of::Number, Some("whatsapp_business_profile"), POST, Scope::Manage),
    (Of::Number, Some("block_users"), GET, Scope::Read),
    (Of::Number, Some("block_users"), POST, Scope::Manage),
    (Of::Number, Some("block_users"), DELETE, Scope::Manage),
    (Of::Number, Some("whatsapp_commerce_settings"), GET, Scope::Read),
    (Of::Number, Some("whatsapp_commerce_settings"), POST, Scope::Manage),
    (Of::Number, Some("whatsapp_business_encryption"), GET, Scope::Read),
    (Of::Number, Some("whatsapp_business_encryption"), POST, Scope::Manage),
    (Of::Number, Some("conversational_automation"), POST, Scope::Manage),
    (Of::Account, None, GET, Scope::Read),
    (Of::Account, Some("message_templates"), GET, Scope::Read),
    (Of::Account, Some("message_templates"), POST, Scope::Manage),
    (Of::Account, Some("message_templates"), DELETE, Scope::Manage),
    (Of::Account, Some("phone_numbers"), GET, Scope::Read),
    (Of::Media, None, GET, Scope::Read),
    (Of::Media, None, DELETE, Scope::Send),
];

/// The parameters that pass. Others could change what a request means (`method`, `ids`, `batch`).
const PARAMETERS: [&str; 15] = [
    "fields",
    "limit",
    "after",
    "before",
    "name",
    "hsm_id",
    "status",
    "category",
    "language",
    "content",
    "name_or_content",
    "quality_score",
    "phone_number_id",
    "messaging_product",
    "summary",
];

/// The fields that are asked for: those of the thing itself. Others lead to the business behind it, and to what else that
/// has; they are left out, as Meta leaves out what has no value, because SDKs ask for all at once.
const FIELDS: [&str; 64] = [
    "about",
    "account_mode",
    "account_review_status",
    "address",
    "business_verification_status",
    "catalog_id",
    "category",
    "code_verification_status",
    "components",
    "conversational_automation",
    "correct_category",
    "country",
    "country_code",
    "country_dial_code",
    "cta_url_link_tracking_opted_out",
    "currency",
    "data",
    "degrees_of_freedom_spec",
    "description",
    "disable_marketing_messages_on_cloud_api",
    "display_phone_number",
    "eligibility_for_api_business_global_search",
    "email",
    "health_status",
    "id",
    "is_cart_enabled",
    "is_catalog_visible",
    "is_enabled_for_insights",
    "is_official_business_account",
    "is_on_biz_app",
    "is_pin_enabled",
    "is_preverified_number",
    "language",
    "last_onboarded_time",
    "last_updated_time",
    "library_template_name",
    "marketing_messages_lite_api_status",
    "marketing_messages_onboarding_status",
    "message_send_ttl_seconds",
    "message_template_namespace",
    "messaging_limit_tier",
    "messaging_product",
    "name",
    "name_status",
    "new_name_status",
    "ownership_type",
    "parameter_format",
    "platform_type",
    "previous_category",
    "profile_picture_url",
    "quality_rating",
    "quality_score",
    "rejected_reason",
    "search_visibility",
    "status",
    "sub_category",
    "throughput",
    "timezone_id",
    "unified_cert_status",
    "user_initiated",
    "verified_name",
    "vertical",
    "websites",
    "whatsapp_business_manager_messaging_limit",
];

/// Returns the method and the scope of a row that has this edge and method.
pub(super) fn find(of: Of, edge: Option<&str>, method: &Method) -> Option<(PassedMethod, Scope)> {
    let method = match *method {
        Method::GET => PassedMethod::Get,
        Method::POST => PassedMethod::Post,
        Method::DELETE => PassedMethod::Delete,
        _ => return None,
    };
    let row = TABLE
        .iter()
        .find(|row| row.0 == of && row.1 == edge && row.2 == method)?;
    Some((row.2, row.3))
}

/// True if a parameter of this name passes.
pub(super) fn passes(name: &str) -> bool {
    PARAMETERS.contains(&name)
}

/// Returns the parameters that pass, or the name of one that must not be there.
pub(super) fn passing(parameters: Vec<(String, String)>) -> Result<Vec<(String, String)>, String> {
    let mut passing = Vec::with_capacity(parameters.len());
    for (name, value) in parameters {
        // Anything but names is an expansion, which leads elsewhere.
        let is_list = matches!(name.as_str(), "fields" | "summary");
        if !passes(&name) || is_list && !value.bytes().all(is_of_a_name) {
            return Err(name);
        }
        if name != "fields" {
            passing.push((name, value));
            continue;
        }
        let fields = value.split(',').map(str::trim).filter(|field| FIELDS.contains(field));
        let fields: Vec<&str> = fields.collect();
        // Without any, Meta would tell what it pleases.
        let fields = if fields.is_empty() {
            "id".to_owned()
        } else {
            fields.join(",")
        };
        passing.push((name, fields));
    }
    Ok(passing)
}

const fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || matches!(byte, b'_' | b',' | b' ' | b'0'..=b'9')
}

#[cfg(test)]
mod tests {
    use dakghar_core::domain::steering::steers;

    use super::*;

    #[test]
    fn nothing_that_leads_elsewhere_passes() {
        let one = |name: &str, value: &str| passing(vec![(name.to_owned(), value.to_owned())]);
        for (name, value) in [
            ("method", "delete"),
            ("ids", "1,2"),
            ("batch", "[]"),
            ("fields", "phone_numbers{display_phone_number}"),
            ("fields", "id,throughput.limit(1)"),
            ("summary", "total_count{x}"),
            ("access_token", "x"),
        ] {
            assert_eq!(one(name, value), Err(name.to_owned()), "{name}={value}");
        }
        for (name, value, passed) in [
            ("fields", "id, verified_name,owner_business_info", "id,verified_name"),
            ("fields", "owner_business_info", "id"),
            ("limit", "7", "7"),
            ("after", "QVE=", "QVE="),
        ] {
            assert_eq!(
                one(name, value),
                Ok(vec![(name.to_owned(), passed.to_owned())]),
                "{name}={value}"
            );
        }
        for edge in [
            "register",
            "deregister",
            "subscribed_apps",
            "messages",
            "assigned_users",
            "flows",
        ] {
            for of in [Of::Number, Of::Account, Of::Media] {
                assert_eq!(find(of, Some(edge), &Method::POST), None, "{edge}");
            }
        }
        // Of the names that may make another request of one only those pass whose values are looked at.
        let steering: Vec<&str> = PARAMETERS.into_iter().filter(|name| steers(name)).collect();
        assert_eq!(steering, ["fields", "summary"]);
        assert_eq!(find(Of::Number, None, &Method::DELETE), None);
        assert_eq!(
            find(Of::Media, None, &Method::DELETE),
            Some((PassedMethod::Delete, Scope::Send))
        );
    }
}
