//! What is given on the command line.

use dakghar_core::domain::TenantId;

/// Reads the id of a tenant.
pub(super) fn parse(text: &str) -> anyhow::Result<TenantId> {
    TenantId::parse(text).map_err(|_| anyhow::anyhow!("{text} is not a tenant id (ten_…)"))
}
