//! Erasures of people.

use dakghar_core::domain::erasure::{ErasurePlace, PersonErasure, PersonIds};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{ErasureId, Status, TenantId};
use dakghar_core::ports::{PersonPortion, Saved};

use super::super::read_pages;
use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::{With as _, at, erasure, outbound, person, tenant_id};

async fn mixed_erasures(port: &Breakable, tenant: TenantId) -> (Vec<PersonErasure>, Vec<PersonErasure>) {
    let of = |n: usize| PersonErasure {
        updated_at: at(n as u64),
        ..erasure(tenant)
    };
    let erasures: Vec<PersonErasure> = (0..MIXED).map(of).collect();
    for erasure in &erasures {
        assert_eq!(port.stores.person_erasures.insert_erasure(erasure).await, Ok(()));
    }
    let (whole, broken) = thirds(erasures);
    port.break_all(broken.iter().map(|erasure| Record::Erasure(erasure.id)))
        .await;
    (whole, broken)
}

fn erasure_ids(erasures: &[PersonErasure]) -> Vec<ErasureId> {
    erasures.iter().map(|erasure| erasure.id).collect()
}

/// Covers `PersonErasureStore::find_erasure`, `PersonErasureStore::insert_erasure` and `PersonErasureStore::save_erasure`.
pub async fn it_is_an_erasure_error_of_its_own(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = mixed_erasures(&port, tenant).await;
    let store = &port.stores.person_erasures;
    for broken in broken {
        let found = store.find_erasure(&tenant, &broken.id).await;
        assert!(is_unreadable(&found), "{found:?}");
    }
    assert_eq!(
        store.find_erasure(&tenant, &whole[0].id).await,
        Ok(Some(whole[0].clone()))
    );
    assert_eq!(store.save_erasure(&whole[1]).await, Ok(Saved::Done));
    assert_eq!(store.insert_erasure(&erasure(tenant)).await, Ok(()));
}

/// Covers `PersonErasureStore::list_erasures` and `PersonErasureStore::due_erasures`.
pub async fn erasures_beside_it_are_listed_and_due(port: Breakable) {
    let tenant = tenant_id();
    let (whole, _) = mixed_erasures(&port, tenant).await;
    let fetch = async |before| {
        let listed = port
            .stores
            .person_erasures
            .list_erasures(&tenant, before, PageLimit::items(3));
        listed.await.expect("the store answers")
    };
    let mut listed = read_pages(3, fetch).await;
    listed.reverse();
    assert_eq!(erasure_ids(&listed), erasure_ids(&whole));
    let due = port
        .stores
        .person_erasures
        .due_erasures(3)
        .await
        .expect("the store answers");
    assert_eq!(erasure_ids(&due), erasure_ids(&whole[..3]));
}

/// Covers `PersonErasureStore::erase_person`.
pub async fn a_person_beside_it_is_erased(port: Breakable) {
    let tenant = tenant_id();
    let of_person = |_| {
        outbound(tenant).with(|message| {
            message.accepted.peer_id = Some(person("8801755512345"));
            message.delivery.status = Status::Sent;
        })
    };
    let (whole, _) = port.mixed(MIXED, of_person).await;
    let mut portion = PersonPortion {
        tenant_id: tenant,
        person: PersonIds::new([person("8801755512345")]),
        before: at(1 << 40),
        place: ErasurePlace::Messages,
        from: None,
        limit: 4,
    };
    let mut erased = 0;
    for _ in 0..MIXED {
        let done = port
            .stores
            .person_erasures
            .erase_person(&portion)
            .await
            .expect("the store answers");
        erased += done.erased;
        portion.from = done.next;
        if portion.from.is_none() {
            break;
        }
    }
    assert_eq!(portion.from, None);
    assert!(erased >= whole.len() as u64, "{erased}");
    for message in &whole {
        let found = port.stores.messages.load(&[message.key()]).await;
        assert_eq!(found, [Ok(None)]);
    }
}
