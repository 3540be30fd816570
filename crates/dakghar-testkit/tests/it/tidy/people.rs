//! Where data of people may lie: every table and collection has a row in the page on retention, which says what becomes of
//! it when a person is erased. A new one without a decision fails here.

use std::collections::BTreeSet;

use super::workspace::{package, read, root};

const PAGE: &str = "docs/operating/retention.md";

/// The names between backquotes in the first cells of the page's table of places.
fn decided() -> BTreeSet<String> {
    let page = read(PAGE);
    let (_, table) = page
        .split_once("| table or collection | of a person | erasing them | age |\n|---|---|---|---|\n")
        .expect("the table of places");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "a row decides: {row}");
        let names = cells[0].split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect::<Vec<_>>()
    })
    .collect()
}

fn tables() -> BTreeSet<String> {
    let folder = root().join("crates/dakghar-adapters/src/sqlite/migrations");
    let files = std::fs::read_dir(folder).expect("the steps of the schema");
    let mut tables = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        let made = text.lines().filter_map(|line| line.strip_prefix("CREATE TABLE "));
        tables.extend(made.map(|rest| rest.split([' ', '(']).next().unwrap_or_default().to_owned()));
    }
    tables
}

fn collections() -> BTreeSet<String> {
    let text = &package("dakghar-adapters").src["mongo/collections.rs"];
    let named = text.lines().filter(|line| line.contains(": &str = \""));
    named
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_table_and_collection_has_a_decision_about_people() {
    let (tables, collections) = (tables(), collections());
    assert!(
        tables.len() >= 20 && collections.len() >= 20,
        "{tables:?} {collections:?}"
    );
    let there: BTreeSet<String> = tables.union(&collections).cloned().collect();
    let decided = decided();
    let missing: Vec<_> = there.difference(&decided).collect();
    let gone: Vec<_> = decided.difference(&there).collect();
    assert!(missing.is_empty(), "{PAGE} says nothing of {missing:?}");
    assert!(gone.is_empty(), "{PAGE} speaks of what is not there: {gone:?}");
}
