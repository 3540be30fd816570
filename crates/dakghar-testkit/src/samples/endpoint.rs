//! Endpoints of tenants.

use dakghar_core::domain::endpoint::{
    BATCH_DEFAULT, CONCURRENCY_DEFAULT, DeliveryOrder, DisabledReason, EndpointFormat, EndpointSecret, EndpointState,
    PER_SECOND_DEFAULT,
};
use dakghar_core::domain::feed::{EntryFilter, Place};
use dakghar_core::domain::{Endpoint, KindPattern, TenantId};
use dakghar_core::ports::IdGenerator as _;

use super::{IDS, at, phone};

/// A new endpoint in the first seat, as most are.
pub fn endpoint(tenant_id: TenantId) -> Endpoint {
    let made_at = at(IDS.count());
    Endpoint {
        id: IDS.endpoint_id(),
        tenant_id,
        seat: 0,
        url: "https://example.com/hook".into(),
        format: EndpointFormat::Standard,
        filter: EntryFilter::default(),
        order: DeliveryOrder::None,
        batch_max: BATCH_DEFAULT,
        per_second: PER_SECOND_DEFAULT,
        concurrency: CONCURRENCY_DEFAULT,
        header_names: Vec::new(),
        sealed_headers: None,
        secrets: vec![EndpointSecret::present(vec![9; 40], made_at)],
        sealed_verify_token: None,
        state: EndpointState::Active,
        start: Place::START,
        created_at: made_at,
        updated_at: made_at,
        version: 0,
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
        .insert(0, EndpointSecret::present(vec![1, 2, 3], endpoint.created_at));
    Endpoint {
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
        state: EndpointState::Disabled {
            reason: DisabledReason::Failing,
            at: later,
        },
        start: Place::new(1 << 40),
        updated_at: later,
        ..endpoint
    }
}
