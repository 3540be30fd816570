//! What a file may contain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::tokens::tokens;
use super::workspace::{package, packages, read, shipped};

/// Lines of a file that a reader takes in at once.
const SOURCE_LINES_MAX: usize = 400;
/// Tests are read one by one.
const TEST_LINES_MAX: usize = 600;

/// Every file below `src` and `tests` of every package, with its text and whether it holds tests only.
fn files() -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    for package in packages() {
        let needs = package.needs();
        for (file, text) in &package.src {
            found.push((package.place(file), text.clone(), needs.is_of_tests(file)));
        }
        for (file, text) in &package.tests {
            found.push((format!("{}/{file}", package.folder), text.clone(), true));
        }
    }
    found
}

#[test]
fn no_file_is_longer_than_anybody_reads() {
    let mut report = String::new();
    for (file, text, is_of_tests) in files() {
        let (lines, max) = (
            text.lines().count(),
            if is_of_tests { TEST_LINES_MAX } else { SOURCE_LINES_MAX },
        );
        if lines > max {
            writeln!(report, "  {file} has {lines} lines, {max} are enough").unwrap();
        }
    }
    assert!(report.is_empty(), "too long:\n{report}");
}

#[test]
fn every_file_says_what_it_is_for() {
    for (file, text, is_of_tests) in files() {
        // The unit tests of a module say that by their name.
        assert!(
            is_of_tests || text.starts_with("//!"),
            "{file} does not begin with `//!`"
        );
    }
}

/// Clippy judges calls; this looks at paths in code that clippy does not build, such as another platform's.
#[test]
fn the_core_and_the_server_ask_for_time_and_ids() {
    let banned = banned_methods();
    // Intervals and tasks are the server's business, and clippy makes it say why. The channel of a group commit counts
    // what waits. The vault makes its own nonces and keys.
    let allowed = BTreeMap::from([
        (
            "dakghar-core",
            vec!["futures_channel::mpsc::unbounded", "aws_lc_rs::rand::fill"],
        ),
        ("dakghar-server", vec!["std::time::Instant::now", "tokio::spawn"]),
    ]);
    for (name, allowed) in allowed {
        let package = package(name);
        for path in package.needs().foreign {
            let is_banned = banned.contains(&path.to) && !allowed.contains(&path.to.as_str());
            assert!(
                !is_banned,
                "{}:{} uses {}",
                package.place(&path.from),
                path.line,
                path.to
            );
        }
    }
}

/// The paths of `disallowed-methods` in `clippy.toml`.
fn banned_methods() -> BTreeSet<String> {
    let settings = read("clippy.toml");
    let paths = settings
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ path = \""));
    let paths: BTreeSet<_> = paths
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect();
    assert!(paths.contains("jiff::Timestamp::now"), "{paths:?}");
    paths
}

#[test]
fn the_environment_is_read_in_one_file() {
    let mut found = BTreeSet::new();
    for package in shipped() {
        let foreign = package.needs().foreign;
        let reads = foreign.iter().filter(|path| path.to.starts_with("std::env::var"));
        found.extend(reads.map(|path| package.place(&path.from)));
    }
    assert_eq!(found.len(), 1, "{found:?}");
}

/// Ends its delays by the clocks of machines, so they must begin by them.
const BULLMQ: &str = "redis/bullmq/";

/// Wall-clock time in an adapter belongs to its clock: everything else compares it with times of the store.
#[test]
fn an_adapter_reads_the_wall_clock_where_it_implements_the_clock() {
    let package = package("dakghar-adapters");
    let clocks = [
        "jiff::Timestamp::now",
        "jiff::Zoned::now",
        "std::time::SystemTime",
        "uuid::Uuid::now_v7",
    ];
    let mut places = BTreeSet::new();
    for path in package.needs().foreign {
        let text = &package.src[&path.from];
        let is_clock = text.contains("impl Clock for") || text.contains("impl IdGenerator for");
        let is_clock = is_clock || path.from.starts_with(BULLMQ);
        if clocks.iter().any(|clock| path.to.starts_with(clock)) && !is_clock {
            places.insert(format!("  {}:{} {}\n", package.place(&path.from), path.line, path.to));
        }
    }
    assert!(
        places.is_empty(),
        "time comes from a clock:\n{}",
        places.into_iter().collect::<String>()
    );
}

/// A whole file that is excused hides what comes later.
#[test]
fn banned_methods_are_excused_one_by_one() {
    for package in shipped() {
        for (file, text) in &package.src {
            let words: Vec<_> = tokens(text).into_iter().map(|token| token.text).collect();
            let mut attributes = words
                .windows(3)
                .enumerate()
                .filter(|(_, window)| *window == ["#", "!", "["]);
            let excuses = attributes.any(|(at, _)| {
                let inside = words[at..].iter().take_while(|word| *word != "]");
                inside.into_iter().any(|word| word == "disallowed_methods")
            });
            assert!(!excuses, "{} excuses a whole file", package.place(file));
        }
    }
}

/// The fields are plain data for the stores, so the compiler does not hold this.
#[test]
fn only_the_domain_moves_a_message() {
    const MOVED: [&str; 4] = ["status", "epoch", "attempt", "lease"];
    let (mut inside, mut outside) = (0, BTreeSet::new());
    for package in shipped() {
        let needs = package.needs();
        for (file, text) in package.src.iter().filter(|(file, _)| needs.files.contains(*file)) {
            for window in tokens(text).windows(5) {
                let [value, dot, field, first, second] = window else {
                    unreachable!("five were asked for")
                };
                let is_set = match first.text.as_str() {
                    "=" => second.text != "=",
                    "+" => second.text == "=",
                    _ => false,
                };
                if !is_set || dot.text != "." || !MOVED.contains(&field.text.as_str()) {
                    continue;
                }
                if package.name == "dakghar-core" && file.starts_with("domain/message") {
                    inside += 1;
                } else if value.text != "self" {
                    outside.insert(format!(
                        "  {}:{} sets {}\n",
                        package.place(file),
                        field.line,
                        field.text
                    ));
                }
            }
        }
    }
    assert!(inside > 5, "{inside}");
    assert!(
        outside.is_empty(),
        "delivery is decided in the domain:\n{}",
        outside.into_iter().collect::<String>()
    );
}

#[test]
fn no_crate_of_ours_holds_unsafe_code() {
    let lints = read("Cargo.toml");
    assert!(lints.contains("\nunsafe_code = \"forbid\"\n"));
    for package in packages() {
        let has_lints = package.manifest.contains("[lints]\nworkspace = true");
        assert!(has_lints, "{} has no lints of the workspace", package.name);
    }
}

#[test]
fn a_secret_can_be_neither_shown_nor_stored() {
    let core = package("dakghar-core");
    let mut definitions = 0;
    for (file, text) in &core.src {
        let words: Vec<_> = tokens(text).into_iter().map(|token| token.text).collect();
        for trait_name in ["Display", "Serialize"] {
            let shown = words.windows(3).any(|window| window == [trait_name, "for", "Secret"]);
            assert!(!shown, "{file} implements {trait_name} for Secret");
        }
        if words.windows(2).any(|window| window == ["struct", "Secret"]) {
            definitions += 1;
            assert!(
                !words.iter().any(|word| word == "Serialize"),
                "{file} derives Serialize"
            );
        }
    }
    assert_eq!(definitions, 1);
}
