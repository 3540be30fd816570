//! The checker on small crates that were made up for it: it finds the circles that are there, and no others.

use super::arrows::Needs;
use super::circles::describe_circles;
use super::tree::Files;

fn needs(files: &[(&str, &str)]) -> Needs {
    let files: Files = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Needs::read(&files, "lib.rs")
}

fn circles(files: &[(&str, &str)]) -> String {
    describe_circles(&needs(files).arrows)
}

/// The arrows as `from -> to`, each once.
fn arrows(files: &[(&str, &str)]) -> Vec<String> {
    let mut found: Vec<_> = needs(files)
        .arrows
        .iter()
        .map(|arrow| format!("{} -> {}", arrow.from, arrow.to))
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn two_files_that_import_each_other_are_a_circle() {
    let found = circles(&[
        ("lib.rs", "mod a;\nmod b;"),
        ("a.rs", "use crate::b::B;\npub struct A(B);"),
        ("b.rs", "\nuse super::{a::{self, A}};\npub struct B(Box<A>);"),
    ]);
    assert_eq!(
        found,
        "circle of 2 files:\n  a.rs:1 needs B of b.rs\n  b.rs:2 needs A of a.rs\n"
    );
}

#[test]
fn a_longer_way_round_is_a_circle_too() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "pub fn a() { crate::b::b() }"),
        ("b.rs", "pub fn b() { super::c::c() }"),
        ("c.rs", "use crate::a; pub fn c() { a::a(); crate::d::d() }"),
        ("d.rs", "pub fn d() {}"),
    ]);
    assert!(
        found.starts_with("circle of 3 files:\n  a.rs:1 needs b of b.rs\n"),
        "{found}"
    );
    assert!(!found.contains("d.rs"), "{found}");
}

#[test]
fn one_way_is_no_circle() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "// crate::b::B\nconst TEXT: &str = \"crate::b::B\"; pub struct A;",
        ),
        (
            "b.rs",
            "use crate::a::A; pub struct B(A); #[cfg(test)] mod tests { use crate::c::C; }",
        ),
    ];
    assert_eq!(circles(&files), "");
    assert_eq!(arrows(&files), ["b.rs -> a.rs"]);
}

#[test]
fn tests_do_not_count() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "pub struct A; #[cfg(test)] mod tests { use crate::b::B; fn f() { B::new() } }",
        ),
        ("b.rs", "use crate::a::A; pub struct B(A); #[cfg(test)] mod plans;"),
        ("b/plans.rs", "mod deep; use crate::b::B;"),
    ];
    assert_eq!(circles(&files), "");
    let needs = needs(&files);
    for (file, is_of_tests) in [
        ("b/plans.rs", true),
        ("b/plans/deep.rs", true),
        ("b.rs", false),
        ("b/plan.rs", false),
    ] {
        assert_eq!(needs.is_of_tests(file), is_of_tests, "{file}");
    }
}

#[test]
fn a_reexport_leads_to_the_definition() {
    let found = arrows(&[
        ("lib.rs", "mod a; mod b; pub use a::*;"),
        ("a/mod.rs", "mod deep; pub use deep::Deep as Renamed;"),
        ("a/deep.rs", "pub struct Deep;"),
        ("b.rs", "use crate::Renamed; fn f(_: Renamed) {}"),
    ]);
    assert_eq!(found, ["b.rs -> a/deep.rs"]);
}

#[test]
fn a_parent_that_uses_its_child_is_not_used_by_it() {
    let child = ("a/child.rs", "use super::Parent; pub struct Child(Parent);");
    let declares = ("a/mod.rs", "mod child; pub use child::Child; pub struct Parent;");
    assert_eq!(circles(&[("lib.rs", "mod a;"), declares, child]), "");
    let imports = ("a/mod.rs", "mod child; use child::Child; pub struct Parent;");
    let mentions = (
        "a/mod.rs",
        "mod child; pub use child::Child; pub struct Parent; fn f(_: Child) {}",
    );
    let paths = (
        "a/mod.rs",
        "mod child; pub struct Parent; fn f() { child::Child::new(); }",
    );
    for parent in [imports, mentions, paths] {
        let found = circles(&[("lib.rs", "mod a;"), parent, child]);
        assert!(
            found.contains("a/child.rs:1 needs Parent of a/mod.rs"),
            "{}: {found}",
            parent.1
        );
    }
}

#[test]
fn a_file_beside_its_folder_is_the_parent_too() {
    let found = arrows(&[
        ("lib.rs", "mod a;"),
        (
            "a.rs",
            "mod child; pub(crate) struct Parent; mod inline { pub struct In; }",
        ),
        ("a/child.rs", "use super::inline::In; fn f() { self::super::Parent; }"),
    ]);
    assert_eq!(found, ["a/child.rs -> a.rs"]);
}

#[test]
fn methods_that_call_each_other_across_files_are_a_circle() {
    let app = ("lib.rs", "mod load; mod save; pub struct App;");
    let save = (
        "save.rs",
        "use crate::App; impl App { pub fn save(&self) { self.load::<u8>(); } }",
    );
    let load = (
        "load.rs",
        "use crate::App; impl App { pub fn load<T>(&self) { Self::save(self) } }",
    );
    let found = circles(&[app, save, load]);
    assert_eq!(
        found,
        "circle of 2 files:\n  load.rs:1 needs save of save.rs\n  save.rs:1 needs load of load.rs\n"
    );
    let alone = ("load.rs", "use crate::App; impl App { pub fn load<T>(&self) {} }");
    assert_eq!(circles(&[app, save, alone]), "");
}

#[test]
fn a_method_counts_for_the_file_that_defines_it() {
    let app = ("lib.rs", "mod save; mod user; pub struct App<T>(T);");
    let save = (
        "save.rs",
        "impl<T: Into<u8>> super::App<T> where T: Copy { pub fn save(&self) {} }",
    );
    for user in [
        "fn f(app: &crate::App<u8>) { app.save() }",
        "use crate::App; struct Holder { app: std::sync::Arc<App<u8>> } impl Holder { fn f(&self) { x(App::save) } }",
        "impl Clone for super::App<u8> { fn clone(&self) -> Self { self.save(); todo!() } }",
    ] {
        let found = arrows(&[app, save, ("user.rs", user)]);
        assert_eq!(
            found,
            ["save.rs -> lib.rs", "user.rs -> lib.rs", "user.rs -> save.rs"],
            "{user}"
        );
    }
    let other = "struct Other; impl Other { fn save(&self) {} fn f(&self) { self.save() } }";
    assert_eq!(arrows(&[app, save, ("user.rs", other)]), ["save.rs -> lib.rs"]);
}

#[test]
fn paths_in_macros_and_attributes_count() {
    let found = arrows(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub const A: u8 = 1; make!(/** an id */ Id, \"id\");"),
        ("b.rs", "fn f() { println!(\"{}\", crate::a::A); }"),
        ("c.rs", "#[derive(crate::b::Derive)] struct C { id: crate::a::Id }"),
    ]);
    assert_eq!(found, ["b.rs -> a.rs", "c.rs -> a.rs", "c.rs -> b.rs"]);
}

#[test]
fn foreign_paths_are_spelled_out() {
    let found = needs(&[(
        "lib.rs",
        "use std::{env, time::Instant as Now}; fn f() { env::var(\"A\"); Now::now(); }",
    )]);
    let paths: Vec<_> = found.foreign.iter().map(|arrow| arrow.to.as_str()).collect();
    assert_eq!(
        paths,
        [
            "std::env",
            "std::time::Instant",
            "std::env::var",
            "std::time::Instant::now"
        ]
    );
}

#[test]
#[should_panic(expected = "none of")]
fn a_module_without_a_file_is_an_error() {
    circles(&[("lib.rs", "mod lost;")]);
}
