//! The packages of the workspace, as they lie on the disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::arrows::Needs;
use super::manifest::{self, Dependencies};
use super::tree::Files;

/// The program that is shipped; what it depends on is shipped with it.
const PROGRAM: &str = "dakghar";

pub struct Package {
    pub name: String,
    /// Below the root of the workspace.
    pub folder: String,
    pub manifest: String,
    /// The files below `src`, by their path from there.
    pub src: Files,
    /// The files below `tests` and `examples`, by their path from the package.
    pub tests: Files,
}

impl Package {
    fn read(folder: &Path) -> Self {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = "));
        let mut package = Self {
            name: name.expect("a package has a name").trim_matches('"').to_owned(),
            folder: relative(&root(), folder),
            manifest,
            src: Files::new(),
            tests: Files::new(),
        };
        collect(&folder.join("src"), &folder.join("src"), &mut package.src);
        for tests in ["tests", "examples"] {
            collect(folder, &folder.join(tests), &mut package.tests);
        }
        assert!(!package.src.is_empty(), "{} has no sources", package.name);
        package
    }

    /// What it is built with, without its tests.
    pub fn dependencies(&self) -> BTreeSet<String> {
        manifest::names(&self.manifest, "dependencies")
    }

    pub fn needs(&self) -> Needs {
        let root = if self.src.contains_key("lib.rs") {
            "lib.rs"
        } else {
            "main.rs"
        };
        Needs::read(&self.src, root)
    }

    /// How a report names a file below `src`.
    pub fn place(&self, file: &str) -> String {
        format!("{}/src/{file}", self.folder)
    }
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

pub fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// Every package of the workspace.
pub fn packages() -> Vec<Package> {
    let manifest = read("Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = "));
    let members = members
        .expect("the workspace has members")
        .split('"')
        .skip(1)
        .step_by(2);
    let mut folders = Vec::new();
    for member in members {
        match member.strip_suffix("/*") {
            Some(parent) => folders.extend(entries(&root().join(parent)).into_iter().filter(|entry| entry.is_dir())),
            None => folders.push(root().join(member)),
        }
    }
    folders.iter().map(|folder| Package::read(folder)).collect()
}

/// The dependencies of every package that is built without tests.
pub fn dependencies() -> Dependencies {
    let own = packages().into_iter().map(|package| {
        let needs = package.dependencies();
        (package.name, needs)
    });
    Dependencies::new(&read("Cargo.lock"), own)
}

pub fn package(name: &str) -> Package {
    let found = packages().into_iter().find(|package| package.name == name);
    found.unwrap_or_else(|| panic!("there is no package {name}"))
}

/// The packages that are part of the program: what it is built with, and what that is built with.
pub fn shipped() -> Vec<Package> {
    let (mut shipped, mut others): (Vec<_>, Vec<_>) =
        packages().into_iter().partition(|package| package.name == PROGRAM);
    let mut at = 0;
    while at < shipped.len() {
        let needs = shipped[at].dependencies();
        let (found, rest) = others.into_iter().partition(|package| needs.contains(&package.name));
        shipped.extend::<Vec<_>>(found);
        others = rest;
        at += 1;
    }
    shipped
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(folder).into_iter().flatten();
    let mut found: Vec<_> = found.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn collect(base: &Path, folder: &Path, found: &mut Files) {
    for path in entries(folder) {
        if path.is_dir() {
            collect(base, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(relative(base, &path), std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn relative(base: &Path, path: &Path) -> String {
    path.strip_prefix(base).unwrap().display().to_string()
}
