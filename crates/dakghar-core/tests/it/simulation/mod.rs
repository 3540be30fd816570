//! No message lost, no double send: thousands of runs in which everything goes wrong, each following from its seed.
//!
//! `SEED=123 cargo nextest run -p dakghar-core simulation` repeats one run; `make simulate SEEDS=100000` makes as many
//! runs as it says. A run that breaks a promise is made smaller before it is shown, unless `SHRINK=0`.

mod people;
mod plan;
mod regressions;
mod run;
mod shrink;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use plan::Plan;
use run::run;

/// Runs unless told otherwise.
const SEEDS: u64 = 2_000;
/// Tests that share the runs, so that they go on in parallel.
const SHARES: u64 = 8;
/// Lines of the trace that are shown.
const LINES_SHOWN: usize = 120;

/// A variable of the environment, as a number.
fn variable(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration but this")]
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

/// One share of the runs.
fn run_share(share: u64) {
    let seeds: Vec<u64> = match variable("SEED") {
        Some(seed) => vec![seed],
        None => (0..variable("SEEDS").unwrap_or(SEEDS)).collect(),
    };
    for seed in seeds.into_iter().filter(|seed| seed % SHARES == share) {
        check(seed, &Plan::of(seed));
    }
}

/// Runs a plan, and shows what is wrong.
fn check(seed: u64, plan: &Plan) {
    let Some(broken) = run(plan, false).broken else { return };
    let smallest = if variable("SHRINK") == Some(0) {
        plan.clone()
    } else {
        shrink::shrink(plan, broken.promise)
    };
    let again = run(&smallest, true);
    let mut report = format!("seed {seed}: {}\n{}\n", broken.promise, broken.detail);
    let _ = writeln!(report, "\nthe smallest plan that breaks it:\n{smallest:#?}\n");
    let shown = again.trace.len().saturating_sub(LINES_SHOWN);
    for line in &again.trace[shown..] {
        let _ = writeln!(report, "{line}");
    }
    panic!("{report}");
}

macro_rules! shares {
    ($($name:ident $share:literal)*) => {
        $(#[test]
        fn $name() {
            run_share($share);
        })*
    };
}

shares! { seeds_0 0 seeds_1 1 seeds_2 2 seeds_3 3 seeds_4 4 seeds_5 5 seeds_6 6 seeds_7 7 }

#[test]
fn a_seed_is_one_run() {
    for seed in 0..variable("TWICE").unwrap_or(24) {
        let plan = Plan::of(seed);
        let [first, second] = [run(&plan, true), run(&plan, true)];
        assert!(first.trace.len() > 20, "seed {seed} has a trace");
        let differs = first
            .trace
            .iter()
            .zip(&second.trace)
            .find(|(first, second)| first != second);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.steps, second.steps, "seed {seed}");
    }
}

/// A simulation in which little happens proves little.
#[test]
fn the_runs_reach_every_transition() {
    let mut reached = BTreeSet::new();
    for seed in 0..500 {
        reached.extend(run(&Plan::of(seed), false).reached);
    }
    let missing: Vec<_> = TRANSITIONS
        .iter()
        .filter(|transition| !reached.contains(*transition))
        .collect();
    assert!(missing.is_empty(), "{missing:?} are missing among {reached:?}");
}

/// The transitions of the protocol, T3 to T18, without a few that are rarer.
const TRANSITIONS: &[(&str, &str)] = &[
    ("queued", "queued"),
    ("queued", "sending"),
    ("queued", "held"),
    ("queued", "cancelled"),
    ("queued", "expired"),
    ("held", "queued"),
    ("held", "cancelled"),
    ("held", "expired"),
    ("sending", "sent"),
    ("sending", "failed"),
    ("sending", "queued"),
    ("sending", "held"),
    ("sending", "dead"),
    ("sending", "expired"),
    ("sending", "in_doubt"),
    ("sending", "delivered"),
    ("in_doubt", "dead"),
    ("in_doubt", "queued"),
    ("in_doubt", "sent"),
    ("in_doubt", "delivered"),
    ("in_doubt", "failed"),
    ("dead", "delivered"),
    ("sent", "failed"),
    ("sent", "delivered"),
    ("failed", "delivered"),
    ("delivered", "read"),
    ("dead", "queued"),
    ("failed", "queued"),
    ("expired", "queued"),
];
