//! A peer whose segments are written by hand.

use pagewire_stack::ConnectionId;
use pagewire_stack::headers::{Peek, TcpHeaders, peek};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, EthernetAddress, EthernetProtocol, IpAddress, IpProtocol, IpRepr, Ipv4Address, TcpControl,
    TcpPacket, TcpRepr, TcpSeqNumber,
};

use crate::{Alone, PORT, address_v4, frames};

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
            control,
            ack_number: acknowledgment.map(|number| TcpSeqNumber(number as i32)),
            max_seg_size: (control == TcpControl::Syn).then_some(1460),
            payload,
            ..self.says(sequence, 0, 60_000)
        })
    }

    /// A bare acknowledgment to our port [`PORT`], with this in the window field.
    #[must_use]
    pub fn says(self, sequence: u32, acknowledgment: u32, window: u16) -> TcpRepr<'static> {
        TcpRepr {
            ack_number: Some(TcpSeqNumber(acknowledgment as i32)),
            window_len: window,
            ..empty(self.port, PORT, sequence)
        }
    }

    /// A SYN with the sequence number 0, an MSS, a window scale and this in the window field.
    #[must_use]
    pub fn syn(self, mss: Option<u16>, scale: Option<u8>, window: u16) -> TcpRepr<'static> {
        TcpRepr {
            control: TcpControl::Syn,
            max_seg_size: mss,
            window_scale: scale,
            window_len: window,
            ..empty(self.port, PORT, 0)
        }
    }

    /// Connects, by `syn`, to a machine that listens and has not heard of this peer. Returns the connection, and the number of the first byte
    /// of our stream; this peer's begins at 1. `window` is the window field of its answer to our SYN.
    ///
    /// # Panics
    /// There is no connection: a test cannot go on.
    #[must_use]
    pub fn connect(self, alone: &mut Alone, syn: &TcpRepr<'_>, window: u16) -> (ConnectionId, u32) {
        alone.send(&self.arp());
        alone.send(&self.frame(syn));
        let frames = alone.sent();
        self.shake_hands(alone, 0, &frames, window)
    }

    /// Acknowledges the answer among `frames` to a SYN with the number `syn`. Returns the same as [`connect`](Self::connect).
    ///
    /// # Panics
    /// There is no answer, or no connection: a test cannot go on.
    #[must_use]
    pub fn shake_hands(
        self,
        alone: &mut Alone,
        syn: u32,
        frames: &[Vec<u8>],
        window: u16,
    ) -> (ConnectionId, u32) {
        let answer = self.told(frames).expect("a SYN was answered");
        assert!(answer.flags.syn() && answer.flags.ack());
        let first = answer.sequence.wrapping_add(1);
        alone.send(&self.frame(&self.says(syn + 1, first, window)));
        alone.sent();
        let id = alone.machine.stack.accept(PORT).expect("the handshake is done");
        (id, first)
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
        let of_ours = segments(frames).into_iter().rev();
        let mut to_us = of_ours.filter(|(headers, _)| headers.destination.port == self.port);
        to_us
            .next()
            .map(|(headers, _)| headers)
            .filter(|headers| headers.destination.addr == IpAddress::Ipv4(self.address()))
    }
}

/// A segment from port `from` to port `to` that says nothing: no flag, no window, no payload.
#[must_use]
pub fn empty(from: u16, to: u16, sequence: u32) -> TcpRepr<'static> {
    TcpRepr {
        src_port: from,
        dst_port: to,
        control: TcpControl::None,
        seq_number: TcpSeqNumber(sequence.cast_signed()),
        ack_number: None,
        window_len: 0,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    }
}

/// The TCP segments among `frames`, each with its payload.
#[must_use]
pub fn segments(frames: &[Vec<u8>]) -> Vec<(TcpHeaders, &[u8])> {
    let of_tcp = frames.iter().filter_map(|frame| match peek(frame) {
        Peek::Tcp(headers) => Some((headers, &frame[headers.header_len()..][..headers.payload_len])),
        _ => None,
    });
    of_tcp.collect()
}
