//! Rust text as tokens: enough to find paths and items in it, whatever comments and strings say.

/// A word, a number, `::`, `->`, `=>` or one other character. A string or character literal is the token `"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    /// From 1.
    pub line: usize,
}

impl Token {
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// Takes the text apart. Comments and lifetimes are left out; `r#name` is `name`.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        at: 0,
        line: 1,
        found: Vec::new(),
    };
    while lexer.at < lexer.chars.len() {
        lexer.step();
    }
    lexer.found
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    found: Vec<Token>,
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn advance(&mut self, count: usize) {
        for _ in 0..count {
            self.line += usize::from(self.peek(0) == '\n');
            self.at += 1;
        }
    }

    fn push(&mut self, text: String, line: usize) {
        self.found.push(Token { text, line });
    }

    fn step(&mut self) {
        let line = self.line;
        match (self.peek(0), self.peek(1)) {
            (c, _) if c.is_whitespace() => self.advance(1),
            ('/', '/') => self.skip_while(|c| c != '\n'),
            ('/', '*') => self.skip_block_comment(),
            ('"', _) => self.string(line),
            ('\'', _) => self.quote(line),
            (c, _) if in_word(c) => self.word(line),
            (a, b) if matches!((a, b), (':', ':') | ('-' | '=', '>')) => {
                self.advance(2);
                self.push([a, b].iter().collect(), line);
            }
            (c, _) => {
                self.advance(1);
                self.push(c.to_string(), line);
            }
        }
    }

    fn skip_while(&mut self, more: impl Fn(char) -> bool) {
        while self.at < self.chars.len() && more(self.peek(0)) {
            self.advance(1);
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.advance(1);
                    continue;
                }
            }
            self.advance(2);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self, line: usize) {
        self.advance(1);
        while self.at < self.chars.len() && self.peek(0) != '"' {
            self.advance(if self.peek(0) == '\\' { 2 } else { 1 });
        }
        self.advance(1);
        self.push("\"".to_owned(), line);
    }

    /// A raw string, from its first `#` or `"`.
    fn raw_string(&mut self, line: usize) {
        let hashes = self.chars[self.at..].iter().take_while(|c| **c == '#').count();
        self.advance(hashes + 1);
        let ends = |lexer: &Self| lexer.peek(0) == '"' && (1..=hashes).all(|ahead| lexer.peek(ahead) == '#');
        while self.at < self.chars.len() && !ends(self) {
            self.advance(1);
        }
        self.advance(hashes + 1);
        self.push("\"".to_owned(), line);
    }

    /// A character literal, or a lifetime.
    fn quote(&mut self, line: usize) {
        if self.peek(1) != '\\' && self.peek(2) != '\'' {
            self.advance(1);
            return self.skip_while(in_word);
        }
        // An escape takes its first character with it, so that `'\''` does not end early.
        self.advance(if self.peek(1) == '\\' { 3 } else { 2 });
        self.skip_while(|c| c != '\'');
        self.advance(1);
        self.push("\"".to_owned(), line);
    }

    fn word(&mut self, line: usize) {
        let start = self.at;
        self.skip_while(in_word);
        let text: String = self.chars[start..self.at].iter().collect();
        let is_raw = matches!(text.as_str(), "r" | "br" | "cr");
        match (self.peek(0), self.peek(1)) {
            ('"', _) | ('#', '"' | '#') if is_raw => self.raw_string(line),
            ('#', next) if text == "r" && in_word(next) => {
                self.advance(1);
                self.word(line);
            }
            ('"', _) if matches!(text.as_str(), "b" | "c") => self.string(line),
            _ => self.push(text, line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_strings_and_lifetimes_are_no_code() {
        let text = r##"
            // crate::a
            /* crate::b /* nested */ crate::c */
            f::<'x>("crate::d \" crate::e", r#"crate::"f"#, b"g", '"', '\'', b'h', r#use);
        "##;
        assert_eq!(
            words(text).join(" "),
            "f :: < > ( \" , \" , \" , \" , \" , b \" , use ) ;"
        );
    }

    #[test]
    fn a_token_knows_its_line() {
        let found = tokens("a\n/* \n */ \"\n\" b");
        let lines: Vec<_> = found.iter().map(|token| (token.text.as_str(), token.line)).collect();
        assert_eq!(lines, [("a", 1), ("\"", 3), ("b", 4)]);
    }
}
