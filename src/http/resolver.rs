//! Names to addresses, and which addresses may be dialled. What was checked here is what is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::endpoint::INSTANCE_METADATA;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolves through the system, except names under `.localhost`, and lets through only addresses that may be dialled.
#[derive(Clone, Copy)]
pub(super) struct Resolver {
    pub(super) reach: Reach,
}

/// Which addresses may be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All but loopback, link-local, multicast and unspecified. Private ones are where private endpoints stand.
    Clouds,
    /// Loopback as well: an administrator's own endpoints.
    Loopback,
    /// The instance metadata service alone.
    InstanceMetadata,
}

/// A name has an address that may not be dialled.
#[derive(Debug, thiserror::Error)]
#[error("an address that may not be dialled")]
pub(super) struct ForbiddenAddress;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        Box::pin(async move {
            let found: Vec<SocketAddr> = if is_localhost(name.as_str()) {
                vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]
            } else {
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect()
            };
            // One bad address condemns the name: a mix is how a rebinding answer looks.
            if found.iter().all(|address| reach.allows(address.ip())) {
                Ok(Box::new(found.into_iter()) as Addrs)
            } else {
                Err(ForbiddenAddress.into())
            }
        })
    }
}

impl Reach {
    /// Whether the address may be dialled.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        if self == Self::InstanceMetadata {
            return address == INSTANCE_METADATA;
        }
        let v4 = match address {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(v6) => embedded(v6),
        };
        let (loopback, never) = match (v4, address) {
            (Some(v4), _) | (None, IpAddr::V4(v4)) => (
                v4.is_loopback(),
                v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || v4.octets()[0] == 0,
            ),
            (None, IpAddr::V6(v6)) => {
                (v6.is_loopback(), v6.is_unicast_link_local() || v6.is_multicast() || v6.is_unspecified())
            }
        };
        !never && (!loopback || self == Self::Loopback)
    }
}

/// The IPv4 address inside an IPv6 one: mapped (`::ffff:0:0/96`), compatible (`::/96`) or translated (`64:ff9b::/96`).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let (prefix, last) = octets.split_at(12);
    let carries = match prefix {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] => true,
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0] => true,
        // `::` and `::1` are IPv6's own.
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] => !address.is_unspecified() && !address.is_loopback(),
        _ => false,
    };
    let &[a, b, c, d] = last else { return None };
    carries.then(|| Ipv4Addr::new(a, b, c, d))
}

/// RFC 6761 §6.3: these names are loopback, whatever a name server says; the system's library often asks one.
fn is_localhost(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_clouds_are_dialled() {
        let table = [
            // address, for clouds, for an administrator's own endpoints
            ("20.50.2.1", true, true),
            ("10.0.0.4", true, true),
            ("192.168.1.1", true, true),
            ("fd00::1", true, true),
            ("2603:1030::1", true, true),
            ("64:ff9b::1432:201", true, true),
            ("127.0.0.1", false, true),
            ("127.255.0.9", false, true),
            ("::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("::127.0.0.1", false, true),
            ("64:ff9b::7f00:1", false, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("::ffff:a9fe:a9fe", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("fe80::1", false, false),
            ("224.0.0.1", false, false),
            ("ff02::1", false, false),
            ("255.255.255.255", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("::", false, false),
            ("::ffff:0.0.0.0", false, false),
        ];
        for (text, clouds, own) in table {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(Reach::Clouds.allows(address), clouds, "{text}");
            assert_eq!(Reach::Loopback.allows(address), own, "{text}");
            assert_eq!(Reach::InstanceMetadata.allows(address), text == "169.254.169.254", "{text}");
        }
    }

    #[tokio::test]
    async fn localhost_names_need_no_name_server() {
        for name in ["localhost", "LOCALHOST", "arm.localhost", "a.b.localhost"] {
            let own = Resolver { reach: Reach::Loopback }.resolve(name.parse().unwrap()).await;
            let addresses: Vec<IpAddr> = own.unwrap_or_else(|_| panic!("{name}")).map(|a| a.ip()).collect();
            assert!(addresses.iter().all(|a| a.is_loopback()) && !addresses.is_empty(), "{name}");
            let clouds = Resolver { reach: Reach::Clouds }.resolve(name.parse().unwrap()).await;
            assert!(clouds.is_err_and(|e| e.is::<ForbiddenAddress>()), "{name}");
        }
        assert!(!is_localhost("notlocalhost") && !is_localhost("localhost.example"));
    }
}
