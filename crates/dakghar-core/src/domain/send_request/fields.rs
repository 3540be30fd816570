//! The fields of a request, by name. Dakghar's own are camelCase. Where Meta or the first clients had a name in
//! snake_case, both name the same field.

use super::super::problem::{ErrorCode, Problem};
use super::findings::{At, Findings};
use super::json::{Member, Node};
use super::pointer::escape_segment;

/// A field that is not the message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    To,
    From,
    Type,
    MessagingProduct,
    IdempotencyKey,
    SendAt,
    ExpiresAt,
    Priority,
    Metadata,
    ClientOpaque,
    UnknownOutcome,
    Recipient,
    RecipientType,
    Context,
    IdentityKeyHash,
    MessagingAccountId,
    Category,
    DirectSendConfig,
    TtlSeconds,
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "to" => Self::To,
            "from" => Self::From,
            "type" => Self::Type,
            "messaging_product" | "messagingProduct" => Self::MessagingProduct,
            "idempotency_key" | "idempotencyKey" => Self::IdempotencyKey,
            "sendAt" => Self::SendAt,
            "expiresAt" => Self::ExpiresAt,
            "priority" => Self::Priority,
            "metadata" => Self::Metadata,
            "biz_opaque_callback_data" | "bizOpaqueCallbackData" => Self::ClientOpaque,
            "unknownOutcome" => Self::UnknownOutcome,
            "recipient" => Self::Recipient,
            "recipient_type" | "recipientType" => Self::RecipientType,
            "context" => Self::Context,
            "recipient_identity_key_hash" | "recipientIdentityKeyHash" => Self::IdentityKeyHash,
            "messaging_account_id" | "messagingAccountId" => Self::MessagingAccountId,
            "category" => Self::Category,
            "direct_send_config" | "directSendConfig" => Self::DirectSendConfig,
            "ttl_seconds" | "ttlSeconds" => Self::TtlSeconds,
            _ => return None,
        })
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

/// The body's fields, sorted by purpose. A field that is null counts as absent.
pub(super) struct Fields<'b> {
    named: Vec<(Field, &'b Member<'b>)>,
    /// Fields that only make sense as the object of a message type.
    objects: Vec<&'b Member<'b>>,
}

impl<'b> Fields<'b> {
    /// Sorts the members. A field in two spellings counts as given twice.
    pub(super) fn sort(members: &'b [Member<'b>]) -> Result<Self, Problem> {
        let mut fields = Self {
            named: Vec::with_capacity(members.len()),
            objects: Vec::with_capacity(1),
        };
        for member in members {
            let Some(field) = Field::named(&member.name) else {
                fields.objects.push(member);
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
        self.objects
            .iter()
            .copied()
            .find(|member| member.name == kind && member.node != Node::Null)
    }

    /// Notes every field that has no place in a message of this type.
    pub(super) fn refuse_others(&self, kind: Option<&str>, findings: &mut Findings) {
        for member in &self.objects {
            let name = member.name.as_ref();
            let is_known_kind = KINDS.contains(&name);
            if kind == Some(name) || is_known_kind && (kind.is_none() || member.node == Node::Null) {
                continue;
            }
            if is_known_kind {
                findings.add(
                    ErrorCode::TypeMismatch,
                    &At::field(name),
                    "belongs to a message of another type",
                );
            } else {
                findings.add(
                    ErrorCode::UnknownField,
                    &At::field(name),
                    "is not a known field of a message",
                );
            }
        }
    }

    /// True if the name is taken by a field, so that it cannot be a message type.
    pub(super) fn is_reserved(name: &str) -> bool {
        Field::named(name).is_some()
    }
}
