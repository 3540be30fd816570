//! Endpoints: where a tenant wants its events, which of them, and how.

mod defaults;
mod rotation;
mod state;
mod told;

use aws_lc_rs::digest;
use uuid::Uuid;

use super::callback::Replay;
use super::feed::{EntryFilter, FeedEntry, Place};
use super::ids::{EndpointId, IdempotencyKey, PhoneNumberId, TenantId};
use super::page::Paged;
use super::sealed_secret::SealedSecret;
use super::time::Timestamp;

pub use defaults::*;
pub use state::{DisabledReason, EndpointState};
pub use told::{EndpointTold, expired};

/// An endpoint of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Our id.
    pub id: EndpointId,
    /// The tenant whose events it gets.
    pub tenant_id: TenantId,
    /// The id under which its progress, exceptions and attempts are kept. It is its own id, or, where another endpoint may have
    /// had that before, one that no other ever had: so what is left of that one, or still written of it, is not this one's.
    pub kept_under: EndpointId,
    /// Which of the tenant's seats it has, from 0 on. A tenant has as many endpoints as there are seats, and no store
    /// gives a seat twice.
    pub seat: u32,
    /// The URL that is called, at most [`URL_BYTES_MAX`] bytes.
    pub url: String,
    /// What a call looks like.
    pub format: EndpointFormat,
    /// Which entries it gets.
    pub filter: EntryFilter,
    /// In which order.
    pub order: DeliveryOrder,
    /// The most entries in a call, 1 to [`BATCH_MAX`].
    pub batch_max: u32,
    /// The most calls in a second, 1 to [`PER_SECOND_MAX`].
    pub per_second: u32,
    /// The most calls under way, 1 to [`CONCURRENCY_MAX`].
    pub concurrency: u32,
    /// The names of the headers that are sent with each call, in their order.
    pub header_names: Vec<String>,
    /// These headers, sealed: JSON text of pairs of a name and a value. `None` if there are none.
    pub sealed_headers: Option<Vec<u8>>,
    /// The secrets that calls are signed with, the present one first.
    pub secrets: Vec<SealedSecret>,
    /// What the challenge of the format `meta` names, sealed.
    pub sealed_verify_token: Option<Vec<u8>>,
    /// The digest of what it was made from, sealed, where that was under an idempotency key; its id follows from the key.
    pub sealed_creation: Option<Vec<u8>>,
    /// Whether it is called.
    pub state: EndpointState,
    /// It gets what stands behind this place of the feed.
    pub start: Place,
    /// Replays, the latest first: at most [`REPLAYS_KEPT`](super::callback::REPLAYS_KEPT). Only the first may be under way.
    pub replays: Vec<Replay>,
    /// The time it was made.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// Counts saves, from 0 or from its [first](Endpoint::under_an_id_of_before); a save must name the version it read.
    pub version: u64,
}

impl Endpoint {
    /// Makes an endpoint as it is while nothing is said of it but this, without a URL and in the first seat.
    pub fn new(
        tenant_id: TenantId,
        id: EndpointId,
        format: EndpointFormat,
        sealed_secret: Vec<u8>,
        start: Place,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            tenant_id,
            kept_under: id,
            seat: 0,
            url: String::new(),
            format,
            filter: EntryFilter::default(),
            order: DeliveryOrder::None,
            batch_max: BATCH_DEFAULT,
            per_second: PER_SECOND_DEFAULT,
            concurrency: CONCURRENCY_DEFAULT,
            header_names: Vec::new(),
            sealed_headers: None,
            secrets: vec![SealedSecret::present(sealed_secret, now)],
            sealed_verify_token: None,
            sealed_creation: None,
            state: EndpointState::Active,
            start,
            replays: Vec::new(),
            created_at: now,
            updated_at: now,
            version: 0,
        }
    }

    /// Has its versions begin with the time at which it was made, in milliseconds. For one whose id another one may have had
    /// before: whoever knows a version of that one does not take it for one of this, because no endpoint changes a thousand
    /// times a second for long. What is kept of it is kept under this new id.
    #[must_use]
    pub fn under_an_id_of_before(self, kept_under: EndpointId) -> Self {
        Self {
            kept_under,
            version: first_version(self.created_at),
            ..self
        }
    }

    /// True if nothing of it was changed since it was made.
    pub fn is_as_made(&self) -> bool {
        self.version == 0 || self.version == first_version(self.created_at)
    }

    /// Returns the id of the endpoint that stands for the `callbackUrl` of a tenant.
    pub const fn id_of_callback_url(tenant_id: &TenantId) -> EndpointId {
        EndpointId::from_uuid(*tenant_id.as_uuid())
    }

    /// Returns the id of the endpoint that is made under this key. So no store needs to look for keys, and of two who make it
    /// at once one finds that it is there.
    pub fn id_of_key(tenant_id: &TenantId, key: &IdempotencyKey) -> EndpointId {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"endpoint under an idempotency key");
        context.update(tenant_id.as_uuid().as_bytes());
        context.update(key.as_str().as_bytes());
        let sum = context.finish();
        let first = sum.as_ref().first_chunk().expect("SHA-256 is 32 bytes");
        EndpointId::from_uuid(Uuid::from_bytes(*first))
    }

    /// True if it stands for the `callbackUrl` of its tenant.
    pub fn is_of_callback_url(&self) -> bool {
        self.id == Self::id_of_callback_url(&self.tenant_id)
    }

    /// True if it wants this entry. The number is that of the entry, or of the message that it is about. A history comes as
    /// thousands of entries at once, of things long past, so it goes only to an endpoint that names its kind.
    pub fn wants(&self, entry: &FeedEntry, number: Option<&PhoneNumberId>) -> bool {
        self.filter.matches(&entry.kind, number) && (!entry.kind.is_of_history() || self.filter.names(&entry.kind))
    }
}

fn first_version(created_at: Timestamp) -> u64 {
    created_at.as_millis().unsigned_abs()
}

impl Paged for Endpoint {
    type Position = EndpointId;

    fn position(&self) -> EndpointId {
        self.id
    }

    fn bytes(&self) -> usize {
        let kinds: usize = self.filter.kinds.iter().map(|kind| kind.as_str().len()).sum();
        let numbers: usize = self
            .filter
            .phone_number_ids
            .iter()
            .map(|number| number.as_str().len())
            .sum();
        let names: usize = self.header_names.iter().map(String::len).sum();
        let secrets: usize = self.secrets.iter().map(|secret| secret.sealed.len()).sum();
        let sealed = [&self.sealed_headers, &self.sealed_verify_token, &self.sealed_creation];
        let sealed: usize = sealed.into_iter().flatten().map(Vec::len).sum();
        let replays: usize = self.replays.iter().map(Replay::bytes).sum();
        size_of::<Self>() + self.url.len() + kinds + numbers + names + secrets + sealed + replays
    }
}

/// What a call looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EndpointFormat {
    /// Standard Webhooks.
    #[default]
    Standard,
    /// What Meta would have posted.
    Meta,
}

impl EndpointFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Meta];

    /// Returns the name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Meta => "meta",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }
}

/// In which order an endpoint gets its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeliveryOrder {
    /// None: an entry that fails holds back no other.
    #[default]
    None,
    /// Those of a conversation in the order of the feed: one that fails holds back those behind it.
    Conversation,
}

impl DeliveryOrder {
    /// Every order.
    pub const ALL: [Self; 2] = [Self::None, Self::Conversation];

    /// Returns the name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Conversation => "conversation",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::feed::{EntryKind, KindPattern};
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for format in EndpointFormat::ALL {
            assert_eq!(EndpointFormat::parse(format.as_str()), Some(format));
        }
        for order in DeliveryOrder::ALL {
            assert_eq!(DeliveryOrder::parse(order.as_str()), Some(order));
        }
        assert_eq!((EndpointFormat::parse(""), DeliveryOrder::parse("None")), (None, None));
    }

    #[test]
    fn a_history_goes_only_to_an_endpoint_that_names_it() {
        let id = Uuid::from_u128(1);
        let now = Timestamp::from_millis(1);
        let mut endpoint = Endpoint::new(
            TenantId::from_uuid(id),
            EndpointId::from_uuid(id),
            EndpointFormat::Standard,
            Vec::new(),
            Place::START,
            now,
        );
        let entry = |kind: &str| FeedEntry {
            kind: EntryKind::parse(kind).expect("a kind"),
            ..FeedEntry::unreadable(TenantId::from_uuid(id), Place::START, None)
        };
        for (kinds, history, others) in [
            (&[][..], false, true),
            (&["*"], false, true),
            (&["message.*", "meta.*"], false, true),
            (&["message.history", "meta.history"], true, false),
            (&["message.received"], false, false),
        ] {
            let patterns = kinds.iter().map(|kind| KindPattern::parse(kind).expect("a pattern"));
            endpoint.filter.kinds = patterns.collect();
            for kind in ["message.history", "meta.history"] {
                assert_eq!(endpoint.wants(&entry(kind), None), history, "{kinds:?} {kind}");
            }
            assert_eq!(endpoint.wants(&entry("message.echo"), None), others, "{kinds:?}");
        }
    }
}
