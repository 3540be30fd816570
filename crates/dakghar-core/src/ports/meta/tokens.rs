//! What Meta says of access tokens, and new ones for old.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::access_token::TokenVerdict;
use crate::domain::ids::AppId;
use crate::domain::secret::Secret;

/// An app of ours, as whom Meta is asked.
#[derive(Clone, Copy, Debug)]
pub struct AppAccess<'a> {
    /// Meta's id of it.
    pub id: &'a AppId,
    /// Its present secret.
    pub secret: &'a Secret,
}

/// Meta gave no answer that says anything of the token: why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenUnknown(pub Arc<str>);

/// Meta's word on access tokens.
#[async_trait]
pub trait TokensApi: Send + Sync {
    /// Asks what a token is and whether it works. Takes a few seconds at most.
    async fn inspect(&self, app: AppAccess<'_>, token: &Secret) -> Result<TokenVerdict, TokenUnknown>;

    /// Asks for a token that lasts longer in place of this one, which stays valid until its end. `None` if Meta refuses.
    async fn renew(&self, app: AppAccess<'_>, token: &Secret) -> Result<Option<Secret>, TokenUnknown>;
}
