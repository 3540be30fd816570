//! Redrives, and the dead letters that they look through.

use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::redrive::{Redrive, RedriveStatus};
use dakghar_core::domain::{Message, RedriveId, Status, TenantId};
use dakghar_core::ports::Saved;

use super::super::read_pages;
use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::{With as _, at, outbound, redrive, tenant_id};

/// Redrives of a tenant, of which every one but each third is broken then.
async fn mixed_redrives(port: &Breakable, tenant: TenantId) -> (Vec<Redrive>, Vec<Redrive>) {
    let of = |n: usize| Redrive {
        updated_at: at(n as u64),
        ..redrive(Some(tenant))
    };
    let redrives: Vec<Redrive> = (0..MIXED).map(of).collect();
    for redrive in &redrives {
        assert_eq!(port.stores.redrives.insert_redrive(redrive).await, Ok(()));
    }
    let (whole, broken) = thirds(redrives);
    port.break_all(broken.iter().map(|redrive| Record::Redrive(redrive.id)))
        .await;
    (whole, broken)
}

fn redrive_ids(redrives: &[Redrive]) -> Vec<RedriveId> {
    redrives.iter().map(|redrive| redrive.id).collect()
}

/// Covers `RedriveStore::find_redrive`.
pub async fn it_is_a_redrive_error_of_its_own(port: Breakable) {
    let (whole, broken) = mixed_redrives(&port, tenant_id()).await;
    for broken in broken {
        let found = port.stores.redrives.find_redrive(&broken.id).await;
        assert!(is_unreadable(&found), "{found:?}");
    }
    let found = port.stores.redrives.find_redrive(&whole[0].id).await;
    assert_eq!(found, Ok(Some(whole[0].clone())));
}

/// Covers `RedriveStore::insert_redrive`, `RedriveStore::save_redrive` and `RedriveStore::forget_redrives`.
pub async fn redrives_beside_it_are_saved_and_forgotten(port: Breakable) {
    let (whole, _) = mixed_redrives(&port, tenant_id()).await;
    let store = &port.stores.redrives;
    let done = Redrive {
        status: RedriveStatus::Done,
        ..whole[0].clone()
    };
    assert_eq!(store.save_redrive(&done).await, Ok(Saved::Done));
    assert_eq!(store.insert_redrive(&redrive(None)).await, Ok(()));
    assert_eq!(store.forget_redrives(at(1_000)).await, Ok(()));
    assert_eq!(store.find_redrive(&done.id).await, Ok(None));
    assert_eq!(store.find_redrive(&whole[1].id).await, Ok(Some(whole[1].clone())));
}

/// Covers `RedriveStore::list_redrives`, `RedriveStore::due_redrives` and `RedriveStore::count_open_redrives`.
pub async fn redrives_beside_it_are_listed_and_due(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = mixed_redrives(&port, tenant).await;
    for owner in [Some(&tenant), None] {
        let fetch = async |before| {
            let listed = port.stores.redrives.list_redrives(owner, before, PageLimit::items(3));
            listed.await.expect("the store answers")
        };
        let mut listed = read_pages(3, fetch).await;
        listed.reverse();
        assert_eq!(redrive_ids(&listed), redrive_ids(&whole));
    }
    let due = port.stores.redrives.due_redrives(3).await.expect("the store answers");
    assert_eq!(redrive_ids(&due), redrive_ids(&whole[..3]));
    // It may still run, so it counts.
    let open = port.stores.redrives.count_open_redrives(Some(&tenant)).await;
    assert_eq!(open, Ok(u32::try_from(whole.len() + broken.len()).expect("a few")));
}

/// Covers `RedriveStore::look_through`.
pub async fn dead_letters_beside_it_are_looked_through(port: Breakable) {
    let tenant = tenant_id();
    let dead = |_| outbound(tenant).with(|message| message.delivery.status = Status::Dead);
    let (whole, broken) = port.mixed(MIXED, dead).await;
    for owner in [Some(&tenant), None] {
        let fetch = async |before| {
            let found = port.stores.redrives.look_through(owner, before, 4).await;
            found.expect("the store answers")
        };
        let mut seen: Vec<_> = read_pages(4, fetch)
            .await
            .into_iter()
            .map(|letter| letter.key)
            .collect();
        // What is broken in its content only may be seen, and is found to be so when it is to be sent again.
        let broken: Vec<_> = broken.iter().map(Message::key).collect();
        seen.retain(|key| !broken.contains(key));
        seen.reverse();
        assert_eq!(seen, whole.iter().map(Message::key).collect::<Vec<_>>());
    }
}
