//! Changes that are recorded: each is done by the file that does it without a record.

use dakghar_core::domain::tenant::Tenant;
use dakghar_core::domain::webhook::WebhookEvent;
use dakghar_core::ports::{AuditedChange, Carried, TenantSaved};
use rusqlite::Connection;

use crate::sqlite::failure::Outcome;
use crate::sqlite::{
    apps, departures, endpoints, events, holds, messages, operators, opt_outs, people_erased, redrives, signups,
    tenants,
};

/// A change as the writer's thread gets it.
pub(super) struct Prepared(AuditedChange);

impl Prepared {
    pub(super) fn of(change: &AuditedChange) -> Self {
        Self(change.clone())
    }

    /// Does it, inside the transaction.
    pub(super) fn carry_out(&self, conn: &Connection) -> Outcome<Carried> {
        Ok(match &self.0 {
            AuditedChange::Nothing => Carried::Done,
            AuditedChange::InsertTenant(tenant) => tenants::insert(conn, tenant)?.into(),
            AuditedChange::SaveTenant(tenant, told) => save_tenant(conn, tenant, told)?,
            AuditedChange::InsertOperatorKey(key) => operators::insert(conn, key)?.into(),
            AuditedChange::SaveOperatorKey(key) => operators::save(conn, key)?.into(),
            AuditedChange::RemoveOperatorKey(id) => Carried::if_done(operators::remove(conn, id)?),
            AuditedChange::InsertApp(app) => apps::insert(conn, app)?.into(),
            AuditedChange::SaveApp(app) => apps::save(conn, app)?.into(),
            AuditedChange::RemoveApp(id) => Carried::if_done(apps::remove(conn, id)?),
            AuditedChange::InsertEndpoint(endpoint) => endpoints::insert(conn, endpoint)?.into(),
            AuditedChange::SaveEndpoint(endpoint) => endpoints::save(conn, endpoint)?.into(),
            AuditedChange::RemoveEndpoint(tenant_id, id, version) => {
                Carried::if_done(endpoints::remove(conn, tenant_id, id, *version)?)
            }
            AuditedChange::KeepSendingHold(hold) => {
                holds::keep(conn, *hold)?;
                Carried::Done
            }
            AuditedChange::InsertRedrive(redrive) => Carried::if_done(redrives::insert(conn, redrive)?),
            AuditedChange::SaveRedrive(redrive) => redrives::save(conn, redrive)?.into(),
            AuditedChange::InsertErasure(erasure) => Carried::if_done(people_erased::insert(conn, erasure)?),
            AuditedChange::NoteOptOuts(batch) => {
                opt_outs::note(conn, batch)?;
                Carried::Done
            }
            AuditedChange::InsertSignup(signup) => signups::insert(conn, signup)?.into(),
            AuditedChange::SaveSignup(signup) => signups::save(conn, signup)?.into(),
            AuditedChange::InsertDeparture(departure) => departures::insert(conn, departure)?.into(),
            AuditedChange::SaveDeparture(departure) => departures::save(conn, departure)?.into(),
            AuditedChange::SaveMessage(save) => messages::save_one(conn, save)?.into(),
        })
    }
}

fn save_tenant(conn: &Connection, tenant: &Tenant, told: &[WebhookEvent]) -> Outcome<Carried> {
    let saved = tenants::save(conn, tenant)?;
    if saved == TenantSaved::Done {
        events::record(conn, told)?;
    }
    Ok(saved.into())
}
