//! One tenant does much, or Meta answers it slowly: the others notice nothing.

use dakghar_graph_sim::{Fault, FaultRule, Match, StatusPlan};
use futures_util::StreamExt as _;

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends};

on_both_backends!(
    calls_that_take_long_take_only_the_share_of_their_number,
    a_burst_of_one_tenant_is_overtaken_by_another,
);

fn calls_of(product: &Product, number: &str) -> usize {
    let journal = product.sim.journal();
    journal.iter().filter(|call| call.phone_number_id == number).count()
}

async fn send_many(product: &Product, tenant: &Tenant, count: usize) {
    let sending = (0..count).map(|n| async move { product.send(tenant, &format!("+9191111{n:05}")).await });
    let sent: Vec<String> = futures_util::stream::iter(sending).buffer_unordered(32).collect().await;
    assert_eq!(sent.len(), count);
}

async fn calls_that_take_long_take_only_the_share_of_their_number(backend: Backend) {
    /// The calls of two seconds at the pace of a number.
    const SHARE: usize = 160;
    let setup = Setup::on(backend).statuses(StatusPlan::none());
    let setup = setup.env("SEND_TIMEOUT_MS", 180_000).env("SEND_LEASE_MS", 240_000);
    let product = setup.start().await;
    let (slow, other) = (
        product.tenant("111", "EAAG-slow").await,
        product.tenant("222", "EAAG-other").await,
    );
    let of_slow = Match {
        phone_number_id: Some("111".to_owned()),
        ..Match::default()
    };
    product
        .sim
        .add_rule(FaultRule::always(Fault::Slow { ms: 150_000 }).when(of_slow));
    send_many(&product, &slow, 2 * SHARE).await;
    assert!(
        eventually(async || calls_of(&product, "111") > 0).await,
        "nothing is called"
    );
    for n in 0..20 {
        let id = product.send(&other, &format!("+919222222{n:03}")).await;
        product.until_status(&other, &id, "sent").await;
    }
    // The first calls are still under way: nobody waited for them, and no place of theirs was given to another.
    let answered = product.get(&format!("/tenants/{}/messages?status=sent", slow.id)).await;
    assert_eq!(
        answered["data"].as_array().map(Vec::len),
        Some(0),
        "the other one waited for slow calls"
    );
    let under_way = calls_of(&product, "111");
    assert!(under_way <= SHARE, "{under_way} calls of one number are under way");
    assert_eq!(calls_of(&product, "222"), 20);
}

async fn a_burst_of_one_tenant_is_overtaken_by_another(backend: Backend) {
    const BURST: usize = 1_500;
    let product = Product::start(backend).await;
    // At the usual pace of a number, this takes Meta half a minute.
    let (loud, quiet) = (
        product.tenant("111", "EAAG-loud").await,
        product.tenant("222", "EAAG-quiet").await,
    );
    send_many(&product, &loud, BURST).await;
    let begun = calls_of(&product, "111");
    for n in 0..5 {
        let id = product.send(&quiet, &format!("+919222222{n:03}")).await;
        product.until_status(&quiet, &id, "delivered").await;
    }
    let ended = calls_of(&product, "111");
    assert!(begun < BURST, "there was no backlog");
    assert!(
        ended < BURST,
        "the quiet one waited for all {BURST} messages of the loud one"
    );
    println!("{begun} to {ended} of {BURST} went out beside five of another tenant");
}
