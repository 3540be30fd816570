//! Whose a connection is: which process of this machine holds its other end.

use std::net::SocketAddr;

/// Whether the process holds the socket with this address of its own.
pub(super) fn owns(process: u32, address: SocketAddr) -> bool {
    let Some(socket) = socket(address) else { return false };
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
