//! What the device is asked to do to a packet on its way out.

use std::num::NonZeroU16;

/// The version of a packet's IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4: the header has a checksum of its own.
    V4,
    /// IPv6: it has none.
    V6,
}

/// The protocol above IP, as far as a device can add its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum L4 {
    /// TCP: checksum at byte 16 of its header.
    Tcp,
    /// UDP: checksum at byte 6.
    Udp,
}

/// Where a packet's headers lie: a device does not parse what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketLayout {
    /// Bytes before the IP header; 14 on plain Ethernet.
    pub l2_len: u8,
    /// Bytes of the IP header with its options or extension headers.
    pub l3_len: u16,
    /// Bytes of the TCP or UDP header with options.
    pub l4_len: u8,
    /// Version of the IP header.
    pub ip: IpVersion,
    /// Protocol above it.
    pub l4: L4,
}

impl PacketLayout {
    /// All headers together, in bytes: where the payload starts.
    #[must_use]
    #[inline]
    pub const fn header_len(&self) -> usize {
        self.l2_len as usize + self.l3_len as usize + self.l4_len as usize
    }
}

/// What the device does to one packet. The driver prepares the checksum fields that the hardware expects;
/// the caller need not fill them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TxOffload {
    /// Send the bytes as they are.
    None,
    /// Insert the IPv4 header checksum (where there is one) and the TCP or UDP checksum.
    Checksum(PacketLayout),
    /// TCP segmentation: cut the payload into pieces of at most this many bytes (the MSS), each with a copy
    /// of the headers, its own lengths, identification, sequence number, flags and checksums. All headers
    /// lie in the first buffer.
    Segment(PacketLayout, NonZeroU16),
}

impl TxOffload {
    /// The layout the device is told, where it is told one.
    #[must_use]
    #[inline]
    pub const fn layout(&self) -> Option<&PacketLayout> {
        match self {
            Self::None => None,
            Self::Checksum(layout) | Self::Segment(layout, _) => Some(layout),
        }
    }
}
