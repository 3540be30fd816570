//! Many messages in one body: a JSON array, or a line for each (NDJSON).

use std::fmt;

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::problem::{ErrorCode, Problem};

/// Wrong fields that are told of one message among many. Somebody who gives a thousand corrects the first ones anyway.
const ERRORS_MAX: usize = 4;

/// Returns the text of each message, at most `max`. An array is one strict JSON value; what is wrong with a line concerns that
/// line only, so each is read by itself later.
///
/// # Errors
/// The body is no such list, or has none or more.
pub fn items(body: &[u8], is_lines: bool, max: usize) -> Result<Vec<&[u8]>, Problem> {
    let items = if is_lines {
        lines(body, max)
    } else {
        elements(body, max)?
    };
    if items.is_empty() {
        return Err(Problem::new(ErrorCode::EmptyBatch, "Send at least one message."));
    }
    if items.len() > max {
        let detail = format!("At most {max} messages are taken at once.");
        return Err(Problem::new(ErrorCode::BatchTooLarge, detail));
    }
    Ok(items)
}

/// Places a problem of the message with this index, so that its pointers are those of the whole body.
pub fn placed(mut problem: Problem, index: usize) -> Problem {
    problem.errors.truncate(ERRORS_MAX);
    for error in &mut problem.errors {
        error.pointer.insert_str(0, &format!("/{index}"));
    }
    problem
}

/// Every line that is not blank, and one more than `max` at most.
fn lines(body: &[u8], max: usize) -> Vec<&[u8]> {
    let lines = body.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.trim_ascii().is_empty());
    lines.take(max + 1).collect()
}

fn elements(body: &[u8], max: usize) -> Result<Vec<&[u8]>, Problem> {
    let malformed = |detail: String| Problem::new(ErrorCode::MalformedJson, detail);
    let text = std::str::from_utf8(body)
        .map_err(|error| malformed(format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
    if !text.trim_ascii_start().starts_with('[') {
        return Err(malformed("the body is not an array".to_owned()));
    }
    let mut is_cut = false;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let elements = deserializer.deserialize_seq(Elements {
        max,
        is_cut: &mut is_cut,
    });
    match elements {
        Ok(elements) => deserializer.end().map(|()| elements),
        Err(_) if is_cut => {
            let detail = format!("At most {max} messages are taken at once.");
            return Err(Problem::new(ErrorCode::BatchTooLarge, detail));
        }
        Err(error) => Err(error),
    }
    .map_err(|error| malformed(format!("not JSON at line {}, column {}", error.line(), error.column())))
}

/// Reads an array up to one element more than are allowed: there may be millions.
struct Elements<'c> {
    max: usize,
    is_cut: &'c mut bool,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = Vec<&'de [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element::<&RawValue>()? {
            if elements.len() == self.max {
                *self.is_cut = true;
                return Err(serde::de::Error::custom("too many"));
            }
            elements.push(element.get().as_bytes());
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, is_lines: bool) -> Result<Vec<&str>, ErrorCode> {
        let items = items(body.as_bytes(), is_lines, 3).map_err(|problem| problem.code)?;
        Ok(items
            .into_iter()
            .map(|item| std::str::from_utf8(item).expect("text"))
            .collect())
    }

    #[test]
    fn an_array_and_lines_are_taken_apart() {
        assert_eq!(
            read(r#" [ {"a":[1]} ,2, "x"] "#, false),
            Ok(vec![r#"{"a":[1]}"#, "2", r#""x""#])
        );
        assert_eq!(
            read("{\"a\":1}\r\n\n  \n{broken\n", true),
            Ok(vec!["{\"a\":1}\r", "{broken"])
        );
        for (body, is_lines, code) in [
            ("[]", false, ErrorCode::EmptyBatch),
            ("\n \n", true, ErrorCode::EmptyBatch),
            ("[1,2,3,4]", false, ErrorCode::BatchTooLarge),
            ("1\n2\n3\n4", true, ErrorCode::BatchTooLarge),
            ("{}", false, ErrorCode::MalformedJson),
            ("[1,2", false, ErrorCode::MalformedJson),
            ("[1,2] x", false, ErrorCode::MalformedJson),
            ("[1,]", false, ErrorCode::MalformedJson),
        ] {
            assert_eq!(read(body, is_lines), Err(code), "{body}");
        }
        let endless = format!("[{}", "0,".repeat(1_000_000));
        assert_eq!(
            read(&endless, false),
            Err(ErrorCode::BatchTooLarge),
            "it is not read to its end"
        );
    }

    #[test]
    fn a_problem_points_into_the_whole_body() {
        let problem = Problem::field(ErrorCode::InvalidTo, "/to", "is required");
        assert_eq!(placed(problem, 17).errors[0].pointer, "/17/to");
    }
}
