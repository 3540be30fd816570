//! Where webhooks come from: an address from which one was verified may use more bytes than a stranger's.

use std::collections::VecDeque;
use std::net::IpAddr;

use dakghar_core::metrics::{Budget, Metrics};
use parking_lot::Mutex;

use super::budget::{ByteBudget, Lease, Shares};
use super::config::HttpConfig;

/// A body of so many bytes is small: nearly all of Meta's are.
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// A stranger's share of the budget in small bodies is one of so many parts.
const STRANGER_PARTS: usize = 64;
/// Addresses that are remembered, those that were seen last.
const KNOWN_MAX: usize = 1024;

/// The bytes of webhooks that are arriving or being stored, by the address that posts them.
pub(super) struct Senders {
    budget: ByteBudget<Option<IpAddr>>,
    known_shares: Shares,
    stranger_shares: Shares,
    known: Mutex<VecDeque<IpAddr>>,
}

impl Senders {
    pub(super) fn new(config: &HttpConfig, metrics: &Metrics) -> Self {
        let bytes_max = config.webhooks_bytes_max;
        let half = bytes_max / 2;
        Self {
            budget: ByteBudget::with_reserve(bytes_max, SMALL_BYTES_MAX.min(bytes_max / 8), Budget::Webhooks, metrics),
            known_shares: Shares {
                small: half,
                large: half,
            },
            // One body, however large: the first that Meta posts may be a large one.
            stranger_shares: Shares {
                small: bytes_max / STRANGER_PARTS,
                large: config.webhook_body_bytes_max.min(half),
            },
            known: Mutex::default(),
        }
    }

    /// Begins to read a webhook of this address; `None` when it came over no connection.
    pub(super) fn lease(&self, addr: Option<IpAddr>) -> Lease<Option<IpAddr>> {
        let shares = if self.is_known(addr) {
            self.known_shares
        } else {
            self.stranger_shares
        };
        self.budget.lease_of(addr, shares)
    }

    /// True if a webhook of this address was verified, or it has none.
    pub(super) fn is_known(&self, addr: Option<IpAddr>) -> bool {
        addr.is_none_or(|addr| self.known.lock().contains(&addr))
    }

    /// A webhook of this address was verified.
    pub(super) fn verified(&self, addr: Option<IpAddr>) {
        let Some(addr) = addr else { return };
        let mut known = self.known.lock();
        if known.front() == Some(&addr) {
            return;
        }
        known.retain(|other| *other != addr);
        known.push_front(addr);
        known.truncate(KNOWN_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn senders() -> Senders {
        Senders::new(&HttpConfig::default(), &Metrics::default())
    }

    fn addr(n: usize) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(n).expect("small")))
    }

    #[test]
    fn a_stranger_has_one_large_body_and_a_verified_sender_half() {
        let senders = senders();
        let (mut first, mut second) = (senders.lease(Some(addr(1))), senders.lease(Some(addr(1))));
        assert!(first.grow(4 * MIB).is_ok());
        assert!(second.grow(MIB).is_err());
        senders.verified(Some(addr(1)));
        let mut known = senders.lease(Some(addr(1)));
        assert!(known.grow(4 * MIB).is_ok());
        assert!(known.grow(8 * MIB).is_ok());
        assert!(known.grow(1).is_err(), "half of 32 MiB, with the first one");
    }

    #[test]
    fn whatever_strangers_send_a_sender_that_was_verified_has_room_for_small_ones() {
        let senders = senders();
        senders.verified(Some(addr(0)));
        let mut held = Vec::new();
        let (mut large, mut small) = (0, 0);
        for n in 1..=16 {
            for (bytes, count) in [(4 * MIB, &mut large), (SMALL_BYTES_MAX, &mut small)] {
                for _ in 0..100 {
                    let mut lease = senders.lease(Some(addr(n)));
                    if lease.grow(bytes).is_err() {
                        break;
                    }
                    *count += 1;
                    held.push(lease);
                }
            }
        }
        assert_eq!((large, small), (6, 16 * 8), "what 16 addresses get in");
        let small = || {
            let mut lease = senders.lease(Some(addr(0)));
            lease.grow(SMALL_BYTES_MAX).map(|()| lease)
        };
        assert!(small().is_err(), "16 strangers fill what is kept");
        held.truncate(held.len() - 8);
        let own: Vec<_> = std::iter::from_fn(|| small().ok()).collect();
        assert_eq!(own.len(), 8, "15 do not");
    }

    #[test]
    fn the_addresses_that_were_seen_last_are_known() {
        let senders = senders();
        for n in 0..KNOWN_MAX {
            senders.verified(Some(addr(n)));
        }
        senders.verified(Some(addr(0)));
        senders.verified(Some(addr(KNOWN_MAX)));
        let known = senders.known.lock();
        assert_eq!(known.len(), KNOWN_MAX);
        assert!(known.contains(&addr(0)) && !known.contains(&addr(1)));
    }
}
