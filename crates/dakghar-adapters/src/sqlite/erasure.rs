//! Deleting what a tenant leaves behind, a piece at a time.

use std::collections::BTreeSet;

use async_trait::async_trait;
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{AgedPortion, ErasedPortion, Erasure, StoreError};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::SqliteStore;
use super::aging::erase_aged;
use super::cells::{Cells, Damaged, number};
use super::failure::Outcome;

/// One table at a time, each by an index that starts with the tenant.
pub(super) const DELETES: [&str; 13] = [
    "DELETE FROM messages WHERE seq IN \
         (SELECT seq FROM messages INDEXED BY messages_by_id WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM statuses WHERE (tenant_id, message_id, digest) IN \
         (SELECT tenant_id, message_id, digest FROM statuses WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM conversations WHERE (tenant_id, id) IN \
         (SELECT tenant_id, id FROM conversations WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM events WHERE seq IN \
         (SELECT seq FROM events INDEXED BY events_newest WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM redrives WHERE id IN \
         (SELECT id FROM redrives INDEXED BY redrives_of_tenant WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM erasures WHERE id IN \
         (SELECT id FROM erasures INDEXED BY erasures_of_tenant WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM signups WHERE id IN \
         (SELECT id FROM signups INDEXED BY signups_of_tenant WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM callback_exceptions WHERE (endpoint_id, place) IN \
         (SELECT endpoint_id, place FROM callback_exceptions INDEXED BY callback_exceptions_of_tenant \
          WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM callback_attempts WHERE rowid IN \
         (SELECT rowid FROM callback_attempts INDEXED BY callback_attempts_of_tenant WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM callback_progress WHERE endpoint_id IN \
         (SELECT endpoint_id FROM callback_progress INDEXED BY callback_progress_of_tenant WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM endpoints WHERE id IN \
         (SELECT id FROM endpoints INDEXED BY endpoints_of_tenant WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM opt_outs WHERE (tenant_id, mark, scope) IN \
         (SELECT tenant_id, mark, scope FROM opt_outs WHERE tenant_id = ? LIMIT ?)",
    "DELETE FROM feed WHERE (tenant_id, place) IN (SELECT tenant_id, place FROM feed WHERE tenant_id = ? LIMIT ?)",
];

const TIME: &str = "SELECT at FROM retention_time";
const KEEP_TIME: &str = "\
    INSERT INTO retention_time (one, at) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET at = max(at, ?1)";

#[async_trait]
impl Erasure for SqliteStore {
    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        let tenant_id = *tenant_id;
        self.writer.run(move |conn| erase(conn, tenant_id, limit)).await
    }

    async fn left_behind(&self, limit: u32) -> Result<Vec<TenantId>, StoreError> {
        self.delivery.run(move |conn| left_behind(conn, limit)).await
    }

    async fn erase_aged(&self, portion: &AgedPortion) -> Result<ErasedPortion, StoreError> {
        let portion = portion.clone();
        self.writer.run(move |conn| erase_aged(conn, &portion)).await
    }

    async fn retention_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.delivery
            .run(|conn| {
                let at = conn
                    .prepare_cached(TIME)?
                    .query_row([], |row| number(row, 0))
                    .optional()?;
                Ok(at.map(Timestamp::from_millis))
            })
            .await
    }

    async fn keep_retention_time(&self, at: Timestamp) -> Result<(), StoreError> {
        self.writer
            .run(move |conn| {
                conn.prepare_cached(KEEP_TIME)?.execute([at.as_millis()])?;
                Ok(())
            })
            .await
    }
}

/// The first tenant behind another one, in each table of callbacks: a step of an index for each tenant.
pub(super) const NEXT_TENANTS: [&str; 3] = [
    "SELECT min(tenant_id) FROM callback_progress INDEXED BY callback_progress_of_tenant WHERE tenant_id > ?",
    "SELECT min(tenant_id) FROM callback_exceptions INDEXED BY callback_exceptions_of_tenant WHERE tenant_id > ?",
    "SELECT min(tenant_id) FROM callback_attempts INDEXED BY callback_attempts_of_tenant WHERE tenant_id > ?",
];
const IS_THERE: &str = "SELECT count(*) FROM tenants WHERE id = ?";

/// Tenants that are not there and of whose callbacks something is left.
fn left_behind(conn: &Connection, limit: u32) -> Outcome<Vec<TenantId>> {
    let mut left: BTreeSet<String> = BTreeSet::new();
    let mut is_there = conn.prepare_cached(IS_THERE)?;
    for next in NEXT_TENANTS {
        let mut next = conn.prepare_cached(next)?;
        let mut after = String::new();
        let mut behind = |after: &str| {
            let found = next.query_row([after], |row| Ok(Cells::of(row).get::<Option<String>>()))?;
            found.map_err(Damaged::stops_all)
        };
        while let Some(tenant_id) = behind(&after)? {
            if is_there.query_row([&tenant_id], |row| number(row, 0))? == 0 {
                left.insert(tenant_id.clone());
            }
            after = tenant_id;
        }
    }
    let ids = left.iter().filter_map(|id| TenantId::parse(id).ok());
    Ok(ids.take(limit as usize).collect())
}

/// Deletes up to `limit` rows and returns how many.
fn erase(conn: &Connection, tenant_id: TenantId, limit: u32) -> Outcome<u64> {
    let limit = u64::from(limit);
    let tenant_id = tenant_id.to_string();
    // Only messages that were sent twice have any, so there are few.
    conn.prepare_cached("DELETE FROM further_wamids WHERE tenant_id = ?")?
        .execute([&tenant_id])?;
    conn.prepare_cached("DELETE FROM conversation_keys WHERE tenant_id = ?")?
        .execute([&tenant_id])?;
    conn.prepare_cached("DELETE FROM content_walks WHERE tenant_id = ?")?
        .execute([&tenant_id])?;
    let mut erased = 0;
    for sql in DELETES {
        let left = (limit - erased).cast_signed();
        erased += conn.prepare_cached(sql)?.execute(params![tenant_id, left])? as u64;
        if erased >= limit {
            break;
        }
    }
    Ok(erased)
}

#[cfg(test)]
mod tests {
    use dakghar_core::domain::conversation::{ConversationKind, ConversationTouch};
    use dakghar_core::domain::ids::ConversationId;
    use dakghar_core::ports::Aged;
    use dakghar_testkit::samples::{at, outbound, person, phone_number_id, tenant_id};

    use super::*;
    use crate::sqlite::cells::number;
    use crate::sqlite::{conversations, migrations};

    #[test]
    fn what_is_deleted_is_still_overwritten_after_old_records_were_erased() {
        let mut conn = Connection::open_in_memory().expect("memory");
        migrations::migrate(&mut conn).expect("migrated");
        conn.pragma_update(None, "secure_delete", true).expect("set");
        let portion = AgedPortion {
            tenant_id: None,
            kind: Aged::Events,
            before: at(11),
            from: None,
            limit: 10,
        };
        erase_aged(&conn, &portion).expect("erased");
        let is_on = conn.pragma_query_value(None, "secure_delete", |row| number(row, 0));
        assert_eq!(is_on, Ok(1));
    }

    #[test]
    fn further_ids_of_a_person_go_with_their_conversation() {
        let mut conn = Connection::open_in_memory().expect("memory");
        migrations::migrate(&mut conn).expect("migrated");
        let tenant_id = tenant_id();
        let wa_id = person("1");
        let touch = ConversationTouch {
            id: ConversationId::of(&tenant_id, &phone_number_id(), &wa_id),
            tenant_id,
            phone_number_id: phone_number_id(),
            kind: ConversationKind::Person,
            wa_id,
            message_id: outbound(tenant_id).accepted.id,
            at: at(10),
            opens_window: true,
            also: vec![person("US.1"), person("US.2")],
            name: None,
        };
        let keys = || -> i64 {
            let count = conn.query_row("SELECT count(*) FROM conversation_keys", [], |row| number(row, 0));
            count.expect("a count")
        };
        let meet = || conversations::touch(&conn, std::slice::from_ref(&touch)).expect("touched");
        meet();
        assert_eq!(keys(), 2);
        erase(&conn, tenant_id, 10).expect("erased");
        assert_eq!(keys(), 0);
        meet();
        let portion = AgedPortion {
            tenant_id: Some(tenant_id),
            kind: Aged::Conversations,
            before: at(11),
            from: None,
            limit: 10,
        };
        erase_aged(&conn, &portion).expect("erased");
        assert_eq!(keys(), 0);
    }
}
