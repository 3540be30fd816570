//! The text for the person who started `serve`: addresses, warnings, and the first requests to try.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::config::Config;
use crate::secrets::VERIFY_TOKEN_FILE;

/// The text for standard output.
pub fn text(config: &Config, backend: &str, addr: SocketAddr, metrics: Option<SocketAddr>) -> String {
    let url = match config.server.public_url.as_deref() {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("{}://{}:{}", scheme(config), host_of(addr), addr.port()),
    };
    let mut text = format!(
        "\nDakghar {}\n  listens on   {url}   (docs: {url}/docs)\n  backend      {backend}\n  Graph API    {} {}\n",
        env!("CARGO_PKG_VERSION"),
        config.meta.graph_base_url,
        config.meta.api_version
    );
    if let Some(metrics) = metrics {
        let (host, port) = (host_of(metrics), metrics.port());
        let _ = writeln!(text, "  metrics      http://{host}:{port}/metrics");
    }
    for warning in config.warnings() {
        let _ = writeln!(text, "  warning      {warning}");
    }
    text.push_str(&first_requests(config, &url));
    text
}

/// The commands that register a tenant, send a message and verify the webhook.
fn first_requests(config: &Config, url: &str) -> String {
    let header = |key: &str| match config.server.admin_api_key {
        Some(_) => format!(" \\\n  -H \"Authorization: Bearer {key}\""),
        None => String::new(),
    };
    let (admin, tenant) = (header("$ADMIN_API_KEY"), header("$API_KEY"));
    // The text ends in a log, so it names the token and does not show it.
    let verify_token = if config.meta.verify_token.is_some() {
        "$VERIFY_TOKEN".to_owned()
    } else {
        format!("$(cat {})", config.storage.data_dir.join(VERIFY_TOKEN_FILE).display())
    };
    format!(
        r#"
Next, in another terminal: register a tenant (a token that starts with mock_ is simulated),

curl -X POST {url}/tenants/register{admin} \
  -H "Content-Type: application/json" \
  -d '{{"name":"Tenant A","phoneNumberId":"111111111111111","accessToken":"mock_token_tenant_A"}}'

send a message with the tenantId from the answer,

curl -X POST {url}/tenants/$TENANT_ID/send{tenant} \
  -H "Content-Type: application/json" \
  -d '{{"to":"+919111111111","text":"Hello from tenant A","idempotency_key":"order-1234"}}'

and verify the webhook as Meta does:

curl "{url}/whatsapp/webhook?hub.mode=subscribe&hub.verify_token={verify_token}&hub.challenge=1158201444"

"#
    )
}

const fn scheme(config: &Config) -> &'static str {
    if config.https.files.is_some() { "https" } else { "http" }
}

/// An address to listen on is not always one to connect to.
fn host_of(addr: SocketAddr) -> String {
    match addr {
        _ if addr.ip().is_unspecified() || addr.ip().is_loopback() => "localhost".to_owned(),
        SocketAddr::V6(addr) => format!("[{}]", addr.ip()),
        SocketAddr::V4(addr) => addr.ip().to_string(),
    }
}
