//! A stack's own addresses, its gateways, and from which address it reaches a host.

use pagewire_nic::dma::DmaError;
use pagewire_nic::port::TxQueue;
use smoltcp::iface::Interface;
use smoltcp::wire::{IpAddress, IpCidr, Ipv6Address, Ipv6Cidr};

use super::{Core, StackConfig};
use crate::guard::is_host;

/// Own addresses that smoltcp was built for.
const MOST: usize = 8;
/// The shortest MTU of IPv4 (RFC 1122 §3.3.3) and of IPv6 (RFC 8200 §5), and the longest of Ethernet's jumbo frames.
const MTU_V4: usize = 576;
const MTU_V6: usize = 1280;
const MTU_MOST: usize = 9000;

/// Why a stack could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No memory for the frames that headers are written into.
    #[error("{0}")]
    Memory(#[from] DmaError),
    /// A host cannot have this address.
    #[error("{address} can be nobody's own address: choose one of a host, with its prefix length")]
    NotAHost {
        /// The address.
        address: IpCidr,
    },
    /// More addresses than there is room for.
    #[error("{count} own addresses are too many: a stack has up to {most}")]
    TooMany {
        /// How many, those counted that the stack gives itself.
        count: usize,
        /// How many there can be.
        most: usize,
    },
    /// Two gateways of one family.
    #[error("{gateway} is a second default gateway: give one of each family")]
    SecondGateway {
        /// The second.
        gateway: IpAddress,
    },
    /// The gateway is no neighbour.
    #[error(
        "the gateway {gateway} is in none of the stack's networks: see to its address, or to a prefix length"
    )]
    FarGateway {
        /// The gateway.
        gateway: IpAddress,
    },
    /// The MTU is out of range.
    #[error("an MTU of {mtu} bytes is not possible here: choose {least} to {MTU_MOST} bytes")]
    Mtu {
        /// The MTU asked for.
        mtu: usize,
        /// The least there can be with these addresses.
        least: usize,
    },
}

/// Why a host cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// It is no address of a host.
    #[error("it is no address of a host")]
    NotAHost,
    /// Nobody has port 0.
    #[error("port 0 is nobody's")]
    PortZero,
    /// It is one of our own addresses.
    #[error("it is this stack's own address")]
    Own,
    /// We have no address of that family.
    #[error("the stack has no address of that family: give it one")]
    NoAddress,
    /// It is behind a gateway, and there is none.
    #[error(
        "it is in none of the stack's networks, and there is no default gateway of that family: give one"
    )]
    NoGateway,
}

impl StackConfig {
    /// The addresses as an interface gets them, where all of them are possible.
    ///
    /// One in a gateway's network comes first in its family: smoltcp takes the first one towards a host that is in
    /// none of our networks. A stack with IPv6 has a link-local address (RFC 4291 §2.1); it comes last.
    pub(super) fn own_addresses(&self, mac: [u8; 6]) -> Result<Vec<IpCidr>, SetupError> {
        let mut addresses = Vec::with_capacity(MOST);
        for &address in &self.addresses {
            if !is_host(address.address(), &self.addresses) {
                return Err(SetupError::NotAHost { address });
            }
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let is_v6 = |address: &IpCidr| matches!(address, IpCidr::Ipv6(_));
        let link_local =
            |address: &IpCidr| matches!(address, IpCidr::Ipv6(own) if own.address().is_unicast_link_local());
        if addresses.iter().any(is_v6) && !addresses.iter().any(link_local) {
            addresses.push(IpCidr::Ipv6(Ipv6Cidr::new(link_local_of(mac), 64)));
        }
        let beside_gateway = |address: &IpCidr| self.gateways.iter().any(|to| address.contains_addr(to));
        addresses.sort_by_key(|address| (link_local(address), !beside_gateway(address)));
        let count = addresses.len() + usize::from(self.dhcp);
        if count > MOST {
            return Err(SetupError::TooMany { count, most: MOST });
        }
        let least = if addresses.iter().any(is_v6) {
            MTU_V6
        } else {
            MTU_V4
        };
        if !(least..=MTU_MOST).contains(&self.mtu) {
            return Err(SetupError::Mtu { mtu: self.mtu, least });
        }
        Ok(addresses)
    }

    /// Whether each gateway is a neighbour, and the only one of its family.
    pub(super) fn check_gateways(&self, addresses: &[IpCidr]) -> Result<(), SetupError> {
        for (index, &gateway) in self.gateways.iter().enumerate() {
            let same_family = |other: &IpAddress| other.version() == gateway.version();
            if self.gateways[..index].iter().any(same_family) {
                return Err(SetupError::SecondGateway { gateway });
            }
            let near = addresses.iter().any(|own| own.contains_addr(&gateway));
            if !near || !is_host(gateway, addresses) {
                return Err(SetupError::FarGateway { gateway });
            }
        }
        Ok(())
    }
}

/// Gives an interface addresses and gateways that were checked.
pub(super) fn settle_in(interface: &mut Interface, addresses: &[IpCidr], gateways: &[IpAddress]) {
    interface.update_ip_addrs(|own| {
        for address in addresses {
            // No more than there is room for: that was checked.
            let _ = own.push(*address);
        }
    });
    let routes = interface.routes_mut();
    for gateway in gateways {
        // There is room for one of each family.
        let _ = match *gateway {
            IpAddress::Ipv4(gateway) => routes.add_default_ipv4_route(gateway),
            IpAddress::Ipv6(gateway) => routes.add_default_ipv6_route(gateway),
        };
    }
}

/// The link-local address that an Ethernet address makes (RFC 4291 §2.5.6, appendix A).
fn link_local_of([a, b, c, d, e, f]: [u8; 6]) -> Ipv6Address {
    let identifier = u64::from_be_bytes([a ^ 0x02, b, c, 0xff, 0xfe, d, e, f]);
    Ipv6Address::from_bits(0xfe80 << 112 | u128::from(identifier))
}

impl<T: TxQueue> Core<T> {
    /// The own address from which `remote` is reached: that of the narrowest network both are in, else the first of
    /// the family, through the gateway.
    pub(super) fn source_towards(&self, remote: IpAddress) -> Result<IpAddress, Unreachable> {
        let own = self.interface.ip_addrs();
        if !is_host(remote, own) {
            return Err(Unreachable::NotAHost);
        }
        if self.interface.has_ip_addr(remote) {
            return Err(Unreachable::Own);
        }
        let mut of_family = own
            .iter()
            .filter(|cidr| cidr.address().version() == remote.version())
            .peekable();
        let Some(first) = of_family.peek().map(|cidr| cidr.address()) else {
            return Err(Unreachable::NoAddress);
        };
        let near = of_family
            .filter(|cidr| cidr.contains_addr(&remote))
            .max_by_key(|cidr| cidr.prefix_len());
        if let Some(near) = near {
            return Ok(near.address());
        }
        let routes = self.interface.routes();
        let gateway = match remote {
            IpAddress::Ipv4(_) => routes.get_default_ipv4_route(),
            IpAddress::Ipv6(_) => routes.get_default_ipv6_route(),
        };
        gateway.map(|_| first).ok_or(Unreachable::NoGateway)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

    fn config(addresses: &[&str], gateways: &[&str]) -> StackConfig {
        StackConfig {
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            gateways: gateways.iter().map(|text| text.parse().unwrap()).collect(),
            ..StackConfig::new("10.0.0.1/24".parse().unwrap(), 1)
        }
    }

    fn own(addresses: &[&str], gateways: &[&str]) -> Result<Vec<String>, SetupError> {
        let config = config(addresses, gateways);
        let own = config.own_addresses(MAC)?;
        config.check_gateways(&own)?;
        Ok(own.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn rfc4291_2_1_with_ipv6_comes_a_link_local_address_and_without_it_none() {
        assert_eq!(own(&["10.0.0.1/24"], &[]).unwrap(), ["10.0.0.1/24"]);
        let link_local = "fe80::5054:ff:fe12:3456/64";
        assert_eq!(own(&["fd00::1/64"], &[]).unwrap(), ["fd00::1/64", link_local]);
        assert_eq!(own(&["fe80::7/64"], &[]).unwrap(), ["fe80::7/64"]);
    }

    #[test]
    fn the_address_beside_the_gateway_comes_first_and_the_link_local_one_last() {
        let given = [
            "fe80::7/64",
            "10.0.0.1/24",
            "192.168.0.1/24",
            "fd00::1/64",
            "fd00::1/64",
        ];
        assert_eq!(
            own(&given, &["192.168.0.254", "fe80::1"]).unwrap(),
            ["192.168.0.1/24", "10.0.0.1/24", "fd00::1/64", "fe80::7/64"]
        );
    }

    #[test]
    fn an_address_that_is_no_hosts_is_refused_by_name() {
        for address in [
            "10.0.0.0/24",
            "10.0.0.255/24",
            "0.0.0.0/0",
            "127.0.0.1/8",
            "224.0.0.1/4",
            "255.255.255.255/32",
            "::/0",
            "::1/128",
            "ff02::1/64",
            "::ffff:10.0.0.1/96",
        ] {
            let error = own(&[address], &[]).unwrap_err();
            assert!(matches!(error, SetupError::NotAHost { .. }), "{address}: {error}");
        }
        assert!(own(&["10.0.0.0/31", "10.0.1.0/32"], &[]).is_ok(), "RFC 3021");
    }

    #[test]
    fn there_is_room_for_eight_addresses_with_the_one_that_is_lent() {
        let seven: Vec<_> = (1..=7).map(|host| format!("10.0.0.{host}/24")).collect();
        let mut config = config(&seven.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        config.dhcp = true;
        assert!(config.own_addresses(MAC).is_ok());
        config.addresses.push("10.0.0.8/24".parse().unwrap());
        assert!(matches!(
            config.own_addresses(MAC),
            Err(SetupError::TooMany { count: 9, most: 8 })
        ));
    }

    #[test]
    fn a_gateway_is_a_neighbour_and_the_only_one_of_its_family() {
        let both = ["10.0.0.1/24", "fd00::1/64"];
        assert!(own(&both, &["10.0.0.254", "fd00::ffff"]).is_ok());
        let second = own(&both, &["10.0.0.254", "10.0.0.253"]).unwrap_err();
        assert!(matches!(second, SetupError::SecondGateway { .. }));
        for gateway in [
            "10.0.1.1",
            "10.0.0.255",
            "0.0.0.0",
            "fd01::1",
            "224.0.0.1",
            "ff02::2",
        ] {
            let error = own(&both, &[gateway]).unwrap_err();
            assert!(
                matches!(error, SetupError::FarGateway { .. }),
                "{gateway}: {error}"
            );
        }
        assert!(own(&["10.0.0.1/24"], &["fe80::1"]).is_err(), "there is no IPv6");
    }

    #[test]
    fn rfc1122_3_3_3_and_rfc8200_5_an_mtu_has_limits() {
        let with_mtu = |address, mtu| StackConfig {
            mtu,
            ..config(&[address], &[])
        };
        for (address, mtu, possible) in [
            ("10.0.0.1/24", 575, false),
            ("10.0.0.1/24", 576, true),
            ("fd00::1/64", 1279, false),
            ("fd00::1/64", 1280, true),
            ("fd00::1/64", 9000, true),
            ("fd00::1/64", 9001, false),
        ] {
            let own = with_mtu(address, mtu).own_addresses(MAC);
            assert_eq!(own.is_ok(), possible, "{address} {mtu}");
        }
    }
}
