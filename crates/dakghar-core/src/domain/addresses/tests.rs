use super::*;

/// First and last address of a range, the address before and the address behind it, and whether those are public.
type Row = (&'static str, &'static str, &'static str, bool, &'static str, bool);

/// Written by hand from the registries of IANA, in the order of the table.
const ROWS: &[Row] = &[
    ("0.0.0.0", "0.255.255.255", "", false, "1.0.0.0", true),
    ("10.0.0.0", "10.255.255.255", "9.255.255.255", true, "11.0.0.0", true),
    (
        "100.64.0.0",
        "100.127.255.255",
        "100.63.255.255",
        true,
        "100.128.0.0",
        true,
    ),
    (
        "127.0.0.0",
        "127.255.255.255",
        "126.255.255.255",
        true,
        "128.0.0.0",
        true,
    ),
    (
        "169.254.169.254",
        "169.254.169.254",
        "169.254.169.253",
        false,
        "169.254.169.255",
        false,
    ),
    (
        "169.254.0.0",
        "169.254.255.255",
        "169.253.255.255",
        true,
        "169.255.0.0",
        true,
    ),
    (
        "168.63.129.16",
        "168.63.129.16",
        "168.63.129.15",
        true,
        "168.63.129.17",
        true,
    ),
    (
        "172.16.0.0",
        "172.31.255.255",
        "172.15.255.255",
        true,
        "172.32.0.0",
        true,
    ),
    ("192.0.0.0", "192.0.0.255", "191.255.255.255", true, "192.0.1.0", true),
    ("192.0.2.0", "192.0.2.255", "192.0.1.255", true, "192.0.3.0", true),
    (
        "192.31.196.0",
        "192.31.196.255",
        "192.31.195.255",
        true,
        "192.31.197.0",
        true,
    ),
    (
        "192.52.193.0",
        "192.52.193.255",
        "192.52.192.255",
        true,
        "192.52.194.0",
        true,
    ),
    (
        "192.88.99.0",
        "192.88.99.255",
        "192.88.98.255",
        true,
        "192.88.100.0",
        true,
    ),
    (
        "192.168.0.0",
        "192.168.255.255",
        "192.167.255.255",
        true,
        "192.169.0.0",
        true,
    ),
    (
        "192.175.48.0",
        "192.175.48.255",
        "192.175.47.255",
        true,
        "192.175.49.0",
        true,
    ),
    (
        "198.18.0.0",
        "198.19.255.255",
        "198.17.255.255",
        true,
        "198.20.0.0",
        true,
    ),
    (
        "198.51.100.0",
        "198.51.100.255",
        "198.51.99.255",
        true,
        "198.51.101.0",
        true,
    ),
    (
        "203.0.113.0",
        "203.0.113.255",
        "203.0.112.255",
        true,
        "203.0.114.0",
        true,
    ),
    (
        "224.0.0.0",
        "239.255.255.255",
        "223.255.255.255",
        true,
        "240.0.0.0",
        false,
    ),
    (
        "255.255.255.255",
        "255.255.255.255",
        "255.255.255.254",
        false,
        "",
        false,
    ),
    ("240.0.0.0", "255.255.255.255", "239.255.255.255", false, "", false),
    ("::", "::", "", false, "::1", false),
    ("::1", "::1", "::", false, "::2", false),
    ("::", "::ffff:ffff", "", false, "::1:0:0", false),
    (
        "64:ff9b:1::",
        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
        "64:ff9b:0:ffff:ffff:ffff:ffff:ffff",
        false,
        "64:ff9b:2::",
        false,
    ),
    ("::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", false, "100::", false),
    (
        "100::",
        "100::ffff:ffff:ffff:ffff",
        "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "100:0:0:1::",
        false,
    ),
    (
        "100:0:0:1::",
        "100:0:0:1:ffff:ffff:ffff:ffff",
        "100::ffff:ffff:ffff:ffff",
        false,
        "100:0:0:2::",
        false,
    ),
    (
        "100::",
        "1ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "200::",
        false,
    ),
    (
        "200::",
        "3ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "1ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "400::",
        false,
    ),
    (
        "400::",
        "7ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "3ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "800::",
        false,
    ),
    (
        "800::",
        "fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "7ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "1000::",
        false,
    ),
    (
        "1000::",
        "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "2000::",
        true,
    ),
    (
        "2001::",
        "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
        "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        true,
        "2001:1::",
        false,
    ),
    (
        "2001:2::",
        "2001:2:0:ffff:ffff:ffff:ffff:ffff",
        "2001:1:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "2001:2:1::",
        false,
    ),
    (
        "2001:10::",
        "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:f:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "2001:20::",
        false,
    ),
    (
        "2001:20::",
        "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "2001:30::",
        false,
    ),
    (
        "2001::",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        true,
        "2001:200::",
        true,
    ),
    (
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        true,
        "2001:db9::",
        true,
    ),
    (
        "2620:4f:8000::",
        "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
        "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
        true,
        "2620:4f:8001::",
        true,
    ),
    (
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        true,
        "3fff:1000::",
        true,
    ),
    (
        "5f00::",
        "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "5f01::",
        false,
    ),
    (
        "4000::",
        "5fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        true,
        "6000::",
        false,
    ),
    (
        "6000::",
        "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "5fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "8000::",
        false,
    ),
    (
        "8000::",
        "9fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "a000::",
        false,
    ),
    (
        "a000::",
        "bfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "9fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "c000::",
        false,
    ),
    (
        "c000::",
        "dfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "bfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "e000::",
        false,
    ),
    (
        "e000::",
        "efff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "dfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "f000::",
        false,
    ),
    (
        "f000::",
        "f7ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "efff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "f800::",
        false,
    ),
    (
        "f800::",
        "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "f7ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "fc00::",
        false,
    ),
    (
        "fc00::",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "fe00::",
        false,
    ),
    (
        "fe00::",
        "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "fe80::",
        false,
    ),
    (
        "fe80::",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "fec0::",
        false,
    ),
    (
        "fec0::",
        "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "ff00::",
        false,
    ),
    (
        "ff00::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        false,
        "",
        false,
    ),
];

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is no address"))
}

#[test]
fn each_row_begins_and_ends_where_the_registry_says() {
    assert_eq!(ROWS.len(), SPECIAL_RANGES.len());
    for (range, (first, last, before, is_before_public, behind, is_behind_public)) in SPECIAL_RANGES.iter().zip(ROWS) {
        let name = range.network;
        for (text, found) in [(first, range.network.network()), (last, range.network.broadcast())] {
            assert_eq!(found, address(text), "{name}");
            assert!(special_range(address(text)).is_some(), "{text} of {name}");
        }
        for (text, is_public) in [(before, is_before_public), (behind, is_behind_public)] {
            if text.is_empty() {
                continue;
            }
            assert!(!range.network.contains(&address(text)), "{text} beside {name}");
            assert_eq!(
                special_range(address(text)).is_none(),
                *is_public,
                "{text} beside {name}"
            );
        }
    }
}

/// A row of which no address is ever found would be a row too many, or one that stands in the wrong place.
#[test]
fn each_row_is_found() {
    for range in SPECIAL_RANGES {
        let ends = [range.network.network(), range.network.broadcast()];
        let inside = match range.network {
            IpNet::V4(network) => IpAddr::V4(Ipv4Addr::from_bits(network.network().to_bits() | 0x0700)),
            IpNet::V6(network) => IpAddr::V6(Ipv6Addr::from_bits(network.network().to_bits() | 0xabcd << 80)),
        };
        let found = ends
            .into_iter()
            .chain([inside])
            .any(|address| special_range(address) == Some(range));
        assert!(found, "{range:?}");
    }
}

#[test]
fn an_address_within_another_is_judged_by_itself() {
    for (inner, is_public) in [
        ("8.8.8.8", true),
        ("127.0.0.1", false),
        ("10.0.0.1", false),
        ("169.254.169.254", false),
        ("224.0.0.1", false),
    ] {
        let IpAddr::V4(v4) = address(inner) else { unreachable!() };
        let [a, b, c, d] = v4.octets();
        let tunnelled = format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1");
        let within = [0, 0x200].map(|kind| format!("2a00:1450:0:1:{kind:x}:5efe:{a:02x}{b:02x}:{c:02x}{d:02x}"));
        let others = [format!("::ffff:{inner}"), format!("64:ff9b::{inner}"), tunnelled];
        for outer in others.into_iter().chain(within) {
            assert_eq!(embedded_v4(address(&outer)), Some(v4), "{outer}");
            assert_eq!(special_range(address(&outer)).is_none(), is_public, "{outer}");
        }
        for outer in [
            format!("::{inner}"),
            format!("64:ff9b:1::{inner}"),
            format!("64:ff9b::1:{inner}"),
        ] {
            assert!(special_range(address(&outer)).is_some(), "{outer}");
        }
    }
}

#[test]
fn the_public_internet_is_public() {
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "157.240.1.1",
        "2606:4700::1111",
        "2a03:2880:f003::1",
        "2400::1",
    ] {
        assert_eq!(special_range(address(text)), None, "{text}");
    }
}
