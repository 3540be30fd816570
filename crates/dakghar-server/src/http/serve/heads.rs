//! Finds line ends that are a bare LF in the heads of HTTP/1 requests.
//!
//! hyper takes them for line ends, as HTTP allows. A proxy that does not sees other headers than we do, and so where one
//! request ends and the next begins. To tell heads from bodies, a read ends with the head in it, and the next one begins
//! when hyper has said how long the body is.

use std::mem;

/// What a client on HTTP/2 sends first. It looks like two heads.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The place in a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the head of a request.
    Head {
        /// A line that is not empty has ended.
        has_line: bool,
        /// Nothing but a CR has come since the last line end.
        line_is_empty: bool,
        /// The last byte was a CR.
        after_cr: bool,
    },
    /// Behind a head whose request is not known yet.
    BehindHead,
    /// In a body, with this many bytes to come.
    Body(u64),
    /// Where nothing is looked for any more: HTTP/2, or the last request of the connection.
    Through,
}

const HEAD: At = At::Head {
    has_line: false,
    line_is_empty: true,
    after_cr: false,
};

/// The length of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// This many bytes.
    Known(u64),
    /// Nobody knows before its end, so its request must be the last of the connection.
    Unknown,
}

/// Follows what arrives on a connection.
#[derive(Debug)]
pub(super) struct Heads {
    at: At,
    /// Bytes of the preface with which the connection has begun; `None` if it began with something else.
    preface: Option<usize>,
    /// A bare LF was found.
    has_bare_lf: bool,
    /// What was read and lies behind the head.
    held: Vec<u8>,
}

impl Heads {
    pub(super) const fn new() -> Self {
        Self {
            at: HEAD,
            preface: Some(0),
            has_bare_lf: false,
            held: Vec::new(),
        }
    }

    /// True if nothing can be handed on before the request of the last head is known.
    pub(super) fn waits(&self) -> bool {
        self.at == At::BehindHead
    }

    /// Tells the length of the body behind the last head.
    pub(super) fn request_begins(&mut self, body: BodyLength) {
        if self.waits() {
            self.at = match body {
                BodyLength::Known(0) => HEAD,
                BodyLength::Known(bytes) => At::Body(bytes),
                BodyLength::Unknown => At::Through,
            };
        }
    }

    /// True if a line of a head has ended in a bare LF.
    pub(super) const fn has_bare_lf(&self) -> bool {
        self.has_bare_lf
    }

    /// What is held back, to be passed again and given back from where it was not handed on.
    pub(super) fn take_held(&mut self) -> Vec<u8> {
        mem::take(&mut self.held)
    }

    /// Keeps what lies behind a head.
    pub(super) fn hold(&mut self, bytes: Vec<u8>) {
        debug_assert!(self.held.is_empty(), "it would be overtaken");
        self.held = bytes;
    }

    /// Looks at the next bytes. Returns how many of them may be handed on: all of them, or those up to the end of a head.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while passed < bytes.len() {
            let rest = &bytes[passed..];
            match self.at {
                At::Through => return bytes.len(),
                At::BehindHead => return passed,
                At::Body(left) => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    passed += count;
                    let left = left - count as u64;
                    self.at = if left == 0 { HEAD } else { At::Body(left) };
                }
                At::Head { .. } => {
                    self.pass_byte(rest[0]);
                    passed += 1;
                }
            }
        }
        passed
    }

    fn pass_byte(&mut self, byte: u8) {
        let At::Head {
            has_line,
            line_is_empty,
            after_cr,
        } = self.at
        else {
            return;
        };
        self.preface = self
            .preface
            .filter(|seen| HTTP2_PREFACE.get(*seen) == Some(&byte))
            .map(|seen| seen + 1);
        let head = |has_line, line_is_empty, after_cr| At::Head {
            has_line,
            line_is_empty,
            after_cr,
        };
        self.at = match byte {
            _ if self.preface == Some(HTTP2_PREFACE.len()) => At::Through,
            b'\n' if !after_cr => {
                self.has_bare_lf = true;
                At::Through
            }
            b'\n' if line_is_empty && has_line && self.preface.is_none() => At::BehindHead,
            b'\n' => head(has_line || !line_is_empty, true, false),
            b'\r' => head(has_line, line_is_empty, true),
            _ => head(has_line, false, false),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes everything in reads of this size; each request has the next of the bodies. Returns what was handed on, and
    /// whether there was a bare LF.
    fn follow(bytes: &[u8], read: usize, bodies: &[BodyLength]) -> (Vec<u8>, bool) {
        let (mut heads, mut bodies) = (Heads::new(), bodies.iter());
        let mut handed = Vec::new();
        for chunk in bytes.chunks(read) {
            let mut rest = chunk.to_vec();
            while !rest.is_empty() {
                if heads.waits() {
                    match bodies.next() {
                        Some(body) => heads.request_begins(*body),
                        None => return (handed, heads.has_bare_lf()),
                    }
                }
                let count = heads.pass(&rest);
                handed.extend(rest.drain(..count));
            }
        }
        (handed, heads.has_bare_lf())
    }

    fn has_bare_lf(text: &str, bodies: &[BodyLength]) -> bool {
        let found: Vec<bool> = [1, 2, 3, 7, 1000]
            .map(|read| follow(text.as_bytes(), read, bodies).1)
            .to_vec();
        assert!(found.iter().all(|each| *each == found[0]), "{text:?}: {found:?}");
        found[0]
    }

    #[test]
    fn a_bare_lf_is_found_in_every_head_and_in_no_body() {
        use BodyLength::{Known, Unknown};
        let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let post = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n\n{}\n";
        let all = [Known(0), Known(4), Known(0), Known(4)];
        assert!(!has_bare_lf(&format!("{get}{post}{get}{post}"), &all));
        assert!(!has_bare_lf(&format!("\r\n\r\n{get}\r\n{post}"), &all));
        for bad in [
            "GET / HTTP/1.1\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\nY: z\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\n",
            "GET / HTTP/1.1\r\nHost: x\n\r\n",
            "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "PRI * HTTP/2.0\r\n\nSM\r\n\r\n",
        ] {
            assert!(has_bare_lf(bad, &all), "{bad:?}");
            assert!(
                has_bare_lf(&format!("{get}{post}{bad}"), &all),
                "behind others: {bad:?}"
            );
        }
        // The request is the last one, whatever comes behind it.
        assert!(!has_bare_lf(&format!("{get}\nGET"), &[Unknown]));
    }

    #[test]
    fn what_lies_behind_a_head_waits_for_its_request() {
        let text = b"GET / HTTP/1.1\r\n\r\nPOST";
        for read in [1, 5, 1000] {
            let (handed, _) = follow(text, read, &[]);
            assert_eq!(handed, b"GET / HTTP/1.1\r\n\r\n", "{read}");
        }
    }

    #[test]
    fn http2_passes_whatever_its_frames_hold() {
        let text = [HTTP2_PREFACE, b"\n\n\x00\n"].concat();
        for read in [1, 18, 24, 1000] {
            assert_eq!(follow(&text, read, &[]), (text.clone(), false), "{read}");
        }
    }
}
