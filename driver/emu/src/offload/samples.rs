//! Frames for the tests of this folder, built by smoltcp's wire module and not by the code under test.

use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, IpAddress, IpProtocol, Ipv4Address, Ipv4Packet,
    Ipv6Address, Ipv6Packet, TcpPacket, UdpPacket,
};

use super::headers::{TCP, UDP};

pub(crate) const PORT_A: u16 = 40_000;
const PORT_B: u16 = 80;

/// What a sample frame is to look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) v6: bool,
    pub(crate) tags: usize,
    pub(crate) protocol: u8,
    /// Bytes of TCP options, a multiple of 4.
    pub(crate) options: usize,
    /// TCP flags byte.
    pub(crate) flags: u8,
    pub(crate) sequence: i32,
    pub(crate) identification: u16,
}

impl Sample {
    pub(crate) fn v4(protocol: u8) -> Self {
        Self {
            v6: false,
            tags: 0,
            protocol,
            options: 0,
            flags: 0x10,
            sequence: 7_000,
            identification: 99,
        }
    }

    pub(crate) fn v6(protocol: u8) -> Self {
        Self {
            v6: true,
            ..Self::v4(protocol)
        }
    }

    pub(crate) fn l2_len(&self) -> usize {
        14 + 4 * self.tags
    }

    pub(crate) fn l3_len(&self) -> usize {
        if self.v6 { 40 } else { 20 }
    }

    /// The frame, with all checksums right.
    pub(crate) fn build(&self, payload: &[u8]) -> Vec<u8> {
        let (from, to): (IpAddress, IpAddress) = if self.v6 {
            (
                Ipv6Address::new(0xfd00, 0, 0, 0, 1, 2, 3, 4).into(),
                Ipv6Address::new(0xfd00, 0, 0, 9, 8, 7, 6, 5).into(),
            )
        } else {
            (
                Ipv4Address::new(10, 1, 2, 3).into(),
                Ipv4Address::new(10, 200, 5, 6).into(),
            )
        };
        let segment = self.transport(&from, &to, payload);
        let mut frame = vec![0; 14];
        let mut ether = EthernetFrame::new_unchecked(&mut frame[..]);
        ether.set_dst_addr(EthernetAddress([2, 0, 0, 0, 0, 2]));
        ether.set_src_addr(EthernetAddress([2, 0, 0, 0, 0, 1]));
        ether.set_ethertype(if self.v6 {
            EthernetProtocol::Ipv6
        } else {
            EthernetProtocol::Ipv4
        });
        for _ in 0..self.tags {
            frame.splice(12..12, [0x81, 0x00, 0x00, 0x05]);
        }
        let mut ip = vec![0; self.l3_len()];
        match (from, to) {
            (IpAddress::Ipv4(from), IpAddress::Ipv4(to)) => {
                let mut packet = Ipv4Packet::new_unchecked(&mut ip[..]);
                packet.set_version(4);
                packet.set_header_len(20);
                packet.set_total_len(u16::try_from(20 + segment.len()).unwrap_or(0));
                packet.set_ident(self.identification);
                packet.set_dont_frag(true);
                packet.set_hop_limit(64);
                packet.set_next_header(IpProtocol::from(self.protocol));
                packet.set_src_addr(from);
                packet.set_dst_addr(to);
                packet.fill_checksum();
            }
            (IpAddress::Ipv6(from), IpAddress::Ipv6(to)) => {
                let mut packet = Ipv6Packet::new_unchecked(&mut ip[..]);
                packet.set_version(6);
                packet.set_payload_len(u16::try_from(segment.len()).unwrap_or(0));
                packet.set_hop_limit(64);
                packet.set_next_header(IpProtocol::from(self.protocol));
                packet.set_src_addr(from);
                packet.set_dst_addr(to);
            }
            _ => unreachable!("both addresses are of one version"),
        }
        frame.extend_from_slice(&ip);
        frame.extend_from_slice(&segment);
        frame
    }

    fn transport(&self, from: &IpAddress, to: &IpAddress, payload: &[u8]) -> Vec<u8> {
        let mut segment = match self.protocol {
            TCP => vec![0; 20 + self.options],
            UDP => vec![0; 8],
            _ => Vec::new(),
        };
        let header = segment.len();
        segment.extend_from_slice(payload);
        match self.protocol {
            TCP => {
                segment[20..header].fill(1);
                let mut packet = TcpPacket::new_unchecked(&mut segment[..]);
                packet.set_src_port(PORT_A);
                packet.set_dst_port(PORT_B);
                packet.set_seq_number(smoltcp::wire::TcpSeqNumber(self.sequence));
                packet.set_ack_number(smoltcp::wire::TcpSeqNumber(123));
                packet.set_header_len(u8::try_from(header).expect("a short header"));
                packet.set_window_len(1_000);
                segment[13] = self.flags;
                TcpPacket::new_unchecked(&mut segment[..]).fill_checksum(from, to);
            }
            UDP => {
                let mut packet = UdpPacket::new_unchecked(&mut segment[..]);
                packet.set_src_port(PORT_A);
                packet.set_dst_port(PORT_B);
                packet.set_len(u16::try_from(8 + payload.len()).expect("a short datagram"));
                packet.fill_checksum(from, to);
            }
            _ => {}
        }
        segment
    }
}
