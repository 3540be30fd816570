//! The output of commands: results on standard output, errors on standard error.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::process::ExitCode;

/// Wrong usage or settings, as in sysexits.h.
pub const EXIT_USAGE: u8 = 64;

/// Prints a line. A closed pipe is not an error: the reader has seen enough.
pub fn line(text: &str) {
    let _ = writeln!(stdout(), "{}", harmless(text));
}

/// What somebody else wrote, on one line.
pub fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// Takes out what would move the cursor, colour the terminal, or turn the direction of the text around: names and Meta's
/// words come from strangers.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(is_harmful) {
        text.replace(is_harmful, "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// Prints a line as it is, such as JSON or one with colours. Returns false if nobody reads it any more.
pub fn try_line(text: &str) -> bool {
    writeln!(stdout(), "{text}").is_ok()
}

/// Tells something beside the results.
pub fn note(text: &str) {
    let _ = writeln!(stderr(), "{}", harmless(text));
}

/// How results are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// As a terminal shows them.
    On,
    /// Not at all.
    Off,
}

impl Colour {
    /// In colour only if a terminal shows it and nobody forbids it.
    pub fn of(is_forbidden: bool) -> Self {
        if stdout().is_terminal() && !is_forbidden {
            Self::On
        } else {
            Self::Off
        }
    }

    /// What matters less.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// By the kind of an entry of a feed: what came, what failed, what was sent, and the rest.
    pub fn of_kind(self, kind: &str, text: &str) -> String {
        let (flow, what) = kind.split_once('.').unwrap_or((kind, ""));
        let code = match (flow, what) {
            (_, "failed" | "dead" | "expired") => "31",
            ("message", "received") => "32",
            (_, "in_doubt" | "cancelled" | "corrected") => "33",
            ("message", _) => "34",
            ("status", _) => "36",
            _ => "35",
        };
        self.paint(code, text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Off => text.to_owned(),
        }
    }
}

/// Prints an error.
pub fn error(text: &str) {
    let start = if stderr().is_terminal() {
        "\x1b[31merror:\x1b[0m"
    } else {
        "error:"
    };
    let _ = writeln!(stderr(), "{start} {}", harmless(text));
}

/// Prints everything that is wrong with the settings.
pub fn usage_error(problems: &[String]) -> ExitCode {
    for problem in problems {
        error(problem);
    }
    let _ = writeln!(
        stderr(),
        "The settings are explained in .env.example; `dakghar doctor` checks them all."
    );
    ExitCode::from(EXIT_USAGE)
}

/// A value in a column or behind a name, which may not be there.
pub fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Prints rows under headings, or says that there are none.
pub fn list(headings: &[&str], rows: &[Vec<String>], none: &str) {
    if rows.is_empty() {
        line(none);
    } else {
        table(headings, rows);
    }
}

/// Prints rows under headings, in columns as wide as they need.
pub fn table(headings: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        line(padded.join("  ").trim_end());
    };
    print(&headings.iter().map(|heading| (*heading).to_owned()).collect::<Vec<_>>());
    for row in rows {
        print(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_write_neither_moves_the_cursor_nor_turns_the_text_around() {
        assert_eq!(
            harmless("a\u{1b}[2Jb\u{202e}c\u{7}\td"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\td"
        );
        assert_eq!(harmless("বাংলা 🙏"), "বাংলা 🙏");
        assert_eq!(one_line("no\nstate done\r"), "no state done ");
    }
}
