//! Texts as a person reads them: without the escapes of JSON, and numbers without what is written between their digits.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

use super::super::country::is_between_digits;

/// The digits of the longest number that is written with something between them. Source: E.164.
const NUMBER_DIGITS_MAX: usize = 15;
/// Fewer digits are no number of a person.
const NUMBER_DIGITS_MIN: usize = 7;

/// Writes out the escapes of a JSON text. Quotes inside of a string stay escaped, so that they do not look like its end.
pub(super) fn written_out(json: &str) -> Cow<'_, str> {
    if !json.contains('\\') {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len());
    let mut chars = json.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '\\' {
            text.push(char);
            continue;
        }
        match chars.next() {
            Some('n' | 'r' | 't' | 'b' | 'f') => text.push(' '),
            Some('u') => text.push(code_point(&mut chars)),
            Some('"') => text.push_str("\\\""),
            Some(other) => text.push(other),
            None => {}
        }
    }
    Cow::Owned(text)
}

/// The character of an escape by its code: four hexadecimal digits, which come next. Half of a pair is no letter and no
/// digit.
fn code_point(chars: &mut Peekable<Chars<'_>>) -> char {
    let mut code = 0;
    for _ in 0..4 {
        let Some(digit) = chars.peek().and_then(|char| char.to_digit(16)) else {
            break;
        };
        code = code * 16 + digit;
        chars.next();
    }
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// True if `is_meant` holds for a number of the text that is written in groups of digits, such as `+91 98765-01234`.
pub(super) fn spaced_numbers(text: &str, is_meant: impl Fn(&str) -> bool) -> bool {
    let is_between = |char: char| char == '/' || is_between_digits(char);
    let is_of_number = |char: char| char.is_ascii_digit() || is_between(char);
    text.split(|char| !is_of_number(char)).any(|run| {
        let groups: Vec<&str> = run.split(is_between).filter(|group| !group.is_empty()).collect();
        (0..groups.len()).any(|first| is_any_meant(&groups[first..], &is_meant))
    })
}

/// True if the first groups, two or more, are a number that is meant.
fn is_any_meant(groups: &[&str], is_meant: &impl Fn(&str) -> bool) -> bool {
    let mut digits = groups[0].to_owned();
    for group in &groups[1..] {
        digits.push_str(group);
        if digits.len() > NUMBER_DIGITS_MAX {
            return false;
        }
        if digits.len() >= NUMBER_DIGITS_MIN && is_meant(&digits) {
            return true;
        }
    }
    false
}
