//! The suite of [`OptOutStore`](dakghar_core::ports::OptOutStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::erasure::{ErasurePlace, PersonIds};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{OptOut, OptOutKey, OptOutScope, OptOutSource, TenantId};
use dakghar_core::ports::PersonPortion;

use super::read_pages;
use super::stores::Stores;
use crate::samples::{at, mark, opt_out, person, taken_back, tenant_id};

/// Runs the suite of `OptOutStore`: `opt_out_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! opt_out_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, opt_outs:
            what_was_said_is_kept_as_it_is
            the_last_word_counts_in_whatever_order_it_comes
            of_two_words_at_once_the_one_that_opts_out_counts
            each_scope_has_a_word_of_its_own
            what_was_said_to_one_tenant_is_nothing_to_another
            opt_outs_that_count_are_listed_page_by_page
            an_erased_person_is_named_no_more_and_has_opted_out_still
            what_was_said_after_an_erasure_was_asked_for_names_its_person
            opt_outs_go_with_their_tenant
        }
    };
}

async fn note(stores: &Stores, batch: &[OptOut]) {
    assert_eq!(stores.opt_outs.note_opt_outs(batch).await, Ok(()));
}

async fn find(stores: &Stores, tenant: TenantId, digits: &[&str]) -> Vec<OptOut> {
    let marks: Vec<_> = digits.iter().map(|digits| mark(tenant, digits)).collect();
    let found = stores.opt_outs.find_opt_outs(&tenant, &marks).await;
    let mut found = found.expect("the store answers");
    found.sort_by_key(|said| said.key);
    found
}

async fn list(stores: &Stores, tenant: TenantId, limit: u32) -> Vec<OptOut> {
    let fetch = async |before: Option<OptOutKey>| {
        let listed = stores.opt_outs.list_opt_outs(&tenant, before, PageLimit::items(limit));
        listed.await.expect("the store answers")
    };
    read_pages(limit, fetch).await
}

pub async fn what_was_said_is_kept_as_it_is(stores: Stores) {
    let tenant = tenant_id();
    let said = opt_out(tenant, "1", 5);
    let user = OptOut {
        source: OptOutSource::Meta,
        ..opt_out(tenant, "BD.13491208655302741918", 6)
    };
    note(&stores, &[]).await;
    note(&stores, &[said.clone(), user.clone()]).await;
    assert_eq!(find(&stores, tenant, &["1"]).await, [said]);
    assert_eq!(find(&stores, tenant, &["BD.13491208655302741918", "2"]).await, [user]);
    assert_eq!(find(&stores, tenant, &["2"]).await, []);
    assert_eq!(find(&stores, tenant, &[]).await, []);
}

pub async fn the_last_word_counts_in_whatever_order_it_comes(stores: Stores) {
    let tenant = tenant_id();
    let stop = opt_out(tenant, "1", 5);
    let words = [
        stop.clone(),
        taken_back(&stop, 6),
        opt_out(tenant, "1", 7),
        taken_back(&stop, 8),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [3, 0, 1, 2], [2, 3, 0, 1]] {
        for place in order {
            note(&stores, std::slice::from_ref(&words[place])).await;
        }
        assert_eq!(find(&stores, tenant, &["1"]).await, [words[3].clone()]);
    }
    let again = opt_out(tenant, "1", 9);
    note(&stores, &[words[0].clone(), again.clone(), words[1].clone()]).await;
    assert_eq!(find(&stores, tenant, &["1"]).await, [again]);
}

pub async fn of_two_words_at_once_the_one_that_opts_out_counts(stores: Stores) {
    let tenant = tenant_id();
    let stop = opt_out(tenant, "1", 5);
    let start = taken_back(&stop, 5);
    for batch in [[stop.clone(), start.clone()], [start, stop.clone()]] {
        note(&stores, &batch).await;
        assert_eq!(find(&stores, tenant, &["1"]).await, std::slice::from_ref(&stop));
    }
}

fn of_marketing(said: OptOut) -> OptOut {
    let key = OptOutKey {
        scope: OptOutScope::Marketing,
        ..said.key
    };
    OptOut { key, ..said }
}

pub async fn each_scope_has_a_word_of_its_own(stores: Stores) {
    let tenant = tenant_id();
    let marketing = of_marketing(opt_out(tenant, "1", 5));
    let all = taken_back(&opt_out(tenant, "1", 1), 6);
    note(&stores, &[marketing.clone(), all.clone()]).await;
    assert_eq!(find(&stores, tenant, &["1"]).await, [all, marketing.clone()]);
    assert_eq!(list(&stores, tenant, 9).await, [marketing]);
}

pub async fn what_was_said_to_one_tenant_is_nothing_to_another(stores: Stores) {
    let (ours, theirs) = (tenant_id(), tenant_id());
    assert_ne!(mark(ours, "1"), mark(theirs, "1"), "nobody learns of it by comparing");
    note(&stores, &[opt_out(ours, "1", 5)]).await;
    assert_eq!(find(&stores, theirs, &["1"]).await, []);
    let marks = [mark(ours, "1")];
    assert_eq!(stores.opt_outs.find_opt_outs(&theirs, &marks).await, Ok(Vec::new()));
    assert_eq!(list(&stores, theirs, 9).await, []);
}

pub async fn opt_outs_that_count_are_listed_page_by_page(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let mut all: Vec<OptOut> = (0..20).map(|n| opt_out(tenant, &format!("88{n}"), n)).collect();
    note(&stores, &all).await;
    note(
        &stores,
        &[of_marketing(opt_out(tenant, "880", 3)), opt_out(other, "1", 1)],
    )
    .await;
    let back: Vec<OptOut> = all.iter().skip(10).map(|said| taken_back(said, 99)).collect();
    note(&stores, &back).await;
    all.truncate(10);
    all.push(of_marketing(opt_out(tenant, "880", 3)));
    all.sort_by_key(|said| std::cmp::Reverse(said.key));
    for limit in [1, 3, 10, 11, 50] {
        assert_eq!(list(&stores, tenant, limit).await, all, "{limit}");
    }
    let none = stores.opt_outs.list_opt_outs(&tenant, None, PageLimit::items(0)).await;
    assert_eq!(none.expect("the store answers").items, []);
}

fn portion(tenant_id: TenantId, before: u64) -> PersonPortion {
    PersonPortion {
        tenant_id,
        person: PersonIds::new([person("1"), person("BD.1")]),
        before: at(before),
        place: ErasurePlace::Conversations,
        from: None,
        limit: 100,
    }
}

async fn erase(stores: &Stores, portion: PersonPortion) -> u64 {
    let erased = stores.person_erasures.erase_person(&portion).await;
    erased.expect("the store answers").erased
}

pub async fn an_erased_person_is_named_no_more_and_has_opted_out_still(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let said = [
        opt_out(tenant, "1", 5),
        opt_out(tenant, "BD.1", 5),
        opt_out(tenant, "2", 5),
    ];
    note(&stores, &said).await;
    note(&stores, &[opt_out(other, "1", 5)]).await;
    assert_eq!(erase(&stores, portion(tenant, 100)).await, 2);
    for digits in ["1", "BD.1"] {
        let nameless = OptOut {
            person: None,
            ..opt_out(tenant, digits, 5)
        };
        assert_eq!(find(&stores, tenant, &[digits]).await, [nameless]);
    }
    assert_eq!(find(&stores, tenant, &["2"]).await, [said[2].clone()]);
    assert_eq!(find(&stores, other, &["1"]).await, [opt_out(other, "1", 5)]);
    assert_eq!(list(&stores, tenant, 9).await.len(), 3, "they count as ever");
    assert_eq!(
        erase(&stores, portion(tenant, 100)).await,
        0,
        "nothing is left to be done"
    );
}

pub async fn what_was_said_after_an_erasure_was_asked_for_names_its_person(stores: Stores) {
    let tenant = tenant_id();
    note(&stores, &[opt_out(tenant, "1", 50)]).await;
    assert_eq!(erase(&stores, portion(tenant, 50)).await, 0);
    assert_eq!(find(&stores, tenant, &["1"]).await, [opt_out(tenant, "1", 50)]);
}

pub async fn opt_outs_go_with_their_tenant(stores: Stores) {
    let (ours, theirs) = (tenant_id(), tenant_id());
    note(
        &stores,
        &[opt_out(ours, "1", 1), opt_out(ours, "2", 1), opt_out(theirs, "1", 1)],
    )
    .await;
    note(&stores, &[taken_back(&opt_out(ours, "2", 1), 2)]).await;
    while stores.erasure.erase(&ours, 1).await.expect("the store answers") > 0 {}
    assert_eq!(find(&stores, ours, &["1", "2"]).await, []);
    assert_eq!(find(&stores, theirs, &["1"]).await.len(), 1);
}
