//! The fields of a request, by name. Dakghar's own are camelCase. Where Meta or the first clients had a name in
//! snake_case, both name the same field.

use super::super::problem::{ErrorCode, Problem};
use super::findings::{At, Findings};
use super::json::{Member, Node};
use super::pointer::escape_segment;
use super::resembling::resembling;

/// A field that is not the message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    To,
    From,
    Type,
    Raw,
    MessagingProduct,
    IdempotencyKey,
    SendAt,
    ExpiresAt,
    Priority,
    Metadata,
    ClientOpaque,
    UnknownOutcome,
    Marketing,
    RequireOpenWindow,
    Recipient,
    RecipientType,
    Context,
    IdentityKeyHash,
    MessagingAccountId,
    Category,
    DirectSendConfig,
    TtlSeconds,
    ProductPolicy,
    ActivitySharing,
}

/// Every name, and its field. Where a field has two names, Meta's comes first.
const NAMES: [(&str, Field); 34] = [
    ("to", Field::To),
    ("from", Field::From),
    ("type", Field::Type),
    ("raw", Field::Raw),
    ("messaging_product", Field::MessagingProduct),
    ("messagingProduct", Field::MessagingProduct),
    ("idempotency_key", Field::IdempotencyKey),
    ("idempotencyKey", Field::IdempotencyKey),
    ("sendAt", Field::SendAt),
    ("expiresAt", Field::ExpiresAt),
    ("priority", Field::Priority),
    ("metadata", Field::Metadata),
    ("biz_opaque_callback_data", Field::ClientOpaque),
    ("bizOpaqueCallbackData", Field::ClientOpaque),
    ("unknownOutcome", Field::UnknownOutcome),
    ("marketing", Field::Marketing),
    ("requireOpenWindow", Field::RequireOpenWindow),
    ("recipient", Field::Recipient),
    ("recipient_type", Field::RecipientType),
    ("recipientType", Field::RecipientType),
    ("context", Field::Context),
    ("recipient_identity_key_hash", Field::IdentityKeyHash),
    ("recipientIdentityKeyHash", Field::IdentityKeyHash),
    ("messaging_account_id", Field::MessagingAccountId),
    ("messagingAccountId", Field::MessagingAccountId),
    ("category", Field::Category),
    ("direct_send_config", Field::DirectSendConfig),
    ("directSendConfig", Field::DirectSendConfig),
    ("ttl_seconds", Field::TtlSeconds),
    ("ttlSeconds", Field::TtlSeconds),
    ("product_policy", Field::ProductPolicy),
    ("productPolicy", Field::ProductPolicy),
    ("message_activity_sharing", Field::ActivitySharing),
    ("messageActivitySharing", Field::ActivitySharing),
];

impl Field {
    fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }

    /// True if it stays here: it says how the message is handled, and Meta never sees it.
    const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::From
                | Self::IdempotencyKey
                | Self::SendAt
                | Self::ExpiresAt
                | Self::Priority
                | Self::Metadata
                | Self::UnknownOutcome
                | Self::Marketing
                | Self::RequireOpenWindow
                | Self::Raw
        )
    }
}

/// Meta's message types that we know. Their names cannot be fields of a message of another type.
pub(super) const KINDS: [&str; 12] = [
    "text",
    "template",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "interactive",
    "reaction",
    "location",
    "contacts",
    "pin",
];

/// The most fields that only Meta may know. Its own messages have a dozen at most.
const UNKNOWN_MAX: usize = 32;

/// The body's fields, sorted by purpose. A field that is null counts as absent.
pub(super) struct Fields<'b> {
    named: Vec<(Field, &'b Member<'b>)>,
    /// All others: the object of the message's type, and what Meta may know.
    others: Vec<&'b Member<'b>>,
}

impl<'b> Fields<'b> {
    /// Sorts the members. A field in two spellings counts as given twice.
    pub(super) fn sort(members: &'b [Member<'b>]) -> Result<Self, Problem> {
        let mut fields = Self {
            named: Vec::with_capacity(members.len()),
            others: Vec::with_capacity(1),
        };
        for member in members {
            let Some(field) = Field::named(&member.name) else {
                fields.others.push(member);
                continue;
            };
            if member.node == Node::Null {
                continue;
            }
            // Two equal idempotency keys are fine; they are checked together with the header.
            if field != Field::IdempotencyKey && fields.get(field).is_some() {
                return Err(Problem::field(
                    ErrorCode::DuplicateField,
                    format!("/{}", escape_segment(&member.name)),
                    "is given twice, in two spellings",
                ));
            }
            fields.named.push((field, member));
        }
        Ok(fields)
    }

    pub(super) fn get(&self, field: Field) -> Option<&'b Member<'b>> {
        self.all(field).next()
    }

    pub(super) fn all(&self, field: Field) -> impl Iterator<Item = &'b Member<'b>> {
        self.named
            .iter()
            .filter(move |(other, _)| *other == field)
            .map(|(_, member)| *member)
    }

    /// Returns the object of that type.
    pub(super) fn object(&self, kind: &str) -> Option<&'b Member<'b>> {
        self.others
            .iter()
            .copied()
            .find(|member| member.name == kind && member.node != Node::Null)
    }

    /// The fields beside the object of the type that only Meta may know, by name.
    pub(super) fn unknown(&self, kind: &str) -> Vec<&'b Member<'b>> {
        let others = self.others.iter().copied();
        let mut unknown: Vec<_> = others
            .filter(|member| member.name != kind && !is_absent_kind(member))
            .collect();
        unknown.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        unknown
    }

    /// Notes every field that has no place in a message of this type, or is likely one of ours with a mistake in its name.
    pub(super) fn refuse_others(&self, kind: Option<&str>, findings: &mut Findings) {
        if let Some(member) = self.others.get(UNKNOWN_MAX) {
            let at = At::field(&member.name);
            findings.add(ErrorCode::UnknownField, &at, "is one field too many that is not known");
        }
        for member in self.others.iter().take(UNKNOWN_MAX) {
            let name = member.name.as_ref();
            let at = At::field(name);
            let is_known_kind = KINDS.contains(&name);
            if kind == Some(name) || is_known_kind && (kind.is_none() || member.node == Node::Null) {
                continue;
            }
            if is_known_kind {
                findings.add(ErrorCode::TypeMismatch, &at, "belongs to a message of another type");
            } else if name.trim().is_empty() {
                findings.add(ErrorCode::UnknownField, &at, "has no name");
            } else if let Some(meant) = resembling(name, NAMES.iter().map(|(name, _)| *name).chain(KINDS)) {
                findings.add(
                    ErrorCode::UnknownField,
                    &at,
                    format!("is not known; did you mean {meant}?"),
                );
            }
        }
    }

    /// Notes every field of the message itself beside a `raw` one, which has them all.
    pub(super) fn refuse_message(&self, findings: &mut Findings) {
        let named = self.named.iter().filter(|(field, _)| !field.is_ours());
        let members = named.map(|(_, member)| *member).chain(self.others.iter().copied());
        for member in members.filter(|member| member.node != Node::Null) {
            let at = At::field(&member.name);
            findings.add(
                ErrorCode::TypeMismatch,
                &at,
                "belongs into raw, beside which only options stand",
            );
        }
    }

    /// Notes every option inside of a `raw` message, which goes to Meta as it is.
    pub(super) fn refuse_options(&self, findings: &mut Findings) {
        for (field, member) in &self.named {
            if field.is_ours() {
                let at = At::field(&member.name);
                findings.add(
                    ErrorCode::TypeMismatch,
                    &at,
                    "belongs beside raw: Meta knows no such field",
                );
            }
        }
    }

    /// True if the name is taken by a field, so that it cannot be a message type.
    pub(super) fn is_reserved(name: &str) -> bool {
        Field::named(name).is_some()
    }
}

/// True for the object of a type that is null, which counts as absent.
fn is_absent_kind(member: &Member<'_>) -> bool {
    member.node == Node::Null && KINDS.contains(&member.name.as_ref())
}
