//! Addresses that nobody may make Dakghar call: everything that IANA lists as special, as one table.
//!
//! An address that holds another one, such as a translated or tunnelled one, is judged by the one inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A range of addresses that is not the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialRange {
    /// The addresses.
    pub network: IpNet,
    /// What they are for, for a person.
    pub name: &'static str,
}

const fn v4(octets: [u8; 4], prefix: u8, name: &'static str) -> SpecialRange {
    let [a, b, c, d] = octets;
    SpecialRange {
        network: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)),
        name,
    }
}

/// A range by the first six groups of its first address; the others are zero.
const fn v6(groups: [u16; 6], prefix: u8, name: &'static str) -> SpecialRange {
    let [first, second, third, fourth, fifth, sixth] = groups;
    let address = Ipv6Addr::new(first, second, third, fourth, fifth, sixth, 0, 0);
    SpecialRange {
        network: IpNet::V6(Ipv6Net::new_assert(address, prefix)),
        name,
    }
}

/// Every special range, the registries of IANA in their order. Where one lies within another, the smaller is first.
pub const SPECIAL_RANGES: &[SpecialRange] = &[
    v4([0, 0, 0, 0], 8, "this network"),
    v4([10, 0, 0, 0], 8, "a private network"),
    v4([100, 64, 0, 0], 10, "a network shared behind a carrier's translation"),
    v4([127, 0, 0, 0], 8, "loopback"),
    v4([169, 254, 169, 254], 32, "the metadata of a cloud"),
    v4([169, 254, 0, 0], 16, "link-local"),
    v4([168, 63, 129, 16], 32, "the host agent of a cloud"),
    v4([172, 16, 0, 0], 12, "a private network"),
    v4([192, 0, 0, 0], 24, "assigned to protocols"),
    v4([192, 0, 2, 0], 24, "documentation"),
    v4([192, 31, 196, 0], 24, "AS112"),
    v4([192, 52, 193, 0], 24, "automatic multicast tunnelling"),
    v4([192, 88, 99, 0], 24, "relays of 6to4"),
    v4([192, 168, 0, 0], 16, "a private network"),
    v4([192, 175, 48, 0], 24, "AS112"),
    v4([198, 18, 0, 0], 15, "measurements"),
    v4([198, 51, 100, 0], 24, "documentation"),
    v4([203, 0, 113, 0], 24, "documentation"),
    v4([224, 0, 0, 0], 4, "multicast"),
    v4([255, 255, 255, 255], 32, "broadcast"),
    v4([240, 0, 0, 0], 4, "reserved"),
    v6([0; 6], 128, "no address"),
    SpecialRange {
        network: IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
        name: "loopback",
    },
    v6([0; 6], 96, "IPv4-compatible"),
    // Which part of it is an IPv4 address is known to its network only.
    v6([0x64, 0xff9b, 1, 0, 0, 0], 48, "translated to IPv4 within a network"),
    v6([0; 6], 8, "reserved"),
    v6([0x100, 0, 0, 0, 0, 0], 64, "discarded"),
    v6([0x100, 0, 0, 1, 0, 0], 64, "a prefix that stands for nothing"),
    v6([0x100, 0, 0, 0, 0, 0], 8, "reserved"),
    v6([0x200, 0, 0, 0, 0, 0], 7, "reserved"),
    v6([0x400, 0, 0, 0, 0, 0], 6, "reserved"),
    v6([0x800, 0, 0, 0, 0, 0], 5, "reserved"),
    v6([0x1000, 0, 0, 0, 0, 0], 4, "reserved"),
    v6([0x2001, 0, 0, 0, 0, 0], 32, "Teredo"),
    v6([0x2001, 2, 0, 0, 0, 0], 48, "measurements"),
    v6([0x2001, 0x10, 0, 0, 0, 0], 28, "ORCHID"),
    v6([0x2001, 0x20, 0, 0, 0, 0], 28, "ORCHID"),
    v6([0x2001, 0, 0, 0, 0, 0], 23, "assigned to protocols"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0], 32, "documentation"),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0], 48, "AS112"),
    v6([0x3fff, 0, 0, 0, 0, 0], 20, "documentation"),
    v6([0x5f00, 0, 0, 0, 0, 0], 16, "segment routing"),
    v6([0x4000, 0, 0, 0, 0, 0], 3, "reserved"),
    v6([0x6000, 0, 0, 0, 0, 0], 3, "reserved"),
    v6([0x8000, 0, 0, 0, 0, 0], 3, "reserved"),
    v6([0xa000, 0, 0, 0, 0, 0], 3, "reserved"),
    v6([0xc000, 0, 0, 0, 0, 0], 3, "reserved"),
    v6([0xe000, 0, 0, 0, 0, 0], 4, "reserved"),
    v6([0xf000, 0, 0, 0, 0, 0], 5, "reserved"),
    v6([0xf800, 0, 0, 0, 0, 0], 6, "reserved"),
    v6([0xfc00, 0, 0, 0, 0, 0], 7, "a private network"),
    v6([0xfe00, 0, 0, 0, 0, 0], 9, "reserved"),
    v6([0xfe80, 0, 0, 0, 0, 0], 10, "link-local"),
    v6([0xfec0, 0, 0, 0, 0, 0], 10, "site-local"),
    v6([0xff00, 0, 0, 0, 0, 0], 8, "multicast"),
];

/// The range of the table that the address lies in, or that the address inside of it lies in. `None` for an address of
/// the public internet.
pub fn special_range(address: IpAddr) -> Option<&'static SpecialRange> {
    let address = embedded_v4(address).map_or(address, IpAddr::V4);
    SPECIAL_RANGES.iter().find(|range| range.network.contains(&address))
}

/// The IPv4 address that packets to this IPv6 address end up at: IPv4-mapped, translated (NAT64) or tunnelled (6to4,
/// ISATAP).
pub fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let ([0, 0, 0, 0, 0, 0xffff, high, low]
    | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
    | [0x2002, high, low, ..]
    | [_, _, _, _, 0 | 0x200, 0x5efe, high, low]) = address.segments()
    else {
        return None;
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests;
