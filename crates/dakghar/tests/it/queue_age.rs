//! How much is due in the queue, and for how long, as workers are scaled by it.

use dakghar_graph_sim::StatusPlan;
use dakghar_testkit::Port;

use crate::metrics::Measured;
use crate::product::{Backend, Setup, eventually, on_both_backends};

on_both_backends!(the_queue_grows_older_until_somebody_sends);

const DUE: &str = "dakghar_queue_due{priority=\"normal\"}";
const AGE: &str = "dakghar_queue_age_seconds{priority=\"normal\"}";

async fn the_queue_grows_older_until_somebody_sends(backend: Backend) {
    // Nobody sends: there is no worker, or it is held.
    let role = if backend == Backend::Embedded {
        "serve --hold"
    } else {
        "api"
    };
    let mut measured = Measured::start(Setup::on(backend).role(role).statuses(StatusPlan::none())).await;
    let tenant = measured.product.tenant("111", "EAAG-real").await;
    measured.until(DUE, 0).await;
    for to in ["+919111111111", "+919111111112"] {
        measured.product.send(&tenant, to).await;
    }
    measured.until(DUE, 2).await;
    let has_age = async |seconds: u64| measured.scrape().await.value(AGE) >= seconds;
    assert!(
        eventually(async || has_age(2).await).await,
        "{}",
        measured.product.log()
    );
    assert_eq!(measured.scrape().await.value("dakghar_queue_due{priority=\"low\"}"), 0);

    let port = Port::claim();
    if backend == Backend::Embedded {
        let (code, _, err) = measured.product.run(&["release"]);
        assert_eq!(code, Some(0), "{err}");
    } else {
        measured.product.set("METRICS_ADDR", "127.0.0.1:0");
        measured.product.spawn_on("worker", port.number());
    }
    measured.until(DUE, 0).await;
    measured.until(AGE, 0).await;
    assert_eq!(measured.product.sim.journal().len(), 2);
}
