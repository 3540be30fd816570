//! Checks links that Meta will fetch: over http or https, to a public host that is what it seems to be.
//!
//! Names are not resolved here. A host that is an odd spelling of an address (numbers in octal or hex, a missing part, wide
//! digits) is read as browsers read it.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

const HOST_BYTES_MAX: usize = 253;
/// Names that mean something only inside a network.
const PRIVATE_SUFFIXES: [&str; 6] = ["localhost", "local", "internal", "intranet", "lan", "home.arpa"];

/// The reason a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// It is not a URL that we accept.
    Malformed(&'static str),
    /// It points, or may point, into a private network.
    Private,
}

/// Accepts a public http or https URL. Meta names no limit for its length: signed links are long.
///
/// # Errors
/// The reason why it is none.
pub fn check_public(link: &str) -> Result<(), LinkFault> {
    let malformed = |message| Err(LinkFault::Malformed(message));
    if link.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return malformed("must not contain spaces, control characters or backslashes");
    }
    let Some(authority) = authority(link) else {
        return malformed("must start with https:// or http://");
    };
    if authority.contains('@') {
        return malformed("must not contain a user name or password");
    }
    // A port that is the usual one of its scheme is gone after parsing, and one that is empty is no mistake to a browser.
    if authority.contains('%') || authority.ends_with(':') {
        return malformed("has a broken host or port");
    }
    let Ok(url) = Url::parse(link) else {
        return malformed("has a broken host or port");
    };
    if url.port() == Some(0) {
        return malformed("has a broken port");
    }
    match url.host() {
        Some(Host::Ipv4(address)) if is_public_v4(address) => Ok(()),
        Some(Host::Ipv6(address)) if is_public_v6(address) => Ok(()),
        Some(Host::Domain(name)) => check_name(name),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => Err(LinkFault::Private),
        None => malformed("must name a host"),
    }
}

/// The part of a link that names the host, as it was written.
fn authority(link: &str) -> Option<&str> {
    let rest = ["https://", "http://"].iter().find_map(|scheme| {
        let (given, rest) = link.split_at_checked(scheme.len())?;
        given.eq_ignore_ascii_case(scheme).then_some(rest)
    })?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (!authority.is_empty()).then_some(authority)
}

/// Judges a name in the form in which it is looked up, so in ASCII.
fn check_name(name: &str) -> Result<(), LinkFault> {
    if name.len() > HOST_BYTES_MAX || name.split('.').any(str::is_empty) {
        return Err(LinkFault::Malformed("must name a host"));
    }
    if !name.contains('.') || PRIVATE_SUFFIXES.iter().any(|suffix| is_below(name, suffix)) {
        return Err(LinkFault::Private);
    }
    Ok(())
}

fn is_below(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// True if the address is reachable from everywhere: in none of the blocks that IANA lists as special.
fn is_public_v4(address: Ipv4Addr) -> bool {
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
fn is_public_v6(address: Ipv6Addr) -> bool {
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
    fn public_links_pass() {
        let signed = format!(
            "https://bucket.s3.amazonaws.com/a.pdf?X-Amz-Security-Token={}",
            "A".repeat(4_000)
        );
        for link in [
            "https://example.com",
            "http://cdn.example.com/a.jpg",
            "HTTPS://Example.COM/a.jpg",
            "https://cdn.example.co.in:8443/a/b.pdf?x=1&y=%20#p",
            "https://example.com/ছবি.jpg",
            "https://ডাকঘর.বাংলা/ছবি.jpg",
            "https://ex\u{e4}mple.com/",
            "https://a_b.s3.amazonaws.com/x",
            "https://xn--fiqs8s.example/",
            "https://3com.com/",
            "https://8.8.8.8/a",
            "https://[2606:4700::1111]:443/a",
            "https://notlocal.example/",
            "https://local.example/",
            &signed,
        ] {
            assert_eq!(check_public(link), Ok(()), "{link}");
        }
    }

    #[test]
    fn everything_that_is_not_plainly_a_web_link_is_malformed() {
        for link in [
            "",
            "https://",
            "https:///a",
            "https:example.com",
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
            "https://[::1/",
            "https://[::1]x/",
            "https://[fe80::1%25eth0]/",
            "https://[1.2.3.4]/",
        ] {
            assert!(matches!(check_public(link), Err(LinkFault::Malformed(_))), "{link}");
        }
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
            "\u{ff11}27.0.0.1",
            "127\u{3002}0\u{3002}0\u{3002}1",
            "\u{24db}ocalhost",
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
            assert_eq!(check_public(&link), Err(LinkFault::Private), "{link}");
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
