//! Receive-side scaling: the Toeplitz hash and the choice of what is hashed (82599 §7.1.2.8).
//!
//! The hash XORs, for every set bit of its input, the 32 bits of the key that start at that bit's position.
//! Four input bits at a time select one of sixteen precomputed combinations, so that a TCP/IPv4 packet costs
//! 24 look-ups in a table that fits in the first-level cache.

use super::headers::{IpPacket, TCP, UDP};
use crate::wire::IpVersion;

/// Longest input: two IPv6 addresses and two ports.
const MAX_INPUT: usize = 36;

/// A hash key, expanded.
#[derive(Clone)]
pub struct Toeplitz {
    /// By position of the 4 bits in the input, then by their value.
    table: [[u32; 16]; MAX_INPUT * 2],
}

impl std::fmt::Debug for Toeplitz {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Toeplitz").finish_non_exhaustive()
    }
}

impl Toeplitz {
    /// Expands `key`: byte 0 is the least significant byte of RSSRK register 0.
    #[must_use]
    pub fn new(key: &[u8; 40]) -> Self {
        let mut table = [[0; 16]; MAX_INPUT * 2];
        for (nibble, row) in table.iter_mut().enumerate() {
            // 40 bits of the key from this byte on: enough for the windows of all its 8 bits.
            let byte = nibble / 2;
            let window = key[byte..byte + 5]
                .iter()
                .fold(0_u64, |sum, &b| sum << 8 | u64::from(b));
            let shift = if nibble % 2 == 0 { 8 } else { 4 };
            for (value, entry) in row.iter_mut().enumerate() {
                for bit in 0..4 {
                    if value & (8 >> bit) != 0 {
                        *entry ^= (window >> (shift - bit)) as u32;
                    }
                }
            }
        }
        Self { table }
    }

    /// The hash of `input`, of which at most the first 36 bytes count.
    #[must_use]
    pub fn hash(&self, input: &[u8]) -> u32 {
        let rows = self.table.as_chunks::<2>().0;
        input.iter().zip(rows).fold(0, |hash, (&byte, [high, low])| {
            hash ^ high[usize::from(byte >> 4)] ^ low[usize::from(byte & 15)]
        })
    }

    /// Hashes a frame's IP packet as far as `kinds` allows: with the ports where a function with ports is
    /// enabled for it, else the addresses alone. `None` where no enabled function fits: the hash is not
    /// reported, and the packet goes to queue 0.
    #[must_use]
    pub fn packet(&self, kinds: HashKinds, packet: &IpPacket, frame: &[u8]) -> Option<(RssType, u32)> {
        let (tcp, udp, plain) = match packet.version {
            IpVersion::V4 => (
                kinds.tcp_ipv4.then_some(RssType::TcpIpv4),
                kinds.udp_ipv4.then_some(RssType::UdpIpv4),
                kinds.ipv4.then_some(RssType::Ipv4),
            ),
            IpVersion::V6 => (
                kinds.tcp_ipv6.then_some(RssType::TcpIpv6),
                kinds.udp_ipv6.then_some(RssType::UdpIpv6),
                kinds.ipv6.then_some(RssType::Ipv6),
            ),
        };
        let with_ports = match packet.protocol {
            TCP => tcp,
            UDP => udp,
            _ => None,
        };
        let mut input = [0; MAX_INPUT];
        let addresses = frame.get(packet.addresses())?;
        let len = addresses.len();
        input[..len].copy_from_slice(addresses);
        if let (Some(kind), Some(ports)) = (with_ports, packet.ports().and_then(|ports| frame.get(ports))) {
            input[len..len + 4].copy_from_slice(ports);
            return Some((kind, self.hash(&input[..len + 4])));
        }
        plain.map(|kind| (kind, self.hash(&input[..len])))
    }
}

/// Which hash functions are enabled: MRQC bits 16 to 23.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the enable bits of one register"
)]
pub struct HashKinds {
    /// Addresses and ports of TCP over IPv4.
    pub tcp_ipv4: bool,
    /// Addresses of IPv4.
    pub ipv4: bool,
    /// Addresses of IPv6.
    pub ipv6: bool,
    /// Addresses and ports of TCP over IPv6.
    pub tcp_ipv6: bool,
    /// Addresses and ports of UDP over IPv4.
    pub udp_ipv4: bool,
    /// Addresses and ports of UDP over IPv6.
    pub udp_ipv6: bool,
}

/// Which function made a hash; the discriminant is the RSS type of the write-back descriptor (82599
/// §7.1.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RssType {
    /// TCP over IPv4, with ports.
    TcpIpv4 = 1,
    /// IPv4 addresses.
    Ipv4 = 2,
    /// TCP over IPv6, with ports.
    TcpIpv6 = 3,
    /// IPv6 addresses.
    Ipv6 = 5,
    /// UDP over IPv4, with ports.
    UdpIpv4 = 7,
    /// UDP over IPv6, with ports.
    UdpIpv6 = 8,
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::offload::samples::Sample;

    /// The key of Microsoft's "Verifying the RSS hash calculation", which the datasheet repeats.
    const KEY: [u8; 40] = [
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0,
        0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42,
        0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
    ];

    const ALL: HashKinds = HashKinds {
        tcp_ipv4: true,
        ipv4: true,
        ipv6: true,
        tcp_ipv6: true,
        udp_ipv4: true,
        udp_ipv6: true,
    };

    /// Bit by bit, as the datasheet's pseudo-code has it.
    fn reference(key: &[u8; 40], input: &[u8]) -> u32 {
        let bit_of_key = |at: usize| u32::from(key[at / 8] >> (7 - at % 8) & 1);
        let mut hash = 0;
        for at in 0..input.len() * 8 {
            if input[at / 8] >> (7 - at % 8) & 1 == 1 {
                hash ^= (0..32).fold(0, |window, bit| window << 1 | bit_of_key(at + bit));
            }
        }
        hash
    }

    fn input(from: IpAddr, to: IpAddr, ports: Option<(u16, u16)>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for address in [from, to] {
            match address {
                IpAddr::V4(address) => bytes.extend(address.octets()),
                IpAddr::V6(address) => bytes.extend(address.octets()),
            }
        }
        if let Some((from, to)) = ports {
            bytes.extend(from.to_be_bytes());
            bytes.extend(to.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn the_published_verification_suite_holds() {
        let v4 = |a, b, c, d| IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        let v6 = |text: &str| IpAddr::V6(text.parse::<Ipv6Addr>().expect("an address"));
        let suite = [
            (
                v4(66, 9, 149, 187),
                2794,
                v4(161, 142, 100, 80),
                1766,
                0x323e_8fc2,
                0x51cc_c178,
            ),
            (
                v4(199, 92, 111, 2),
                14230,
                v4(65, 69, 140, 83),
                4739,
                0xd718_262a,
                0xc626_b0ea,
            ),
            (
                v4(24, 19, 198, 95),
                12898,
                v4(12, 22, 207, 184),
                38024,
                0xd2d0_a5de,
                0x5c2b_394a,
            ),
            (
                v4(38, 27, 205, 30),
                48228,
                v4(209, 142, 163, 6),
                2217,
                0x8298_9176,
                0xafc7_327f,
            ),
            (
                v4(153, 39, 163, 191),
                44251,
                v4(202, 188, 127, 2),
                1303,
                0x5d18_09c5,
                0x10e8_28a2,
            ),
            (
                v6("3ffe:2501:200:1fff::7"),
                2794,
                v6("3ffe:2501:200:3::1"),
                1766,
                0x2cc1_8cd5,
                0x4020_7d3d,
            ),
            (
                v6("3ffe:501:8::260:97ff:fe40:efab"),
                14230,
                v6("ff02::1"),
                4739,
                0x0f0c_461c,
                0xdde5_1bbf,
            ),
            (
                v6("3ffe:1900:4545:3:200:f8ff:fe21:67cf"),
                44251,
                v6("fe80::200:f8ff:fe21:67cf"),
                38024,
                0x4b61_e985,
                0x02d1_feef,
            ),
        ];
        let toeplitz = Toeplitz::new(&KEY);
        for (from, from_port, to, to_port, addresses, with_ports) in suite {
            assert_eq!(toeplitz.hash(&input(from, to, None)), addresses, "{from} to {to}");
            assert_eq!(
                toeplitz.hash(&input(from, to, Some((from_port, to_port)))),
                with_ports,
                "{from} to {to}"
            );
        }
    }

    #[test]
    fn the_function_with_ports_comes_first_and_fragments_get_none() {
        let toeplitz = Toeplitz::new(&KEY);
        let kind = |frame: &[u8], kinds| {
            let packet = IpPacket::parse(frame).expect("IP");
            toeplitz.packet(kinds, &packet, frame).map(|(kind, _)| kind)
        };
        let mut tcp = Sample::v4(TCP).build(b"payload");
        assert_eq!(kind(&tcp, ALL), Some(RssType::TcpIpv4));
        assert_eq!(
            kind(
                &tcp,
                HashKinds {
                    ipv4: true,
                    ..HashKinds::default()
                }
            ),
            Some(RssType::Ipv4)
        );
        assert_eq!(
            kind(
                &tcp,
                HashKinds {
                    udp_ipv4: true,
                    ..HashKinds::default()
                }
            ),
            None
        );
        tcp[20] |= 0x20;
        assert_eq!(kind(&tcp, ALL), Some(RssType::Ipv4));
        assert_eq!(
            kind(&Sample::v6(UDP).build(b"payload"), ALL),
            Some(RssType::UdpIpv6)
        );
        assert_eq!(kind(&Sample::v6(58).build(b"payload"), ALL), Some(RssType::Ipv6));
    }

    #[test]
    fn a_vlan_tag_does_not_change_the_hash() {
        let toeplitz = Toeplitz::new(&KEY);
        let hash = |tags| {
            let frame = Sample {
                tags,
                ..Sample::v4(TCP)
            }
            .build(b"payload");
            toeplitz.packet(ALL, &IpPacket::parse(&frame).expect("IP"), &frame)
        };
        assert_eq!(hash(0), hash(1));
    }

    proptest::proptest! {
        #[test]
        fn the_table_equals_the_bitwise_definition(
            key in proptest::array::uniform32(proptest::num::u8::ANY),
            tail in proptest::array::uniform8(proptest::num::u8::ANY),
            input in proptest::collection::vec(proptest::num::u8::ANY, 0..=36),
        ) {
            let mut whole = [0; 40];
            whole[..32].copy_from_slice(&key);
            whole[32..].copy_from_slice(&tail);
            proptest::prop_assert_eq!(Toeplitz::new(&whole).hash(&input), reference(&whole, &input));
        }
    }
}
