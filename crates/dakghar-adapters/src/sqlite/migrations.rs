//! The schema, step by step. The file says in `user_version` how many steps it has taken.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// The steps that a file of this release has taken.
pub(super) const NEWEST: usize = STEPS.len();

/// Marks the file as ours ("DAKG").
const APPLICATION_ID: i32 = 0x4441_4b47;

/// The steps, oldest first. Released steps never change.
const STEPS: [&str; 46] = [
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_messages_by_person.sql"),
    include_str!("migrations/0003_messages_id_time_off.sql"),
    include_str!("migrations/0004_no_index_of_conversations.sql"),
    include_str!("migrations/0005_comparisons_in_indexes.sql"),
    include_str!("migrations/0006_past_numbers.sql"),
    include_str!("migrations/0007_listeners.sql"),
    include_str!("migrations/0008_requests_per_second.sql"),
    include_str!("migrations/0009_limits.sql"),
    include_str!("migrations/0010_redrives.sql"),
    include_str!("migrations/0011_sending_hold.sql"),
    include_str!("migrations/0012_frames.sql"),
    include_str!("migrations/0013_statuses.sql"),
    include_str!("migrations/0014_learned_accounts.sql"),
    include_str!("migrations/0015_amendments.sql"),
    include_str!("migrations/0016_origins_and_groups.sql"),
    include_str!("migrations/0017_retention_time.sql"),
    include_str!("migrations/0018_redrive_expired.sql"),
    include_str!("migrations/0019_people.sql"),
    include_str!("migrations/0020_redrives_of_tenants.sql"),
    include_str!("migrations/0021_apps.sql"),
    include_str!("migrations/0022_feed.sql"),
    include_str!("migrations/0023_endpoints.sql"),
    include_str!("migrations/0024_callbacks.sql"),
    include_str!("migrations/0025_replays.sql"),
    include_str!("migrations/0026_waiting_lines.sql"),
    include_str!("migrations/0027_endpoint_creation.sql"),
    include_str!("migrations/0028_traces.sql"),
    include_str!("migrations/0029_letter_days.sql"),
    include_str!("migrations/0030_auto_redrives.sql"),
    include_str!("migrations/0031_api_keys.sql"),
    include_str!("migrations/0032_endpoint_kept_under.sql"),
    include_str!("migrations/0033_erasures.sql"),
    include_str!("migrations/0034_operator_keys.sql"),
    include_str!("migrations/0035_known_tokens.sql"),
    include_str!("migrations/0036_contents.sql"),
    include_str!("migrations/0037_installation_secrets.sql"),
    include_str!("migrations/0038_default_countries.sql"),
    include_str!("migrations/0039_receipts.sql"),
    include_str!("migrations/0040_audit.sql"),
    include_str!("migrations/0041_opt_outs.sql"),
    include_str!("migrations/0042_signups.sql"),
    include_str!("migrations/0043_standings.sql"),
    include_str!("migrations/0044_departures.sql"),
    include_str!("migrations/0045_app_signup_configs.sql"),
    include_str!("migrations/0046_gateway_ids.sql"),
];

/// Why the file cannot be brought to the present schema.
#[derive(Debug)]
pub(super) enum MigrationError {
    /// A newer release wrote it.
    Newer { found: i64, known: usize },
    /// Something else wrote it.
    Foreign,
    /// SQLite could not do it.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for MigrationError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Brings the file to the present schema. A crash on the way leaves it as it was. Nobody else may do the same meanwhile.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), MigrationError> {
    let tx = Transaction::new(conn, TransactionBehavior::Immediate)?;
    for step in &STEPS[steps_taken(&tx)?..] {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", i64::try_from(NEWEST).expect("few steps"))?;
    tx.commit()?;
    Ok(())
}

/// The number of steps that the file has taken; [`NEWEST`] when there is nothing to do, and 0 for an empty file.
pub(super) fn steps_taken(conn: &Connection) -> Result<usize, MigrationError> {
    let taken: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application_id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = taken == 0 && application_id == 0 && tables == 0;
    if !is_new && application_id != APPLICATION_ID {
        return Err(MigrationError::Foreign);
    }
    match usize::try_from(taken) {
        Ok(taken) if taken <= NEWEST => Ok(taken),
        _ => Err(MigrationError::Newer {
            found: taken,
            known: NEWEST,
        }),
    }
}

/// A file as an earlier release left it, which took only so many steps.
#[cfg(test)]
pub(super) fn as_left_by(conn: &Connection, taken: usize) {
    for step in &STEPS[..taken] {
        conn.execute_batch(step).expect("an earlier release");
    }
    let marked = conn.pragma_update(None, "application_id", APPLICATION_ID);
    marked.expect("marked");
    let taken = i64::try_from(taken).expect("few steps");
    conn.pragma_update(None, "user_version", taken).expect("taken");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::id_time;
    use dakghar_core::domain::ids::MessageId;
    use dakghar_core::domain::time::Timestamp;
    use dakghar_testkit::samples;
    use rusqlite::params;
    use uuid::Uuid;

    #[test]
    fn migrating_twice_changes_nothing_and_a_foreign_file_is_left_alone() {
        let mut conn = Connection::open_in_memory().expect("memory");
        migrate(&mut conn).expect("first");
        migrate(&mut conn).expect("second");

        let mut foreign = Connection::open_in_memory().expect("memory");
        foreign.execute_batch("CREATE TABLE theirs (x)").expect("table");
        assert!(matches!(migrate(&mut foreign), Err(MigrationError::Foreign)));
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let mut conn = Connection::open_in_memory().expect("memory");
        migrate(&mut conn).expect("migrate");
        conn.pragma_update(None, "user_version", 99).expect("pragma");
        assert!(matches!(
            migrate(&mut conn),
            Err(MigrationError::Newer { found: 99, known }) if known == STEPS.len()
        ));
    }

    #[test]
    fn messages_stored_before_are_marked_like_new_ones() {
        let mut conn = Connection::open_in_memory().expect("memory");
        as_left_by(&conn, 2);
        let mut expected = Vec::new();
        for (place, off_ms) in [0, 9_999, 10_000, 10_001, -10_000, -10_001, 86_400_000]
            .into_iter()
            .enumerate()
        {
            let mut message = samples::outbound(samples::tenant_id());
            // Every digit of the time counts.
            let made = (message.accepted.id.as_uuid().as_u128() >> 80) + (1 << (5 * place));
            let rest = message.accepted.id.as_uuid().as_u128() & ((1 << 80) - 1);
            message.accepted.id = MessageId::from_uuid(Uuid::from_u128((made << 80) | rest));
            message.accepted.created_at = Timestamp::from_millis(i64::try_from(made).expect("48 bits") + off_ms);
            conn.execute(
                "INSERT INTO messages (id, created_at, tenant_id, phone_number_id, direction, kind, priority, \
                 unknown_outcome, attempts_max, status, epoch, attempt, attempts_refunded, strikes, maybe_sent, drive, \
                 updated_at, version, timeline, body) \
                 VALUES (?, ?, 't', '1', 'outbound', 'text', 'normal', 'auto', 5, 'sent', 0, 0, 0, 0, 0, 0, 0, 0, '', '')",
                params![message.accepted.id.to_string(), message.accepted.created_at.as_millis()],
            )
            .expect("a row");
            if id_time::is_off(&message) {
                expected.push(message.accepted.id.to_string());
            }
        }
        assert_eq!(expected.len(), 3);
        migrate(&mut conn).expect("the step");
        let mut select = conn
            .prepare("SELECT id FROM messages WHERE id_time_off IS NOT NULL ORDER BY seq")
            .expect("SQL");
        let marked = select.query_map([], |row| row.get(0)).expect("rows");
        assert_eq!(marked.collect::<Result<Vec<String>, _>>().expect("texts"), expected);
    }
}
