//! The fingerprint of a request. It is equal for requests with the same meaning, whatever the order of their fields,
//! their white space, escapes and spellings, and different for all others. The idempotency key is not part of it.

use aws_lc_rs::digest::{SHA256, digest};

use super::json::{Entry, Node, Number};

/// Changes with the form below, so that old and new fingerprints never meet by chance.
const FORM: u8 = 1;
/// Whole numbers up to this one are exact in a double, so `1`, `1.0` and `1e0` are one number.
const EXACT_REAL_MAX: f64 = 9_007_199_254_740_992.0;

/// Writes the canonical form. Every part starts with a tag, and every text and container with its length, so no two
/// different requests have the same form.
pub(super) struct Canonical(Vec<u8>);

impl Canonical {
    /// Makes an empty form with room for a body of this many bytes.
    pub(super) fn for_body(bytes: usize) -> Self {
        let mut form = Vec::with_capacity(2 * bytes + 64);
        form.push(FORM);
        Self(form)
    }

    pub(super) fn finish(&self) -> [u8; 32] {
        digest(&SHA256, &self.0)
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 bytes")
    }

    pub(super) fn text(&mut self, text: &str) {
        self.tag_and_len(b's', text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn whole(&mut self, number: i64) {
        self.0.push(b'i');
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Writes the start of an object. As many pairs of a name and a value must follow, sorted by name.
    pub(super) fn object(&mut self, len: usize) {
        self.tag_and_len(b'o', len);
    }

    pub(super) fn node(&mut self, node: &Node<'_>) {
        match node {
            Node::Null => self.0.push(b'0'),
            Node::Bool(false) => self.0.push(b'f'),
            Node::Bool(true) => self.0.push(b't'),
            Node::Number(number) => self.number(*number),
            Node::Text(text) => self.text(text),
            Node::List(items) => {
                self.tag_and_len(b'l', items.len());
                for item in items {
                    self.node(item);
                }
            }
            Node::Object(entries) => self.entries(entries),
        }
    }

    fn entries(&mut self, entries: &[Entry<'_>]) {
        self.object(entries.len());
        let mut write = |(name, node): &Entry<'_>| {
            self.text(name);
            self.node(node);
        };
        if entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            entries.iter().for_each(write);
        } else {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            sorted.into_iter().for_each(&mut write);
        }
    }

    fn number(&mut self, number: Number) {
        match number {
            Number::Negative(number) => self.whole(number),
            Number::Natural(number) => {
                if let Ok(number) = i64::try_from(number) {
                    self.whole(number);
                } else {
                    self.0.push(b'u');
                    self.0.extend_from_slice(&number.to_le_bytes());
                }
            }
            Number::Real(number) if number.fract() == 0.0 && number.abs() <= EXACT_REAL_MAX => {
                #[expect(clippy::cast_possible_truncation, reason = "whole, and far from the ends of i64")]
                self.whole(number as i64);
            }
            Number::Real(number) => {
                self.0.push(b'r');
                self.0.extend_from_slice(&number.to_bits().to_le_bytes());
            }
        }
    }

    fn tag_and_len(&mut self, tag: u8, len: usize) {
        self.0.push(tag);
        self.0.extend_from_slice(&(len as u64).to_le_bytes());
    }
}
