//! The headers of a TCP frame, read once.
//!
//! Every frame passes here before anything else looks at it: on ingress to find the connection and to
//! rule on the segment, on egress to learn which bytes of the stream the frame stands for. [`peek`] reads
//! what the peer sent and trusts no length in it; [`peek_egress`] reads what smoltcp emitted, whose
//! payload is as long as the buffer, whatever the IP header says (a super-segment over 64 KiB carries an
//! IP length of 0). Neither verifies checksums, allocates or panics.

mod rewrite;
mod tuple;

pub(crate) use rewrite::{Shown, rewrite_segment};
pub use tuple::FourTuple;

use std::ops::BitOr;

use smoltcp::wire::{IpAddress, IpEndpoint, Ipv4Address, Ipv6Address};

/// Length of an Ethernet header without a VLAN tag, in bytes.
pub const ETHERNET_LEN: usize = 14;
/// Length of an IPv4 header without options, in bytes.
pub const IPV4_LEN: usize = 20;
/// Length of an IPv6 header without extension headers, in bytes.
pub const IPV6_LEN: usize = 40;
/// Length of a TCP header without options, in bytes.
pub const TCP_LEN: usize = 20;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const PROTOCOL_TCP: u8 = 6;
/// IPv4 "more fragments" and the fragment offset (RFC 791 §3.1): any of them set is a fragment.
const IPV4_FRAGMENT: u16 = 0x3fff;

/// The control bits of a TCP header (RFC 9293 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TcpFlags(u8);

impl TcpFlags {
    /// No control bit.
    pub const NONE: Self = Self(0);
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgment number is significant.
    pub const ACK: Self = Self(0x10);

    /// From the flags octet of a header.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The flags octet of a header.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether every bit of `other` is set here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// FIN is set.
    pub const fn fin(self) -> bool {
        self.contains(Self::FIN)
    }

    /// SYN is set.
    pub const fn syn(self) -> bool {
        self.contains(Self::SYN)
    }

    /// RST is set.
    pub const fn rst(self) -> bool {
        self.contains(Self::RST)
    }

    /// PSH is set.
    pub const fn psh(self) -> bool {
        self.contains(Self::PSH)
    }

    /// ACK is set.
    pub const fn ack(self) -> bool {
        self.contains(Self::ACK)
    }
}

impl BitOr for TcpFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The options that only a SYN carries; all absent on any other segment.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SynOptions {
    /// Largest segment the sender takes, in bytes (RFC 9293 §3.7.1).
    pub mss: Option<u16>,
    /// Window shift of the sender, at most 14 (RFC 7323 §2.3).
    pub window_scale: Option<u8>,
    /// The sender takes selective acknowledgments (RFC 2018).
    pub sack_permitted: bool,
}

/// What the headers of one TCP frame say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpHeaders {
    /// Bytes of the Ethernet header.
    pub l2_len: usize,
    /// Bytes of the IP header.
    pub l3_len: usize,
    /// Bytes of the TCP header with its options.
    pub l4_len: usize,
    /// Source address of the Ethernet header.
    pub source_mac: [u8; 6],
    /// Destination address of the Ethernet header.
    pub destination_mac: [u8; 6],
    /// Sender of the segment.
    pub source: IpEndpoint,
    /// Receiver of the segment.
    pub destination: IpEndpoint,
    /// Sequence number of the first byte (of the SYN, where there is one).
    pub sequence: u32,
    /// Acknowledgment number; without meaning unless `flags.ack()`.
    pub acknowledgment: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// The window field as it stands in the header, unscaled.
    pub window: u16,
    /// Options of a SYN.
    pub syn_options: SynOptions,
    /// Bytes of payload, without Ethernet padding.
    pub payload_len: usize,
}

impl TcpHeaders {
    /// Bytes of all headers: where the payload begins in the frame.
    pub const fn header_len(&self) -> usize {
        self.l2_len + self.l3_len + self.l4_len
    }

    /// Sequence numbers that the segment takes: payload, SYN and FIN (RFC 9293 §3.4).
    pub const fn segment_len(&self) -> u32 {
        self.payload_len as u32 + self.flags.syn() as u32 + self.flags.fin() as u32
    }

    /// The sequence number after the segment.
    pub const fn sequence_end(&self) -> u32 {
        self.sequence.wrapping_add(self.segment_len())
    }

    /// The headers of the part of the segment that has `len` bytes from its byte `offset` on.
    pub(crate) fn part(&self, offset: usize, len: usize) -> Self {
        let mut flags = self.flags;
        if offset + len < self.payload_len {
            // What ends the segment ends its last part.
            flags = TcpFlags(flags.0 & !(TcpFlags::FIN | TcpFlags::PSH).0);
        }
        Self {
            sequence: self.sequence.wrapping_add(offset as u32),
            payload_len: len,
            flags,
            ..*self
        }
    }

    /// The connection of a segment that was received.
    pub fn ingress_tuple(&self) -> FourTuple {
        FourTuple::new(self.destination, self.source)
    }

    /// The connection of a segment that is sent.
    pub fn egress_tuple(&self) -> FourTuple {
        FourTuple::new(self.source, self.destination)
    }
}

/// What a frame turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peek {
    /// A whole TCP segment.
    Tcp(TcpHeaders),
    /// IPv4 or IPv6 with something else in it: ICMP, UDP, a fragment, an extension header.
    OtherIp {
        /// The IP protocol or next header field.
        protocol: u8,
    },
    /// An ARP packet.
    Arp,
    /// Any other EtherType, a VLAN tag included.
    Other {
        /// The EtherType field.
        ethertype: u16,
    },
    /// A length or version in the headers contradicts the frame: nothing may act on it.
    Malformed,
}

/// Reads the headers of a received frame.
///
/// The payload is as long as the IP header says; a frame that is shorter than that is malformed, one
/// that is longer was padded by Ethernet.
pub fn peek(frame: &[u8]) -> Peek {
    parse(frame, Lengths::Header).unwrap_or(Peek::Malformed)
}

/// Reads the headers of an emitted frame of `len` bytes from `front`, its first bytes or all of them. The payload
/// reaches to the end of the frame.
///
/// The IP length field is not looked at: smoltcp writes 0 into it where the segment is too long for it.
pub fn peek_egress(front: &[u8], len: usize) -> Peek {
    let mut peek = parse(front, Lengths::Buffer).unwrap_or(Peek::Malformed);
    if let Peek::Tcp(headers) = &mut peek {
        headers.payload_len += len - front.len();
    }
    peek
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lengths {
    /// The IP header tells the length.
    Header,
    /// The buffer is exactly the packet.
    Buffer,
}

fn parse(frame: &[u8], lengths: Lengths) -> Option<Peek> {
    let (ethernet, packet) = frame.split_first_chunk::<ETHERNET_LEN>()?;
    match u16::from_be_bytes([ethernet[12], ethernet[13]]) {
        ETHERTYPE_IPV4 => parse_ipv4(ethernet, packet, lengths),
        ETHERTYPE_IPV6 => parse_ipv6(ethernet, packet, lengths),
        ETHERTYPE_ARP => Some(Peek::Arp),
        ethertype => Some(Peek::Other { ethertype }),
    }
}

fn parse_ipv4(ethernet: &[u8; ETHERNET_LEN], packet: &[u8], lengths: Lengths) -> Option<Peek> {
    let ip = packet.first_chunk::<IPV4_LEN>()?;
    let l3_len = usize::from(ip[0] & 0x0f) * 4;
    if ip[0] >> 4 != 4 || l3_len < IPV4_LEN {
        return None;
    }
    let total = match lengths {
        Lengths::Header => usize::from(u16::from_be_bytes([ip[2], ip[3]])),
        Lengths::Buffer => packet.len(),
    };
    let segment = packet.get(l3_len..total)?;
    if ip[9] != PROTOCOL_TCP || u16::from_be_bytes([ip[6], ip[7]]) & IPV4_FRAGMENT != 0 {
        return Some(Peek::OtherIp { protocol: ip[9] });
    }
    let address = |at: usize| IpAddress::Ipv4(Ipv4Address::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]));
    parse_tcp(ethernet, l3_len, address(12), address(16), segment)
}

fn parse_ipv6(ethernet: &[u8; ETHERNET_LEN], packet: &[u8], lengths: Lengths) -> Option<Peek> {
    let ip = packet.first_chunk::<IPV6_LEN>()?;
    if ip[0] >> 4 != 6 {
        return None;
    }
    let total = match lengths {
        Lengths::Header => IPV6_LEN + usize::from(u16::from_be_bytes([ip[4], ip[5]])),
        Lengths::Buffer => packet.len(),
    };
    let segment = packet.get(IPV6_LEN..total)?;
    if ip[6] != PROTOCOL_TCP {
        return Some(Peek::OtherIp { protocol: ip[6] });
    }
    let address = |at: usize| {
        ip[at..]
            .first_chunk::<16>()
            .map(|bytes| IpAddress::Ipv6(Ipv6Address::from(*bytes)))
    };
    parse_tcp(ethernet, IPV6_LEN, address(8)?, address(24)?, segment)
}

fn parse_tcp(
    ethernet: &[u8; ETHERNET_LEN],
    l3_len: usize,
    source: IpAddress,
    destination: IpAddress,
    segment: &[u8],
) -> Option<Peek> {
    let tcp = segment.first_chunk::<TCP_LEN>()?;
    let l4_len = usize::from(tcp[12] >> 4) * 4;
    let options = segment.get(TCP_LEN..l4_len)?;
    let flags = TcpFlags::from_bits(tcp[13]);
    let short = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
    let long = |at: usize| u32::from_be_bytes([tcp[at], tcp[at + 1], tcp[at + 2], tcp[at + 3]]);
    let mac = |at: usize| {
        let mut address = [0; 6];
        address.copy_from_slice(&ethernet[at..at + 6]);
        address
    };
    Some(Peek::Tcp(TcpHeaders {
        l2_len: ETHERNET_LEN,
        l3_len,
        l4_len,
        source_mac: mac(6),
        destination_mac: mac(0),
        source: IpEndpoint::new(source, short(0)),
        destination: IpEndpoint::new(destination, short(2)),
        sequence: long(4),
        acknowledgment: long(8),
        flags,
        window: short(14),
        syn_options: if flags.syn() {
            syn_options(options)
        } else {
            SynOptions::default()
        },
        payload_len: segment.len() - l4_len,
    }))
}

/// Reads the options of a SYN up to the first that makes no sense; smoltcp drops such a segment whole.
fn syn_options(mut options: &[u8]) -> SynOptions {
    let mut found = SynOptions::default();
    while let [kind, rest @ ..] = options {
        options = match (kind, rest) {
            (0, _) => break,
            (1, rest) => rest,
            (_, [len, ..]) if usize::from(*len) >= 2 && usize::from(*len) <= options.len() => {
                match (kind, &options[2..usize::from(*len)]) {
                    (2, [high, low]) => found.mss = Some(u16::from_be_bytes([*high, *low])),
                    (3, [shift]) => found.window_scale = Some((*shift).min(14)),
                    (4, []) => found.sack_permitted = true,
                    _ => {}
                }
                &options[usize::from(*len)..]
            }
            _ => break,
        };
    }
    found
}

#[cfg(test)]
mod tests;
