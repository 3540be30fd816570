//! One request to the server, and what its answer means.

use std::time::Duration;

use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::KeyError;
use reqwest::header::HeaderValue;
use reqwest::{Certificate, Client, Response, StatusCode, redirect, retry};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::config::TransitError;
use crate::keys::causes;

/// The longest that a request may take. A batch of messages may wait for it.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// The time that a connection may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The HTTP client, and where the server is.
pub(super) struct Http {
    client: Client,
    address: String,
    namespace: Option<HeaderValue>,
}

/// Why there is no answer that says what was asked for.
#[derive(Debug)]
pub(super) enum Failed {
    /// The server could not be reached, or cannot answer now.
    Unavailable(String),
    /// The request was wrong for what it named.
    BadRequest(String),
    /// It is not allowed, or what it names is not there.
    Refused(StatusCode, String),
}

impl From<Failed> for KeyError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Unavailable(why) => Self::Unavailable(why),
            Failed::BadRequest(why) => Self::Refused(why),
            Failed::Refused(status, why) => Self::Refused(format!("HTTP {}: {why}", status.as_u16())),
        }
    }
}

#[derive(Default, Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<String>,
}

impl Http {
    pub(super) fn new(
        address: &str,
        namespace: Option<&str>,
        authorities_pem: Option<&[u8]>,
    ) -> Result<Self, TransitError> {
        let mut client = Client::builder()
            .user_agent(concat!("dakghar/", env!("CARGO_PKG_VERSION")))
            .timeout(CALL_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy();
        if let Some(pem) = authorities_pem {
            let authorities = Certificate::from_pem_bundle(pem).unwrap_or_default();
            if authorities.is_empty() {
                return Err(TransitError::Authorities);
            }
            client = client.tls_certs_merge(authorities);
        }
        let namespace = namespace.map(HeaderValue::from_str).transpose();
        Ok(Self {
            client: client
                .build()
                .map_err(|error| TransitError::Client(error.without_url().to_string()))?,
            address: address.to_owned(),
            namespace: namespace.map_err(|_| TransitError::Namespace)?,
        })
    }

    /// Posts JSON to a path and reads the JSON of the answer.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&Secret>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failed> {
        let mut request = self
            .client
            .post(format!("{}/v1/{path}", self.address))
            .header("X-Vault-Request", "true")
            .json(body);
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.reveal())
                .map_err(|_| Failed::Refused(StatusCode::FORBIDDEN, "the token is no header".into()))?;
            value.set_sensitive(true);
            request = request.header("X-Vault-Token", value);
        }
        let sent = request.send().await;
        let response = sent.map_err(|error| Failed::Unavailable(error_text(&error)))?;
        let status = response.status();
        let body = read(response).await?;
        if status.is_success() {
            let wrong = || Failed::Unavailable("the answer is not understood".into());
            return serde_json::from_slice(&body).map_err(|_| wrong());
        }
        let errors: Errors = serde_json::from_slice(&body).unwrap_or_default();
        let why = causes::shortened(&errors.errors.join("; "));
        Err(match status.as_u16() {
            400 if why.contains("key not found") => Failed::Refused(status, why),
            400 => Failed::BadRequest(why),
            401 | 403 | 404 | 405 => Failed::Refused(status, why),
            status => Failed::Unavailable(format!("HTTP {status} {why}")),
        })
    }
}

/// The causes behind an error, without the address.
fn error_text(error: &reqwest::Error) -> String {
    let first = if error.is_timeout() {
        "no answer in time"
    } else {
        "no answer"
    };
    causes::of(first, error)
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failed> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_BYTES_MAX => {
                return Err(Failed::Unavailable("the answer is larger than 64 KiB".into()));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(Failed::Unavailable(error_text(&error))),
        }
    }
}
