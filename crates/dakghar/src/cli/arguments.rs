//! Arguments that many commands have.

use anyhow::anyhow;
use clap::Args;
use dakghar_core::domain::{TenantId, Timestamp};

/// The tenant that a command is about.
#[derive(Debug, Args)]
pub struct Owner {
    /// The tenant's id, ten_….
    #[arg(long)]
    tenant: String,
}

impl Owner {
    /// Reads its id.
    pub fn id(&self) -> anyhow::Result<TenantId> {
        parse_tenant(&self.tenant)
    }
}

/// Reads the id of a tenant.
pub fn parse_tenant(text: &str) -> anyhow::Result<TenantId> {
    TenantId::parse(text).map_err(|_| anyhow!("{text} is not a tenant id (ten_…); see `dakghar tenant list`"))
}

/// Reads a time.
pub fn parse_time(text: &str) -> anyhow::Result<Timestamp> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| anyhow!("{text} is no time such as 2027-01-01T00:00:00Z"))
}
