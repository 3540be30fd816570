//! Redrives by filter over HTTP: a dry run, a job, and the refusals.

use axum::http::Method;
use dakghar_core::domain::message::{DeadReason, SendError};
use dakghar_core::domain::redrive::OPEN_REDRIVES_MAX;
use dakghar_core::domain::{Message, Status, Timestamp};
use dakghar_core::metrics::Redriven;
use dakghar_testkit::samples::{self, With as _};
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Service, Setup, TestTenant, request, with_key};

fn ended_at() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-22T09:00:00Z").expect("a time")
}

/// A dead letter with this code of Meta's.
fn failed(code: i64) -> Message {
    samples::outbound(samples::tenant_id()).with(|message| {
        message.delivery.status = Status::Failed;
        message.delivery.updated_at = ended_at();
        message.delivery.error = Some(SendError {
            code: Some(code),
            ..SendError::default()
        });
    })
}

fn dead(reason: DeadReason) -> Message {
    failed(131_016).with(|message| {
        message.delivery.status = Status::Dead;
        message.delivery.dead_reason = Some(reason);
    })
}

/// Dead letters of two tenants.
async fn service() -> (Service, TestTenant, TestTenant) {
    let service = Service::open();
    let ours = service.register("Tenant A", "111111111111111").await;
    let theirs = service.register("Tenant B", "222222222222222").await;
    for message in [
        failed(131_026),
        failed(131_026),
        failed(131_049),
        dead(DeadReason::AttemptsExhausted),
        dead(DeadReason::OutcomeUnknown),
    ] {
        service.store_message(&ours, message).await;
    }
    service.store_message(&theirs, failed(131_026)).await;
    (service, ours, theirs)
}

async fn statuses(service: &Service, tenant: &TestTenant) -> Vec<String> {
    let answer = service.get(&format!("/tenants/{}/messages", tenant.id)).await;
    let messages = answer.json["data"].as_array().expect("a list").clone();
    messages
        .iter()
        .map(|message| message["status"].as_str().expect("one").to_owned())
        .collect()
}

/// Works on redrives until this one is over.
async fn until_over(service: &Service, path: &str) -> Value {
    for _ in 0..50 {
        let answer = service.get(path).await;
        if answer.json["status"] != "running" {
            return answer.json;
        }
        service.clock.advance(std::time::Duration::from_secs(1));
        service.app.redriving.work().await.expect("a round");
    }
    panic!("it does not end");
}

#[tokio::test]
async fn what_has_expired_is_counted_by_itself_and_left_out_unless_that_is_to_be_ignored() {
    let (service, ours, _) = service().await;
    let over = failed(131_026).with(|message| message.delivery.expires_at = Some(ended_at()));
    service.store_message(&ours, over).await;
    let expired = failed(131_026).with(|message| message.delivery.status = Status::Expired);
    service.store_message(&ours, expired).await;
    let path = format!("/tenants/{}/dead-letters/redrive", ours.id);
    for (ignores, counts) in [(false, [4, 1, 2]), (true, [6, 1, 0])] {
        let body = json!({"dryRun": true, "ignoreExpiry": ignores});
        let answer = service.post(&path, &body).await.json;
        let told = ["redrivable", "leftOut", "expired"].map(|name| answer[name].as_u64().expect("a count"));
        assert_eq!(told, counts, "{answer:#}");
    }
    let redrive = service
        .post(&path, &json!({"ignoreExpiry": true, "code": 131_026}))
        .await;
    assert_eq!(redrive.json["ignoreExpiry"], true);
    let one = format!(
        "/tenants/{}/dead-letters/redrives/{}",
        ours.id,
        redrive.json["id"].as_str().expect("an id")
    );
    assert_eq!(until_over(&service, &one).await["redriven"], 4);
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_sent_again_and_changes_nothing() {
    let (service, ours, theirs) = service().await;
    let before = statuses(&service, &ours).await;
    let path = format!("/tenants/{}/dead-letters/redrive", ours.id);
    let answer = service.post(&path, &json!({"dryRun": true})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        (&answer.json["redrivable"], &answer.json["leftOut"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(answer.json["complete"], true);
    assert_eq!(answer.json["numberRemoved"], 0);
    assert_eq!(
        answer.json["byCause"],
        json!([
            {"status": "failed", "reason": null, "code": 131_026, "count": 2},
            {"status": "dead", "reason": "attempts_exhausted", "code": 131_016, "count": 1},
            {"status": "failed", "reason": null, "code": 131_049, "count": 1},
        ])
    );
    let number = "111111111111111";
    assert_eq!(
        answer.json["byPhoneNumber"],
        json!([{"tenantId": ours.id, "phoneNumberId": number, "count": 4, "removed": false}])
    );
    assert_eq!(answer.json["examples"].as_array().map(Vec::len), Some(4));
    assert_eq!(answer.json["examples"][0]["endedAt"], "2026-11-22T09:00:00.000Z");

    for (body, redrivable) in [
        (json!({"code": 131_026}), 2),
        (json!({"reason": "outcome_unknown", "confirmDuplicateRisk": true}), 1),
        (json!({"status": "dead"}), 1),
        (json!({"status": "expired"}), 0),
        (json!({"phoneNumberId": number}), 4),
        (json!({"phoneNumberId": "999"}), 0),
        (json!({"from": "2026-11-22T09:00:00Z"}), 4),
        (json!({"from": "2026-11-22T09:00:01Z"}), 0),
        (json!({"to": "2026-11-22T09:00:00Z"}), 0),
        (
            json!({"code": 131_026, "reason": null, "status": "failed", "perSecond": 1}),
            2,
        ),
    ] {
        let mut body = body;
        body["dryRun"] = json!(true);
        let answer = service.post(&path, &body).await;
        assert_eq!(answer.json["redrivable"], redrivable, "{body}");
    }
    let all = service.post("/dead-letters/redrive", &json!({"dryRun": true})).await;
    assert_eq!(all.json["redrivable"], 5);
    assert_eq!(all.json["byPhoneNumber"].as_array().map(Vec::len), Some(2));

    assert_eq!(statuses(&service, &ours).await, before);
    assert_eq!(service.get("/dead-letters/redrives").await.json["data"], json!([]));
    drop(theirs);
}

#[tokio::test]
async fn a_redrive_sends_again_what_its_filter_chooses_and_nothing_else() {
    let (service, ours, theirs) = service().await;
    let path = format!("/tenants/{}/dead-letters/redrive", ours.id);
    let begun = service.post(&path, &json!({"code": 131_026, "perSecond": 10})).await;
    assert_eq!(begun.status, 202);
    assert_eq!(begun.json["status"], "running");
    assert_eq!(
        (&begun.json["total"], &begun.json["totalIsExact"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(begun.json["tenantId"], json!(ours.id));
    assert_eq!(begun.json["filter"]["code"], 131_026);
    assert_eq!(begun.json["filter"]["status"], Value::Null);
    assert_eq!(begun.json["perSecond"], 10);
    let id = begun.json["id"].as_str().expect("an id");
    let one = format!("/tenants/{}/dead-letters/redrives/{id}", ours.id);
    let done = until_over(&service, &one).await;
    assert_eq!(
        (&done["status"], &done["redriven"], &done["skipped"]),
        (&json!("done"), &json!(2), &json!(0))
    );
    let mut statuses_of_ours = statuses(&service, &ours).await;
    statuses_of_ours.sort();
    assert_eq!(statuses_of_ours, ["dead", "dead", "failed", "queued", "queued"]);
    assert_eq!(statuses(&service, &theirs).await, ["failed"]);

    // The operator sees it, the other tenant does not.
    let list = service.get("/dead-letters/redrives").await;
    assert_eq!(list.json["data"], json!([done]));
    assert_eq!(service.get(&format!("/dead-letters/redrives/{id}")).await.json, done);
    let of_theirs = format!("/tenants/{}/dead-letters/redrives", theirs.id);
    assert_eq!(service.get(&of_theirs).await.json["data"], json!([]));
    for call in ["", "/pause"] {
        let path = format!("{of_theirs}/{id}{call}");
        let answer = if call.is_empty() {
            service.get(&path).await
        } else {
            service.post(&path, &json!({})).await
        };
        assert_eq!(answer.outcome(), (404, "redrive_not_found"), "{path}");
    }
}

#[tokio::test]
async fn the_operators_redrive_is_about_all_tenants_and_no_tenant_sees_it() {
    let (service, ours, theirs) = service().await;
    let begun = service.post("/dead-letters/redrive", &json!({"code": 131_026})).await;
    assert_eq!((begun.status.as_u16(), &begun.json["tenantId"]), (202, &Value::Null));
    let id = begun.json["id"].as_str().expect("an id");
    let done = until_over(&service, &format!("/dead-letters/redrives/{id}")).await;
    assert_eq!(done["redriven"], 3);
    assert_eq!(statuses(&service, &theirs).await, ["queued"]);
    let list = service
        .get(&format!("/tenants/{}/dead-letters/redrives", ours.id))
        .await;
    assert_eq!(list.json["data"], json!([]));
}

#[tokio::test]
async fn a_redrive_is_paused_resumed_and_cancelled() {
    let (service, ours, _) = service().await;
    let begun = service
        .post(&format!("/tenants/{}/dead-letters/redrive", ours.id), &json!({}))
        .await;
    let id = begun.json["id"].as_str().expect("an id");
    for one in [
        format!("/tenants/{}/dead-letters/redrives/{id}", ours.id),
        format!("/dead-letters/redrives/{id}"),
    ] {
        for (call, status) in [
            ("pause", "paused"),
            ("pause", "paused"),
            ("resume", "running"),
            ("resume", "running"),
        ] {
            let answer = service.post(&format!("{one}/{call}"), &json!({})).await;
            assert_eq!((answer.status.as_u16(), &answer.json["status"]), (200, &json!(status)));
        }
    }
    let one = format!("/dead-letters/redrives/{id}");
    for _ in 0..2 {
        let answer = service.post(&format!("{one}/cancel"), &json!({})).await;
        assert_eq!(answer.json["status"], "cancelled");
    }
    let answer = service.post(&format!("{one}/resume"), &json!({})).await;
    assert_eq!(answer.outcome(), (409, "redrive_over"));
    service.app.redriving.work().await.expect("a round");
    assert!(!statuses(&service, &ours).await.contains(&"queued".to_owned()));
    for id in ["rdr_00000000000000000000000000", "x"] {
        let answer = service.get(&format!("/dead-letters/redrives/{id}")).await;
        assert_eq!(answer.outcome(), (404, "redrive_not_found"));
    }
}

#[tokio::test]
async fn an_owner_has_a_bounded_number_of_redrives() {
    let (service, ours, theirs) = service().await;
    let begin = async |path: &str| service.post(path, &json!({})).await;
    let path = format!("/tenants/{}/dead-letters/redrive", ours.id);
    for _ in 0..OPEN_REDRIVES_MAX {
        assert_eq!(begin(&path).await.status, 202);
    }
    assert_eq!(begin(&path).await.outcome(), (409, "too_many_redrives"));
    assert_eq!(
        begin(&format!("/tenants/{}/dead-letters/redrive", theirs.id))
            .await
            .status,
        202
    );
    assert_eq!(begin("/dead-letters/redrive").await.status, 202);
    // A dry run needs no room.
    assert_eq!(service.post(&path, &json!({"dryRun": true})).await.status, 200);
}

#[tokio::test]
async fn a_wrong_filter_is_refused_with_a_pointer_to_each_field() {
    let (service, ours, _) = service().await;
    let path = format!("/tenants/{}/dead-letters/redrive", ours.id);
    for (body, code, pointers) in [
        (
            json!({"phoneNumberId": "+91"}),
            "invalid_phone_number_id",
            vec!["/phoneNumberId"],
        ),
        (json!({"code": "131026"}), "invalid_field", vec!["/code"]),
        (json!({"code": 1.5}), "invalid_field", vec!["/code"]),
        (json!({"reason": "whim"}), "invalid_field", vec!["/reason"]),
        (json!({"status": "sent"}), "invalid_field", vec!["/status"]),
        (json!({"from": "yesterday"}), "invalid_field", vec!["/from"]),
        (json!({"to": 5}), "invalid_field", vec!["/to"]),
        (
            json!({"from": "2026-11-22T10:00:00Z", "to": "2026-11-22T10:00:00Z"}),
            "invalid_field",
            vec!["/to"],
        ),
        (json!({"perSecond": 0}), "invalid_field", vec!["/perSecond"]),
        (json!({"perSecond": 1_001}), "invalid_field", vec!["/perSecond"]),
        (
            json!({"confirmDuplicateRisk": "yes"}),
            "invalid_field",
            vec!["/confirmDuplicateRisk"],
        ),
        (json!({"dryRun": 1}), "invalid_field", vec!["/dryRun"]),
        (json!({"number": "111"}), "unknown_field", vec!["/number"]),
        (
            json!({"code": "x", "status": "sent"}),
            "invalid_field",
            vec!["/code", "/status"],
        ),
    ] {
        for path in [&path, "/dead-letters/redrive"] {
            let answer = service.post(path, &body).await;
            assert_eq!(answer.outcome(), (422, code), "{body}");
            let errors = answer.json["errors"].as_array().expect("findings");
            let found: Vec<_> = errors
                .iter()
                .map(|error| error["pointer"].as_str().expect("one"))
                .collect();
            assert_eq!(found, pointers, "{body}");
        }
    }
    // Nothing at all is no filter.
    assert_eq!(service.post_text(&path, "").await.outcome(), (400, "body_required"));
    assert_eq!(service.get("/dead-letters/redrives").await.json["data"], json!([]));
}

#[tokio::test]
async fn what_is_done_is_counted_in_the_metrics() {
    let (service, ours, _) = service().await;
    let path = format!("/tenants/{}/dead-letters/redrive", ours.id);
    let begun = service.post(&path, &json!({})).await;
    let id = begun.json["id"].as_str().expect("an id");
    let done = until_over(&service, &format!("/dead-letters/redrives/{id}")).await;
    assert_eq!((&done["redriven"], &done["skipped"]), (&json!(4), &json!(1)));
    let redrives = &service.app.metrics.redrives;
    let counts = [Redriven::Redriven, Redriven::Skipped, Redriven::Failed].map(|outcome| redrives.of(outcome).get());
    assert_eq!(counts, [4, 1, 0]);
}

#[tokio::test]
async fn a_dry_run_counts_what_is_of_numbers_that_are_removed() {
    let (service, ours, theirs) = service().await;
    let of_number = |number: &str| {
        let number = samples::phone(number);
        failed(131_026).with(|message| message.accepted.phone_number_id = number)
    };
    service.store_message(&ours, of_number("333")).await;
    service.store_message(&theirs, of_number("222222222222222")).await;
    let path = format!("/tenants/{}/dead-letters/redrive", ours.id);
    let answer = service.post(&path, &json!({"dryRun": true})).await.json;
    assert_eq!(
        (&answer["redrivable"], &answer["numberRemoved"]),
        (&json!(5), &json!(1))
    );
    let is_removed = async |number: &str| {
        let answer = service
            .post("/dead-letters/redrive", &json!({"dryRun": true}))
            .await
            .json;
        let numbers = answer["byPhoneNumber"].as_array().expect("a list").clone();
        let found = numbers.iter().find(|group| group["phoneNumberId"] == number);
        found.expect("a group")["removed"].clone()
    };
    assert_eq!(
        (is_removed("333").await, is_removed("222222222222222").await),
        (json!(true), json!(false))
    );
    // Those of a tenant that is gone are, too.
    assert_eq!(service.delete(&format!("/tenants/{}", theirs.id)).await.status, 204);
    service.store_message(&theirs, of_number("222222222222222")).await;
    service.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(is_removed("222222222222222").await, true);
}

#[tokio::test]
async fn a_redrive_with_the_tenants_key_needs_room_and_one_with_the_admin_key_none() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let ours = service.register("Tenant A", "111111111111111").await;
    let path = format!("/tenants/{}", ours.id);
    let limit = request(Method::PATCH, &path, Some(&json!({"limits": {"messagesWaiting": 2}})));
    service.call(with_key(limit, Some(ADMIN_KEY))).await;
    let mut letters = Vec::new();
    for _ in 0..4 {
        letters.push(service.store_message(&ours, failed(131_026)).await);
    }
    service.key = Some(ours.key.clone());
    let again = async |service: &Service, letter: &str| {
        let redrive = format!("{path}/messages/{letter}/redrive");
        let answer = service.post(&redrive, &json!({})).await;
        (answer.status.as_u16(), answer.json["code"].clone())
    };
    assert_eq!(again(&service, &letters[0]).await, (200, json!(null)));
    let begun = service.post(&format!("{path}/dead-letters/redrive"), &json!({})).await;
    let redrive = format!(
        "{path}/dead-letters/redrives/{}",
        begun.json["id"].as_str().expect("an id")
    );
    let waits = async |service: &Service| {
        for _ in 0..10 {
            service.clock.advance(std::time::Duration::from_secs(1));
            service.app.redriving.work().await.expect("a round");
        }
        let answer = service.get(&redrive).await.json;
        (answer["status"].clone(), answer["redriven"].clone())
    };
    assert_eq!(waits(&service).await, (json!("running"), json!(1)));
    let left = statuses(&service, &ours)
        .await
        .iter()
        .filter(|status| *status == "failed")
        .count();
    assert_eq!(left, 2);
    for letter in &letters {
        if service.get(&format!("{path}/messages/{letter}")).await.json["status"] == "failed" {
            assert_eq!(again(&service, letter).await, (429, json!("too_many_waiting")));
        }
    }
    service.key = Some(ADMIN_KEY.into());
    let by_operator = service.post(&format!("{path}/dead-letters/redrive"), &json!({})).await;
    assert_eq!(by_operator.status, 202);
    assert_eq!(waits(&service).await.0, "running", "what the tenant began still waits");
    assert!(!statuses(&service, &ours).await.contains(&"failed".to_owned()));
}
