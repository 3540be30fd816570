//! Circles in a graph of files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

/// One file needs something that another defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub to: String,
    /// Where in `from`.
    pub line: usize,
    /// The name that is needed, as far as the text says.
    pub what: String,
}

/// The shortest circle through each arrow that is part of one, every circle once. Readable, and empty if there is none.
pub fn describe_circles(arrows: &[Arrow]) -> String {
    let mut first = BTreeMap::new();
    for arrow in arrows {
        first.entry((arrow.from.as_str(), arrow.to.as_str())).or_insert(arrow);
    }
    let circles: BTreeSet<Vec<&str>> = first
        .keys()
        .filter_map(|(from, to)| shortest_path(&first, to, from))
        .map(from_its_smallest)
        .collect();
    let mut text = String::new();
    for circle in &circles {
        writeln!(text, "circle of {} files:", circle.len()).unwrap();
        for (index, from) in circle.iter().enumerate() {
            let arrow = first[&(*from, circle[(index + 1) % circle.len()])];
            writeln!(text, "  {from}:{} needs {} of {}", arrow.line, arrow.what, arrow.to).unwrap();
        }
    }
    text
}

fn shortest_path<'a>(
    arrows: &BTreeMap<(&'a str, &'a str), &Arrow>,
    from: &'a str,
    to: &'a str,
) -> Option<Vec<&'a str>> {
    let mut came_from = BTreeMap::from([(from, from)]);
    let mut waiting = VecDeque::from([from]);
    while let Some(file) = waiting.pop_front() {
        if file == to {
            let mut path = vec![file];
            while path[0] != from {
                path.insert(0, came_from[path[0]]);
            }
            return Some(path);
        }
        for (_, next) in arrows.keys().filter(|(start, _)| *start == file) {
            if !came_from.contains_key(next) {
                came_from.insert(next, file);
                waiting.push_back(next);
            }
        }
    }
    None
}

/// The same circle, begun at a fixed place.
fn from_its_smallest(mut circle: Vec<&str>) -> Vec<&str> {
    let smallest = (0..circle.len()).min_by_key(|index| circle[*index]).unwrap_or(0);
    circle.rotate_left(smallest);
    circle
}
