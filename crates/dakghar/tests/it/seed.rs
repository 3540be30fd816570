//! The seed's own commands, run by a shell with curl, as a newcomer would paste them.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::product::{Backend, Setup, on_both_backends, text};

on_both_backends!(the_seeds_commands_work_word_for_word);

const REGISTER: &str = r#"curl -X POST http://localhost:3000/tenants/register \
-H "Content-Type: application/json" \
-d '{"name":"Tenant A","phoneNumberId":"111111111111111","accessToken":"mock_token_tenant_A"}'"#;

const SEND: &str = r#"curl -X POST http://localhost:3000/tenants/<TENANT_ID>/send \
-H "Content-Type: application/json" \
-d '{"to":"+919xxxxxxxxx","text":"Hello from tenant A", "idempotency_key":"order-1234"}'"#;

const WEBHOOK: &str = r#"curl -X POST http://localhost:3000/whatsapp/webhook \
-H "Content-Type: application/json" \
-d '{
"entry":[
{
"changes":[
{
"value":{
"metadata":{"phone_number_id":"111111111111111"},
"messages":[{"from":"+919111111111","id":"wamid.123","type":"text","text":{"body":"hi"}}]
}
}
]
}
]
}'"#;

const VERIFY: &str = r#"curl "http://localhost:3000/whatsapp/webhook?hub.mode=subscribe&hub.verify_token=<VERIFY_TOKEN>&hub.challenge=1158201444""#;

async fn the_seeds_commands_work_word_for_word(backend: Backend) {
    // As the seed has it: no API key, no app secret.
    let product = Setup::on(backend)
        .env("ADMIN_API_KEY", "")
        .env("APP_SECRET", "")
        .start()
        .await;
    let port = &product.port;
    let paste = async |command: &str| {
        let command = command.replace("localhost:3000", &format!("127.0.0.1:{port}"));
        tokio::task::spawn_blocking(move || {
            let output = Command::new("sh")
                .args(["-c", &format!("{command} -s")])
                .stdin(Stdio::null())
                .output()
                .expect("sh and curl are installed");
            String::from_utf8(output.stdout).expect("UTF-8")
        })
        .await
        .expect("joined")
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}: {text}"));

    let registered = json(&paste(REGISTER).await);
    let tenant = text(&registered["tenantId"]);
    assert_eq!(registered["phoneNumberId"], "111111111111111");

    let send = SEND.replace("<TENANT_ID>", &tenant);
    let first = json(&paste(&send).await);
    assert_eq!(
        (&first["status"], &first["duplicate"]),
        (&Value::from("queued"), &Value::from(false))
    );
    let again = json(&paste(&send).await);
    assert_eq!(
        (&again["messageId"], &again["duplicate"]),
        (&first["messageId"], &Value::from(true))
    );

    let tenant = crate::product::Tenant {
        id: tenant,
        api_key: text(&registered["apiKey"]),
    };
    let message = product
        .until_status(&tenant, &text(&first["messageId"]), "delivered")
        .await;
    assert!(text(&message["wamid"]).starts_with("wamid.mock."), "{message}");
    assert!(product.sim.journal().is_empty(), "a mock_ token never calls Meta");

    paste(WEBHOOK).await;
    let inbound = product
        .until_count(&format!("/tenants/{}/messages?direction=inbound", tenant.id), 1)
        .await;
    assert_eq!(inbound[0]["content"]["body"], "hi");
    assert_eq!(inbound[0]["wamid"], "wamid.123");

    assert_eq!(
        paste(&VERIFY.replace("<VERIFY_TOKEN>", "it-verify-token")).await,
        "1158201444"
    );
    assert!(json(&paste(&VERIFY.replace("<VERIFY_TOKEN>", "wrong")).await)["code"] == "verification_failed");
    assert!(product.log().contains("APP_SECRET is not set"), "the seed's warning");
}
