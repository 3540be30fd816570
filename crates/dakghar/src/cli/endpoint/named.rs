//! Which endpoint a command is about.

use dakghar_core::domain::TenantId;

use crate::cli::arguments::parse_tenant;

/// Which endpoint.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// The tenant's id, ten_….
    tenant_id: String,
    /// The endpoint's id, end_….
    pub(super) endpoint_id: String,
}

impl Named {
    pub(super) fn tenant(&self) -> anyhow::Result<TenantId> {
        parse_tenant(&self.tenant_id)
    }
}
