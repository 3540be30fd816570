//! Endpoints of tenants.

use dakghar_core::domain::callback::{Replay, ReplayOf, ReplayProgress};
use dakghar_core::domain::endpoint::{DeliveryOrder, DisabledReason, EndpointFormat, EndpointState};
use dakghar_core::domain::feed::{EntryFilter, Place};
use dakghar_core::domain::sealed_secret::SealedSecret;
use dakghar_core::domain::{Endpoint, EntryId, KindPattern, TenantId};
use dakghar_core::ports::IdGenerator as _;

use super::{IDS, at, phone};

/// A new endpoint in the first seat, as most are.
pub fn endpoint(tenant_id: TenantId) -> Endpoint {
    let made_at = at(IDS.count());
    let format = EndpointFormat::Standard;
    Endpoint {
        url: "https://example.com/hook".into(),
        ..Endpoint::new(tenant_id, IDS.endpoint_id(), format, vec![9; 40], Place::START, made_at)
    }
}

/// A new endpoint in this seat of which nothing is left as it is by itself.
pub fn endpoint_full(tenant_id: TenantId, seat: u32) -> Endpoint {
    let mut endpoint = endpoint(tenant_id);
    let later = at(5_000_000);
    let kinds = ["message.received", "status.*"].map(|kind| KindPattern::parse(kind).expect("a pattern"));
    endpoint.secrets[0].valid_until = Some(later);
    endpoint
        .secrets
        .insert(0, SealedSecret::present(vec![1, 2, 3], endpoint.created_at));
    Endpoint {
        kept_under: IDS.endpoint_id(),
        seat,
        url: "https://example.com/hook?a=1&b=%20".into(),
        format: EndpointFormat::Meta,
        filter: EntryFilter {
            kinds: kinds.into(),
            phone_number_ids: vec![phone("111"), phone("222")],
        },
        order: DeliveryOrder::Conversation,
        batch_max: 100,
        per_second: 1,
        concurrency: 32,
        header_names: vec!["Authorization".into(), "X-Shop".into()],
        sealed_headers: Some(vec![0, 255]),
        sealed_verify_token: Some(vec![7; 30]),
        sealed_creation: Some(vec![5; 64]),
        state: EndpointState::Disabled {
            reason: DisabledReason::Failing,
            at: later,
        },
        start: Place::new(1 << 40),
        replays: replays(),
        updated_at: later,
        ..endpoint
    }
}

/// A replay of each sort, the last one with an outcome.
fn replays() -> Vec<Replay> {
    let filter = EntryFilter {
        kinds: vec![KindPattern::parse("status.*").expect("a pattern")],
        phone_number_ids: vec![phone("111")],
    };
    let events = [1, 2].map(|number| EntryId::from_uuid(uuid::Uuid::from_u128(number)));
    let sorts = [
        ReplayOf::Events(events.into()),
        ReplayOf::FailedSince(at(3)),
        ReplayOf::Range(filter),
        ReplayOf::Range(EntryFilter::default()),
    ];
    let mut replays = sorts.map(|of| Replay {
        id: IDS.replay_id(),
        of,
        after: Place::new(3),
        until: Place::new(1 << 40),
        is_cancelled: false,
        requested_at: at(IDS.count()),
        outcome: None,
    });
    replays[1].is_cancelled = true;
    replays[3].outcome = Some(ReplayProgress {
        id: replays[3].id,
        at: Place::new(9),
        delivered: 5,
        failed: 1,
        ended_at: Some(at(IDS.count())),
    });
    replays.into()
}
