//! Clones in SQLite. A crash meanwhile costs a run of the benchmark and nothing else, so nothing is fsynced before the
//! end, and the indexes are built anew when all are stored, which takes a fraction of the time.

use std::fs::File;
use std::path::Path;

use anyhow::ensure;
use rusqlite::{Connection, named_params};

use super::progress::Progress;
use super::{Clones, TEMPLATES_MAX};

/// Rows in one transaction.
const BATCH: u64 = 10_000;

pub(super) fn grow(file: &Path, total: u64) -> anyhow::Result<Clones> {
    let mut connection = Connection::open(file)?;
    connection.pragma_update(None, "synchronous", "off")?;
    // 512 MiB, for sorting the indexes.
    connection.pragma_update(None, "cache_size", -512 * 1024)?;
    let stored: i64 = connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?;
    let templates = templates(&connection)?;
    let clones = Clones::new(stored.unsigned_abs(), total, templates.len());
    let indexes = indexes(&connection)?;
    for (name, _) in &indexes {
        connection.execute(&format!("DROP INDEX {name}"), [])?;
    }
    insert_messages(&mut connection, &templates, clones)?;
    for (_, create) in &indexes {
        connection.execute(create, [])?;
    }
    insert_conversations(&mut connection, &templates, clones)?;
    insert_entries(&connection)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    File::open(file)?.sync_all()?;
    Ok(clones)
}

/// The name of each, and the statement that creates it.
fn indexes(connection: &Connection) -> anyhow::Result<Vec<(String, String)>> {
    let found: Result<_, _> = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'messages'")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect();
    Ok(found?)
}

/// The `seq` of each.
fn templates(connection: &Connection) -> anyhow::Result<Vec<i64>> {
    let templates: Vec<i64> = connection
        .prepare(
            "SELECT seq FROM messages WHERE direction = 'outbound' AND status IN ('sent', 'delivered', 'read') LIMIT ?",
        )?
        .query_map([TEMPLATES_MAX], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    ensure!(!templates.is_empty(), "there is no settled message to clone");
    Ok(templates)
}

fn insert_messages(connection: &mut Connection, templates: &[i64], clones: Clones) -> anyhow::Result<()> {
    let insert = insert_statement(connection)?;
    let progress = Progress::towards(clones.count);
    let mut next = 0;
    while next < clones.count {
        let end = clones.count.min(next + BATCH);
        let transaction = connection.transaction()?;
        let mut statement = transaction.prepare_cached(&insert)?;
        for clone in (next..end).map(|index| clones.at(index)) {
            statement.execute(named_params! {
                ":id": clone.id,
                ":idempotency_key": clone.idempotency_key,
                ":wamid": clone.wamid,
                ":person": clone.person,
                ":conversation_id": clone.conversation_id,
                ":created_at": clone.created_ms,
                ":template": templates[clone.template],
            })?;
        }
        drop(statement);
        transaction.commit()?;
        progress.add(end - next);
        next = end;
    }
    Ok(())
}

fn insert_statement(connection: &Connection) -> anyhow::Result<String> {
    let columns: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_info('messages') WHERE name <> 'seq'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let values: Vec<String> = columns.iter().map(|column| value_of(column)).collect();
    Ok(format!(
        "INSERT INTO messages ({}) SELECT {} FROM messages WHERE seq = :template",
        columns.join(", "),
        values.join(", ")
    ))
}

/// What a clone has in this column. All times move with that of its creation; those in its timeline stay: nothing
/// searches there.
fn value_of(column: &str) -> String {
    match column {
        "id" | "idempotency_key" | "wamid" | "conversation_id" => format!(":{column}"),
        "wamids" => "json_array(:wamid)".to_owned(),
        "peer" => "'+' || :person".to_owned(),
        "peer_id" => ":person".to_owned(),
        time if time.ends_with("_at") => format!("{time} + :created_at - created_at"),
        other => other.to_owned(),
    }
}

fn insert_conversations(connection: &mut Connection, templates: &[i64], clones: Clones) -> anyhow::Result<()> {
    let transaction = connection.transaction()?;
    let mut statement = transaction.prepare(
        "INSERT INTO conversations (tenant_id, id, phone_number_id, wa_id, last_message_id, last_message_at)
         SELECT tenant_id, :id, phone_number_id, :person, :message_id, :at FROM messages WHERE seq = :template",
    )?;
    for clone in clones.newest_of_threads() {
        statement.execute(named_params! {
            ":id": clone.conversation_id,
            ":person": clone.person,
            ":message_id": clone.id,
            ":at": clone.created_ms,
            ":template": templates[clone.template],
        })?;
    }
    drop(statement);
    transaction.commit()?;
    Ok(())
}

/// An entry in its tenant's feed for each clone, in their order, behind those of the templates.
fn insert_entries(connection: &Connection) -> anyhow::Result<()> {
    connection.execute(
        "INSERT INTO feed (tenant_id, place, kind, subject, phone_number_id, at)
         SELECT clones.tenant_id, ends.last + row_number() OVER (PARTITION BY clones.tenant_id ORDER BY clones.id),
                'message.sent', 'change ' || clones.id || ' 1 sent 1', clones.phone_number_id, clones.created_at
         FROM messages AS clones
         JOIN (SELECT tenant_id, max(place) AS last FROM feed GROUP BY tenant_id) AS ends USING (tenant_id)
         WHERE clones.idempotency_key LIKE 'clone-%'",
        [],
    )?;
    Ok(())
}
