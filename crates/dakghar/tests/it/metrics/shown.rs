//! What `/metrics` shows on request: the busiest tenants, and exemplars.

use dakghar_graph_sim::{Fault, FaultRule, Match};
use dakghar_testkit::receiver::Receiver;
use dakghar_testkit::require_services;
use dakghar_testkit::servers::Prometheus;
use serde_json::json;

use super::{Measured, counts};
use crate::product::{Backend, Setup, eventually, on_both_backends};
use crate::traces::{Collector, hex, is_after, send};

on_both_backends!(
    the_busiest_tenants_are_counted_by_themselves_and_the_rest_together,
    a_bucket_names_a_trace_that_was_sampled_to_who_asks_for_it,
);

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
/// As Prometheus asks.
const ASKED: &str = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

async fn the_busiest_tenants_are_counted_by_themselves_and_the_rest_together(backend: Backend) {
    let measured = Measured::start(Setup::on(backend).env("METRICS_TENANTS", 2)).await;
    let product = &measured.product;
    let first = product.tenant("111", "EAAG-first").await;
    let second = product.tenant("222", "mock_second").await;
    let others = [
        product.tenant("333", "mock_c").await,
        product.tenant("444", "mock_d").await,
    ];
    let receiver = Receiver::start([]).await;
    let endpoint = json!({"url": receiver.url(), "kinds": ["status.delivered"]});
    product
        .post(&format!("/tenants/{}/endpoints", first.id), endpoint)
        .await;
    let of = async |name: &str| measured.scrape().await.by_label(name);
    assert_eq!(
        of("dakghar_tenant_messages_accepted_total").await,
        counts([]),
        "nothing happened yet"
    );

    let to_111 = Match {
        phone_number_id: Some("111".to_owned()),
        ..Match::default()
    };
    product
        .sim
        .add_rule(FaultRule::first(1, Fault::graph_error(131_047)).when(to_111));
    let refused = product.send(&first, "+919111111110").await;
    product.until_status(&first, &refused, "failed").await;
    for (tenant, count) in [(&first, 2), (&second, 1), (&others[0], 1), (&others[1], 3)] {
        for n in 0..count {
            let id = product.send(tenant, &format!("+91911111112{n}")).await;
            product.until_status(tenant, &id, "delivered").await;
        }
    }
    let (one, two) = (first.id.as_str(), second.id.as_str());
    let accepted = counts([(one, 3), (two, 1), ("other", 4)]);
    assert_eq!(of("dakghar_tenant_messages_accepted_total").await, accepted);
    let sent = counts([(one, 2), (two, 1), ("other", 4)]);
    assert_eq!(of("dakghar_tenant_messages_sent_total").await, sent);
    assert_eq!(of("dakghar_tenant_messages_failed_total").await, counts([(one, 1)]));
    assert_eq!(of("dakghar_tenant_messages_dead_total").await, counts([]));
    // Sent, delivered and read, of two; all of them may come again.
    let parts = async || of("dakghar_tenant_webhook_parts_total").await;
    let has_come = async || {
        let parts = parts().await;
        parts.len() == 1 && parts[one] >= 4
    };
    assert!(eventually(has_come).await, "{:?}", parts().await);
    let lag = "dakghar_tenant_callback_lag_seconds_count";
    let is_called = async || of(lag).await == counts([(one, 2)]);
    assert!(eventually(is_called).await, "{:?}", of(lag).await);
}

/// The series with exemplars, and the traces of these.
fn exemplars(text: &str) -> Vec<(&str, &str)> {
    let read = |line| {
        let (sample, exemplar): (&str, &str) = str::split_once(line, " # {trace_id=\"")?;
        let (series, _) = sample.rsplit_once(' ')?;
        Some((series, exemplar.split('"').next()?))
    };
    text.lines().filter_map(read).collect()
}

async fn a_bucket_names_a_trace_that_was_sampled_to_who_asks_for_it(backend: Backend) {
    let collector = Collector::start([]).await;
    let setup = Setup::on(backend).env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    let measured = Measured::start(setup).await;
    let product = &measured.product;
    let tenant = product.tenant("111", "EAAG-real").await;
    // The client says that this one is not sampled.
    let id = send(product, &tenant, &format!("00-{TRACE}-{PARENT}-00")).await;
    product.until_status(&tenant, &id, "delivered").await;
    let (content_type, text) = measured.accepting(ASKED).await;
    assert_eq!((content_type.as_str(), exemplars(&text)), (OPENMETRICS, vec![]));
    assert!(text.ends_with("# EOF\n"));

    let id = send(product, &tenant, &format!("00-{TRACE}-{PARENT}-01")).await;
    product.until_status(&tenant, &id, "delivered").await;
    let accept = collector
        .until("the accept", |span| {
            span.name == "accept" && hex(&span.trace_id) == TRACE
        })
        .await;
    let sending = collector
        .until("the send", |span| is_after(span, "send", &accept))
        .await;
    let sending = hex(&sending.trace_id);
    let (_, text) = measured.accepting(ASKED).await;
    let found = exemplars(&text);
    for (series, trace) in [
        ("dakghar_stage_seconds_bucket{le=\"", TRACE),
        ("dakghar_graph_call_seconds_bucket{le=\"", &sending),
    ] {
        assert!(
            found.iter().any(|(of, id)| of.starts_with(series) && *id == trace),
            "{found:?}"
        );
    }
    for (stage, trace) in [
        ("stored", TRACE),
        ("delivered", TRACE),
        ("claimed", &sending),
        ("answered", &sending),
        ("recorded", &sending),
    ] {
        let of_stage: Vec<_> = found
            .iter()
            .filter(|(series, _)| series.contains(&format!("stage=\"{stage}\"")))
            .collect();
        assert!(of_stage.len() == 1 && of_stage[0].1 == trace, "{stage}: {found:?}");
    }

    for (accept, expected) in [
        ("*/*", OPENMETRICS),
        (
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "text/plain; version=0.0.4; charset=utf-8",
        ),
    ] {
        let (content_type, text) = measured.accepting(accept).await;
        assert_eq!(
            (content_type.as_str(), exemplars(&text)),
            (expected, vec![]),
            "{accept}"
        );
        assert!(text.contains("dakghar_messages_accepted_total 2\n"), "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_keeps_the_exemplars() {
    require_services!(Prometheus);
    let collector = Collector::start([]).await;
    let setup = Setup::on(Backend::Embedded)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("METRICS_TENANTS", 1);
    let measured = Measured::start(setup).await;
    let product = &measured.product;
    let tenant = product.tenant("111", "EAAG-real").await;
    let prometheus = Prometheus::scraping(([127, 0, 0, 1], measured.port.number()).into()).await;
    let id = send(product, &tenant, &format!("00-{TRACE}-{PARENT}-01")).await;
    product.until_status(&tenant, &id, "delivered").await;
    let query = "/api/v1/query_exemplars?query=dakghar_stage_seconds_bucket&start=0&end=4000000000";
    let has_trace = async || {
        let found = prometheus.ask(query).await.to_string();
        found.contains("\"stored\"") && found.contains(TRACE)
    };
    assert!(eventually(has_trace).await, "{:#}", prometheus.ask(query).await);
    let tenants = "/api/v1/query?query=dakghar_tenant_messages_accepted_total";
    let answer = async || prometheus.ask(tenants).await["result"].to_string();
    assert!(
        eventually(async || answer().await.contains(&tenant.id)).await,
        "{}",
        answer().await
    );
}
