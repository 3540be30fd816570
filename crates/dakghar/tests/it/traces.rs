//! Traces through the whole product: a message is followed from its client's request to the callback, nothing that is
//! secret is told, and a collector that is away costs nobody anything.

mod collector;

use dakghar_graph_sim::{Fault, FaultRule, StatusPlan};
use dakghar_testkit::receiver::{Receiver, Reply};
pub(crate) use hex::encode as hex;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;

use self::collector::attribute;
pub(crate) use self::collector::{Collector, is_after};
use crate::metrics::Measured;
use crate::product::{
    ADMIN_KEY, APP_SECRET, Backend, MASTER_KEY, Product, Setup, Tenant, eventually, on_both_backends, text,
};

on_both_backends!(
    a_message_is_followed_from_the_clients_request_to_the_callback,
    what_is_not_sampled_is_told_if_it_ends_in_an_error,
    a_dead_collector_costs_a_counter_and_a_line,
    a_collector_that_never_answers_delays_nothing,
);

const NUMBER: &str = "111000111000111";
const TOKEN: &str = "EAAGcanary7f3a9c51b2";
const BODY: &str = "body-canary-55d0";
const PHONE: &str = "919155501234";
const COLLECTOR_KEY: &str = "collector-canary-1c9e";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Sends a message within the client's span, and returns its id.
pub(crate) async fn send(product: &Product, tenant: &Tenant, traceparent: &str) -> String {
    let request = product.http.post(product.url(&format!("/tenants/{}/send", tenant.id)));
    let answer = request
        .bearer_auth(&tenant.api_key)
        .header("traceparent", traceparent)
        .json(&json!({"to": format!("+{PHONE}"), "text": BODY, "metadata": {"name": BODY}}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 202);
    text(&answer.json::<serde_json::Value>().await.expect("JSON")["messageId"])
}

fn is_error(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == 2)
}

async fn a_message_is_followed_from_the_clients_request_to_the_callback(backend: Backend) {
    let collector = Collector::start([]).await;
    let mut product = Setup::on(backend)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("x-key={COLLECTOR_KEY}"))
        .env("OTEL_SERVICE_NAME", "gateway-under-test")
        .start()
        .await;
    let tenant = product.tenant(NUMBER, TOKEN).await;
    let receiver = Receiver::start([]).await;
    let endpoint = json!({"url": receiver.url(), "kinds": ["status.delivered"], "headers": {"x-secret": BODY}});
    product
        .post(&format!("/tenants/{}/endpoints", tenant.id), endpoint)
        .await;

    let id = send(&product, &tenant, &format!("00-{TRACE}-{PARENT}-01")).await;
    product.until_status(&tenant, &id, "delivered").await;
    let accept = collector
        .until("the accept", |span| {
            span.name == "accept" && hex(&span.trace_id) == TRACE
        })
        .await;
    assert_eq!((hex(&accept.parent_span_id).as_str(), accept.kind), (PARENT, 2));
    assert_eq!(attribute(&accept, "messaging.message.id"), id);
    assert_eq!(attribute(&accept, "dakghar.tenant.id"), tenant.id);
    let sent = collector
        .until("the send", |span| is_after(span, "send", &accept))
        .await;
    assert_ne!(sent.trace_id, accept.trace_id, "time passes between");
    assert_eq!(
        (attribute(&sent, "dakghar.attempt"), attribute(&sent, "dakghar.outcome")),
        ("1".into(), "sent".into())
    );
    let is_call = |span: &Span| span.name == "graph call" && span.parent_span_id == sent.span_id;
    let call = collector.until("the call to Meta", is_call).await;
    assert!(call.trace_id == sent.trace_id && call.end_time_unix_nano >= call.start_time_unix_nano);
    collector
        .until("the webhook", |span| is_after(span, "webhook", &accept))
        .await;
    let callback = collector
        .until("the callback", |span| is_after(span, "callback", &accept))
        .await;
    let called = receiver.requests().pop().expect("a call");
    let expected = format!("00-{}-{}-01", hex(&callback.trace_id), hex(&callback.span_id));
    assert_eq!(called.header("traceparent"), Some(expected.as_str()));
    assert!(!is_error(&callback) && attribute(&callback, "http.response.status_code") == "200");

    // One that cannot be used is as none at all.
    let id = send(&product, &tenant, &format!("00-{TRACE}-{PARENT}-01-{BODY}")).await;
    let is_second = |span: &Span| span.name == "accept" && attribute(span, "messaging.message.id") == id;
    let second = collector.until("the second accept", is_second).await;
    assert!(second.parent_span_id.is_empty() && hex(&second.trace_id) != TRACE);
    product.terminate().await;

    let export = collector.exports().swap_remove(0);
    let resource = export.resource_spans[0].resource.clone().expect("a resource");
    assert!(format!("{resource:?}").contains("gateway-under-test"));
    let posts = collector.posts();
    assert!(posts.iter().all(|post| post.header("x-key") == Some(COLLECTOR_KEY)));
    assert!(posts[0].head.starts_with("POST /v1/traces "), "{}", posts[0].head);
    let bytes: Vec<u8> = posts.into_iter().flat_map(|post| post.body).collect();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(&tenant.id), "what is looked at is what was posted");
    let verify_token = product.setting("VERIFY_TOKEN");
    for secret in [
        TOKEN,
        BODY,
        PHONE,
        NUMBER,
        &tenant.api_key,
        ADMIN_KEY,
        APP_SECRET,
        MASTER_KEY,
        verify_token,
    ] {
        assert!(!holds(secret), "{secret} is in a trace");
    }
    assert!(!product.log().contains(COLLECTOR_KEY));
}

async fn what_is_not_sampled_is_told_if_it_ends_in_an_error(backend: Backend) {
    let collector = Collector::start([]).await;
    let mut product = Setup::on(backend)
        .statuses(StatusPlan::none())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("OTEL_TRACES_SAMPLER", "parentbased_always_off")
        .start()
        .await;
    let tenant = product.tenant(NUMBER, TOKEN).await;
    let well = send(&product, &tenant, "of no use").await;
    product.until_status(&tenant, &well, "sent").await;
    product.sim.add_rule(FaultRule::first(1, Fault::graph_error(131_047)));
    let ill = send(&product, &tenant, &format!("00-{TRACE}-{PARENT}-00")).await;
    product.until_status(&tenant, &ill, "failed").await;
    let failed = collector
        .until("the send that failed", |span| span.name == "send")
        .await;
    assert_eq!(attribute(&failed, "messaging.message.id"), ill);
    assert_eq!(
        failed.links.iter().map(|link| hex(&link.trace_id)).collect::<Vec<_>>(),
        [TRACE]
    );
    assert_eq!(failed.flags & 1, 0, "it says that it was not sampled");
    product.terminate().await;
    let spans = collector.spans();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["graph call", "send"], "and nothing that went well");
    assert!(spans.iter().all(is_error));
    assert_eq!(attribute(&spans[0], "dakghar.graph.code"), "131047");
}

async fn a_dead_collector_costs_a_counter_and_a_line(backend: Backend) {
    let nobody = "http://127.0.0.1:1";
    let setup = Setup::on(backend).env("OTEL_EXPORTER_OTLP_ENDPOINT", nobody);
    let mut measured = Measured::start(setup).await;
    let tenant = measured.product.tenant(NUMBER, TOKEN).await;
    for _ in 0..3 {
        let id = send(&measured.product, &tenant, "").await;
        measured.product.until_status(&tenant, &id, "delivered").await;
    }
    let dropped = r#"dakghar_spans_dropped_total{reason="collector"}"#;
    let counted = eventually(async || measured.scrape().await.value(dropped) > 0).await;
    assert!(counted, "{}", measured.product.log());
    assert_eq!(measured.scrape().await.value("dakghar_spans_exported_total"), 0);
    assert_eq!(measured.product.terminate().await, Some(0));
    let log = measured.product.log();
    assert_eq!(log.matches("the collector does not take traces").count(), 1, "{log}");
}

async fn a_collector_that_never_answers_delays_nothing(backend: Backend) {
    let collector = Collector::start(std::iter::repeat_n(Reply::Silence, 100)).await;
    let mut product = Setup::on(backend)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", 60_000)
        .start()
        .await;
    let tenant = product.tenant(NUMBER, TOKEN).await;
    let first = send(&product, &tenant, "").await;
    collector.0.until_requests(1).await;
    // The post of the first one lasts as long as this test.
    for _ in 0..3 {
        let id = send(&product, &tenant, "").await;
        product.until_status(&tenant, &id, "delivered").await;
    }
    product.until_status(&tenant, &first, "delivered").await;
    assert_eq!(collector.posts().len(), 1, "one post at a time");
    assert_eq!(product.terminate().await, Some(0), "nor does the end wait for it");
}
