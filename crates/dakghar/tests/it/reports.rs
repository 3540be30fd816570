//! What Meta reports on a message, as people find it.

use dakghar_graph_sim::StatusPlan;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, on_both_backends, text};

on_both_backends!(
    every_report_on_a_message_is_shown_whole,
    one_participant_whom_a_message_does_not_reach_makes_it_no_dead_letter,
    lists_and_repeated_keys_tell_what_reports_tell,
);

/// A message that Meta took and reported nothing on, with what Meta would send back of it.
async fn sent(product: &Product, tenant: &Tenant) -> (String, String, String) {
    let id = product.send(tenant, "+919111111111").await;
    let message = product.until_status(tenant, &id, "sent").await;
    let call = product.sim.journal().pop().expect("a call");
    (id, text(&message["wamid"]), call.biz_opaque.expect("callback data"))
}

/// Posts these statuses as Meta does.
async fn post(product: &Product, statuses: &[Value]) {
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "900", "changes": [{
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "1555", "phone_number_id": "111"},
            "contacts": [{"wa_id": "919111111111", "user_id": "IN.1", "profile": {"name": "Asha"}}],
            "statuses": statuses,
        },
    }]}]});
    let posted = product.sim.post_webhook_raw(body.to_string().into_bytes()).await;
    assert_eq!(posted.unwrap(), 200);
}

async fn every_report_on_a_message_is_shown_whole(backend: Backend) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let (id, wamid, opaque) = sent(&product, &tenant).await;
    let first = json!({
        "id": wamid, "status": "sent", "timestamp": "1760000000", "recipient_id": "919111111111",
        "recipient_user_id": "IN.1", "biz_opaque_callback_data": opaque, "news": [1.50],
        "pricing": {"billable": true, "pricing_model": "PMP", "category": "utility"},
        "conversation": {"id": "c1", "origin": {"type": "utility"}},
    });
    let failed = json!({
        "id": wamid, "status": "failed", "timestamp": "1760000001", "recipient_id": "919111111111",
        "biz_opaque_callback_data": opaque,
        "errors": [
            {"code": 131_014, "title": "Request for url failed", "details": "404 of the picture"},
            {"code": 131_053, "title": "Media upload error", "error_data": {"details": "second reason"}},
        ],
    });
    // Repeated word for word, and corrected.
    let mut corrected = first.clone();
    corrected["pricing"]["category"] = json!("marketing");
    post(&product, &[first.clone(), failed.clone()]).await;
    post(&product, &[first.clone(), corrected.clone()]).await;

    let path = format!("/tenants/{}/messages/{id}", tenant.id);
    let message = product.get(&path).await;
    assert_eq!(message["status"], "failed");
    assert_eq!(message["error"]["details"], "404 of the picture");
    let statuses = message["statuses"].as_array().expect("the reports");
    let told: Vec<_> = statuses.iter().map(|status| text(&status["status"])).collect();
    assert_eq!(told.len(), 3, "{statuses:#?}");
    assert_eq!(told.iter().filter(|status| *status == "failed").count(), 1);
    for (member, camel) in [
        ("pricing", "pricing"),
        ("conversation", "conversation"),
        ("recipient_user_id", "recipientUserId"),
    ] {
        assert!(
            statuses.iter().any(|status| status[camel] == first[member]),
            "{member}: {statuses:#?}"
        );
    }
    assert!(statuses.iter().any(|status| status["pricing"] == corrected["pricing"]));
    assert!(statuses.iter().any(|status| status["errors"] == failed["errors"]));
    assert!(
        statuses
            .iter()
            .all(|status| status["contact"]["profile"]["name"] == "Asha" && status.get("raw").is_none())
    );

    let raw = product.get(&format!("{path}?raw=true")).await;
    let raws: Vec<_> = (raw["statuses"].as_array().unwrap().iter())
        .map(|status| status["raw"]["changes"][0]["value"]["statuses"][0].clone())
        .collect();
    for whole in [&first, &failed, &corrected] {
        assert!(raws.contains(whole), "{raws:#?}");
    }
    let listed = product.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert!(listed["data"][0].get("statuses").is_none(), "not in lists");
}

async fn one_participant_whom_a_message_does_not_reach_makes_it_no_dead_letter(backend: Backend) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let (id, wamid, opaque) = sent(&product, &tenant).await;
    let of = |participant: &str, status: &str| {
        let mut report = json!({
            "id": wamid, "status": status, "timestamp": "1760000000", "recipient_type": "group", "recipient_id": "G1",
            "recipient_participant_id": participant, "biz_opaque_callback_data": opaque,
        });
        if status == "failed" {
            report["errors"] = json!([{"code": 131_026, "title": "Message undeliverable"}]);
        }
        report
    };
    post(&product, &[of("1", "failed")]).await;
    let path = format!("/tenants/{}/messages/{id}", tenant.id);
    assert_eq!(product.get(&path).await["status"], "sent");
    post(&product, &[of("2", "delivered"), of("3", "failed"), of("2", "read")]).await;
    let message = product.get(&path).await;
    assert_eq!(message["status"], "read");
    let of_first = |status: &&Value| status["participant"] == "1";
    let statuses = message["statuses"].as_array().unwrap();
    assert_eq!(statuses.len(), 4);
    assert_eq!(statuses.iter().find(of_first).unwrap()["status"], "failed");
    let letters = product.get(&format!("/tenants/{}/dead-letters", tenant.id)).await;
    assert_eq!(letters["data"], json!([]));
}

async fn lists_and_repeated_keys_tell_what_reports_tell(backend: Backend) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let send = format!("/tenants/{}/send", tenant.id);
    let request = |key: usize| json!({"to": "+919111111111", "text": "hi", "idempotencyKey": format!("k{key}")});
    let mut read = Vec::new();
    for key in 0..6 {
        let answer = product.post(&send, request(key)).await;
        let id = text(&answer["messageId"]);
        product.until_status(&tenant, &id, "sent").await;
        let call = product.sim.journal().pop().expect("a call");
        if key % 2 == 0 {
            let message = product.get(&format!("/tenants/{}/messages/{id}", tenant.id)).await;
            let report = json!({
                "id": message["wamid"], "status": "read", "timestamp": "1760000000", "recipient_id": "919111111111",
                "biz_opaque_callback_data": call.biz_opaque,
            });
            post(&product, &[report]).await;
            read.push(id);
        }
    }
    read.reverse();
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/tenants/{}/messages?status=read&limit=1{cursor}", tenant.id);
        let page = product.get(&path).await;
        found.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|message| text(&message["id"])),
        );
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, read);
    let conversations = product.get(&format!("/tenants/{}/conversations", tenant.id)).await;
    let conversation = text(&conversations["data"][0]["id"]);
    let path = format!("/tenants/{}/conversations/{conversation}/messages", tenant.id);
    let statuses: Vec<String> = (product.get(&path).await["data"].as_array().unwrap().iter())
        .map(|message| text(&message["status"]))
        .collect();
    assert_eq!(statuses, ["sent", "read", "sent", "read", "sent", "read"]);
    for (key, status) in [(0, "read"), (1, "sent")] {
        let again = product.post(&send, request(key)).await;
        assert_eq!(again["status"], status);
    }
}
