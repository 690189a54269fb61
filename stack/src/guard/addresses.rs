//! Addresses that no answer may go to, or come from.

use smoltcp::wire::{IpAddress, IpCidr, Ipv4Address, Ipv6Address};

use crate::headers::TcpHeaders;

/// Whether a TCP segment that arrived may be acted upon at all: [`is_answerable`] for its addresses, and
/// neither Ethernet address nor port that could not be answered. A segment in a broadcast or multicast
/// frame is none of ours, whatever its IP header says (RFC 1122 §3.3.6, §4.2.3.10).
///
/// `subnets` are the networks of this interface.
pub fn may_answer(segment: &TcpHeaders, subnets: &[IpCidr]) -> bool {
    let group = |mac: &[u8; 6]| mac[0] & 1 != 0;
    !group(&segment.source_mac)
        && !group(&segment.destination_mac)
        && segment.source.port != 0
        && segment.destination.port != 0
        && segment.source != segment.destination
        && is_answerable(segment.source.addr, segment.destination.addr, subnets)
}

/// Whether an answer may leave from `destination` to `source`, the addresses of a segment that arrived.
///
/// Not to loopback, unspecified ("this network", 0/8, too), multicast, broadcast, class E, IPv4-mapped
/// IPv6, nor to the network or broadcast address of one of `subnets`; not from any of these either
/// (RFC 1122 §3.2.1.3, §4.2.3.10; RFC 4291 §2.5, §2.7).
pub fn is_answerable(source: IpAddress, destination: IpAddress, subnets: &[IpCidr]) -> bool {
    is_host(source, subnets) && is_host(destination, subnets)
}

/// Whether `address` can be a host's, in the networks `subnets` and elsewhere.
pub(crate) fn is_host(address: IpAddress, subnets: &[IpCidr]) -> bool {
    match address {
        IpAddress::Ipv4(address) => {
            is_ipv4_host(address) && !subnets.iter().any(|net| is_reserved_in(address, net))
        }
        IpAddress::Ipv6(address) => is_ipv6_host(address),
    }
}

/// Unicast classes A to C without 0/8 and 127/8.
fn is_ipv4_host(address: Ipv4Address) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

fn is_ipv6_host(address: Ipv6Address) -> bool {
    let mapped = address.to_bits() >> 32 == 0xffff;
    !address.is_unspecified() && !address.is_loopback() && !address.is_multicast() && !mapped
}

/// The network address and the broadcast address of `subnet`; a /31 or /32 has neither (RFC 3021).
fn is_reserved_in(address: Ipv4Address, subnet: &IpCidr) -> bool {
    let (IpAddress::Ipv4(network), prefix @ ..31) = (subnet.address(), subnet.prefix_len()) else {
        return false;
    };
    let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    let inside = (address.to_bits() ^ network.to_bits()) & !host == 0;
    inside && (address.to_bits() & host == 0 || address.to_bits() & host == host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::tests::segment;
    use crate::headers::TcpFlags;

    fn subnets() -> [IpCidr; 3] {
        ["10.1.2.3/24", "192.0.2.0/31", "fd00::1/64"].map(|net| net.parse().unwrap())
    }

    fn from(source: &str) -> bool {
        let destination = if source.contains(':') {
            "fd00::1"
        } else {
            "10.1.2.3"
        };
        is_answerable(source.parse().unwrap(), destination.parse().unwrap(), &subnets())
    }

    #[test]
    fn rfc1122_3_2_1_3_hosts_are_answered() {
        for source in [
            "10.1.2.4",
            "8.8.8.8",
            "126.0.0.1",
            "128.0.0.1",
            "223.255.255.255",
            "192.0.2.0",
            "192.0.2.1",
        ] {
            assert!(from(source), "{source}");
        }
        for source in ["fd00::2", "2001:db8::1", "fe80::1"] {
            assert!(from(source), "{source}");
        }
    }

    #[test]
    fn rfc1122_3_2_1_3_special_sources_are_not_answered() {
        for source in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.255",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
        ] {
            assert!(!from(source), "{source}");
        }
        assert!(!from("255.255.255.255"));
        assert!(!from("10.1.2.255"), "broadcast of the own subnet");
        assert!(!from("10.1.2.0"), "network of the own subnet");
    }

    #[test]
    fn rfc4291_2_5_special_ipv6_sources_are_not_answered() {
        for source in ["::", "::1", "ff02::1", "ff0e::1", "::ffff:10.1.2.4"] {
            assert!(!from(source), "{source}");
        }
    }

    #[test]
    fn rfc1122_4_2_3_10_nothing_is_answered_from_a_broadcast_or_multicast_address() {
        let source = "10.1.2.4".parse().unwrap();
        for destination in ["255.255.255.255", "10.1.2.255", "224.0.0.1", "127.0.0.1"] {
            assert!(
                !is_answerable(source, destination.parse().unwrap(), &subnets()),
                "{destination}"
            );
        }
        let source = "fd00::2".parse().unwrap();
        assert!(!is_answerable(source, "ff02::1".parse().unwrap(), &subnets()));
    }

    #[test]
    fn rfc1122_3_3_6_a_unicast_address_in_a_group_frame_is_not_answered() {
        let good = segment(TcpFlags::SYN, 1, 0, 0);
        assert!(may_answer(&good, &subnets()));
        assert!(!may_answer(
            &TcpHeaders {
                destination_mac: [0xff; 6],
                ..good
            },
            &subnets()
        ));
        assert!(!may_answer(
            &TcpHeaders {
                source_mac: [1, 0, 0x5e, 0, 0, 1],
                ..good
            },
            &subnets()
        ));
    }

    #[test]
    fn a_segment_from_its_own_destination_is_not_answered() {
        let good = segment(TcpFlags::SYN, 1, 0, 0);
        assert!(!may_answer(
            &TcpHeaders {
                source: good.destination,
                ..good
            },
            &subnets()
        ));
    }

    #[test]
    fn port_zero_is_not_answered() {
        let mut bad = segment(TcpFlags::SYN, 1, 0, 0);
        bad.source.port = 0;
        assert!(!may_answer(&bad, &subnets()));
    }

    #[test]
    fn a_network_of_everything_has_no_hosts_reserved_but_its_ends() {
        let everything = ["0.0.0.0/0".parse().unwrap()];
        assert!(is_answerable(
            "8.8.8.8".parse().unwrap(),
            "10.0.0.1".parse().unwrap(),
            &everything
        ));
    }
}
