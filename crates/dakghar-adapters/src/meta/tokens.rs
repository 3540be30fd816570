//! Access tokens: what Meta says of one, and a new one for an old.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::access_token::{NAME_BYTES_MAX, NAMES_MAX, SEND_SCOPE, TokenFacts, TokenVerdict};
use dakghar_core::domain::ids::{AppId, WabaId};
use dakghar_core::domain::secret::Secret;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{AppAccess, TokenUnknown, TokensApi};

use super::http::{GraphAnswer, GraphHttp};
use super::lenient_json::{Fields, elements, text};

/// The time that a call may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Meta's code for an app that asks about a token of another one, among other wrong parameters.
const WRONG_PARAMETER: i64 = 100;
/// The longest token that is believed. Meta's have some 200 characters, and it warns that they may grow.
const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// The most of Meta's words that is kept.
const WORDS_BYTES_MAX: usize = 512;

/// Meta's word on access tokens.
pub struct MetaTokens {
    http: Arc<GraphHttp>,
}

impl MetaTokens {
    /// Asks through this client.
    pub const fn new(http: Arc<GraphHttp>) -> Self {
        Self { http }
    }

    async fn ask(
        &self,
        path: &str,
        asked: &[(&str, &str)],
        bearer: Option<&Secret>,
    ) -> Result<GraphAnswer, TokenUnknown> {
        let answer = self.http.get(path, asked, bearer, TIMEOUT).await;
        answer.map_err(|failure| TokenUnknown(failure.why()))
    }
}

#[async_trait]
impl TokensApi for MetaTokens {
    async fn inspect(&self, app: AppAccess<'_>, token: &Secret) -> Result<TokenVerdict, TokenUnknown> {
        let as_app = Secret::new(format!("{}|{}", app.id, app.secret.reveal()));
        let asked = [("input_token", token.reveal())];
        let mut answer = self.ask("debug_token", &asked, Some(&as_app)).await?;
        answer.hide(token.reveal());
        let fields = fields_of(&answer)?;
        match fields.object("data") {
            Some(data) => verdict(&data),
            None => match error_of(&fields) {
                Some((WRONG_PARAMETER, _)) => Ok(TokenVerdict::OtherApp),
                Some((code, words)) => Err(unknown(format!("Meta refused the question ({code}): {words}"))),
                None => Err(no_verdict(&answer)),
            },
        }
    }

    async fn renew(&self, app: AppAccess<'_>, token: &Secret) -> Result<Option<Secret>, TokenUnknown> {
        let id = app.id.to_string();
        let asked = [
            ("grant_type", "fb_exchange_token"),
            ("client_id", &id),
            ("client_secret", app.secret.reveal()),
            ("set_token_expires_in_60_days", "true"),
            ("fb_exchange_token", token.reveal()),
        ];
        let answer = self.ask("oauth/access_token", &asked, None).await?;
        let fields = fields_of(&answer)?;
        let renewed = fields.text("access_token");
        match renewed.filter(|renewed| !renewed.is_empty() && renewed.len() <= TOKEN_BYTES_MAX) {
            Some(renewed) if answer.status.is_success() => Ok(Some(Secret::new(renewed))),
            _ if error_of(&fields).is_some() => Ok(None),
            _ => Err(no_verdict(&answer)),
        }
    }
}

fn fields_of(answer: &GraphAnswer) -> Result<Fields<'_>, TokenUnknown> {
    let fields = std::str::from_utf8(&answer.body).ok().and_then(Fields::parse);
    fields.ok_or_else(|| no_verdict(answer))
}

fn verdict(data: &Fields<'_>) -> Result<TokenVerdict, TokenUnknown> {
    let is_valid = data.get("is_valid").map(|raw| raw.get() == "true");
    if is_valid != Some(true) {
        return match (is_valid, error_of(data)) {
            (Some(_), error) => Ok(TokenVerdict::Invalid(
                error.map_or_else(|| "it is not valid".into(), |(_, words)| words),
            )),
            (None, Some((_, words))) => Ok(TokenVerdict::Invalid(words)),
            (None, None) => Err(unknown("Meta did not say whether the token is valid".to_owned())),
        };
    }
    let app_id = data.text("app_id").and_then(|id| AppId::parse(&id).ok());
    let app_id = app_id.ok_or_else(|| unknown("Meta did not say which app the token is of".to_owned()))?;
    let name = |text: &str| (text.len() <= NAME_BYTES_MAX).then(|| Arc::<str>::from(text));
    let scopes = data.get("scopes").and_then(elements).unwrap_or_default();
    let scopes = scopes.into_iter().filter_map(|raw| name(&text(raw)?));
    let expires_at = data.integer("expires_at").filter(|seconds| *seconds > 0);
    Ok(TokenVerdict::Valid(TokenFacts {
        app_id,
        kind: data.text("type").and_then(|kind| name(&kind)),
        scopes: scopes.take(NAMES_MAX).collect(),
        accounts: accounts(data),
        expires_at: expires_at.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1_000))),
    }))
}

/// The accounts that the token may send for: the targets of that scope. A list that is too long says nothing: a part of it would exclude the rest.
fn accounts(data: &Fields<'_>) -> Vec<WabaId> {
    let granted = data.get("granular_scopes").and_then(elements).unwrap_or_default();
    let sends = granted
        .into_iter()
        .filter_map(Fields::of)
        .find(|granted| granted.text("scope").as_deref() == Some(SEND_SCOPE));
    let targets = sends
        .and_then(|sends| elements(sends.get("target_ids")?))
        .unwrap_or_default();
    if targets.len() > NAMES_MAX {
        return Vec::new();
    }
    let ids = targets.into_iter().filter_map(|raw| WabaId::parse(&text(raw)?).ok());
    ids.collect()
}

/// Meta's code and words.
fn error_of(fields: &Fields<'_>) -> Option<(i64, Arc<str>)> {
    let error = fields.object("error")?;
    let words = error.text("message").unwrap_or_default();
    let end = words.floor_char_boundary(WORDS_BYTES_MAX);
    Some((error.integer("code")?, words[..end].into()))
}

fn no_verdict(answer: &GraphAnswer) -> TokenUnknown {
    unknown(format!(
        "the answer is not one of Meta's (HTTP {})",
        answer.status.as_u16()
    ))
}

fn unknown(why: String) -> TokenUnknown {
    TokenUnknown(why.into())
}
