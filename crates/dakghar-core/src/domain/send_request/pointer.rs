//! JSON pointers (RFC 6901).

/// The most characters of a client's own name that are repeated to it.
const NAME_CHARS_MAX: usize = 64;

/// Returns a name as one segment of a JSON pointer.
pub(super) fn escape_segment(name: &str) -> String {
    let mut segment: String = name.chars().take(NAME_CHARS_MAX).collect();
    if segment.len() < name.len() {
        segment.push('…');
    }
    segment.replace('~', "~0").replace('/', "~1")
}
