//! Uploads (`multipart/form-data`) that are passed on to Meta: which parts they may have.
//!
//! The form goes to Meta as it came, and who reads it there is not known. So it is read as strictly as programs write it:
//! whatever two readers may take for two different things is refused, such as a boundary that stands within a file, a name
//! that is given twice, or a backslash in it. What is inside of the parts is Meta's to judge.

use std::ops::ControlFlow;

use dakghar_core::domain::{ErrorCode, Problem};

/// The parts that Meta documents for an upload. Each stands there once at most.
const PARTS: [&str; 3] = ["messaging_product", "type", "file"];
/// The most bytes of the head of a part. It has the name of a file.
const HEAD_BYTES_MAX: usize = 4 * 1024;
/// The most characters of a boundary (RFC 2046).
const BOUNDARY_CHARS_MAX: usize = 70;
/// The most characters of a name that are repeated in a problem.
const NAME_CHARS_SHOWN_MAX: usize = 64;

/// Checks a form, and returns its media type as it goes on: with its boundary and nothing else.
pub(super) fn check(media_type: &str, body: &[u8]) -> Result<String, Problem> {
    let written = boundary(media_type)
        .ok_or_else(|| wrong("needs a Content-Type with a boundary, once and without an escape"))?;
    let delimiter = format!("--{}", written.trim_matches('"'));
    let mut rest = body
        .strip_prefix(delimiter.as_bytes())
        .ok_or_else(|| wrong("must begin with its boundary"))?;
    let mut seen = Vec::with_capacity(PARTS.len());
    while !is_end(rest) {
        let at = find(rest, delimiter.as_bytes()).ok_or_else(|| wrong("must end with its boundary and --"))?;
        let part = rest[..at]
            .strip_prefix(b"\r\n")
            .and_then(|part| part.strip_suffix(b"\r\n"));
        let name = name_of(part.ok_or_else(|| wrong("has its boundary within a part"))?)?;
        if seen.contains(&name) {
            return Err(wrong(&format!("has the part '{name}' twice")));
        }
        seen.push(name);
        rest = &rest[at + delimiter.len()..];
    }
    Ok(format!("multipart/form-data; boundary={written}"))
}

fn wrong(why: &str) -> Problem {
    Problem::new(ErrorCode::BadRequest, format!("The form {why}."))
}

/// True for what stands behind the last boundary.
fn is_end(rest: &[u8]) -> bool {
    let behind = rest.strip_prefix(b"--");
    behind.is_some_and(|behind| matches!(behind, b"" | b"\r\n" | b"\r\n\r\n"))
}

/// Where a text stands in some bytes.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    let first = text.first()?;
    let mut from = 0;
    loop {
        from += bytes.get(from..)?.iter().position(|byte| byte == first)?;
        if bytes[from..].starts_with(text) {
            return Some(from);
        }
        from += 1;
    }
}

/// The boundary that the media type names, with its quotes if it has some.
fn boundary(media_type: &str) -> Option<&str> {
    let mut parameters = media_type.split(';').map(str::trim);
    let is_form = parameters
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("multipart/form-data"));
    let mut boundary = None;
    for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        if name.eq_ignore_ascii_case("boundary") && boundary.is_none() {
            boundary = Some(value);
        } else if !name.eq_ignore_ascii_case("charset") {
            return None;
        }
    }
    boundary.filter(|written| is_form && is_boundary(unquoted(written)))
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

/// Fewer characters than RFC 2046 allows: readers end an unquoted one at different ones of the others.
fn is_boundary(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+_-.=/:?".contains(&byte);
    (1..=BOUNDARY_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// Reads the head of a part, and returns its name.
fn name_of(part: &[u8]) -> Result<&'static str, Problem> {
    let unreadable = || wrong("has a part whose head cannot be read, or has more than an upload needs");
    // The empty line may end right behind the most bytes.
    let start = &part[..part.len().min(HEAD_BYTES_MAX + 4)];
    let end = find(start, b"\r\n\r\n").ok_or_else(unreadable)?;
    let head = std::str::from_utf8(&start[..end]).map_err(|_| unreadable())?;
    let mut disposition = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or_else(unreadable)?;
        let value = value.trim_matches(' ');
        if value.chars().any(char::is_control) {
            return Err(unreadable());
        }
        let value_lower = || value.to_ascii_lowercase();
        let is_known = match name.to_ascii_lowercase().as_str() {
            "content-disposition" => disposition.replace(value).is_none(),
            // Parts within a part have names, too.
            "content-type" => !value_lower().starts_with("multipart"),
            "content-transfer-encoding" => matches!(value_lower().as_str(), "binary" | "8bit" | "7bit"),
            "content-length" => true,
            _ => false,
        };
        if !is_known {
            return Err(unreadable());
        }
    }
    let name = disposition.and_then(field_name).ok_or_else(unreadable)?;
    PARTS.into_iter().find(|part| *part == name).ok_or_else(|| {
        let shown: String = name.chars().take(NAME_CHARS_SHOWN_MAX).collect();
        wrong(&format!("has the part '{shown}', which is none of an upload"))
    })
}

/// The only name in `form-data; name="file"; filename="a.png"`.
fn field_name(disposition: &str) -> Option<&str> {
    let (kind, mut rest) = disposition.split_once(';')?;
    if !kind.trim_matches(' ').eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut file, mut encoded_file) = (None, None, None);
    loop {
        let (parameter, after) = rest.trim_start_matches(' ').split_once('=')?;
        let (value, after) = value_of(after)?;
        let is_first = match parameter.to_ascii_lowercase().as_str() {
            "name" => name.replace(value).is_none(),
            "filename" => file.replace(value).is_none(),
            "filename*" => encoded_file.replace(value).is_none() && is_encoded(value),
            _ => false,
        };
        if !is_first {
            return None;
        }
        match next_parameter(after) {
            ControlFlow::Continue(further) => rest = further,
            ControlFlow::Break(is_right) => return name.filter(|_| is_right),
        }
    }
}

/// A value in quotes, or one that needs none; and what stands behind it. Readers differ in what a backslash means.
fn value_of(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.split_once('"').filter(|(value, _)| !value.contains('\\'));
    }
    let end = text.find([';', ' ']).unwrap_or(text.len());
    let (value, after) = text.split_at(end);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&+^`|'".contains(&byte);
    (!value.is_empty() && value.bytes().all(is_plain)).then_some((value, after))
}

/// Goes on behind a semicolon. Otherwise tells whether the end is one.
fn next_parameter(after: &str) -> ControlFlow<bool, &str> {
    let after = after.trim_start_matches(' ');
    match after.strip_prefix(';') {
        Some(further) if !further.trim_matches(' ').is_empty() => ControlFlow::Continue(further),
        Some(_) => ControlFlow::Break(true),
        None => ControlFlow::Break(after.is_empty()),
    }
}

/// True for `utf-8''a%20name.png` (RFC 5987).
fn is_encoded(value: &str) -> bool {
    value
        .split_once("''")
        .is_some_and(|(charset, text)| charset.eq_ignore_ascii_case("utf-8") && !text.contains('\''))
}

#[cfg(test)]
mod tests;
