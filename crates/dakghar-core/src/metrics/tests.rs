use std::collections::BTreeSet;
use std::time::Duration;

use prometheus_client::encoding::text;

use super::*;

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
    indexes::<Limit>();
    indexes::<Budget>();
    indexes::<StoreCall>();
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
