//! Where a call goes: an origin, parsed once and compared ever after. One strict parser of our own, so that no
//! text means one host to the check and another to the connection.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An origin: a host and a port, and nothing else. Https, but for the one that machines have for themselves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    scheme: Scheme,
    host: Host,
    port: u16,
}

/// How an endpoint is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    Https,
    /// Only for the instance metadata service.
    Http,
}

/// The address of the instance metadata service (Azure, AWS and others: the same).
pub(super) const INSTANCE_METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// A host as it stands in an [`Endpoint`]: lower-case name, or an address in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

/// Why a text is no [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    /// It does not begin with `https://`.
    #[error("must begin with https://")]
    NotHttps,
    /// It has user information, a path, a query or a fragment.
    #[error("must be https://host or https://host:port, without user, path, query or fragment")]
    NotAnOrigin,
    /// Its host is neither a DNS name nor an address in the usual notation.
    #[error("must name its host by a plain DNS name (letters, digits, hyphens and dots, no dot at the end)")]
    BadHost,
    /// Its port is not a number from 1 to 65535.
    #[error("must have a port from 1 to 65535, or none")]
    BadPort,
}

impl Endpoint {
    /// Parses `https://host[:port]`; one slash at the end is allowed.
    pub fn parse(text: &str) -> Result<Self, BadEndpoint> {
        let rest = text.strip_prefix("https://").ok_or(BadEndpoint::NotHttps)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '\\', '?', '#', '@']) {
            return Err(BadEndpoint::NotAnOrigin);
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (address, after) = inner.split_once(']').ok_or(BadEndpoint::BadHost)?;
                let address: Ipv6Addr = address.parse().map_err(|_| BadEndpoint::BadHost)?;
                let port = match after.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if after.is_empty() => None,
                    None => return Err(BadEndpoint::BadHost),
                };
                (Host::Address(address.into()), port)
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (named(host)?, Some(port)),
                None => (named(authority)?, None),
            },
        };
        Ok(Self { scheme: Scheme::Https, host, port: port.map_or(Ok(443), number)? })
    }

    /// The machine's own instance metadata service. It speaks plain HTTP; the machine's virtual network carries it.
    pub fn instance_metadata() -> Self {
        Self { scheme: Scheme::Http, host: Host::Address(INSTANCE_METADATA), port: 80 }
    }

    /// Its host, with the port if that is not the scheme's own: what a `Host` header says.
    pub fn authority(&self) -> String {
        match self.port {
            port if port == self.scheme.port() => self.host.to_string(),
            port => format!("{}:{port}", self.host),
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// The port, 443 unless the text had another.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.text(), self.authority())
    }
}

impl Scheme {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A DNS name, or an IPv4 address in dotted decimals. The last label of a name begins with a letter, since URL parsers
/// read `1`, `0x7f` and the like there as an address (WHATWG URL, "ends in a number").
fn named(text: &str) -> Result<Host, BadEndpoint> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_alphabetic =
        text.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_alphabetic()));
    if text.len() <= 253 && text.split('.').all(label) && last_is_alphabetic {
        Ok(Host::Name(text.to_ascii_lowercase()))
    } else {
        Err(BadEndpoint::BadHost)
    }
}

fn number(text: &str) -> Result<u16, BadEndpoint> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(BadEndpoint::BadPort),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_kept_in_one_form() {
        let table = [
            ("https://management.azure.com", "https://management.azure.com"),
            ("https://management.azure.com/", "https://management.azure.com"),
            ("https://Management.Azure.COM:443", "https://management.azure.com"),
            ("https://arm.localhost:8443", "https://arm.localhost:8443"),
            ("https://localhost", "https://localhost"),
            ("https://10.0.0.1", "https://10.0.0.1"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("https://[0:0::FFFF:A9FE:A9FE]", "https://[::ffff:169.254.169.254]"),
        ];
        for (text, origin) in table {
            assert_eq!(Endpoint::parse(text).map(|e| e.to_string()), Ok(origin.to_owned()), "{text}");
        }
    }

    #[test]
    fn only_the_instance_metadata_service_is_spoken_to_in_the_clear() {
        assert_eq!(Endpoint::instance_metadata().to_string(), "http://169.254.169.254");
        assert_eq!(Endpoint::parse("http://169.254.169.254"), Err(BadEndpoint::NotHttps));
    }

    #[test]
    fn hosts_that_pretend_are_refused() {
        use BadEndpoint::*;
        let table = [
            ("", NotHttps),
            ("http://a.example", NotHttps),
            ("HTTPS://a.example", NotHttps),
            (" https://a.example", NotHttps),
            ("https:/a.example", NotHttps),
            ("https:\\\\a.example", NotHttps),
            ("https://", BadHost),
            ("https:///", BadHost),
            ("https:////", NotAnOrigin),
            ("https://a@evil.example", NotAnOrigin),
            ("https://evil.example#.vault.azure.net", NotAnOrigin),
            ("https://evil.example\\.vault.azure.net", NotAnOrigin),
            ("https://evil.example/.vault.azure.net", NotAnOrigin),
            ("https://evil.example?.vault.azure.net", NotAnOrigin),
            ("https://evil.example//", NotAnOrigin),
            ("https://ev\til.example", BadHost),
            ("https://evil.example\n", BadHost),
            ("https://evil .example", BadHost),
            ("https://evil%2eexample", BadHost),
            ("https://a\0.example", BadHost),
            ("https://0xA9FEA9FE", BadHost),
            ("https://0xa9.0xfe.0xa9.0xfe", BadHost),
            ("https://2852039166", BadHost),
            ("https://0251.0376.0251.0376", BadHost),
            ("https://169.254.43518", BadHost),
            ("https://127.1", BadHost),
            ("https://a.example.", BadHost),
            ("https://a..example", BadHost),
            ("https://.example", BadHost),
            ("https://-a.example", BadHost),
            ("https://a_b.example", BadHost),
            ("https://a\u{3002}example", BadHost),
            ("https://\u{ff41}.example", BadHost),
            ("https://\u{202e}a.example", BadHost),
            ("https://[::1", BadHost),
            ("https://[::1]x", BadHost),
            ("https://[fe80::1%25eth0]", BadHost),
            ("https://::1", BadHost),
            ("https://a.example:", BadPort),
            ("https://a.example:0", BadPort),
            ("https://a.example:65536", BadPort),
            ("https://a.example:+1", BadPort),
            ("https://a.example:44 3", BadPort),
            ("https://a.example:443:443", BadPort),
        ];
        for (text, why) in table {
            assert_eq!(Endpoint::parse(text), Err(why), "{text:?}");
        }
        assert!(Endpoint::parse(&format!("https://{}.example", "a".repeat(64))).is_err());
        assert!(Endpoint::parse(&format!("https://{}example", "a.".repeat(125))).is_err());
    }
}
