//! A Cloud KMS of GCP, as far as wrapping needs it: `encrypt` and `decrypt` over HTTP, and the tokens that go with them.
//!
//! It checks what the real one checks: the CRC32C of each field, the additional authenticated data, that the key wrapped it
//! and that nobody changed it. It hides nothing: a ciphertext is readable for whoever wants to.

mod crc32c;
mod http;
mod sealed;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The key that is there.
const KEY: &str = "projects/dakghar-test/locations/europe-west3/keyRings/dakghar/cryptoKeys/data";

/// The way in which it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcpMood {
    /// As it should.
    Well,
    /// The version of the key is disabled.
    Disabled,
    /// The policy does not allow it.
    Denied,
    /// Too much was asked.
    Throttled,
    /// Its answers are damaged on the way back.
    DamagesAnswers,
    /// Requests are damaged on the way there.
    DamagesRequests,
    /// It does not say that it checked what it wrapped.
    Unverified,
}

/// A running service of one test. Ends with the test's runtime.
#[derive(Clone)]
pub struct GcpKms {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    mood: GcpMood,
    /// The number of the token that is believed.
    token: u32,
    asked: BTreeMap<String, u64>,
}

/// A status and a body.
type Answer = (u16, Value);

impl GcpKms {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let service = Self {
            port: listener.local_addr().expect("bound").port(),
            state: Arc::new(Mutex::new(State {
                mood: GcpMood::Well,
                token: 0,
                asked: BTreeMap::new(),
            })),
        };
        let answering = service.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(http::serve(stream, answering.clone()));
            }
        });
        service
    }

    /// The port on this machine.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The resource name of the key that is there.
    pub const fn key(&self) -> &'static str {
        KEY
    }

    /// Lets it answer so from now on.
    pub fn set_mood(&self, mood: GcpMood) {
        self.state.lock().mood = mood;
    }

    /// Believes none of the tokens that it gave.
    pub fn end_tokens(&self) {
        self.state.lock().token += 1;
    }

    /// Calls of this kind so far: `encrypt`, `decrypt`, `token`.
    pub fn asked(&self, kind: &str) -> u64 {
        self.state.lock().asked.get(kind).copied().unwrap_or_default()
    }

    /// Wraps past HTTP, bound to this.
    pub fn wrap(&self, bound: &[u8], plain: &[u8]) -> Vec<u8> {
        sealed::seal(KEY, bound, plain)
    }

    /// The text of a file of credentials that gets its tokens here.
    pub fn credentials(&self) -> String {
        json!({
            "type": "authorized_user", "client_id": "it", "client_secret": "it-secret", "refresh_token": "it-refresh",
            "token_uri": format!("http://127.0.0.1:{}/token", self.port),
        })
        .to_string()
    }

    /// Answers one request.
    fn answer(&self, path: &str, authorization: &str, body: &Value) -> Answer {
        let path = path.split('?').next().unwrap_or_default();
        let (resource, kind) = path.split_once(':').unwrap_or((path, path.trim_start_matches('/')));
        let mut state = self.state.lock();
        *state.asked.entry(kind.to_owned()).or_default() += 1;
        let token = format!("ya29.it-{}", state.token);
        if kind == "token" {
            return (
                200,
                json!({"access_token": token, "expires_in": 3600, "token_type": "Bearer"}),
            );
        }
        let mood = state.mood;
        drop(state);
        if authorization != format!("Bearer {token}") {
            return refused(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
            );
        }
        match mood {
            GcpMood::Disabled => return refused(400, "FAILED_PRECONDITION", "The key is not enabled: DISABLED."),
            GcpMood::Denied => return refused(403, "PERMISSION_DENIED", "Permission denied on resource."),
            GcpMood::Throttled => return refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded."),
            _ => {}
        }
        if resource != format!("/v1/{KEY}") {
            return refused(404, "NOT_FOUND", "The key is not there.");
        }
        match kind {
            "encrypt" => encrypt(body, mood),
            "decrypt" => decrypt(body, mood),
            _ => refused(404, "NOT_FOUND", "No such method."),
        }
    }
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    let error = json!({"code": status, "status": code, "message": message});
    (status, json!({"error": error}))
}

/// A field, if its checksum is right. One without a checksum is none: whoever leaves it out does not notice damage.
fn field(body: &Value, name: &str, mood: GcpMood) -> Result<Vec<u8>, Answer> {
    let mut bytes = STANDARD
        .decode(body[name].as_str().unwrap_or_default())
        .unwrap_or_default();
    if mood == GcpMood::DamagesRequests
        && let Some(first) = bytes.first_mut()
    {
        *first ^= 1;
    }
    let given = &body[format!("{name}Crc32c")];
    if given.as_str() == Some(&crc32c::of(&bytes).to_string()) {
        return Ok(bytes);
    }
    let name: String = name
        .chars()
        .flat_map(|letter| {
            letter
                .is_uppercase()
                .then_some('_')
                .into_iter()
                .chain(letter.to_lowercase())
        })
        .collect();
    let message = format!("The checksum in field {name}_crc32c did not match the data in field {name}.");
    Err(refused(400, "INVALID_ARGUMENT", &message))
}

/// Bytes for an answer with their checksum, which some moods damage.
fn given(bytes: &[u8], mood: GcpMood) -> (String, String) {
    let crc = crc32c::of(bytes).to_string();
    let mut bytes = bytes.to_vec();
    if mood == GcpMood::DamagesAnswers
        && let Some(last) = bytes.last_mut()
    {
        *last ^= 1;
    }
    (STANDARD.encode(bytes), crc)
}

fn encrypt(body: &Value, mood: GcpMood) -> Answer {
    let fields =
        field(body, "plaintext", mood).and_then(|plain| Ok((plain, field(body, "additionalAuthenticatedData", mood)?)));
    let (plain, bound) = match fields {
        Ok(fields) => fields,
        Err(answer) => return answer,
    };
    let (ciphertext, crc) = given(&sealed::seal(KEY, &bound, &plain), mood);
    let answer = json!({
        "name": format!("{KEY}/cryptoKeyVersions/1"), "ciphertext": ciphertext, "ciphertextCrc32c": crc,
        "verifiedPlaintextCrc32c": mood != GcpMood::Unverified, "verifiedAdditionalAuthenticatedDataCrc32c": true,
    });
    (200, answer)
}

fn decrypt(body: &Value, mood: GcpMood) -> Answer {
    let fields = field(body, "ciphertext", mood)
        .and_then(|sealed| Ok((sealed, field(body, "additionalAuthenticatedData", mood)?)));
    let (sealed, bound) = match fields {
        Ok(fields) => fields,
        Err(answer) => return answer,
    };
    let Some(plain) = sealed::open(KEY, &bound, &sealed) else {
        return refused(400, "INVALID_ARGUMENT", "Decryption failed: the ciphertext is invalid.");
    };
    let (plain, crc) = given(&plain, mood);
    let answer = json!({"plaintext": plain, "plaintextCrc32c": crc, "usedPrimary": true});
    (200, answer)
}
