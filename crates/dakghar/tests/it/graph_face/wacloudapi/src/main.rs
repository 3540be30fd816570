//! The crate `wacloudapi` as it is, but for its base URL and the API key in place of the access token. Sends messages of several
//! forms, one that is refused, and a read mark. Writes one object of JSON with what came back. Started with GATEWAY
//! (http://host:port), API_KEY and PHONE_NUMBER_ID in its environment.

use std::env::var;

use serde_json::{Value, json};
use wacloudapi::messages::Button;
use wacloudapi::types::MessageResponse;
use wacloudapi::{Client, Error};

const PERSON: &str = "919111111111";
const PICTURE: &str = "https://example.com/a.png";

fn id(sent: MessageResponse) -> Value {
    json!(sent.messages[0].id)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gateway = var("GATEWAY")?;
    let client = Client::with_config(
        var("API_KEY")?,
        var("PHONE_NUMBER_ID")?,
        "v23.0",
        gateway.trim_end_matches('/'),
    );
    let messages = client.messages();
    let text = messages.send_text(PERSON, "hello").await?;
    let answered = text.messages[0].id.clone();
    let uploaded = client
        .media()
        .upload_bytes(b"not really a picture", "a.png", "image/png")
        .await?;
    let buttons = vec![Button::reply("yes", "Yes")];
    let mut seen = json!({
        "text": id(text),
        "reply": id(messages.send_reply(PERSON, "and", &answered).await?),
        "image": id(messages.send_image_url(PERSON, PICTURE, Some("by link")).await?),
        "imageById": id(messages.send_image_id(PERSON, &uploaded.id, None).await?),
        "template": id(messages.send_template(PERSON, "hello_world", "en_US", None).await?),
        "interactive": id(messages.send_buttons(PERSON, None, "well?", None, buttons).await?),
        "reaction": id(messages.send_reaction(PERSON, &answered, "👍").await?),
        "read": messages.mark_as_read("wamid.HBgMfromAPerson").await?.success,
    });
    if let Err(Error::Api { code, .. }) = messages.send_text("919222222222", "not on WhatsApp").await {
        seen["refused"] = json!(code);
    }
    println!("{seen}");
    Ok(())
}
