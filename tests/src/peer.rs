//! A peer whose segments are written by hand.

use pagewire_stack::headers::{Peek, TcpHeaders, peek};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, EthernetAddress, EthernetProtocol, IpAddress, IpProtocol, IpRepr, Ipv4Address, TcpControl,
    TcpPacket, TcpRepr, TcpSeqNumber,
};

use crate::{PORT, address_v4, frames};

const OUR_MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 2]);

/// Somebody without a stack who sends TCP segments from 10.0.0.`host`.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The last part of its address.
    pub host: u8,
    /// Its port.
    pub port: u16,
}

impl Peer {
    fn address(self) -> Ipv4Address {
        Ipv4Address::new(10, 0, 0, self.host)
    }

    /// A segment to our port [`PORT`], with a window of 60,000; a SYN tells an MSS of 1460 and no window scale.
    #[must_use]
    pub fn segment(
        self,
        control: TcpControl,
        sequence: u32,
        acknowledgment: Option<u32>,
        payload: &[u8],
    ) -> Vec<u8> {
        self.frame(&TcpRepr {
            src_port: self.port,
            dst_port: PORT,
            control,
            seq_number: TcpSeqNumber(sequence as i32),
            ack_number: acknowledgment.map(|number| TcpSeqNumber(number as i32)),
            window_len: 60_000,
            window_scale: None,
            max_seg_size: (control == TcpControl::Syn).then_some(1460),
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload,
        })
    }

    /// A segment to us.
    #[must_use]
    pub fn frame(self, tcp: &TcpRepr<'_>) -> Vec<u8> {
        let (source, destination) = (IpAddress::Ipv4(self.address()), address_v4(1));
        let ip = IpRepr::new(source, destination, IpProtocol::Tcp, tcp.buffer_len(), 64);
        let checksums = ChecksumCapabilities::default();
        let mut packet = vec![0; ip.buffer_len()];
        ip.emit(&mut packet, &checksums);
        let mut segment = TcpPacket::new_unchecked(&mut packet[ip.header_len()..]);
        tcp.emit(&mut segment, &source, &destination, &checksums);
        frames::ethernet(MAC, OUR_MAC, EthernetProtocol::Ipv4, &packet)
    }

    /// Who it is that has this address.
    #[must_use]
    pub fn arp(self) -> Vec<u8> {
        let us = (OUR_MAC, Ipv4Address::new(10, 0, 0, 1));
        let message = frames::arp(ArpOperation::Reply, (MAC, self.address()), us);
        frames::ethernet(MAC, OUR_MAC, EthernetProtocol::Arp, &message)
    }

    /// The last segment to this peer among `frames`.
    #[must_use]
    pub fn told(self, frames: &[Vec<u8>]) -> Option<TcpHeaders> {
        let to_us = frames.iter().rev().find_map(|frame| match peek(frame) {
            Peek::Tcp(headers) if headers.destination.port == self.port => Some(headers),
            _ => None,
        });
        to_us.filter(|headers| headers.destination.addr == IpAddress::Ipv4(self.address()))
    }
}
