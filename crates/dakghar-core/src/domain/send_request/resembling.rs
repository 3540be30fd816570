//! Names that are nearly another one: most likely a slip of the pen, whose option would be passed over in silence.

/// Names shorter than this resemble another only by case and by `_` and `-`.
const CHARS_MIN: usize = 4;
/// From this length on two slips are allowed.
const TWO_SLIPS_CHARS_MIN: usize = 9;
/// Longer names resemble nothing.
const CHARS_MAX: usize = 40;

/// Returns the known name that was most likely meant: one that differs in case, in `_` and `-`, or by a slip or two.
pub(super) fn resembling<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if name.chars().count() > CHARS_MAX {
        return None;
    }
    let plain = plain(name);
    let mut nearest: Option<(usize, &str)> = None;
    for other in known {
        let (other_plain, slips) = (self::plain(other), slips(other));
        if plain.len().abs_diff(other_plain.len()) > slips {
            continue;
        }
        let distance = distance(&plain, &other_plain);
        if distance <= slips && nearest.is_none_or(|(least, _)| distance < least) {
            nearest = Some((distance, other));
        }
    }
    nearest.map(|(_, other)| other)
}

/// The slips that a name of this length may have.
const fn slips(name: &str) -> usize {
    match name.len() {
        ..CHARS_MIN => 0,
        CHARS_MIN..TWO_SLIPS_CHARS_MIN => 1,
        _ => 2,
    }
}

fn plain(name: &str) -> Vec<char> {
    let chars = name.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    chars.flat_map(char::to_lowercase).collect()
}

/// The least number of letters to insert, to leave out, to replace, or to swap with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != to);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 6] = ["to", "from", "sendAt", "idempotency_key", "text", "recipient_type"];

    #[test]
    fn slips_are_recognised_and_other_names_are_not() {
        for (name, meant) in [
            ("To", Some("to")),
            ("send_at", Some("sendAt")),
            ("SENDAT", Some("sendAt")),
            ("sentAt", Some("sendAt")),
            ("form", Some("from")),
            ("txt", Some("text")),
            ("idempotencykey", Some("idempotency_key")),
            ("idempotncy_kei", Some("idempotency_key")),
            ("recipent_type", Some("recipient_type")),
            ("too", None),
            ("of", None),
            ("future_field", None),
            ("status", None),
            ("state", None),
            ("ключ", None),
        ] {
            assert_eq!(resembling(name, KNOWN.into_iter()), meant, "{name}");
        }
        assert_eq!(resembling(&"t".repeat(100_000), KNOWN.into_iter()), None);
    }
}
