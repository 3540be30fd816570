//! The first signal to end lets everything under way end.

use dakghar_graph_sim::{Fault, FaultRule, StatusPlan};

use crate::product::{Backend, Setup, on_both_backends};

on_both_backends!(a_signal_drains_before_the_end);

async fn a_signal_drains_before_the_end(backend: Backend) {
    // Without statuses only the answer to the call can settle the message.
    let mut product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product.sim.add_rule(FaultRule::always(Fault::Slow { ms: 7_000 }));
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "sending").await;
    assert_eq!(product.terminate().await, Some(0), "{}", product.log());
    assert!(product.log().contains("stopped"), "{}", product.log());
    product.restart().await;
    let message = product.until_status(&tenant, &id, "sent").await;
    assert_eq!(message["attempts"], 1, "the call was finished before the end");
}
