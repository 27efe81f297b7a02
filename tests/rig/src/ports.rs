//! Free ports of the loopback address.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// `N` different ports that were free a moment ago. Another process may take one before it is used; who starts a server
/// on it is prepared to try again.
pub fn free<const N: usize>() -> Result<[u16; N]> {
    // All are held until the last is found, as the system may otherwise give the same one twice.
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("binding to a free port")?;
        *port = listener.local_addr().context("reading the port")?.port();
        held.push(listener);
    }
    Ok(ports)
}
