//! The one spelling in which a short message is compared with a word.
//!
//! The same word comes in many forms: in capitals, full width, with its accents apart, with marks for vowels, with a
//! direction that a keyboard put there unseen, in quotes, in bold, or with an emoji behind it.

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::domain::invisible::is_invisible;

/// A dot above. Small letters of a Turkish capital I have it as a character of its own.
const DOT_ABOVE: char = '\u{307}';

/// Returns the text in lower case, composed, without what nobody sees or says, and with nothing but letters, digits and
/// marks at its ends. What stands between them stays.
pub(super) fn plain(text: &str) -> String {
    // Before anything is composed, because `™` becomes two letters then.
    let seen: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let composed: String = seen.trim_matches(is_around).nfkc().collect();
    let lower = composed.to_lowercase();
    let mut plain = String::with_capacity(lower.len());
    for c in lower.trim_matches(is_around).chars() {
        match c {
            DOT_ABOVE if plain.ends_with('i') => {}
            _ if is_vowel_mark(c) => {}
            // The other small letter of a Turkish capital I.
            'ı' => plain.push('i'),
            '\u{2010}'..='\u{2015}' => plain.push('-'),
            _ if c.is_whitespace() => {
                if !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            _ => plain.push(c),
        }
    }
    plain
}

/// True for what is no part of a word: blanks, punctuation, symbols (emoji are symbols), and what is no text.
fn is_around(c: char) -> bool {
    match c.general_category_group() {
        GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark | GeneralCategoryGroup::Number => false,
        GeneralCategoryGroup::Punctuation
        | GeneralCategoryGroup::Symbol
        | GeneralCategoryGroup::Separator
        | GeneralCategoryGroup::Other => true,
    }
}

/// True for Arabic marks of vowels and of recitation, which are written or not as one likes, and for the stroke that
/// makes a word longer. The marks of other scripts are parts of their words, and so are the hamza and the madda.
const fn is_vowel_mark(c: char) -> bool {
    matches!(c,
        '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{652}' | '\u{656}'..='\u{65f}' | '\u{670}'
        | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{6e7}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_one_spelling() {
        for (written, expected) in [
            ("STOP", "stop"),
            ("*Stop!* 🙏", "stop"),
            ("\u{202b}STOP\u{202c}", "stop"),
            ("\u{ff33}top", "stop"),
            ("ARRE\u{302}T", "arrêt"),
            ("İPTAL", "iptal"),
            ("stop \u{a0} all", "stop all"),
            (
                "\u{625}\u{650}\u{64a}\u{642}\u{627}\u{641}",
                "\u{625}\u{64a}\u{642}\u{627}\u{641}",
            ),
            ("বন্ধ করুন।", "বন্ধ করুন"),
            ("stop the music", "stop the music"),
            ("st🛑p", "st🛑p"),
            ("Stop™", "stop"),
            ("🙏", ""),
            ("", ""),
        ] {
            assert_eq!(plain(written), expected, "{written}");
            assert_eq!(plain(expected), expected, "{written}, once more");
        }
    }
}
