//! What is measured.

use std::collections::BTreeSet;

use super::tokens::tokens;
use super::workspace::{package, shipped};

const TABLE: &str = "metrics/table.rs";

/// The fields in the table of instruments; an `info` records nothing.
fn instruments() -> BTreeSet<String> {
    let core = package("dakghar-core");
    let (_, table) = core.src[TABLE]
        .split_once("\ntable! {\n")
        .expect("the table of instruments");
    let (table, _) = table.split_once("\n}\n").expect("the end of the table");
    let lines = table.lines().filter(|line| !line.trim().is_empty());
    let fields = lines.map(|line| line.split_once(": ").expect("a field and its instrument"));
    let recording = fields.filter(|(_, instrument)| !instrument.starts_with("Build"));
    recording.map(|(field, _)| field.trim().to_owned()).collect()
}

/// Looks in code that is no test for `.field.`, a call that records or takes the instrument to record into it, and for
/// `field:`, an instrument that somebody else records into.
#[test]
fn every_instrument_is_used() {
    let mut unused = instruments();
    assert!(unused.len() > 10, "{unused:?}");
    for package in shipped() {
        let needs = package.needs();
        for (file, text) in &package.src {
            if needs.is_of_tests(file) || file == TABLE {
                continue;
            }
            let (code, _) = text.split_once("#[cfg(test)]\nmod ").unwrap_or((text, ""));
            for window in tokens(code).windows(3) {
                let [before, field, after] = window else {
                    unreachable!("three were asked for")
                };
                if after.text == ":" || before.text == "." && after.text == "." {
                    unused.remove(&field.text);
                }
            }
        }
    }
    assert!(unused.is_empty(), "in the table, and nothing is recorded: {unused:?}");
}

/// The names of the functions in some files of a package.
fn functions(name: &str, folder: &str) -> BTreeSet<String> {
    let package = package(name);
    let files = package.src.iter().filter(|(file, _)| file.starts_with(folder));
    let mut found = BTreeSet::new();
    for (_, text) in files {
        for window in tokens(text).windows(2) {
            if window[0].text == "fn" {
                found.insert(window[1].text.clone());
            }
        }
    }
    found
}

/// A method with a default that is forgotten here would be measured as another one, and do more than the store's own.
#[test]
fn every_method_of_a_store_is_measured() {
    let measured = functions("dakghar-adapters", "measured/");
    let wanted = functions("dakghar-core", "ports/store/");
    let helpers = BTreeSet::from(["after", "from", "if_done", "includes", "quiet"].map(str::to_owned));
    let missing: Vec<_> = wanted
        .difference(&measured)
        .filter(|name| !helpers.contains(*name))
        .collect();
    assert!(wanted.len() > 20, "{wanted:?}");
    assert!(missing.is_empty(), "not measured: {missing:?}");
}
