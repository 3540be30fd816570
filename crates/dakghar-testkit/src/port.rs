//! Ports of this machine for servers that tests start, kill and start again.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};

/// Below the range from which Linux takes the ports of outgoing connections (from 32,768), so that none of them gets
/// the port of a server between its death and its restart; as is the port ten thousand above, on which the nodes of a
/// Redis Cluster talk to each other.
const PORTS: Range<u16> = 12_000..22_000;

/// A port that is one test's own for as long as this value lives, whether or not something listens there: no other
/// test claims it, in this process or another.
///
/// To ask the system for a free port is not enough for that: it gives the same one to the next who asks while the
/// server is still starting, down or behind a proxy that refuses connections.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// A socket whose name stands for the port. The system has one of each name and forgets it with the process.
    _claim: UnixDatagram,
}

impl Port {
    /// Claims a port on which nobody listens.
    ///
    /// # Panics
    ///
    /// When the system does not let a socket be made.
    pub fn claim() -> Self {
        loop {
            let span = u64::from(PORTS.end - PORTS.start);
            let offset = RandomState::new().hash_one(()) % span;
            let number = PORTS.start + u16::try_from(offset).expect("the span of ports fits");
            if let Some(port) = Self::claim_number(number) {
                return port;
            }
        }
    }

    /// `None` when the port is another test's, or somebody listens there.
    fn claim_number(number: u16) -> Option<Self> {
        let name = UnixAddr::from_abstract_name(format!("dakghar-test-port-{number}")).expect("a short name");
        let claim = match UnixDatagram::bind_addr(&name) {
            Ok(claim) => claim,
            Err(error) if error.kind() == ErrorKind::AddrInUse => return None,
            Err(error) => panic!("cannot claim port {number}: {error}"),
        };
        // After the claim: a look at another test's port would itself take it for a moment.
        TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number))).ok()?;
        Some(Self { number, _claim: claim })
    }

    /// The port itself.
    pub const fn number(&self) -> u16 {
        self.number
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_claimed_once_until_it_is_given_back() {
        let port = Port::claim();
        let number = port.number();
        assert!(Port::claim_number(number).is_none());
        drop(port);
        // Another test may have taken it meanwhile, and gives it back.
        while Port::claim_number(number).is_none() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_not_claimed() {
        let port = Port::claim();
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port.number())));
        let _listener = listener.expect("nobody else takes it");
        let number = port.number();
        drop(port);
        assert!(Port::claim_number(number).is_none());
    }
}
