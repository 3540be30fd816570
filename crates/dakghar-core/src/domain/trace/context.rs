//! The place of a request in a distributed trace, as the W3C's Trace Context names it.

use std::fmt;

/// Bytes of a context as stores keep it.
pub const TRACE_CONTEXT_BYTES: usize = 25;

/// Characters of a `traceparent` of version 00.
const CHARS: usize = 55;

/// A span, named for others: its trace, its id, and the decision about the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; never all zeros.
    pub trace_id: [u8; 16],
    /// The span; never all zeros.
    pub span_id: [u8; 8],
    /// True if the spans of the trace are exported.
    pub is_sampled: bool,
}

impl TraceContext {
    /// Reads the header `traceparent`. `None` for everything that the W3C's rules let nobody use; such a header counts as
    /// none. Of a newer version only what version 00 knows is read.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let known = header.get(..CHARS)?;
        let version = lower_hex::<1>(&known[..2])?[0];
        let is_whole = match version {
            0 => header.len() == CHARS,
            0xff => false,
            _ => header.get(CHARS).is_none_or(|byte| *byte == b'-'),
        };
        let has_dashes = [2, 35, 52].iter().all(|place| known[*place] == b'-');
        if !is_whole || !has_dashes {
            return None;
        }
        let flags = lower_hex::<1>(&known[53..])?[0];
        Self::new(lower_hex(&known[3..35])?, lower_hex(&known[36..52])?, flags & 1 == 1)
    }

    /// A context, unless one of its ids is all zeros.
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8], is_sampled: bool) -> Option<Self> {
        let is_valid = trace_id != [0; 16] && span_id != [0; 8];
        is_valid.then_some(Self {
            trace_id,
            span_id,
            is_sampled,
        })
    }

    /// The form in which stores keep it.
    pub fn to_bytes(self) -> [u8; TRACE_CONTEXT_BYTES] {
        let mut bytes = [0; TRACE_CONTEXT_BYTES];
        bytes[..16].copy_from_slice(&self.trace_id);
        bytes[16..24].copy_from_slice(&self.span_id);
        bytes[24] = self.is_sampled.into();
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes) back.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; TRACE_CONTEXT_BYTES] = bytes.try_into().ok()?;
        let is_sampled = match bytes[24] {
            0 => false,
            1 => true,
            _ => return None,
        };
        Self::new(bytes[..16].try_into().ok()?, bytes[16..24].try_into().ok()?, is_sampled)
    }
}

impl fmt::Display for TraceContext {
    /// Writes the header `traceparent`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            span_id,
            is_sampled,
        } = self;
        let flags = u8::from(*is_sampled);
        write!(f, "00-{}-{}-{flags:02x}", hex::encode(trace_id), hex::encode(span_id))
    }
}

/// Reads lower-case hexadecimal digits, two for each byte.
fn lower_hex<const BYTES: usize>(digits: &[u8]) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    let is_lower = !digits.iter().any(u8::is_ascii_uppercase);
    hex::decode_to_slice(digits, &mut bytes).ok().filter(|()| is_lower)?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_and_written() {
        let context = TraceContext::parse(GIVEN.as_bytes()).expect("valid");
        assert!(context.is_sampled);
        assert_eq!((context.trace_id[0], context.span_id[7]), (0x4b, 0xb7));
        assert_eq!(context.to_string(), GIVEN);
        assert_eq!(TraceContext::from_bytes(&context.to_bytes()), Some(context));
        let off = TraceContext::parse(GIVEN.replace("-01", "-00").as_bytes()).expect("valid");
        assert!(!off.is_sampled);
        assert_eq!(TraceContext::from_bytes(&off.to_bytes()), Some(off));
        // Flags that nobody knows yet do not matter, nor does what a newer version adds.
        let flags = TraceContext::parse(GIVEN.replace("-01", "-fb").as_bytes());
        assert_eq!(flags, Some(context));
        for newer in [
            GIVEN.replacen("00", "01", 1),
            format!("{}-what", GIVEN.replacen("00", "cc", 1)),
        ] {
            assert_eq!(TraceContext::parse(newer.as_bytes()), Some(context), "{newer}");
        }
    }

    #[test]
    fn whatever_is_malformed_counts_as_none() {
        let broken = [
            String::new(),
            "00".to_owned(),
            GIVEN.to_uppercase(),
            GIVEN.replacen("00", "ff", 1),
            format!("{GIVEN}-more"),
            format!("{GIVEN} "),
            format!("{}.more", GIVEN.replacen("00", "01", 1)),
            GIVEN.replace("4bf9", "0xf9"),
            GIVEN.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            GIVEN.replace("00f067aa0ba902b7", &"0".repeat(16)),
            GIVEN.replace('-', "_"),
            GIVEN.replace("-01", "-0g"),
            "é".repeat(40),
        ];
        for header in broken {
            assert_eq!(TraceContext::parse(header.as_bytes()), None, "{header}");
        }
        let mut bytes = TraceContext::parse(GIVEN.as_bytes()).expect("valid").to_bytes();
        assert_eq!(TraceContext::from_bytes(&bytes[1..]), None);
        bytes[24] = 2;
        assert_eq!(TraceContext::from_bytes(&bytes), None);
        assert_eq!(TraceContext::from_bytes(&[0; TRACE_CONTEXT_BYTES]), None);
    }
}
