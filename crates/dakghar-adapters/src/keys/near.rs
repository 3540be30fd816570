//! The one host to which data keys may travel in the clear.

use url::{Host, Url};

/// True if an address is of this machine; `None` if it has no host.
pub(super) fn is_near(url: &Url) -> Option<bool> {
    Some(match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    })
}
