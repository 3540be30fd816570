//! Query strings: filters, limits and cursors.

use dakghar_testkit::samples;
use dakghar_testkit::samples::With as _;
use serde_json::Value;

use crate::harness::{Answer, Service, TestTenant};

fn ids(answer: &Answer) -> Vec<&str> {
    let data = answer.json["data"].as_array().expect("a list");
    data.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

/// A tenant with two messages out and one in; their ids.
async fn with_messages() -> (Service, TestTenant, [String; 3]) {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let first = service.send(&tenant, "+919111111111", "one").await;
    let second = service.send(&tenant, "+919222222222", "two").await;
    let inbound = samples::inbound(samples::tenant_id(), "wamid.1");
    let third = service
        .store_message(
            &tenant,
            inbound.with(|message| {
                message.accepted.peer = Some("+919111111111".into());
                message.accepted.peer_id = Some(samples::person("919111111111"));
            }),
        )
        .await;
    (service, tenant, [first, second, third])
}

#[tokio::test]
async fn filters_choose_and_compare_people_by_digits() {
    let (service, tenant, [first, second, third]) = with_messages().await;
    let list = async |query: &str| {
        let answer = service.get(&format!("/tenants/{}/messages{query}", tenant.id)).await;
        assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.text);
        let mut found: Vec<String> = ids(&answer).into_iter().map(str::to_owned).collect();
        found.sort();
        found
    };
    let sorted = |ids: &[&String]| {
        let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
        ids.sort();
        ids
    };
    let cases: &[(&str, &[&String])] = &[
        ("", &[&first, &second, &third]),
        ("?direction=outbound", &[&first, &second]),
        ("?direction=inbound", &[&third]),
        ("?status=queued", &[&first, &second]),
        ("?status=received", &[&third]),
        ("?status=failed", &[]),
        ("?type=text", &[&first, &second, &third]),
        ("?type=image", &[]),
        ("?to=%2B919111111111", &[&first]),
        ("?to=+91-9111(111)111", &[&first]),
        ("?from=919111111111", &[&third]),
        ("?from=111111111111111", &[&first, &second]),
        ("?to=111111111111111", &[&third]),
        ("?to=111111111111111&from=919111111111", &[&third]),
        ("?to=919111111111&direction=inbound", &[]),
        ("?to=919111111111&from=919222222222", &[]),
        ("?phoneNumberId=111111111111111", &[&first, &second, &third]),
        ("?phoneNumberId=999", &[]),
        ("?phoneNumberId=999&from=111111111111111", &[]),
        ("?since=2026-11-22T10:00:00Z", &[&first, &second, &third]),
        ("?until=2026-11-22T10:00:00Z", &[]),
        (
            "?since=2026-11-22T16:00:00+06:00&until=2026-11-23T00:00:00Z&to=919222222222",
            &[&second],
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(list(query).await, sorted(expected), "{query}");
    }
}

#[tokio::test]
async fn filters_that_make_no_sense_are_refused() {
    let (service, tenant, _) = with_messages().await;
    for query in [
        "direction=up",
        "status=foo",
        "status=",
        "status=queued&status=sent",
        "state=queued",
        "tenantId=ten_x",
        "type=",
        "to=",
        "to=%2B",
        "to[$ne]=x",
        "from=a%20b",
        "phoneNumberId=abc",
        "since=yesterday",
        "since=2026-11-22T10:00:00",
        "since=2026-11-23T00:00:00Z&until=2026-11-22T00:00:00Z",
        "%ff=%ff",
    ] {
        let answer = service.get(&format!("/tenants/{}/messages?{query}", tenant.id)).await;
        assert_eq!(answer.outcome(), (400, "invalid_filter"), "{query}");
    }
    for limit in ["0", "-1", "201", "1001", "x", "", "1.5", "+5", "99999999999"] {
        for list in ["messages", "conversations", "events", "dead-letters"] {
            let answer = service
                .get(&format!("/tenants/{}/{list}?limit={limit}", tenant.id))
                .await;
            assert_eq!(answer.outcome(), (400, "invalid_limit"), "{list} {limit}");
        }
    }
    for list in ["/tenants", "/unrouted", "/dead-letters"] {
        assert_eq!(
            service.get(&format!("{list}?limit=0")).await.outcome(),
            (400, "invalid_limit")
        );
        assert_eq!(
            service.get(&format!("{list}?status=sent")).await.outcome(),
            (400, "invalid_filter")
        );
    }
}

#[tokio::test]
async fn a_cursor_works_for_its_own_list_only() {
    let (service, tenant, _) = with_messages().await;
    let other = service.register("Tenant B", "222222222222222").await;
    service.send(&other, "+919111111111", "x").await;
    let messages = format!("/tenants/{}/messages", tenant.id);
    let page = service.get(&format!("{messages}?limit=1")).await;
    let cursor = page.json["nextCursor"].as_str().expect("another page");
    let next = service.get(&format!("{messages}?limit=1&cursor={cursor}")).await;
    assert_ne!(ids(&next), ids(&page));
    for path in [
        format!("{messages}?cursor={cursor}x"),
        format!("{messages}?cursor=%00"),
        format!("{messages}?cursor="),
        format!("{messages}?status=queued&cursor={cursor}"),
        format!("/tenants/{}/messages?cursor={cursor}", other.id),
        format!("/tenants/{}/conversations?cursor={cursor}", tenant.id),
        format!("/tenants?cursor={cursor}"),
    ] {
        assert_eq!(service.get(&path).await.outcome(), (400, "invalid_cursor"), "{path}");
    }
    let all = service.get(&format!("{messages}?limit=200")).await;
    assert_eq!(all.json["nextCursor"], Value::Null);
    assert_eq!(ids(&all).len(), 3);
}

#[tokio::test]
async fn a_page_of_large_messages_is_short_and_leads_on() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let mut expected = Vec::new();
    for _ in 0..12 {
        let large = samples::outbound(samples::tenant_id()).with(|message| {
            message.accepted.content.body = format!("{{\"body\":\"{}\"}}", "x".repeat(600_000)).into();
        });
        expected.insert(0, service.store_message(&tenant, large).await);
    }
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let path = format!("/tenants/{}/messages?limit=200{cursor}", tenant.id);
        let page = service.get(&path).await;
        assert!(page.text.len() < 3_000_000, "{} bytes", page.text.len());
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page.json["nextCursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, expected, "every message once");
}
