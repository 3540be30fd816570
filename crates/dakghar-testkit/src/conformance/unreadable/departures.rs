//! Departures.

use dakghar_core::domain::departure::Departure;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{DepartureId, TenantId};
use dakghar_core::ports::Saved;

use super::super::read_pages;
use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::{at, departure, departure_over, tenant_id};

async fn mixed_departures(port: &Breakable, of: impl Fn(usize) -> Departure) -> (Vec<Departure>, Vec<Departure>) {
    let departures: Vec<Departure> = (0..MIXED).map(of).collect();
    for departure in &departures {
        assert_eq!(
            port.stores.departures.insert_departure(departure).await,
            Ok(Saved::Done)
        );
    }
    let (whole, broken) = thirds(departures);
    port.break_all(broken.iter().map(|departure| Record::Departure(departure.id)))
        .await;
    (whole, broken)
}

/// Those of one tenant, which are over.
async fn of_one(port: &Breakable, tenant: TenantId) -> (Vec<Departure>, Vec<Departure>) {
    mixed_departures(port, |_| departure_over(tenant)).await
}

fn departure_ids(departures: &[Departure]) -> Vec<DepartureId> {
    departures.iter().map(|departure| departure.id).collect()
}

/// Covers `DepartureStore::find_departure`, `DepartureStore::insert_departure`, `DepartureStore::save_departure` and `DepartureStore::forget_departures`.
pub async fn it_is_a_departure_error_of_its_own(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = of_one(&port, tenant).await;
    let store = &port.stores.departures;
    for broken in broken {
        let found = store.find_departure(&tenant, &broken.id).await;
        assert!(is_unreadable(&found), "{found:?}");
    }
    let found = store.find_departure(&tenant, &whole[0].id).await;
    assert_eq!(found, Ok(Some(whole[0].clone())));
    assert_eq!(store.save_departure(&whole[1]).await, Ok(Saved::Done));
    assert_eq!(store.insert_departure(&departure(tenant)).await, Ok(Saved::Done));
    assert_eq!(store.forget_departures(at(1 << 40), 1_000).await, Ok(MIXED as u64));
}

/// Covers `DepartureStore::list_departures` and `DepartureStore::due_departures`.
pub async fn departures_beside_it_are_listed_and_due(port: Breakable) {
    let tenant = tenant_id();
    let (whole, _) = of_one(&port, tenant).await;
    let fetch = async |before| {
        let listed = port
            .stores
            .departures
            .list_departures(&tenant, before, PageLimit::items(3));
        listed.await.expect("the store answers")
    };
    let mut listed = read_pages(3, fetch).await;
    listed.reverse();
    assert_eq!(departure_ids(&listed), departure_ids(&whole));
    let open = |n: usize| Departure {
        updated_at: at(n as u64),
        ..departure(tenant_id())
    };
    let (whole, _) = mixed_departures(&port, open).await;
    let due = port.stores.departures.due_departures(at(1 << 40), 3).await;
    let due = due.expect("the store answers");
    assert_eq!(departure_ids(&due), departure_ids(&whole[..3]));
}
