//! Who may know whom.

use std::collections::BTreeSet;

use super::arrows::Needs;
use super::circles::{Arrow, describe_circles};
use super::manifest::Dependencies;
use super::tokens::tokens;
use super::workspace::{Package, dependencies, package, packages, shipped};

/// Everything that reaches a socket, a file or the event loop does so through one of these.
const IO_CRATES: [&str; 5] = ["tokio", "mio", "socket2", "async-io", "libsqlite3-sys"];
/// The runtime is no driver: whoever waits for something needs it.
const RUNTIME: [&str; 2] = ["tokio", "tokio-util"];
/// HTTP is how four outside systems are spoken to, which have nothing else in common.
const SHARED_DRIVERS: [(&str, [&str; 4]); 1] = [("reqwest", ["callbacks", "keys", "meta", "otlp"])];

fn does_io(dependencies: &Dependencies, dependency: &str) -> bool {
    let needs = dependencies.closure(&[dependency.to_owned()].into());
    IO_CRATES.iter().any(|io| needs.contains(*io))
}

/// The folder of a file, or the file itself if it lies in none.
fn folder(file: &str) -> &str {
    file.split('/').next().unwrap_or(file)
}

fn is_path_of(path: &str, start: &str) -> bool {
    path.strip_prefix(start)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The paths of a package that lead to another crate or into a part of it.
fn paths_to<'a>(foreign: &'a [Arrow], start: &str) -> Vec<&'a Arrow> {
    let start = start.replace('-', "_");
    foreign.iter().filter(|arrow| is_path_of(&arrow.to, &start)).collect()
}

fn list(package: &Package, arrows: &[&Arrow]) -> String {
    let lines = arrows
        .iter()
        .map(|arrow| format!("  {}:{} {}\n", package.place(&arrow.from), arrow.line, arrow.to));
    lines.collect::<BTreeSet<_>>().into_iter().collect()
}

/// What the adapters have and neither the core nor the server has: the drivers, and what goes with one of them.
fn drivers() -> BTreeSet<String> {
    let elsewhere = [package("dakghar-core"), package("dakghar-server")];
    let elsewhere: BTreeSet<String> = elsewhere.iter().flat_map(Package::dependencies).collect();
    let found = package("dakghar-adapters").dependencies();
    found.into_iter().filter(|name| !elsewhere.contains(name)).collect()
}

#[test]
fn the_core_does_no_io() {
    let core = package("dakghar-core");
    assert!(core.dependencies().len() > 5, "{:?}", core.dependencies());
    let needs = dependencies().closure(&core.dependencies());
    let io: Vec<_> = IO_CRATES.iter().filter(|io| needs.contains(**io)).collect();
    assert!(io.is_empty(), "the core depends on {io:?}");
    let needs = core.needs();
    let modules = ["std::fs", "std::env", "std::process", "std::thread"];
    let sockets = [
        "std::net::TcpListener",
        "std::net::TcpStream",
        "std::net::UdpSocket",
        "std::net::ToSocketAddrs",
    ];
    for path in modules.into_iter().chain(sockets) {
        let found = paths_to(&needs.foreign, path);
        assert!(found.is_empty(), "the core does no IO:\n{}", list(&core, &found));
    }
}

#[test]
fn only_the_program_depends_on_the_adapters() {
    for package in packages() {
        let found = package.dependencies().contains("dakghar-adapters");
        assert_eq!(found, package.name == "dakghar", "{}", package.name);
    }
}

#[test]
fn in_the_program_only_the_wiring_and_the_settings_name_adapters() {
    let program = package("dakghar");
    let needs = program.needs();
    let found = paths_to(&needs.foreign, "dakghar_adapters");
    // The settings hold what an adapter says about itself: the address of Redis, the versions that Meta serves.
    let (named, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|arrow| matches!(folder(&arrow.from), "wiring" | "config"));
    assert!(!named.is_empty(), "the wiring names no adapter");
    assert!(others.is_empty(), "named elsewhere:\n{}", list(&program, &others));
}

/// True if the folder is no adapter but code that adapters share: the crate keeps it to itself, and it implements no
/// port.
fn is_shared(adapters: &Package, needs: &Needs, name: &str) -> bool {
    let is_private = tokens(&adapters.src["lib.rs"]).windows(3).any(|window| {
        let [before, keyword, module] = window else {
            unreachable!("three were asked for")
        };
        before.text != "pub" && keyword.text == "mod" && module.text == name
    });
    let mut ports = paths_to(&needs.foreign, "dakghar_core::ports").into_iter();
    is_private && !ports.any(|port| folder(&port.from) == name && implements(&adapters.src[&port.from], &port.what))
}

fn implements(text: &str, name: &str) -> bool {
    let tokens = tokens(text);
    tokens
        .windows(2)
        .any(|window| window[0].text == name && window[1].text == "for")
}

/// One adapter never leads to another. Code that adapters share leads to none of them, nor to other shared code.
#[test]
fn adapter_folders_do_not_import_each_other() {
    let adapters = package("dakghar-adapters");
    let needs = adapters.needs();
    let folders: BTreeSet<_> = needs
        .files
        .iter()
        .filter(|file| file.contains('/'))
        .map(|file| folder(file))
        .collect();
    let (shared, standing_alone): (BTreeSet<&str>, BTreeSet<&str>) =
        folders.iter().partition(|name| is_shared(&adapters, &needs, name));
    assert!(standing_alone.len() > 2, "{standing_alone:?}");
    // A file that lies in no folder is shared by all, so it may not lead into one either.
    let may_import = |from: &str, to: &str| from == to || shared.contains(to) && standing_alone.contains(from);
    let crosses = |arrow: &&Arrow| {
        let (from, to) = (folder(&arrow.from), folder(&arrow.to));
        folders.contains(to) && !may_import(from, to)
    };
    let found: Vec<_> = needs.arrows.iter().filter(crosses).collect();
    assert!(found.is_empty(), "adapters stand alone:\n{}", list(&adapters, &found));
}

#[test]
fn each_driver_stays_in_one_folder() {
    let adapters = package("dakghar-adapters");
    let needs = adapters.needs();
    let drivers = drivers();
    let dependencies = dependencies();
    let io = drivers.iter().filter(|driver| does_io(&dependencies, driver));
    assert!(io.count() > 3, "{drivers:?}");
    for driver in drivers {
        let found = paths_to(&needs.foreign, &driver);
        let folders: BTreeSet<_> = found.iter().map(|arrow| folder(&arrow.from)).collect();
        let is_shared = |(name, sharers): &(&str, [&str; 4])| *name == driver && folders == BTreeSet::from(*sharers);
        assert!(
            folders.len() < 2 || SHARED_DRIVERS.iter().any(is_shared),
            "{driver} is used in {folders:?}:\n{}",
            list(&adapters, &found)
        );
    }
}

#[test]
fn drivers_are_for_adapters() {
    let dependencies = dependencies();
    let adapters = package("dakghar-adapters").dependencies();
    let is_driver = |name: &String| does_io(&dependencies, name) && !RUNTIME.contains(&name.as_str());
    let drivers: BTreeSet<_> = adapters.into_iter().filter(is_driver).collect();
    let server = package("dakghar-server").dependencies();
    assert!(drivers.len() > 3, "{drivers:?}");
    let shared: Vec<_> = server.intersection(&drivers).collect();
    assert!(shared.is_empty(), "the server has the drivers {shared:?}");
    let program = package("dakghar");
    let needs = program.needs();
    for driver in drivers {
        let found = paths_to(&needs.foreign, &driver);
        assert!(found.is_empty(), "a driver in the program:\n{}", list(&program, &found));
    }
}

#[test]
fn http_and_worker_do_not_know_each_other() {
    let server = package("dakghar-server");
    let needs = server.needs();
    let found: Vec<_> = needs
        .arrows
        .iter()
        .filter(|arrow| folder(&arrow.from) != folder(&arrow.to))
        .collect();
    assert!(
        found.is_empty(),
        "the parts of the server stand alone:\n{}",
        list(&server, &found)
    );
}

#[test]
fn the_domain_knows_neither_ports_nor_use_cases() {
    let core = package("dakghar-core");
    let needs = core.needs();
    let leaves = |arrow: &&Arrow| match folder(&arrow.from) {
        "domain" => folder(&arrow.to) != "domain",
        "ports" => folder(&arrow.to) == "app",
        _ => false,
    };
    let found: Vec<_> = needs.arrows.iter().filter(leaves).collect();
    assert!(found.is_empty(), "the core points inwards:\n{}", list(&core, &found));
}

#[test]
fn files_do_not_need_each_other_in_a_circle() {
    let mut report = String::new();
    for package in shipped() {
        let mut needs = package.needs();
        for arrow in &mut needs.arrows {
            (arrow.from, arrow.to) = (package.place(&arrow.from), package.place(&arrow.to));
        }
        assert!(needs.files.len() == 1 || !needs.arrows.is_empty(), "{}", package.name);
        report += &describe_circles(&needs.arrows);
    }
    assert!(report.is_empty(), "files need each other:\n{report}");
}

#[test]
fn every_file_is_part_of_its_crate() {
    for package in packages() {
        let needs = package.needs();
        let is_known = |file: &String| needs.files.contains(file) || needs.is_of_tests(file);
        let lost: Vec<_> = package.src.keys().filter(|file| !is_known(file)).collect();
        assert!(lost.is_empty(), "{} does not declare {lost:?}", package.name);
    }
}

/// The walk finds imports at all: the checks above would be content with none.
#[test]
fn imports_are_found() {
    let found: usize = shipped()
        .iter()
        .map(|package| paths_to(&package.needs().foreign, "dakghar_core").len())
        .sum();
    assert!(found > 100, "{found}");
}
