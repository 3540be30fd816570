//! Stands between a name and a connection: only addresses that the rules allow come through.

use std::net::SocketAddr;
use std::sync::Arc;

use dakghar_core::domain::callback_url::CallbackRules;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::lookup::Lookup;

/// The reason a name leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum GuardFault {
    #[error("the name was not found")]
    NotFound,
    #[error("the name leads to an address that may not be called")]
    Blocked,
}

/// Looks names up for calls of one port. One address that may not be called blocks the whole name: an honest name has
/// none, and which of several is taken is chance.
pub(super) struct Guard {
    pub(super) rules: Arc<CallbackRules>,
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) port: u16,
}

impl Guard {
    async fn addresses(&self, name: &str) -> Result<Vec<SocketAddr>, GuardFault> {
        let found = self.lookup.addresses(name).await;
        let found: Vec<_> = found.into_iter().map(|ip| SocketAddr::new(ip, self.port)).collect();
        if found.is_empty() {
            return Err(GuardFault::NotFound);
        }
        let is_forbidden = |address: &SocketAddr| self.rules.check_address(*address).is_err();
        if found.iter().any(is_forbidden) {
            return Err(GuardFault::Blocked);
        }
        Ok(found)
    }
}

/// The connection is made to what this returns, so nothing is looked up a second time.
#[derive(Clone)]
pub(super) struct Guarded(pub(super) Arc<Guard>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
