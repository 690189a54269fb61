//! Where the headers of a frame lie, as a receiver finds out: by parsing.
//!
//! A card's packet parser (82599 §7.1.6, 82540EM §3.2.9) looks through VLAN tags, IPv4 options and IPv6
//! extension headers. What it does not recognise it passes without a verdict; nothing here is an error.

use std::ops::Range;

use crate::wire::IpVersion;

/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;

/// Most IPv6 extension headers that the parser walks; a packet with more is passed without a verdict.
const MAX_EXTENSIONS: usize = 8;

/// The IP packet in an Ethernet frame. All offsets count from the frame's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPacket {
    /// IP version.
    pub version: IpVersion,
    /// Where the IP header starts.
    pub start: usize,
    /// Where what follows the IP header, with its options or extension headers, starts.
    pub l4: usize,
    /// Where the packet ends by its own length field: before the frame does if the frame was padded,
    /// behind it if the frame was cut short.
    pub end: usize,
    /// The protocol of what starts at `l4`.
    pub protocol: u8,
    /// A fragment: its transport checksum covers more than this frame.
    pub fragment: bool,
    /// An IPv6 packet with extension headers.
    pub extended: bool,
    /// A routing header with segments left: the addresses in the IP header are not the final ones.
    pub in_transit: bool,
}

impl IpPacket {
    /// Finds the IP packet in `frame`, of which all headers must be there and the payload need not.
    /// `None` if it is no IP packet, or one whose header cannot be trusted.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let mut start = 14;
        let mut ether_type = be16(frame, 12)?;
        for _ in 0..2 {
            // 802.1Q and 802.1ad tags.
            if !matches!(ether_type, 0x8100 | 0x88a8) {
                break;
            }
            ether_type = be16(frame, start + 2)?;
            start += 4;
        }
        match (ether_type, frame.get(start)? >> 4) {
            (0x0800, 4) => Self::parse_v4(frame, start),
            (0x86dd, 6) => Self::parse_v6(frame, start),
            _ => None,
        }
    }

    /// RFC 791 §3.1.
    fn parse_v4(frame: &[u8], start: usize) -> Option<Self> {
        let header = usize::from(frame.get(start)? & 15) * 4;
        let total = usize::from(be16(frame, start + 2)?);
        if header < 20 || total < header || frame.len() < start + header {
            return None;
        }
        Some(Self {
            version: IpVersion::V4,
            start,
            l4: start + header,
            end: start + total,
            protocol: frame[start + 9],
            // More-fragments flag, or an offset.
            fragment: be16(frame, start + 6)? & 0x3fff != 0,
            extended: false,
            in_transit: false,
        })
    }

    /// RFC 8200 §3 and §4.
    fn parse_v6(frame: &[u8], start: usize) -> Option<Self> {
        let payload = usize::from(be16(frame, start + 4)?);
        let mut packet = Self {
            version: IpVersion::V6,
            start,
            l4: start + 40,
            end: start + 40 + payload,
            protocol: *frame.get(start + 6)?,
            fragment: false,
            extended: false,
            in_transit: false,
        };
        if frame.len() < packet.l4 {
            return None;
        }
        for _ in 0..MAX_EXTENSIONS {
            let at = packet.l4;
            let len = match packet.protocol {
                // Hop-by-hop options, routing, destination options.
                0 | 43 | 60 => usize::from(*frame.get(at + 1)?) * 8 + 8,
                44 => 8,
                _ => return Some(packet),
            };
            if packet.protocol == 43 {
                packet.in_transit |= *frame.get(at + 3)? != 0;
            }
            if packet.protocol == 44 {
                packet.fragment |= be16(frame, at + 2)? & 0xfff9 != 0;
                if packet.fragment {
                    // What follows is the middle of something, not necessarily a header.
                    packet.extended = true;
                    packet.protocol = frame[at];
                    packet.l4 = at + len;
                    return Some(packet);
                }
            }
            if at + len > packet.end.min(frame.len()) {
                return None;
            }
            packet.extended = true;
            packet.protocol = frame[at];
            packet.l4 = at + len;
        }
        None
    }

    /// Where the source and destination addresses lie, one behind the other.
    #[must_use]
    pub fn addresses(&self) -> Range<usize> {
        match self.version {
            IpVersion::V4 => self.start + 12..self.start + 20,
            IpVersion::V6 => self.start + 8..self.start + 40,
        }
    }

    /// Where the source and destination ports lie, if this is a TCP or UDP packet that is whole and long
    /// enough to have them.
    #[must_use]
    pub fn ports(&self) -> Option<Range<usize>> {
        let has_ports = matches!(self.protocol, TCP | UDP) && !self.fragment && self.l4 + 4 <= self.end;
        has_ports.then_some(self.l4..self.l4 + 4)
    }
}

/// The big-endian 16-bit word at byte `at`.
pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The big-endian 32-bit word at byte `at`.
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offload::samples::{self, Sample};

    #[test]
    fn headers_are_found_behind_vlan_tags() {
        for tags in 0..=2 {
            let frame = Sample {
                tags,
                ..Sample::v4(TCP)
            }
            .build(b"hello");
            let packet = IpPacket::parse(&frame).expect("an IPv4 packet");
            assert_eq!(packet.start, 14 + 4 * tags);
            assert_eq!(packet.l4, packet.start + 20);
            assert_eq!(packet.end, frame.len());
            assert_eq!(
                &frame[packet.ports().expect("ports")][..2],
                &samples::PORT_A.to_be_bytes()
            );
        }
    }

    #[test]
    fn ipv6_extension_headers_are_walked_up_to_a_limit() {
        let plain = Sample::v6(TCP).build(b"hello");
        for count in 0..=MAX_EXTENSIONS + 1 {
            let mut frame = plain[..54].to_vec();
            let mut next = TCP;
            let mut chain = Vec::new();
            for _ in 0..count {
                chain.splice(0..0, [next, 0, 1, 4, 0, 0, 0, 0]);
                next = 60;
            }
            frame[20] = next;
            frame.extend_from_slice(&chain);
            frame.extend_from_slice(&plain[54..]);
            let payload = u16::try_from(frame.len() - 54).expect("short");
            frame[18..20].copy_from_slice(&payload.to_be_bytes());
            match IpPacket::parse(&frame) {
                Some(packet) => {
                    assert!(count < MAX_EXTENSIONS);
                    assert_eq!((packet.l4, packet.protocol), (54 + 8 * count, TCP));
                    assert_eq!(packet.extended, count > 0);
                }
                None => assert!(count >= MAX_EXTENSIONS),
            }
        }
    }

    #[test]
    fn fragments_have_no_ports() {
        let mut frame = Sample::v4(UDP).build(b"hello");
        frame[20] = 0x20;
        let packet = IpPacket::parse(&frame).expect("an IPv4 packet");
        assert!(packet.fragment && packet.ports().is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(mut bytes: Vec<u8>, v6: bool, tag: bool) {
            if let Some(kind) = bytes.get_mut(12..14) {
                kind.copy_from_slice(if v6 { &[0x86, 0xdd] } else { &[8, 0] });
            }
            if let (Some(first), true) = (bytes.get_mut(14), tag) {
                *first = if v6 { 0x60 } else { 0x45 };
            }
            if let Some(packet) = IpPacket::parse(&bytes) {
                assert!(packet.addresses().end <= bytes.len());
            }
        }
    }
}
