//! The suite of [`SignupStore`](dakghar_core::ports::SignupStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::signup::{Signup, SignupState};
use dakghar_core::domain::{SignupId, TenantId};
use dakghar_core::ports::Saved;

use super::read_pages;
use super::stores::Stores;
use crate::samples::{at, signup, signup_full, signup_invited, tenant_id};

/// Runs the suite of `SignupStore`: `signup_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! signup_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, signups:
            a_signup_is_kept_as_it_is
            a_code_begins_one_signup
            a_signup_is_saved_under_the_version_that_was_read
            signups_are_those_of_their_tenant
            signups_are_due_longest_first_and_not_before
            signups_go_with_their_tenant
        }
    };
}

async fn insert(stores: &Stores, signups: &[Signup]) {
    for signup in signups {
        assert_eq!(stores.signups.insert_signup(signup).await, Ok(Saved::Done));
    }
}

async fn find(stores: &Stores, like: &Signup) -> Option<Signup> {
    let found = stores.signups.find_signup(&like.tenant_id, &like.id).await;
    found.expect("the store answers")
}

pub async fn a_signup_is_kept_as_it_is(stores: Stores) {
    let tenant = tenant_id();
    let mut all = vec![signup_full(tenant), signup(tenant), signup_invited(tenant)];
    let of_state = |state| Signup {
        state,
        ..signup(tenant)
    };
    all.extend(SignupState::ALL.map(of_state));
    insert(&stores, &all).await;
    for signup in all {
        assert_eq!(find(&stores, &signup).await, Some(signup));
    }
}

pub async fn a_code_begins_one_signup(stores: Stores) {
    let first = signup(tenant_id());
    insert(&stores, std::slice::from_ref(&first)).await;
    let repeated = Signup {
        tries: 9,
        ..first.clone()
    };
    assert_eq!(stores.signups.insert_signup(&repeated).await, Ok(Saved::Stale));
    let of_same_code = Signup {
        key: first.key.clone(),
        ..signup(tenant_id())
    };
    assert_eq!(stores.signups.insert_signup(&of_same_code).await, Ok(Saved::Stale));
    assert_eq!(find(&stores, &of_same_code).await, None);
    let found = stores.signups.find_signup_of_key(&first.key).await;
    assert_eq!(found, Ok(Some(first)), "whosever it is");
    assert_eq!(stores.signups.find_signup_of_key(&[7]).await, Ok(None));
}

pub async fn a_signup_is_saved_under_the_version_that_was_read(stores: Stores) {
    let mut signup = signup(tenant_id());
    insert(&stores, std::slice::from_ref(&signup)).await;
    signup.tries = 1;
    signup.forget_code();
    assert_eq!(stores.signups.save_signup(&signup).await, Ok(Saved::Done));
    let stale = Signup {
        tries: 2,
        ..signup.clone()
    };
    assert_eq!(stores.signups.save_signup(&stale).await, Ok(Saved::Stale));
    signup.version = 1;
    assert_eq!(find(&stores, &signup).await, Some(signup));
}

async fn listed(stores: &Stores, tenant: TenantId) -> Vec<SignupId> {
    let fetch = async |before| {
        let listed = stores.signups.list_signups(&tenant, before, PageLimit::items(2));
        listed.await.expect("the store answers")
    };
    let listed = read_pages(2, fetch).await;
    listed.iter().map(|signup| signup.id).collect()
}

pub async fn signups_are_those_of_their_tenant(stores: Stores) {
    let (ours, theirs) = (tenant_id(), tenant_id());
    let all = [signup(ours), signup(theirs), signup_full(ours), signup(ours)];
    insert(&stores, &all).await;
    assert_eq!(listed(&stores, ours).await, [all[3].id, all[2].id, all[0].id]);
    assert_eq!(listed(&stores, theirs).await, [all[1].id]);
    let found = stores.signups.find_signup(&ours, &all[1].id).await;
    assert_eq!(found, Ok(None), "of another tenant");
}

pub async fn signups_are_due_longest_first_and_not_before(stores: Stores) {
    let of = |next: Option<u64>, changed: u64| Signup {
        next_at: next.map(at),
        updated_at: at(changed),
        ..signup(tenant_id())
    };
    let stopped = Signup {
        state: SignupState::Stopped,
        ..of(None, 1)
    };
    let all = [of(Some(9), 1), of(None, 4), stopped, of(Some(3), 8)];
    insert(&stores, &all).await;
    // Nobody works on a link before it is used.
    insert(&stores, &[signup_invited(tenant_id())]).await;
    let due = async |now: u64, limit| {
        let due = stores.signups.due_signups(at(now), limit).await;
        let due = due.expect("the store answers");
        due.iter().map(|signup| signup.id).collect::<Vec<_>>()
    };
    assert_eq!(due(2, 9).await, []);
    assert_eq!(due(8, 9).await, [all[3].id, all[1].id]);
    assert_eq!(due(9, 2).await, [all[3].id, all[1].id]);
    let mut done = all[3].clone();
    (done.state, done.next_at) = (SignupState::Done, None);
    assert_eq!(stores.signups.save_signup(&done).await, Ok(Saved::Done));
    assert_eq!(due(9, 9).await, [all[1].id, all[0].id]);
}

pub async fn signups_go_with_their_tenant(stores: Stores) {
    let (ours, theirs) = (tenant_id(), tenant_id());
    insert(&stores, &[signup(ours), signup_full(ours), signup(theirs)]).await;
    while stores.erasure.erase(&ours, 1).await.expect("the store answers") > 0 {}
    assert_eq!(listed(&stores, ours).await, []);
    assert_eq!(listed(&stores, theirs).await.len(), 1);
}
