//! One emoji, as Unicode puts it together (UTS #51): a symbol with its variants, a flag, a keycap, or several symbols joined
//! into one.

const JOINER: char = '\u{200d}';
const VARIANT: char = '\u{fe0f}';
const KEYCAP: char = '\u{20e3}';
const TAG_END: char = '\u{e007f}';

/// True if the text is one emoji. Symbols that Unicode adds later in its blocks of symbols count.
pub(super) fn is_emoji(text: &str) -> bool {
    let mut rest = text;
    loop {
        let Some(behind) = element(rest) else { return false };
        match behind.strip_prefix(JOINER) {
            Some(next) => rest = next,
            None => return behind.is_empty(),
        }
    }
}

/// Returns the text behind one element of the emoji it begins with.
fn element(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    let rest = &text[first.len_utf8()..];
    if is_regional(first) {
        let second = rest.chars().next().filter(|c| is_regional(*c))?;
        return Some(&rest[second.len_utf8()..]);
    }
    if matches!(first, '0'..='9' | '#' | '*') {
        return skip(rest, |c| c == VARIANT).strip_prefix(KEYCAP);
    }
    if !is_symbol(first) {
        return None;
    }
    let rest = skip(rest, |c| c == VARIANT || is_skin(c));
    let tags = rest.trim_start_matches(|c| matches!(c, '\u{e0020}'..='\u{e007e}'));
    if tags.len() < rest.len() {
        return tags.strip_prefix(TAG_END);
    }
    Some(rest)
}

fn skip(text: &str, is_extra: impl Fn(char) -> bool) -> &str {
    let next = text.chars().next().filter(|c| is_extra(*c));
    next.map_or(text, |c| &text[c.len_utf8()..])
}

const fn is_regional(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

const fn is_skin(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

/// True for the blocks of symbols that emoji come from, and the few that stand elsewhere.
const fn is_symbol(c: char) -> bool {
    matches!(c,
        '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{2300}'..='\u{23ff}'
        | '\u{25a0}'..='\u{25ff}' | '\u{2190}'..='\u{21ff}' | '\u{2900}'..='\u{297f}'
        | '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{24c2}' | '\u{3030}' | '\u{303d}'
        | '\u{3297}' | '\u{3299}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_of_any_make_is_one() {
        for emoji in [
            "👍",
            "👍🏽",
            "❤️",
            "❤",
            "🇧🇩",
            "3️⃣",
            "#⃣",
            "👩‍👩‍👧‍👦",
            "👩🏽‍🚀",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "🏳️‍🌈",
            "©",
            "⌛",
            "🫨",
            "🧑🏻‍❤️‍🧑🏿",
        ] {
            assert!(is_emoji(emoji), "{emoji}");
        }
        for text in [
            "",
            "a",
            "ok",
            ":)",
            "3",
            "👍👍",
            "👍 ",
            " 👍",
            "🇧",
            "👍a",
            "ছ",
            "👩‍",
            "‍👩",
            "\u{fe0f}",
            "3️",
            "🏴󠁧󠁢",
        ] {
            assert!(!is_emoji(text), "{text:?}");
        }
    }
}
