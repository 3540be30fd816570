//! Endpoints of tenants.

use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{Endpoint, TenantId};
use dakghar_core::ports::{EndpointInserted, Saved};

use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::{endpoint, endpoint_full, tenant_id};

/// Endpoints of a tenant of which every one but each third is broken then.
async fn mixed_endpoints(port: &Breakable, tenant: TenantId) -> (Vec<Endpoint>, Vec<Endpoint>) {
    let seats = 0..u32::try_from(MIXED).expect("a few");
    let endpoints: Vec<Endpoint> = seats.map(|seat| endpoint_full(tenant, seat)).collect();
    for endpoint in &endpoints {
        let inserted = port.stores.endpoints.insert_endpoint(endpoint).await;
        assert_eq!(inserted, Ok(EndpointInserted::Done));
    }
    let (whole, broken) = thirds(endpoints);
    port.break_all(broken.iter().map(|endpoint| Record::Endpoint(endpoint.id)))
        .await;
    (whole, broken)
}

/// Covers `EndpointStore::find_endpoint`, `EndpointStore::endpoints_of` and `EndpointStore::endpoints`.
pub async fn it_is_an_endpoint_error_of_its_own(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = mixed_endpoints(&port, tenant).await;
    let store = &port.stores.endpoints;
    for broken in &broken {
        let found = store.find_endpoint(&tenant, &broken.id).await;
        assert!(is_unreadable(&found), "{found:?}");
    }
    assert_eq!(
        store.find_endpoint(&tenant, &whole[0].id).await,
        Ok(Some(whole[0].clone()))
    );
    assert_eq!(store.endpoints_of(&[tenant]).await, Ok(whole.clone()));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store
            .endpoints(after, PageLimit::items(3))
            .await
            .expect("the store answers");
        seen.extend(page.items);
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(seen, whole);
}

/// Covers `EndpointStore::insert_endpoint`, `EndpointStore::save_endpoint` and `EndpointStore::remove_endpoint`.
pub async fn endpoints_beside_it_are_saved(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = mixed_endpoints(&port, tenant).await;
    let store = &port.stores.endpoints;
    assert_eq!(store.save_endpoint(&whole[0]).await, Ok(Saved::Done));
    assert_eq!(
        store.insert_endpoint(&broken[0]).await,
        Ok(EndpointInserted::Stale),
        "its id is still its own"
    );
    let in_its_seat = Endpoint {
        seat: broken[0].seat,
        ..endpoint(tenant)
    };
    assert_eq!(
        store.insert_endpoint(&in_its_seat).await,
        Ok(EndpointInserted::SeatTaken),
        "and so is its seat"
    );
    assert_eq!(store.remove_endpoint(&tenant, &broken[0].id, None).await, Ok(true));
    assert_eq!(store.find_endpoint(&tenant, &broken[0].id).await, Ok(None));
    assert_eq!(store.insert_endpoint(&in_its_seat).await, Ok(EndpointInserted::Done));
}
