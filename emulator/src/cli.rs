//! The command line, which is a contract: other programs start the emulator.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// A local cloud: Azure and Huawei Cloud services that keep certificates, over TLS, all on one port, told apart by Host.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Domain under which the services have their hosts: login.DOMAIN, arm.DOMAIN, NAME.vault.DOMAIN …
    #[arg(long, default_value = "localhost")]
    pub domain: String,
    /// Folder that keeps the CA and the state, so that a restart goes on where the emulator ended
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// JSON file with the world to start from, in place of the seeded one
    #[arg(long)]
    pub world: Option<PathBuf>,
}
