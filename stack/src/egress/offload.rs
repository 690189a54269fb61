//! What smoltcp leaves open in a TCP packet's headers: the identification is given here, checksums and the cutting into
//! frames are asked of the device.

use std::num::NonZeroU16;

use pagewire_nic::dma::Frame;
use pagewire_nic::port::{IpVersion, L4, PacketLayout, TxOffload, TxQueue};
use smoltcp::wire::IpAddress;

use super::Egress;
use crate::headers::TcpHeaders;

/// Where an IPv4 header has its identification.
const IDENTIFICATION: usize = 4;

impl<T: TxQueue> Egress<T> {
    /// Gives a TCP packet over IPv4 an identification of its own, and one to each of the frames that the device will make
    /// of it; smoltcp leaves it 0. Whoever puts fragments together must not take those of one packet for another's
    /// (RFC 6864 §4.3): some devices cut segments into fragments of IP. The device fills in the header's checksum.
    pub(super) fn identify(&mut self, frame: &mut Frame, headers: &TcpHeaders, mss: Option<NonZeroU16>) {
        if !matches!(headers.source.addr, IpAddress::Ipv4(_)) {
            return;
        }
        let at = self.start() + headers.l2_len + IDENTIFICATION;
        frame.bytes_mut()[at..at + 2].copy_from_slice(&self.next_identification.to_be_bytes());
        let frames = mss.map_or(1, |mss| headers.payload_len.div_ceil(mss.get().into()).max(1));
        self.next_identification = self.next_identification.wrapping_add(frames as u16);
    }

    /// What the device is to do: segment where smoltcp asks for it, else fill in the checksums of TCP.
    pub(super) fn offload_of(&self, headers: &TcpHeaders, mss: Option<NonZeroU16>) -> TxOffload {
        let ip = match headers.source.addr {
            IpAddress::Ipv4(_) => IpVersion::V4,
            IpAddress::Ipv6(_) => IpVersion::V6,
        };
        let layout = PacketLayout {
            l2_len: (self.start() + headers.l2_len) as u8,
            l3_len: headers.l3_len as u16,
            l4_len: headers.l4_len as u8,
            ip,
            l4: L4::Tcp,
        };
        match mss {
            Some(mss) => TxOffload::Segment(layout, mss),
            None => TxOffload::Checksum(layout),
        }
    }
}
