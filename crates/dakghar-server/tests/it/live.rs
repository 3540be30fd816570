//! Live reading of feeds: requests that wait, and streams.

use std::pin::pin;
use std::time::Duration;

use axum::body::BodyDataStream;
use axum::http::Method;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use dakghar_core::domain::{TenantId, WebhookEvent};
use dakghar_core::metrics::{Limit, LiveWay};
use dakghar_core::ports::{Aged, AgedPortion, Clock as _, Erasure as _, EventStore as _};
use dakghar_server::http::HttpConfig;
use dakghar_testkit::samples;
use futures_util::{FutureExt as _, StreamExt as _, poll};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use crate::harness::{ADMIN_KEY, Answer, Service, Setup, TestTenant, request, with_key};
use crate::sockets::{read_to_end, read_until, start};

/// Far longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Something happens to a tenant.
async fn happen(service: &Service, tenant: &TestTenant, field: &str) {
    let event = WebhookEvent {
        received_at: service.clock.now(),
        amends: None,
        field: field.into(),
        ..samples::event(TenantId::parse(&tenant.id).expect("an id"))
    };
    service.store.record(&[event]).await.expect("no outage");
}

/// Reads a page in a task of its own.
fn page(service: &Service, tenant: &TestTenant, query: &str) -> impl Future<Output = Answer> {
    let path = format!("/tenants/{}/feed?{query}", tenant.id);
    async move { service.get(&path).await }
}

fn kinds(answer: &Answer) -> Vec<&str> {
    let entries = answer.json["data"].as_array().expect("entries");
    entries
        .iter()
        .map(|entry| entry["kind"].as_str().expect("a kind"))
        .collect()
}

/// An event of a stream, or the comments between.
#[derive(Debug, Default, PartialEq)]
struct Event {
    id: Option<String>,
    kind: Option<String>,
    data: Value,
    is_comment: bool,
}

/// A stream under way.
struct Stream {
    body: BodyDataStream,
    rest: String,
}

impl Stream {
    /// Opens a stream, or answers the problem with its status.
    async fn open(
        service: &Service,
        tenant: &TestTenant,
        query: &str,
        last: Option<&str>,
    ) -> Result<Self, (u16, Value)> {
        Self::open_at(
            service,
            &format!("/tenants/{}/feed{query}", tenant.id),
            Some("text/event-stream"),
            last,
        )
        .await
    }

    async fn open_at(
        service: &Service,
        path: &str,
        accept: Option<&str>,
        last: Option<&str>,
    ) -> Result<Self, (u16, Value)> {
        let mut request = with_key(request(Method::GET, path, None), service.key.as_deref());
        let headers = request.headers_mut();
        headers.extend(accept.map(|accept| (ACCEPT, accept.parse().expect("a type"))));
        if let Some(last) = last {
            headers.insert("last-event-id", last.parse().expect("an id"));
        }
        let response = service.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let content_type = response.headers()[CONTENT_TYPE].to_str().expect("text").to_owned();
        let mut body = response.into_body().into_data_stream();
        if status != 200 {
            let bytes = body.next().await.expect("a problem").expect("a body");
            return Err((status, serde_json::from_slice(&bytes).expect("JSON")));
        }
        assert_eq!(content_type, "text/event-stream");
        Ok(Self {
            body,
            rest: String::new(),
        })
    }

    /// The next event, as a browser reads it; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let event = read(block);
                let rest = rest.to_owned();
                self.rest = rest;
                return Some(event);
            }
            let bytes = timeout(PATIENCE * 10, self.body.next()).await.expect("in time")?;
            self.rest
                .push_str(std::str::from_utf8(&bytes.expect("a body")).expect("UTF-8"));
        }
    }

    async fn id_and_kind(&mut self) -> (String, String) {
        let event = self.next().await.expect("an event");
        let (id, kind) = (event.id.expect("an id"), event.kind.expect("a type"));
        assert_eq!(event.data["place"], id.as_str());
        assert_eq!(event.data["kind"], kind.as_str());
        (id, kind)
    }
}

fn read(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.lines() {
        let (name, value) = line.split_once(": ").expect("a field");
        match name {
            "id" => event.id = Some(value.to_owned()),
            "event" => event.kind = Some(value.to_owned()),
            "data" => event.data = serde_json::from_str(value).expect("JSON"),
            "" => event.is_comment = true,
            "retry" => assert_eq!(value, "2000"),
            other => panic!("{other}"),
        }
    }
    event
}

fn limited(all: usize, of_tenant: usize) -> Setup {
    let mut setup = Setup::default();
    setup.http.live_readers_max = all;
    setup.http.live_readers_per_tenant_max = of_tenant;
    setup
}

#[tokio::test]
async fn a_page_is_waited_for_until_there_is_an_entry() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let other = service.register("Tenant B", "222222222222222").await;
    happen(&service, &tenant, "security").await;
    let at_once = page(&service, &tenant, "after=0&wait=60").await;
    assert_eq!(
        (kinds(&at_once), &at_once.json["nextCursor"]),
        (vec!["meta.security"], &json!("1"))
    );
    let mut waiting = Box::pin(page(&service, &tenant, "after=1&wait=60"));
    assert!((&mut waiting).now_or_never().is_none(), "nothing is behind it yet");
    happen(&service, &other, "security").await;
    assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err());
    assert_eq!(service.app.metrics.feed_readers.of(LiveWay::LongPoll).get(), 1);
    happen(&service, &tenant, "account_update").await;
    let answer = timeout(PATIENCE, waiting).await.expect("it is told");
    assert_eq!(
        (kinds(&answer), &answer.json["nextCursor"]),
        (vec!["meta.account_update"], &json!("2"))
    );
    assert_eq!(service.app.metrics.feed_readers.of(LiveWay::LongPoll).get(), 0);
}

#[tokio::test]
async fn a_wait_that_is_over_answers_with_a_place_behind_what_was_looked_at() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    happen(&service, &tenant, "security").await;
    happen(&service, &tenant, "security").await;
    let nothing = json!({"data": [], "nextCursor": "2"});
    assert_eq!(page(&service, &tenant, "after=2&wait=1").await.json, nothing);
    assert_eq!(page(&service, &tenant, "wait=1&kinds=message.*").await.json, nothing);
    assert_eq!(page(&service, &tenant, "after=latest&wait=1").await.json, nothing);
    assert_eq!(page(&service, &tenant, "after=2").await.json, nothing, "without a wait");
}

#[tokio::test]
async fn what_is_not_wanted_ends_no_wait() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let mut waiting = Box::pin(page(&service, &tenant, "wait=60&kinds=meta.security"));
    assert!((&mut waiting).now_or_never().is_none());
    for _ in 0..3 {
        happen(&service, &tenant, "account_update").await;
    }
    assert!(timeout(Duration::from_millis(200), &mut waiting).await.is_err());
    happen(&service, &tenant, "security").await;
    let answer = timeout(PATIENCE, waiting).await.expect("it is told");
    assert_eq!(
        (kinds(&answer), &answer.json["nextCursor"]),
        (vec!["meta.security"], &json!("4"))
    );
    let of_number = page(&service, &tenant, "phoneNumberIds=333333333333333").await;
    assert_eq!(
        of_number.json,
        json!({"data": [], "nextCursor": "4"}),
        "they are about another"
    );
}

#[tokio::test]
async fn a_filter_or_a_wait_that_makes_no_sense_is_refused_by_its_name() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    for (query, name) in [
        ("kinds=statuses.*", "kinds"),
        ("phoneNumberIds=x", "phoneNumberIds"),
        ("wait=61", "wait"),
    ] {
        let answer = page(&service, &tenant, query).await;
        assert_eq!(answer.outcome(), (400, "invalid_filter"));
        assert!(
            answer.json["detail"].as_str().expect("text").starts_with(name),
            "{}",
            answer.text
        );
    }
    let refused = Stream::open(&service, &tenant, "?kinds=statuses.*", None).await.err();
    assert_eq!(refused.expect("refused").0, 400);
}

#[tokio::test]
async fn a_reader_too_many_is_refused_and_others_are_not() {
    let service = Service::start(limited(3, 2));
    let a = service.register("Tenant A", "111111111111111").await;
    let b = service.register("Tenant B", "222222222222222").await;
    let open = |tenant| Stream::open(&service, tenant, "", None);
    let (first, mut poll) = (
        open(&a).await.expect("a place"),
        Box::pin(page(&service, &a, "wait=60")),
    );
    assert!((&mut poll).now_or_never().is_none(), "it waits");
    assert_eq!(service.app.metrics.feed_readers.of(LiveWay::LongPoll).get(), 1);
    let (status, problem) = open(&a).await.err().expect("too many");
    assert_eq!((status, &problem["code"]), (429, &json!("too_many_readers")));
    let refused = page(&service, &a, "wait=60").await;
    assert_eq!(
        (refused.outcome(), refused.header("retry-after")),
        ((429, "too_many_readers"), Some("5"))
    );
    assert_eq!(
        page(&service, &a, "wait=0").await.status,
        200,
        "who does not wait takes no place"
    );
    let of_b = open(&b).await.expect("another has its own");
    assert_eq!(open(&b).await.err().expect("none of all is left").0, 503);
    assert_eq!(service.app.metrics.refused.of(Limit::FeedReaders).get(), 3);
    drop((first, poll, of_b));
    assert_eq!(service.app.metrics.feed_readers.of(LiveWay::Stream).get(), 0);
    assert!(open(&a).await.is_ok(), "who left made room");
}

#[tokio::test]
async fn a_stream_has_each_entry_once_and_goes_on_behind_the_last_event() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    for _ in 0..60 {
        happen(&service, &tenant, "security").await;
    }
    let mut stream = Stream::open(&service, &tenant, "", None).await.expect("open");
    assert_eq!(
        stream.next().await.expect("the place to begin at").id.as_deref(),
        Some("0")
    );
    for place in 1..=60 {
        let expected = (place.to_string(), "meta.security".to_owned());
        assert_eq!(stream.id_and_kind().await, expected);
    }
    happen(&service, &tenant, "account_update").await;
    let live = stream.next().await.expect("an event");
    let of_page = page(&service, &tenant, "after=60").await;
    assert_eq!(live.data, of_page.json["data"][0], "the entry as on a page");
    drop(stream);
    happen(&service, &tenant, "security").await;
    // A browser repeats the URL as it was, and names the event that it has.
    let mut again = Stream::open(&service, &tenant, "?after=3", Some("60"))
        .await
        .expect("open");
    assert_eq!(again.next().await.expect("the place").id.as_deref(), Some("60"));
    assert_eq!(again.id_and_kind().await.0, "61");
    assert_eq!(again.id_and_kind().await.0, "62");
    let mut latest = Stream::open(&service, &tenant, "?after=latest", None)
        .await
        .expect("open");
    assert_eq!(latest.next().await.expect("the place").id.as_deref(), Some("62"));
    happen(&service, &tenant, "security").await;
    assert_eq!(latest.id_and_kind().await.0, "63");
}

#[tokio::test]
async fn a_key_that_holds_no_more_reads_no_further_entry() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let tenant = service.register("Tenant A", "111111111111111").await;
    let keys = format!("/tenants/{}/keys", tenant.id);
    let made = service
        .post(&keys, &json!({"name": "reader", "scopes": ["read"]}))
        .await;
    let text = |name: &str| made.json[name].as_str().expect("a text").to_owned();
    let (id, key) = (text("keyId"), text("key"));
    service.key = Some(key);
    let mut stream = Stream::open(&service, &tenant, "", None).await.expect("open");
    stream.next().await.expect("the place");
    happen(&service, &tenant, "security").await;
    assert_eq!(stream.id_and_kind().await.0, "1");
    let path = format!("/tenants/{}/feed?after=1&wait=60", tenant.id);
    let waiting = with_key(request(Method::GET, &path, None), service.key.as_deref());
    let mut waiting = pin!(service.router.clone().oneshot(waiting));
    assert!(poll!(waiting.as_mut()).is_pending());

    let revoking = with_key(request(Method::DELETE, &format!("{keys}/{id}"), None), Some(ADMIN_KEY));
    assert_eq!(service.call(revoking).await.status.as_u16(), 204);
    service.clock.advance(Duration::from_secs(1));
    happen(&service, &tenant, "security").await;
    assert_eq!(stream.next().await, None);
    let refused = timeout(PATIENCE, waiting).await.expect("in time").expect("infallible");
    assert_eq!(refused.status().as_u16(), 401);
}

#[tokio::test]
async fn the_path_of_the_stream_is_one_whatever_is_accepted() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    for kind in ["security", "account_update", "security"] {
        happen(&service, &tenant, kind).await;
    }
    let path = |query: &str| format!("/tenants/{}/feed/stream{query}", tenant.id);
    for accept in [None, Some("*/*"), Some("application/json"), Some("text/event-stream")] {
        let all = path("?after=1&kinds=meta.security");
        let mut stream = Stream::open_at(&service, &all, accept, None).await.expect("open");
        let begins_at = stream.next().await.expect("the place").id;
        assert_eq!(begins_at.as_deref(), Some("2"), "the one before is not wanted");
        assert_eq!(stream.id_and_kind().await.0, "3", "{accept:?}");
        let mut rest = Stream::open_at(&service, &all, accept, Some("3")).await.expect("open");
        assert_eq!(rest.next().await.expect("the place").id.as_deref(), Some("3"));
    }
    for query in ["?limit=3", "?wait=3", "?after=9"] {
        let refused = Stream::open_at(&service, &path(query), None, None).await.err();
        assert_eq!(refused.expect("refused").0, 400, "{query}");
    }
}

#[tokio::test]
async fn a_stream_of_a_place_that_is_gone_or_unknown_is_a_problem() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    for _ in 0..3 {
        happen(&service, &tenant, "security").await;
    }
    let open = |last| Stream::open(&service, &tenant, "", Some(last));
    let (status, problem) = open("4").await.err().expect("unknown");
    assert_eq!((status, &problem["code"]), (400, &json!("feed_place_unknown")));
    let portion = AgedPortion {
        tenant_id: TenantId::parse(&tenant.id).ok(),
        kind: Aged::Feed,
        before: service.clock.now() + Duration::from_secs(1),
        from: None,
        limit: 2,
    };
    service.store.erase_aged(&portion).await.expect("no outage");
    let (status, problem) = open("1").await.err().expect("gone");
    assert_eq!((status, &problem["code"]), (410, &json!("feed_place_gone")));
    assert!(open("2").await.is_ok());
    assert_eq!(
        service.app.metrics.feed_readers.of(LiveWay::Stream).get(),
        0,
        "no place is kept"
    );
}

#[tokio::test]
async fn a_stream_without_entries_shows_that_it_is_alive_and_ends_after_a_while() {
    let mut setup = Setup::default();
    setup.http.live_heartbeat = Duration::from_millis(300);
    setup.http.live_stream_max = Duration::from_secs(3);
    let service = Service::start(setup);
    let tenant = service.register("Tenant A", "111111111111111").await;
    let mut stream = Stream::open(&service, &tenant, "?kinds=meta.security", None)
        .await
        .expect("open");
    stream.next().await.expect("the place");
    let beat = stream.next().await.expect("a sign of life");
    assert_eq!((beat.is_comment, beat.id, beat.kind), (true, None, None));
    happen(&service, &tenant, "account_update").await;
    let beat = stream.next().await.expect("a sign of life");
    assert_eq!(
        (beat.is_comment, beat.id.as_deref(), beat.kind),
        (true, Some("1"), None),
        "it has moved on"
    );
    happen(&service, &tenant, "security").await;
    assert_eq!(stream.id_and_kind().await, ("2".to_owned(), "meta.security".to_owned()));
    while let Some(event) = stream.next().await {
        assert!(event.is_comment, "it ends, and nothing else comes before: {event:?}");
    }
}

fn stream_request(tenant: &TestTenant, accept: &str, query: &str) -> String {
    format!(
        "GET /tenants/{}/feed{query} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n",
        tenant.id
    )
}

#[tokio::test]
async fn when_the_server_stops_streams_and_waits_end_in_good_order() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    happen(&service, &tenant, "security").await;
    let server = start(service.router.clone(), HttpConfig::default()).await;
    let (mut stream, mut poll) = (server.connect().await, server.connect().await);
    let request = stream_request(&tenant, "text/html, text/event-stream;q=0.9", "");
    stream.write_all(request.as_bytes()).await.expect("written");
    read_until(&mut stream, "event: meta.security").await;
    let request = stream_request(&tenant, "*/*", "?after=1&wait=60");
    poll.write_all(request.as_bytes()).await.expect("written");
    timeout(PATIENCE, async {
        while service.app.metrics.feed_readers.of(LiveWay::LongPoll).get() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it waits");
    let stopping = tokio::spawn(server.stop());
    let rest = read_to_end(&mut stream).await;
    assert!(
        rest.ends_with("0\r\n\r\n"),
        "the last chunk says that it is the last: {rest}"
    );
    let answer = read_to_end(&mut poll).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with(r#"{"data":[],"nextCursor":"1"}"#), "{answer}");
    stopping.await.expect("stopped");
    assert_eq!(service.app.metrics.feed_readers.of(LiveWay::Stream).get(), 0);
}

#[tokio::test]
async fn a_silent_stream_stays_and_a_client_that_leaves_makes_room() {
    let service = Service::start(limited(1, 1));
    let tenant = service.register("Tenant A", "111111111111111").await;
    let config = HttpConfig {
        header_read_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_millis(200),
        ..HttpConfig::default()
    };
    let server = start(service.router.clone(), config).await;
    for request in [
        stream_request(&tenant, "text/event-stream", ""),
        stream_request(&tenant, "application/json", "?wait=60"),
    ] {
        let mut client = server.connect().await;
        client.write_all(request.as_bytes()).await.expect("written");
        let is_there = |expected: bool| {
            let metrics = &service.app.metrics;
            async move {
                let readers = || [LiveWay::Stream, LiveWay::LongPoll].map(|way| metrics.feed_readers.of(way).get());
                while (readers().iter().sum::<i64>() > 0) != expected {
                    sleep(Duration::from_millis(5)).await;
                }
            }
        };
        timeout(PATIENCE, is_there(true)).await.expect("it reads");
        let leaves = timeout(Duration::from_secs(1), is_there(false)).await;
        assert!(
            leaves.is_err(),
            "silence longer than that of a connection without a request"
        );
        drop(client);
        timeout(PATIENCE, is_there(false)).await.expect("its place is free");
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_a_stream_is_cut() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    // More than all buffers on the way hold.
    let text = "x".repeat(60_000);
    for _ in 0..400 {
        let event = WebhookEvent {
            received_at: service.clock.now(),
            amends: None,
            raw: format!("{{\"text\":\"{text}\"}}").into(),
            ..samples::event(TenantId::parse(&tenant.id).expect("an id"))
        };
        service.store.record(&[event]).await.expect("no outage");
    }
    let config = HttpConfig {
        header_read_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_millis(400),
        ..HttpConfig::default()
    };
    let server = start(service.router.clone(), config).await;
    let mut client = server.connect().await;
    let request = stream_request(&tenant, "text/event-stream", "");
    client.write_all(request.as_bytes()).await.expect("written");
    let readers = || service.app.metrics.feed_readers.of(LiveWay::Stream).get();
    timeout(PATIENCE, async {
        while readers() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        while readers() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it is cut");
}
