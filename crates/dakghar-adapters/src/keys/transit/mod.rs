//! A key that Vault or OpenBao keeps in its transit engine, of a kind that binds additional data (`aes256-gcm96`, which is
//! the default, or `chacha20-poly1305`). The owner of a data key is bound to it, so the server itself refuses to unwrap it
//! for another.
//!
//! Redirects are not followed, because a token goes with each request. Nothing is tried twice but a login: a token that is
//! refused may have been replaced.

mod config;
mod http;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::{DataKey, KeyContext, KeyError, KeyId, KeyService};
use dakghar_core::vault::wrapped;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::data_key;
use http::{Failed, Http};

pub use config::{Login, TransitConfig, TransitError, TransitName};

/// The purpose that is bound to a data key besides its owner.
const PURPOSE: &str = "dakghar/data_key/";

/// Wraps data keys under a key of the transit engine.
pub struct TransitKeys {
    http: Http,
    config: TransitConfig,
    id: KeyId,
    /// The token of the latest login.
    token: Mutex<Option<Secret>>,
}

#[derive(Serialize)]
struct Encrypt<'a> {
    plaintext: &'a str,
    associated_data: &'a str,
}

#[derive(Serialize)]
struct Decrypt<'a> {
    ciphertext: &'a str,
    associated_data: &'a str,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: String,
}

#[derive(Deserialize)]
struct LoggedIn {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
}

impl TransitKeys {
    /// A key service over this key. Connects when first used.
    pub fn new(config: TransitConfig) -> Result<Self, TransitError> {
        let namespace = config.namespace.as_deref();
        Ok(Self {
            http: Http::new(&config.name.address, namespace, config.authorities_pem.as_deref())?,
            id: config.name.id(namespace),
            token: Mutex::default(),
            config,
        })
    }

    async fn call<T: DeserializeOwned>(&self, step: &str, body: &(impl Serialize + Sync)) -> Result<T, Failed> {
        let path = format!("{}/{step}/{}", self.config.name.mount, self.config.name.key);
        let held = self.token.lock().clone();
        let (token, is_new) = match held {
            Some(token) => (token, false),
            None => (self.log_in().await?, true),
        };
        let answer = self.http.post(&path, Some(&token), body).await;
        let is_refused = matches!(&answer, Err(Failed::Refused(status, _)) if matches!(status.as_u16(), 401 | 403));
        if !is_refused || is_new {
            if is_refused {
                *self.token.lock() = None;
            }
            return answer;
        }
        let token = self.log_in().await?;
        self.http.post(&path, Some(&token), body).await
    }

    /// Gets a token, and keeps it until it is refused.
    async fn log_in(&self) -> Result<Secret, Failed> {
        let mount = |usual: &str| self.config.login_mount.clone().unwrap_or_else(|| usual.to_owned());
        let token = match &self.config.login {
            Login::Token(token) => token.clone(),
            Login::TokenFile(file) => read(file).await?,
            Login::AppRole { role_id, secret_id } => {
                let body = Zeroizing::new(
                    serde_json::json!({"role_id": role_id, "secret_id": secret_id.reveal()}).to_string(),
                );
                self.log_in_by(&mount("approle"), &body).await?
            }
            Login::Kubernetes { role, token_file } => {
                let jwt = read(token_file).await?;
                let body = Zeroizing::new(serde_json::json!({"role": role, "jwt": jwt.reveal()}).to_string());
                self.log_in_by(&mount("kubernetes"), &body).await?
            }
        };
        *self.token.lock() = Some(token.clone());
        Ok(token)
    }

    async fn log_in_by(&self, mount: &str, body: &str) -> Result<Secret, Failed> {
        let body = serde_json::value::RawValue::from_string(body.to_owned()).expect("it was made of JSON");
        let answer: LoggedIn = match self.http.post(&format!("auth/{mount}/login"), None, &body).await {
            // So the server answers to a wrong role or secret.
            Err(Failed::BadRequest(why)) => return Err(Failed::Refused(reqwest::StatusCode::BAD_REQUEST, why)),
            answer => answer?,
        };
        Ok(Secret::new(answer.auth.client_token))
    }
}

async fn read(file: &std::path::Path) -> Result<Secret, Failed> {
    match tokio::fs::read_to_string(file).await {
        Ok(text) => Ok(Secret::new(text.trim())),
        Err(error) => Err(Failed::Unavailable(format!("{}: {error}", file.display()))),
    }
}

fn bound(context: KeyContext<'_>) -> String {
    STANDARD.encode(format!("{PURPOSE}{}", context.owner))
}

#[async_trait]
impl KeyService for TransitKeys {
    fn key_id(&self) -> KeyId {
        self.id.clone()
    }

    fn key_id_of(&self, form: &[u8]) -> Result<KeyId, KeyError> {
        wrapped::key_id_of(form)
    }

    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        let plaintext = Zeroizing::new(STANDARD.encode(data_key.as_bytes()));
        let body = Encrypt {
            plaintext: &plaintext,
            associated_data: &bound(context),
        };
        let answer: Answer<Encrypted> = self.call("encrypt", &body).await?;
        Ok(wrapped::by_service(&self.id, answer.data.ciphertext.as_bytes()))
    }

    async fn unwrap(&self, form: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError> {
        let ciphertext = wrapped::under(&self.id, form)?;
        let ciphertext = std::str::from_utf8(ciphertext).map_err(|_| KeyError::Unreadable("it is damaged"))?;
        let body = Decrypt {
            ciphertext,
            associated_data: &bound(context),
        };
        let answer: Answer<Decrypted> = match self.call("decrypt", &body).await {
            Err(Failed::BadRequest(why)) => {
                tracing::debug!(why, "the key service does not unwrap a data key");
                return Err(KeyError::Unreadable("it is damaged, or belongs to another tenant"));
            }
            answer => answer?,
        };
        let plaintext = Zeroizing::new(answer.data.plaintext);
        let bytes = Zeroizing::new(STANDARD.decode(plaintext.as_bytes()).unwrap_or_default());
        data_key::of(&bytes)
    }
}
