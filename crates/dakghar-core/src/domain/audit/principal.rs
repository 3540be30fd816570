//! Who asked for something, from where, and by which request.

use std::net::IpAddr;
use std::sync::Arc;

use crate::domain::hold::Actor;
use crate::domain::ids::ApiKeyId;

/// As whom somebody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Dakghar itself.
    System,
    /// Whoever has a shell on a machine of the installation, and its settings.
    Cli,
    /// Whoever reaches an installation in development, where no key is needed.
    Anonymous,
    /// The operator, by the key of the settings.
    Settings,
    /// An operator, by this key.
    Operator(ApiKeyId),
    /// A tenant, by this key of its own.
    Tenant(ApiKeyId),
}

impl Who {
    /// Returns the kind of it, as clients and stores write it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Cli => "cli",
            Self::Anonymous => "anonymous",
            Self::Settings => "settings",
            Self::Operator(_) => "operator",
            Self::Tenant(_) => "tenant",
        }
    }

    /// Returns the key that was used.
    pub const fn key(&self) -> Option<ApiKeyId> {
        match self {
            Self::Operator(id) | Self::Tenant(id) => Some(*id),
            Self::System | Self::Cli | Self::Anonymous | Self::Settings => None,
        }
    }

    /// Returns the text by which lists find what somebody did: the id of the key, or else the kind.
    pub fn actor(&self) -> String {
        self.key().map_or_else(|| self.kind().to_owned(), |id| id.to_string())
    }

    /// Reads what [`Who::kind`] and [`Who::key`] returned.
    pub fn parse(kind: &str, key: Option<&str>) -> Option<Self> {
        let key = match key {
            Some(text) => Some(ApiKeyId::parse(text).ok()?),
            None => None,
        };
        Some(match (kind, key) {
            ("system", None) => Self::System,
            ("cli", None) => Self::Cli,
            ("anonymous", None) => Self::Anonymous,
            ("settings", None) => Self::Settings,
            ("operator", Some(id)) => Self::Operator(id),
            ("tenant", Some(id)) => Self::Tenant(id),
            _ => return None,
        })
    }
}

/// Somebody who asked for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// As whom.
    pub who: Who,
    /// The name of the key, if one was used and its name is known.
    pub name: Option<Arc<str>>,
    /// The client's address, if the request came over a connection.
    pub address: Option<IpAddr>,
    /// The id of the request, if there was one.
    pub request_id: Option<Arc<str>>,
}

impl Principal {
    /// Whoever runs a command.
    pub const CLI: &'static Self = &Self::only(Who::Cli);
    /// Dakghar itself.
    pub const SYSTEM: &'static Self = &Self::only(Who::System);

    /// Somebody of whom no more is known.
    pub const fn only(who: Who) -> Self {
        Self {
            who,
            name: None,
            address: None,
            request_id: None,
        }
    }

    /// Returns the party that this is.
    pub const fn actor(&self) -> Actor {
        match self.who {
            Who::Tenant(_) => Actor::Tenant,
            Who::System | Who::Cli | Who::Anonymous | Who::Settings | Who::Operator(_) => Actor::Operator,
        }
    }
}
