//! Replays of endpoints over HTTP: asked for in one way, looked at, cancelled; and their refusals.

use dakghar_core::domain::callback::Advance;
use dakghar_core::domain::{EndpointId, Place, TenantId};
use dakghar_core::ports::{CallbackStore as _, EventStore as _, Saved};
use dakghar_testkit::samples;
use serde_json::{Value, json};

use crate::harness::Service;

/// A service, and the path of the replays of an endpoint that has come to the third of five entries.
async fn service() -> (Service, String) {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let all = format!("/tenants/{}/endpoints", tenant.id);
    let made = service
        .post(
            &all,
            &json!({"url": "https://example.com/hook", "startAt": "beginning"}),
        )
        .await;
    let id = made.json["endpointId"].as_str().expect("an id");
    let tenant_id = TenantId::parse(&tenant.id).expect("an id");
    let events = [(); 5].map(|()| samples::event(tenant_id));
    service.store.record(&events).await.expect("recorded");
    let mut progress = samples::callback_progress(EndpointId::parse(id).expect("an id"), tenant_id);
    progress.after = Place::new(3);
    let advance = Advance {
        progress,
        exceptions: Vec::new(),
        over: Vec::new(),
        attempts: None,
    };
    assert_eq!(service.store.advance(&[advance]).await, [Ok(Saved::Done)]);
    let path = format!("{all}/{id}/replays");
    (service, path)
}

#[tokio::test]
async fn a_replay_is_counted_begun_read_and_cancelled() {
    let (service, path) = service().await;
    let counted = service
        .post(&path, &json!({"from": "2", "until": "99", "dryRun": true}))
        .await;
    assert_eq!(
        (counted.status.as_u16(), &counted.json),
        (200, &json!({"events": 2, "isExact": true, "waiting": 0}))
    );
    assert_eq!(service.get(&path).await.json["data"], json!([]));
    let begun = service.post(&path, &json!({"from": "2", "kinds": ["meta.*"]})).await;
    assert_eq!(begun.status.as_u16(), 202, "{}", begun.text);
    let id = begun.json["id"].as_str().expect("an id").to_owned();
    let mut expected = json!({
        "id": id, "eventIds": null, "failedSince": null, "kinds": ["meta.*"], "phoneNumberIds": [], "after": "1",
        "until": "3", "place": "1", "status": "running", "waitingFor": null, "delivered": 0, "failed": 0,
        "waiting": 0,
        "createdAt": "2026-11-22T10:00:00.000Z", "endedAt": null,
    });
    assert_eq!(begun.json, expected);
    let one = format!("{path}/{id}");
    assert_eq!(service.get(&one).await.json, expected);
    assert_eq!(service.get(&path).await.json["data"], json!([expected]));
    let second = service
        .post(&path, &json!({"failedSince": "2026-01-01T00:00:00Z"}))
        .await;
    assert_eq!(second.outcome(), (409, "replay_running"));
    expected["status"] = json!("cancelled");
    for _ in 0..2 {
        let cancelled = service.post(&format!("{one}/cancel"), &json!({})).await;
        assert_eq!(cancelled.json, expected);
    }
    let event = "ent_01kamt5c8x7v3b9q2w4e6r8t0y";
    let second = service.post(&path, &json!({"eventIds": [event, event]})).await;
    assert_eq!(second.json["eventIds"], json!([event]));
    let ids = service.get(&path).await.json["data"].clone();
    assert_eq!((&ids[0]["id"], &ids[1]["id"]), (&second.json["id"], &json!(id)));
    let nobody = service.get(&format!("{path}/rpl_01kamt5c8x7v3b9q2w4e6r8t0y")).await;
    assert_eq!(nobody.outcome(), (404, "replay_not_found"));
}

#[tokio::test]
async fn a_replay_that_makes_no_sense_is_refused_with_a_pointer() {
    let (service, path) = service().await;
    let ids = vec!["ent_01kamt5c8x7v3b9q2w4e6r8t0y"; 101];
    let refused: [(Value, &str, &str); 11] = [
        (json!({}), "invalid_field", "/eventIds"),
        (json!({"eventIds": []}), "invalid_field", "/eventIds"),
        (json!({"eventIds": ["msg_1"]}), "invalid_field", "/eventIds"),
        (json!({"eventIds": ids}), "invalid_field", "/eventIds"),
        (
            json!({"eventIds": [ids[0]], "failedSince": "2026-01-01T00:00:00Z"}),
            "invalid_field",
            "/failedSince",
        ),
        (
            json!({"failedSince": "2026-01-01T00:00:00Z", "kinds": ["message.*"]}),
            "invalid_field",
            "/kinds",
        ),
        (json!({"failedSince": "yesterday"}), "invalid_field", "/failedSince"),
        (json!({"from": "x"}), "invalid_field", "/from"),
        (json!({"from": "7", "until": "6"}), "invalid_field", "/until"),
        (
            json!({"from": "1", "kinds": ["nonsense"]}),
            "invalid_event_type",
            "/kinds/0",
        ),
        (
            json!({"from": "1", "phoneNumberIds": ["222"]}),
            "invalid_phone_number_id",
            "/phoneNumberIds/0",
        ),
    ];
    for (body, code, pointer) in refused {
        let answer = service.post(&path, &body).await;
        assert_eq!(answer.outcome(), (422, code), "{body}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{body}: {}", answer.text);
    }
    assert_eq!(service.get(&path).await.json["data"], json!([]));
}
