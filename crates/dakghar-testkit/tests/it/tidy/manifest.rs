//! The manifests of the workspace, as far as the checks need them.

use std::collections::{BTreeMap, BTreeSet};

/// The names in one section (`dependencies`, `dev-dependencies`) of a manifest.
pub fn names(manifest: &str, section: &str) -> BTreeSet<String> {
    manifest
        .lines()
        .skip_while(|line| *line != format!("[{section}]"))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// The dependencies of each package.
pub struct Dependencies(BTreeMap<String, BTreeSet<String>>);

impl Dependencies {
    /// Reads `Cargo.lock`, which counts the dependencies of tests too. `own`, the packages of the workspace without
    /// those, therefore replaces its entries.
    pub fn new(lock: &str, own: impl IntoIterator<Item = (String, BTreeSet<String>)>) -> Self {
        let mut found = locked(lock);
        found.extend(own);
        Self(found)
    }

    /// Everything that `roots` bring with them, and the roots themselves.
    pub fn closure(&self, roots: &BTreeSet<String>) -> BTreeSet<String> {
        let mut waiting: Vec<&String> = roots.iter().collect();
        let mut found = BTreeSet::new();
        while let Some(name) = waiting.pop() {
            if found.insert(name.clone()) {
                waiting.extend(self.0.get(name).into_iter().flatten());
            }
        }
        found
    }
}

/// The entries of `Cargo.lock`. Versions of one package count as one.
fn locked(lock: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let quoted = |line: &'static str| package.lines().find_map(move |l| l.strip_prefix(line));
        let name = quoted("name = ").unwrap_or_default().trim_matches('"');
        let listed = package.split("dependencies = [").nth(1).unwrap_or_default();
        let names = listed
            .split(']')
            .next()
            .unwrap_or_default()
            .split('"')
            .skip(1)
            .step_by(2);
        let names = names.filter_map(|entry| entry.split(' ').next()).map(str::to_owned);
        found.entry(name.to_owned()).or_default().extend(names);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let manifest =
            "[dependencies]\na.workspace = true\n# b\nc = \"1\"\n\n[dev-dependencies]\nd = { path = \"x\" }\n";
        assert_eq!(names(manifest, "dependencies"), ["a", "c"].map(str::to_owned).into());
        assert_eq!(names(manifest, "dev-dependencies"), ["d".to_owned()].into());
    }

    #[test]
    fn what_a_dependency_needs_is_needed_too() {
        let lock = "[[package]]\nname = \"a\"\ndependencies = [\n \"b 1.0\",\n]\n\n[[package]]\nname = \"b\"\n\
                    dependencies = [\n \"c\",\n]\n\n[[package]]\nname = \"c\"\n\n[[package]]\nname = \"d\"\n";
        let found = Dependencies::new(lock, []).closure(&["a".to_owned()].into());
        assert_eq!(found, ["a", "b", "c"].map(str::to_owned).into());
    }

    #[test]
    fn what_only_tests_need_is_not_needed() {
        let lock = "[[package]]\nname = \"ours\"\ndependencies = [\n \"plain\",\n \"tests-only\",\n]\n";
        let own = [("ours".to_owned(), ["plain".to_owned()].into())];
        let found = Dependencies::new(lock, own).closure(&["ours".to_owned()].into());
        assert_eq!(found, ["ours", "plain"].map(str::to_owned).into());
    }
}
