//! Headers of segments that smoltcp did not emit.
//!
//! A template is learned from one frame of the connection's own: MAC addresses, IP addresses, hop limit and
//! ports stay, everything else is filled in at [`HeaderTemplate::emit`]. Challenge ACKs are written this
//! way. The headers have no options, neither of IP nor of TCP: a connection that negotiated timestamps
//! needs more than this.

use crate::headers::{ETHERNET_LEN, IPV4_LEN, IPV6_LEN, TCP_LEN, TcpFlags, TcpHeaders};

/// Bytes of the longest header that a template emits (IPv6).
pub const MAX_HEADER_LEN: usize = ETHERNET_LEN + IPV6_LEN + TCP_LEN;

/// Who computes the IPv4 header checksum and the TCP checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checksums {
    /// The template does, in software. Only for segments without payload, whose bytes it does not see.
    Fill,
    /// The device does; both fields are left 0, as smoltcp leaves them.
    Offload,
}

/// What differs from segment to segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Sequence number of the first byte.
    pub sequence: u32,
    /// Acknowledgment number; written as 0 where `flags` has no ACK.
    pub acknowledgment: u32,
    /// The window field as it is to stand in the header: scaled already.
    pub window: u16,
    /// Control bits.
    pub flags: TcpFlags,
    /// Bytes of payload that will follow the header.
    pub payload_len: usize,
}

/// The headers of one direction of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeaderTemplate {
    /// Complete headers with zeros where a segment fills in.
    bytes: [u8; MAX_HEADER_LEN],
    l3_len: u8,
    /// Sum of the IPv4 header's 16-bit words without its length; 0 for IPv6.
    ip_sum: u32,
    /// Sum of the pseudo header without its length, and of the ports.
    tcp_sum: u32,
}

impl HeaderTemplate {
    /// Learns from a frame that the connection emitted, and its headers as read from it. `None` where the
    /// frame is shorter than `headers` say.
    pub fn learn(frame: &[u8], headers: &TcpHeaders) -> Option<Self> {
        if headers.l2_len != ETHERNET_LEN || frame.len() < headers.header_len() {
            return None;
        }
        let ip = &frame[ETHERNET_LEN..];
        let tcp = &ip[headers.l3_len..];
        let mut bytes = [0; MAX_HEADER_LEN];
        bytes[..ETHERNET_LEN].copy_from_slice(&frame[..ETHERNET_LEN]);
        let (l3_len, addresses, ip_sum) = if ip[0] >> 4 == 4 {
            let header = &mut bytes[ETHERNET_LEN..ETHERNET_LEN + IPV4_LEN];
            header.copy_from_slice(&ip[..IPV4_LEN]);
            header[0] = 0x45;
            header[2..4].fill(0);
            header[10..12].fill(0);
            (IPV4_LEN, 12..20, sum(header))
        } else {
            let header = &mut bytes[ETHERNET_LEN..ETHERNET_LEN + IPV6_LEN];
            header.copy_from_slice(ip.get(..IPV6_LEN)?);
            header[4..6].fill(0);
            (IPV6_LEN, 8..40, 0)
        };
        let l4 = ETHERNET_LEN + l3_len;
        bytes[l4..l4 + 4].copy_from_slice(&tcp[..4]);
        bytes[l4 + 12] = (TCP_LEN as u8 / 4) << 4;
        let tcp_sum = sum(&ip[addresses]) + 6 + sum(&tcp[..4]);
        Some(Self {
            bytes,
            l3_len: l3_len as u8,
            ip_sum,
            tcp_sum,
        })
    }

    /// Bytes of header that [`emit`](Self::emit) writes.
    pub const fn header_len(&self) -> usize {
        ETHERNET_LEN + self.l3_len as usize + TCP_LEN
    }

    /// Writes the headers of `segment` to the beginning of `out` and returns their length.
    ///
    /// The IP length is 0 where it does not fit 16 bits, as smoltcp writes it for a super-segment that the
    /// device cuts. `None`, and nothing written, where `out` is too short, or where checksums are to be
    /// filled over a payload.
    pub fn emit(&self, segment: &Segment, checksums: Checksums, out: &mut [u8]) -> Option<usize> {
        let len = self.header_len();
        if checksums == Checksums::Fill && segment.payload_len != 0 {
            return None;
        }
        let out = out.get_mut(..len)?;
        out.copy_from_slice(&self.bytes[..len]);
        let (ip, tcp) = out[ETHERNET_LEN..].split_at_mut(usize::from(self.l3_len));
        let tcp_len = TCP_LEN + segment.payload_len;

        if ip.len() == IPV4_LEN {
            let total = u16::try_from(IPV4_LEN + tcp_len).unwrap_or(0);
            ip[2..4].copy_from_slice(&total.to_be_bytes());
            if checksums == Checksums::Fill {
                ip[10..12].copy_from_slice(&fold(self.ip_sum + u32::from(total)).to_be_bytes());
            }
        } else {
            ip[4..6].copy_from_slice(&u16::try_from(tcp_len).unwrap_or(0).to_be_bytes());
        }

        let acknowledgment = if segment.flags.ack() {
            segment.acknowledgment
        } else {
            0
        };
        tcp[4..8].copy_from_slice(&segment.sequence.to_be_bytes());
        tcp[8..12].copy_from_slice(&acknowledgment.to_be_bytes());
        tcp[13] = segment.flags.bits();
        tcp[14..16].copy_from_slice(&segment.window.to_be_bytes());
        if checksums == Checksums::Fill {
            let checksum = fold(self.tcp_sum + tcp_len as u32 + sum(&tcp[4..TCP_LEN]));
            tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
        }
        Some(len)
    }

    /// Writes a bare ACK, checksums filled in, and returns its length. `None` where `out` is too short.
    pub fn emit_ack(&self, sequence: u32, acknowledgment: u32, window: u16, out: &mut [u8]) -> Option<usize> {
        let segment = Segment {
            sequence,
            acknowledgment,
            window,
            flags: TcpFlags::ACK,
            payload_len: 0,
        };
        self.emit(&segment, Checksums::Fill, out)
    }
}

/// The sum of 16-bit big-endian words (RFC 1071); `bytes` is of even length and under 64 KiB.
fn sum(bytes: &[u8]) -> u32 {
    bytes
        .chunks_exact(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum()
}

/// The checksum that a sum makes.
fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::{Peek, peek, peek_egress};
    use proptest::prelude::*;
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::wire::{
        EthernetAddress, EthernetFrame, EthernetProtocol, IpAddress, IpProtocol, IpRepr, Ipv4Packet,
        TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    };

    /// A frame as smoltcp emits it for `segment`, with every checksum filled.
    fn by_smoltcp(ports: (u16, u16), hop_limit: u8, v6: bool, segment: &Segment) -> Vec<u8> {
        let (source, destination) = if v6 {
            (
                IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0xabcd, 1),
                IpAddress::v6(0xfd00, 0, 0, 0, 1, 0, 0, 2),
            )
        } else {
            (IpAddress::v4(10, 0, 255, 1), IpAddress::v4(192, 168, 3, 254))
        };
        let payload = vec![0xa5; segment.payload_len];
        let tcp = TcpRepr {
            src_port: ports.0,
            dst_port: ports.1,
            control: TcpControl::None,
            seq_number: TcpSeqNumber(segment.sequence as i32),
            ack_number: Some(TcpSeqNumber(segment.acknowledgment as i32)),
            window_len: segment.window,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &payload,
        };
        let ip = IpRepr::new(source, destination, IpProtocol::Tcp, tcp.buffer_len(), hop_limit);
        let mut frame = vec![0; ETHERNET_LEN + ip.buffer_len()];
        let mut ethernet = EthernetFrame::new_unchecked(&mut frame[..]);
        ethernet.set_src_addr(EthernetAddress([2, 0, 0, 0, 0, 1]));
        ethernet.set_dst_addr(EthernetAddress([2, 0, 0, 0, 0, 2]));
        ethernet.set_ethertype(if v6 {
            EthernetProtocol::Ipv6
        } else {
            EthernetProtocol::Ipv4
        });
        let checksums = ChecksumCapabilities::default();
        ip.emit(&mut frame[ETHERNET_LEN..], &checksums);
        let mut packet = TcpPacket::new_unchecked(&mut frame[ETHERNET_LEN + ip.header_len()..]);
        tcp.emit(&mut packet, &source, &destination, &checksums);
        frame
    }

    fn ack(sequence: u32, acknowledgment: u32, window: u16) -> Segment {
        Segment {
            sequence,
            acknowledgment,
            window,
            flags: TcpFlags::ACK,
            payload_len: 0,
        }
    }

    fn learned(frame: &[u8]) -> HeaderTemplate {
        let Peek::Tcp(headers) = peek(frame) else {
            panic!("{:?}", peek(frame))
        };
        HeaderTemplate::learn(frame, &headers).unwrap()
    }

    proptest! {
        #[test]
        fn a_bare_ack_is_byte_for_byte_what_smoltcp_would_emit(
            ports in (1u16.., 1u16..), hop_limit in 1u8.., v6: bool, first: (u32, u32, u16), second: (u32, u32, u16),
            learned_payload in 0usize..100,
        ) {
            let segment = Segment { payload_len: learned_payload, ..ack(first.0, first.1, first.2) };
            let template = learned(&by_smoltcp(ports, hop_limit, v6, &segment));
            let mut out = [0xff; MAX_HEADER_LEN];
            let len = template.emit_ack(second.0, second.1, second.2, &mut out).unwrap();
            prop_assert_eq!(&out[..len], &by_smoltcp(ports, hop_limit, v6, &ack(second.0, second.1, second.2))[..]);
        }
    }

    #[test]
    fn an_offloaded_header_has_zero_checksums_and_the_length_of_its_payload() {
        for v6 in [false, true] {
            let template = learned(&by_smoltcp((80, 4000), 64, v6, &ack(1, 2, 3)));
            let segment = Segment {
                payload_len: 1000,
                flags: TcpFlags::ACK | TcpFlags::PSH,
                ..ack(9, 8, 7)
            };
            let mut frame = vec![0; MAX_HEADER_LEN + 1000];
            let len = template.emit(&segment, Checksums::Offload, &mut frame).unwrap();
            frame.truncate(len + 1000);
            let Peek::Tcp(headers) = peek(&frame) else {
                panic!()
            };
            assert_eq!(
                (headers.sequence, headers.acknowledgment, headers.window),
                (9, 8, 7)
            );
            assert_eq!((headers.payload_len, headers.flags.psh()), (1000, true));
            assert_eq!(&frame[len - 4..len - 2], &[0, 0]);
            if !v6 {
                assert_eq!(Ipv4Packet::new_unchecked(&frame[ETHERNET_LEN..]).checksum(), 0);
            }
        }
    }

    #[test]
    fn a_super_segment_over_64_kib_has_ip_length_zero() {
        for v6 in [false, true] {
            let template = learned(&by_smoltcp((80, 4000), 64, v6, &ack(1, 2, 3)));
            let segment = Segment {
                payload_len: 100_000,
                ..ack(1, 2, 3)
            };
            let mut frame = vec![0; MAX_HEADER_LEN + 100_000];
            let len = template.emit(&segment, Checksums::Offload, &mut frame).unwrap();
            let at = ETHERNET_LEN + if v6 { 4 } else { 2 };
            assert_eq!(&frame[at..at + 2], &[0, 0]);
            let Peek::Tcp(headers) = peek_egress(&frame[..len], len + 100_000) else {
                panic!()
            };
            assert_eq!(headers.payload_len, 100_000);
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let frame = by_smoltcp((80, 4000), 64, false, &ack(1, 2, 3));
        let template = learned(&frame);
        assert_eq!(template.emit_ack(1, 2, 3, &mut [0; 53]), None);
        let segment = Segment {
            payload_len: 1,
            ..ack(1, 2, 3)
        };
        assert_eq!(template.emit(&segment, Checksums::Fill, &mut [0; 100]), None);
        let Peek::Tcp(headers) = peek(&frame) else {
            panic!()
        };
        assert_eq!(HeaderTemplate::learn(&frame[..53], &headers), None);
    }

    #[test]
    fn a_header_without_ack_carries_no_acknowledgment_number() {
        let template = learned(&by_smoltcp((80, 4000), 64, false, &ack(1, 2, 3)));
        let segment = Segment {
            flags: TcpFlags::RST,
            ..ack(1, 0xdead_beef, 0)
        };
        let mut out = [0; MAX_HEADER_LEN];
        let len = template.emit(&segment, Checksums::Fill, &mut out).unwrap();
        let Peek::Tcp(headers) = peek(&out[..len]) else {
            panic!()
        };
        assert_eq!((headers.acknowledgment, headers.flags), (0, TcpFlags::RST));
    }
}
