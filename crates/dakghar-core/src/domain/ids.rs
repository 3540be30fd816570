//! Identifiers. Ours are a prefix and 26 base32 characters of a `UUIDv7`, so they sort by time. Meta's are opaque text,
//! with the few rules that keep them safe as keys.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// The text is not an identifier of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct InvalidId(pub &'static str);

/// Crockford's alphabet, without i, l, o and u. Its order is the order of the bits.
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_CHARS: usize = 26;

fn encode(value: u128) -> [u8; SUFFIX_CHARS] {
    let mut out = [0; SUFFIX_CHARS];
    for (i, slot) in out.iter_mut().enumerate() {
        let shift = 5 * (SUFFIX_CHARS - 1 - i);
        *slot = BASE32[usize::try_from((value >> shift) & 31).expect("five bits fit")];
    }
    out
}

fn decode(text: &str) -> Option<u128> {
    // 26 characters hold 130 bits; the first may use only three of its five.
    if text.len() != SUFFIX_CHARS || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0u128, |value, byte| {
        let digit = BASE32.iter().position(|c| *c == byte)?;
        Some((value << 5) | digit as u128)
    })
}

macro_rules! own_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes the id of this kind that carries `uuid`.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the 128 bits behind the text form.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// Reads the text form. Accepts only the exact lower-case spelling that this type prints.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(|bits| Self(Uuid::from_u128(bits)))
                    .ok_or(InvalidId(stringify!($name)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let suffix = encode(self.0.as_u128());
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(std::str::from_utf8(&suffix).expect("the alphabet is ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

own_id!(
    /// A customer of the operator; owns numbers, messages and everything below. `ten_…`
    TenantId, "ten"
);
own_id!(
    /// Our id of a message, given at acceptance, in both directions. `msg_…`, sorts by time of acceptance.
    MessageId, "msg"
);
own_id!(
    /// Our id of a conversation between a business number and a person. `cnv_…`, derived from the pair.
    ConversationId, "cnv"
);
own_id!(
    /// Our id of a person who wrote to a tenant, or was written to. `per_…`, that of their first conversation.
    PersonId, "per"
);
own_id!(
    /// Our id of a webhook event that is neither a message nor a status we could place. `evt_…`
    EventId, "evt"
);
own_id!(
    /// The id of an entry in a feed. `ent_…`, derived from what it tells of.
    EntryId, "ent"
);
own_id!(
    /// Our id of an endpoint: where a tenant wants its callbacks. `end_…`
    EndpointId, "end"
);
own_id!(
    /// Our id of an API key. `key_…`
    ApiKeyId, "key"
);
own_id!(
    /// Our id of a replay of callbacks. `rpl_…`, sorts by the time it was asked for.
    ReplayId, "rpl"
);
own_id!(
    /// Our id of a log of attempts to deliver callbacks. `log_…`, sorts by the time it was noted.
    AttemptLogId, "log"
);
own_id!(
    /// Our id of a redrive of dead letters. `rdr_…`, sorts by the time it was begun.
    RedriveId, "rdr"
);
own_id!(
    /// Our id of the erasure of a person. `ers_…`, sorts by the time it was asked for.
    ErasureId, "ers"
);
own_id!(
    /// Our id of a signup: how a number of a tenant was connected. `sgn_…`, sorts by the time it was asked for.
    SignupId, "sgn"
);
own_id!(
    /// Our id of a departure: how a tenant, or some of its numbers, left. `dep_…`, sorts by the time it was asked for.
    DepartureId, "dep"
);

own_id!(
    /// Our id of a record of the audit log. `aud_…`
    AuditId, "aud"
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads the text as this kind of id. Fails if it cannot be one.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(InvalidId(stringify!($name))) }
            }

            /// Returns the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_id!(
    /// Meta's id of a business number: 1 to 20 digits. The routing key in both directions.
    PhoneNumberId,
    |s| (1..=20).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit())
);
text_id!(
    /// Meta's id of a WhatsApp Business Account (since 2026 also "Messaging Account"): 1 to 32 digits.
    WabaId,
    |s| (1..=32).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit())
);
text_id!(
    /// Meta's id of an app: 1 to 32 digits.
    AppId,
    |s| (1..=32).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit())
);
text_id!(
    /// Meta's id of a login configuration for Embedded Signup, which belongs to one app: 1 to 32 digits.
    SignupConfigId,
    |s| (1..=32).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit())
);
text_id!(
    /// The other end of a conversation: a phone number in digits (no `+`), a business-scoped user id, or a group id. 1
    /// to 256 printable ASCII characters.
    WaId,
    |s| (1..=256).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_graphic())
);
text_id!(
    /// Meta's id of a message, known after sending. 1 to 512 printable ASCII characters; usually `wamid.…`.
    Wamid,
    |s| (1..=512).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_graphic())
);
text_id!(
    /// The client's key for one send: 1 to 255 printable ASCII characters. Same key, same tenant, same answer.
    IdempotencyKey,
    |s| (1..=255).contains(&s.len()) && s.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
);

impl Wamid {
    /// Prefix of the wamids of simulated sends, whose tokens start with `mock_`.
    pub const MOCK_PREFIX: &'static str = "wamid.mock.";

    /// Prefix of the ids that stand for messages of ours where clients expect a wamid; behind it is our own id.
    pub const GATEWAY_PREFIX: &'static str = "wamid.dakghar.";

    /// True if the send was simulated: the message never went to Meta.
    pub fn is_mock(&self) -> bool {
        self.0.starts_with(Self::MOCK_PREFIX)
    }

    /// Returns the gateway id of a message, under which clients may name it before Meta has given it a wamid.
    pub fn of_gateway(message_id: MessageId) -> Self {
        Self(format!("{}{message_id}", Self::GATEWAY_PREFIX).into())
    }
}

impl MessageId {
    /// Reads the text of a gateway id. `None` for everything else, also for ids of Meta's.
    pub fn of_gateway_id(text: &str) -> Option<Self> {
        Self::parse(text.strip_prefix(Wamid::GATEWAY_PREFIX)?).ok()
    }

    /// Reads the id in either form: ours, or the gateway id that stands for it.
    pub fn parse_either(text: &str) -> Result<Self, InvalidId> {
        Self::of_gateway_id(text).map_or_else(|| Self::parse(text), Ok)
    }
}

/// A message together with its owner. No message is ever looked up without its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    /// The owner.
    pub tenant_id: TenantId,
    /// The message.
    pub message_id: MessageId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_ids_round_trip_and_sort_like_their_bits() {
        let low = MessageId::from_uuid(Uuid::from_u128(1));
        let high = MessageId::from_uuid(Uuid::from_u128(u128::MAX));
        assert_eq!(low.to_string(), "msg_00000000000000000000000001");
        assert_eq!(high.to_string(), "msg_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert!(low.to_string() < high.to_string());
        for id in [low, high] {
            assert_eq!(MessageId::parse(&id.to_string()), Ok(id));
        }
    }

    #[test]
    fn own_ids_refuse_everything_else() {
        for text in [
            "",
            "msg_",
            "ten_00000000000000000000000001",
            "msg_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "msg_0000000000000000000000000I",
            "msg_0000000000000000000000001",
            "MSG_00000000000000000000000001",
        ] {
            assert_eq!(MessageId::parse(text), Err(InvalidId("MessageId")), "{text}");
        }
    }

    #[test]
    fn gateway_ids_stand_for_messages_and_nothing_else_does() {
        let id = MessageId::from_uuid(Uuid::from_u128(7));
        let gateway = Wamid::of_gateway(id);
        assert_eq!(gateway.as_str(), "wamid.dakghar.msg_00000000000000000000000007");
        assert_eq!(MessageId::of_gateway_id(gateway.as_str()), Some(id));
        for text in [gateway.as_str(), "msg_00000000000000000000000007"] {
            assert_eq!(MessageId::parse_either(text), Ok(id), "{text}");
        }
        for text in [
            "wamid.x",
            "wamid.dakghar.",
            "wamid.dakghar.ten_00000000000000000000000007",
            "",
        ] {
            assert_eq!(MessageId::of_gateway_id(text), None, "{text}");
            assert!(MessageId::parse_either(text).is_err(), "{text}");
        }
    }

    #[test]
    fn phone_number_ids_are_digits() {
        assert!(PhoneNumberId::parse("111111111111111").is_ok());
        for text in ["", "12a", "1 2", "+1", "123456789012345678901", "১২৩"] {
            assert!(PhoneNumberId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn idempotency_keys_are_short_printable_ascii() {
        assert!(IdempotencyKey::parse("order-1234").is_ok());
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_ok());
        for text in ["", "a\nb", "ключ", &"k".repeat(256)] {
            assert!(IdempotencyKey::parse(text).is_err(), "{text}");
        }
    }
}
