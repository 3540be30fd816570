//! A strict reader of OpenMetrics text, for the subset that may be exported: counters, gauges, histograms and infos.

use std::collections::{BTreeMap, BTreeSet};

/// What one scrape showed.
#[derive(Debug)]
pub struct Exposition {
    /// The families, by their names.
    pub families: BTreeMap<String, Family>,
    /// The values of the series; `None` for sums, which are no whole numbers.
    samples: BTreeMap<String, Option<u64>>,
}

/// One family.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Family {
    pub kind: String,
    pub unit: Option<String>,
    pub help: String,
    /// The values of each label.
    pub labels: BTreeMap<String, BTreeSet<String>>,
}

impl Exposition {
    /// Reads it. Whatever the format forbids is a panic.
    pub fn read(text: &str) -> Self {
        let mut read = Self {
            families: BTreeMap::new(),
            samples: BTreeMap::new(),
        };
        let lines = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
        let mut family = String::new();
        for line in lines.lines() {
            assert!(!line.trim().is_empty() && line == line.trim_end(), "a blank: {line:?}");
            match line.strip_prefix("# ") {
                Some(about) => read.note(about, &mut family),
                None => read.sample(line, &family),
            }
        }
        for (name, family) in &read.families {
            if family.kind == "histogram" {
                read.check_histogram(name);
            }
        }
        read
    }

    /// HELP, TYPE and UNIT come before the samples of their family, and a family only once.
    fn note(&mut self, about: &str, current: &mut String) {
        let [keyword, name, text] = about.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("not about a family: {about}");
        };
        if keyword == "HELP" {
            let before = self.families.insert(name.to_owned(), Family::default());
            assert!(before.is_none(), "{name} is there twice");
            name.clone_into(current);
        }
        assert_eq!(name, current, "{about}");
        let has_samples = self
            .samples
            .keys()
            .any(|series| series.starts_with(&format!("{name}{{")));
        assert!(!has_samples, "after its samples: {about}");
        let family = self.families.get_mut(name).expect("HELP came first");
        match keyword {
            "HELP" => text.clone_into(&mut family.help),
            "TYPE" => text.clone_into(&mut family.kind),
            "UNIT" => {
                assert!(name.ends_with(&format!("_{text}")), "{about}");
                family.unit = Some(text.to_owned());
            }
            _ => panic!("not known: {about}"),
        }
    }

    fn sample(&mut self, line: &str, family_name: &str) {
        let (series, value) = line.rsplit_once(' ').expect("a series and a value");
        let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| {
            (name, labels.strip_suffix('}').expect("the end of the labels"))
        });
        let family = self.families.get_mut(family_name).expect("samples follow their family");
        let suffix = name
            .strip_prefix(family_name)
            .expect("samples of one family stand together");
        let allowed: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_count", "_sum"],
            "info" => &["_info"],
            other => panic!("{family_name} is a {other}"),
        };
        assert!(allowed.contains(&suffix), "{line} in a {}", family.kind);
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (label, text) = label.split_once("=\"").expect("a label and its value");
            let text = text.strip_suffix('"').expect("the end of the value");
            assert!(!text.contains(['"', '\\']), "{line}");
            if label != "le" {
                family
                    .labels
                    .entry(label.to_owned())
                    .or_default()
                    .insert(text.to_owned());
            }
        }
        let value = if suffix == "_sum" {
            let sum: f64 = value.parse().expect("a number");
            assert!(sum >= 0.0 && sum.is_finite(), "{line}");
            None
        } else {
            Some(value.parse().expect("a whole number, not negative"))
        };
        assert!(
            self.samples.insert(series.to_owned(), value).is_none(),
            "twice: {series}"
        );
    }

    /// Buckets are cumulated, the last one is `+Inf` and the same as the count.
    fn check_histogram(&self, family: &str) {
        let mut buckets: BTreeMap<String, Vec<(f64, Option<u64>)>> = BTreeMap::new();
        for (series, count) in &self.samples {
            let Some(labels) = series.strip_prefix(&format!("{family}_bucket{{le=\"")) else {
                continue;
            };
            let (bound, others) = labels.split_once('"').expect("the end of the bound");
            let others = others.trim_start_matches(',').trim_end_matches('}');
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                bound.parse().expect("a number")
            };
            buckets.entry(others.to_owned()).or_default().push((bound, *count));
        }
        assert!(!buckets.is_empty(), "{family} has no buckets");
        for (labels, mut buckets) in buckets {
            buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            assert!(buckets.is_sorted_by(|(_, a), (_, b)| a <= b), "{family}{{{labels}}}");
            let (bound, last) = *buckets.last().expect("at least one");
            let labels = if labels.is_empty() {
                labels
            } else {
                format!("{{{labels}}}")
            };
            assert!(bound.is_infinite(), "{family}{labels} ends at {bound}");
            assert_eq!(self.samples[&format!("{family}_count{labels}")], last);
            assert!(self.samples.contains_key(&format!("{family}_sum{labels}")));
        }
    }

    /// The names of all series.
    pub fn series(&self) -> Vec<&str> {
        self.samples.keys().map(String::as_str).collect()
    }

    /// The value of a series, such as `dakghar_attempts_total{outcome="sent"}`.
    pub fn value(&self, series: &str) -> u64 {
        let value = self.samples.get(series).copied().flatten();
        value.unwrap_or_else(|| panic!("there is no {series}"))
    }

    /// The series of a name that are not zero, by the value of their label.
    pub fn by_label(&self, name: &str) -> BTreeMap<String, u64> {
        let start = format!("{name}{{");
        let of_name = self.samples.iter().filter_map(|(series, value)| {
            let labels = series.strip_prefix(&start)?;
            Some((labels.split('"').nth(1)?.to_owned(), (*value)?))
        });
        let found: Vec<_> = of_name.collect();
        assert!(!found.is_empty(), "there is no {name} with a label");
        found.into_iter().filter(|(_, value)| *value != 0).collect()
    }
}
