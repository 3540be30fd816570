//! Whose a connection is: which process of this machine holds its other end.

use std::net::SocketAddr;

/// How often the kernel's list is read until a socket is found. The list is not a snapshot: while others connect and
/// end, one that is there all the time may be missing from a reading.
const READINGS_MAX: usize = 50;

/// Whether the process holds the socket from this address to that one.
pub(super) fn owns(process: u32, from: SocketAddr, to: SocketAddr) -> bool {
    let Some(socket) = (0..READINGS_MAX).find_map(|_| socket(from, to)) else {
        return false;
    };
    let link = format!("socket:[{socket}]");
    let Ok(open) = std::fs::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    open.flatten()
        .any(|file| std::fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == link.as_str()))
}

/// The number of the socket from this address to that one, as the kernel lists it. Both, because the port may be in use
/// towards others, too.
fn socket(from: SocketAddr, to: SocketAddr) -> Option<String> {
    let (from, to) = (listed(from)?, listed(to)?);
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let is_it = columns.next() == Some(&from) && columns.next() == Some(&to);
        is_it.then(|| columns.nth(6).map(str::to_owned)).flatten()
    })
}

/// An address as the kernel writes it in its list.
fn listed(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    let ip = u32::from_le_bytes(address.ip().octets());
    Some(format!("{ip:08X}:{:04X}", address.port()))
}
