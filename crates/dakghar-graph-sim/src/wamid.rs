//! Message ids in the shape of Meta's: `wamid.` and the base64 of a small binary record that holds
//! the other party and a unique part.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::clock;

/// Which way a message goes; it shows in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Outbound,
    Inbound,
}

/// Makes ids that no other simulator on the same database made before: the unique part is the start
/// time in microseconds and a counter.
#[derive(Debug)]
pub(crate) struct WamidFactory {
    started_us: [u8; 5],
    counter: AtomicU32,
}

impl WamidFactory {
    pub(crate) fn started_now() -> Self {
        let since_epoch = clock::since_epoch();
        let [_, _, _, started_us @ ..] =
            (since_epoch.as_secs() * 1_000_000 + u64::from(since_epoch.subsec_micros())).to_be_bytes();
        Self {
            started_us,
            counter: AtomicU32::new(0),
        }
    }

    pub(crate) fn next(&self, direction: Direction, party: &str) -> String {
        let unique = self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let party = party.as_bytes();
        let party = &party[..party.len().min(usize::from(u8::MAX))];
        let mut record = Vec::with_capacity(party.len() + 32);
        record.extend([0x1c, 0x18, u8::try_from(party.len()).unwrap_or(u8::MAX)]);
        record.extend(party);
        let kind = match direction {
            Direction::Outbound => 0x11,
            Direction::Inbound => 0x12,
        };
        record.extend([0x15, 0x02, 0x00, kind, 0x18, 0x12]);
        let mut hex_digits = [0_u8; 18];
        hex::encode_to_slice(self.started_us, &mut hex_digits[..10]).expect("five bytes are ten digits");
        hex::encode_to_slice(unique, &mut hex_digits[10..]).expect("four bytes are eight digits");
        hex_digits.make_ascii_uppercase();
        record.extend(hex_digits);
        record.push(0);
        format!("wamid.{}", STANDARD.encode(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_shape_of_a_wamid_and_never_repeats() {
        let factory = WamidFactory::started_now();
        let first = factory.next(Direction::Outbound, "16505551234");
        let second = factory.next(Direction::Outbound, "16505551234");
        assert!(first.starts_with("wamid.HBgLMTY1MDU1NTEyMzQVAgAR"), "{first}");
        assert_ne!(first, second);
        let inbound = factory.next(Direction::Inbound, "16505551234");
        assert!(inbound.starts_with("wamid.HBgLMTY1MDU1NTEyMzQVAgAS"), "{inbound}");
    }
}
