//! Whose a connection is: which process of this machine holds its other end.

use std::net::SocketAddr;

/// How often the kernel's list is read until a socket is found. The list is not a snapshot: while others connect and
/// end, one that is there all the time may be missing from a reading.
const READINGS_MAX: usize = 50;

/// Whether the process holds the socket with this address of its own.
pub(super) fn owns(process: u32, address: SocketAddr) -> bool {
    let Some(socket) = (0..READINGS_MAX).find_map(|_| socket(address)) else {
        return false;
    };
    let link = format!("socket:[{socket}]");
    let Ok(open) = std::fs::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    open.flatten()
        .any(|file| std::fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == link.as_str()))
}

/// The number of the socket with this address of its own, as the kernel lists it.
fn socket(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    let ip = u32::from_le_bytes(address.ip().octets());
    let wanted = format!("{ip:08X}:{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let line = table
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(&wanted))?;
    line.split_whitespace().nth(9).map(str::to_owned)
}
