//! API keys of a tenant in its row, and their last uses in a column of their own: they change without a new version.

use dakghar_core::domain::api_key::{ApiKey, KeyUse};
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::cells::{Cells, Damaged, Read};
use super::failure::Outcome;
use crate::stored::api_keys::{self, Uses};

/// Times only grow. What is no JSON begins anew, so that one broken row does not fail the uses of others.
const NOTE: &str = "\
    UPDATE tenants SET key_uses = json_set( \
        CASE WHEN json_valid(key_uses) THEN key_uses ELSE '{}' END, \
        '$.' || ?1, \
        max(?2, ifnull(CASE WHEN json_valid(key_uses) THEN json_extract(key_uses, '$.' || ?1) END, ?2))) \
    WHERE id = ?3";

/// Notes uses of keys.
pub(super) fn note(conn: &Connection, uses: &[KeyUse]) -> Outcome<()> {
    let mut note = conn.prepare_cached(NOTE)?;
    for key_use in uses {
        note.execute(params![
            key_use.key_id.to_string(),
            key_use.at.as_millis(),
            key_use.tenant_id.to_string()
        ])?;
    }
    Ok(())
}

/// Returns the text of the last uses of these keys.
pub(super) fn text_of(keys: &[ApiKey]) -> String {
    let uses = api_keys::uses_of(keys);
    let uses = uses.iter().map(|(id, at)| (id.as_str(), at.as_millis().into()));
    serde_json::Value::Object(uses.map(|(id, at)| (id.to_owned(), at)).collect()).to_string()
}

/// Reads the keys and their last uses, the next two columns. Where there are no keys, `hash` is that of the only one that a
/// tenant had in earlier releases.
pub(super) fn keys(cells: &mut Cells<'_>, id: &TenantId, hash: Vec<u8>, created_at: Timestamp) -> Read<Vec<ApiKey>> {
    let keys = cells.maybe_parse(api_keys::parse)?;
    let uses = cells.maybe_parse(uses)?.unwrap_or_default();
    let keys = match keys {
        Some(keys) => keys,
        None if hash.is_empty() => return Err(Damaged("the column keys is empty".into())),
        None => vec![ApiKey::of_earlier_release(id, hash, created_at)],
    };
    Ok(api_keys::with_uses(keys, &uses))
}

fn uses(text: &str) -> Option<Uses> {
    let uses: std::collections::BTreeMap<String, i64> = serde_json::from_str(text).ok()?;
    Some(
        uses.into_iter()
            .map(|(id, at)| (id, Timestamp::from_millis(at)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use dakghar_testkit::samples;

    use super::super::{migrations, tenants};
    use super::*;

    #[test]
    fn the_only_key_of_an_earlier_release_is_carried_over_with_its_uses() {
        let mut conn = Connection::open_in_memory().expect("memory");
        migrations::as_left_by(&conn, 30);
        let id = samples::tenant().id;
        let insert = "INSERT INTO tenants (id, name, api_key_hash, wrapped_data_key, unknown_outcome, created_at, \
             updated_at, version) VALUES (?, 'a', ?, x'00', 'auto', 7, 8, 3)";
        conn.execute(insert, params![id.to_string(), vec![9_u8; 32]])
            .expect("a row");
        migrations::migrate(&mut conn).expect("the step");
        let mut expected = ApiKey::of_earlier_release(&id, vec![9; 32], Timestamp::from_millis(7));
        let used = KeyUse {
            tenant_id: id,
            key_id: expected.id,
            at: Timestamp::from_millis(77),
        };
        note(&conn, &[used]).expect("noted");
        expected.last_used_at = Some(used.at);
        let select = format!("SELECT {} FROM tenants", tenants::COLUMNS);
        let found = conn.query_row(&select, [], |row| {
            Ok(tenants::tenant(&conn, row).map(|tenant| tenant.map(|tenant| tenant.keys)))
        });
        assert!(matches!(found, Ok(Ok(Ok(keys))) if keys == [expected]));
    }
}
