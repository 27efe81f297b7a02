//! The way out of a network that is left through a proxy.

use std::fmt;

use reqwest::{NoProxy, Url};

/// A proxy that opens tunnels (CONNECT, RFC 9110 §9.3.6), and what is reached without it. It sees the names of hosts, and
/// resolves them: which addresses may be dialled is its own to decide.
#[derive(Clone)]
pub struct Proxy(reqwest::Proxy);

/// What is wrong with a proxy's URL. Says nothing of it, as it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give it as http://[user:password@]host:port, without a path; one on this machine as 127.0.0.1")]
pub struct BadProxy;

/// The machine itself: to a proxy these are its own.
const MACHINE: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16";

impl Proxy {
    /// The proxy at `http://[user:password@]host:port`. Without it are reached the hosts, domains with all below them,
    /// addresses and ranges (`10.0.0.0/8`) of `except`, separated by commas; and the machine itself.
    pub fn parse(url: &str, except: &str) -> Result<Self, BadProxy> {
        let url = Url::parse(url).map_err(|_| BadProxy)?;
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        // To names of this machine no cloud may resolve, and so no proxy either.
        let named = url.domain().is_some_and(|it| it == "localhost" || it.ends_with(".localhost"));
        if url.scheme() != "http" || !url.has_host() || !plain || named {
            return Err(BadProxy);
        }
        let proxy = reqwest::Proxy::https(url).map_err(|_| BadProxy)?;
        Ok(Self(proxy.no_proxy(NoProxy::from_string(&format!("{MACHINE},{except}")))))
    }

    pub(super) fn way(&self) -> reqwest::Proxy {
        self.0.clone()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(..)")
    }
}

#[cfg(test)]
pub(crate) mod tests;
