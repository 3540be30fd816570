//! What people said about being written to.

use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{OptOut, OptOutKey, PersonMark, TenantId};

use super::super::read_pages;
use super::{Breakable, MIXED, Record, thirds};
use crate::samples::{at, opt_out, tenant_id};

async fn mixed_opt_outs(port: &Breakable, tenant: TenantId) -> (Vec<OptOut>, Vec<OptOut>) {
    let said: Vec<OptOut> = (0..MIXED).map(|n| opt_out(tenant, &format!("88{n}"), 5)).collect();
    assert_eq!(port.stores.opt_outs.note_opt_outs(&said).await, Ok(()));
    let (whole, broken) = thirds(said);
    port.break_all(broken.iter().map(|said| Record::OptOut(tenant, said.key)))
        .await;
    (whole, broken)
}

/// Covers `OptOutStore::find_opt_outs`.
pub async fn opt_outs_that_cannot_be_read_count(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = mixed_opt_outs(&port, tenant).await;
    let marks: Vec<PersonMark> = whole.iter().chain(&broken).map(|said| said.key.mark).collect();
    let found = port.stores.opt_outs.find_opt_outs(&tenant, &marks).await;
    let mut found = found.expect("the store answers");
    found.sort_by_key(|said| said.key);
    let unreadable = broken.iter().map(|said| OptOut::unreadable(tenant, said.key.mark));
    let mut expected: Vec<OptOut> = whole.into_iter().chain(unreadable).collect();
    expected.sort_by_key(|said| said.key);
    assert_eq!(found, expected);
}

/// Covers `OptOutStore::note_opt_outs` and `OptOutStore::list_opt_outs`.
pub async fn opt_outs_beside_it_are_kept_and_listed(port: Breakable) {
    let tenant = tenant_id();
    let (mut whole, broken) = mixed_opt_outs(&port, tenant).await;
    let again = OptOut {
        at: at(9),
        ..broken[0].clone()
    };
    let new = opt_out(tenant, "77", 1);
    let noted = port.stores.opt_outs.note_opt_outs(&[new.clone(), again.clone()]).await;
    assert_eq!(noted, Ok(()));
    whole.extend([new, again]);
    whole.sort_by_key(|said| std::cmp::Reverse(said.key));
    let fetch = async |before: Option<OptOutKey>| {
        let listed = port.stores.opt_outs.list_opt_outs(&tenant, before, PageLimit::items(3));
        listed.await.expect("the store answers")
    };
    assert_eq!(read_pages(3, fetch).await, whole);
}
