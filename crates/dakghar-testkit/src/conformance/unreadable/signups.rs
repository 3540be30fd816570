//! Signups.

use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::signup::Signup;
use dakghar_core::domain::{SignupId, TenantId};
use dakghar_core::ports::Saved;

use super::super::read_pages;
use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::{at, signup, tenant_id};

async fn mixed_signups(port: &Breakable, tenant: TenantId) -> (Vec<Signup>, Vec<Signup>) {
    let of = |n: usize| Signup {
        updated_at: at(n as u64),
        ..signup(tenant)
    };
    let signups: Vec<Signup> = (0..MIXED).map(of).collect();
    for signup in &signups {
        assert_eq!(port.stores.signups.insert_signup(signup).await, Ok(Saved::Done));
    }
    let (whole, broken) = thirds(signups);
    port.break_all(broken.iter().map(|signup| Record::Signup(signup.id)))
        .await;
    (whole, broken)
}

fn signup_ids(signups: &[Signup]) -> Vec<SignupId> {
    signups.iter().map(|signup| signup.id).collect()
}

/// Covers `SignupStore::find_signup`, `SignupStore::find_signup_of_key`, `SignupStore::insert_signup` and `SignupStore::save_signup`.
pub async fn it_is_a_signup_error_of_its_own(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = mixed_signups(&port, tenant).await;
    let store = &port.stores.signups;
    for broken in broken {
        let found = store.find_signup(&tenant, &broken.id).await;
        assert!(is_unreadable(&found), "{found:?}");
        let found = store.find_signup_of_key(&broken.key).await;
        assert!(is_unreadable(&found), "{found:?}");
    }
    let first = Ok(Some(whole[0].clone()));
    assert_eq!(store.find_signup(&tenant, &whole[0].id).await, first);
    assert_eq!(store.find_signup_of_key(&whole[0].key).await, first);
    assert_eq!(store.save_signup(&whole[1]).await, Ok(Saved::Done));
    assert_eq!(store.insert_signup(&signup(tenant)).await, Ok(Saved::Done));
}

/// Covers `SignupStore::list_signups`, `SignupStore::due_signups` and `SignupStore::save_signup`.
pub async fn signups_beside_it_are_listed_and_due(port: Breakable) {
    let tenant = tenant_id();
    let (whole, _) = mixed_signups(&port, tenant).await;
    let fetch = async |before| {
        let listed = port.stores.signups.list_signups(&tenant, before, PageLimit::items(3));
        listed.await.expect("the store answers")
    };
    let mut listed = read_pages(3, fetch).await;
    listed.reverse();
    assert_eq!(signup_ids(&listed), signup_ids(&whole));
    let due = port.stores.signups.due_signups(at(1 << 40), 3).await;
    assert_eq!(signup_ids(&due.expect("the store answers")), signup_ids(&whole[..3]));
    assert_eq!(port.stores.signups.save_signup(&whole[1]).await, Ok(Saved::Done));
}
