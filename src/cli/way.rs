//! How clouds are reached: directly, or through a proxy.

use std::fmt;

use anyhow::{Context, Result};

use crate::providers::Proxy;

/// The way to the clouds.
#[derive(clap::Args)]
pub(super) struct Way {
    /// Proxy by which the clouds are reached, as `http://[user:password@]host:port`; directly unless set. The usual
    /// variables for proxies are not read.
    #[arg(long, global = true, env = "CERTFERRY_PROXY", hide_env_values = true, value_name = "URL")]
    proxy: Option<String>,
    /// What is reached without the proxy, separated by commas: hosts, domains with all below them, addresses, and ranges
    /// such as `10.0.0.0/8`.
    #[arg(long, global = true, env = "CERTFERRY_NO_PROXY", default_value = "", value_name = "HOSTS")]
    no_proxy: String,
}

/// The URL may hold a password.
impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("no_proxy", &self.no_proxy).finish_non_exhaustive()
    }
}

impl Way {
    /// The proxy, if there is one.
    pub(super) fn proxy(&self) -> Result<Option<Proxy>> {
        let parsed = self.proxy.as_deref().map(|url| Proxy::parse(url, &self.no_proxy)).transpose();
        parsed.context("the proxy cannot be used")
    }
}
