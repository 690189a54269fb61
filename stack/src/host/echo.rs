//! Echo requests of our own, and the replies to them (RFC 792, RFC 4443 §4).
//!
//! A request is remembered when it is asked for, so the round trip contains the time that the neighbour's address
//! took to learn. A reply counts if it has our identifier, comes from the host that was asked, and holds the bytes
//! that were sent; what else arrives is none.

use std::collections::VecDeque;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::icmp::{Endpoint, PacketBuffer, PacketMetadata, Socket};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpAddress, Ipv6Address};

use crate::stack::Unreachable;

/// Requests, and replies, that wait in the socket.
const QUEUE: usize = 16;
/// Requests that are remembered, and replies that nobody has asked for yet.
const REMEMBERED: usize = 256;
/// Bytes of an ICMP echo header.
const ICMP: usize = 8;
/// Bytes of the IP headers.
const IPV4: usize = 20;
const IPV6: usize = 40;

/// A reply to one of our echo requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoReply {
    /// Who was asked, and answered.
    pub from: IpAddress,
    /// The number of the request.
    pub sequence: u16,
    /// Bytes of payload, all of them as they were sent.
    pub payload_len: usize,
    /// From asking until the reply arrived.
    pub round_trip: Duration,
}

/// Why an echo request was not sent.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// It cannot be sent there.
    #[error("{to} cannot be reached: {why}")]
    Unreachable {
        /// Who was to be asked.
        to: IpAddress,
        /// Why not.
        why: Unreachable,
    },
    /// It would not fit into a packet.
    #[error("{payload_len} bytes do not fit into a packet: at most {most} bytes do towards {to}")]
    TooLong {
        /// Who was to be asked.
        to: IpAddress,
        /// The payload asked for, in bytes.
        payload_len: usize,
        /// The longest payload, in bytes.
        most: usize,
    },
    /// Earlier requests still wait to be sent.
    #[error(
        "{QUEUE} echo requests wait to be sent: nobody tells the Ethernet address of {to}, or of the gateway \
         on the way; see that the host is up, on this network, and on this VLAN"
    )]
    NoNeighbour {
        /// Who was to be asked.
        to: IpAddress,
    },
}

/// A request that has no reply yet.
struct Asked {
    to: IpAddress,
    sequence: u16,
    payload_len: usize,
    at: Instant,
}

/// The socket and what was asked.
pub(super) struct Echo {
    handle: SocketHandle,
    identifier: u16,
    longest_ip: usize,
    asked: VecDeque<Asked>,
    replies: VecDeque<EchoReply>,
}

impl Echo {
    pub(super) fn new(sockets: &mut SocketSet<'static>, identifier: u16, longest_ip: usize) -> Self {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; QUEUE], vec![0; QUEUE * longest_ip]);
        let mut socket = Socket::new(buffer(), buffer());
        // A fresh socket, and an endpoint that says what it listens for: it cannot be refused.
        let bound = socket.bind(Endpoint::Ident(identifier));
        debug_assert_eq!(bound, Ok(()));
        Self {
            handle: sockets.add(socket),
            identifier,
            longest_ip,
            asked: VecDeque::new(),
            replies: VecDeque::new(),
        }
    }

    pub(super) fn ask(
        &mut self,
        sockets: &mut SocketSet<'static>,
        to: IpAddress,
        sequence: u16,
        payload_len: usize,
        now: Instant,
    ) -> Result<(), PingError> {
        let headers = ICMP
            + match to {
                IpAddress::Ipv4(_) => IPV4,
                IpAddress::Ipv6(_) => IPV6,
            };
        let most = self.longest_ip - headers;
        if payload_len > most {
            return Err(PingError::TooLong {
                to,
                payload_len,
                most,
            });
        }
        let socket = sockets.get_mut::<Socket<'_>>(self.handle);
        let Ok(bytes) = socket.send(ICMP + payload_len, to) else {
            return Err(PingError::NoNeighbour { to });
        };
        let data = &payload(payload_len)[..];
        let (ident, seq_no) = (self.identifier, sequence);
        match to {
            IpAddress::Ipv4(_) => Icmpv4Repr::EchoRequest { ident, seq_no, data }.emit(
                &mut Icmpv4Packet::new_unchecked(bytes),
                &ChecksumCapabilities::ignored(),
            ),
            // smoltcp fills in the checksum when it knows the source.
            IpAddress::Ipv6(to) => Icmpv6Repr::EchoRequest { ident, seq_no, data }.emit(
                &Ipv6Address::UNSPECIFIED,
                &to,
                &mut Icmpv6Packet::new_unchecked(bytes),
                &ChecksumCapabilities::ignored(),
            ),
        }
        if self.asked.len() == REMEMBERED {
            self.asked.pop_front();
        }
        self.asked.push_back(Asked {
            to,
            sequence,
            payload_len,
            at: now,
        });
        Ok(())
    }

    /// Takes the replies out of the socket.
    pub(super) fn collect(&mut self, sockets: &mut SocketSet<'static>, now: Instant) {
        let socket = sockets.get_mut::<Socket<'_>>(self.handle);
        while let Ok((bytes, from)) = socket.recv() {
            let Some((sequence, data)) = parse(bytes, from) else {
                continue;
            };
            let answers = |asked: &Asked| {
                asked.to == from && asked.sequence == sequence && data == payload(asked.payload_len)
            };
            let Some(asked) = self.asked.iter().position(answers) else {
                continue;
            };
            let Some(asked) = self.asked.remove(asked) else {
                continue;
            };
            if self.replies.len() == REMEMBERED {
                self.replies.pop_front();
            }
            self.replies.push_back(EchoReply {
                from,
                sequence,
                payload_len: data.len(),
                round_trip: now - asked.at,
            });
        }
    }

    pub(super) fn next_reply(&mut self) -> Option<EchoReply> {
        self.replies.pop_front()
    }
}

/// The sequence number and payload of an echo reply; `None` for anything else. smoltcp has checked it.
fn parse(bytes: &[u8], from: IpAddress) -> Option<(u16, &[u8])> {
    let unchecked = ChecksumCapabilities::ignored();
    match from {
        IpAddress::Ipv4(_) => {
            let packet = Icmpv4Packet::new_checked(bytes).ok()?;
            match Icmpv4Repr::parse(&packet, &unchecked).ok()? {
                Icmpv4Repr::EchoReply { seq_no, data, .. } => Some((seq_no, data)),
                _ => None,
            }
        }
        IpAddress::Ipv6(from) => {
            let packet = Icmpv6Packet::new_checked(bytes).ok()?;
            match Icmpv6Repr::parse(&from, &Ipv6Address::UNSPECIFIED, &packet, &unchecked).ok()? {
                Icmpv6Repr::EchoReply { seq_no, data, .. } => Some((seq_no, data)),
                _ => None,
            }
        }
    }
}

/// The bytes that a request carries: each is its own place.
fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|at| at as u8).collect()
}
