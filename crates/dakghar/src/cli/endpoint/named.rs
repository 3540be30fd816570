//! Which endpoint a command is about.

use anyhow::anyhow;
use dakghar_core::domain::TenantId;

/// Which endpoint.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// The tenant's id, ten_….
    pub(super) tenant_id: String,
    /// The endpoint's id, end_….
    pub(super) endpoint_id: String,
}

pub(super) fn parse(text: &str) -> anyhow::Result<TenantId> {
    TenantId::parse(text).map_err(|_| anyhow!("{text} is not a tenant id (ten_…); see `dakghar tenant list`"))
}
