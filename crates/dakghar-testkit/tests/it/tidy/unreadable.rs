//! A record that cannot be read costs only itself: every method that reads what is stored is tried with broken records.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::tokens::{Token, tokens};
use super::workspace::{package, read};

/// Methods that no case of the suite needs to cover, and why.
const EXCUSED: [(&str, &str); 33] = [
    ("ArrivalStore::append", "reads no record"),
    (
        "ArrivalStore::arrivals",
        "only one store has them, and has a test of its own for it",
    ),
    ("ArrivalStore::arrived", "reads no record"),
    ("ArrivalStore::attend", "a process that cannot be read is not there"),
    ("ArrivalStore::bring_back", "reads no record"),
    (
        "FeedStore::ends",
        "one that cannot be read is an error: a guess could give a place twice",
    ),
    ("ArrivalStore::leave", "reads no record"),
    ("ArrivalStore::put_aside", "reads no record"),
    ("ArrivalStore::waiting", "reads no record but its id"),
    (
        "AuditStore::audit_chain",
        "one that cannot be read is an error: nothing is appended behind an end that nobody knows",
    ),
    (
        "AuditStore::audit_list",
        "a test of each adapter breaks a record, which a check of the chain must find",
    ),
    ("AuditStore::audit_walk", "the same: it is told in its place"),
    (
        "AuditStore::carry_out",
        "reads the end of the chain alone, and the record that it changes as its port does",
    ),
    (
        "AuditStore::drop_audit",
        "stops before it, so that it stays to be found",
    ),
    ("StoreHealth::ping", "reads no record"),
    ("StoreHealth::may_claim", "reads no record"),
    ("StoreHealth::stopped", "reads no record"),
    ("ListenerStore::keep_listener", "reads no record"),
    (
        "ListenerStore::listeners",
        "one that cannot be read may hide a gap, so it is an error for all",
    ),
    (
        "ListenerStore::forget_listeners",
        "deletes by two times, and hands none out",
    ),
    (
        "Erasure::retention_time",
        "one that cannot be read is an error, and nothing is erased",
    ),
    ("Erasure::keep_retention_time", "reads no record"),
    ("PersonErasureStore::clear_remains", "reads no record"),
    ("Erasure::left_behind", "reads no record, only whose it is"),
    ("HoldStore::sending_hold", "one that cannot be read is a hold"),
    ("HoldStore::keep_sending_hold", "reads no record"),
    ("MessageStore::know_by_gateway_id", "reads no record"),
    ("Queue::window", "reads no record"),
    ("Queue::enqueue", "reads no record"),
    ("Queue::due_work", "counts, and reads a time of a strict table"),
    ("Queue::ping", "reads no record"),
    ("Queue::lost", "reads no record"),
    ("Queue::close", "reads no record"),
];

#[test]
fn every_method_of_a_store_is_tried_with_broken_records() {
    let core = package("dakghar-core");
    let ports = core
        .src
        .iter()
        .filter(|(file, _)| file.starts_with("ports/store/") || *file == "ports/queue.rs");
    let methods: BTreeSet<String> = ports.flat_map(|(_, text)| methods_of_traits(text)).collect();
    assert!(methods.contains("MessageStore::accept"), "{methods:?}");
    let excused: BTreeSet<&str> = EXCUSED.iter().map(|(method, _)| *method).collect();

    let testkit = package("dakghar-testkit");
    let suite = testkit
        .src
        .iter()
        .filter(|(file, _)| file.starts_with("conformance/unreadable/"));
    let mut covered = BTreeMap::new();
    for (_, text) in suite {
        covered.extend(cases(text));
    }
    let suite = &testkit.src["conformance/unreadable/mod.rs"];
    let mut report = String::new();
    for method in &methods {
        let case = covered.get(method);
        if case.is_none() && !excused.contains(method.as_str()) {
            writeln!(report, "  no case says that it covers `{method}`").unwrap();
        }
        if let Some(case) = case.filter(|case| !suite.contains(&format!(" {case}\n"))) {
            writeln!(report, "  the suite does not run {case}").unwrap();
        }
    }
    for method in covered.keys().filter(|method| !methods.contains(*method)) {
        writeln!(report, "  there is no method `{method}` to be covered").unwrap();
    }
    assert!(report.is_empty(), "conformance/unreadable:\n{report}");
}

/// `Trait::method` for each method of each trait in a file.
fn methods_of_traits(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current: Option<(String, usize)> = None;
    let mut depth = 0;
    let all: Vec<Token> = tokens(text).into_iter().collect();
    for (at, token) in all.iter().enumerate() {
        let next = || all.get(at + 1).map(|token| token.text.clone()).unwrap_or_default();
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if current.as_ref().is_some_and(|(_, outside)| depth == *outside) {
                    current = None;
                }
            }
            "trait" => current = Some((next(), depth)),
            "fn" => {
                if let Some((name, outside)) = &current
                    && depth == outside + 1
                {
                    found.push(format!("{name}::{}", next()));
                }
            }
            _ => {}
        }
    }
    found
}

/// The methods that the comments of the suite's cases name, with the case.
fn cases(text: &str) -> Vec<(String, String)> {
    let (mut found, mut named) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("/// Covers ") {
            named = comment.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        } else if let Some(rest) = line.strip_prefix("pub async fn ") {
            let case = rest.split('(').next().unwrap_or_default();
            found.extend(named.drain(..).map(|method: String| (method, case.to_owned())));
        }
    }
    found
}

/// What the types hold: data that cannot be read does not turn into the failure of a batch by `?`. Columns are read by
/// `Cells`, whose errors have no way there.
#[test]
fn stored_columns_are_read_by_the_type_that_cannot_fail_a_batch() {
    // These read no records: whole files, the settings of a connection, plans, and the schema.
    const OTHERS: [&str; 7] = [
        "backup.rs",
        "checked.rs",
        "checkpoint.rs",
        "connection.rs",
        "migrations.rs",
        "plans.rs",
        "schema.rs",
    ];
    let adapters = package("dakghar-adapters");
    let mut seen = 0;
    for (file, text) in &adapters.src {
        let Some(inside) = file.strip_prefix("sqlite/").filter(|file| !OTHERS.contains(file)) else {
            continue;
        };
        let words: Vec<_> = tokens(text).into_iter().map(|token| token.text).collect();
        let is_read = |window: &[String]| *window == ["row", ".", "get"];
        let count = words.windows(3).filter(|window| is_read(window)).count();
        seen += count;
        assert!(
            count == 0 || inside == "cells.rs" || is_state_of_leaving(inside, count),
            "{file} reads a column past `Cells`"
        );
    }
    assert!(seen > 0, "no column is read at all");
    for (file, ban) in [
        ("sqlite/cells.rs", "From<Damaged>"),
        ("sqlite/failure.rs", "From<Damaged>"),
        ("mongo/documents/mod.rs", "From<Unreadable>"),
        ("mongo/reads.rs", "From<Unreadable>"),
    ] {
        let text = read(&format!("crates/dakghar-adapters/src/{file}"));
        assert!(!text.contains(ban), "{file}: `?` would fail a batch for one record");
    }
}

/// The checksum of an installation that is being left, over values of any type.
fn is_state_of_leaving(file: &str, count: usize) -> bool {
    file == "source.rs" && count == 1
}
