//! What the architecture promises and no compiler checks: who may depend on whom, and what no file may contain.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 800;

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every Rust file below a folder of `crates/`, with its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.display().to_string(), text));
            }
        }
    }
    let mut found = Vec::new();
    collect(&crates().join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// The names under `[dependencies]` in the manifest of a crate.
fn dependencies(name: &str) -> Vec<String> {
    let manifest = std::fs::read_to_string(crates().join(name).join("Cargo.toml")).unwrap();
    manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Fails, naming every place, when one of the words stands in the code of one of the files.
fn forbid(files: &[(String, String)], words: &[&str], why: &str) {
    let mut places = String::new();
    for (path, text) in files {
        for (line, number) in text.lines().zip(1..) {
            let is_comment = line.trim_start().starts_with("//");
            if let Some(word) = words.iter().find(|word| !is_comment && line.contains(**word)) {
                writeln!(places, "  {path}:{number} {word}").unwrap();
            }
        }
    }
    assert!(places.is_empty(), "{why}:\n{places}");
}

#[test]
fn the_core_does_no_io() {
    let drivers = [
        "tokio", "axum", "hyper", "reqwest", "mongodb", "bson", "redis", "rusqlite", "bullmq",
    ];
    let found: Vec<String> = dependencies("dakghar-core");
    assert!(found.len() > 5, "{found:?}");
    assert!(!found.iter().any(|name| drivers.contains(&name.as_str())), "{found:?}");
    let io = [
        "TcpStream",
        "UdpSocket",
        "ToSocketAddrs",
        "std::fs",
        "std::env",
        "std::process",
        "std::thread",
    ];
    forbid(&sources("dakghar-core/src"), &io, "the core does no IO");
}

#[test]
fn time_comes_from_the_clock() {
    let clocks = ["SystemTime::now", "Timestamp::now()", "now_v7", "Uuid::new_v4"];
    for folder in ["dakghar-core/src", "dakghar-server/src"] {
        forbid(
            &sources(folder),
            &clocks,
            "time comes from `Clock` and ids from `IdGenerator`",
        );
    }
}

#[test]
fn the_server_cannot_reach_an_adapter() {
    let found = dependencies("dakghar-server");
    assert!(found.contains(&"dakghar-core".to_owned()), "{found:?}");
    let drivers = [
        "dakghar-adapters",
        "mongodb",
        "bson",
        "redis",
        "rusqlite",
        "bullmq",
        "reqwest",
    ];
    assert!(!found.iter().any(|name| drivers.contains(&name.as_str())), "{found:?}");
}

#[test]
fn http_and_worker_do_not_import_each_other() {
    for (folder, other) in [("http", "worker"), ("worker", "http")] {
        let imports = [format!("crate::{other}"), format!("super::{other}::")];
        let imports: Vec<&str> = imports.iter().map(String::as_str).collect();
        forbid(
            &sources(&format!("dakghar-server/src/{folder}")),
            &imports,
            "they do not know each other",
        );
    }
}

#[test]
fn adapters_do_not_import_each_other() {
    let folders = ["sqlite", "mongo", "redis", "meta", "keys", "local"];
    for folder in folders {
        let others: Vec<String> = folders
            .iter()
            .filter(|other| **other != folder)
            .map(|other| format!("crate::{other}"))
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        forbid(
            &sources(&format!("dakghar-adapters/src/{folder}")),
            &others,
            "adapters stand alone",
        );
    }
}

#[test]
fn each_driver_stays_in_its_folder() {
    for (driver, folder) in [
        ("rusqlite::", "sqlite"),
        ("mongodb::", "mongo"),
        ("bson::", "mongo"),
        ("redis::", "redis"),
        ("bullmq::", "redis"),
        ("reqwest::", "meta"),
    ] {
        let mut elsewhere = sources("dakghar-adapters/src");
        elsewhere.retain(|(path, _)| !path.contains(&format!("/src/{folder}/")));
        forbid(&elsewhere, &[driver], "a driver stays in its folder");
    }
}

#[test]
fn no_file_is_longer_than_anybody_reads() {
    for (path, text) in sources("") {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{path} has {lines} lines");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in sources("") {
        // The unit tests of a module say that by their name.
        let is_of_tests = path.ends_with("/tests.rs") || path.contains("/tests/");
        assert!(
            is_of_tests || text.starts_with("//!"),
            "{path} does not begin with `//!`"
        );
    }
}
