use std::collections::BTreeSet;
use std::time::Duration;

use prometheus_client::encoding::text;

use super::*;
use crate::domain::{Timestamp, TraceContext};

fn exported(metrics: &Metrics) -> String {
    let mut text = String::new();
    text::encode(&mut text, &metrics.registry()).expect("a string takes everything");
    text
}

#[test]
fn every_name_is_there_once_and_says_what_it_is() {
    let text = exported(&Metrics::default());
    let mut names = BTreeSet::new();
    for row in Metrics::TABLE {
        let name = row.name();
        assert!(names.insert(name.clone()), "{name} is there twice");
        assert!(name.starts_with("dakghar_"), "{name}");
        assert!(!row.help.ends_with('.'), "{name}: the encoder adds the full stop");
        let family = name.trim_end_matches("_total").trim_end_matches("_info");
        assert!(text.contains(&format!("# TYPE {family} {}\n", row.kind())), "{name}");
        assert!(text.contains(&format!("# HELP {family} {}.\n", row.help)), "{name}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn every_series_is_there_from_the_start() {
    let text = exported(&Metrics::default());
    for row in Metrics::TABLE {
        let Some(LabelDescription { name: label, values }) = row.label else {
            continue;
        };
        for value in values() {
            assert!(text.contains(&format!("{label}=\"{value}\"")), "{} {value}", row.name());
        }
    }
}

fn indexes<L: Label + PartialEq>() {
    for (index, value) in L::ALL.iter().enumerate() {
        assert_eq!(value.index(), index, "{value:?}");
    }
    let names: BTreeSet<_> = L::ALL.iter().map(|value| value.as_str()).collect();
    assert_eq!(names.len(), L::ALL.len(), "values with one name");
}

#[test]
fn every_value_of_a_label_has_an_instrument_of_its_own() {
    indexes::<Attempt>();
    indexes::<DeadLetter>();
    indexes::<DoubtEnd>();
    indexes::<Host>();
    indexes::<IngestGap>();
    indexes::<InsertRepeated>();
    indexes::<Limit>();
    indexes::<Budget>();
    indexes::<StoreCall>();
    indexes::<Stage>();
    indexes::<WebhookKind>();
}

fn bounds<D: Durations>() {
    assert!(D::BOUNDS.is_sorted_by(|a, b| a < b));
    let histogram = Histogram::<D>::default();
    for bound in D::BOUNDS {
        histogram.observe(*bound);
        histogram.observe(*bound + Duration::from_micros(1));
    }
    let counts = histogram.counts();
    let (last, middle) = (counts.len() - 1, 2);
    for (index, (bound, count)) in counts.iter().enumerate() {
        let expected = if index == 0 || index == last { 1 } else { middle };
        assert_eq!(*count, expected, "{bound}");
    }
    let twice: Duration = D::BOUNDS
        .iter()
        .map(|bound| *bound * 2 + Duration::from_micros(1))
        .sum();
    assert_eq!(histogram.sum(), twice);
}

#[test]
fn a_duration_at_a_bound_belongs_to_its_bucket_and_a_longer_one_to_the_next() {
    bounds::<Latency>();
    bounds::<Wait>();
    bounds::<Staged>();
    bounds::<Coarse>();
}

#[test]
fn buckets_are_exported_cumulated_in_seconds() {
    let metrics = Metrics::default();
    for millis in [4, 20, 20, 90_000_000] {
        metrics.slot_wait.observe(Duration::from_millis(millis));
    }
    let text = exported(&metrics);
    for line in [
        "dakghar_slot_wait_seconds_sum 90000.044",
        "dakghar_slot_wait_seconds_count 4",
        "dakghar_slot_wait_seconds_bucket{le=\"0.01\"} 1",
        "dakghar_slot_wait_seconds_bucket{le=\"0.025\"} 3",
        "dakghar_slot_wait_seconds_bucket{le=\"86400.0\"} 3",
        "dakghar_slot_wait_seconds_bucket{le=\"+Inf\"} 4",
    ] {
        assert!(
            text.lines().any(|exported| exported == line),
            "{line} is not in\n{text}"
        );
    }
}

fn traced(trace: u8, is_sampled: bool) -> Traced {
    Traced {
        span: TraceContext::new([trace; 16], [1; 8], is_sampled),
        at: Timestamp::from_millis(1_760_000_000_070),
    }
}

#[test]
fn a_bucket_shows_the_latest_sampled_trace() {
    let metrics = Metrics::default();
    let answered = metrics.stages.of(Stage::Answered);
    for (trace, is_sampled, millis) in [
        (1, true, 4),
        (2, true, 3),
        (3, false, 4),
        (4, true, 20),
        (5, true, 90_000_000),
        (6, false, 60),
    ] {
        answered.observe_in(traced(trace, is_sampled), Duration::from_millis(millis));
    }
    let none = Traced {
        span: None,
        at: Timestamp::from_millis(0),
    };
    answered.observe_in(none, Duration::from_millis(900));
    metrics
        .graph_latency
        .of(Attempt::Sent)
        .observe_in(traced(7, true), Duration::from_micros(700));
    metrics.slot_wait.observe_in(traced(8, true), Duration::from_millis(10));
    let plain = exported(&metrics);
    let with = metrics.with_exemplars(&plain);
    let found: Vec<&str> = with.lines().filter(|line| line.contains(" # {")).collect();
    let of = |trace: u8| format!("# {{trace_id=\"{}\"}}", hex::encode([trace; 16]));
    let expected = [
        format!(
            "dakghar_graph_call_seconds_bucket{{le=\"0.001\",outcome=\"sent\"}} 1 {} 0.0007 1760000000.070",
            of(7)
        ),
        format!(
            "dakghar_slot_wait_seconds_bucket{{le=\"0.01\"}} 1 {} 0.01 1760000000.070",
            of(8)
        ),
        format!(
            "dakghar_stage_seconds_bucket{{le=\"0.005\",stage=\"answered\"}} 3 {} 0.003 1760000000.070",
            of(2)
        ),
        format!(
            "dakghar_stage_seconds_bucket{{le=\"0.025\",stage=\"answered\"}} 4 {} 0.02 1760000000.070",
            of(4)
        ),
        format!(
            "dakghar_stage_seconds_bucket{{le=\"+Inf\",stage=\"answered\"}} 7 {} 90000 1760000000.070",
            of(5)
        ),
    ];
    assert_eq!(found, expected);
    let without: Vec<&str> = with
        .lines()
        .map(|line| line.split(" # {").next().unwrap_or(line))
        .collect();
    assert_eq!(without, plain.lines().collect::<Vec<_>>(), "nothing else is changed");
}
