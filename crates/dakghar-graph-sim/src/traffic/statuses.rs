//! What became of messages that were sent.

use serde_json::{Value, json};

use super::kind::Kind;
use super::maker::Maker;
use super::part::Part;

pub(super) const KINDS: &[Kind] = &[
    Kind::status("status_sent", |_| json!({"status": "sent"})),
    Kind::status("status_delivered", |_| json!({"status": "delivered"})),
    Kind::status(
        "status_read",
        |m| json!({"status": "read", "pricing": pricing(m, "regular", "service")}),
    ),
    Kind::status("status_played", |_| json!({"status": "played"})),
    Kind::status("status_priced", |m| {
        let kind = m.one_of(&[
            "regular",
            "free_customer_service",
            "free_entry_point",
            "free_group_customer_service",
        ]);
        let categories = [
            "marketing",
            "marketing_lite",
            "utility",
            "authentication",
            "authentication-international",
            "service",
            "referral_conversion",
        ];
        let category = m.one_of(&categories);
        json!({"status": m.one_of(&["sent", "delivered", "read"]), "pricing": pricing(m, kind, category)})
    }),
    Kind::status("status_of_conversation", |m| {
        json!({"status": "sent", "pricing": pricing(m, "free_entry_point", "referral_conversion"),
            "conversation": {"id": m.id("conversation"), "expiration_timestamp": m.timestamp(),
                "origin": {"type": "referral_conversion"}}})
    }),
    Kind::status("status_failed", |m| {
        let codes = [131_026, 131_047, 131_049, 131_050, 130_472, 131_053, 132_015, 130_497];
        let first = codes[usize::try_from(m.below(codes.len() as u64)).unwrap_or(0)];
        json!({"status": "failed", "errors": [error(m, first), error(m, 131_000)]})
    }),
    Kind::status("status_deleted", |_| json!({"status": "deleted"})),
    Kind::status(
        "status_warning",
        |m| json!({"status": "warning", "errors": [error(m, 131_049)]}),
    ),
    Kind::status(
        "status_unknown",
        |m| json!({"status": "teleported", "gate": m.words("gate")}),
    ),
    Kind::status(
        "status_of_a_hidden_number",
        |m| json!({"status": "delivered", "recipient_id": null, "recipient_parent_user_id": m.id("US.ENT.")}),
    ),
    Kind::status(
        "status_with_identity",
        |m| json!({"status": "delivered", "recipient_identity_key_hash": m.id("hash")}),
    ),
    Kind::status("status_of_a_payment", |m| {
        json!({"status": m.one_of(&["captured", "failed", "pending"]), "type": "payment", "payment": {
            "reference_id": m.id("order"), "amount": {"value": 21_000, "offset": 100}, "currency": "INR",
            "transaction": {"id": m.id("txn"), "type": "upi", "status": "success"}}})
    }),
    Kind::parts("status_of_a_group", "messages", of_a_group),
    Kind::parts("errors_of_a_number", "messages", |m| {
        vec![Part::Element {
            list: "errors",
            element: error(m, 131_031),
            contact: None,
        }]
    }),
];

/// One status for each participant, together.
fn of_a_group(m: &mut Maker) -> Vec<Part> {
    let sent = m.sent();
    let id = sent.as_ref().map_or_else(|| m.wamid(), |sent| sent.wamid.clone());
    let group = format!("Y2FwaV9ncm91cDox{}", m.below(5));
    let participants = 2 + m.below(4);
    let of_one = |n| {
        let own = json!({"id": id, "status": m.one_of(&["sent", "delivered", "read"]), "recipient_type": "group",
            "recipient_id": group, "recipient_participant_id": format!("1650555{n:04}"),
            "recipient_participant_user_id": m.id("US.")});
        m.status_of(sent.clone(), own)
    };
    (0..participants).map(of_one).collect()
}

fn pricing(m: &mut Maker, kind: &str, category: &str) -> Value {
    json!({"billable": m.roll(0.5), "pricing_model": m.one_of(&["PMP", "CBP"]), "type": kind, "category": category})
}

pub(super) fn error(m: &mut Maker, code: u32) -> Value {
    json!({"code": code, "title": m.words("title"), "message": m.words("message"),
        "error_data": {"details": m.words("details")}, "href": "https://developers.example/docs/"})
}
