//! JSON as Meta writes it: ASCII only, non-ASCII characters as `\uXXXX`, and `/` as `\/`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Compact JSON with Meta's escapes.
struct MetaFormatter;

impl Formatter for MetaFormatter {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut plain_from = 0;
        for (at, character) in fragment.char_indices() {
            if character.is_ascii() && character != '/' {
                continue;
            }
            writer.write_all(&fragment.as_bytes()[plain_from..at])?;
            plain_from = at + character.len_utf8();
            if character == '/' {
                writer.write_all(b"\\/")?;
                continue;
            }
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        writer.write_all(&fragment.as_bytes()[plain_from..])
    }
}

/// The bytes that are posted and signed.
pub(crate) fn to_escaped_json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, MetaFormatter))
        .expect("webhook bodies have string keys and go to memory");
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn escapes_as_meta_does_and_means_the_same() {
        let check = |text: &str, expected: &str| {
            let bytes = to_escaped_json(&json!({ "t": text }));
            assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);
            let back: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(back["t"], text);
        };
        check("plain", r#"{"t":"plain"}"#);
        check("café", r#"{"t":"caf\u00e9"}"#);
        check("a/b", r#"{"t":"a\/b"}"#);
        check("ডাকঘর", r#"{"t":"\u09a1\u09be\u0995\u0998\u09b0"}"#);
        check("😀!", r#"{"t":"\ud83d\ude00!"}"#);
        check("\"\\\n", r#"{"t":"\"\\\n"}"#);
    }
}
