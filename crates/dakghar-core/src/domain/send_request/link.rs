//! Checks links that Meta or Dakghar will fetch: public, over https, to a host that is what it seems to be.
//!
//! Names are not resolved here. A host that is an odd spelling of an address (numbers in octal or hex, a missing part)
//! is refused rather than understood.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The most bytes of a link.
pub const LINK_BYTES_MAX: usize = 2_048;
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;
/// Names that mean something only inside a network.
const PRIVATE_SUFFIXES: [&str; 6] = ["localhost", "local", "internal", "intranet", "lan", "home.arpa"];

/// The reason a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// It is not an https URL that we accept.
    Malformed(&'static str),
    /// It points, or may point, into a private network.
    Private,
}

/// Accepts a public https URL.
pub fn check_public_https(link: &str) -> Result<(), LinkFault> {
    let malformed = |message| Err(LinkFault::Malformed(message));
    if link.len() > LINK_BYTES_MAX {
        return malformed("must have 2,048 bytes at most");
    }
    if link.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return malformed("must not contain spaces, control characters or backslashes");
    }
    let Some(rest) = link
        .split_at_checked("https://".len())
        .and_then(|(scheme, rest)| scheme.eq_ignore_ascii_case("https://").then_some(rest))
    else {
        return malformed("must start with https://");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return malformed("must not contain a user name or password");
    }
    if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((address, after)) = bracketed.split_once(']') else {
            return malformed("has a broken IPv6 address");
        };
        check_port(after)?;
        return match address.parse::<Ipv6Addr>() {
            Ok(address) if is_public_v6(address) => Ok(()),
            Ok(_) => Err(LinkFault::Private),
            Err(_) => malformed("has a broken IPv6 address"),
        };
    }
    let host_end = authority.find(':').unwrap_or(authority.len());
    let (host, port) = authority.split_at(host_end);
    check_port(port)?;
    check_host(host)
}

/// Accepts nothing, or a colon and a port.
fn check_port(text: &str) -> Result<(), LinkFault> {
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|number| number > 0)
    };
    if text.is_empty() || text.strip_prefix(':').is_some_and(is_port) {
        Ok(())
    } else {
        Err(LinkFault::Malformed("has a broken port"))
    }
}

fn check_host(host: &str) -> Result<(), LinkFault> {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return if is_public_v4(address) {
            Ok(())
        } else {
            Err(LinkFault::Private)
        };
    }
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.split('.').all(is_label) {
        return Err(LinkFault::Malformed(
            "must name a host in ASCII letters, digits, dots and hyphens",
        ));
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    // Resolvers read a name whose last part is a number as an IPv4 address in one of its odd spellings.
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"));
    if is_number || !host.contains('.') || PRIVATE_SUFFIXES.iter().any(|suffix| is_below(host, suffix)) {
        return Err(LinkFault::Private);
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_below(host: &str, suffix: &str) -> bool {
    host.len().checked_sub(suffix.len()).is_some_and(|start| {
        host.is_char_boundary(start)
            && host[start..].eq_ignore_ascii_case(suffix)
            && (start == 0 || host.as_bytes()[start - 1] == b'.')
    })
}

/// True if the address is reachable from everywhere: in none of the blocks that IANA lists as special.
pub fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// True if the address is global unicast, and not a way to address something else: tunnels, documentation.
pub fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_global = a & 0xe000 == 0x2000;
    let is_protocol_block = a == 0x2001 && b < 0x0200;
    let is_documentation = (a == 0x2001 && b == 0x0db8) || (a == 0x3fff && b < 0x1000);
    is_global && !is_protocol_block && !is_documentation && a != 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_https_links_pass() {
        for link in [
            "https://example.com",
            "HTTPS://Example.COM/a.jpg",
            "https://cdn.example.co.in:8443/a/b.pdf?x=1&y=%20#p",
            "https://example.com/ছবি.jpg",
            "https://a_b.s3.amazonaws.com/x",
            "https://xn--fiqs8s.example/",
            "https://3com.com/",
            "https://8.8.8.8/a",
            "https://[2606:4700::1111]:443/a",
            "https://notlocal.example/",
            "https://local.example/",
        ] {
            assert_eq!(check_public_https(link), Ok(()), "{link}");
        }
    }

    #[test]
    fn everything_that_is_not_plainly_https_is_malformed() {
        for link in [
            "",
            "https://",
            "https:///a",
            "https:example.com",
            "http://example.com/a",
            "file:///etc/passwd",
            "ftp://example.com/a",
            "javascript:alert(1)",
            "//example.com/a",
            " https://example.com",
            "https://example.com/a b",
            "https://example.com/a\n",
            "https://example.com\\@evil.example/",
            "https://user@example.com/",
            "https://user:secret@example.com/",
            "https://example.com:/",
            "https://example.com:0/",
            "https://example.com:65536/",
            "https://example.com:+80/",
            "https://example.com:80:80/",
            "https://example.com./",
            "https://.example.com/",
            "https://exa%6dple.com/",
            "https://-a.example.com/",
            "https://ex\u{e4}mple.com/",
            "https://\u{ff11}27.0.0.1/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[fe80::1%25eth0]/",
            "https://[1.2.3.4]/",
        ] {
            assert!(
                matches!(check_public_https(link), Err(LinkFault::Malformed(_))),
                "{link}"
            );
        }
        let long = format!("https://example.com/{}", "a".repeat(LINK_BYTES_MAX));
        assert!(check_public_https(&long).is_err());
    }

    #[test]
    fn hosts_that_are_or_may_be_private_are_refused() {
        for host in [
            "localhost",
            "LOCALHOST",
            "a.localhost",
            "printer.local",
            "metadata.google.internal",
            "router",
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            // Other spellings of 127.0.0.1.
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "127.1",
            "0177.0.0.1",
            "127.0.0.01",
            "a.0x7f",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:8.8.8.8]",
            "[64:ff9b::7f00:1]",
            "[fc00::1]",
            "[fe80::1]",
            "[ff02::1]",
            "[2001::1]",
            "[2001:db8::1]",
            "[2002:7f00:1::]",
            "[3fff::1]",
        ] {
            let link = format!("https://{host}:8443/a");
            assert_eq!(check_public_https(&link), Err(LinkFault::Private), "{link}");
        }
    }

    #[test]
    fn the_neighbours_of_private_blocks_are_public() {
        for address in [
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "223.255.255.255",
        ] {
            assert!(is_public_v4(address.parse().expect("an address")), "{address}");
        }
    }
}
