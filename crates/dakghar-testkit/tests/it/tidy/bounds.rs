//! The table of bounds in bytes.

use std::path::Path;

/// The rows of the table: bytes as written, the constant and its file.
fn rows(architecture: &str) -> Vec<[String; 3]> {
    let (_, table) = architecture
        .split_once("| what | bytes | constant | file |\n|---|---|---|---|\n")
        .expect("the table");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, bytes, constant, file] = cells[..] else {
            panic!("four cells: {row}")
        };
        [bytes, constant, file].map(|cell| cell.trim_matches('`').to_owned())
    })
    .collect()
}

/// A product of whole numbers.
fn value(product: &str) -> Option<u64> {
    let factors = product
        .split('*')
        .map(|factor| factor.trim().replace('_', "").parse::<u64>());
    factors.product::<Result<u64, _>>().ok()
}

fn bytes(text: &str) -> u64 {
    let (count, unit) = text.split_once(' ').expect("a number and a unit");
    let unit = match unit {
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => panic!("{unit} is no unit"),
    };
    count.parse::<u64>().expect("a number") * unit
}

/// What a file says: `NAME: usize = 1 * 2;`, or `name: 1 * 2,` where it is the default of a setting.
fn stated(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (_, after) = line.split_once(&format!("{name}: "))?;
        let written = after.split_once("= ").map_or(after, |(_, written)| written);
        value(written.trim_end_matches([';', ',']))
    })
}

#[test]
fn the_bounds_in_bytes_are_those_of_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |file: &str| std::fs::read_to_string(root.join(file)).expect(file);
    let rows = rows(&read("ARCHITECTURE.md"));
    assert!(rows.len() >= 10, "{rows:?}");
    for [written, constant, file] in rows {
        let found = stated(&read(&format!("crates/{file}")), &constant);
        assert_eq!(found, Some(bytes(&written)), "{constant} in {file}");
    }
}

#[test]
fn a_bound_is_read_as_it_is_written() {
    assert_eq!(stated("const A: usize = 2 * 1_024;", "A"), Some(2048));
    assert_eq!(stated("    a: 3 * 4,", "a"), Some(12));
    assert_eq!(stated("    a: usize,", "a"), None);
    assert_eq!(bytes("2 KiB"), 2048);
}
