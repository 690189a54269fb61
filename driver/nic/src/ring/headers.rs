//! What the hardware wants to find in a packet's headers before it adds checksums or cuts it up.
//!
//! Both families want the same (82540EM §3.3.6 and §3.5; 82599 §7.2.4 and §7.2.5): the IPv4 header checksum
//! is 0; the checksum field of TCP or UDP holds the sum of the pseudo header, not complemented, to which the
//! device adds the rest. For segmentation that sum leaves the length out and the IP header's length field is
//! 0, because both differ from segment to segment.

use crate::port::{IpVersion, L4, PacketLayout, TxOffload};

/// IP protocol numbers.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Prepares the headers of a packet of `packet_len` bytes. Returns whether they are where the layout says
/// they are; they are untouched where not.
#[inline]
pub(crate) fn prepare(bytes: &mut [u8], offload: &TxOffload, packet_len: u32) -> bool {
    match offload {
        TxOffload::None => true,
        TxOffload::Checksum(layout) => fill(bytes, layout, packet_len, false).is_some(),
        TxOffload::Segment(layout, _) => fill(bytes, layout, packet_len, true).is_some(),
    }
}

fn fill(bytes: &mut [u8], layout: &PacketLayout, packet_len: u32, segmented: bool) -> Option<()> {
    let headers = bytes.get_mut(layout.l2_len.into()..layout.header_len())?;
    let (ip, above) = headers.split_at_mut_checked(layout.l3_len.into())?;
    let (protocol, field, shortest) = match layout.l4 {
        L4::Tcp => (TCP, 16, 20),
        L4::Udp => (UDP, 6, 8),
    };
    if above.len() < shortest {
        return None;
    }
    let length = packet_len.checked_sub(u32::from(layout.l2_len) + u32::from(layout.l3_len))?;
    let mut sum = u64::from(protocol);
    if !segmented {
        sum += u64::from(length);
    }
    match layout.ip {
        IpVersion::V4 => {
            let fixed = ip.first_chunk_mut::<20>()?;
            sum += words(&fixed[12..20]);
            fixed[10..12].fill(0);
            if segmented {
                fixed[2..4].fill(0);
            }
        }
        IpVersion::V6 => {
            let fixed = ip.first_chunk_mut::<40>()?;
            sum += words(&fixed[8..40]);
            if segmented {
                fixed[4..6].fill(0);
            }
        }
    }
    above[field..field + 2].copy_from_slice(&fold(sum).to_be_bytes());
    Some(())
}

/// Sum of big-endian 16-bit words, in 32-bit steps: the carry folds back later.
fn words(bytes: &[u8]) -> u64 {
    bytes
        .chunks_exact(4)
        .map(|chunk| u64::from(u32::from_be_bytes([chunk[0], chunk[1], chunk[2], chunk[3]])))
        .sum()
}

/// Ones' complement: what overflows 16 bits is added at the low end, until nothing does.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    /// A DNS query from 192.168.0.2 to 192.168.0.1, port 1024 to 53: Ethernet, IPv4, UDP, 4 bytes of payload.
    const UDP_PACKET: [u8; 46] = [
        0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 2, 0x08, 0x00, // Ethernet
        0x45, 0, 0, 32, 0, 1, 0x40, 0, 64, 17, 0xaa, 0xbb, 192, 168, 0, 2, 192, 168, 0, 1, // IPv4
        0x04, 0x00, 0, 53, 0, 12, 0xcc, 0xdd, // UDP
        b'p', b'i', b'n', b'g',
    ];

    fn udp4() -> PacketLayout {
        PacketLayout {
            l2_len: 14,
            l3_len: 20,
            l4_len: 8,
            ip: IpVersion::V4,
            l4: L4::Udp,
        }
    }

    fn tcp(ip: IpVersion) -> PacketLayout {
        let l3_len = if ip == IpVersion::V4 { 20 } else { 40 };
        PacketLayout {
            l2_len: 14,
            l3_len,
            l4_len: 20,
            ip,
            l4: L4::Tcp,
        }
    }

    /// The plain definition of the Internet checksum's sum (RFC 1071): 16-bit words, end-around carry.
    fn plain_sum(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    #[test]
    fn checksum_offload_leaves_the_pseudo_header_sum_with_length() {
        let mut packet = UDP_PACKET;
        assert!(prepare(&mut packet, &TxOffload::Checksum(udp4()), 46));
        // 192.168 + 0.2 + 192.168 + 0.1 + protocol 17 + length 12, by hand: c0a8 + 0002 + c0a8 + 0001 + 0011
        // + 000c.
        assert_eq!(packet[40..42], [0x81, 0x71]);
        assert_eq!(packet[24..26], [0, 0], "the IPv4 checksum is the device's");
        assert_eq!(packet[16..18], [0, 32], "the length stays");
    }

    #[test]
    fn a_device_that_sums_on_from_there_gets_the_right_checksum() {
        let mut packet = UDP_PACKET;
        assert!(prepare(&mut packet, &TxOffload::Checksum(udp4()), 46));
        let checksum = !plain_sum(&packet[34..]);
        let mut whole = packet;
        whole[40..42].copy_from_slice(&checksum.to_be_bytes());
        let mut covered = vec![192, 168, 0, 2, 192, 168, 0, 1, 0, 17, 0, 12];
        covered.extend_from_slice(&whole[34..]);
        assert_eq!(
            plain_sum(&covered),
            0xffff,
            "a receiver's sum over pseudo header and datagram"
        );
    }

    #[test]
    fn segmentation_leaves_length_out_everywhere() {
        let mut packet = [0xffu8; 54];
        packet[26..34].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        let offload = TxOffload::Segment(tcp(IpVersion::V4), NonZeroU16::MIN);
        assert!(prepare(&mut packet, &offload, 60_000));
        assert_eq!(packet[16..18], [0, 0]);
        assert_eq!(packet[24..26], [0, 0]);
        assert_eq!(
            packet[50..52],
            plain_sum(&[10, 0, 0, 1, 10, 0, 0, 2, 0, 6]).to_be_bytes()
        );
    }

    #[test]
    fn ipv6_sums_all_of_both_addresses() {
        let mut packet = [0xffu8; 74];
        for (index, byte) in packet[22..54].iter_mut().enumerate() {
            *byte = index as u8;
        }
        let mut covered: Vec<u8> = (0..32).collect();
        covered.extend_from_slice(&[0, 6]);
        let offload = TxOffload::Segment(tcp(IpVersion::V6), NonZeroU16::MIN);
        assert!(prepare(&mut packet, &offload, 60_000));
        assert_eq!(packet[18..20], [0, 0], "payload length");
        assert_eq!(packet[70..72], plain_sum(&covered).to_be_bytes());
    }

    #[test]
    fn headers_that_are_not_there_are_refused_untouched() {
        let mut packet = UDP_PACKET;
        for layout in [
            PacketLayout { l2_len: 40, ..udp4() },
            PacketLayout { l3_len: 12, ..udp4() },
            PacketLayout { l4_len: 4, ..udp4() },
            PacketLayout {
                l3_len: 24,
                ip: IpVersion::V6,
                ..udp4()
            },
        ] {
            assert!(
                !prepare(&mut packet, &TxOffload::Checksum(layout), 46),
                "{layout:?}"
            );
        }
        assert_eq!(packet, UDP_PACKET);
    }
}
