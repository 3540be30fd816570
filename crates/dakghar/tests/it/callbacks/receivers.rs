//! Receivers that do not do what they should.

use std::time::Duration;

use super::*;

on_both_backends!(
    a_receiver_that_does_not_know_metas_challenge_is_refused,
    a_tenant_is_told_once_when_its_endpoint_is_disabled,
    bad_receivers_delay_no_other_and_get_it_again_under_the_same_id,
);

async fn a_receiver_that_does_not_know_metas_challenge_is_refused(backend: Backend) {
    let product = start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let private = Receiver::start([]).await;
    let wrong = [
        Reply::status(404),
        Reply::answer(200, "", b"hello"),
        Reply::redirect(302, &private.url()),
        Reply::Close,
    ];
    let receiver = Receiver::start(wrong).await;
    let path = format!("/tenants/{}/endpoints", tenant.id);
    let body = json!({"url": receiver.url(), "format": "meta", "verifyToken": "token-canary"});
    for told in ["404", "hello", "302", "protocol"] {
        let (status, answer) = product.call("POST", &path, Some(body.clone())).await;
        assert_eq!((status, &answer["code"]), (422, &json!("challenge_failed")), "{answer}");
        let error = &answer["errors"][0];
        assert!(
            error["pointer"] == "/url" && text(&error["message"]).contains(told),
            "{answer}"
        );
    }
    assert_eq!(product.get(&path).await["data"], json!([]), "nothing was made");
    let made = product.post(&path, body).await;
    let id = text(&made["endpointId"]);
    let other = Receiver::start([Reply::status(404)]).await;
    let (status, answer) = product
        .call("PATCH", &format!("{path}/{id}"), Some(json!({"url": other.url()})))
        .await;
    assert_eq!((status, &answer["code"]), (422, &json!("challenge_failed")), "{answer}");
    // The same from the shell, whose process asks by itself.
    let (code, _, err) = product.run(&["endpoint", "update", &tenant.id, &id, "--url", &private.url()]);
    assert_eq!(code, Some(0), "{err}");
    let gets = |receiver: &Receiver| {
        let asked = |request: &ReceivedRequest| request.head.starts_with("GET /hook?hub.mode=subscribe&hub.challenge=");
        receiver.requests().iter().filter(|request| asked(request)).count()
    };
    assert_eq!((gets(&receiver), gets(&other), gets(&private)), (5, 1, 1));
    let closed = Receiver::start([Reply::Close]).await;
    let arguments = [
        "endpoint",
        "create",
        &tenant.id,
        &closed.url(),
        "--format",
        "meta",
        "--verify-token",
        "token-canary",
    ];
    let (code, _, err) = product.run(&arguments);
    assert!(
        code == Some(1) && err.contains("challenge_failed") && err.contains("protocol"),
        "{err}"
    );
    assert!(!product.log().contains("token-canary"), "a token is no news");
}

async fn a_tenant_is_told_once_when_its_endpoint_is_disabled(backend: Backend) {
    let mut product = start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let (gone, well) = (Receiver::start([Reply::status(410)]).await, Receiver::start([]).await);
    let meant = Receiver::start([]).await;
    let made = endpoint(&product, &tenant, &gone, json!({"kinds": ["message.received"]})).await;
    endpoint(&product, &tenant, &well, json!({"kinds": ["endpoint.*"]})).await;
    endpoint(&product, &tenant, &meant, json!({"format": "meta"})).await;
    hears(&product, "111", "wamid.A").await;
    let requests = until(&well, 1).await;
    let path = format!("/tenants/{}/endpoints/{}", tenant.id, text(&made["endpointId"]));
    let shown = product.get(&path).await;
    assert_eq!(
        (&shown["state"], &shown["disabled"]["reason"]),
        (&json!("disabled"), &json!("gone"))
    );
    let told = body(&requests[0]);
    assert_eq!(
        (&told["type"], &told["data"]["reason"]),
        (&json!("endpoint.disabled"), &json!("endpoint"))
    );
    let payload = json!({"endpointId": made["endpointId"], "reason": "gone", "disabledAt": shown["disabled"]["at"]});
    assert_eq!(told["data"]["payload"], payload);
    // Whoever delivers next tells of it too, and that adds nothing.
    product.restart().await;
    hears(&product, "111", "wamid.B").await;
    until(&meant, 2).await;
    let told = product
        .get(&format!("/tenants/{}/feed?kinds=endpoint.*", tenant.id))
        .await;
    assert_eq!(told["data"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(
        (well.requests().len(), meant.requests().len()),
        (1, 2),
        "and Meta posts nothing of it"
    );
}

async fn bad_receivers_delay_no_other_and_get_it_again_under_the_same_id(backend: Backend) {
    let product = start(backend).await;
    let slow_answer = b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n".to_vec();
    let slow = (0..50).map(|_| Reply::Slow([&*slow_answer, &[b'x'; 10_000]].concat(), Duration::from_secs(1)));
    let (slow, dying) = (
        Receiver::start(slow).await,
        Receiver::start([Reply::broken_off(200)]).await,
    );
    let well = Receiver::start([]).await;
    for (number, receiver) in [("111", &slow), ("222", &dying), ("333", &well)] {
        let tenant = product.tenant(number, "mock_a").await;
        endpoint(&product, &tenant, receiver, json!({})).await;
    }
    for n in 0..50 {
        hears(&product, "111", &format!("wamid.{n}")).await;
    }
    until(&slow, 8).await;
    hears(&product, "222", "wamid.again").await;
    hears(&product, "333", "wamid.well").await;
    until(&well, 1).await;
    assert_eq!(
        slow.requests().len(),
        8,
        "as many as it may have under way, and none of them is answered"
    );
    // It took it and died before it said so.
    let requests = until(&dying, 2).await;
    let [first, again] = &requests[..] else {
        panic!("{requests:#?}")
    };
    assert_eq!(
        (&body(first)["attempt"], &body(again)["attempt"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(first.header("webhook-id"), again.header("webhook-id"));
    let stamp = |request: &ReceivedRequest| {
        let stamp = request.header("webhook-timestamp").expect("a time");
        stamp.parse::<u64>().expect("seconds")
    };
    assert!(stamp(again) > stamp(first), "each attempt is signed with its own time");
}
