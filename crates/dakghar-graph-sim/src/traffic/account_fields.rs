//! Fields that name the account alone, or a number of it as people write one.

use serde_json::{Value, json};

use super::kind::Kind;
use super::maker::Maker;

pub(super) const KINDS: &[Kind] = &[
    Kind::of_account("template_status", "message_template_status_update", |m| {
        let mut value = template(m);
        value["event"] = json!(m.one_of(&[
            "APPROVED",
            "REJECTED",
            "PAUSED",
            "DISABLED",
            "PENDING_DELETION",
            "FLAGGED"
        ]));
        value["reason"] = json!("NONE");
        value["other_info"] = json!({"title": "FIRST_PAUSE", "description": m.words("paused")});
        value["disable_info"] = json!({"disable_date": m.seconds()});
        value["rejection_info"] = json!({"reason": m.words("why"), "recommendation": m.words("how to mend it")});
        value
    }),
    Kind::of_account("template_quality", "message_template_quality_update", |m| {
        let mut value = template(m);
        value["previous_quality_score"] = json!("GREEN");
        value["new_quality_score"] = json!(m.one_of(&["YELLOW", "RED", "UNKNOWN"]));
        value
    }),
    Kind::of_account("template_components", "message_template_components_update", |m| {
        let mut value = template(m);
        value["message_template_element"] = json!(m.words("body"));
        value["message_template_title"] = json!(m.words("title"));
        value["message_template_footer"] = json!(m.words("footer"));
        value["message_template_buttons"] = json!([{"message_template_button_type": "URL",
            "message_template_button_text": m.words("open"), "message_template_button_url": "https://shop.example/"}]);
        value
    }),
    Kind::of_account("template_category", "template_category_update", |m| {
        let mut value = template(m);
        value["previous_category"] = json!("UTILITY");
        value["new_category"] = json!("MARKETING");
        value["correct_category"] = json!("MARKETING");
        value
    }),
    Kind::of_account("number_quality", "phone_number_quality_update", |m| {
        of_display_number(
            m,
            json!({"event": "THROUGHPUT_UPGRADE", "old_limit": "TIER_2K", "current_limit": "TIER_10K",
            "max_daily_conversations_per_business": "TIER_UNLIMITED"}),
        )
    }),
    Kind::of_account("number_name", "phone_number_name_update", |m| {
        let name = m.words("Shop");
        let reason = m.words("NAME_NOT_CLEAR");
        of_display_number(
            m,
            json!({"decision": "REJECTED", "requested_verified_name": name, "rejection_reason": reason}),
        )
    }),
    Kind::of_account("username", "business_username_updates", |m| {
        let username = m.id("shop.");
        of_display_number(m, json!({"username": username, "status": "approved"}))
    }),
    Kind::of_account("security", "security", |m| {
        let event = m.one_of(&["PIN_CHANGED", "PIN_RESET_REQUEST", "PIN_RESET_SUCCESS"]);
        let requester = m.id("requester");
        of_display_number(m, json!({"event": event, "requester": requester}))
    }),
    Kind::of_account("account_settings_update", "account_settings_update", |m| {
        json!({"messaging_product": "whatsapp", "timestamp": m.timestamp(), "type": "phone_number_settings",
            "phone_number_settings": {"phone_number_id": m.number().phone_number_id.clone(),
                "calling": {"status": "ENABLED", "note": m.words("calling")}}})
    }),
    Kind::of_account("account_event", "account_update", |m| {
        let event = m.one_of(&[
            "ACCOUNT_DELETED",
            "ACCOUNT_OFFBOARDED",
            "ACCOUNT_RECONNECTED",
            "AUTH_INTL_PRICE_ELIGIBILITY_UPDATE",
            "BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE",
            "VOLUME_BASED_PRICING_TIER_UPDATE",
            "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE",
        ]);
        json!({"event": event, "country": "BD", "note": m.words("account")})
    }),
    Kind::of_account(
        "account_violation",
        "account_update",
        |m| json!({"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": m.words("SPAM")}}),
    ),
    Kind::of_account("account_restriction", "account_update", |m| {
        json!({"event": "ACCOUNT_RESTRICTION", "restriction_info": [
            {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": m.seconds(),
                "remediation": m.words("wait")},
            {"restriction_type": "RESTRICTED_ADD_PHONE_NUMBER_ACTION", "expiration": m.seconds()}]})
    }),
    Kind::of_account("account_ban", "account_update", |m| {
        let state = m.one_of(&["SCHEDULE_FOR_DISABLE", "DISABLE", "REINSTATE"]);
        json!({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state, "waba_ban_date": m.words("on")}})
    }),
    Kind::of_account("partner_event", "account_update", |m| {
        let event = m.one_of(&[
            "PARTNER_ADDED",
            "PARTNER_APP_INSTALLED",
            "PARTNER_APP_UNINSTALLED",
            "PARTNER_REMOVED",
            "AD_ACCOUNT_LINKED",
            "MM_LITE_TERMS_SIGNED",
        ]);
        json!({"event": event, "waba_info": {"waba_id": m.number().waba_id.clone(), "owner_business_id": m.id("biz")},
            "disconnection_info": {"reason": "CHANGE_NUMBER", "initiated_by": "USER"}})
    }),
    Kind::of_account(
        "account_review",
        "account_review_update",
        |m| json!({"decision": m.one_of(&["APPROVED", "REJECTED", "PENDING"]), "note": m.words("review")}),
    ),
    Kind::of_account("account_alert", "account_alerts", |m| {
        json!({"entity_type": "WABA", "entity_id": m.number().waba_id.clone(), "alert_severity": "WARNING",
            "alert_status": "ACTIVE", "alert_type": "OBA_APPROVED", "alert_description": m.words("alert")})
    }),
    Kind::of_account("business_capability", "business_capability_update", |m| {
        json!({"max_daily_conversations_per_business": 2_000 + m.below(1_000), "max_phone_numbers_per_business": 20,
            "max_phone_numbers_per_waba": 10, "max_daily_conversation_per_phone": -1})
    }),
    Kind::of_account("flow", "flows", |m| {
        json!({"event": m.one_of(&["FLOW_STATUS_CHANGE", "ENDPOINT_ERROR_RATE", "ENDPOINT_LATENCY"]),
            "message": m.words("flow"), "flow_id": m.id("flow"), "old_status": "DRAFT", "new_status": "PUBLISHED",
            "alert_state": "ACTIVATED", "error_rate": 14.28, "errors": [{"error_type": "TIMEOUT", "error_count": 1}]})
    }),
    Kind::of_account("payment_configuration", "payment_configuration_update", |m| {
        json!({"configuration_name": m.words("pay"), "provider_name": "razorpay", "provider_mid": m.id("mid"),
            "status": "Needs Testing", "created_timestamp": m.seconds(), "updated_timestamp": m.seconds()})
    }),
    Kind::of_account(
        "partner_solution",
        "partner_solutions",
        |m| json!({"event": "SOLUTION_UPDATED", "solution_id": m.id("solution"), "solution_status": "ACTIVE"}),
    ),
    Kind::of_account(
        "whatsapp_account",
        "whatsapp_account",
        |m| json!({"event": "WAAC_CREATED", "waac_id": m.id("waac"), "note": m.words("new model")}),
    ),
    Kind::of_account(
        "unknown_field_of_an_account",
        "crystal_ball",
        |m| json!({"sees": [m.words("rain"), [m.words("sun")]], "sure": false}),
    ),
];

fn template(m: &mut Maker) -> Value {
    // Ids of templates are numbers here and texts in the API.
    json!({"message_template_id": 1_689_556_908_129_000_u64 + m.below(1_000), "message_template_name": m.id("order_"),
        "message_template_language": m.one_of(&["en-US", "bn", "pt-BR"]), "message_template_category": "UTILITY"})
}

fn of_display_number(m: &Maker, mut value: Value) -> Value {
    value["display_phone_number"] = json!(m.number().display_phone_number);
    value
}
