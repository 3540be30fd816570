//! The matrices of faults, bad input and attacks: which test holds each row.
//!
//! `rows.txt` has a line for each row, its id and what happens. Below it, further in, is either `no:` with the reason
//! why the row does not concern the product, or files below `crates` with the tests in them that hold it.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::tokens;
use super::workspace::{read, root};

/// The kinds of rows, with how many there are of each.
const KINDS: [(char, usize); 3] = [('F', 62), ('B', 90), ('S', 76)];

struct Row {
    id: String,
    sentence: String,
    /// A file and a test in it.
    tests: Vec<(String, String)>,
    /// Why there are none.
    reason: Option<String>,
}

fn parse(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some(below) = line.strip_prefix("    ") else {
            let (id, sentence) = line.split_once(' ').expect("an id and a sentence");
            rows.push(Row {
                id: id.to_owned(),
                sentence: sentence.to_owned(),
                tests: Vec::new(),
                reason: None,
            });
            continue;
        };
        let row = rows.last_mut().expect("a row before what holds it");
        if let Some(reason) = below.strip_prefix("no: ") {
            row.reason = Some(reason.to_owned());
            continue;
        }
        let mut words = below.split(' ');
        let file = words.next().expect("a file");
        row.tests.extend(words.map(|test| (file.to_owned(), test.to_owned())));
    }
    rows
}

fn all_ids() -> Vec<String> {
    KINDS
        .iter()
        .flat_map(|(kind, count)| (1..=*count).map(move |number| format!("{kind}{number:02}")))
        .collect()
}

/// What is wrong with a table, given the tests of each file that it may name.
fn faults(rows: &[Row], tests_of: impl Fn(&str) -> Option<BTreeSet<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let mut counts = BTreeMap::<&str, usize>::new();
    for id in &ids {
        *counts.entry(id).or_default() += 1;
    }
    let known = all_ids();
    for id in &known {
        match counts.remove(id.as_str()).unwrap_or(0) {
            1 => {}
            count => faults.push(format!("{id} is there {count} times")),
        }
    }
    faults.extend(counts.keys().map(|id| format!("{id} is no row")));
    if faults.is_empty() && !ids.iter().eq(known.iter()) {
        faults.push("the rows are not in their order".to_owned());
    }
    for Row {
        id,
        sentence,
        tests,
        reason,
    } in rows
    {
        if !sentence.ends_with('.') {
            faults.push(format!("{id} has no sentence"));
        }
        if tests.is_empty() != reason.is_some() {
            faults.push(format!("{id} must have either tests or a reason why there are none"));
        }
        for (file, test) in tests {
            match tests_of(file) {
                None => faults.push(format!("{id}: there is no file {file}")),
                Some(known) if !known.contains(test) => faults.push(format!("{id}: {file} has no test {test}")),
                Some(_) => {}
            }
        }
    }
    faults
}

/// The names of the tests in a text: functions under an attribute that ends with `test`, what a macro makes tests of,
/// and the public cases of a conformance suite.
fn tests_in(text: &str, is_of_a_suite: bool) -> BTreeSet<String> {
    let words: Vec<String> = tokens(text).into_iter().map(|token| token.text).collect();
    let mut found = BTreeSet::new();
    let mut is_test = false;
    let mut at = 0;
    while at < words.len() {
        match words[at].as_str() {
            "#" if words.get(at + 1).is_some_and(|word| word == "[") => {
                let end = closing(&words, at + 1);
                let name = words[at + 2..end].iter().take_while(|word| *word != "(");
                is_test |= name.last().is_some_and(|word| word == "test");
                at = end;
            }
            "!" if at > 0
                && matches!(
                    words[at - 1].as_str(),
                    "on_both_backends" | "on_both_listeners" | "under_each_clock"
                ) =>
            {
                let end = closing(&words, at + 1);
                let names = words[at + 2..end].iter().filter(|word| word.len() > 12);
                found.extend(names.cloned());
                at = end;
            }
            "fn" => {
                let is_case = is_of_a_suite && at > 1 && words[at - 2] == "pub";
                if is_test || is_case {
                    found.insert(words[at + 1].clone());
                }
                is_test = false;
            }
            "{" | "}" | ";" => is_test = false,
            _ => {}
        }
        at += 1;
    }
    found
}

/// Where the bracket that opens here is closed.
fn closing(words: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (at, word) in words.iter().enumerate().skip(open) {
        match word.as_str() {
            "[" | "(" | "{" => depth += 1,
            "]" | ")" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    words.len() - 1
}

#[test]
fn every_row_is_held_by_tests_that_exist() {
    let rows = parse(&read("crates/dakghar-testkit/tests/it/tidy/rows.txt"));
    let tests_of = |file: &str| {
        let text = std::fs::read_to_string(root().join("crates").join(file)).ok()?;
        Some(tests_in(&text, file.contains("/conformance/")))
    };
    let faults = faults(&rows, tests_of);
    assert!(faults.is_empty(), "rows.txt:\n  {}", faults.join("\n  "));
}

#[test]
fn a_table_that_is_not_whole_is_found() {
    let row = |id: &str| format!("{id} It fails.\n    a.rs it_is_seen\n");
    let table = all_ids().iter().map(|id| row(id)).collect::<Vec<_>>().concat();
    let look = |table: &str| {
        let tests_of = |file: &str| (file == "a.rs").then(|| BTreeSet::from(["it_is_seen".to_owned()]));
        faults(&parse(table), tests_of)
    };
    assert_eq!(look(&table), Vec::<String>::new());
    let without = |id: &str, instead: &str| look(&table.replace(&row(id), instead));
    assert_eq!(without("F07", ""), ["F07 is there 0 times"]);
    assert_eq!(
        without("F07", &row("F08")),
        ["F07 is there 0 times", "F08 is there 2 times"]
    );
    assert_eq!(
        without("S76", &format!("{}{}", row("S76"), row("S77"))),
        ["S77 is no row"]
    );
    assert_eq!(
        without("B03", "B03 It fails.\n"),
        ["B03 must have either tests or a reason why there are none"]
    );
    assert_eq!(without("B03", "B03 It fails.\n    no: why\n"), Vec::<String>::new());
    assert_eq!(
        without("B03", "B03 It fails.\n    a.rs it_is_not\n"),
        ["B03: a.rs has no test it_is_not"]
    );
    assert_eq!(
        without("B03", "B03 It fails.\n    b.rs it_is_seen\n"),
        ["B03: there is no file b.rs"]
    );
    assert_eq!(without("B03", "B03 It\n    a.rs it_is_seen\n"), ["B03 has no sentence"]);
}

#[test]
fn a_test_is_known_by_its_attribute_or_its_macro() {
    let text = r#"
        on_both_backends!(a_test_of_both_backends);
        #[test] fn one() {}
        #[tokio::test(flavor = "multi_thread")] #[ignore] async fn two() {}
        #[cfg(test)] mod tests { fn helper() {} }
        // #[test] fn three() {}
        pub async fn a_case(stores: Stores) {}
    "#;
    let names = |is_of_a_suite| tests_in(text, is_of_a_suite).into_iter().collect::<Vec<_>>();
    assert_eq!(names(false), ["a_test_of_both_backends", "one", "two"]);
    assert_eq!(names(true), ["a_case", "a_test_of_both_backends", "one", "two"]);
}
