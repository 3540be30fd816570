//! What Meta says of access tokens, as a test tells it to.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::access_token::TokenVerdict;
use dakghar_core::domain::{AppId, Secret};
use dakghar_core::ports::{AppAccess, TokenUnknown, TokensApi};
use parking_lot::Mutex;

/// Meta, asked about tokens. Of a token that it was told nothing of it says that another app's it is.
#[derive(Clone, Debug, Default)]
pub struct MemoryTokens(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    verdicts: HashMap<String, Result<TokenVerdict, TokenUnknown>>,
    renewals: HashMap<String, String>,
    asked: Vec<(AppId, String)>,
}

impl MemoryTokens {
    /// Says this of a token from now on.
    pub fn say(&self, token: &str, verdict: TokenVerdict) {
        self.0.lock().verdicts.insert(token.to_owned(), Ok(verdict));
    }

    /// Gives no answer about a token from now on.
    pub fn say_nothing(&self, token: &str) {
        let nothing = Err(TokenUnknown("no answer".into()));
        self.0.lock().verdicts.insert(token.to_owned(), nothing);
    }

    /// Gives a token in place of another one.
    pub fn renew_to(&self, token: &str, renewed: &str) {
        self.0.lock().renewals.insert(token.to_owned(), renewed.to_owned());
    }

    /// The questions since the last look: as which app, about which token.
    pub fn asked(&self) -> Vec<(AppId, String)> {
        std::mem::take(&mut self.0.lock().asked)
    }
}

#[async_trait]
impl TokensApi for MemoryTokens {
    async fn inspect(&self, app: AppAccess<'_>, token: &Secret) -> Result<TokenVerdict, TokenUnknown> {
        let mut told = self.0.lock();
        told.asked.push((app.id.clone(), token.reveal().to_owned()));
        let verdict = told.verdicts.get(token.reveal()).cloned();
        verdict.unwrap_or(Ok(TokenVerdict::OtherApp))
    }

    async fn renew(&self, _: AppAccess<'_>, token: &Secret) -> Result<Option<Secret>, TokenUnknown> {
        Ok(self.0.lock().renewals.get(token.reveal()).map(Secret::new))
    }
}
