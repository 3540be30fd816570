//! The fields of Meta's envelope that a client may set. They are checked, and passed on under Meta's names.

use std::sync::Arc;

use super::super::ids::{MessageId, WabaId, Wamid};
use super::super::problem::ErrorCode;
use super::super::steering::{names_subject, steers};
use super::fields::{Field, Fields};
use super::findings::{At, Findings};
use super::json::{Member, Node, Number};

/// The fields passed on, in this order.
const PASSED_ON: [(Field, &str); 10] = [
    (Field::Context, "context"),
    (Field::RecipientType, "recipient_type"),
    (Field::Recipient, "recipient"),
    (Field::IdentityKeyHash, "recipient_identity_key_hash"),
    (Field::MessagingAccountId, "messaging_account_id"),
    (Field::Category, "category"),
    (Field::DirectSendConfig, "direct_send_config"),
    (Field::TtlSeconds, "ttl_seconds"),
    (Field::ProductPolicy, "product_policy"),
    (Field::ActivitySharing, "message_activity_sharing"),
];
const IDENTITY_KEY_HASH_CHARS_MAX: usize = 256;
const CATEGORY_CHARS_MAX: usize = 64;
/// Meta drops an undelivered message after 30 days in any case.
const TTL_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;
const NO_PART_OF_A_MESSAGE: &str = "is no part of a message: it would change what Meta is asked";

/// The fields to pass on, by Meta's names.
pub(super) type Envelope<'b> = Vec<(&'b str, &'b Member<'b>)>;

/// Checks the fields that we know, and adds those that only Meta may know. `to` wins over `recipient`, as it does at Meta,
/// so only one of them is passed on. The fields of a `raw` message are not checked.
pub(super) fn read<'b>(fields: &Fields<'b>, kind: &str, is_raw: bool, findings: &mut Findings) -> Envelope<'b> {
    if let Some(member) = fields.get(Field::MessagingProduct)
        && member.node.as_text() != Some("whatsapp")
    {
        let at = At::field(&member.name);
        findings.add(ErrorCode::InvalidField, &at, "must be whatsapp");
    }
    let has_to = fields.get(Field::To).is_some();
    let mut envelope = Envelope::new();
    for (field, name) in PASSED_ON {
        if let Some(member) = fields.get(field)
            && !(field == Field::Recipient && has_to)
        {
            if !is_raw || field == Field::RecipientType {
                check(field, member, findings);
            }
            envelope.push((name, member));
        }
    }
    if is_no_part_of_a_message(kind) {
        findings.add(ErrorCode::InvalidType, &At::field("type"), NO_PART_OF_A_MESSAGE);
    }
    for member in fields.unknown(kind) {
        if is_no_part_of_a_message(&member.name) {
            findings.add(ErrorCode::UnknownField, &At::field(&member.name), NO_PART_OF_A_MESSAGE);
        } else {
            envelope.push((&*member.name, member));
        }
    }
    envelope
}

/// True for a name that would make another request of the message. Other names that only Meta may know pass on.
fn is_no_part_of_a_message(name: &str) -> bool {
    steers(name) || names_subject(name)
}

/// True if the fields say that the message is marketing: by Meta's name of the category, or by an option that only Meta's
/// endpoint for marketing has.
pub(super) fn is_marketing(kind: &str, envelope: &Envelope<'_>) -> bool {
    envelope.iter().any(|(name, member)| match *name {
        "category" => (member.node.as_text()).is_some_and(|category| category.eq_ignore_ascii_case("marketing")),
        "product_policy" | "message_activity_sharing" => kind == "template",
        _ => false,
    })
}

/// Returns the fields as one JSON object, each value as the client wrote it.
pub(super) fn to_json(envelope: &Envelope<'_>) -> Option<Arc<str>> {
    if envelope.is_empty() {
        return None;
    }
    let mut json = String::from("{");
    for (name, member) in envelope {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&serde_json::to_string(name).expect("a text always has a JSON form"));
        json.push(':');
        json.push_str(member.raw);
    }
    json.push('}');
    Some(json.into())
}

fn check(field: Field, member: &Member<'_>, findings: &mut Findings) {
    let (node, at) = (&member.node, At::field(&member.name));
    let mut check = findings.check(ErrorCode::InvalidField);
    match field {
        Field::Context => check_context(node, &at, findings),
        Field::RecipientType if !matches!(node.as_text(), Some("individual" | "group")) => {
            check.refuse(&at, "must be individual or group");
        }
        Field::IdentityKeyHash => {
            check.as_text(node, &at, IDENTITY_KEY_HASH_CHARS_MAX);
        }
        Field::MessagingAccountId if node.as_text().is_none_or(|text| WabaId::parse(text).is_err()) => {
            check.refuse(&at, "must be an account id, as a text of digits");
        }
        Field::Category => {
            check.as_text(node, &at, CATEGORY_CHARS_MAX);
        }
        Field::DirectSendConfig => {
            check.is_object(node, &at);
        }
        Field::TtlSeconds if !matches!(node, Node::Number(Number::Natural(seconds)) if (1..=TTL_SECONDS_MAX).contains(seconds)) =>
        {
            check.refuse(&at, "must be a whole number of seconds from 1 to 2,592,000");
        }
        Field::ProductPolicy if !matches!(node.as_text(), Some("CLOUD_API_FALLBACK" | "STRICT")) => {
            check.refuse(&at, "must be CLOUD_API_FALLBACK or STRICT");
        }
        Field::ActivitySharing if !matches!(node, Node::Bool(_)) => check.refuse(&at, "must be true or false"),
        // `recipient` is checked with `to`; the rest needs no check.
        _ => {}
    }
}

fn check_context(node: &Node<'_>, at: &At<'_>, findings: &mut Findings) {
    let mut check = findings.check(ErrorCode::InvalidContext);
    if check.is_object(node, at)
        && let Some(id) = check.member(node, "message_id", at)
        && !is_wamid(id)
    {
        check.refuse(&at.name("message_id"), "must be Meta's id of a message, wamid.…");
    }
}

/// True for Meta's id of a message, and for the one that we gave in its place.
pub(super) fn is_wamid(node: &Node<'_>) -> bool {
    node.as_text().is_some_and(|text| {
        let is_ours = text.starts_with(Wamid::GATEWAY_PREFIX);
        text.starts_with("wamid.")
            && Wamid::parse(text).is_ok()
            && (!is_ours || MessageId::of_gateway_id(text).is_some())
    })
}
