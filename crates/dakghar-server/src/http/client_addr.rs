//! The address of a client: that of its connection, or behind a trusted proxy the one the proxy names.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

const X_FORWARDED_FOR: &str = "x-forwarded-for";
/// The part of an IPv6 address that one client has for itself.
const IPV6_CLIENT_BITS: u32 = 64;

/// The address of a request's client, as an extension of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientAddr(pub(super) IpAddr);

impl ClientAddr {
    /// Returns the address by which the client of the request with these extensions is counted; `None` if it came over no
    /// connection.
    pub(super) fn of(extensions: &Extensions) -> Option<IpAddr> {
        Self::exact(extensions).map(counted)
    }

    /// Returns the client's whole address, which ranges are compared with.
    pub(super) fn exact(extensions: &Extensions) -> Option<IpAddr> {
        extensions.get::<Self>().map(|Self(addr)| *addr)
    }
}

/// Returns the address by which a client is counted: IPv4 also where it is written as IPv6, and of IPv6 the network,
/// because its addresses cost a client nothing.
pub(super) fn counted(addr: IpAddr) -> IpAddr {
    match addr.to_canonical() {
        IpAddr::V4(addr) => IpAddr::V4(addr),
        IpAddr::V6(addr) => {
            let network = addr.to_bits() & (u128::MAX << (128 - IPV6_CLIENT_BITS));
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

/// True if what this peer says about its clients is believed.
pub(super) fn is_trusted(peer: IpAddr, trusted: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    trusted.iter().any(|network| network.contains(&peer))
}

/// Returns the address that trusted proxies name: the last one that is not a trusted proxy itself, because everything
/// before it was written by strangers. `None` if there is none, or one cannot be read.
pub(super) fn forwarded(headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut named = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        named.extend(value.to_str().ok()?.split(',').map(str::trim));
    }
    for text in named.into_iter().rev() {
        let addr: IpAddr = text.parse().ok()?;
        if !is_trusted(addr, trusted) {
            return Some(addr);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn named(values: &[&str]) -> Option<IpAddr> {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(X_FORWARDED_FOR, value.parse().expect("a value"));
        }
        forwarded(&headers, &trusted)
    }

    #[test]
    fn only_what_a_trusted_proxy_added_is_believed() {
        assert_eq!(named(&["203.0.113.7"]), Some(ip("203.0.113.7")));
        assert_eq!(
            named(&["1.2.3.4, 203.0.113.7"]),
            Some(ip("203.0.113.7")),
            "the first is the client's own"
        );
        assert_eq!(
            named(&["1.2.3.4", "203.0.113.7, 10.1.1.1"]),
            Some(ip("203.0.113.7")),
            "through two proxies"
        );
        assert_eq!(named(&["10.1.1.1"]), None);
        assert_eq!(named(&["1.2.3.4, nonsense"]), None);
        assert_eq!(named(&[]), None);
    }

    #[test]
    fn a_client_is_counted_once_however_its_address_is_written() {
        assert_eq!(counted(ip("::ffff:1.2.3.4")), ip("1.2.3.4"));
        assert_eq!(counted(ip("2001:db8:1:2:3:4:5:6")), counted(ip("2001:db8:1:2::9")));
        assert_ne!(counted(ip("2001:db8:1:2::1")), counted(ip("2001:db8:1:3::1")));
        assert!(is_trusted(
            ip("::ffff:10.0.0.1"),
            &["10.0.0.0/8".parse().expect("a network")]
        ));
    }
}
